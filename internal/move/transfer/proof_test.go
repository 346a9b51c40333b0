package transfer

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

const proofSchema = `CREATE TABLE t (id TEXT NOT NULL CHECK (id GLOB 'k*'), n INTEGER, r REAL, v, ci TEXT COLLATE NOCASE UNIQUE, PRIMARY KEY (id));
CREATE INDEX t_n ON t (n, id);
CREATE INDEX t_r ON t (r DESC, v);
CREATE UNIQUE INDEX t_v ON t (v COLLATE RTRIM);
CREATE TABLE "we""ird 't" (oid TEXT, rowid INTEGER UNIQUE);
WITH RECURSIVE g(value) AS (VALUES (1) UNION ALL SELECT value + 1 FROM g WHERE value < 1000) INSERT INTO t SELECT 'k' || (value * 7919 % 1000), value % 10, value / 4.0, CASE value % 4 WHEN 0 THEN value WHEN 1 THEN value + 0.5 WHEN 2 THEN 'v' || value ELSE NULL END, CASE WHEN value % 5 > 0 THEN 'Ci' || value END FROM g;
INSERT INTO "we""ird 't" SELECT id, row_number() OVER () FROM t LIMIT 10`

var proofTables = []string{"t", `we"ird 't`}

// proofFile makes a sound file.
func proofFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	change(t, path, proofSchema)
	return path
}

// change runs statements on the file by one connection, which knows the schema as it is
// at its beginning.
func change(t testing.TB, path, statements string) {
	t.Helper()
	db, err := lite.Open(context.Background(), path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range append([]string{"PRAGMA synchronous=off", "PRAGMA writable_schema=on"}, strings.Split(statements, ";\n")...) {
		if err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// findings are what an import's checks find, and what integrity_check does.
func findings(t testing.TB, path string) (ours, theirs []string) {
	t.Helper()
	db, err := lite.Open(context.Background(), path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ours, err = pragma(db, "quick_check", mostFaults)
	for _, table := range proofTables {
		if err == nil {
			var p *proof
			var more []string
			if p, err = readProof(db, table); err == nil {
				more, err = p.faults()
			}
			ours = append(ours, more...)
		}
	}
	if err != nil {
		ours = append(ours, err.Error())
	}
	theirs, err = pragma(db, "integrity_check", mostFaults)
	if err != nil {
		theirs = append(theirs, err.Error())
	}
	return ours, theirs
}

// readProof reads a table for the proof alone.
func readProof(db *lite.Conn, table string) (*proof, error) {
	p, err := newProof(db, table)
	if columns := p.reads(nil); err == nil && len(columns) > 0 {
		err = db.Rows("SELECT "+strings.Join(columns, ", ")+" FROM "+pgexpr.Ident(table)+" NOT INDEXED", func(s *lite.Stmt) error { p.add(s); return nil })
	}
	return p, err
}

func TestProofSound(t *testing.T) {
	t.Parallel()
	path := proofFile(t)
	if ours, theirs := findings(t, path); len(ours)+len(theirs) > 0 {
		t.Errorf("%q, %q", ours, theirs)
	}
	db, err := lite.Open(context.Background(), path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range proofTables { // by themselves, without integrity_check
		p, err := readProof(db, table)
		if err != nil {
			t.Fatal(err)
		}
		if proved, err := p.proved(); !proved || err != nil {
			t.Errorf("%s is not proved: %v", table, err)
		}
	}
}

// without does something behind an index's back.
func without(index, statements string) []string {
	return []string{"CREATE TABLE hidden AS SELECT * FROM sqlite_schema WHERE name = '" + index + "';\nDELETE FROM sqlite_schema WHERE name = '" + index + "'", statements, "INSERT INTO sqlite_schema SELECT * FROM hidden"}
}

// Whatever integrity_check finds in a file is found.
func TestProofFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps []string // each by a connection of its own
		want  string
	}{
		"missing":      {without("t_n", "INSERT INTO t (id, n) VALUES ('k new', 1)"), "row 1001 missing from index t_n"},
		"extra":        {without("t_n", "DELETE FROM t WHERE id = 'k7'"), "wrong # of entries in index t_n"},
		"stale":        {without("t_r", "UPDATE t SET r = r + 0.125 WHERE id = 'k7'"), "missing from index t_r"},
		"swapped":      {without("t_n", "UPDATE t SET n = 11 - n WHERE n IN (5, 6)"), "missing from index t_n"},
		"twice":        {without("t_v", "UPDATE t SET v = 'v6  ' WHERE v = 'v10'"), "missing from index t_v"},
		"unique":       {[]string{"DROP INDEX t_v;\nUPDATE t SET v = 'v6  ' WHERE v = 'v10';\nCREATE INDEX t_v ON t (v COLLATE RTRIM)", "UPDATE sqlite_schema SET sql = replace(sql, 'CREATE INDEX', 'CREATE UNIQUE INDEX') WHERE name = 't_v'"}, "non-unique entry in index t_v"},
		"order":        {[]string{"UPDATE sqlite_schema SET sql = replace(sql, 'r DESC', 'r') WHERE name = 't_r'"}, "missing from index t_r"},
		"same":         {without("t_v", "UPDATE t SET v = 'v6  ' WHERE v = 'v6'"), "values differ from index t_v"}, // the same by its collation
		"another":      {[]string{"CREATE INDEX t_id ON t (id, n)", "UPDATE sqlite_schema SET rootpage = (SELECT sum(rootpage) FROM sqlite_schema WHERE name IN ('t_id', 't_n')) - rootpage WHERE name IN ('t_id', 't_n')"}, "missing from index t_n"},
		"page type":    {[]string{"UPDATE sqlite_dbpage SET data = CAST(x'ff' || substr(data, 2) AS BLOB) WHERE pgno = (SELECT rootpage FROM sqlite_schema WHERE name = 't_n')"}, "page"},
		"expression":   {append([]string{"CREATE INDEX e ON t (n + 1)"}, without("e", "UPDATE t SET n = 99 WHERE id = 'k7'")...), "missing from index e"},
		"generated":    {append([]string{"ALTER TABLE t ADD COLUMN g AS (n + 1);\nCREATE INDEX g ON t (g)"}, without("g", "UPDATE t SET n = 99 WHERE id = 'k7'")...), "missing from index g"},
		"partial":      {[]string{"CREATE INDEX part ON t (n, id) WHERE n < 5", "UPDATE sqlite_schema SET rootpage = (SELECT sum(rootpage) FROM sqlite_schema WHERE name IN ('part', 't_n')) - rootpage WHERE name IN ('part', 't_n')"}, "missing from index t_n"},
		"without":      {[]string{"CREATE TABLE w (a TEXT PRIMARY KEY, b INTEGER) WITHOUT ROWID;\nCREATE INDEX w_b ON w (b);\nINSERT INTO w VALUES ('x', 1), ('y', 2)"}, ""},
		"not null":     {[]string{"UPDATE sqlite_schema SET sql = replace(sql, 'id TEXT NOT NULL', 'id TEXT') WHERE name = 't'", "UPDATE t SET id = NULL WHERE id = 'k7'", "UPDATE sqlite_schema SET sql = replace(sql, 'id TEXT', 'id TEXT NOT NULL') WHERE name = 't'"}, "NULL value in t.id"},
		"check":        {[]string{"PRAGMA ignore_check_constraints=on;\nUPDATE t SET id = 'x' WHERE id = 'k7'"}, "CHECK constraint failed in t"},
		"lost page":    {[]string{"DELETE FROM sqlite_schema WHERE name = 't_n'"}, "never used"},
		"shared page":  {[]string{"UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 't_r') WHERE name = 't_n'"}, "invalid rootpage"},
		"other tables": {[]string{"CREATE TABLE other (a INTEGER NOT NULL)", "UPDATE sqlite_schema SET sql = 'CREATE TABLE other (a INTEGER)' WHERE name = 'other'", "INSERT INTO other VALUES (NULL)", "UPDATE sqlite_schema SET sql = 'CREATE TABLE other (a INTEGER NOT NULL)' WHERE name = 'other'"}, "NULL value in other.a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := proofFile(t)
			for _, s := range c.steps {
				change(t, path, s)
			}
			ours, theirs := findings(t, path)
			if got := strings.Join(theirs, "; "); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("integrity_check finds %q, want %q", got, c.want)
			}
			if (len(ours) > 0) != (len(theirs) > 0) {
				t.Errorf("found: %q; by integrity_check: %q", ours, theirs)
			}
		})
	}
}

// A byte that has changed, wherever in the file it is, is found where integrity_check
// finds it.
func TestProofBytes(t *testing.T) {
	t.Parallel()
	path := proofFile(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random, found := rand.New(rand.NewPCG(1, 2)), 0
	for range 100 {
		damaged := slices.Clone(whole)
		at := random.IntN(len(damaged))
		damaged[at] ^= byte(1 + random.IntN(255))
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		ours, theirs := findings(t, path)
		if len(theirs) > 0 {
			found++
		}
		if len(theirs) > 0 && len(ours) == 0 {
			t.Errorf("byte %d: integrity_check finds %q", at, theirs)
		}
	}
	if found < 30 {
		t.Errorf("only %d of 100 were faults", found)
	}
}

func TestCompareValues(t *testing.T) {
	integer := func(i int64) convert.Value { return convert.Value{Kind: convert.Integer, Int: i} }
	real := func(f float64) convert.Value { return convert.Value{Kind: convert.Real, Real: f} }
	str := func(s string) convert.Value { return convert.Value{Kind: convert.Text, Bytes: []byte(s)} }
	blob := func(s string) convert.Value { return convert.Value{Kind: convert.Blob, Bytes: []byte(s)} }
	values := []convert.Value{{}, real(math.Inf(-1)), real(-1e19), integer(math.MinInt64), real(math.MinInt64), real(-1.5), integer(-1), real(-0.5), integer(0), real(0), real(0.5), integer(1), real(1 << 53), integer(1<<53 + 1), integer(math.MaxInt64 - 1),
		integer(math.MaxInt64), real(math.MaxInt64), real(1e19), real(math.Inf(1)), str(""), str(" "), str("A"), str("a"), str("a "), str("a b"), str("B"), str("é"), str("É"), str("["), blob(""), blob("A"), blob("a")}
	db, err := lite.Open(context.Background(), ":memory:", false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, collation := range []string{"BINARY", "NOCASE", "RTRIM"} {
		s, err := db.Prepare("WITH v(a, b) AS (VALUES (?, ?)) SELECT (a IS NOT NULL) - (b IS NOT NULL), (a COLLATE " + collation + " > b) - (a COLLATE " + collation + " < b) FROM v")
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range values {
			for _, b := range values {
				if err := s.Bind(1, a); err != nil {
					t.Fatal(err)
				}
				if err := s.Bind(2, b); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Step(); err != nil {
					t.Fatal(err)
				}
				want := s.Column(0).Int // NULL is first
				if a.Kind != convert.Null && b.Kind != convert.Null {
					want = s.Column(1).Int
				}
				if got := compareValues(a, b, collation); got != int(want) {
					t.Errorf("%s: %v and %v: %d, want %d", collation, a, b, got, want)
				}
				if _, err := s.Step(); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.Close()
	}
}
