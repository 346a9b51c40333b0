package sqlitefile

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"
)

// newDB makes a database with one row, and leaves of it the files with the suffixes.
func newDB(t *testing.T, journal string, suffixes ...string) string {
	t.Helper()
	from := filepath.Join(t.TempDir(), "app.db")
	db, err := sql.Open("sqlite", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for _, q := range []string{"PRAGMA journal_mode=" + journal, "PRAGMA wal_autocheckpoint=0", "CREATE TABLE x (id)", "INSERT INTO x VALUES (1)"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if len(suffixes) == 0 {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	to := filepath.Join(t.TempDir(), "my app.db")
	for _, s := range append([]string{""}, suffixes...) {
		data, err := os.ReadFile(from + s)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+s, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %x", e.Name(), sha256.Sum256(data)))
	}
	return list
}

func count(o Opening) (n int, err error) {
	db, err := sql.Open("sqlite", o.DSN())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRow("SELECT count(*) FROM x").Scan(&n)
	return n, err
}

func TestReadLeavesNoTrace(t *testing.T) {
	for _, c := range []struct {
		name     string
		journal  string
		suffixes []string
	}{
		{"rollback journal", "DELETE", nil},
		{"WAL, closed", "WAL", nil},
		{"WAL, a copy of two files", "WAL", []string{"-wal"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			path := newDB(t, c.journal, c.suffixes...)
			before := files(t, filepath.Dir(path))
			rows, calls := 0, 0
			err := Read(t.Context(), path, false, func(o Opening) (err error) {
				calls++
				rows, err = count(o)
				return err
			})
			if err != nil || rows != 1 || calls != 1 {
				t.Errorf("%d rows in %d calls, %v; want 1 in 1", rows, calls, err)
			}
			if diff := cmp.Diff(before, files(t, filepath.Dir(path))); diff != "" {
				t.Errorf("reading left a trace: -before +after\n%s", diff)
			}
			if left := files(t, os.Getenv("TMPDIR")); len(left) > 0 {
				t.Errorf("left in the temporary directory: %v", left)
			}
		})
	}
}

func TestReadOfNothing(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, filepath.Join(dir, "none.db"), filepath.Join(dir, "no", "dir.db")} {
		err := Read(t.Context(), path, false, func(Opening) error { t.Errorf("%s was opened", path); return nil })
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("files %v", got)
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":            "no database given",
		":memory:":    "is not the path of a file",
		"file:app.db": "is not the path of a file",
		dir:           "this is a directory",
		garbage:       "this is not an SQLite database, or an encrypted one",
	} {
		err := Read(t.Context(), path, false, func(o Opening) error { _, err := count(o); return err })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", path, err, want)
		}
	}
}

// A database that is written to while it is read past its locks is read again.
func TestReadAgain(t *testing.T) {
	path := newDB(t, "WAL")
	calls, rows := 0, 0
	err := Read(t.Context(), path, false, func(o Opening) (err error) {
		calls++
		rows, err = count(o)
		if calls == 1 {
			db, e := sql.Open("sqlite", path)
			if e != nil {
				t.Fatal(e)
			}
			defer db.Close()
			if _, e := db.Exec("INSERT INTO x SELECT 2 FROM x"); e != nil {
				t.Fatal(e)
			}
		}
		return err
	})
	if err != nil || calls != 2 || rows != 2 {
		t.Errorf("%d rows in %d calls, %v; want 2 in 2", rows, calls, err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("-wal: %v", err)
	}
}
