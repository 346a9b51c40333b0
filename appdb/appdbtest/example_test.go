package appdbtest_test

import (
	"fmt"
	"os"
	"testing/fstest"

	"github.com/flysql/flysql/appdb/appdbtest"
)

func ExampleNew() {
	// In a test t is its *testing.T, and migrations an embed.FS.
	t := exampleT()
	defer t.end()
	migrations := fstest.MapFS{"migrations/00001_guests.sql": {Data: []byte(`-- +goose Up
CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
-- +goose Down
DROP TABLE guests;
`)}}

	db := appdbtest.New(t, migrations)
	if _, err := db.Writer().Exec("INSERT INTO guests (name) VALUES (?)", "Ada"); err != nil {
		t.Fatalf("insert: %v", err)
	}
	var name string
	if err := db.Reader().QueryRow("SELECT name FROM guests").Scan(&name); err != nil {
		t.Fatalf("select: %v", err)
	}
	fmt.Println(name)

	// Another test, or another call, starts from the migrations alone.
	other := appdbtest.New(t, migrations)
	var n int
	if err := other.Reader().QueryRow("SELECT count(*) FROM guests").Scan(&n); err != nil {
		t.Fatalf("count: %v", err)
	}
	fmt.Println(n)

	// Output:
	// Ada
	// 0
}

// exampleT stands in for a *testing.T, which an example does not have.
func exampleT() *recorder {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	r := &recorder{dir: dir}
	r.Cleanup(func() { _ = os.RemoveAll(dir) })
	return r
}
