package migrate

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	gm "github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/sqlite"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
)

// The tools by themselves, without anything of this package: each runs what is pending and returns how many
// migrations it then holds for applied.
var alone = map[Tool]func(t testing.TB, files fstest.MapFS, db string) int{
	Goose: func(t testing.TB, files fstest.MapFS, name string) int {
		// The package-level functions, which the goose command uses.
		goose.SetLogger(goose.NopLogger())
		goose.SetBaseFS(files)
		if err := goose.SetDialect("sqlite3"); err != nil {
			t.Fatal(err)
		}
		db := sqlDB(t, name)
		defer db.Close()
		if err := goose.Up(db, "migrations"); err != nil {
			t.Fatal(err)
		}
		v, err := goose.GetDBVersion(db)
		if err != nil {
			t.Fatal(err)
		}
		return int(v)
	},
	GolangMigrate: func(t testing.TB, files fstest.MapFS, name string) int {
		src, err := iofs.New(files, "migrations")
		if err != nil {
			t.Fatal(err)
		}
		m, err := gm.NewWithSourceInstance("iofs", src, "sqlite://"+name)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if err := m.Up(); err != nil && !errors.Is(err, gm.ErrNoChange) {
			t.Fatal(err)
		}
		v, dirty, err := m.Version()
		if err != nil || dirty {
			t.Fatal(v, dirty, err)
		}
		return int(v)
	},
}

// goosePlain runs goose's Provider as its documentation shows it.
func goosePlain(t testing.TB, files fstest.MapFS, name string) int {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	db := sqlDB(t, name)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectSQLite3, db, sub)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, err := p.GetDBVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(v)
}

// Each of these fails when it is run a second time.
var various = []script{
	{sql: "-- the guests; first\nCREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT DEFAULT ';');"},
	{sql: "INSERT INTO guests (id, name) VALUES (1, 'Zoë; \"x\"');\n\nALTER TABLE guests ADD COLUMN age INTEGER;\nCREATE INDEX guests_name ON guests (name);"},
	{sql: "CREATE VIEW adults AS SELECT * FROM guests WHERE age > 17;\nUPDATE guests SET age = 40;"},
}

func content(t testing.TB, db string) string {
	return query(t, db, "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1") +
		query(t, db, "SELECT id || name || age FROM adults")
}

func TestSameAsTheToolAlone(t *testing.T) {
	for tool, run := range alone {
		t.Run(string(tool), func(t *testing.T) {
			files := filesFor(tool, various...)
			ours, theirs := newDB(t), newDB(t)
			up(t, files, ours)
			if got := run(t, files, theirs); got != 3 {
				t.Fatalf("the tool applied %d", got)
			}
			if diff := cmp.Diff(content(t, theirs), content(t, ours)); diff != "" {
				t.Errorf("-tool +here\n%s", diff)
			}
			table := "SELECT version || '/' || dirty FROM schema_migrations"
			if tool == Goose {
				table = "SELECT id || '/' || version_id || '/' || is_applied FROM goose_db_version ORDER BY id"
			}
			if diff := cmp.Diff(query(t, theirs, table), query(t, ours, table)); diff != "" {
				t.Errorf("-tool +here\n%s", diff)
			}
		})
	}
}

// A database migrated here is migrated for the tool, and the other way round, also half-way.
func TestTakesTurnsWithTheTool(t *testing.T) {
	for tool, run := range alone {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			up(t, filesFor(tool, various[:1]...), db)
			if got := run(t, filesFor(tool, various[:2]...), db); got != 2 {
				t.Errorf("the tool is at %d, want 2", got)
			}
			st := status(t, filesFor(tool, various...), db)
			if versions(st.Applied) != "1,2" || versions(st.Pending) != "3" {
				t.Errorf("got %+v", st)
			}
			up(t, filesFor(tool, various...), db)
			if got := run(t, filesFor(tool, various...), db); got != 3 {
				t.Errorf("the tool is at %d, want 3", got)
			}
			if tool == Goose {
				if got := goosePlain(t, filesFor(tool, various...), db); got != 3 {
					t.Errorf("goose's Provider is at %d, want 3", got)
				}
			}
			if st := status(t, filesFor(tool, various...), db); len(st.Pending) != 0 {
				t.Errorf("got %+v", st)
			}
		})
	}
}

// dbmate's own command needs cgo. This is the table it documents for SQLite, as its driver creates and
// fills it.
func TestDbmateTable(t *testing.T) {
	files := filesFor(Dbmate, various...)
	theirs := newDB(t)
	execSQL(t, theirs, `create table if not exists "schema_migrations" (version varchar(128) primary key)`)
	for i, s := range various[:2] {
		execSQL(t, theirs, s.sql, `insert into "schema_migrations" (version) values ('000`+string(rune('1'+i))+`')`)
	}
	st := status(t, files, theirs)
	if versions(st.Applied) != "0001,0002" || versions(st.Pending) != "0003" {
		t.Errorf("got %+v", st)
	}
	up(t, files, theirs)
	ours := newDB(t)
	up(t, files, ours)
	if diff := cmp.Diff(content(t, theirs), content(t, ours)); diff != "" {
		t.Errorf("-dbmate +here\n%s", diff)
	}
	for _, db := range []string{ours, theirs} {
		if got := query(t, db, "SELECT typeof(version) || ' ' || version FROM schema_migrations ORDER BY 1"); got != "text 0001,text 0002,text 0003" {
			t.Errorf("recorded %s", got)
		}
	}
}

// An old goose recorded a migration taken back with a row of its own; the Provider takes every row for
// applied, and so does Status, or the two would not agree on what is pending.
func TestGooseRows(t *testing.T) {
	files := simple(Goose, abc...)
	db := newDB(t)
	up(t, files, db)
	execSQL(t, db, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (3, 0), (3, 1), (7, 0)")
	st := status(t, files, db)
	if versions(st.Applied) != "1,2,3" || strings.Join(st.Unknown, ",") != "7" || st.Version != "7" {
		t.Errorf("got %+v", st)
	}
}
