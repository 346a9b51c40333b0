package appdb_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
)

// BenchmarkOnLiteFS is one goroutine that writes, or reads, on a disk alone and on the
// primary of three nodes in both journal modes.
func BenchmarkOnLiteFS(b *testing.B) {
	for _, place := range []string{"disk", "litefs-wal", "litefs-delete", "litefs-delete+confirm"} {
		b.Run(place, func(b *testing.B) { benchPlace(b, openForBench(b, place)) })
	}
}

func benchPlace(b *testing.B, db *appdb.DB) {
	o := opened{db.Reader(), db.Update}
	if err := o.fill(); err != nil {
		b.Fatal(err)
	}
	for _, work := range []struct {
		name, unit string
		do         func() error
		of         float64
	}{
		{"write", "tx/s", o.write, 1},
		{"write1000", "rows/s", o.write1000, 1000},
		{"read", "reads/s", o.read, 1},
		{"read20", "reads/s", func() error { return read20(db) }, 20},
	} {
		b.Run(work.name, func(b *testing.B) {
			for b.Loop() {
				if err := work.do(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*work.of/b.Elapsed().Seconds(), work.unit)
			b.ReportMetric(0, "ns/op")
		})
	}
}

func openForBench(b *testing.B, place string) *appdb.DB {
	b.Helper()
	if place == "disk" {
		return open(b, appdb.Config{}, filepath.Join(b.TempDir(), "app.db"))
	}
	l := testkit.NewLease(b)
	primary := testkit.NewNode(b, "a", testkit.NodeOptions{Lease: l})
	primary.Start()
	for _, name := range []string{"b", "c"} {
		testkit.NewNode(b, name, testkit.NodeOptions{Lease: l}).Start()
	}
	node := follower(b, primary)
	if _, err := litefs.Wait(b.Context(), node, func(st litefs.State) bool { return st.Role == litefs.RolePrimary }); err != nil {
		b.Fatal(err)
	}
	url := "file://" + primary.DB("app.db")
	if strings.Contains(place, "wal") {
		url += "?_journal_mode=wal"
	}
	c := appdb.Config{Engine: node}
	if strings.HasSuffix(place, "confirm") {
		c.Confirm = confirm
	}
	return open(b, c, url)
}

// write1000 writes a thousand rows in one transaction.
func (o opened) write1000() error {
	return o.update(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO messages (body, created_at)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000)
			SELECT 'Greetings.', datetime('now') FROM n`)
		return err
	})
}

// read20 reads twenty pages in one transaction.
func read20(db *appdb.DB) error {
	return db.View(context.Background(), func(tx *sql.Tx) error {
		for range 20 {
			var n int
			if err := tx.QueryRow("SELECT count(*) FROM (SELECT id, body FROM messages ORDER BY id DESC LIMIT 10)").Scan(&n); err != nil {
				return err
			}
		}
		return nil
	})
}
