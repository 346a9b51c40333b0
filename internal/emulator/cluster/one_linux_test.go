package cluster_test

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/private"
	"github.com/flysql/flysql/internal/testkit"
)

// An app that ends, or never listens, says why in the error, and nothing is left.
func TestAppThatFails(t *testing.T) {
	t.Parallel()
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	port := testkit.FreePort(t)
	for _, tt := range []struct{ name, script, want string }{
		{"fails its check", "exec " + filepath.Join(programs, "guestbook"), "it did not serve within 3s\ncheck http GET /nothing: 404 Not Found: "},
		{"ignores PORT", "PORT=" + strconv.Itoa(port) + " exec " + filepath.Join(programs, "guestbook"), fmt.Sprintf("which PORT names (something does on %d: an app must heed PORT here", port)},
		{"ends", "echo no such table >&2; exit 3", "it ended before it served: exit status 3\n"},
		{"never listens", "echo waiting >&2; exec sleep 1000", "which PORT names: it did not serve within 3s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, err := options(t.TempDir(), programs, "")
			if err != nil {
				t.Fatal(err)
			}
			o.LiteFS, o.Regions, o.BootWait = "", []string{"ams"}, 3*time.Second
			o.Command = []string{"/bin/sh", "-c", tt.script}
			o.Config.Env = map[string]string{"DATABASE_URL": "file:///data/app.db"}
			o.Config.HTTPService.Checks[0].Path = "/nothing"
			_, err = cluster.Start(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "machine ams1: ") {
				t.Errorf("%v", err)
			}
		})
	}
}

// One machine on a volume, without LiteFS, that ends by itself when it is in use.
func TestOneMachine(t *testing.T) {
	t.Parallel()
	o := alone(t)
	o.Config.Restart = []flyconf.Restart{{Policy: "never"}}
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	(&visitor{t: t, base: front.URL, region: "syd"}).signs("alone")
	if _, err := os.Stat(filepath.Join(o.Dir, "machines/ams1/volume/app.db")); err != nil {
		t.Error(err)
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", c.Machines()[0].Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, server, _ := strings.Cut(string(env), cluster.DNSVariable+"=")
	server, _, _ = strings.Cut(server, "\x00")
	at, err := netip.ParseAddrPort(server)
	if err != nil {
		t.Fatalf("%s=%q: %v", cluster.DNSVariable, server, err)
	}
	if got, err := private.Resolver(at).LookupHost(t.Context(), "ams1.vm.flysql-regions.internal"); err != nil || fmt.Sprint(got) != "[127.0.0.2]" {
		t.Errorf("%v, %v", got, err)
	}
	kill(t, c)
	testkit.Poll(t, "the end to be seen", func() bool {
		m := c.Machines()[0]
		return m.State == edge.Stopped && m.Err != nil
	})
	if err := c.Start(t.Context(), "ams1"); err != nil {
		t.Fatal(err)
	}
	(&visitor{t: t, base: front.URL, region: "syd"}).signs("again")
	if err := c.Deploy(t.Context(), []string{"/bin/false"}); err == nil || !strings.Contains(err.Error(), "it ended before it served: exit status 1") {
		t.Errorf("a deploy of what does not run: %v", err)
	}
	if err := c.Deploy(t.Context(), o.Command); err != nil {
		t.Error(err)
	}
	(&visitor{t: t, base: front.URL, region: "syd"}).signs("deployed")
	if err := c.Start(t.Context(), "ord1"); err == nil {
		t.Error("a machine that there is not was started")
	}
}
