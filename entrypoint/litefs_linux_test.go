package entrypoint

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
	"golang.org/x/sys/unix"
)

// besideLiteFS is a boot of a real LiteFS node.
func besideLiteFS(t *testing.T, n *testkit.Node, steps ...sqlStep) entry {
	t.Helper()
	e := entry{dir: "/", app: []string{"sh", "-c", "echo ran"}, after: func() { nothingRuns(t, n) }, env: []string{
		"PATH=" + filepath.Dir(testkit.LiteFS(t)) + ":" + os.Getenv("PATH"),
		"FLYSQL_DB=" + n.DB("app.db"), "FLYSQL_LITEFS=" + n.Config}}
	if len(steps) > 0 {
		e.env = append(e.env, "FLYSQL_MIGRATIONS="+migrationsOf(t, tools[0], steps...))
	}
	return e
}

// migrationsOf writes a directory that every user may read.
func migrationsOf(t *testing.T, tl tool, steps ...sqlStep) string {
	t.Helper()
	tree, _, _ := tl.write(steps...)
	dir := files(t, tree)
	openPath(t, dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serving is an app that runs until it is told to end, and then says so.
var serving = []string{"sh", "-c", "trap 'echo ending; exit 3' TERM; echo serving; while :; do sleep 0.05; done"}

// isServing waits for the app.
func (p *process) isServing() {
	p.t.Helper()
	p.poll("app", func() bool { return strings.Contains(p.stdoutSoFar(), "serving") })
}

// nothingLeft makes sure that no LiteFS and no mount outlived a boot.
func nothingLeft(t *testing.T, n *testkit.Node) {
	t.Helper()
	if n.Mounted() {
		t.Errorf("%s is still mounted", n.Mount)
	}
	for _, p := range commandsWith(t, n.Config) {
		t.Errorf("left running: %s", p)
	}
	nothingRuns(t, n)
}

// nothingRuns makes sure that whatever a boot has started is gone, however that
// ended: all of it holds the lock on the data directory. A mount may be left by a
// kill, and is dead then.
func nothingRuns(t *testing.T, n *testkit.Node) {
	t.Helper()
	f, err := os.Open(filepath.Join(stateOn(n), "node.lock"))
	if isNotExist(err) { // no boot came that far
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !waitUntil(30*time.Second, func() bool { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }) {
		t.Errorf("something that runs holds %s", f.Name())
		return
	}
	if n.Running() || !n.Mounted() {
		return
	}
	if _, err := spaceOf(n.Mount); !errors.Is(err, unix.ENOTCONN) && !errors.Is(err, unix.ECONNABORTED) {
		t.Errorf("%s is mounted, and answers (%v)", n.Mount, err)
	}
}

// commandsWith lists the processes that have a text in their command line.
func commandsWith(t *testing.T, text string) []string {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range names {
		if data, err := os.ReadFile(name); err == nil && strings.Contains(string(data), text) {
			found = append(found, filepath.Dir(name)+" "+strings.ReplaceAll(string(data), "\x00", " "))
		}
	}
	return found
}

// A boot brings LiteFS up, migrates on the primary, runs the app, and takes all
// down again; the code is the app's.
func TestLiteFSBoot(t *testing.T) {
	t.Parallel()
	l := testkit.NewLease(t)
	n := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l})
	e := besideLiteFS(t, n, createA, createB)
	e.app = serving
	for boot := range 2 {
		p := e.start(t)
		p.isServing()
		if got := query(t, n.DB("app.db"), "SELECT id FROM b"); got != "1" {
			t.Errorf("boot %d: b holds %q", boot, got)
		}
		p.signal(syscall.SIGTERM)
		r := p.wait().expect(t, 3)
		if r.outcome("mode") != "litefs" || r.text("node", "outcome") != "stopped" || !strings.HasSuffix(r.stdout, "ending\n") {
			t.Errorf("boot %d: stdout %q\n%s", boot, r.stdout, r.stderr)
		}
		if applied := []any{2.0, 0.0}[boot]; r.line("migrate")["applied"] != applied {
			t.Errorf("boot %d: %v", boot, r.line("migrate"))
		}
		nothingLeft(t, n)
		if _, held := l.Get(testkit.Key); held {
			t.Errorf("boot %d: the lease is still held", boot)
		}
	}
}
