package appdb_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"modernc.org/sqlite"

	"github.com/flysql/flysql/appdb"
)

// open opens urlOrPath and closes it when the test ends.
func open(t testing.TB, c appdb.Config, urlOrPath string) *appdb.DB {
	t.Helper()
	db, err := c.Open(context.Background(), urlOrPath)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// openNew opens a new file with one table in it.
func openNew(t testing.TB) *appdb.DB {
	t.Helper()
	db := open(t, appdb.Config{}, filepath.Join(t.TempDir(), "app.db"))
	exec(t, db.Writer(), "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL)")
	return db
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func exec(t testing.TB, db execer, query string, args ...any) sql.Result {
	t.Helper()
	res, err := db.ExecContext(context.Background(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return res
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// value returns the one value that query yields.
func value[T any](t testing.TB, db queryer, query string, args ...any) T {
	t.Helper()
	var v T
	if err := db.QueryRowContext(context.Background(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// code returns SQLite's result code in err, or 0.
func code(err error) int {
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()
	}
	return 0
}

// files returns the names in a directory.
func files(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}
