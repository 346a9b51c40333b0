package entrypoint

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// What the watchdog rests upon: while LiteFS is stopped nothing is acknowledged, however
// SQLite is set up. A commit needs LiteFS for its lock and its writes, for it mounts
// without a write-back cache. What waited goes on afterwards.
func TestFenceHolds(t *testing.T) {
	for _, tt := range []struct{ name, mode, pragmas string }{
		{"WAL", "WAL", "_pragma=synchronous(normal)"},
		{"WAL without sync", "WAL", "_pragma=synchronous(off)"},
		{"WAL with mmap", "WAL", "_pragma=mmap_size(268435456)&_pragma=synchronous(off)"},
		{"journal", "DELETE", "_pragma=synchronous(normal)"},
		{"journal without sync", "DELETE", "_pragma=synchronous(off)&_pragma=mmap_size(268435456)"},
		{"journal persist", "DELETE", "_pragma=journal_mode(persist)&_pragma=synchronous(off)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := testkit.NewNode(t, "a", testkit.NodeOptions{})
			n.Start()
			run(t, n.DB("app.db"), "PRAGMA journal_mode="+tt.mode, "CREATE TABLE w (id INTEGER PRIMARY KEY)")
			rows := startWriter(t, n.DB("app.db")+"?"+tt.pragmas, asHammer+"=1")
			testkit.Poll(t, "rows", func() bool { return rows.count() > 20 })
			n.Pause()
			testkit.Poll(t, "LiteFS stopped", func() bool { return stopped(n.Pid()) })
			after := func(d time.Duration) int {
				end := time.Now().Add(d)
				testkit.Poll(t, "some time", func() bool { return time.Now().After(end) })
				return rows.count()
			}
			before := after(200 * time.Millisecond) // what was on its way here
			if now := after(2 * time.Second); now != before {
				t.Errorf("%d rows were acknowledged while LiteFS was stopped", now-before)
			}
			client := http.Client{Timeout: 200 * time.Millisecond} // no answer from its API either
			if res, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/info", n.API)); err == nil {
				res.Body.Close()
				t.Error("LiteFS answers while it is stopped")
			}
			n.Resume()
			testkit.Poll(t, "rows afterwards", func() bool { return rows.count() > before })
			rows.end()
			n.Stop()
		})
	}
}
