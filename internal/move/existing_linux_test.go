package move_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/testkit"
)

// inMemory runs statements in a database of its own.
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

func readExisting(t testing.TB, db *lite.Conn) *move.Existing {
	t.Helper()
	e, err := move.ReadExisting(db)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// declarations are columns of an app's schema, one of each kind; allForms are the forms of
// all types.
var (
	declarations = []string{"", "TEXT", "STRING", "INTEGER", "REAL", "DECIMAL(12,3)", "BLOB", "TEXT STRICT", "INTEGER STRICT", "REAL STRICT", "BLOB STRICT", "ANY STRICT"}
	allForms     = []string{"integer", "real", "number", "scaled", "text", "true", "t", "blob", "json", "pg", "trimmed", "padded", "appdb", "bare", "rfc3339", "seconds", "millis", "micros"}
)

// Whatever the form, and whatever the column: a value that its conversion takes comes out
// of SQLite as what went in. What the column would change, is refused before.
func TestExistingForms(t *testing.T) {
	t.Parallel()
	pg := ofSources(t)
	schema := readSchema(t, pg)
	conn := pg.Conn()
	for i, source := range sources {
		name := fmt.Sprintf("t%d", i)
		only := *schema
		only.Tables = []*move.Table{tableNamed(t, schema, name)}
		fields := copied(t, conn, only.Tables[0])
		for _, declared := range declarations {
			t.Run(source.typ+" "+declared, func(t *testing.T) {
				typ, strict := strings.CutSuffix(declared, "STRICT")
				create := "CREATE TABLE " + name + " (v " + typ + ")"
				if strict {
					create += " STRICT"
				}
				db := inMemory(t, create)
				e := readExisting(t, db)
				for _, form := range append([]string{""}, allForms...) {
					for _, special := range []convert.Special{convert.Refuse, convert.Keep} {
						o := move.Options{Special: special, Tables: map[string]move.TableOptions{"public." + name: {Columns: map[string]move.ColumnOptions{"v": {Form: form}}}}}
						plan, err := move.NewExistingPlan(context.Background(), &only, e, move.ExistingOptions{Options: o})
						if err == nil && len(plan.Tables) == 1 && len(plan.Tables[0].Columns) == 1 {
							checkExisting(t, db, plan.Tables[0].Columns[0], fields)
						}
					}
				}
			})
		}
	}
}

func existingPlan(t testing.TB, s *move.Schema, e *move.Existing, o move.Options) *move.Plan {
	t.Helper()
	plan, err := move.NewExistingPlan(context.Background(), s, e, move.ExistingOptions{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func checkExisting(t *testing.T, db *lite.Conn, c *move.ColumnPlan, fields []string) {
	t.Helper()
	table := readExisting(t, db).Tables[0].Name
	insert, err := db.Prepare("INSERT INTO " + table + " VALUES (?)")
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	for _, field := range fields {
		want, null, err := convert.Unescape([]byte(field), nil)
		if null || err != nil {
			continue
		}
		v, err := c.Form.Conversion.To(want, nil)
		if err != nil {
			if !c.Look && c.Special == convert.Refuse && c.Form.Name != "scaled" && !specialText(string(want)) {
				t.Errorf("%s: %q: %v, and nobody looks before", c.Form.Name, want, err)
			}
			continue
		}
		if err := insert.Bind(1, v); err != nil {
			t.Fatal(err)
		}
		if _, err := insert.Step(); err != nil {
			if specialText(string(want)) {
				continue // a STRICT table takes no text that stands for a number
			}
			t.Errorf("%s: %q: %v", c.Form.Name, want, err)
			continue
		}
		err = db.Rows("SELECT v FROM "+table+" ORDER BY rowid DESC LIMIT 1", func(s *lite.Stmt) error {
			got, err := c.Form.Conversion.Back(s.Column(0))
			if err != nil || got != inSQLite(c, string(want)) && !c.Form.Conversion.Lossy {
				t.Errorf("%s: %q was stored as %s, and came back as %q, %v", c.Form.Name, want, s.Column(0).Kind, got, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// specialText reports whether a value is one that options decide about.
func specialText(s string) bool {
	for _, part := range []string{"NaN", "nfinity", "BC", "24:00:00", "294276", "5874897"} {
		if strings.Contains(s, part) {
			return true
		}
	}
	return strings.HasPrefix(s, "[") || len(strings.SplitN(s, "-", 2)[0]) > 4 // an array's bounds; a year of five digits
}

func inSQLite(c *move.ColumnPlan, s string) string {
	if s == "-0" && c.Form.Name == "real" {
		return "0" // the loss that float-zero names
	}
	return s
}

// A schema, and one that is there, are compared; what does not fit is told, all of it.
func TestExistingPlan(t *testing.T) {
	t.Parallel()
	pg := testkit.Postgres(t)
	pg.Exec(`CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE SCHEMA audit;
		CREATE TABLE "OrderItems" (id serial PRIMARY KEY, "unitPrice" numeric(10,2) NOT NULL, qty int, made timestamptz, total numeric GENERATED ALWAYS AS (qty * 2.5) STORED);
		CREATE TABLE flags (id int PRIMARY KEY, a boolean, b boolean, c boolean, d boolean, m mood, u uuid, k uuid, at timestamptz, "on" timestamptz, ms timestamptz, made timestamptz);
		CREATE TABLE audit.log (id bigint PRIMARY KEY, what text UNIQUE, j json, b bytea, x float8, c text);
		CREATE TABLE alone (id int); CREATE TABLE notes (id int PRIMARY KEY, body text); CREATE TABLE search (id int);
		CREATE TABLE twice (id int PRIMARY KEY, n int); CREATE TABLE "Twice" (id int PRIMARY KEY, n int);
		CREATE TABLE goose_db_version (id int, version_id bigint); CREATE VIEW v AS SELECT 1 AS one;
		CREATE TABLE lines (id int PRIMARY KEY, note int REFERENCES notes ON DELETE CASCADE, flag int REFERENCES flags ON DELETE RESTRICT, other int REFERENCES notes);`)
	schema := readSchema(t, pg)
	db := inMemory(t,
		`CREATE TABLE order_items (id INTEGER PRIMARY KEY, unit_price REAL NOT NULL, qty INTEGER NOT NULL, made DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, total REAL AS (qty * 2.5), extra TEXT NOT NULL, more INTEGER NOT NULL DEFAULT 7)`,
		`CREATE TABLE flags (id INTEGER PRIMARY KEY AUTOINCREMENT, a BOOLEAN CHECK (a IN (0, 1)), b TEXT CHECK (b IN ('true', 'false')), c TEXT, d REAL, m TEXT CHECK (m = 'good'), u BLOB, k TEXT, at INTEGER, "on" INTEGER DEFAULT (unixepoch()), ms TEXT CHECK (ms LIKE '%T%Z'), made INTEGER CHECK (made > 1000000000000000))`,
		`CREATE TABLE audit_log (id INTEGER, what TEXT COLLATE NOCASE UNIQUE, j BLOB, b TEXT, x INTEGER, c STRING)`,
		`CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)`, `INSERT INTO notes VALUES (1, 'there')`,
		`CREATE VIRTUAL TABLE search USING fts5(body)`, `CREATE TRIGGER notes_fts AFTER INSERT ON notes BEGIN INSERT INTO search VALUES (new.body); END`,
		`CREATE TABLE twice (id INTEGER PRIMARY KEY, n INTEGER)`, `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY, version_id INTEGER)`, `INSERT INTO goose_db_version VALUES (1, 0)`,
		`CREATE TABLE settings (k TEXT)`, `CREATE TABLE lines (id INTEGER PRIMARY KEY, note INTEGER REFERENCES Notes, flag INTEGER REFERENCES flags (id), other INTEGER)`)
	o := move.Options{Tables: map[string]move.TableOptions{`public."OrderItems"`: {Name: "order_items", Columns: map[string]move.ColumnOptions{"unitPrice": {Name: "unit_price"}}}}}
	plan := existingPlan(t, schema, readExisting(t, db), o)
	forms := map[string]string{}
	for _, p := range plan.Tables {
		for _, c := range p.Columns {
			forms[p.Name+"."+c.Name] = c.Form.Name
		}
	}
	wantForms := map[string]string{
		"order_items.id": "integer", "order_items.unit_price": "number", "order_items.qty": "integer", "order_items.made": "appdb",
		"flags.id": "integer", "flags.a": "integer", "flags.b": "true", "flags.m": "text", "flags.u": "blob", "flags.k": "text", "flags.on": "seconds", "flags.ms": "rfc3339", "flags.made": "micros",
		"audit_log.id": "integer", "audit_log.what": "text", "audit_log.c": "text", "notes.id": "integer", "notes.body": "text", "twice.id": "integer", "twice.n": "integer",
		"lines.id": "integer", "lines.note": "integer", "lines.flag": "integer", "lines.other": "integer",
	}
	if d := cmp.Diff(wantForms, forms); d != "" {
		t.Errorf("forms:\n%s", d)
	}
	want := []string{
		`public."OrderItems".qty -> order_items.qty: note (not-null): it may be NULL in PostgreSQL, and not in SQLite: the rows are looked at`,
		`public."OrderItems".made -> order_items.made: warning (default-time): its default, CURRENT_TIMESTAMP, writes times without an offset, and the rows have one: they compare as text: form = "bare" writes them alike`,
		`public."OrderItems".made -> order_items.made: note (not-null): it may be NULL in PostgreSQL, and not in SQLite: the rows are looked at`,
		`public."OrderItems".total -> order_items.total: note (generated): SQLite computes it anew`,
		`public."OrderItems" -> order_items.extra: danger (column-extra): PostgreSQL has no such column, and it is NOT NULL without a default: give it a default in a migration`,
		`public."OrderItems" -> order_items.more: note (column-extra): PostgreSQL has no such column: each row gets its default, 7`,
		`public."OrderItems".id -> order_items.id: note (autoincrement): its sequence is not carried: without AUTOINCREMENT the next number is one more than the largest there is, and numbers of deleted rows may come again`,
		`public.twice -> twice: danger (table-twice): public."Twice" is for the same table: give one of them another name`,
		`public.alone: danger (table-missing): SQLite has no table "alone": make it in a migration, or skip = true leaves it out`,
		`public.flags.c -> flags.c: danger (form-open): boolean in a column that is declared TEXT may be meant in several ways: say form = "true" or "t"`,
		`public.flags.d -> flags.d: danger (type): a value of type boolean does not fit into a column that is declared REAL: declare it otherwise in a migration, or skip = true leaves its values out`,
		`public.flags.m -> flags.m: warning (enum-labels): SQLite's CHECK does not take "bad": the rows are looked at`,
		`public.flags.at -> flags.at: danger (form-open): timestamp with time zone in a column that is declared INTEGER may be meant in several ways: say form = "micros" or "seconds" or "millis"`,
		`audit.log.j -> audit_log.j: danger (type): a value of type json does not fit into a column that is declared BLOB: form = "text" is possible; or declare it otherwise in a migration, or skip = true leaves its values out`,
		`audit.log.b -> audit_log.b: danger (type): a value of type bytea does not fit into a column that is declared TEXT: form = "blob" is possible; or declare it otherwise in a migration, or skip = true leaves its values out`,
		`audit.log.x -> audit_log.x: danger (type): a value of type double precision does not fit into a column that is declared INTEGER: declare it otherwise in a migration, or skip = true leaves its values out`,
		`audit.log.c -> audit_log.c: warning (affinity): SQLite makes a number of a text such as 007 or 1e3 in a column that is declared STRING: the rows are looked at: declare it TEXT in a migration`,
		`audit.log.log_pkey -> audit_log: warning (key-missing): nothing keeps (id) unique in SQLite: a unique index in a migration does`,
		`audit.log -> audit_log: note (unique): (what) is unique in SQLite, and need not be in PostgreSQL, without regard to case: it is looked at when the rows are there`,
		`public.notes -> notes: danger (table-rows): the table holds rows already: empty it, or have them replaced (--truncate)`,
		`public.search -> search: danger (table-virtual): it is a view or a virtual table in SQLite, which is not filled: skip = true leaves it out`,
		`public.flags -> flags: note (checks): its CHECKs (5) are looked at when the rows are there`,
		`public.notes -> notes: warning (trigger): its trigger notes_fts does not fire for the rows that come: what it would have written to other tables, write yourself`,
		`public.lines.lines_note_fkey -> lines: warning (foreign-key-action): (note) has ON DELETE CASCADE in PostgreSQL, and ON DELETE NO ACTION in SQLite: a migration changes it`,
		`public.lines.lines_other_fkey -> lines: warning (foreign-key-missing): nothing keeps (other) to the rows of notes in SQLite: a foreign key in a migration does`,
		`settings: note (table-extra): PostgreSQL has no such table: it stays as it is`,
		`search: warning (table-virtual): a virtual table is not filled: an FTS5 index of another table's rows is made anew by INSERT INTO "search"("search") VALUES ('rebuild')`,
		pg.Name + `: note (code): 1 view of PostgreSQL's: not compared, for the schema is the app's`,
	}
	var got []string
	for _, m := range plan.Mismatches {
		got = append(got, m.String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("mismatches:\n%s", d)
	}
	if plan.Fits() == nil {
		t.Error("it fits")
	}
	if len(plan.Left) != 1 || plan.Left[0].Name != "public.goose_db_version" {
		t.Errorf("left: %v", plan.Left)
	}
}

// What is nearly a name, is suggested; what options say wins.
func TestExistingNames(t *testing.T) {
	t.Parallel()
	pg := testkit.Postgres(t)
	pg.Exec(`CREATE TABLE order_items (id int, "userId" int, nam text); CREATE TABLE people (id int)`)
	schema := readSchema(t, pg)
	db := inMemory(t, `CREATE TABLE OrderItem (id INTEGER, user_id INTEGER, name TEXT)`, `CREATE TABLE "People" ("ID" INTEGER)`)
	for name, c := range map[string]struct {
		o    move.Options
		want []string
	}{
		"none": {move.Options{}, []string{`public.order_items: danger (table-missing): SQLite has no table "order_items": "OrderItem" is meant? name = says so; else make it in a migration, or skip = true leaves it out`}},
		"table": {move.Options{Tables: map[string]move.TableOptions{"public.order_items": {Name: "orderitem"}}}, []string{
			`public.order_items."userId": danger (column-missing): OrderItem has no column "userId" in SQLite: "user_id" is meant? name = says so; else add it in a migration, or skip = true leaves its values out`,
			`public.order_items.nam: danger (column-missing): OrderItem has no column "nam" in SQLite: "name" is meant? name = says so; else add it in a migration, or skip = true leaves its values out`,
		}},
		"columns": {move.Options{Tables: map[string]move.TableOptions{"public.order_items": {Name: "orderitem", Columns: map[string]move.ColumnOptions{"userId": {Name: "USER_ID"}, "nam": {Skip: true}}}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			plan := existingPlan(t, schema, readExisting(t, db), c.o)
			var got []string
			for _, m := range plan.Mismatches {
				if m.Severity == move.Danger {
					got = append(got, m.String())
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			again, err := move.ReadOptions("plan.toml", plan.TOML())
			if err != nil || !again.Existing {
				t.Fatalf("its options: %+v, %v", again, err)
			}
			if name != "columns" {
				return
			}
			if d := cmp.Diff(plan.TOML(), existingPlan(t, schema, readExisting(t, db), again).TOML()); d != "" {
				t.Errorf("by its own options:\n%s", d)
			}
		})
	}
	_, err := move.NewExistingPlan(context.Background(), schema, readExisting(t, db), move.ExistingOptions{Options: move.Options{Types: map[string]string{"int4": "seconds"}}})
	if err == nil || !strings.Contains(err.Error(), `int4 = "seconds"`) {
		t.Errorf("a form of another type: %v", err)
	}
}
