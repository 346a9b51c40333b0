package lite_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
)

func open(t testing.TB, statements ...string) *lite.Conn {
	t.Helper()
	db, err := lite.Open(context.Background(), filepath.Join(t.TempDir(), "app.db"), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, s := range append([]string{"PRAGMA synchronous = off", "PRAGMA journal_mode = off"}, statements...) {
		if err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return db
}

// scan returns the rows of a query, with bytes of their own.
func scan(t testing.TB, db *lite.Conn, query string) (out []convert.Value) {
	t.Helper()
	err := db.Rows(query, func(s *lite.Stmt) error {
		for i := range s.Columns() {
			v := s.Column(i)
			v.Bytes = bytes.Clone(v.Bytes)
			out = append(out, v)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

// What is bound comes back, whatever its size, and though the next values lie where it lay.
func TestValues(t *testing.T) {
	db := open(t, "CREATE TABLE t (v)")
	want := []convert.Value{{}, {Kind: convert.Integer, Int: math.MinInt64}, {Kind: convert.Real, Real: 0.1}, {Kind: convert.Text, Bytes: []byte{}}, {Kind: convert.Blob, Bytes: []byte{}},
		{Kind: convert.Text, Bytes: []byte("É\x00漢")}, {Kind: convert.Blob, Bytes: []byte{0, 255}}, {Kind: convert.Text, Bytes: bytes.Repeat([]byte("x"), 1<<20)},
		{Kind: convert.Blob, Bytes: bytes.Repeat([]byte("y"), 70_000)}, {Kind: convert.Text, Bytes: []byte("last")}}
	one, err := db.Prepare("INSERT INTO t VALUES (?)")
	if err != nil {
		t.Fatal(err)
	}
	all, err := db.Prepare("INSERT INTO t VALUES (?)" + strings.Repeat(", (?)", len(want)-1))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want {
		if err := errors.Join(one.Bind(1, v), all.Bind(i+1, v)); err != nil {
			t.Fatal(err)
		}
		if _, err := one.Step(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := all.Step(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(one.Close(), all.Close(), all.Close()); err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(append(want, want...), scan(t, db, "SELECT v FROM t ORDER BY rowid"), gocmp.Comparer(bytes.Equal)); d != "" {
		t.Error(d)
	}
}

// So does what is very long.
func TestLongValues(t *testing.T) {
	db := open(t, "CREATE TABLE t (a, b)")
	s, err := db.Prepare("INSERT INTO t VALUES (?, ?)")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	blob := bytes.Repeat([]byte{7}, 17<<20)
	for _, last := range []byte{1, 2} {
		blob[len(blob)-1] = last
		if err := errors.Join(s.Bind(1, convert.Value{Kind: convert.Blob, Bytes: blob}), s.Bind(2, convert.Value{Kind: convert.Text, Bytes: []byte{'0' + last}})); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, v := range scan(t, db, "SELECT b || ' ' || length(a) || ' ' || hex(substr(a, -2)) FROM t") {
		got = append(got, string(v.Bytes))
	}
	if d := gocmp.Diff([]string{"1 17825792 0701", "2 17825792 0702"}, got); d != "" {
		t.Error(d)
	}
}

func TestErrors(t *testing.T) {
	db := open(t, "CREATE TABLE t (v UNIQUE)", "INSERT INTO t VALUES (1)")
	var refused *lite.Error
	if err := db.Exec("INSERT INTO t VALUES (1)"); !errors.As(err, &refused) || refused.Code != 2067 || err.Error() != "UNIQUE constraint failed: t.v" || refused.Full() {
		t.Errorf("%#v", err)
	}
	if err := db.Exec("SELEC"); err == nil || err.Error() != `near "SELEC": syntax error` {
		t.Error(err)
	}
	if err := db.Exec("-- nothing"); err == nil {
		t.Error("a comment is a statement")
	}
	s, err := db.Prepare("SELECT ?")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(2, convert.Value{}); err == nil {
		t.Error("there is no second parameter")
	}
	if err := s.Bind(1, convert.Value{Kind: convert.Blob, Bytes: make([]byte, lite.Longest+1)}); err == nil || !strings.Contains(err.Error(), "SQLite takes 1000000000") {
		t.Error(err)
	}
	s.Close()
	stop := errors.New("stop")
	if err := db.Rows("SELECT 1 UNION SELECT 2", func(*lite.Stmt) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if _, err := lite.Open(context.Background(), filepath.Join(t.TempDir(), "none.db"), true); err == nil {
		t.Error("a file that is not there is opened for reading")
	}
}

// A context that ends stops SQLite in the middle.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	db, err := lite.Open(ctx, filepath.Join(t.TempDir(), "app.db"), false)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = db.Rows("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c", func(*lite.Stmt) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Error(err)
	}
}

// Package pgfunc's functions are there, in checks and indexes, too.
func TestFunctions(t *testing.T) {
	db := open(t, "CREATE TABLE t (v TEXT CHECK (pg_match(v, '^É'))) ", "CREATE INDEX i ON t (pg_lower(v))", "INSERT INTO t VALUES ('Éa'), (NULL)")
	if err := db.Exec("INSERT INTO t VALUES ('a')"); err == nil || !strings.Contains(err.Error(), "CHECK constraint failed") {
		t.Error(err)
	}
	if err := db.Exec("SELECT pg_match('a', '(')"); err == nil || !strings.Contains(err.Error(), "pg_match") {
		t.Error(err)
	}
	var got []string
	for _, v := range scan(t, db, "SELECT pg_lower(v), pg_float_text(1e15), pg_numeric_cmp('1', '2'), pg_upper(x'c3a9') FROM t ORDER BY v DESC LIMIT 1") {
		got = append(got, fmt.Sprintf("%s %d %s", v.Kind, v.Int, v.Bytes))
	}
	if d := gocmp.Diff([]string{"text 0 éa", "text 0 1e+15", "integer -1 ", "text 0 É"}, got); d != "" {
		t.Error(d)
	}
}

func ExampleConn_Rows() {
	db, err := lite.Open(context.Background(), ":memory:", false)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	err = db.Rows("VALUES (1, 'one'), (2, NULL)", func(s *lite.Stmt) error {
		fmt.Println(s.Column(0).Int, s.Column(1).Kind, cmp.Or(s.Text(1), "-"))
		return nil
	})
	fmt.Println(err)
	// Output:
	// 1 text one
	// 2 null -
	// <nil>
}
