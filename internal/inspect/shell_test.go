package inspect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeSQLite3 is a PATH with an sqlite3 that is new enough.
func fakeSQLite3(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sqlite3"), []byte("#!/bin/sh\necho 3.51.3 2026\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestProgram(t *testing.T) {
	db := newDB(t, table)
	p, why := db.Program(t.Context(), "relative:"+fakeSQLite3(t), "SELECT 1", true, false)
	if p == nil {
		t.Fatal(why)
	}
	want := []string{"sqlite3", "-readonly", "-cmd", ".timeout 5000", "-cmd", "PRAGMA foreign_keys=ON", db.Path, "SELECT 1"}
	if diff := cmp.Diff(want, p.Argv); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if p, why := db.Program(t.Context(), t.TempDir(), "", false, false); p != nil || why != "there is no sqlite3 in PATH" {
		t.Errorf("%+v, %q", p, why)
	}
}

func TestShell(t *testing.T) {
	var long strings.Builder
	for range 500 {
		long.WriteString("SELECT 1 -- ;\n, 2\n")
	}
	for _, c := range []struct{ in, out, errOut, err string }{
		{"select 1; select 'a;b', \"c\" from (select 2 c)\n;", "1\na;b|2\n", "", ""},
		{"select 1.5, 1e300, -0.0, 9223372036854775807, null, x'', 'é'", "1.5|1e+300|-0.0|9223372036854775807||x''|é\n", "", ""},
		{"-- nothing\n/* at all */", "", "", ""},
		{"create trigger a after insert on t begin select 1; select 2; end; select 3;", "3\n", "", ""},
		{"create trigger b after insert on t\nbegin select 1;\nend;\nselect 4;", "4\n", "", ""},
		{"begin; insert into t values (1, 2); select count(*) from t;", "1\n", "", ""}, // and rolled back
		{"select count(*) from t;", "0\n", "", ""},
		{"select 1;\nnonsense;\nselect 2;", "1\n", "", `near "nonsense": syntax error`},
		{"select 'open", "", "", "unrecognized token"},
		{"select 1\x00; select 2;", "", "", "a NUL byte"},
		{".mode json\nselect 1 a, 1.0 b, x'00' c, null d where 0;\nselect 1 a, 1.0 b, x'00' c, null d, 9e999 e;", "[]\n[{\"a\":1,\"b\":1,\"c\":\"x'00'\",\"d\":null,\"e\":\"+Inf\"}]\n", "", ""},
		{".quit\nselect 1;", "", "", ""},
		{".nope\nselect 1;", "", "", `unknown command ".nope"`},
		{".mode\n", "list\n", "", ""},
		{".mode xml", "", "", `unknown mode "xml"`},
		{long.String(), "", "", "syntax error"},
	} {
		var out, errOut bytes.Buffer
		db := newDB(t, table)
		err := db.Shell(t.Context(), ShellOptions{In: strings.NewReader(c.in), Out: &out, Err: &errOut})
		if c.in == ".mode\n" {
			c.out = ""
		}
		if got := out.String(); got != c.out || errOut.String() != c.errOut {
			t.Errorf("%.40q: %q, %q; want %q", c.in, got, errOut.String(), c.out)
		}
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%.40q: %v, want %q", c.in, err, c.err)
		}
	}
}

// On a terminal an error is told, and the next statement runs; what is stored cannot
// steer the terminal.
func TestShellOnATerminal(t *testing.T) {
	var out, errOut bytes.Buffer
	db := newDB(t, table)
	err := db.Shell(t.Context(), ShellOptions{In: strings.NewReader("nonsense;\nselect\nchar(27) || '[2J';\n"), Out: &out, Err: &errOut, Prompt: true, Terminal: true})
	if err != nil || out.String() != "\\x1b[2J\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	want := "flysql> error: near \"nonsense\": syntax error\nflysql>    ...> flysql> "
	if errOut.String() != want {
		t.Errorf("%q, want %q", errOut.String(), want)
	}
}

// Ctrl-C ends a statement that would never end, and whatever waits for input; what was
// not committed is rolled back.
func TestShellInterrupted(t *testing.T) {
	const endless = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c) SELECT i FROM c;"
	ended := errors.New("ended by a test")
	db := newDB(t, table)
	ctx, cancel := context.WithCancelCause(t.Context())
	out := writerFunc(func(p []byte) (int, error) { cancel(ended); return len(p), nil })
	err := db.Shell(ctx, ShellOptions{In: strings.NewReader("begin; insert into t values (1, 1);\n" + endless), Out: out})
	if !errors.Is(err, ended) {
		t.Errorf("a statement: %v", err)
	}
	if n := count(t, db.Path); n != 0 {
		t.Errorf("%d rows were kept", n)
	}
	in, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer write.Close()
	ctx, cancel = context.WithCancelCause(t.Context())
	errOut := writerFunc(func(p []byte) (int, error) { cancel(ended); return len(p), nil }) // the prompt
	if err := db.Shell(ctx, ShellOptions{In: in, Out: io.Discard, Err: errOut, Prompt: true}); !errors.Is(err, ended) {
		t.Errorf("the input: %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
