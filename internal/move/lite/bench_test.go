package lite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
)

// The driver, and how many rows one statement best inserts.
func BenchmarkInsert(b *testing.B) {
	b.Run("driver", benchDriver)
	for _, group := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("rows=%d", group), func(b *testing.B) {
			ctx := context.Background()
			db, err := lite.Open(ctx, filepath.Join(b.TempDir(), "x.db"), false)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			for _, s := range benchSetup {
				if err := db.Exec(s); err != nil {
					b.Fatal(err)
				}
			}
			insert, err := db.Prepare("INSERT INTO t VALUES (?, ?, ?, ?)" + strings.Repeat(", (?, ?, ?, ?)", group-1))
			if err != nil {
				b.Fatal(err)
			}
			defer insert.Close()
			id, at := make([]byte, 36), []byte("2026-01-02 03:04:05.678000+00:00")
			values := []convert.Value{{Kind: convert.Text, Bytes: id}, {Kind: convert.Integer, Int: 7}, {Kind: convert.Text, Bytes: at}, {Kind: convert.Integer, Int: 1}}
			b.ResetTimer()
			for i := 0; i < b.N; i += group {
				for j := range group {
					copy(id, fmt.Sprintf("%036d", i+j))
					for k, v := range values {
						if err := insert.Bind(j*4+k+1, v); err != nil {
							b.Fatal(err)
						}
					}
				}
				if _, err := insert.Step(); err != nil {
					b.Fatal(err)
				}
			}
			if err := db.Exec("COMMIT"); err != nil {
				b.Fatal(err)
			}
		})
	}
}

var benchSetup = []string{"PRAGMA journal_mode=off", "PRAGMA synchronous=off", "PRAGMA locking_mode=exclusive", "PRAGMA cache_size=-65536",
	"CREATE TABLE t (id TEXT NOT NULL, user_id INTEGER, at TEXT, n INTEGER)", "BEGIN"}

func benchDriver(b *testing.B) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "x.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range benchSetup {
		if _, err := db.Exec(s); err != nil {
			b.Fatal(err)
		}
	}
	insert, err := db.Prepare("INSERT INTO t VALUES (?, ?, ?, ?)")
	if err != nil {
		b.Fatal(err)
	}
	defer insert.Close()
	i := 0
	for b.Loop() {
		if _, err := insert.Exec(fmt.Sprintf("%036d", i), int64(7), "2026-01-02 03:04:05.678000+00:00", int64(1)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
