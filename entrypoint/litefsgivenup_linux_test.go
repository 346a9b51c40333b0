package entrypoint

import (
	"path/filepath"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// LiteFS gives its lease up by itself when the lease server answers with errors for
// long enough, and would then be a replica of whoever takes it: what only this node
// has is not replaced while it runs, but salvaged.
func TestWatchGivenUp(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.b.Start()
	rows := startWriter(t, w.a.DB("app.db"))
	testkit.Poll(t, "rows", func() bool { return rows.count() > 10 })
	w.b.Stop()
	before := rows.count()
	testkit.Poll(t, "rows that b lacks", func() bool { return rows.count() > before+10 })
	w.lease.Fail(true)
	w.boot.poll("a's LiteFS gives up, or is stopped", func() bool {
		if stopped(litefsOf(t, w.a)) {
			return true
		}
		info, ok := w.a.Info()
		return ok && !info.IsPrimary
	})
	t.Log("a gave up, or was stopped")
	release := w.path.Hold()
	w.lease.Fail(false)
	w.bTakesOver(t)
	release()
	w.aIsOutlived(t, rows)
}

// A lease that is lost in between, and another node's before anybody here has asked
// for it: whoever notices first, LiteFS or the watchdog, nothing is replaced.
func TestWatchLeaseTaken(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.b.Start()
	rows := startWriter(t, w.a.DB("app.db"))
	w.b.Stop()
	w.boot.poll("a session that is renewed", func() bool { _, held := w.lease.Get(testkit.Key); return held && rows.count() > 10 })
	if _, err := w.lease.Expire(testkit.Key); err != nil {
		t.Fatal(err)
	}
	w.bTakesOver(t)
	w.aIsOutlived(t, rows)
}

// aIsOutlived makes sure that a ends, and that what it has acknowledged is b's or
// salvaged.
func (w *watched) aIsOutlived(t *testing.T, rows *writer) {
	t.Helper()
	w.boot.wait().expect(t, 1)
	rows.end()
	nothingLeft(t, w.a)
	w.entry.app = []string{"true"}
	w.entry.run(t).expect(t, 0)
	dbs := []string{w.b.DB("app.db")}
	for _, dir := range salvagesOf(t, w.a) {
		dbs = append(dbs, filepath.Join(dir, "app.db", "app.db"))
	}
	if missing := rows.missing(t, dbs...); len(missing) > 0 {
		t.Errorf("lost: %v", missing)
	}
}
