package entrypoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// ends are the ways in which a machine of a fleet is cut off, and the code with which
// its entrypoint ends then.
var ends = []struct {
	name string
	code int
	kill func(t *testing.T, entrypoint, litefs, app int)
}{
	{"machine", 137, func(t *testing.T, entrypoint, litefs, app int) { killAll(t, entrypoint, litefs, -app) }},
	{"LiteFS", 1, func(t *testing.T, _, litefs, _ int) { killAll(t, litefs) }},
	{"entrypoint", 137, func(t *testing.T, entrypoint, _, _ int) { killAll(t, entrypoint) }},
}

func killAll(t *testing.T, pids ...int) {
	t.Helper()
	for i, pid := range pids {
		// What follows the first may have been quicker.
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && i == 0 {
			t.Fatal(err)
		}
	}
}

// app is the process of a machine's app, and its group.
func (f *fleet) app(i int) (pid int) {
	f.t.Helper()
	text := f.procs[i].errs.text()
	_, after, _ := strings.Cut(text, `"msg":"app","outcome":"started"`)
	_, after, _ = strings.Cut(after, `"pid":`)
	if _, err := fmt.Sscanf(after, "%d", &pid); err != nil {
		f.t.Fatalf("no pid of the app: %v\n%s", err, text)
	}
	return pid
}

// cutOff ends a machine at once, in one of the ways, and returns when nothing of it
// runs any more.
func (f *fleet) cutOff(i, way int) result {
	f.t.Helper()
	p := f.procs[i]
	ends[way].kill(f.t, p.cmd.Process.Pid, litefsOf(f.t, f.nodes[i]), f.app(i))
	if ends[way].name != "LiteFS" && !waitUntil(3*time.Second, func() bool {
		select {
		case <-p.exited:
			return true
		default:
			return false
		}
	}) {
		f.nodes[i].Abort() // as the machine's end would
	}
	r := p.wait().expect(f.t, ends[way].code)
	f.procs[i] = nil
	nothingRuns(f.t, f.nodes[i])
	return r
}

// keepUp starts those machines again that ended by themselves, as Fly would.
func (f *fleet) keepUp(version int) {
	f.t.Helper()
	for i, p := range f.procs {
		if p == nil {
			continue
		}
		select {
		case <-p.exited:
			f.stop(i)
			f.start(i, version)
		default:
		}
	}
}

// awaitPrimary returns the number of the primary, once there is one that takes rows.
func (f *fleet) awaitPrimary(l *load, version int) (at int) {
	f.t.Helper()
	testkit.Poll(f.t, "a primary", func() bool { f.keepUp(version); at = f.primary(); return at >= 0 })
	since := time.Now()
	testkit.Poll(f.t, "rows from it", func() bool { f.keepUp(version); return l.since(since) })
	return f.primary()
}

// tx is the number of transactions that a node has, "" where it does not say.
func tx(n *testkit.Node) string {
	id, _, _ := strings.Cut(n.Position("app.db"), "/")
	return id
}

// followed returns a moment up to which all that was acknowledged is on every node
// that runs.
func (f *fleet) followed(version int) time.Time {
	f.t.Helper()
	at := time.Now()
	var want string
	testkit.Poll(f.t, "a position of the primary", func() bool {
		f.keepUp(version)
		if i := f.primary(); i >= 0 {
			want = tx(f.nodes[i])
		}
		return want != ""
	})
	testkit.Poll(f.t, "the others to follow", func() bool {
		f.keepUp(version)
		for i, n := range f.nodes {
			if f.procs[i] != nil && tx(n) < want {
				return false
			}
		}
		return true
	})
	return at
}

// safe is a time in which a primary stood and was followed.
type safe struct{ from, to time.Time }

// account makes sure that every acknowledged row is in the cluster, or in the salvage
// of a node; that one which was acknowledged by a primary that stood and was followed
// is in the cluster; and that none is there twice.
func (f *fleet) account(l *load, spans []safe) {
	f.t.Helper()
	has := map[string]int{}
	add := func(db string, n int) {
		for _, id := range strings.Split(readOnly(f.t, db, "SELECT id FROM rows"), ",") {
			has[id] += n
		}
	}
	at := f.primary()
	if at < 0 {
		f.t.Fatal("there is no primary")
	}
	add(f.nodes[at].DB("app.db"), 1)
	twice := 0
	for _, n := range has {
		if n > 1 {
			twice++
		}
	}
	salvages := 0
	for _, n := range f.nodes {
		for _, dir := range salvagesOf(f.t, n) {
			add(filepath.Join(dir, "app.db", "app.db"), 1_000_000)
			salvages++
		}
	}
	gone, kept, lost := 0, 0, 0
	for _, a := range l.acked {
		n := has[fmt.Sprint(a.id)]
		if n%1_000_000 > 0 {
			continue
		}
		if gone++; n > 0 {
			kept++
		} else {
			lost++
		}
		for _, s := range spans {
			if a.at.After(s.from) && a.at.Before(s.to) {
				f.t.Errorf("row %d was acknowledged by a primary that was followed, and is gone", a.id)
			}
		}
	}
	f.t.Logf("%s: of %d acknowledged rows %d are gone from the cluster, %d of them in %d salvages; %d twice; %d apps died", f.mode, len(l.acked), gone, kept, salvages, twice, f.down)
	if lost+twice > 0 || len(l.acked) == 0 {
		f.t.Errorf("%d rows are nowhere, %d are there twice", lost, twice)
	}
}

// descriptors counts what a process has open.
func descriptors(t *testing.T, pid int) int {
	t.Helper()
	names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// kill -9 of the primary's machine, of its LiteFS alone, and of its entrypoint alone,
// and the same of a replica, among three machines under load. Another node takes
// over; the next boot understands what it finds, and serves.
func TestFaultKilled(t *testing.T) {
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			f, l := loadedFleet(t, mode)
			var spans []safe
			for way := range ends {
				from := time.Now()
				at := f.awaitPrimary(l, 1)
				spans = append(spans, safe{from, f.followed(1)})
				f.cutOff(at, way)
				f.takenOver(at)
				f.start(at, 1)
				f.awaitPrimary(l, 1)

				// c is no candidate.
				since := time.Now()
				f.cutOff(2, way)
				testkit.Poll(t, "rows without the replica", func() bool { f.keepUp(1); return l.since(since) })
				f.start(2, 1)
			}
			from := time.Now()
			f.awaitPrimary(l, 1)
			l.end()
			f.keepUp(1)
			spans = append(spans, safe{from, f.followed(1)})
			f.account(l, spans)
			for i := range f.nodes {
				f.stop(i)
				nothingLeft(t, f.nodes[i])
			}
		})
	}
}

// loadedFleet is one that serves, under load.
func loadedFleet(t *testing.T, mode string, env ...string) (*fleet, *load) {
	t.Helper()
	f := newFleet(t, mode, env...)
	withRows(t, f.nodes[0], mode, 10)
	for i := range f.nodes {
		f.start(i, 1)
	}
	return f, newLoad(2, f.apps)
}

// takenOver lets the lease of a node that was cut off expire, and returns when another
// has it.
func (f *fleet) takenOver(i int) {
	f.t.Helper()
	if _, err := f.lease.Expire(testkit.Key); err != nil {
		f.t.Fatal(err)
	}
	testkit.Poll(f.t, "another primary", func() bool { f.keepUp(1); at := f.primary(); return at >= 0 && at != i })
}
