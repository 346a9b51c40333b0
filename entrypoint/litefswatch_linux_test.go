package entrypoint

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// watchTTL is the TTL of the leases here, the shortest that Consul takes.
const watchTTL = defaultLeaseTTL

// watched is a primary a whose way to the lease server can be held up, booted with
// an app, and b, which is not started.
type watched struct {
	lease *testkit.Lease
	path  *testkit.Path
	a, b  *testkit.Node
	entry entry
	boot  *process
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{lease: testkit.NewLease(t)}
	w.path = testkit.NewPath(t, w.lease.URL)
	w.a = testkit.NewNode(t, "a", testkit.NodeOptions{Lease: w.lease, LeaseURL: w.path.URL})
	w.b = testkit.NewNode(t, "b", testkit.NodeOptions{Lease: w.lease})
	w.entry = besideLiteFS(t, w.a, createA)
	w.entry.app = serving
	w.boot = w.entry.start(t)
	w.boot.isServing()
	run(t, w.a.DB("app.db"), "CREATE TABLE w (id INTEGER PRIMARY KEY)")
	return w
}

// writer writes one row after the other, and keeps count of those that it was told
// are safe. It is a process of its own: what waits in the mount of a LiteFS that is
// stopped cannot be ended, and holds up its whole process.
type writer struct {
	cmd   *exec.Cmd
	mu    sync.Mutex
	acked []int
	last  time.Time
	ended chan struct{}
}

func startWriter(t *testing.T, db string, env ...string) *writer {
	t.Helper()
	w := &writer{cmd: exec.Command(executable), ended: make(chan struct{})}
	w.cmd.Env = append(os.Environ(), asWriter+"="+db, "GOCOVERDIR="+t.TempDir())
	w.cmd.Env = append(w.cmd.Env, env...)
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if id, err := strconv.Atoi(lines.Text()); err == nil {
				w.mu.Lock()
				w.acked, w.last = append(w.acked, id), time.Now()
				w.mu.Unlock()
			}
		}
		w.cmd.Wait()
	}()
	t.Cleanup(func() { w.cmd.Process.Kill() }) // it ends when the mount does
	return w
}

// end returns when the writer has ended.
func (w *writer) end() {
	w.cmd.Process.Kill()
	<-w.ended
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

func (w *writer) lastAck() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// missing lists what was acknowledged and is in none of the databases.
func (w *writer) missing(t *testing.T, dbs ...string) (missing []int) {
	t.Helper()
	found := map[string]bool{}
	for _, db := range dbs {
		for _, id := range strings.Split(readOnly(t, db, "SELECT group_concat(id) FROM w"), ",") {
			found[id] = true
		}
	}
	for _, id := range w.acked {
		if !found[fmt.Sprint(id)] {
			missing = append(missing, id)
		}
	}
	return missing
}

func stateOfWatch(t *testing.T, n *testkit.Node) (s watchState) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(stateOn(n), watchFile))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A lease path that hangs for a while, and nobody else who takes the lease: LiteFS
// is stopped before its time is up, and goes on when the lease is confirmed again.
// No row that was acknowledged is lost.
func TestWatchFencesAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	rows := startWriter(t, w.a.DB("app.db"))
	testkit.Poll(t, "rows", func() bool { return rows.count() > 10 })
	release := w.path.Hold()
	w.boot.waitFor(`"msg":"lease","outcome":"fenced"`)
	if s := stateOfWatch(t, w.a); s.State != "fenced" || s.Why == "" {
		t.Errorf("%s: %+v", watchFile, s)
	}
	before := rows.count()
	release()
	w.boot.waitFor(`"msg":"lease","outcome":"confirmed"`)
	testkit.Poll(t, "rows after the fence", func() bool { return rows.count() > before+10 })
	if s := stateOfWatch(t, w.a); s.State != "ok" {
		t.Errorf("%s: %+v", watchFile, s)
	}
	rows.end()
	if missing := rows.missing(t, w.a.DB("app.db")); len(missing) > 0 {
		t.Errorf("lost: %v", missing)
	}
	w.boot.signal(syscall.SIGTERM)
	w.boot.wait().expect(t, 3)
	nothingLeft(t, w.a)
}

// bTakesOver starts b once the lease has expired, and returns when it is primary.
func (w *watched) bTakesOver(t *testing.T) time.Time {
	t.Helper()
	testkit.Poll(t, "the lease's end", func() bool { _, held := w.lease.Get(testkit.Key); return !held })
	w.b.Start()
	testkit.Poll(t, "b primary", func() bool { info, _ := w.b.Info(); return info.IsPrimary })
	took := time.Now()
	run(t, w.b.DB("app.db"), "INSERT INTO w VALUES (1000000)")
	return took
}

// Split brain: the primary's lease path hangs, and another node is restarted and takes
// the lease. From then on the old primary acknowledges nothing, and when the path is
// back it ends before anything of it is erased.
func TestWatchSplitBrain(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.b.Start()
	rows := startWriter(t, w.a.DB("app.db"))
	testkit.Poll(t, "rows", func() bool { return rows.count() > 10 })
	release := w.path.Hold()
	w.b.Stop()
	before := rows.count()
	testkit.Poll(t, "rows that b lacks", func() bool { return rows.count() > before+10 })
	took := w.bTakesOver(t)
	release()
	r := w.boot.wait().expect(t, 1)
	contains(t, r.stderr, `"msg":"lease","outcome":"fenced"`)
	rows.end()
	if last := rows.lastAck(); last.After(took) {
		t.Errorf("a row was acknowledged %v after b had taken over", last.Sub(took))
	}
	// What a acknowledged before and b has not is in the salvage.
	w.entry.app = []string{"true"}
	w.entry.run(t).expect(t, 0)
	found := salvagesOf(t, w.a)
	if len(found) != 1 {
		t.Fatalf("salvages: %v", found)
	}
	if missing := rows.missing(t, w.b.DB("app.db")); len(missing) < 10 {
		t.Errorf("b lacks only %v", missing)
	}
	if missing := rows.missing(t, w.b.DB("app.db"), filepath.Join(found[0], "app.db", "app.db")); len(missing) > 0 {
		t.Errorf("lost: %v", missing)
	}
	nothingLeft(t, w.a)
}

// A lease server that is slow, but answers three seconds late, fences nothing.
func TestWatchSlowLease(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.path.Delay(3 * time.Second)
	rows := startWriter(t, w.a.DB("app.db"))
	end := time.Now().Add(5 * watchTTL / 2)
	testkit.Poll(t, "two TTLs and a half", func() bool { return time.Now().After(end) })
	rows.end()
	if got := w.boot.errs.text(); strings.Contains(got, `"msg":"lease"`) || rows.count() < 10 {
		t.Errorf("%d rows\n%s", rows.count(), got)
	}
	w.boot.signal(syscall.SIGTERM)
	w.boot.wait().expect(t, 3)
}

// A lease server that is gone for several TTLs and comes back as it was: writes wait
// or are refused, and go on. No acknowledged row is lost.
func TestWatchLeaseGone(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	rows := startWriter(t, w.a.DB("app.db"))
	testkit.Poll(t, "rows", func() bool { return rows.count() > 10 })
	w.lease.Fail(true)
	end := time.Now().Add(3 * watchTTL)
	testkit.Poll(t, "three TTLs", func() bool { return time.Now().After(end) })
	before, last := rows.count(), rows.lastAck()
	if age := end.Sub(last); age < watchTTL {
		t.Errorf("a row was acknowledged %v before the end of an outage of %v", age, 3*watchTTL)
	}
	w.lease.Fail(false)
	// Its session has expired meanwhile, so it may have ended; then the machine starts
	// it again.
	w.boot.poll("rows, or the end", func() bool {
		select {
		case <-w.boot.exited:
			return true
		default:
			return rows.count() > before+10
		}
	})
	rows.end()
	if rows.count() == before {
		w.boot.wait().expect(t, 1)
		w.boot = w.entry.start(t)
		w.boot.poll("app", func() bool { return strings.Contains(w.boot.stdoutSoFar(), "serving") })
	}
	if missing := rows.missing(t, w.a.DB("app.db")); len(missing) > 0 {
		t.Errorf("lost: %v", missing)
	}
	w.boot.signal(syscall.SIGTERM)
	w.boot.wait().expect(t, 3)
}

// A lease that is gone although LiteFS takes itself for the primary, as when the lease
// server has lost its state: LiteFS is killed at once, for another node may take it.
func TestWatchLeaseLost(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.boot.poll("a confirmed lease", func() bool {
		_, held := w.lease.Get(testkit.Key)
		return held
	})
	// Until then nothing is known that could be lost.
	testkit.Poll(t, "the loss noticed", func() bool {
		if _, err := w.lease.Expire(testkit.Key); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(w.boot.errs.text(), "its lease is gone")
	})
	r := w.boot.wait().expect(t, 1)
	contains(t, r.stderr, "so another node may be the primary")
	nothingLeft(t, w.a)
	w.entry.app = []string{"true"}
	w.entry.run(t).expect(t, 0)
}

// The whole machine stands still while another node takes over: when it goes on, LiteFS
// is stopped before anything else, and killed when its lease is found to be another's.
func TestWatchFrozen(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.b.Start()
	rows := startWriter(t, w.a.DB("app.db"), asHammer+"=1") // it writes as soon as it can
	testkit.Poll(t, "rows", func() bool { return rows.count() > 10 })
	litefs := litefsOf(t, w.a)
	freeze := func(sig syscall.Signal) { // the writer waits in the mount
		for _, pid := range []int{w.boot.cmd.Process.Pid, litefs} {
			if err := syscall.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
		}
	}
	freeze(syscall.SIGSTOP)
	w.b.Stop()
	w.bTakesOver(t)
	freeze(syscall.SIGCONT)
	r := w.boot.wait().expect(t, 1)
	contains(t, r.stderr, "its lease is gone: b is the primary") // by the clock, or by an event of LiteFS's
	rows.end()
	nothingLeft(t, w.a)
	w.entry.app = []string{"true"}
	w.entry.run(t).expect(t, 0)
	dbs := []string{w.b.DB("app.db")}
	for _, dir := range salvagesOf(t, w.a) { // only where it had something alone
		dbs = append(dbs, filepath.Join(dir, "app.db", "app.db"))
	}
	if missing := rows.missing(t, dbs...); len(missing) > 0 {
		t.Errorf("lost: %v", missing)
	}
}

// A boot that is to end while its LiteFS is stopped ends, although its app waits in
// the mount, where no signal reaches it.
func TestWatchEndsWhileFenced(t *testing.T) {
	t.Parallel()
	w := &watched{lease: testkit.NewLease(t)}
	w.path = testkit.NewPath(t, w.lease.URL)
	n := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: w.lease, LeaseURL: w.path.URL})
	e := besideLiteFS(t, n, createA)
	e.env = append(e.env, "FLYSQL_GRACE=1s")
	e.app = []string{"sh", "-c", "trap : TERM; echo serving; while cat $FLYSQL_DB-pos; do :; done >/dev/null"}
	p := e.start(t)
	p.isServing()
	w.path.Hold() // for good
	p.waitFor(`"msg":"lease","outcome":"fenced"`)
	p.signal(syscall.SIGTERM)
	r := p.wait()
	if r.code != 1 && r.code != 137 { // the app's own, where what it waits for has not reached LiteFS
		t.Errorf("exit code %d", r.code)
	}
	contains(t, r.stderr, `"outcome":"killing","why":"its lease could not be confirmed`)
	nothingLeft(t, n)
}

// LiteFS that hangs is killed, and the app ended, with a clear message.
func TestWatchHang(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	e := besideLiteFS(t, n)
	e.env = append(e.env, "FLYSQL_LITEFS_HANG=1s")
	e.app = serving
	p := e.start(t)
	p.isServing()
	if err := syscall.Kill(litefsOf(t, n), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r := p.wait().expect(t, 1)
	contains(t, r.stderr, "it gave no answer at", "for 1s (FLYSQL_LITEFS_HANG)", "while the app ran")
	if s := stateOfWatch(t, n); s.State != "killed" {
		t.Errorf("%s: %+v", watchFile, s)
	}
	nothingLeft(t, n)
}
