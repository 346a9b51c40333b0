package entrypoint

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// What the same deploys lose where LiteFS starts the app itself, as Fly's
// documentation sets it up: https://fly.io/docs/litefs/getting-started-fly/. There is
// no migration in them, for nobody here would order those.
func TestLiteFSRollingDeploysByMount(t *testing.T) {
	if os.Getenv(deploysVariable) == "" {
		testkit.NotRun(t, "time", "make soak")
	}
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			f := newFleetByMount(t, mode)
			load := newLoad(4, f.apps)
			var pauses []time.Duration
			for n := range deploys(t) {
				for _, i := range orders[n%len(orders)] {
					from := time.Now()
					f.stopByMount(i)
					f.startByMount(i)
					load.settled(t, func() { f.reviveByMount(-1) })
					pauses = append(pauses, load.pause(from, time.Now()))
				}
			}
			load.end()
			f.compare(load, pauses)
		})
	}
}

// newFleetByMount is a fleet whose apps LiteFS starts; all of them serve.
func newFleetByMount(t *testing.T, mode string) *fleet {
	t.Helper()
	l := testkit.NewLease(t)
	f := &fleet{t: t, mode: mode + " by litefs mount"}
	for i, name := range []string{"a", "b", "c"} {
		app, dir := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t)), t.TempDir()
		f.apps = append(f.apps, app)
		f.nodes = append(f.nodes, testkit.NewNode(t, name, testkit.NodeOptions{Lease: l, Replica: i == 2, Dir: dir,
			Extra: fmt.Sprintf("  promote: true\nexec:\n  - cmd: \"env '%s=%s %s/mnt/app.db 1' %s\"\n", asApp, app, dir, executable)}))
	}
	plain := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l, Dir: t.TempDir(), DataDir: f.nodes[0].Data})
	withRows(t, plain, mode, 10)
	plain.Start()
	run(t, plain.DB("app.db"), "CREATE TABLE rows(id INTEGER NOT NULL, at INTEGER)", "CREATE TABLE goose_db_version(version_id INTEGER)", "INSERT INTO goose_db_version VALUES (1)")
	plain.Stop()
	for i := range f.nodes {
		f.startByMount(i)
	}
	return f
}

// stopByMount ends a machine as Fly does: LiteFS gets the signal, and passes it on.
func (f *fleet) stopByMount(i int) {
	f.t.Helper()
	f.reviveByMount(-1)
	pid := f.nodes[i].Pid()
	_ = syscall.Kill(pid, syscall.SIGTERM) // one that has just ended is counted below
	testkit.Poll(f.t, "LiteFS ended", func() bool { return syscall.Kill(pid, 0) != nil })
	f.nodes[i].Kill()
}

// reviveByMount starts machines again that have ended by themselves, as Fly does; but
// one that was killed.
func (f *fleet) reviveByMount(but int) {
	f.t.Helper()
	for i, n := range f.nodes {
		if i == but || syscall.Kill(n.Pid(), 0) == nil {
			continue
		}
		f.down++
		log := n.Log()
		f.t.Logf("%s ended by itself:\n%s", n.Name, log[max(0, len(log)-600):])
		n.Kill()
		f.startByMount(i)
	}
}

// startByMount starts a machine, again where its app ends instead of serving, as Fly
// would.
func (f *fleet) startByMount(i int) {
	f.t.Helper()
	serves := func() bool {
		conn, err := net.Dial("tcp", f.apps[i])
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	for range 5 {
		f.nodes[i].Start()
		if waitUntil(10*time.Second, serves) {
			return
		}
		f.down++
		f.t.Logf("%s: no app:\n%s", f.nodes[i].Name, f.nodes[i].Log())
		f.nodes[i].Kill()
	}
	f.t.Fatalf("the app of %s does not start", f.nodes[i].Name)
}
