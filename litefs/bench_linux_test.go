package litefs

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// BenchmarkRole asks a replica who is the primary: from the state, and as apps do
// without this package, from the file .primary through FUSE.
func BenchmarkRole(b *testing.B) {
	_, nodes := cluster(b, "a", "b")
	n := follow(b, config(nodes[1]))
	await(b, n, "replica", isReplica)
	b.Run("State", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if st := n.State(); st.Role != RoleReplica {
				b.Fatal(st.Role)
			}
		}
	})
	b.Run("file", func(b *testing.B) {
		b.ReportAllocs()
		path := filepath.Join(nodes[1].Mount, ".primary")
		for b.Loop() {
			if _, err := os.ReadFile(path); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPosition asks how far a database has come.
func BenchmarkPosition(b *testing.B) {
	_, nodes := cluster(b, "a")
	exec(b, nodes[0], "CREATE TABLE t(v)")
	n := follow(b, config(nodes[0]))
	atDisk(b, n, nodes[0])
	b.Run("State", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			st := n.State()
			if _, ok := st.Position("app.db"); !ok {
				b.Fatal("no position")
			}
		}
	})
	b.Run("WaitPosition", func(b *testing.B) { // of what has been reached
		b.ReportAllocs()
		st := n.State()
		at, _ := st.Position("app.db")
		for b.Loop() {
			if err := n.WaitPosition(b.Context(), "app.db", at); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ReadPosition", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := n.ReadPosition(b.Context(), "app.db"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWake is the time from a commit on the primary until who waits for it on
// a replica goes on: by the event, and by looking at the -pos file every 10 ms.
func BenchmarkWake(b *testing.B) {
	_, nodes := cluster(b, "a", "b")
	primary, replica := nodes[0], nodes[1]
	exec(b, primary, "PRAGMA journal_mode=wal", "CREATE TABLE t(v)")
	n := follow(b, config(replica))
	if err := n.WaitPosition(limit(b), "app.db", onDisk(b, primary)); err != nil {
		b.Fatal(err)
	}
	db := openDB(b, primary)
	defer db.Close()
	for _, rival := range []struct {
		name string
		wait func(b *testing.B, txid uint64) error
	}{
		{"event", func(b *testing.B, txid uint64) error {
			return n.WaitPosition(b.Context(), "app.db", Pos{TXID: txid})
		}},
		{"poll", func(b *testing.B, txid uint64) error { return pollPosition(b.Context(), replica, txid) }},
	} {
		b.Run(rival.name, func(b *testing.B) {
			var took []time.Duration
			next := onDisk(b, primary).TXID
			for b.Loop() {
				next++
				woken := make(chan error, 1)
				var at time.Time
				go func() {
					err := rival.wait(b, next)
					at = time.Now()
					woken <- err
				}()
				if _, err := db.Exec("INSERT INTO t VALUES (1)"); err != nil {
					b.Fatal(err)
				}
				committed := time.Now()
				if err := <-woken; err != nil {
					b.Fatal(err)
				}
				took = append(took, max(0, at.Sub(committed)))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
			b.ReportMetric(float64(took[(len(took)-1)*99/100])/1e6, "p99-ms")
			b.ReportMetric(0, "ns/op") // the commit's, mostly
		})
	}
}

// pollPosition is how one waits without events.
func pollPosition(ctx context.Context, n *testkit.Node, txid uint64) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if pos, err := ParsePos(n.Position("app.db")); err == nil && pos.TXID >= txid {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
