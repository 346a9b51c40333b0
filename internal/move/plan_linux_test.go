package move_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/pgfunc"
	"github.com/flysql/flysql/internal/testkit"
)

// newPlan plans, or ends the test.
func newPlan(t *testing.T, s *move.Schema, o move.Options) *move.Plan {
	t.Helper()
	p, err := move.NewPlan(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// openSQLite opens a new file with a plan's tables, checked once the rest is made.
func openSQLite(t *testing.T, p *move.Plan) *sql.DB {
	t.Helper()
	if err := pgfunc.Register(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_pragma=synchronous(0)&_pragma=journal_mode(memory)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	execute(t, db, p.Before())
	return db
}

func execute(t *testing.T, db *sql.DB, statements []string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// fill copies the rows of a plan's tables, and makes what comes after them.
func fill(t *testing.T, from *testkit.PostgresDB, p *move.Plan, db *sql.DB) (rows int) {
	t.Helper()
	conn, ctx := from.Conn(), context.Background()
	if _, err := conn.Exec(ctx, "SET timezone = 'UTC'; SET lc_monetary = 'C'"); err != nil {
		t.Fatal(err)
	}
	for _, table := range p.Tables {
		columns := table.Copied()
		if len(columns) == 0 {
			continue
		}
		var b bytes.Buffer
		if _, err := conn.PgConn().CopyTo(ctx, &b, table.CopySQL()); err != nil {
			t.Fatalf("%s: %v", table.CopySQL(), err)
		}
		var names []string
		for _, c := range columns {
			names = append(names, `"`+strings.ReplaceAll(c.Name, `"`, `""`)+`"`)
		}
		insert := fmt.Sprintf(`INSERT INTO "%s" (%s) VALUES (?%s)`, strings.ReplaceAll(table.Name, `"`, `""`), strings.Join(names, ", "), strings.Repeat(", ?", len(names)-1))
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		prepared, err := tx.Prepare(insert)
		if err != nil {
			t.Fatalf("%s: %v", insert, err)
		}
		for line := range strings.Lines(b.String()) {
			var values []any
			for i, field := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
				text, null, err := convert.Unescape([]byte(field), nil)
				if err != nil {
					t.Fatal(err)
				}
				if null {
					values = append(values, nil)
					continue
				}
				v, err := columns[i].Form.Conversion.To(text, nil)
				if err != nil {
					t.Fatalf("%s.%s: %v", table.Name, columns[i].Name, err)
				}
				values = append(values, native(v))
			}
			if _, err := prepared.Exec(values...); err != nil {
				t.Fatalf("%s: %v", insert, err)
			}
			rows++
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, db, p.After())
	return rows
}

// sound fails the test where SQLite finds fault with a database.
func sound(t *testing.T, db *sql.DB) {
	t.Helper()
	var ok string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&ok); err != nil || ok != "ok" {
		t.Errorf("integrity_check: %s, %v", ok, err)
	}
	rows, err := db.Query("PRAGMA foreign_key_check")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if rows.Next() {
		t.Error("foreign_key_check finds rows")
	}
}

// printed is a plan for a golden file.
func printed(p *move.Plan) string {
	var b strings.Builder
	for _, s := range p.DDL() {
		b.WriteString(s + ";\n\n")
	}
	for _, l := range p.Losses {
		fmt.Fprintf(&b, "-- %s\n", strings.ReplaceAll(l.String(), "\n", " "))
	}
	for _, l := range p.Left {
		fmt.Fprintf(&b, "-- %s\n", strings.ReplaceAll(l.String(), "\n", " "))
	}
	fmt.Fprintf(&b, "-- functions: %s\n", strings.Join(p.Functions, ", "))
	return b.String()
}

func TestPlan(t *testing.T) {
	t.Parallel()
	db := everything(t)
	db.Exec(`INSERT INTO parent (code, price, feeling, mail, both_parts, span, data, secret, title) VALUES ('a', 12.50, 'sad', 'Some@Example.com', '(1,"{1.50}")', '[1,5)', '{"b": 1, "a": 2}', '\x00', 'ä'),
		('b', NULL, 'ok', 'x@y', NULL, '[7,9)', NULL, NULL, NULL);
		INSERT INTO child VALUES (1, NULL, NULL, 'note'); INSERT INTO heir VALUES (1, 'a', 10, 'of the heir', 3);
		INSERT INTO events VALUES ('2024-05-05', 'in 2024'), ('2030-01-01', 'later');
		INSERT INTO audit.parent (kv) VALUES ('a=>1'); INSERT INTO "We""ird; tbl" VALUES (1, E'line\nbreak', 2)`)
	s := readSchema(t, db)
	s.Server.Database = "test"
	p := newPlan(t, s, move.Options{})
	target := openSQLite(t, p)
	if rows := fill(t, db, p, target); rows != 8 {
		t.Errorf("%d rows, want 8", rows)
	}
	sound(t, target)
	if s.Server.Version/10000 == 15 {
		golden(t, "testdata/everything.plan", printed(p))
		golden(t, "testdata/everything.toml", string(p.TOML()))
	}
	s = readSchema(t, db)
	s.Server.Database = "test"
	again := newPlan(t, s, move.Options{})
	if d := cmp.Diff(printed(p), printed(again)); d != "" {
		t.Errorf("a second plan differs:\n%s", d)
	}
}

// Whatever is in a schema is in its plan, or named among what is left.
func TestPlanNamesEverything(t *testing.T) {
	t.Parallel()
	s := readSchema(t, everything(t))
	p := newPlan(t, s, move.Options{})
	text := printed(p)
	var want []string
	for _, table := range s.Tables {
		if table.PartitionOf == nil {
			want = append(want, table.Name.Name)
		}
		for _, c := range table.Constraints {
			if !c.Inherited && c.Kind != move.PrimaryKey && table.PartitionOf == nil {
				want = append(want, c.Name)
			}
		}
		for _, c := range table.Columns {
			want = append(want, c.Name)
		}
		for _, g := range table.Triggers {
			want = append(want, g.Name)
		}
		for _, i := range table.Indexes {
			if !i.Inherited {
				want = append(want, i.Name)
			}
		}
		for _, r := range table.Rules {
			want = append(want, r.Name)
		}
		for _, y := range table.Policies {
			want = append(want, y.Name)
		}
	}
	for _, v := range s.Views {
		want = append(want, v.Name.Name)
	}
	for _, f := range s.Functions {
		want = append(want, f.Name.Name)
	}
	for _, q := range s.Sequences {
		if q.OwnedBy == nil {
			want = append(want, q.Name.Name)
		}
	}
	for _, o := range s.Others {
		want = append(want, o.Identity)
	}
	for _, e := range s.Extensions {
		want = append(want, e.Name)
	}
	for _, name := range want {
		if !strings.Contains(text, strings.ReplaceAll(name, `"`, `""`)) {
			t.Errorf("the plan does not say what becomes of %s", name)
		}
	}
}

// Names that PostgreSQL tells apart and SQLite does not, or keeps for itself.
func TestPlanNames(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(`CREATE SCHEMA audit; CREATE TABLE "T" (a int, "A" int); CREATE TABLE t (a int); CREATE TABLE audit.log (a int); CREATE TABLE audit_log (a int);
		CREATE TABLE sqlite_master (a int, rowid text); CREATE INDEX ix ON t (a); CREATE INDEX "IX" ON t (a); CREATE TABLE "a%sb" ("c%d" numeric(4,1) DEFAULT 0, CHECK ("c%d" > 0)); CREATE TABLE none ();`)
	p := newPlan(t, readSchema(t, db), move.Options{})
	target := openSQLite(t, p)
	fill(t, db, p, target)
	sound(t, target)
	var got []string
	for _, table := range p.Tables {
		got = append(got, table.Source.String()+"="+table.Name)
	}
	want := []string{`audit.log=audit_log_2`, `public."T"=T`, `public."a%sb"=a%sb`, `public.audit_log=audit_log`, `public."none"=none`, `public.sqlite_master=pg_sqlite_master`, `public.t=t_2`}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// Two databases that others have made, with all their rows.
func TestPlanRealDatabases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file string
		rows int
		left []string
	}{{"chinook_postgres.sql", 15607, nil}, {"northwind_postgres.sql", 3362, nil}} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			file := testkit.Data(t, c.file)
			db := testkit.Postgres(t)
			db.Load(file)
			p := newPlan(t, readSchema(t, db), move.Options{})
			target := openSQLite(t, p)
			if rows := fill(t, db, p, target); rows != c.rows {
				t.Errorf("%d rows, want %d", rows, c.rows)
			}
			sound(t, target)
			var left []string
			for _, l := range p.Left {
				left = append(left, l.String())
			}
			if d := cmp.Diff(c.left, left); d != "" {
				t.Errorf("left, -want +got:\n%s", d)
			}
		})
	}
}

// A key counts on from where its sequence stands, and never gives a number again.
func TestPlanSequences(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(`CREATE TABLE gone (id serial PRIMARY KEY); INSERT INTO gone SELECT FROM generate_series(1, 5); DELETE FROM gone;
		CREATE TABLE empty (id bigint GENERATED BY DEFAULT AS IDENTITY (START 100) PRIMARY KEY);
		CREATE TABLE behind (id serial PRIMARY KEY); INSERT INTO behind VALUES (40);
		CREATE TABLE given (id int PRIMARY KEY);`)
	p := newPlan(t, readSchema(t, db), move.Options{})
	target := openSQLite(t, p)
	fill(t, db, p, target)
	for table, want := range map[string]int64{"gone": 6, "empty": 100, "behind": 41, "given": 1} {
		r, err := target.Exec("INSERT INTO " + table + " DEFAULT VALUES")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.LastInsertId(); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", table, got, err, want)
		}
	}
}

// What SQLite would take for different, or would count otherwise, is said.
func TestPlanLosses(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t, "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C.UTF-8'")
	db.Exec(`CREATE TABLE a (n numeric PRIMARY KEY, m numeric(8,2) UNIQUE, x text CHECK (x < 'm'), y text COLLATE "C" CHECK (y < 'm' AND lower(y) = y), z text COLLATE "C.utf8" CHECK (z < 'm' AND upper(z) <> z), u text CHECK (upper(u) <> u));
		CREATE TABLE k (i interval UNIQUE, j jsonb UNIQUE); CREATE TABLE b (n numeric REFERENCES a, m numeric(8,2) REFERENCES a (m), o numeric(8,3) REFERENCES a (m));
		CREATE SEQUENCE shared INCREMENT 10; CREATE TABLE c (id int PRIMARY KEY DEFAULT nextval('shared'), other int DEFAULT nextval('shared'), d timestamp DEFAULT (now() AT TIME ZONE 'utc'), j jsonb DEFAULT '{}', k int[] DEFAULT '{1}', i interval DEFAULT '1 day', h char(5) DEFAULT 'ab', w money DEFAULT 1.5, v int DEFAULT 2.5)`)
	p := newPlan(t, readSchema(t, db), move.Options{})
	target := openSQLite(t, p)
	fill(t, db, p, target)
	sound(t, target)
	if _, err := target.Exec("INSERT INTO c DEFAULT VALUES"); err != nil {
		t.Error(err)
	}
	var got []string
	for _, l := range p.Losses {
		if l.Severity != move.Note && l.ID != "numeric-text" {
			got = append(got, l.Where+" "+l.ID)
		}
	}
	for _, l := range p.Left {
		got = append(got, l.Kind+" "+l.Name)
	}
	slices.Sort(got)
	want := []string{"check public.a.a_x_check", "check public.a.a_u_check", "default public.c.other", "default public.c.w", "public.c.i interval-text", "public.c.w money-text", "foreign key public.b.b_n_fkey", "foreign key public.b.b_o_fkey",
		"public.a.a_pkey numeric-key", "public.k.k_i_key interval-key", "public.k.k_j_key jsonb-key", "public.k.i interval-text", "public.c.id sequence-step", "sequence public.shared", p.Source.Database + " collation-order", p.Source.Database + " functions"}
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
