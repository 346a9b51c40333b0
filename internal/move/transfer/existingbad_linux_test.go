package transfer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

const smallLite = `CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE); CREATE INDEX t_v ON t (v COLLATE NOCASE) WHERE id > 10; CREATE INDEX t_e ON t (length(v)); CREATE TABLE other (a TEXT); INSERT INTO other VALUES ('kept')`

// An import into a schema that is there, killed at any stage, leaves the file as it was,
// and the next one fills it.
func TestImportExistingKilled(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(small)
	for _, stage := range stages {
		t.Run(string(stage), func(t *testing.T) {
			path := existing(t, "PRAGMA journal_mode = wal;"+smallLite)
			was, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			cmd := startChild(t, db.URL, path, stage)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if now, err := os.ReadFile(path); err != nil || !slices.Equal(now, was) {
				t.Fatalf("the file has changed, %v", err)
			}
			s, plan := planInto(t, db.URL, path, move.ExistingOptions{})
			if _, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{}); err != nil {
				t.Fatal(err)
			}
			if got := files(t, filepath.Dir(path)); !slices.Equal(got, []string{"app.db", "app.db.before-import"}) {
				t.Errorf("files: %q", got)
			}
			if got := text(t, sqlite(t, path), "SELECT count(*) || ' ' || (SELECT a FROM other) FROM t"); got != "5000 kept" {
				t.Error(got)
			}
			if kept, err := os.ReadFile(path + ".before-import"); err != nil || !slices.Equal(kept, was) {
				t.Errorf("what is kept has changed, %v", err)
			}
		})
	}
}

// Rows that a table holds are in the way, or go; numbers that were given out do not come
// again.
func TestImportExistingTruncate(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(`CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('new'); CREATE TABLE fired (n int)`)
	path := existing(t, `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT); INSERT INTO t VALUES (70, 'old'); CREATE TABLE fired (n INTEGER); CREATE TRIGGER gone AFTER DELETE ON t BEGIN INSERT INTO fired VALUES (1); END;
		CREATE TABLE child (t INTEGER REFERENCES t ON DELETE CASCADE); PRAGMA foreign_keys = on`)
	_, plan := planInto(t, db.URL, path, move.ExistingOptions{})
	if err := plan.Fits(); err == nil || !strings.Contains(err.Error(), "public.t -> t: danger (table-rows): the table holds rows already") {
		t.Errorf("it fits: %v", err)
	}
	s, plan := planInto(t, db.URL, path, move.ExistingOptions{Truncate: true})
	if _, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := text(t, sqlite(t, path), "SELECT (SELECT group_concat(id || v) FROM t) || ' ' || seq || ' ' || (SELECT count(*) FROM fired) FROM sqlite_sequence WHERE name = 't'"); got != "1new 70 0" {
		t.Error(got)
	}
}

// A base elsewhere is copied, and left alone; the target is a new file.
func TestImportExistingBase(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(small)
	base := existing(t, smallLite)
	was, err := os.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "new.db")
	s, plan := planInto(t, db.URL, base, move.ExistingOptions{})
	if _, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{Base: base}); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(base); err != nil || !slices.Equal(now, was) {
		t.Errorf("the base has changed, %v", err)
	}
	if got := files(t, filepath.Dir(path)); !slices.Equal(got, []string{"new.db"}) {
		t.Errorf("files: %q", got)
	}
	if _, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{Base: base}); !errors.Is(err, transfer.ErrExists) {
		t.Errorf("it is there already: %v", err)
	}
}

// Somebody who writes to the file meanwhile loses nothing.
func TestImportExistingWrittenTo(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(small)
	for name, c := range map[string]struct {
		stage transfer.Stage // "": before the import
		sql   string
		want  string
	}{
		"a row":           {transfer.Syncing, "INSERT INTO other VALUES ('late')", "has been written to while the import ran, and is left as it is"},
		"a column before": {"", "ALTER TABLE t ADD COLUMN late TEXT", "has another schema than when the import was planned"},
		"a row before":    {"", "INSERT INTO t VALUES (1, 'late')", "the table t holds rows now"},
	} {
		t.Run(name, func(t *testing.T) {
			path := existing(t, smallLite)
			s, plan := planInto(t, db.URL, path, move.ExistingOptions{})
			write := func() {
				app := sqlite(t, path)
				if _, err := app.Exec(c.sql); err != nil {
					t.Error(err)
				}
				if err := app.Close(); err != nil {
					t.Error(err)
				}
			}
			if c.stage == "" {
				write()
			}
			_, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{Progress: func(p transfer.Progress) {
				if p.Stage == c.stage {
					write()
				}
			}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v", err)
			}
			if got := files(t, filepath.Dir(path)); !slices.Equal(got, []string{"app.db"}) {
				t.Errorf("files: %q", got)
			}
			if got := text(t, sqlite(t, path), "SELECT count(*) FROM other"); c.stage != "" && got != "2" {
				t.Errorf("%s rows", got)
			}
		})
	}
}

// A file that others have open, that is none, or that is no database, is refused.
func TestImportExistingRefuses(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(small)
	ctx := context.Background()
	path := existing(t, "PRAGMA journal_mode = wal;"+smallLite)
	s, plan := planInto(t, db.URL, path, move.ExistingOptions{})
	app := sqlite(t, path)
	if _, err := app.Exec("INSERT INTO other VALUES ('open')"); err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.Import(ctx, s, plan, path, transfer.Options{}); err == nil || !strings.Contains(err.Error(), "app.db-wal is there: a program has app.db open") {
		t.Errorf("it is open: %v", err)
	}
	dir := t.TempDir()
	for name, c := range map[string]struct{ data, want string }{
		"missing": {"", "no such file"},
		"empty":   {"empty", "the file is empty: run the app's migrations first"},
		"text":    {"this is no database, but a text that is long enough to be one, with more than a hundred bytes in it, and so on", "not a database"},
	} {
		file := filepath.Join(dir, name)
		if c.data != "" {
			if err := os.WriteFile(file, []byte(strings.TrimPrefix(c.data, "empty")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := transfer.ReadExisting(ctx, file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Real databases go into schemas that flysql has made of them, as an app's migrations may.
func TestImportExistingReal(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]int64{"chinook_postgres.sql": 15607, "northwind_postgres.sql": 3362} {
		t.Run(file, func(t *testing.T) {
			script := testkit.Data(t, file)
			db := testkit.Postgres(t)
			db.Load(script)
			_, made := open(t, db.URL, move.Options{})
			path := existing(t, strings.Join(made.DDL(), ";\n"))
			before := schemaOf(t, path)
			s, plan := planInto(t, db.URL, path, move.ExistingOptions{})
			r, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Rows != want || !r.Verification.Equal() || schemaOf(t, path) != before {
				t.Errorf("%d rows, want %d; the same: %v", r.Rows, want, r.Verification.Equal())
			}
		})
	}
}

// Tables of every kind, in a file of other settings than flysql's own, are filled.
func TestImportExistingKinds(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(`CREATE TABLE "od""d" ("a b" int, "order" text, v numeric(20,4), PRIMARY KEY ("order", "a b")); INSERT INTO "od""d" VALUES (1, 'é', 1234567890123456.5000), (2, 'x', NULL);
		CREATE TABLE strict_one (k uuid PRIMARY KEY, f real, b bytea, n bigint, a jsonb); INSERT INTO strict_one VALUES ('6ba7b810-9dad-41d1-80b4-00c04fd430c8', 0.5, '\x00', 1, '1.50');
		CREATE TABLE parent (id int PRIMARY KEY, parent int REFERENCES parent); INSERT INTO parent VALUES (1, 2), (2, NULL); CREATE TABLE bare ()`)
	path := existing(t, `PRAGMA encoding = 'UTF-16le'; PRAGMA page_size = 8192; PRAGMA auto_vacuum = full; PRAGMA application_id = 7;
		CREATE TABLE [od"d] (v TEXT, "ORDER" TEXT, `+"`A B`"+` INT, PRIMARY KEY ("ORDER", "A B" DESC)) WITHOUT ROWID;
		CREATE TABLE strict_one (k BLOB PRIMARY KEY, f REAL, b BLOB, n INT, a ANY) STRICT;
		CREATE TABLE parent (id INTEGER PRIMARY KEY, parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
		CREATE TABLE bare (x TEXT DEFAULT 'y'); CREATE INDEX "in""dex" ON [od"d] (v DESC, "A B" COLLATE NOCASE) WHERE v IS NOT NULL; CREATE UNIQUE INDEX e ON strict_one (length(b), f)`)
	before := schemaOf(t, path)
	s, plan := planInto(t, db.URL, path, move.ExistingOptions{})
	if err := plan.Fits(); err != nil {
		t.Fatal(err)
	}
	r, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{FullCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Rows != 5 || schemaOf(t, path) != before {
		t.Errorf("%d rows; the schema:\n%s", r.Rows, schemaOf(t, path))
	}
	app := sqlite(t, path)
	for query, want := range map[string]string{
		`SELECT group_concat(concat_ws(' ', "A B", "ORDER", v), '; ') FROM [od"d]`:                                                                                  "2 x; 1 é 1234567890123456.5000",
		"SELECT concat_ws(' ', hex(k), f, hex(b), n, a, typeof(a)) FROM strict_one":                                                                                 "6BA7B8109DAD41D180B400C04FD430C8 0.5 00 1 1.50 text",
		"SELECT group_concat(id || typeof(parent)) FROM parent":                                                                                                     "1integer,2null",
		"SELECT concat_ws(' ', encoding, page_size, auto_vacuum, application_id) FROM pragma_encoding, pragma_page_size, pragma_auto_vacuum, pragma_application_id": "UTF-16le 8192 1 7",
		"PRAGMA integrity_check": "ok",
	} {
		if got := text(t, app, query); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
		}
	}
}

// A constraint that SQLite alone has, and that is no index of its own, is named with the rows.
func TestImportExistingUnique(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(`CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, i % 15 FROM generate_series(1, 30) AS i`)
	for suffix, want := range map[string]string{
		"":               "PostgreSQL's data does not fit into the schema:\n  public.t -> t: danger (unique-rows): 30 rows break UNIQUE (v): id = (1), (2), (3): make them different in PostgreSQL, or change that in a migration",
		" WITHOUT ROWID": "public.t: row 11 to 20: UNIQUE constraint failed: t.v: PostgreSQL has no such constraint: mend the rows there, or the constraint in a migration",
	} {
		path := existing(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE)"+suffix)
		s, plan := planInto(t, db.URL, path, move.ExistingOptions{})
		_, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{})
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
