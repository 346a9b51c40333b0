package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/e2e/guestbook"
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
	rows := []guestbook.Message{{ID: 1, Name: "Ada", Body: "one"}, {ID: 2, Name: "Grace", Body: "two"}}
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
			err := intact(t.Context(), database(t, test.sql), rows)
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
		if err := intact(t.Context(), file, rows); err == nil {
			t.Error("a damaged file is taken for intact")
		}
	})
}

func TestPrinter(t *testing.T) {
	var out, errs strings.Builder
	p := newPrinter(&out, &errs, nil)
	ctx := t.Context()
	if err := p.step(ctx, "one", func(context.Context) (string, error) { return "done", nil }); err != nil {
		t.Error(err)
	}
	err := p.step(ctx, "two", func(context.Context) (string, error) {
		p.note("a note")
		return "done with a note", nil
	})
	if err != nil {
		t.Error(err)
	}
	boom := errors.New("boom")
	err = p.step(ctx, "three", func(context.Context) (string, error) { return "", boom })
	if !errors.Is(err, boom) || err.Error() != "three: boom" {
		t.Errorf("error %v, want boom with the step's name", err)
	}
	p.failure(err)
	p.ok("fine")
	log := &logWriter{say: p}
	for _, s := range []string{"half a ", "line\nand ", "more\n", "not ended"} {
		if _, err := log.Write([]byte(s)); err != nil {
			t.Error(err)
		}
	}
	want := strings.Join([]string{
		"  one          done",
		"  two          ",
		"               a note",
		"               done with a note",
		"  three        ",
		"  ok    fine",
		"",
	}, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("\nFAILED  three: boom\n  | half a line\n  | and more\n", errs.String()); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
	if got, want := log.String(), "half a line\nand more\nnot ended"; got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
}

func TestStepIsNotBegunAfterASignal(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	var out strings.Builder
	err := newPrinter(&out, &out, nil).step(ctx, "one", func(context.Context) (string, error) {
		t.Error("begun")
		return "", nil
	})
	if !errors.Is(err, why) || out.String() != "" {
		t.Errorf("error %v and output %q, want the cause and none", err, out.String())
	}
}

func TestSummary(t *testing.T) {
	set := func(names ...string) map[string]bool {
		m := map[string]bool{}
		for _, n := range names {
			m[n] = true
		}
		return m
	}
	got := summary(set("main.go"), set("main.go", "fly.toml", ".flysql/src/a.go", ".flysql/src/b/c.go", "Dockerfile"))
	if want := ".flysql/ (2 files), Dockerfile, fly.toml"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShort(t *testing.T) {
	for in, want := range map[string]string{
		"RUN true": "RUN true",
		"RUN CGO_ENABLED=0 go build -trimpath -ldflags=\"-s -w\" -o bin/flysql-entrypoint ./cmd/flysql-entrypoint": "RUN CGO_ENABLED=0 go build -trimpa ... nt ./cmd/flysql-entrypoint",
	} {
		if got := short(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
