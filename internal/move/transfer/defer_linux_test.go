package transfer_test

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/testkit"
)

// everyKey are primary keys of every kind, one of them an integer that is no int: SQLite makes
// it the rowid all the same.
const everyKey = `CREATE EXTENSION citext;
CREATE TABLE "we""ird 't" (b text, a int, c text UNIQUE, PRIMARY KEY (a, b));
INSERT INTO "we""ird 't" SELECT 'b' || i, i % 7, 'c' || i FROM generate_series(1, 1000) AS i;
CREATE INDEX ON "we""ird 't" (c DESC, a) WHERE a > 3;
CREATE TABLE child (a int, b text, id uuid PRIMARY KEY, FOREIGN KEY (a, b) REFERENCES "we""ird 't");
INSERT INTO child SELECT 1 + i % 3, 'b' || 1 + i % 3, md5(i::text)::uuid FROM generate_series(1, 300) AS i;
CREATE TABLE mails (mail citext PRIMARY KEY, n int, UNIQUE (n, mail));
INSERT INTO mails SELECT 'Mail' || i || '@Example.com', i FROM generate_series(1, 300) AS i;
CREATE TABLE oids (id oid PRIMARY KEY, v text);
INSERT INTO oids SELECT i * 7, 'v' || i FROM generate_series(1, 300) AS i;
CREATE TABLE amounts (amount numeric(9,2) PRIMARY KEY, at timestamptz);
INSERT INTO amounts SELECT i / 100.0, timestamptz '2024-01-01' + i * interval '1 hour' FROM generate_series(300, 1, -1) AS i;
CREATE TABLE serials (id serial PRIMARY KEY, v text); INSERT INTO serials (v) VALUES ('a');
CREATE TABLE kept (id text PRIMARY KEY, v text); INSERT INTO kept SELECT 'k' || i, 'v' FROM generate_series(300, 1, -1) AS i;
`

// planned makes the file of a plan in SQLite's own way, with the rows of another.
func planned(t *testing.T, plan *move.Plan, from string) *sql.DB {
	t.Helper()
	db := sqlite(t, filepath.Join(t.TempDir(), "planned.db"))
	db.SetMaxOpenConns(1)
	exec := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	exec("PRAGMA foreign_keys = off; ATTACH '" + from + "' AS other")
	for _, s := range plan.Before() {
		exec(s)
	}
	for _, table := range plan.Tables {
		exec("INSERT INTO main." + ident(table.Name) + " SELECT * FROM other." + ident(table.Name))
	}
	exec("DETACH other")
	for _, s := range plan.After() {
		exec(s)
	}
	exec("ANALYZE")
	return db
}

func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// vacuumed is the bytes of a database that SQLite has written anew, but for the counters
// in its header.
func vacuumed(t *testing.T, db *sql.DB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vacuumed.db")
	if _, err := db.Exec("VACUUM INTO '" + path + "'"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, counter := range [][2]int{{24, 28}, {40, 44}, {92, 96}} { // of changes, of schemas, and for which change the version is
		clear(b[counter[0]:counter[1]])
	}
	return b
}

// A file whose keys have been made late is the one that SQLite would have made of the same
// schema: written anew, byte for byte.
func TestImportLateKey(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(everyKey)
	for name, o := range map[string]move.Options{
		"defaults": {},
		"others":   {Types: map[string]string{"numeric": "scaled", "uuid": "blob"}, Tables: map[string]move.TableOptions{"public.kept": {WithoutRowID: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, plan, path, _ := imported(t, db.URL, o)
			got := sqlite(t, path)
			want := planned(t, plan, path)
			const schema = "SELECT group_concat(type || name || tbl_name || coalesce(sql, '-'), char(10)) FROM (SELECT * FROM sqlite_schema ORDER BY type, name)"
			if d := cmp.Diff(text(t, want, schema), text(t, got, schema)); d != "" {
				t.Error(d)
			}
			if a, b := vacuumed(t, got), vacuumed(t, want); string(a) != string(b) {
				t.Errorf("%d and %d bytes are not the same", len(a), len(b))
			}
			for _, s := range []string{`INSERT INTO "we""ird 't" VALUES ('b1', 2, 'new'), ('b1', 2, 'newer')`, "INSERT INTO child (id) SELECT id FROM child", "INSERT INTO mails VALUES ('MAIL7@example.COM', 0)", "INSERT INTO kept VALUES ('k7', '')"} {
				if _, err := got.Exec(s); err == nil || !strings.Contains(err.Error(), "UNIQUE constraint failed") {
					t.Errorf("%s: %v", s, err)
				}
			}
			for _, s := range []string{"ALTER TABLE child RENAME TO grandchild", "ALTER TABLE mails RENAME COLUMN mail TO address", "ALTER TABLE mails ADD COLUMN x", `INSERT INTO "we""ird 't" VALUES ('new', 1, 'x')`, "REINDEX", "VACUUM"} {
				if _, err := got.Exec(s); err != nil {
					t.Errorf("%s: %v", s, err)
				}
			}
			if name := text(t, got, "SELECT name FROM sqlite_schema WHERE tbl_name = 'grandchild' AND sql IS NULL"); name != "sqlite_autoindex_grandchild_1" {
				t.Error(name)
			}
			if ok := text(t, got, "PRAGMA integrity_check"); ok != "ok" {
				t.Error(ok)
			}
		})
	}
}

// The program of SQLite's authors finds nothing wrong with the file, either.
func TestImportLateKeySQLite(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		testkit.NotRun(t, "sqlite3", "apt-get install sqlite3")
	}
	db := testkit.Postgres(t)
	db.Exec(everyKey)
	_, plan, path, _ := imported(t, db.URL, move.Options{})
	other := filepath.Join(t.TempDir(), "other.db")
	if _, err := planned(t, plan, path).Exec("VACUUM INTO '" + other + "'"); err != nil {
		t.Fatal(err)
	}
	run := func(path, command string) string {
		t.Helper()
		out, err := exec.Command(program, path, command).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	if got := run(path, "PRAGMA integrity_check"); got != "ok\n" {
		t.Error(got)
	}
	if d := cmp.Diff(run(other, ".dump"), run(path, ".dump")); d != "" {
		t.Error(d)
	}
}
