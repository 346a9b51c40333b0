package cluster_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/testkit"
)

// An app that nobody would reach on Fly is told of, or does not come up here either.
func TestListens(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ host, warning, err string }{
		{"0.0.0.0", "", ""},
		{"127.0.0.1", "the app listens on 127.0.0.1 alone: on Fly nobody reaches it there", ""},
		{"127.0.0.9", "", "which PORT names (something does, on another address: an app must listen on 0.0.0.0 or [::], as on Fly)"},
	} {
		t.Run(tt.host, func(t *testing.T) {
			t.Parallel()
			o := alone(t)
			o.BootWait = 3 * time.Second
			if tt.err == "" {
				o.BootWait = time.Minute
			}
			o.Command, o.Env = []string{self}, append(o.Env, listensAt+"="+tt.host)
			said := make(chan string, 100)
			o.Log = func(_, line string) { said <- line }
			c, err := cluster.Start(t.Context(), o)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v\nwant %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			warned := func() bool {
				for {
					select {
					case line := <-said:
						if strings.Contains(line, "flysql dev: ") {
							if tt.warning == "" || !strings.Contains(line, tt.warning) {
								t.Errorf("%s", line)
							}
							return true
						}
					default:
						return false
					}
				}
			}
			if tt.warning != "" {
				testkit.Poll(t, "the warning", warned)
				return
			}
			if err := c.Close(); err != nil || warned() {
				t.Errorf("%v, or a warning", err)
			}
		})
	}
}
