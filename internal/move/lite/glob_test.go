package lite

import (
	"context"
	"database/sql"
	"testing"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// theirs is what SQLite's own GLOB says.
func theirs(t testing.TB, pattern, s string) bool {
	tls := libc.NewTLS()
	defer tls.Close()
	p, err := libc.CString(pattern)
	if err != nil {
		t.Fatal(err)
	}
	defer libc.Xfree(tls, p)
	q, err := libc.CString(s)
	if err != nil {
		t.Fatal(err)
	}
	defer libc.Xfree(tls, q)
	return sqlite3.Xsqlite3_strglob(tls, p, q) == 0
}

var globs = []struct{ pattern, s string }{
	{"", ""}, {"", "a"}, {"a", ""}, {"a", "a"}, {"a", "A"}, {"*", ""}, {"*", "abc"}, {"a*", "a"}, {"*a", "ba"}, {"*a", "bab"}, {"a**?c", "abc"}, {"*?*", ""}, {"?", "é"}, {"é*", "éa"},
	{"*ab*abc*", "abababab"}, {"*ab*abc*", "abxababcx"}, {"[abc]", "b"}, {"[^abc]", "b"}, {"[a-c]x", "bx"}, {"[]]", "]"}, {"[^]]", "]"}, {"[]-a]", "-"}, {"[a-]", "-"}, {"[-a]", "-"}, {"[a-c-e]", "d"},
	{"[a", "a"}, {"a[", "a"}, {"*[a", "a"}, {"x[a", "y"}, {"[]", "]"}, {"[^]", "a"}, {"[^", "a"}, {"[c-a]", "b"}, {"[é-ü]", "ü"}, {"[a-é]", "b"}, {"[^-0-9a-f]", "g"}, {"*[^-.0-9]*", "12.5"}, {"*[^-.0-9]*", "12,5"},
	{"????-??", "2024-01"}, {"a*", "a\x00b"}, {"a", "a\x00b"}, {"*b", "é\x00b"}, {"\x01", "\x01"}, {"[\x01-\x7f]", "\x7f"}, {"[^\x01-\x7f]", "a"}, {"[a-\xff]", "b"},
}

// Where glob is sure, SQLite says the same.
func FuzzGlob(f *testing.F) {
	for _, g := range globs {
		f.Add(g.pattern, g.s)
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 100 || len(s) > 100 { // where SQLite takes long
			return
		}
		if got, sure := newGlob([]byte(pattern)).match([]byte(s)); sure && got != theirs(t, pattern, s) {
			t.Errorf("%q GLOB %q is %v", s, pattern, got)
		}
	})
}

// The operator says what it says elsewhere, of values of every kind and of patterns that
// are no constants, too.
func TestGlobOperator(t *testing.T) {
	db, err := Open(context.Background(), ":memory:", false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	plain, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	// In a statement of several rows, a constant pattern is read once.
	const values = "WITH v(v) AS (VALUES ('a*'), ('abc'), (NULL), (x'616263'), (12), (1.5), ('é'), ('[^b]'), (char(97, 0, 98)), ('a'), ('')) "
	for _, query := range []string{
		"SELECT group_concat(coalesce(a.v GLOB b.v, '-'), '') FROM v AS a, v AS b",
		"SELECT group_concat(coalesce(v GLOB 'a*', '-'), '') FROM v", "SELECT group_concat(coalesce(v GLOB '[0-9]*', '-'), '') FROM v", "SELECT group_concat(coalesce(v GLOB '?', '-'), '') FROM v",
		"SELECT group_concat(coalesce(v GLOB NULL, '-'), '') FROM v", "SELECT group_concat(coalesce(v NOT GLOB 12, '-'), '') FROM v",
		"SELECT 'a' GLOB hex(zeroblob(25001))",
	} {
		var got, want string
		gotErr := db.Rows(values+query, func(s *Stmt) error { got = s.Text(0); return nil })
		wantErr := plain.QueryRow(values + query).Scan(&want)
		if got != want || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%s:\n got %s, %v\nwant %s, %v", query, got, gotErr, want, wantErr)
		}
	}
}
