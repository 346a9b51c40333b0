package cluster_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/testkit"
)

// alone is one machine without LiteFS.
func alone(t *testing.T) cluster.Options {
	t.Helper()
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	o, err := options(t.TempDir(), programs, "")
	if err != nil {
		t.Fatal(err)
	}
	onVolume(&o)
	return o
}

// kill kills a machine's entrypoint, as the kernel does where there is no memory.
func kill(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	if err := syscall.Kill(c.Machines()[0].Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// A machine that ends by itself is started again, as on Fly, and serves.
func TestRestarted(t *testing.T) {
	t.Parallel()
	o := alone(t)
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	pid := c.Machines()[0].Pid
	kill(t, c)
	testkit.Poll(t, "the machine, started again", func() bool {
		m := c.Machines()[0]
		return m.Healthy && m.Pid != pid && m.Restarts == 1 && m.Err == nil
	})
	(&visitor{t: t, base: front.URL, region: "ams"}).signs("started again")
	// One that was stopped while it waits for its time is not.
	kill(t, c)
	testkit.Poll(t, "the second time", func() bool { return c.Machines()[0].Restarts == 2 })
	if err := c.Stop(t.Context(), "ams1", false); err != nil {
		t.Fatal(err)
	}
	if m := c.Machines()[0]; m.State != edge.Stopped || m.Pid != 0 {
		t.Errorf("stopped: %+v", m)
	}
	if err := c.Start(t.Context(), "ams1"); err != nil {
		t.Fatal(err)
	}
	if m := c.Machines()[0]; m.Restarts != 0 || !m.Healthy {
		t.Errorf("started: %+v", m)
	}
	// Nor is the end of all held up by it.
	kill(t, c)
	testkit.Poll(t, "the third time", func() bool { return c.Machines()[0].Restarts == 1 })
	began := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("closed after %v", took)
	}
}

// An app that crashes is not started more often than [[restart]] says, nor all the time.
func TestRestartPolicies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, exit string
		restart    []flyconf.Restart
		starts     int
		errs       []string
	}{
		{"retries", "3", []flyconf.Restart{{Policy: "on-failure", Retries: 2}}, 3, []string{"it ended before it served: exit status 3\nflysql ", "\nit was started again 2 times, and is not any more ([[restart]] of fly.toml)"}},
		{"never", "3", []flyconf.Restart{{Policy: "never"}}, 1, []string{"it ended by itself: exit status 3"}},
		{"well", "0", nil, 1, []string{"it ended by itself: exit status 0"}},
		{"another group", "0", []flyconf.Restart{{Policy: "always", Processes: []string{"worker"}}}, 1, []string{"exit status 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := alone(t)
			o.Config.Restart = tt.restart
			count := filepath.Join(t.TempDir(), "count")
			// It serves once, until it is told to end.
			o.Command = []string{"/bin/sh", "-c", fmt.Sprintf(`echo x >>%[1]s; [ -e %[1]s.end ] || { %[2]s & while [ ! -e %[1]s.end ]; do sleep 0.05; done; }; set -x; exit %[3]s`, count, o.Command[0], tt.exit)}
			c, err := cluster.Start(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := os.WriteFile(count+".end", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			testkit.Poll(t, "the end", func() bool { return c.Machines()[0].State == edge.Stopped })
			m := c.Machines()[0]
			for _, want := range tt.errs {
				if m.Err == nil || !strings.Contains(m.Err.Error(), want) {
					t.Errorf("%v\nwant %q in it", m.Err, want)
				}
			}
			if m.Restarts != tt.starts-1 {
				t.Errorf("%d restarts, want %d", m.Restarts, tt.starts-1)
			}
			if got, err := os.ReadFile(count); string(got) != strings.Repeat("x\n", tt.starts) || err != nil {
				t.Errorf("started %q, %v", got, err)
			}
		})
	}
}

// Who stops or kills a machine that is just being started need not wait until it serves.
func TestStoppedWhileItStarts(t *testing.T) {
	t.Parallel()
	o := alone(t)
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, end := range map[string]func() error{
		"stop": func() error { return c.Stop(t.Context(), "ams1", false) },
		"kill": func() error { return c.Kill("ams1") },
	} {
		started := make(chan error, 1)
		go func() { started <- c.Deploy(t.Context(), []string{"/bin/sleep", "1000"}) }()
		testkit.Poll(t, "the machine on its way", func() bool { m := c.Machines()[0]; return m.State == edge.Away && m.Pid != 0 })
		if err := end(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := <-started; err == nil || !strings.Contains(err.Error(), "it was stopped") {
			t.Errorf("%s: %v", name, err)
		}
		if m := c.Machines()[0]; m.State != edge.Stopped || m.Pid != 0 || m.Err != nil {
			t.Errorf("%s: %+v", name, m)
		}
		if err := c.Deploy(t.Context(), o.Command); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
