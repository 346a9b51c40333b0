package transfer_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/dump"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

// A moved is one thing that is easily lost on the way from PostgreSQL, and what is in the
// file when it is not: written by hand, and read by database/sql.
type moved struct {
	name   string
	script string // of PostgreSQL

	rows    map[string][]string // by table: its rows as SQLite quotes them, in their order
	answers map[string]string   // by query: its rows
	says    []string            // parts of what the plan says
	fails   map[string]string   // by statement: what SQLite refuses it with
	done    []string            // statements that SQLite takes, before the answers are asked for
}

// A family is cases that share a database, and so its settings and its dumps.
type family struct {
	name     string
	database string   // options of CREATE DATABASE
	settings []string // of the database, for its sessions that come later
	options  move.Options
	cases    []moved

	unchecked map[string]string // why the comparison says nothing of a column
	packed    bool              // dumps in other formats are tried, too
}

// ways are those by which a database comes to SQLite.
var ways = []struct {
	name string
	args []string // of pg_dump; nil is the server itself
}{
	{"live", nil},
	{"copy", []string{"--create"}},
	{"inserts", []string{"--create", "--inserts"}},
	{"columns", []string{"--create", "--column-inserts", "--rows-per-insert=3"}},
	{"gzip", []string{"--create", "--compress=5"}}, // and what follows
	{"custom", []string{"--create", "--format=custom"}},
}

// Each case, from a running server and from dumps of it.
func TestCases(t *testing.T) {
	t.Parallel()
	for _, f := range []family{textFamily, numberFamily, timeFamily, sessionFamily, keptFamily, nullFamily, jsonFamily, composedFamily, nameFamily, twinFamily, keyFamily, sequenceFamily, schemaFamily, leftFamily, shapeFamily, formFamily, latin1Family, eucFamily, asciiFamily, icuFamily} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t, f.database)
			var script []string
			for _, c := range f.cases {
				script = append(script, c.script)
			}
			for _, s := range f.settings {
				script = append(script, "ALTER DATABASE "+db.Name+" SET "+s)
			}
			db.Exec(strings.Join(script, ";\n"))
			var live *move.Plan
			for i, way := range ways {
				if i > 3 && !f.packed {
					break
				}
				t.Run(way.name, func(t *testing.T) {
					source := sourceOf(t, db, way.args)
					plan, path := f.imports(t, source)
					if live == nil {
						live = plan
					}
					if d := cmp.Diff(live.DDL(), plan.DDL()); d != "" {
						t.Errorf("the plan is not the server's, -live +%s:\n%s", way.name, d)
					}
					for _, c := range f.cases {
						t.Run(c.name, func(t *testing.T) { c.check(t, plan, path) })
					}
				})
			}
		})
	}
}

// sourceOf opens the server, or a dump of it.
func sourceOf(t *testing.T, db *testkit.PostgresDB, args []string) move.Source {
	t.Helper()
	ctx := context.Background()
	if args == nil {
		s, err := transfer.Open(ctx, db.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	path := filepath.Join(t.TempDir(), "dump")
	run(t, db, "pg_dump", append(args, "-f", path, "-d", db.URL)...)
	if slices.Contains(args, "--format=custom") { // as the refusal of such a dump says
		_, err := dump.Open(ctx, path, dump.Options{})
		if err == nil || !strings.Contains(err.Error(), "pg_restore -f dump.sql ") {
			t.Errorf("a custom dump: %v", err)
		}
		run(t, db, "pg_restore", "--create", "-f", path+".sql", path)
		path += ".sql"
	}
	d, err := dump.Open(ctx, path, dump.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func run(t *testing.T, db *testkit.PostgresDB, name string, args ...string) {
	t.Helper()
	cmd := db.Program(name, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// imports brings a source over, and wants it compared as a whole.
func (f *family) imports(t *testing.T, source move.Source) (*move.Plan, string) {
	t.Helper()
	plan, err := move.NewPlan(source.Schema(), f.options)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "app.db")
	r, err := transfer.Import(context.Background(), source, plan, path, transfer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	unchecked := map[string]string{}
	for _, v := range r.Verification.Tables {
		if !v.Equal() {
			t.Error(v)
		}
		for _, c := range v.Columns {
			if c.Unchecked != "" {
				unchecked[v.Name+"."+c.Name] = c.Unchecked
			}
		}
	}
	if d := cmp.Diff(f.unchecked, unchecked); d != "" && len(f.unchecked)+len(unchecked) > 0 {
		t.Errorf("not compared, -want +got:\n%s", d)
	}
	return plan, path
}

func (c *moved) check(t *testing.T, plan *move.Plan, path string) {
	db := sqlite(t, copyOf(t, path))
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("PRAGMA foreign_keys = on"); err != nil {
		t.Fatal(err)
	}
	for table, want := range c.rows {
		if d := cmp.Diff(want, tableRows(t, db, table)); d != "" {
			t.Errorf("%s, -want +got:\n%s", table, d)
		}
	}
	for statement, want := range c.fails {
		if _, err := db.Exec(statement); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", statement, err, want)
		}
	}
	for _, statement := range c.done {
		if _, err := db.Exec(statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for query, want := range c.answers {
		if got := strings.Join(queryRows(t, db, query), "\n"); got != want {
			t.Errorf("%s\n  %s\nwant\n  %s", query, got, want)
		}
	}
	said := said(plan)
	for _, want := range c.says {
		if !strings.Contains(said, want) {
			t.Errorf("the plan does not say %q:\n%s", want, said)
		}
	}
}

// said is what a plan tells a person.
func said(p *move.Plan) string {
	var b strings.Builder
	for _, l := range p.Losses {
		fmt.Fprintln(&b, l)
	}
	for _, l := range p.Left {
		fmt.Fprintln(&b, l)
	}
	return b.String()
}

// copyOf is a database that a test may write to.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "app.db")
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// tableRows are a table's rows in their order, each value as SQLite's quote prints it.
func tableRows(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	var quoted []string
	for _, c := range queryRows(t, db, "SELECT name FROM pragma_table_xinfo("+literal(table)+") ORDER BY cid") {
		quoted = append(quoted, `quote("`+strings.ReplaceAll(c, `"`, `""`)+`")`)
	}
	if len(quoted) == 0 {
		t.Errorf("no table %s", table)
		return nil
	}
	return queryRows(t, db, "SELECT "+strings.Join(quoted, " || '|' || ")+` FROM "`+strings.ReplaceAll(table, `"`, `""`)+`" NOT INDEXED`)
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func queryRows(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if !s.Valid {
			s.String = "NULL"
		}
		out = append(out, s.String)
	}
	if err := rows.Err(); err != nil {
		t.Errorf("%s: %v", query, err)
	}
	return out
}
