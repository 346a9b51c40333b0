package dump_test

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/dump"
	"github.com/flysql/flysql/internal/testkit"
)

// small is a database of one table, whose text has the bytes that encodings go wrong on.
func small(t *testing.T) *testkit.PostgresDB {
	t.Helper()
	db := testkit.Postgres(t)
	db.Exec("CREATE TABLE notes (id serial PRIMARY KEY, note text); INSERT INTO notes (note) VALUES ('plain'), (E'ソ表\\\\;\\n能'), (NULL);")
	return db
}

const smallRows = "1\tplain\n2\tソ表\\\\;\\n能\n3\t\\N\n"

func run(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, &stderr)
	}
	return out
}

// The other formats of pg_dump are refused with the line that converts them, and what
// that line makes is read.
func TestFormats(t *testing.T) {
	t.Parallel()
	db := small(t)
	for _, format := range []string{"custom", "tar", "directory"} {
		path := filepath.Join(t.TempDir(), format)
		run(t, db.Program("pg_dump", "--format="+format, "-f", path, "-d", db.URL))
		_, err := dump.Open(context.Background(), path, dump.Options{})
		var refused *dump.Error
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", format, err)
			continue
		}
		_, line, ok := strings.Cut(refused.Hint, ": ")
		args := strings.Fields(strings.ReplaceAll(line, "dump.sql", path+".sql"))
		if !ok || len(args) < 2 || args[0] != "pg_restore" {
			t.Errorf("%s: %v", format, err)
			continue
		}
		run(t, db.Program(args[0], args[1:]...))
		if got := rowsOf(t, open(t, path+".sql", dump.Options{}), public("notes"), "id", "note"); got != smallRows {
			t.Errorf("%s: %q", format, got)
		}
	}
}

// What pg_dump encodes is read as it was, in rows of COPY and of INSERT.
func TestEncoded(t *testing.T) {
	t.Parallel()
	db := small(t)
	for _, encoding := range []string{"UTF8", "SJIS", "EUC_JP", "GBK", "GB18030"} {
		for _, how := range []string{"--no-owner", "--inserts"} {
			d := open(t, pgDump(t, db, "--encoding="+encoding, how), dump.Options{TempDir: t.TempDir()})
			if got := rowsOf(t, d, public("notes"), "id", "note"); got != smallRows {
				t.Errorf("%s %s: %q", encoding, how, got)
			}
		}
	}
}

// A part of a dump is read as far as it goes.
func TestParts(t *testing.T) {
	t.Parallel()
	db := small(t)
	schema := open(t, pgDump(t, db, "--schema-only"), dump.Options{})
	if s := schema.Schema(); len(s.Tables) != 1 || len(s.Tables[0].Constraints) != 1 || schema.Data() != nil || s.Sequences[0].Known {
		t.Errorf("--schema-only: %+v, %+v", s, schema.Data())
	}
	data := open(t, pgDump(t, db, "--data-only"), dump.Options{})
	if got := rowsOf(t, data, public("notes"), "id", "note"); got != smallRows || len(data.Schema().Tables) != 0 {
		t.Errorf("--data-only: %q", got)
	}
	table := open(t, pgDump(t, db, "--table=notes", "--section=pre-data", "--section=data"), dump.Options{})
	if got := rowsOf(t, table, public("notes"), "note"); got != "plain\nソ表\\\\;\\n能\n\\N\n" || len(table.Schema().Tables) != 1 {
		t.Errorf("--table: %q", got)
	}
}

// Of pg_dumpall's dump one database is taken by its name. No other test may make or drop
// one while it looks at all of them.
func TestDumpall(t *testing.T) {
	a, b := small(t), testkit.Postgres(t)
	b.Exec("CREATE TABLE other (a int)")
	path := filepath.Join(t.TempDir(), "all.sql")
	all := a.Program("pg_dumpall", "-d", a.URL)
	address, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := address.User.Password() // there is one
	all.Env = append(all.Env, "PGPASSWORD="+password)
	if err := os.WriteFile(path, run(t, all), 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, path, dump.Options{Database: a.Name})
	if got := rowsOf(t, d, public("notes"), "id", "note"); got != smallRows {
		t.Errorf("%q", got)
	}
	want := move.Server{Version: d.Schema().Server.Version, Database: a.Name, Encoding: "UTF8", Collation: "C.UTF-8", Ctype: "C.UTF-8", Provider: "libc"}
	if got := d.Schema().Server; got != want || got.Version < 100000 {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := dump.Open(context.Background(), path, dump.Options{}); err == nil || !strings.Contains(err.Error(), b.Name) {
		t.Error(err)
	}
}
