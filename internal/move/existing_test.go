package move

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
)

func inMemory(t testing.TB, statements ...string) *lite.Conn {
	t.Helper()
	db, err := lite.Open(context.Background(), ":memory:", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, s := range statements {
		if err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return db
}

func readText(t testing.TB, db *lite.Conn, query string) (out string) {
	t.Helper()
	if err := db.Rows(query, func(s *lite.Stmt) error { out = s.Text(0); return nil }); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

// A schema is read as SQLite has it, whatever stands in strings, quotes and comments.
func TestReadExisting(t *testing.T) {
	db := inMemory(t,
		`CREATE TABLE "We""ird" ( -- CHECK (no)
			id INTEGER PRIMARY KEY AUTOINCREMENT, [a b] VARCHAR(5) NOT NULL DEFAULT ('CHECK (x)') CHECK (length([a b]) < 5 AND ')' <> "a b"), /* CHECK (neither) */
			`+"`c``d`"+` INT CHECK (`+"`c``d`"+` IN (1, 2) -- two
			), e TEXT COLLATE NOCASE, f AS (id + 1), check_me TEXT DEFAULT CURRENT_TIMESTAMP,
			UNIQUE (e, "a b"), CONSTRAINT "check" CHECK (check_me > e), FOREIGN KEY (id) REFERENCES other)`,
		`CREATE TABLE other (k TEXT, v, PRIMARY KEY (k, v)) WITHOUT ROWID`,
		`CREATE TABLE strict_one (k TEXT PRIMARY KEY, v ANY, r REAL) STRICT`,
		`CREATE UNIQUE INDEX part ON other (v) WHERE v > 1`, `CREATE INDEX plain ON other (v)`,
		`CREATE TRIGGER tr AFTER INSERT ON other BEGIN SELECT 1; END`, `CREATE VIEW vw AS SELECT 1`,
		`CREATE VIRTUAL TABLE ft USING fts5(a)`, `INSERT INTO strict_one VALUES ('a', 1, 2)`, `ANALYZE`)
	e, err := ReadExisting(db)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range e.Tables {
		got = append(got, fmt.Sprintf("%s strict=%v wr=%v auto=%v rows=%v foreign=%v triggers=%v indexes=%d", x.Name, x.Strict, x.WithoutRowID, x.AutoIncrement, x.HasRows, x.Foreign, x.Triggers, len(x.Indexes)))
		for _, c := range x.Columns {
			got = append(got, fmt.Sprintf("  %s %q %s notnull=%v default=%q generated=%v rowid=%v nocase=%v", c.Name, c.Declared, c.Affinity, c.NotNull, c.Default, c.Generated, c.RowID, (&matcher{}).noCase(x, c)))
		}
		for _, c := range x.Checks {
			got = append(got, fmt.Sprintf("  check %q of %q", c.Expr, c.Columns))
		}
		for _, u := range x.Uniques {
			got = append(got, fmt.Sprintf("  unique %q %q primary=%v partial=%v", u.Columns, u.Collations, u.Primary, u.Partial))
		}
	}
	want := []string{
		`We"ird strict=false wr=false auto=true rows=false foreign=[{other [id] NO ACTION NO ACTION}] triggers=[] indexes=0`,
		`  id "INTEGER" INTEGER notnull=false default="" generated=false rowid=true nocase=false`,
		`  a b "VARCHAR(5)" TEXT notnull=true default="'CHECK (x)'" generated=false rowid=false nocase=false`,
		"  c`d \"INT\" INTEGER notnull=false default=\"\" generated=false rowid=false nocase=false",
		`  e "TEXT" TEXT notnull=false default="" generated=false rowid=false nocase=true`,
		`  f "" BLOB notnull=false default="" generated=true rowid=false nocase=false`,
		`  check_me "TEXT" TEXT notnull=false default="CURRENT_TIMESTAMP" generated=false rowid=false nocase=false`,
		`  check "length([a b]) < 5 AND ')' <> \"a b\"" of ["a b"]`,
		"  check \"`c``d` IN (1, 2) -- two\" of [\"c`d\"]",
		`  check "check_me > e" of ["check_me" "e"]`,
		`  unique ["id"] ["BINARY"] primary=true partial=false`,
		`  unique ["e" "a b"] ["NOCASE" "BINARY"] primary=false partial=false`,
		`other strict=false wr=true auto=false rows=false foreign=[] triggers=[tr] indexes=2`,
		`  k "TEXT" TEXT notnull=true default="" generated=false rowid=false nocase=false`,
		`  v "" BLOB notnull=true default="" generated=false rowid=false nocase=false`,
		`  unique ["k" "v"] ["BINARY" "BINARY"] primary=true partial=false`,
		`  unique ["v"] ["BINARY"] primary=false partial=true`,
		`strict_one strict=true wr=false auto=false rows=true foreign=[] triggers=[] indexes=0`,
		`  k "TEXT" TEXT notnull=true default="" generated=false rowid=false nocase=false`,
		`  v "ANY" BLOB notnull=false default="" generated=false rowid=false nocase=false`,
		`  r "REAL" REAL notnull=false default="" generated=false rowid=false nocase=false`,
		`  unique ["k"] ["BINARY"] primary=true partial=false`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"ft"}, e.Virtual); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"vw"}, e.Views); d != "" {
		t.Error(d)
	}
}

// Affinities are SQLite's own: it makes of 1.0 and '1.0' what its rule says.
func TestAffinity(t *testing.T) {
	for _, declared := range []string{"", "INT", "BIGINT UNSIGNED", "CHARINT", "FLOATING POINT", "POINT", "VARCHAR(20)", "NCHAR", "CLOB", "TEXT", "BLOB", "TINYBLOB", "REAL", "DOUBLE", "FLOAT8",
		"NUMERIC", "DECIMAL(10,2)", "BOOLEAN", "DATE", "DATETIME", "JSON", "JSONB", "UUID", "STRING", "ANY", "Varchar"} {
		for _, strict := range []bool{false, true} {
			create := "CREATE TABLE t (v " + declared + ")"
			if strict {
				if declared != "INT" && declared != "TEXT" && declared != "REAL" && declared != "ANY" && declared != "BLOB" {
					continue
				}
				create += " STRICT"
			}
			db := inMemory(t, create)
			e, err := ReadExisting(db)
			if err != nil {
				t.Fatal(err)
			}
			affinity := e.Tables[0].Columns[0].Affinity
			want := map[Affinity]string{AffinityText: "text", AffinityNone: "text", AffinityInteger: "integer", AffinityReal: "real", AffinityNumeric: "integer"}[affinity]
			if strict && declared == "BLOB" {
				continue // it takes no text
			}
			if err := db.Exec("INSERT INTO t VALUES ('1.0')"); err != nil {
				if strict {
					continue
				}
				t.Fatal(err)
			}
			if got := readText(t, db, "SELECT typeof(v) FROM t"); got != want {
				t.Errorf("%q, strict %v: %s, and '1.0' becomes %s", declared, strict, affinity, got)
			}
			if strict {
				continue
			}
			if err := db.Exec("INSERT INTO t VALUES (1.5)"); err != nil {
				t.Fatal(err)
			}
			if got := readText(t, db, "SELECT typeof(v) FROM t ORDER BY rowid DESC LIMIT 1"); (got == "text") != (affinity == AffinityText) {
				t.Errorf("%q: %s, and 1.5 becomes %s", declared, affinity, got)
			}
		}
	}
}

// FuzzLooksNumeric compares with SQLite itself.
func FuzzLooksNumeric(f *testing.F) {
	for _, s := range []string{"1", "007", "1e3", " 1.50 ", "+.5", "1.", ".", "", "e5", "1e", "1e+", "0x10", "Infinity", "NaN", "1_000", "12345678901234567890", "1 2", "\v1\f", "-", "1e5x"} {
		f.Add(s)
	}
	db := inMemory(f, "CREATE TABLE probe (v NUMERIC)")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "\x00") {
			return // no text of PostgreSQL's has one
		}
		if err := insertOne(db, convert.Value{Kind: convert.Text, Bytes: []byte(s)}); err != nil {
			t.Fatal(err)
		}
		kept := readText(t, db, "SELECT typeof(v) FROM probe") == "text"
		if err := db.Exec("DELETE FROM probe"); err != nil {
			t.Fatal(err)
		}
		if convert.LooksNumeric([]byte(s)) == kept {
			t.Errorf("%q: kept as text: %v", s, kept)
		}
	})
}

// FuzzSQLTokens: whatever the text, tokens lie in it, in order.
func FuzzSQLTokens(f *testing.F) {
	for _, s := range []string{`CREATE TABLE "a""b" (c CHECK (d))`, "[a", "'", "--", "/*", `"`, "`a``", "(()"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at := 0
		tokens := sqlTokens(s)
		for _, k := range tokens {
			if k.from < at || k.to <= k.from || k.to > len(s) {
				t.Fatalf("%q: token %+v behind %d", s, k, at)
			}
			at = k.to
		}
		checksOf(&ExistingTable{SQL: s}, tokens)
	})
}

// Without its keys, a table has the same columns, checks and foreign keys, and no index.
func TestWithoutKeys(t *testing.T) {
	columns := "SELECT group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || coalesce(dflt_value, '-') || ' ' || hidden) FROM pragma_table_xinfo('t')"
	for _, body := range []string{
		"a TEXT PRIMARY KEY, b TEXT UNIQUE",
		"a TEXT CONSTRAINT x PRIMARY KEY DESC ON CONFLICT REPLACE NOT NULL DEFAULT 'unique', b TEXT COLLATE NOCASE CONSTRAINT \"unique\" UNIQUE ON CONFLICT IGNORE CHECK (b <> 'PRIMARY KEY')",
		"a INTEGER PRIMARY KEY AUTOINCREMENT, b UNIQUE, \"unique\" TEXT, [primary] TEXT",
		"a, b, PRIMARY KEY (a, b DESC), UNIQUE (b) ON CONFLICT ABORT CHECK (a > 1), CONSTRAINT y UNIQUE (a COLLATE NOCASE, b)",
		"a, b AS (a + 1) UNIQUE -- unique (a)\n, /* UNIQUE */ c REFERENCES t (a) ON DELETE CASCADE, UNIQUE (a), FOREIGN KEY (c) REFERENCES t (a)",
		"a INTEGER UNIQUE PRIMARY KEY, b TEXT UNIQUE UNIQUE",
	} {
		db := inMemory(t, "CREATE TABLE t ("+body+")")
		e, err := ReadExisting(db)
		if err != nil {
			t.Fatal(err)
		}
		create, indexes := e.Tables[0].WithoutKeys(func(auto string) string { return "late " + auto })
		other := inMemory(t, create)
		if got, want := readText(t, other, columns), readText(t, db, columns); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", create, got, want)
		}
		if got := readText(t, other, "SELECT count(*) FROM sqlite_schema WHERE type = 'index'"); got != "0" {
			t.Errorf("%s: %s indexes", create, got)
		}
		if got, want := readText(t, db, "SELECT count(*) FROM sqlite_schema WHERE type = 'index'"), fmt.Sprint(len(indexes)); got != want {
			t.Errorf("%s: %s indexes, want %s", body, want, got)
		}
		for _, sql := range indexes {
			if err := other.Exec(sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
		after, err := ReadExisting(other)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(e.Tables[0].Checks, after.Tables[0].Checks); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(e.Tables[0].Foreign, after.Tables[0].Foreign); d != "" {
			t.Error(d)
		}
	}
}
