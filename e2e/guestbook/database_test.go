package guestbook

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// database makes a guestbook's database with two messages.
func database(t *testing.T, more ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "guestbook.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range append([]string{
		"CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT)",
		"CREATE TABLE messages (id INTEGER PRIMARY KEY, guest_id INTEGER, body TEXT)",
		"INSERT INTO guests VALUES (1, 'Ada'), (2, 'Grace')",
		"INSERT INTO messages VALUES (1, 1, 'one'), (2, 2, 'two')",
	}, more...) {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// The check must notice what it is there for.
func TestIntact(t *testing.T) {
	rows := []Message{{ID: 1, Name: "Ada", Body: "one"}, {ID: 2, Name: "Grace", Body: "two"}}
	tests := []struct {
		name string
		sql  string
		want string // in the error; empty: it is intact
	}{
		{"as it was", "SELECT 1", ""},
		{"a message lost", "DELETE FROM messages WHERE id = 2", "the database holds"},
		{"a message changed", "UPDATE messages SET body = 'other' WHERE id = 1", "the database holds"},
		{"a message more", "INSERT INTO messages VALUES (3, 1, 'three')", "the database holds"},
		{"a table left", "CREATE TABLE half_done (id INTEGER)", "half_done"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := Intact(t.Context(), database(t, test.sql), rows)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	t.Run("damaged", func(t *testing.T) {
		file := database(t)
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		// The second page: the table of guests.
		_, err = f.WriteAt([]byte(strings.Repeat("damage ", 100)), 4096)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if err := Intact(t.Context(), file, rows); err == nil {
			t.Error("a damaged file is taken for intact")
		}
	})
}

func TestHasMore(t *testing.T) {
	if err := HasMore(t.Context(), database(t)); err == nil {
		t.Error("a column that is missing is not missed")
	}
	if err := HasMore(t.Context(), database(t, "ALTER TABLE messages ADD COLUMN mood TEXT")); err != nil {
		t.Error(err)
	}
}
