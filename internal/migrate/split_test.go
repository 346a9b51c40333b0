package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const aTrigger = "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT ';END;'; END;"

var splitCases = []struct {
	name, in string
	want     []string
}{
	{"nothing", "", nil},
	{"only space", " \n\t", []string{" \n\t"}},
	{"only a comment", "-- a; b", []string{"-- a; b"}},
	{"two", "SELECT 1; SELECT 2;", []string{"SELECT 1;", " SELECT 2;"}},
	{"no last semicolon", "SELECT 1;SELECT 2", []string{"SELECT 1;", "SELECT 2"}},
	{"empty ones", ";; SELECT 1;;", []string{";", ";", " SELECT 1;", ";"}},
	{"text after the last", "SELECT 1; -- done\n", []string{"SELECT 1;", " -- done\n"}},
	{"semicolons in text", `SELECT 'a;''b;', "c;""d;", [e;f], ` + "`g;``h;`" + `; SELECT 2`,
		[]string{`SELECT 'a;''b;', "c;""d;", [e;f], ` + "`g;``h;`;", " SELECT 2"}},
	{"semicolons in comments", "SELECT 1 -- a;\n + 2 /* b; -- */; SELECT 3", []string{"SELECT 1 -- a;\n + 2 /* b; -- */;", " SELECT 3"}},
	{"open string", "SELECT 1; SELECT 'a; b", []string{"SELECT 1;", " SELECT 'a; b"}},
	{"open comment", "SELECT 1; /* a; b", []string{"SELECT 1;", " /* a; b"}},
	{"open bracket", "SELECT [a; b", []string{"SELECT [a; b"}},
	{"slash and star", "SELECT 1 /*", []string{"SELECT 1 /*"}},
	{"trigger", aTrigger + "SELECT 1;", []string{aTrigger, "SELECT 1;"}},
	{"trigger, ends in the comment", "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END -- over;\n; SELECT 2",
		[]string{"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END -- over;\n;", " SELECT 2"}},
	{"temporary trigger", "/* c */ create /**/ temp -- x\n trigger x begin select 1; end; select 2;",
		[]string{"/* c */ create /**/ temp -- x\n trigger x begin select 1; end;", " select 2;"}},
	{"explained trigger", "EXPLAIN QUERY PLAN CREATE TEMPORARY TRIGGER x BEGIN SELECT 1; END; SELECT 2;",
		[]string{"EXPLAIN QUERY PLAN CREATE TEMPORARY TRIGGER x BEGIN SELECT 1; END;", " SELECT 2;"}},
	{"trigger without end", "CREATE TRIGGER x BEGIN SELECT 1; SELECT 2;", []string{"CREATE TRIGGER x BEGIN SELECT 1; SELECT 2;"}},
	{"a table called trigger", `CREATE TABLE "trigger" (id); SELECT 1;`, []string{`CREATE TABLE "trigger" (id);`, " SELECT 1;"}},
	{"a column called end", "CREATE TRIGGER x BEGIN SELECT 1; SELECT 2 AS \"end\"; END; SELECT 3",
		[]string{"CREATE TRIGGER x BEGIN SELECT 1; SELECT 2 AS \"end\"; END;", " SELECT 3"}},
	{"byte order mark", "\uFEFFCREATE TRIGGER x BEGIN SELECT 1; END; SELECT 2", []string{"\uFEFFCREATE TRIGGER x BEGIN SELECT 1; END;", " SELECT 2"}},
	{"transaction", "BEGIN; SELECT 1; END; SELECT 2;", []string{"BEGIN;", " SELECT 1;", " END;", " SELECT 2;"}},
	{"carriage returns", "SELECT 1;\r\nSELECT 2;\r\n", []string{"SELECT 1;", "\r\nSELECT 2;", "\r\n"}},
}

func TestSplit(t *testing.T) {
	for _, c := range splitCases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, p := range split(c.in) {
				got = append(got, p.text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestSplitStart(t *testing.T) {
	in := " -- a;\n SELECT 1; ; /* b */"
	want := []piece{{text: " -- a;\n SELECT 1;", off: 0, start: 8}, {text: " ;", off: 17, start: -1}, {text: " /* b */", off: 19, start: -1}}
	if diff := cmp.Diff(want, split(in), cmp.AllowUnexported(piece{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A statement with very many semicolons in it takes no longer than its length calls for.
func TestSplitIsLinear(t *testing.T) {
	in := "INSERT INTO a VALUES ('" + strings.Repeat(";", 4<<20) + "');" + strings.Repeat("SELECT 1;", 1000)
	if got := len(split(in)); got != 1001 {
		t.Errorf("got %d pieces, want 1001", got)
	}
}

// FuzzSplit holds split to three rules: the pieces are the script; SQLite takes each piece but the last for
// complete, and no shorter one; and to run the pieces does what it does to run the whole.
func FuzzSplit(f *testing.F) {
	for _, c := range splitCases {
		f.Add(c.in)
	}
	for _, c := range placeCases {
		f.Add(strings.ReplaceAll(c.sql, marker, ""))
	}
	f.Add("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2) RETURNING a; UPDATE t SET a = a + 1; SELECT * FROM t")
	f.Add("CREATE TABLE t (a);" + aTrigger + "INSERT INTO t VALUES (1); DROP TRIGGER x")
	f.Add("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); DROP TABLE t;")
	f.Add("BEGIN; CREATE TABLE t (a); ROLLBACK; CREATE TABLE u (a);")
	f.Fuzz(func(t *testing.T, script string) {
		pieces := split(script)
		var whole strings.Builder
		for i, p := range pieces {
			if p.off != whole.Len() || p.text == "" {
				t.Fatalf("piece %d (%q) begins at %d, says %d", i, p.text, whole.Len(), p.off)
			}
			whole.WriteString(p.text)
		}
		if whole.String() != script {
			t.Fatalf("the pieces make %q of %q", whole.String(), script)
		}
		if len(script) > 4<<10 || strings.ContainsRune(script, 0) || hazardous.MatchString(script) {
			return
		}
		checkComplete(t, pieces)
		checkSameEffect(t, script, pieces)
	})
}

// hazardous scripts reach outside the memory database, run for ever or give another result every time.
var hazardous = regexp.MustCompile(`(?i)attach|vacuum|pragma|recursive|random|now|time|date|zeroblob|printf|format|hex|replace|explain|test_call|cross|join`)

// checkComplete compares with sqlite3_complete, where that function is right: it knows neither the byte
// order mark nor a trigger that is explained with QUERY PLAN.
func checkComplete(t *testing.T, pieces []piece) {
	tls := libc.NewTLS()
	defer tls.Close()
	complete := func(s string) bool {
		p, err := libc.CString(s)
		if err != nil {
			t.Fatal(err)
		}
		defer libc.Xfree(tls, p)
		return sqlite3.Xsqlite3_complete(tls, p) != 0
	}
	for i, p := range pieces {
		if strings.Contains(p.text, "\uFEFF") || strings.Contains(strings.ToUpper(p.text), "PLAN") {
			continue
		}
		if i < len(pieces)-1 && !complete(p.text) {
			t.Errorf("piece %q is not complete", p.text)
		}
		for j := range len(p.text) - 1 {
			if p.text[j] == ';' && complete(p.text[:j+1]) {
				t.Errorf("piece %q is complete at byte %d", p.text, j)
			}
		}
	}
}

// checkSameEffect runs the script whole on one database and in pieces on another.
func checkSameEffect(t *testing.T, script string, pieces []piece) {
	var all []string
	for _, p := range pieces {
		if p.start >= 0 {
			all = append(all, p.text)
		}
	}
	whole, wholeErr := effect(t, []string{script})
	parts, partsErr := effect(t, all)
	if errors.Is(wholeErr, context.DeadlineExceeded) || errors.Is(partsErr, context.DeadlineExceeded) {
		return
	}
	if fmt.Sprint(wholeErr) != fmt.Sprint(partsErr) && !strings.ContainsAny(script, "$@#:?") {
		t.Errorf("whole: %v\nin pieces: %v\nscript: %q", wholeErr, partsErr, script)
	}
	if (wholeErr == nil) != (partsErr == nil) {
		t.Errorf("whole: %v\nin pieces: %v\nscript: %q", wholeErr, partsErr, script)
	}
	if whole != parts {
		t.Errorf("whole:\n%s\nin pieces:\n%s\nscript: %q", whole, parts, script)
	}
}

// effect runs the scripts up to the first that fails, and returns what is then in the database.
func effect(t *testing.T, scripts []string) (string, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var failed error
	for _, s := range scripts {
		if _, failed = db.ExecContext(ctx, s); failed != nil {
			break
		}
	}
	var out strings.Builder
	dump := func(q string) []string {
		rows, err := texts(t.Context(), db, q)
		if err != nil {
			return []string{err.Error()}
		}
		return rows
	}
	fmt.Fprintln(&out, dump("SELECT total_changes()"))
	fmt.Fprintln(&out, dump("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1"))
	for _, table := range dump("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1") {
		fmt.Fprintln(&out, table, dump("SELECT count(*) FROM "+quoteName(table)))
	}
	var e *sqlite.Error
	if errors.As(failed, &e) {
		return out.String(), e
	}
	return out.String(), failed
}
