package transfer_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/testkit"
)

// A table of as many columns as PostgreSQL has: their parameters, hashes and statements
// must fit SQLite, and PostgreSQL again when it compares.
func TestCasesWide(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	const columns = 1600
	var define, values []string
	for i := range columns {
		define = append(define, fmt.Sprintf("c%d %s", i, []string{"int", "text", "bool", "numeric(6,2)"}[i%4]))
		values = append(values, []string{fmt.Sprint(i), fmt.Sprintf("'v%d'", i), "true", fmt.Sprintf("%d.5", i)}[i%4])
	}
	db.Exec("CREATE TABLE wide (" + strings.Join(define, ", ") + "); INSERT INTO wide VALUES (" + strings.Join(values, ", ") + "); INSERT INTO wide SELECT FROM generate_series(1, 24); INSERT INTO wide (c1599, c0) VALUES (1, 2)")
	f := family{}
	for _, way := range ways[:4] {
		t.Run(way.name, func(t *testing.T) {
			_, path := f.imports(t, sourceOf(t, db, way.args))
			lite := sqlite(t, path)
			if got, want := text(t, lite, "SELECT count(*) || ' ' || max(c1596) || ' ' || max(c1597) || ' ' || sum(c1598) || ' ' || group_concat(c1599) || ' ' || sum(c0 IS NULL) FROM wide"), "26 1596 v1597 1 1599.50,1.00 24"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := len(queryRows(t, lite, "SELECT name FROM pragma_table_info('wide')")); got != columns {
				t.Errorf("%d columns", got)
			}
		})
	}
}

// Many tables, each with a key, an index and a reference to the one before.
func TestCasesMany(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	tables := number(t, tablesVariable, 150)
	var script strings.Builder
	for i := range tables {
		fmt.Fprintf(&script, "CREATE TABLE t%d (id serial PRIMARY KEY, name text UNIQUE, parent int REFERENCES t%d, at timestamptz DEFAULT now(), CHECK (name <> ''));\nINSERT INTO t%[1]d (name) VALUES ('row of %[1]d');\n", i, max(i-1, 0))
	}
	db.Exec(script.String())
	f := family{}
	for _, way := range ways[:2] {
		t.Run(way.name, func(t *testing.T) {
			plan, path := f.imports(t, sourceOf(t, db, way.args))
			lite := sqlite(t, path)
			if len(plan.Tables) != tables {
				t.Errorf("%d tables", len(plan.Tables))
			}
			if got, want := text(t, lite, fmt.Sprintf("SELECT count(*) || (SELECT name FROM t%d) FROM sqlite_schema WHERE type = 'index'", tables-1)), fmt.Sprintf("%drow of %d", tables, tables-1); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// A row is held as a whole, and goes through as a whole; PostgreSQL prints none of more than
// a gigabyte, and says so.
func TestCasesLargeRow(t *testing.T) {
	t.Parallel()
	size := number(t, rowVariable, 8)
	db := testkit.Postgres(t)
	db.Exec(fmt.Sprintf("CREATE TABLE blobs (id int PRIMARY KEY, b bytea); ALTER TABLE blobs ALTER COLUMN b SET STORAGE EXTERNAL; INSERT INTO blobs SELECT 1, decode(repeat('00ff5c0a', %d << 18), 'hex'); INSERT INTO blobs VALUES (2, 'after')", size))
	f := family{}
	for _, way := range ways[:3] {
		t.Run(way.name, func(t *testing.T) {
			_, path := f.imports(t, sourceOf(t, db, way.args))
			if got, want := text(t, sqlite(t, path), "SELECT group_concat(length(b) || ' ' || hex(substr(b, -4)), ' ') FROM blobs"), fmt.Sprintf("%d 00FF5C0A 5 66746572", size<<20); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			status, err := os.ReadFile("/proc/self/status")
			if err != nil {
				t.Fatal(err)
			}
			_, peak, _ := strings.Cut(string(status), "VmHWM:")
			t.Logf("a row of %d MB: %s at most", size, strings.TrimSpace(strings.SplitN(peak, "\n", 2)[0]))
		})
	}
	if size < 512 {
		return
	}
	db.Exec("UPDATE blobs SET b = b || b WHERE id = 1")
	if err := refuses(t, sourceOf(t, db, nil), move.Options{}); err == nil || !strings.Contains(err.Error(), "a row is larger than the 1 GB that PostgreSQL prints") {
		t.Error(err)
	}
}

// Variables that make the tests larger than there is time for each time.
const (
	tablesVariable = "FLYSQL_TEST_IMPORT_TABLES" // 2000
	rowVariable    = "FLYSQL_TEST_IMPORT_ROW"    // MB
)

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}
