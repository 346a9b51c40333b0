package transfer_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

var latin1Family = family{name: "latin1", database: "ENCODING 'LATIN1' LOCALE 'C'", cases: []moved{{
	name: "text in another encoding",
	script: `SET client_encoding = 'UTF8'; CREATE TYPE size AS ENUM ('Größe', 'klein'); CREATE TABLE "Straße" (id int PRIMARY KEY, "naïve" text DEFAULT 'Ä' CHECK ("naïve" <> 'ü'), s size, a text[], j json, c char(4), b bytea, low text GENERATED ALWAYS AS (lower("naïve")) STORED);
		INSERT INTO "Straße" VALUES (1, E'É\\ÿ\t§', 'Größe', '{ä,"ö "}', '{"ü": "ß"}', 'éè', '\xe9'), (2, DEFAULT, NULL, NULL, NULL, NULL, NULL); COMMENT ON TABLE "Straße" IS 'Übergröße'; RESET client_encoding`,
	rows:    map[string][]string{"Straße": {`1|'É\ÿ` + "\t" + `§'|'Größe'|'["ä","ö "]'|'{"ü": "ß"}'|'éè'|X'E9'|'É\ÿ` + "\t" + `§'`, "2|'Ä'|NULL|NULL|NULL|NULL|NULL|'Ä'"}},
	answers: map[string]string{"SELECT instr(sql, '-- Übergröße') > 0 FROM sqlite_schema WHERE name = 'Straße'": "1"},
	fails:   map[string]string{`UPDATE "Straße" SET "naïve" = 'ü'`: "CHECK", `UPDATE "Straße" SET s = 'Grosse'`: "CHECK"},
}}}

var eucFamily = family{name: "euc_jp", database: "ENCODING 'EUC_JP' LOCALE 'C'", cases: []moved{{
	name:   "text of bytes above 127",
	script: `SET client_encoding = 'UTF8'; CREATE TABLE "表" ("能" text); INSERT INTO "表" VALUES (E'ソ表\\\n能'), ('~'); RESET client_encoding`,
	rows:   map[string][]string{"表": {"'ソ表\\\n能'", "'~'"}},
}}}

var asciiFamily = family{name: "sql_ascii", database: "ENCODING 'SQL_ASCII' LOCALE 'C'", cases: []moved{{
	name:   "bytes that happen to be UTF-8",
	script: `CREATE TABLE t (v text); INSERT INTO t VALUES ('É漢'), (E'tab\t')`,
	rows:   map[string][]string{"t": {"'É漢'", "'tab\t'"}},
}}}

var icuFamily = family{name: "icu", database: "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C.UTF-8'", cases: []moved{{
	name: "a collation that SQLite has not",
	script: `CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TABLE words (w text CHECK (w < 'm'), c text COLLATE "C" CHECK (c < 'm'), u text UNIQUE CHECK (upper(u) = u), i text COLLATE anycase UNIQUE);
		INSERT INTO words VALUES ('Äpfel', 'a', 'STRASSE', 'Straße'), ('b', NULL, 'Ä', 'x')`,
	rows:  map[string][]string{"words": {"'Äpfel'|'a'|'STRASSE'|'Straße'", "'b'|NULL|'Ä'|'x'"}},
	fails: map[string]string{"UPDATE words SET c = 'm'": "CHECK", "UPDATE words SET u = 'Ä'": "UNIQUE"},
	says:  []string{"warning (collation-order): text sorts by its bytes, and not as de-DE", "check public.words.words_w_check is not carried (danger)", "check public.words.words_u_check is not carried", "public.words.i: warning (column-collation)"},
}}}

// A value that SQLite has no place for ends the import, which says where it is, what it is
// and what would take it.
func TestCasesRefused(t *testing.T) {
	t.Parallel()
	const keepOrNull = `special = "keep" or "null" for the column takes it`
	cases := []struct{ typ, value, shown, says string }{
		{"numeric", "'NaN'", `"NaN"`, keepOrNull},
		{"numeric(10,2)", "'NaN'", `"NaN"`, keepOrNull},
		{"numeric", "'-Infinity'", `"-Infinity"`, keepOrNull},
		{"double precision", "'NaN'", `"NaN"`, keepOrNull},
		{"real", "'Infinity'", `"Infinity"`, keepOrNull},
		{"date", "'infinity'", `"infinity"`, keepOrNull},
		{"date", "'0044-03-15 BC'", `"0044-03-15 BC"`, keepOrNull},
		{"date", "'10000-01-01'", `"10000-01-01"`, keepOrNull},
		{"timestamp without time zone", "'-infinity'", `"-infinity"`, keepOrNull},
		{"timestamp without time zone", "'0044-03-15 12:00 BC'", `"0044-03-15 12:00:00 "...`, keepOrNull},
		{"timestamp with time zone", "'infinity'", `"infinity"`, keepOrNull},
		{"timestamp with time zone", "'10000-01-01 00:00+00'", `"10000-01-01 00:00:00"...`, keepOrNull},
		{"time without time zone", "'24:00'", `"24:00:00"`, keepOrNull},
		{"time with time zone", "'24:00+00'", `"24:00:00+00"`, keepOrNull},
		{"double precision[]", "'{1,NaN}'", `"{1,NaN}"`, keepOrNull},
		{"date[]", "'{infinity}'", `"{infinity}"`, keepOrNull},
		{"integer[]", "'[0:1]={5,6}'", `"[0:1]={5,6}"`, `its first index is not 1; form = "pg" keeps PostgreSQL's text`},
		{"jsonb", "(repeat('[', 1001) || '\"hunter2\"' || repeat(']', 1001))::jsonb", "a value of 2011 bytes", "nested more than 1000 deep"},
	}
	db := testkit.Postgres(t)
	var script strings.Builder
	for i, c := range cases {
		fmt.Fprintf(&script, "CREATE TABLE t%d (id int, \"the value\" %s); INSERT INTO t%d VALUES (1, NULL), (2, NULL), (3, %s), (4, NULL);\n", i, c.typ, i, c.value)
	}
	db.Exec(script.String())
	for _, way := range ways[:3] {
		source := sourceOf(t, db, way.args)
		for i, c := range cases {
			skip := map[string]move.TableOptions{}
			for n := range cases {
				skip[fmt.Sprintf("public.t%d", n)] = move.TableOptions{Skip: n != i}
			}
			want := fmt.Sprintf("public.t%d: row 3, column the value (%s): %s: ", i, c.typ, c.shown)
			err := refuses(t, source, move.Options{Tables: skip})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v\nwant %s ... %s", way.name, err, want, c.says)
			}
		}
	}
}

// refuses imports, and wants an error and nothing left behind.
func refuses(t *testing.T, source move.Source, o move.Options) error {
	t.Helper()
	plan, err := move.NewPlan(source.Schema(), o)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, err = transfer.Import(context.Background(), source, plan, filepath.Join(dir, "app.db"), transfer.Options{})
	if got := files(t, dir); err != nil && len(got) > 0 {
		t.Errorf("files: %q", got)
	}
	return err
}

// Text that is in no encoding is named by its row and column.
func TestCasesNotText(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t, "ENCODING 'SQL_ASCII' LOCALE 'C'")
	db.Exec(`CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, 'fine'), (2, E'caf\xe9 hunter2')`)
	for _, way := range ways[:3] {
		err := refuses(t, sourceOf(t, db, way.args), move.Options{})
		if err == nil || !strings.Contains(err.Error(), "not UTF-8") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", way.name, err)
		}
		if way.args == nil && (err == nil || !strings.Contains(err.Error(), "copy public.t: after row 1: ")) {
			t.Errorf("%v", err)
		}
	}
}

// PostgreSQL is killed, or stopped, half-way: the error says what to do, nothing is left, and
// the next run is whole.
func TestCasesStopped(t *testing.T) {
	t.Parallel()
	db := testkit.OwnPostgres(t)
	db.Exec("CREATE TABLE t AS SELECT i AS id, repeat('x', 1000) AS v FROM generate_series(1, 20000) AS i; CHECKPOINT")
	for name, stop := range map[string]func(){"killed": db.Crash, "stopped": db.Restart} {
		s, plan := open(t, db.URL, move.Options{})
		dir := t.TempDir()
		path, once := filepath.Join(dir, "app.db"), sync.OnceFunc(stop)
		_, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{Progress: func(p transfer.Progress) {
			if p.Stage == transfer.Copying && p.Rows > 0 {
				once()
			}
		}})
		if err == nil || !strings.Contains(err.Error(), "copy public.t: after row ") || !strings.Contains(err.Error(), "run the import again, nothing of it is left") {
			t.Errorf("%s: %v", name, err)
		}
		if got := files(t, dir); len(got) > 0 {
			t.Errorf("%s: files: %q", name, got)
		}
		s, plan = open(t, db.URL, move.Options{})
		if r, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{}); err != nil || r.Rows != 20000 {
			t.Errorf("%s: again: %+v, %v", name, r, err)
		}
		s.Close() // a server that is stopped waits for nobody
	}
}
