package migrate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/flysql/flysql/internal/migrate"
)

// In an app, the files come from an embed.FS or os.DirFS.
func Example() {
	files := fstest.MapFS{
		"migrations/00001_guests.sql": {Data: []byte(`-- +goose Up
CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT NOT NULL);

-- +goose Down
DROP TABLE guests;
`)},
		"migrations/00002_messages.sql": {Data: []byte(`-- +goose Up
CREATE TABLE messages (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABEL likes (id INTEGER PRIMARY KEY);

-- +goose Down
DROP TABLE messages;
`)},
	}
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db := filepath.Join(dir, "app.db")

	set, err := migrate.Open(files, migrate.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Len(), "migrations for", set.Tool(), "in", set.Dir())

	applied, err := set.Up(context.Background(), db)
	for _, m := range applied {
		fmt.Println("applied", m.File)
	}
	fmt.Println(err)

	st, err := set.Status(context.Background(), db)
	fmt.Println("at version", st.Version+",", len(st.Pending), "pending,", err)
	// Output:
	// 2 migrations for goose in migrations
	// applied migrations/00001_guests.sql
	// migrations/00002_messages.sql:3:8: near "TABEL": syntax error (goose), in "CREATE TABEL likes (id INTEGER PRIMARY KEY);"
	// at version 1, 1 pending, <nil>
}
