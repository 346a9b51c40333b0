package inspect

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
)

// newDB makes a database by statements and closes it; its name has a space.
func newDB(t testing.TB, statements ...string) *Database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "my app.db")
	openApp(t, path, statements...).Close()
	return find(t, path)
}

// openApp opens a database as an app does, with one connection.
func openApp(t testing.TB, path string, statements ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, "rwc", "_pragma=busy_timeout(5000)"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return db
}

func find(t testing.TB, path string) *Database {
	t.Helper()
	db, err := Find(t.Context(), Request{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// rows is the table, many rows of a kilobyte.
func rows(n string) string {
	return "INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < " + n + ") SELECT i, zeroblob(1000) FROM c"
}

const table = "CREATE TABLE t (id INTEGER PRIMARY KEY, b)"

// names lists a directory.
func names(t testing.TB, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func count(t testing.TB, path string) (n int) {
	t.Helper()
	if err := openApp(t, path).QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
