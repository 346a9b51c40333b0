package move_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/testkit"
)

// sources are columns, and values of them: constants and, from generate_series(1, 40)
// as i, made-up ones.
var sources = []struct {
	typ    string
	values []string // of SQL, cast to typ
	random string
}{
	{"smallint", []string{"-32768", "32767", "0"}, "(random() * 65535 - 32768)::int"},
	{"integer", []string{"-2147483648", "2147483647"}, "(random() * 4294967295 - 2147483648)::bigint"},
	{"bigint", []string{"-9223372036854775808", "9223372036854775807", "4611686018427387905"}, "((random() - 0.5) * 1.8e19)::numeric(20)"},
	{"numeric", []string{"'NaN'", "0.000", "-0.10", "12345678901234567890123456789012345678", "1e-50", "1e40"}, "(random() * 10 ^ (random() * 40))::numeric"},
	{"numeric(12,3)", []string{"'NaN'", "-999999999.999", "0"}, "((random() - 0.5) * 10 ^ (random() * 9))"},
	{"numeric(3,-2)", []string{"12300", "-99900"}, "random() * 90000"},
	{"real", []string{"'NaN'", "'-0'", "'Infinity'", "1e6", "999999", "1.1754944e-38", "3.4028235e38", "0.0001", "0.00001"}, "(random() - 0.5) * 10 ^ (random() * 60 - 30)"},
	{"double precision", []string{"'NaN'", "'-0'", "'-Infinity'", "1e15", "123456789012345", "0.1", "5e-324", "1.7976931348623157e308", "0.0001", "0.00001"}, "(random() - 0.5) * 10 ^ (random() * 600 - 300)"},
	{"boolean", []string{"true", "false"}, "random() > 0.5"},
	{"text", []string{"''", "'it''s'", `E'tab\t\\ \\N\nline \b\v'`, `'\.'`, "'É漢字😀'", "chr(127)"}, "chr((random() * 50000 + 1)::int) || chr(9 + i % 30)"},
	{"varchar(5)", []string{"'É漢字😀e'"}, "left(md5(i::text), 5)"},
	{"char(5)", []string{"''", "'a'", "' b'", "'É漢'"}, "left(md5(i::text), i % 6)"},
	{"bytea", []string{`'\x'`, `'\x00ff5c27'`}, "decode(md5(i::text), 'hex')"},
	{"date", []string{"'infinity'", "'-infinity'", "'0044-03-15 BC'", "'4713-01-01 BC'", "'5874897-12-31'", "'2024-02-29'", "'0001-01-01'", "'9999-12-31'"}, "date '1000-01-01' + (random() * 1000000)::int"},
	{"timestamp", []string{"'infinity'", "'4713-11-24 00:00:00 BC'", "'294276-12-31 23:59:59.999999'", "'2024-01-01 00:00:00.5'"}, "timestamp '1000-01-01' + random() * interval '3000 years'"},
	{"timestamptz", []string{"'-infinity'", "'4713-11-24 00:00:00+00 BC'", "'294276-12-31 23:59:59.999999+00'", "'1883-11-18 12:00:00-07:52:58'", "'0001-01-01 00:00:00+00'"}, "timestamptz '1000-01-01' + random() * interval '3000 years'"},
	{"time", []string{"'24:00:00'", "'23:59:59.999999'"}, "time '00:00' + random() * interval '1 day'"},
	{"timetz", []string{"'24:00:00+05:30'", "'04:05:06.789-08'", "'00:00:00+15:59:59'"}, "(time '00:00' + random() * interval '1 day')::timetz"},
	{"interval", []string{"'1 year -2 mons 3 days -04:05:06.7'", "'178000000 years'", "'00:00:00'"}, "random() * interval '100 years'"},
	{"uuid", []string{"'00000000-0000-0000-0000-000000000000'"}, "gen_random_uuid()"},
	{"json", []string{`'{"a":1,  "a":2}'`, `' [ ] '`, "'null'"}, "json_build_object('k', chr(i + 32), 'n', random())"},
	{"jsonb", []string{`'{"b": 1, "a": [1e100, 1.50, null]}'`, "'null'"}, "jsonb_build_object('k', chr(i + 32), 'n', random())"},
	{"int[]", []string{"'{}'", "'{NULL,1}'", "'{{1,2},{3,4}}'", "'{{{1}},{{2}}}'"}, "ARRAY[i, -i, NULL]"},
	{"text[]", []string{`ARRAY['', 'NULL', 'null', NULL, 'a,b', '{', '"', '\', ' x ', E'\n\t', 'É']`}, "ARRAY[chr(i + 1), chr(i * 7 + 1)]"},
	{"bool[]", []string{"'{t,f,NULL}'"}, "ARRAY[i % 2 = 0]"},
	{"numeric(8,2)[]", []string{"'{1.50,-0.01}'"}, "ARRAY[random() * 1000]"},
	{"real[]", []string{"'{0.1,1e20,38191848}'"}, "ARRAY[random() * 1000]"},
	{"bytea[]", []string{`ARRAY['\x00ff'::bytea, ''::bytea]`}, "ARRAY[decode(md5(i::text), 'hex')]"},
	{"timestamptz[]", []string{"ARRAY['2024-01-01 00:00:00.5+00'::timestamptz]"}, "ARRAY[timestamptz '2000-01-01' + random() * interval '30 years']"},
	{"json[]", []string{`ARRAY['{"a": "b"}'::json, 'null'::json, NULL]`}, "ARRAY[json_build_object('k', i)]"},
	{"box[]", []string{"'{(1,1),(0,0);(2,2),(1,1)}'"}, "ARRAY[box(point(i, i), point(0, 0))]"},
	{"mood", []string{"'sad'", "'it''s 100%'"}, "'ok'"},
	{"mood[]", []string{`'{sad,"it''s 100%",NULL}'`}, "ARRAY['ok'::mood]"},
	{"dom", []string{"'12.50'", "NULL"}, "random() * 100"},
	{"pair", []string{`ROW(1, 'a "b", c')`, "ROW(NULL, '')"}, "ROW(i, chr(i + 32))"},
	{"int4range", []string{"'empty'", "'[1,10)'", "'(,5)'"}, "int4range(i, 2 * i)"},
	{"inet", []string{"'192.168.0.1/24'", "'::1'"}, "'10.0.0.0'::inet + i"},
	{"cidr", []string{"'10.0.0.0/8'"}, "'10.1.0.0/16'"},
	{"macaddr", []string{"'08:00:2b:01:02:03'"}, "'08:00:2b:01:02:04'"},
	{"bit(4)", []string{"B'1010'"}, "i::bit(4)"},
	{"varbit", []string{"B''", "B'10101'"}, "i::bit(12)"},
	{"money", []string{"'-92233720368547758.08'", "'1234567.89'", "'-0.05'"}, "(random() * 1000000 - 500000)::numeric(12,2)"},
	{"xml", []string{"'<a>b</a>'"}, "xmlelement(name x, i)"},
	{"tsvector", []string{"'a fat cat'::tsvector"}, "to_tsvector('simple', md5(i::text) || ' cat')"},
	{"tsquery", []string{"'fat & (rat | cat)'"}, "to_tsquery('simple', md5(i::text))"},
	{"point", []string{"'(1.5,-2)'"}, "point(random(), random())"},
	{"polygon", []string{"'((0,0),(1,1),(1,0))'"}, "polygon(box(point(0,0), point(i,i)))"},
	{"hstore", []string{`'a=>1, "b c"=>NULL, "q\"uote"=>"back\\slash"'`, "''"}, "hstore(chr(i + 1), chr(i + 2)) || hstore('k', NULL)"},
	{"citext", []string{"'MiXed'"}, "chr(i + 32)"},
	{"oid", []string{"4294967295", "0"}, "i"},
	{"pg_lsn", []string{"'16/B374D848'"}, "('0/' || to_hex(i))"},
	{"name", []string{"'some_name'"}, "md5(i::text)"},
	{`"char"`, []string{"'a'"}, "'b'"},
	{"xid8", []string{"'18446744073709551615'"}, "i::text"},
}

// ofSources is a database with a table t0, t1, ... of each of the sources.
func ofSources(t *testing.T) *testkit.PostgresDB {
	t.Helper()
	db := testkit.Postgres(t)
	var script strings.Builder
	script.WriteString(`CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s 100%'); CREATE DOMAIN dom AS numeric(8,2); CREATE TYPE pair AS (a int, b text);
		CREATE EXTENSION hstore; CREATE EXTENSION citext; SELECT setseed(0.5);`)
	for i, s := range sources {
		fmt.Fprintf(&script, "CREATE TABLE t%d (v %s);\n", i, s.typ)
		for _, v := range append(s.values, "NULL") {
			fmt.Fprintf(&script, "INSERT INTO t%d SELECT (%s)::%s;\n", i, v, s.typ)
		}
		fmt.Fprintf(&script, "INSERT INTO t%d SELECT (%s)::%s FROM generate_series(1, 40) AS i;\n", i, s.random, s.typ)
	}
	db.Exec(script.String())
	return db
}

// Each value goes into SQLite in every form, past its checks, and what comes out there
// is printed back as PostgreSQL prints it.
func TestForms(t *testing.T) {
	t.Parallel()
	db := ofSources(t)
	schema := readSchema(t, db)
	target, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	target.SetMaxOpenConns(1)
	conn := db.Conn()
	for i, source := range sources {
		table := tableNamed(t, schema, fmt.Sprintf("t%d", i))
		for _, special := range []convert.Special{convert.Refuse, convert.Keep} {
			forms, _ := move.Forms(table.Columns[0].Type, schema, special)
			for j, form := range forms {
				t.Run(fmt.Sprintf("%s %s %s", source.typ, form.Name, special), func(t *testing.T) {
					checkForm(t, conn, target, table, form, fmt.Sprintf("t%d_%d_%s", i, j, special), special)
				})
			}
		}
	}
}

func tableNamed(t *testing.T, s *move.Schema, name string) *move.Table {
	t.Helper()
	for _, table := range s.Tables {
		if table.Name.Name == name {
			return table
		}
	}
	t.Fatalf("no table %s", name)
	return nil
}

// copied returns the fields of a table of one column, as COPY prints them.
func copied(t *testing.T, conn *pgx.Conn, table *move.Table) []string {
	t.Helper()
	var b bytes.Buffer
	ctx := context.Background()
	if _, err := conn.Exec(ctx, "SET timezone = 'UTC'; SET lc_monetary = 'C'"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().CopyTo(ctx, &b, "COPY "+table.String()+" TO STDOUT"); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func checkForm(t *testing.T, conn *pgx.Conn, target *sql.DB, table *move.Table, form move.Form, name string, special convert.Special) {
	check := ""
	if form.Check != "" {
		check = " CHECK (" + fmt.Sprintf(form.Check, `"v"`) + ")"
	}
	if _, err := target.Exec(fmt.Sprintf(`CREATE TABLE "%s" ("v" %s%s)`, name, form.Declared, check)); err != nil {
		t.Fatal(err)
	}
	tx, err := target.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	taken, refused := 0, 0
	for _, field := range copied(t, conn, table) {
		want, null, err := convert.Unescape([]byte(field), nil)
		if null {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		v, err := form.Conversion.To(want, nil)
		if err != nil {
			refused++
			if special == convert.Keep && form.Name != "scaled" && form.Name != "micros" {
				t.Errorf("%q: %v", want, err)
			}
			continue
		}
		taken++
		var stored any
		if _, err := tx.Exec(fmt.Sprintf(`INSERT INTO "%s" VALUES (?)`, name), native(v)); err != nil {
			t.Fatalf("%q: %v", want, err)
		}
		// An expression has no declared type, by which the driver would make it a time.
		if err := tx.QueryRow(fmt.Sprintf(`SELECT CASE WHEN 1 THEN "v" END FROM "%s" ORDER BY rowid DESC LIMIT 1`, name)).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		got, err := form.Conversion.Back(fromNative(t, stored))
		if string(want) == "-0" && form.Name == "real" {
			want = []byte("0") // the loss that float-zero names
		}
		if err != nil || got != string(want) && !form.Conversion.Lossy {
			t.Errorf("%q came back as %q, %v", want, got, err)
		}
	}
	if taken == 0 || refused > 8 {
		t.Errorf("%d values taken, %d refused", taken, refused)
	}
}

// native is a value as database/sql takes it.
func native(v convert.Value) any {
	switch v.Kind {
	case convert.Integer:
		return v.Int
	case convert.Real:
		return v.Real
	case convert.Text:
		return string(v.Bytes)
	case convert.Blob:
		return v.Bytes
	}
	return nil
}

func fromNative(t *testing.T, v any) convert.Value {
	switch v := v.(type) {
	case int64:
		return convert.Value{Kind: convert.Integer, Int: v}
	case float64:
		return convert.Value{Kind: convert.Real, Real: v}
	case string:
		return convert.Value{Kind: convert.Text, Bytes: []byte(v)}
	case []byte:
		return convert.Value{Kind: convert.Blob, Bytes: v}
	}
	t.Fatalf("%T", v)
	return convert.Value{}
}
