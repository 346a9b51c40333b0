package migrate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var abc = []string{"CREATE TABLE a (id);", "CREATE TABLE b (id);", "CREATE TABLE c (id);"}

// short writes versions without zeros in front, which only dbmate keeps.
func short(s string) string { return strings.ReplaceAll(s, "000", "") }

func TestStatus(t *testing.T) {
	for _, tool := range tools {
		for _, journal := range []string{"DELETE", "WAL"} {
			t.Run(string(tool)+"/"+journal, func(t *testing.T) {
				db := newDB(t)
				execSQL(t, db, "PRAGMA journal_mode="+journal)
				steps := []struct {
					have             int // migrations applied
					set              int // migrations in the set
					applied, pending string
					unknown, version string
				}{
					{0, 3, "", "1,2,3", "", ""},
					{1, 3, "1", "2,3", "", "1"},
					{3, 3, "1,2,3", "", "", "3"},
					{3, 1, "1", "", "2,3", "3"},
				}
				for _, s := range steps {
					if s.have > 0 {
						up(t, simple(tool, abc[:s.have]...), db)
					}
					before := snapshot(t, filepath.Dir(db))
					st := status(t, simple(tool, abc[:s.set]...), db)
					if tool == GolangMigrate && s.unknown != "" {
						s.unknown = "3" // it records the last one only
					}
					got := []string{short(versions(st.Applied)), short(versions(st.Pending)), short(strings.Join(st.Unknown, ",")), short(st.Version)}
					if diff := cmp.Diff([]string{s.applied, s.pending, s.unknown, s.version}, got); diff != "" {
						t.Errorf("%d of %d: -want +got\n%s", s.have, s.set, diff)
					}
					if st.Dirty {
						t.Error("dirty")
					}
					if diff := cmp.Diff(before, snapshot(t, filepath.Dir(db))); diff != "" {
						t.Errorf("Status changed something: -before +after\n%s", diff)
					}
				}
			})
		}
	}
}

func TestStatusOfNothing(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			files := simple(tool, abc...)
			if st := status(t, files, db); len(st.Pending) != 3 || len(st.Applied) != 0 || st.Version != "" {
				t.Errorf("missing file: %+v", st)
			}
			if st := status(t, files, filepath.Join(filepath.Dir(db), "no", "such", "dir.db")); len(st.Pending) != 3 {
				t.Errorf("missing directory: %+v", st)
			}
			if got := names(snapshot(t, filepath.Dir(db))); got != "" {
				t.Errorf("Status made %s", got)
			}
			if err := os.WriteFile(db, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if st := status(t, files, db); len(st.Pending) != 3 {
				t.Errorf("empty file: %+v", st)
			}
			if diff := cmp.Diff(map[string]string{"app.db": ""}, snapshot(t, filepath.Dir(db))); diff != "" {
				t.Error(diff)
			}
			// And Up begins with either.
			if got := short(versions(up(t, files, db))); got != "1,2,3" {
				t.Errorf("applied %s", got)
			}
		})
	}
}

// What is committed may lie in the -wal only, while an app has the database open.
func TestStatusReadsTheWAL(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			app := sqlDB(t, db)
			if _, err := app.Exec("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE x (id)"); err != nil {
				t.Fatal(err)
			}
			up(t, simple(tool, abc...), db)
			before := snapshot(t, filepath.Dir(db))
			if before["app.db-wal"] == "" {
				t.Fatal("nothing in the -wal")
			}
			if st := status(t, simple(tool, abc...), db); len(st.Pending) != 0 {
				t.Errorf("pending %v", st.Pending)
			}
			after := snapshot(t, filepath.Dir(db))
			delete(before, "app.db-shm") // which readers note themselves in
			delete(after, "app.db-shm")
			if diff := cmp.Diff(before, after); diff != "" {
				t.Error("Status changed the database or the -wal")
			}
		})
	}
}

// With Options.Locks a reader waits for whoever keeps the database to itself, where
// it would otherwise read the file past the locks.
func TestStatusWithLocks(t *testing.T) {
	for _, locks := range []bool{false, true} {
		db := newDB(t)
		files := simple(Goose, abc...)
		execSQL(t, db, "PRAGMA journal_mode=WAL")
		up(t, simple(Goose, abc[:1]...), db)
		set, err := Open(files, Options{Locks: locks})
		if err != nil {
			t.Fatal(err)
		}
		if st, err := set.Status(t.Context(), db); err != nil || len(st.Pending) != 2 {
			t.Errorf("locks %v: %+v, %v", locks, st, err)
		}
		if st, err := set.Status(t.Context(), db+".none"); err != nil || len(st.Pending) != 3 {
			t.Errorf("locks %v, no file: %+v, %v", locks, st, err)
		}
		app := sqlDB(t, db)
		if _, err := app.Exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := set.Status(ctx, db); (err != nil) != locks {
			t.Errorf("locks %v, kept by another: %v", locks, err)
		}
	}
}

// Closing a descriptor of the database file would drop the locks of every connection in the process.
func TestStatusKeepsLocks(t *testing.T) {
	for _, journal := range []string{"DELETE", "WAL"} {
		t.Run(journal, func(t *testing.T) {
			db := newDB(t)
			files := simple(Goose, abc...)
			execSQL(t, db, "PRAGMA journal_mode="+journal)
			up(t, files, db)
			app := sqlDB(t, db)
			if _, err := app.Exec("BEGIN IMMEDIATE; INSERT INTO a VALUES (1)"); err != nil {
				t.Fatal(err)
			}
			status(t, files, db)
			if err := lockedElsewhere(t, db); err == nil || !strings.Contains(err.Error(), "locked") {
				t.Errorf("another process writes: %v; want it locked out", err)
			}
			if _, err := app.Exec("COMMIT"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestOtherTool(t *testing.T) {
	for _, first := range tools {
		for _, second := range tools {
			if first == second {
				continue
			}
			t.Run(string(first)+" then "+string(second), func(t *testing.T) {
				db := newDB(t)
				up(t, simple(first, abc...), db)
				before := snapshot(t, filepath.Dir(db))
				set := open(t, simple(second, abc...))
				_, err := set.Status(t.Context(), db)
				_, err2 := set.Up(t.Context(), db)
				for _, err := range []error{err, err2} {
					if !errors.Is(err, ErrOtherTool) || !strings.Contains(err.Error(), string(first)) || !strings.Contains(err.Error(), string(second)) {
						t.Errorf("got %v, want ErrOtherTool naming %s and %s", err, first, second)
					}
				}
				if diff := cmp.Diff(before, snapshot(t, filepath.Dir(db))); diff != "" {
					t.Error("the database has been changed")
				}
			})
		}
	}
}

// A table that a tool has made and not used, or that the app has left behind on purpose, is no obstacle.
func TestOtherToolsEmptyTable(t *testing.T) {
	db := newDB(t)
	execSQL(t, db, "CREATE TABLE schema_migrations (version varchar(128) primary key)")
	if got := versions(up(t, simple(Goose, abc...), db)); got != "1,2,3" {
		t.Errorf("applied %s", got)
	}
	execSQL(t, db, "INSERT INTO schema_migrations VALUES ('1')")
	if st := status(t, simple(Goose, abc...), db); len(st.Applied) != 3 {
		t.Errorf("got %+v; goose's own table is there", st)
	}
}

func TestForeignTable(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			execSQL(t, db, "CREATE TABLE "+defaultTable[tool]+" (colour TEXT, weight INTEGER)")
			_, err := open(t, simple(tool, abc...)).Up(t.Context(), db)
			if err == nil || !strings.Contains(err.Error(), "colour, weight") || !strings.Contains(err.Error(), defaultTable[tool]) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTable(t *testing.T) {
	for _, tool := range tools {
		for _, table := range []string{"my_versions", `odd "name"; --`, "group", "гости"} {
			t.Run(string(tool)+"/"+table, func(t *testing.T) {
				db := newDB(t)
				set, err := Open(simple(tool, abc...), Options{Table: table})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := set.Up(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				st, err := set.Status(t.Context(), db)
				if err != nil || len(st.Applied) != 3 {
					t.Errorf("got %+v, %v", st, err)
				}
				if got := query(t, db, "SELECT count(*) FROM "+quoteName(table)); got == "0" {
					t.Error("nothing recorded")
				}
				if got := query(t, db, "SELECT name FROM sqlite_schema WHERE name = '"+defaultTable[tool]+"'"); got != "" {
					t.Errorf("the default table %s is there too", got)
				}
			})
		}
	}
}

func TestBadPath(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	long := filepath.Join(dir, "long.db")
	os.WriteFile(text, []byte("hello"), 0o644)
	os.WriteFile(long, []byte(strings.Repeat("hello\n", 10_000)), 0o644)
	tests := []struct{ path, want string }{
		{"", "name a file"},
		{":memory:", "not the path of a file"},
		{"file:app.db", "not the path of a file"},
		{dir, "is a directory"},
		{text, "not an SQLite database"},
		{long, "not an SQLite database"},
		{filepath.Join(text, "app.db"), "not a directory"},
	}
	set := open(t, simple(Goose, abc...))
	for _, tt := range tests {
		before := snapshot(t, dir)
		_, err := set.Status(t.Context(), tt.path)
		_, err2 := set.Up(t.Context(), tt.path)
		for _, err := range []error{err, err2} {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: got %v, want %q in it", tt.path, err, tt.want)
			}
		}
		if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
			t.Errorf("%q: changed: %s", tt.path, diff)
		}
	}
	_, err := set.Up(t.Context(), filepath.Join(dir, "no", "app.db"))
	if err == nil || !strings.Contains(err.Error(), "unable to open the database file") || !strings.Contains(err.Error(), filepath.Join(dir, "no", "app.db")) {
		t.Errorf("missing directory: %v", err)
	}
}

// Characters that mean something in a URI are part of the name.
func TestOddPath(t *testing.T) {
	for _, tool := range tools {
		db := filepath.Join(t.TempDir(), "a b?c#d%20e&mode=memory.db")
		up(t, simple(tool, abc...), db)
		if info, err := os.Stat(db); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", tool, err)
		}
		if st := status(t, simple(tool, abc...), db); len(st.Applied) != 3 {
			t.Errorf("%s: %+v", tool, st)
		}
	}
	t.Chdir(t.TempDir())
	up(t, simple(Goose, abc...), "app.db")
	if st := status(t, simple(Goose, abc...), "app.db"); len(st.Applied) != 3 {
		t.Errorf("relative: %+v", st)
	}
}
