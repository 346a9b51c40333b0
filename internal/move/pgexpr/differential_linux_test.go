package pgexpr_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
	"github.com/flysql/flysql/internal/pgfunc"
	"github.com/flysql/flysql/internal/testkit"
)

func TestMain(m *testing.M) { testkit.PostgresMain(m) }

const rows = `CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c bigint, s smallint, p numeric(10,2), p2 numeric(10,2), q numeric(12,4), n numeric, f double precision, g double precision,
	ok boolean, no boolean, x text, y varchar(20), z text, d date, d2 date, ts timestamp, ts2 timestamp, tz timestamptz, e mood, u uuid, ch char(6), bin bytea,
	tt timestamp, tf timestamptz, tu timestamptz, j jsonb, fr float4, c2 char(6), w citext, o oid);
INSERT INTO t (id, a, b, c, s, p, p2, q, n, f, g, ok, no, x, y, z, d, d2, ts, ts2, tz, e, u, ch, bin) VALUES
	(1, 0, 1, 2, 3, 0.00, 1.50, 0.0001, 0, 0, 1, true, false, '', 'a', 'A', '2024-02-29', '2023-03-01', '2024-02-29 00:00:00', '2024-02-29 12:34:56.789', '2024-02-29 00:00:00+00', 'sad', '00000000-0000-0000-0000-000000000000', 'ab', '\x'),
	(2, -7, 2, -9223372036854775807, -32768, -1.50, 1.50, -2.5000, -2.5, -2.5, 0.5, false, false, 'Hello', 'hello', 'h%o_\*?[x]', '1999-12-31', '2000-01-01', '1999-12-31 23:59:59.999999', '2000-01-01 00:00:00', '1999-12-31 23:59:59.5+00', 'ok', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'AB', '\x00ff'),
	(3, 7, -2, 9223372036854775807, 5, 99999999.99, 0.01, 12345678.9012, 123456789012345678901234567890.123456789, 1e300, -1e-300, NULL, true, 'ÉCOLE straße', 'école', 'ÉCOLE straße', '1200-02-28', '8000-01-01', '0001-01-01 00:00:00', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07+00', 'happy', NULL, 'é', '\x414243'),
	(4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(5, 100, 3, 12, 1, 10.05, 3.33, 0.3333, 0.000001, 0.1, 0.2, true, true, ' padded ', ' x', '漢字😀', '2024-12-31', '2024-12-31', '2024-12-31 01:02:03', '2024-12-31 01:02:03.000001', '2024-12-31 01:02:03+00', 'ok', '6ba7b810-9dad-11d1-80b4-00c04fd430c8', ' a', '\x20'),
	(6, -1, 10, 1, -5, -0.01, -0.01, -0.0001, -7.25, 1.5, 2.5, false, true, 'a@b.co', 'user@example.com', 'line' || chr(10) || 'two', '1970-01-01', '1969-12-31', '1970-01-01 00:00:00', NULL, '1970-01-01 00:00:00.000001+00', 'sad', '6ba7b810-9dad-11d1-80b4-00c04fd430c9', 'abcdef', '\x5c');
UPDATE t SET tt = ts2, tf = tz, tu = tz, j = json_build_object('k', x, 'n', a), fr = CASE WHEN abs(f) < 1e30 THEN f END, c2 = upper(ch), w = x, o = abs(a);
`

// engines are the same rows in PostgreSQL and in SQLite.
type engines struct {
	t      *testing.T
	pg     *pgx.Conn
	sqlite *sql.DB
	env    pgexpr.Env
	forms  map[string]move.Form
}

// forms are the ones that differ from the default.
var forms = map[string]string{"q": "scaled", "tt": "text", "tf": "text", "tu": "micros", "c2": "padded"}

func open(t *testing.T, db *testkit.PostgresDB) *engines {
	t.Helper()
	if err := pgfunc.Register(); err != nil {
		t.Fatal(err)
	}
	db.Exec(rows)
	ctx := context.Background()
	e := &engines{t: t, pg: db.Conn(), forms: map[string]move.Form{}}
	if _, err := e.pg.Exec(ctx, "SET timezone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	schema, err := move.ReadSchema(ctx, e.pg)
	if err != nil {
		t.Fatal(err)
	}
	e.sqlite, err = sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.sqlite.Close() })
	e.sqlite.SetMaxOpenConns(1)
	columns := map[string]pgexpr.Column{}
	var declared []string
	for _, c := range schema.Tables[0].Columns {
		list, typ := move.Forms(c.Type, schema, convert.Refuse)
		form := list[0]
		for _, f := range list {
			if f.Name == forms[c.Name] {
				form = f
			}
		}
		e.forms[c.Name] = form
		columns[c.Name] = pgexpr.Column{Name: c.Name, Type: typ, Storage: form.Storage, Bytewise: true, Equal: true}
		declared = append(declared, pgexpr.Ident(c.Name)+" "+form.Declared)
	}
	e.env = pgexpr.Env{Bytewise: true, Column: func(name string) (pgexpr.Column, bool) { c, ok := columns[name]; return c, ok }}
	if _, err := e.sqlite.Exec("CREATE TABLE t (" + strings.Join(declared, ", ") + ")"); err != nil {
		t.Fatal(err)
	}
	e.fill(schema.Tables[0])
	return e
}

func (e *engines) fill(table *move.Table) {
	e.t.Helper()
	var out strings.Builder
	if _, err := e.pg.PgConn().CopyTo(context.Background(), &out, "COPY public.t TO STDOUT"); err != nil {
		e.t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		var values []any
		for i, field := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			text, null, err := convert.Unescape([]byte(field), nil)
			if err != nil {
				e.t.Fatal(err)
			}
			if null {
				values = append(values, nil)
				continue
			}
			v, err := e.forms[table.Columns[i].Name].Conversion.To(text, nil)
			if err != nil {
				e.t.Fatal(err)
			}
			values = append(values, map[convert.Kind]any{convert.Integer: v.Int, convert.Real: v.Real, convert.Text: string(v.Bytes), convert.Blob: v.Bytes}[v.Kind])
		}
		if _, err := e.sqlite.Exec("INSERT INTO t VALUES (?"+strings.Repeat(", ?", len(values)-1)+")", values...); err != nil {
			e.t.Fatal(err)
		}
	}
}

// inPostgres is an expression's value in every row, or nil where it is an error.
func (e *engines) inPostgres(expr string) []string {
	rows, err := e.pg.Query(context.Background(), "SELECT coalesce(("+expr+")::text, 'NULL') FROM public.t ORDER BY id", pgx.QueryExecModeExec)
	if err != nil {
		return nil
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil
	}
	return out
}

// deparsed is an expression as PostgreSQL prints it.
func (e *engines) deparsed(expr string) string {
	ctx := context.Background()
	var def string
	_, err := e.pg.Exec(ctx, "CREATE VIEW public.v AS SELECT "+expr+" AS r FROM public.t; SET search_path = ''")
	if err == nil {
		err = e.pg.QueryRow(ctx, "SELECT pg_get_viewdef('public.v'::regclass)").Scan(&def)
	}
	if err != nil {
		e.t.Fatalf("%s: %v", expr, err)
	}
	if _, err := e.pg.Exec(ctx, "DROP VIEW public.v; RESET search_path"); err != nil {
		e.t.Fatal(err)
	}
	def = strings.TrimPrefix(def, " SELECT")
	return def[:strings.LastIndex(def, " AS r\n")]
}

// inSQLite is a translated expression's value in every row, as PostgreSQL prints it.
func (e *engines) inSQLite(r *pgexpr.Result) ([]string, error) {
	rows, err := e.sqlite.Query("SELECT CASE WHEN 1 THEN " + r.SQL + " END FROM t ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v any
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, printed(v, r))
	}
	return out, rows.Err()
}

// printed is a value as PostgreSQL prints it once it is cast to text.
func printed(v any, r *pgexpr.Result) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case int64:
		switch {
		case r.Type == pgexpr.Bool && v&^1 == 0:
			return fmt.Sprint(v == 1)
		case r.Storage.Form == "micros":
			if s, err := convert.TimestampMicros(r.Type == pgexpr.TimestampTZ, convert.Refuse).Back(convert.Value{Kind: convert.Integer, Int: v}); err == nil {
				return s
			}
		case r.Storage.Form == "scaled":
			return convert.Unscale(v, r.Storage.Scale)
		case r.Type == pgexpr.Int2, r.Type == pgexpr.Int4, r.Type == pgexpr.Int8, r.Storage.Form == "int":
			return fmt.Sprint(v)
		}
	case float64:
		if r.Type == pgexpr.Float8 {
			return convert.FormatFloat(v+0, 64)
		}
	case string:
		switch r.Type {
		case pgexpr.Timestamp, pgexpr.TimestampTZ:
			if c := timeForms[r.Type][r.Storage.Form]; c != nil {
				s, err := c.Back(convert.Value{Kind: convert.Text, Bytes: []byte(v)})
				again, err2 := c.To([]byte(s), nil)
				if err == nil && err2 == nil && string(again.Bytes) == v { // and in no other text than the form's
					return s
				}
			}
		case pgexpr.BPChar:
			return strings.TrimRight(v, " ")
		case pgexpr.Bool, pgexpr.Int4, pgexpr.Float8:
		default:
			return v
		}
	case []byte:
		return fmt.Sprintf(`\x%x`, v)
	}
	return fmt.Sprintf("%T %v for %s %+v", v, v, r.Type, r.Storage)
}

var timeForms = map[pgexpr.Type]map[string]*convert.Conversion{
	pgexpr.Timestamp:   {"appdb": convert.TimestampAppDB(false, convert.Refuse), "text": convert.Timestamp(convert.Refuse)},
	pgexpr.TimestampTZ: {"appdb": convert.TimestampAppDB(true, convert.Refuse), "fixed": convert.TimestampTZ(convert.Refuse)},
}

// check compares both engines, for the expression as it is and as PostgreSQL prints it.
// It reports whether the expression has been translated.
func (e *engines) check(expr string) (translated bool, why error) {
	e.t.Helper()
	want := e.inPostgres(expr)
	if want == nil {
		return false, nil
	}
	for i, form := range []string{expr, e.deparsed(expr)} {
		r, err := pgexpr.Translate(form, e.env)
		if err != nil {
			var refused *pgexpr.Refused
			if !errors.As(err, &refused) {
				e.t.Fatalf("%s: %v", form, err)
			}
			if i == 1 && translated {
				e.t.Errorf("%s is translated, and is not as PostgreSQL prints it: %s: %v", expr, form, err)
			}
			return false, err
		}
		got, err := e.inSQLite(r)
		if err != nil && strings.Contains(err.Error(), "outside the years 1 to 9999") {
			return true, nil // refused, and not wrong
		}
		if err != nil {
			e.t.Errorf("%s\n  as %s: %v", form, r.SQL, err)
			return true, nil
		}
		for row := range want {
			if r.Type == pgexpr.Other || strings.TrimRight(want[row], " ") == got[row] && r.Type == pgexpr.BPChar {
				continue
			}
			if want[row] == "-0" && r.Type == pgexpr.Float8 { // SQLite has it in no column: see move's float-zero
				want[row] = "0"
			}
			if got[row] != want[row] {
				e.t.Errorf("%s\n  as %s\n  in row %d: SQLite has %q, PostgreSQL %q", form, r.SQL, row+1, got[row], want[row])
				return true, nil
			}
		}
		translated = true
	}
	return true, nil
}

// Expressions that people write, each of which is translated.
func TestTranslateEqually(t *testing.T) {
	t.Parallel()
	e := open(t, testkit.Postgres(t))
	for _, expr := range strings.Split(strings.TrimSpace(written+more), "\n") {
		if ok, err := e.check(expr); !ok {
			t.Errorf("%s: not translated: %v", expr, err)
		}
	}
	for _, expr := range strings.Split(strings.TrimSpace(notTranslated), "\n") {
		if ok, err := e.check(expr); ok || err == nil {
			t.Errorf("%s: %v, %v: want it refused", expr, ok, err)
		}
	}
}

// Random expressions over the same rows.
func TestTranslateRandom(t *testing.T) {
	t.Parallel()
	e := open(t, testkit.Postgres(t))
	g := &generator{rand.New(rand.NewPCG(1, 2))}
	translated, tried := 0, 0
	reasons := map[string]int{}
	for range 600 {
		expr := g.of([]string{"bool", "int", "num", "float", "text", "date", "time"}[g.IntN(7)], 3)
		if e.inPostgres(expr) == nil {
			continue
		}
		tried++
		ok, err := e.check(expr)
		if ok {
			translated++
		} else if err != nil {
			_, reason, _ := strings.Cut(err.Error(), ": ")
			reasons[reason]++
		}
	}
	t.Logf("%d of %d translated; refused: %v", translated, tried, reasons)
	if tried < 400 || translated < tried*9/10 {
		t.Errorf("%d of %d were translated: %v", translated, tried, reasons)
	}
}

// Numbers of few digits are compared as doubles, whatever zeros their texts have: SQLite
// reads equal ones as the same double, and others in their order.
func TestFewDigitsAsDoubles(t *testing.T) {
	t.Parallel()
	if err := pgfunc.Register(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := rand.New(rand.NewPCG(5, 6))
	number := func(near int64) string {
		n := near + r.Int64N(3) - 1
		scale := r.IntN(16)
		return convert.Unscale(n, scale) + strings.Repeat("0", r.IntN(3)*min(scale, 1))
	}
	var a, b string
	for range 200 {
		var pairs []string
		for range 100 {
			n := r.Int64N(1_000_000_000_000_000-2) >> r.IntN(50)
			x, y := number(n+1), number(n+1)
			if r.IntN(2) == 0 { // the same number, with other zeros
				y = strings.TrimRight(x, "0")
				if !strings.Contains(x, ".") || strings.HasSuffix(y, ".") {
					y = x
				}
			}
			pairs = append(pairs, "('"+x+"', '"+y+"')")
		}
		rows, err := db.Query("SELECT column1, column2 FROM (VALUES " + strings.Join(pairs, ", ") + `) WHERE pg_numeric_cmp(column1, column2) <>
			(CAST(column1 AS REAL) > CAST(column2 AS REAL)) - (CAST(column1 AS REAL) < CAST(column2 AS REAL))`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			if err := rows.Scan(&a, &b); err != nil {
				t.Fatal(err)
			}
			t.Errorf("%s and %s compare otherwise as doubles", a, b)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
