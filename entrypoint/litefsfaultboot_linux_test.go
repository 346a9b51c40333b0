package entrypoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// bootPoints are the points of a boot that was the primary last and is a replica now.
var bootPoints = []string{"guard", "own", "node", "aside.copy", "aside.copied", "node.start", "node.ready", "app"}

// The primary is killed, and its next boot at each of its points as well, while the
// others go on under load: the boot after that understands what it finds.
func TestFaultKilledBooting(t *testing.T) {
	for k, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			f, l := loadedFleet(t, mode)
			open := descriptors(t, f.procs[2].cmd.Process.Pid)
			for i, point := range bootPoints {
				if i%len(journalModes) != k { // half of them each
					continue
				}
				at := f.awaitPrimary(l, 1)
				f.cutOff(at, 0)
				f.takenOver(at)
				e := f.boot(at, 1)
				e.fault = point + "=kill"
				if r := e.run(t).expect(t, 137); strings.Contains(r.stdout, "serving") {
					t.Errorf("%s: the app ran", point)
				}
				nothingRuns(t, f.nodes[at])
				f.start(at, 1)
				noAside(t, f.nodes[at])
			}
			f.awaitPrimary(l, 1)
			l.end()
			f.account(l, nil)
			if f.down == 0 { // c was never away
				f.procs[2].poll("descriptors as at the beginning", func() bool { return descriptors(t, f.procs[2].cmd.Process.Pid) <= open+2 })
			}
			for i := range f.nodes {
				f.stop(i)
				nothingLeft(t, f.nodes[i])
			}
		})
	}
}

// SIGTERM at each point of a boot in a cluster ends it with its code; the app does not
// run, nothing is left, and the next boot serves. The others do not notice.
func TestFaultSignalBooting(t *testing.T) {
	for _, role := range []string{"replica", "primary"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			_, nodes := cluster(t, "a", "b")
			for _, n := range nodes {
				n.Start()
			}
			makeRows(t, nodes[0], "DELETE", 50)
			testkit.Poll(t, "b at a's position", func() bool { return nodes[0].Position("app.db") == nodes[1].Position("app.db") })
			n, steps := nodes[1], []sqlStep{}
			points := []string{"mode", "guard", "own", "node", "node.start", "node.ready"}
			if role == "primary" {
				nodes[1].Stop() // so that a stays it
				n, steps = nodes[0], []sqlStep{createA, createB}
				points = append(points, "check", "snapshot", "snapshot.copy", "snapshot.copied", "migrate", "migrate.journal")
			}
			points = append(points, "app") // which has migrated
			n.Stop()
			for _, point := range points {
				e := besideLiteFS(t, n, steps...)
				e.fault = fmt.Sprintf("%s=%d", point, syscall.SIGTERM)
				r := e.run(t).expect(t, 143)
				if r.stdout != "" {
					t.Errorf("%s: the app ran: %q", point, r.stdout)
				}
				if r.outcome("node") == "killed" { // then its lease would be missed
					t.Errorf("%s: node: %v", point, r.line("node"))
				}
				nothingLeft(t, n)
			}
			if r := besideLiteFS(t, n, steps...).run(t).expect(t, 0); r.stdout != "ran\n" {
				t.Errorf("stdout %q\n%s", r.stdout, r.stderr)
			}
			nothingLeft(t, n)
			noAside(t, n)
		})
	}
}

// SIGTERM while a boot waits for a primary that does not come, for a lease server that
// is gone, or while its migration runs; and a second one, which ends what does not
// answer to the first.
func TestFaultSignalWaiting(t *testing.T) {
	busy := sqlStep{name: "busy", up: []string{"CREATE TABLE busy(i);", slow}}
	for _, tt := range []struct {
		name  string
		steps []sqlStep
		lease bool // that answers
		wait  string
		stop  string // what hangs: LiteFS, or the process for the database
	}{
		{name: "no primary", wait: "no primary answers yet"},
		{name: "LiteFS hangs before it is ready", wait: "no primary answers yet", stop: "litefs"},
		{name: "a migration", steps: []sqlStep{createA, busy}, lease: true, wait: `"msg":"snapshot"`},
		{name: "a migration that hangs", steps: []sqlStep{createA, busy}, lease: true, wait: `"msg":"snapshot"`, stop: "stage"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, nodes := cluster(t, "a")
			n := nodes[0]
			before := withRows(t, n, "DELETE", 100)
			l.Fail(!tt.lease)
			e := besideLiteFS(t, n, tt.steps...)
			e.env = append(e.env, "FLYSQL_GRACE=1h")
			p := e.start(t)
			p.waitFor(tt.wait)
			hang := 0
			switch tt.stop {
			case "litefs":
				hang = litefsOf(t, n)
			case "stage":
				hang = stageOf(t, p, n)
			}
			if hang != 0 {
				killAllWith(t, syscall.SIGSTOP, hang)
			}
			p.signal(syscall.SIGTERM)
			if tt.stop == "stage" { // before LiteFS is ready it has no grace
				p.signal(syscall.SIGINT)
			}
			r := p.wait()
			if r.code != 143 && (tt.stop == "" || r.code != 130) {
				t.Errorf("exit code %d\n%s", r.code, r.stderr)
			}
			if r.stdout != "" {
				t.Errorf("the app ran: %q", r.stdout)
			}
			nothingLeft(t, n)
			l.Fail(false)
			if _, err := l.Expire(testkit.Key); err != nil { // one that was killed had it still
				t.Fatal(err)
			}
			if r := besideLiteFS(t, n, createA, createB).run(t).expect(t, 0); r.stdout != "ran\n" {
				t.Errorf("stdout %q\n%s", r.stdout, r.stderr)
			}
			checkLiteFSAfter(t, n, before)
		})
	}
}

func checkLiteFSAfter(t *testing.T, n *testkit.Node, before string) {
	t.Helper()
	whatIs(t, n, func(db string) {
		if got := query(t, db, "SELECT id FROM b"); got != "1" || fingerprint(t, db) != before {
			t.Errorf("b holds %q, rows the same: %v", got, fingerprint(t, db) == before)
		}
	})
}

func killAllWith(t *testing.T, sig syscall.Signal, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
}

// stageOf is the pid of the process that a boot has for the database.
func stageOf(t *testing.T, p *process, n *testkit.Node) (pid int) {
	t.Helper()
	p.poll("process for the database", func() bool {
		for _, c := range commandsWith(t, filepath.Base(os.Args[0])) {
			var child int
			if _, err := fmt.Sscanf(c, "/proc/%d ", &child); err == nil && parentOf(t, child) == p.cmd.Process.Pid {
				pid = child
			}
		}
		return pid != 0
	})
	return pid
}

// What an app has started outlives it where the entrypoint is killed: the kernel ends
// the app alone. The next boot ends what is left, and does not wait for it.
func TestFaultOrphans(t *testing.T) {
	t.Parallel()
	l, nodes := cluster(t, "a")
	n := nodes[0]
	e := besideLiteFS(t, n, createA)
	e.app = []string{"sh", "-c", "sh -c 'trap \"\" TERM; echo serving; exec >/dev/null 2>&1; while :; do sleep 0.05; done' & wait"}
	p := e.start(t)
	p.isServing()
	p.signal(syscall.SIGKILL)
	p.wait().expect(t, 137)
	if _, err := l.Expire(testkit.Key); err != nil {
		t.Fatal(err)
	}
	e.app = []string{"sh", "-c", "echo ran"}
	e.env = append(e.env, "FLYSQL_GRACE=300ms")
	r := e.run(t).expect(t, 0)
	contains(t, r.stderr, "what an earlier boot has left still runs")
	nothingLeft(t, n)
}
