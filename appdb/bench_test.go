package appdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
)

// An opened database: where it reads, and how it runs a write transaction.
type opened struct {
	reader *sql.DB
	update func(ctx context.Context, fn func(*sql.Tx) error) error
}

// The rivals are the ways in which apps open SQLite with the same driver. All
// of them do the same work on the same tables.
var rivals = []struct {
	name string
	open func(b *testing.B, path string) opened
}{
	{"appdb", func(b *testing.B, path string) opened {
		db, err := appdb.Open(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = db.Close() })
		return opened{db.Reader(), db.Update}
	}},
	// As one writes it first.
	{"plain", func(b *testing.B, path string) opened { return openPlain(b, path) }},
	// As most advice goes.
	{"plain+wal+timeout", func(b *testing.B, path string) opened {
		return openPlain(b, path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	}},
	// appdb's settings without its queue: what is left is what the queue is worth.
	{"plain+all-settings", func(b *testing.B, path string) opened {
		return openPlain(b, path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)&_txlock=immediate")
	}},
}

func openPlain(b *testing.B, dsn string) opened {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return opened{db, func(ctx context.Context, fn func(*sql.Tx) error) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := fn(tx); err != nil {
			return err
		}
		return tx.Commit()
	}}
}

// write counts a visit and stores a message: read, write, write.
func (o opened) write() error {
	return o.update(context.Background(), func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRow("SELECT n FROM visits WHERE page = 'home'").Scan(&n); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE visits SET n = ? WHERE page = 'home'", n+1); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO messages (body, created_at) VALUES (?, ?)", "Greetings from the bench.", time.Now())
		return err
	})
}

// read reads a page of messages.
func (o opened) read() error {
	rows, err := o.reader.Query("SELECT id, body FROM messages ORDER BY id DESC LIMIT 10")
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var id int
		var body string
		if err := rows.Scan(&id, &body); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if n != 10 {
		return errors.New("a page is short")
	}
	return nil
}

// fill makes the tables.
func (o opened) fill() error {
	return o.update(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`
			CREATE TABLE visits (page TEXT PRIMARY KEY, n INTEGER NOT NULL);
			INSERT INTO visits VALUES ('home', 0);
			CREATE TABLE messages (id INTEGER PRIMARY KEY, body TEXT NOT NULL, created_at DATETIME NOT NULL);
			INSERT INTO messages (body, created_at)
				WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000)
				SELECT 'Greetings.', datetime('now') FROM n`)
		return err
	})
}

// A tally is what some goroutines did.
type tally struct {
	mu       sync.Mutex
	took     []time.Duration // of each operation, failed ones too
	failures int
}

// work runs op from n goroutines until more says no.
func (t *tally) work(wg *sync.WaitGroup, n int, more func() bool, op func() error) {
	for range n {
		wg.Go(func() {
			var took []time.Duration
			failures := 0
			for more() {
				start := time.Now()
				if op() != nil {
					failures++
				}
				took = append(took, time.Since(start))
			}
			t.mu.Lock()
			defer t.mu.Unlock()
			t.took = append(t.took, took...)
			t.failures += failures
		})
	}
}

// report gives successes a second, the 99th percentile of the time that an
// operation took, and the share of operations that failed.
func (t *tally) report(b *testing.B, prefix string, elapsed time.Duration) {
	slices.Sort(t.took)
	n := len(t.took)
	if n == 0 {
		return
	}
	b.ReportMetric(float64(n-t.failures)/elapsed.Seconds(), prefix+"ops/s")
	b.ReportMetric(float64(t.took[(n-1)*99/100])/1e6, prefix+"p99-ms")
	b.ReportMetric(float64(t.failures)/float64(n), prefix+"errors/op")
}

// upTo returns a function that says yes b.N times.
func upTo(n int) func() bool {
	var done atomic.Int64
	return func() bool { return done.Add(1) <= int64(n) }
}

func each(b *testing.B, run func(b *testing.B, n int, db opened)) {
	for _, n := range []int{1, 8, 64} {
		for _, r := range rivals {
			b.Run(fmt.Sprintf("n=%d/%s", n, r.name), func(b *testing.B) {
				db := r.open(b, filepath.Join(b.TempDir(), "app.db"))
				if err := db.fill(); err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				run(b, n, db)
				b.ReportMetric(0, "ns/op") // says less than ops/s, and counts failures as work done
			})
		}
	}
}

func BenchmarkWriters(b *testing.B) {
	each(b, func(b *testing.B, n int, db opened) {
		var wg sync.WaitGroup
		var t tally
		t.work(&wg, n, upTo(b.N), db.write)
		wg.Wait()
		t.report(b, "", b.Elapsed())
	})
}

func BenchmarkReaders(b *testing.B) {
	each(b, func(b *testing.B, n int, db opened) {
		var wg sync.WaitGroup
		var t tally
		t.work(&wg, n, upTo(b.N), db.read)
		wg.Wait()
		t.report(b, "", b.Elapsed())
	})
}

// BenchmarkBoth has n writers and n readers. An operation is a write; the
// readers go on as long as the writers do.
func BenchmarkBoth(b *testing.B) {
	each(b, func(b *testing.B, n int, db opened) {
		var writers, readers sync.WaitGroup
		var w, r tally
		var ended atomic.Bool
		r.work(&readers, n, func() bool { return !ended.Load() }, db.read)
		w.work(&writers, n, upTo(b.N), db.write)
		writers.Wait()
		elapsed := b.Elapsed()
		ended.Store(true)
		readers.Wait()
		w.report(b, "write-", elapsed)
		r.report(b, "read-", elapsed)
	})
}
