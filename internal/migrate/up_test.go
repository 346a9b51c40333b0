package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUp(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			if got := short(versions(up(t, simple(tool, abc[:2]...), db))); got != "1,2" {
				t.Errorf("first: applied %s", got)
			}
			if got := short(versions(up(t, simple(tool, abc...), db))); got != "3" {
				t.Errorf("then: applied %s", got)
			}
			before := snapshot(t, filepath.Dir(db))
			if got := up(t, simple(tool, abc...), db); len(got) != 0 {
				t.Errorf("at last: applied %v", got)
			}
			if got := up(t, simple(tool, abc[:1]...), db); len(got) != 0 {
				t.Errorf("an older image: applied %v", got)
			}
			if diff := cmp.Diff(before, snapshot(t, filepath.Dir(db))); diff != "" {
				t.Errorf("with nothing to do, it changed something: %s", diff)
			}
			if got := query(t, db, "PRAGMA journal_mode"); got != "delete" {
				t.Errorf("journal mode %s", got)
			}
		})
	}
}

// The documented way to change a table drops it while others refer to it.
func TestTableRebuildKeepsChildren(t *testing.T) {
	for _, tool := range tools {
		for _, noTx := range []bool{false, true} {
			t.Run(fmt.Sprint(tool, noTx), func(t *testing.T) {
				db := newDB(t)
				up(t, filesFor(tool,
					script{sql: "CREATE TABLE parent (id INTEGER PRIMARY KEY);\nCREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id) ON DELETE CASCADE);"},
					script{sql: "INSERT INTO parent VALUES (1), (2);\nINSERT INTO child VALUES (10, 1), (20, 2), (30, 2);"},
					script{noTx: noTx, sql: "CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO parent_new SELECT id, 'x' FROM parent;\nDROP TABLE parent;\nALTER TABLE parent_new RENAME TO parent;"},
				), db)
				if got := query(t, db, "SELECT id FROM child ORDER BY id"); got != "10,20,30" {
					t.Errorf("children left: %s", got)
				}
				if got := query(t, db, `SELECT "table" FROM pragma_foreign_key_check`); got != "" {
					t.Errorf("broken references in %s", got)
				}
			})
		}
	}
}

// A migration outside a transaction ends as SQLite documents it, with the foreign
// keys on. The next one, in the same run, must not lose rows to that.
func TestForeignKeysDoNotLeak(t *testing.T) {
	const rebuildParent = "CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO parent_new SELECT id, 'x' FROM parent;\nDROP TABLE parent;\nALTER TABLE parent_new RENAME TO parent;"
	for _, tool := range []Tool{Goose, Dbmate} {
		for _, noTx := range []bool{false, true} {
			t.Run(fmt.Sprint(tool, noTx), func(t *testing.T) {
				db := newDB(t)
				up(t, filesFor(tool,
					script{sql: "CREATE TABLE parent (id INTEGER PRIMARY KEY);\nCREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id) ON DELETE CASCADE);\nINSERT INTO parent VALUES (1);\nINSERT INTO child VALUES (10, 1);"},
					script{noTx: true, sql: "PRAGMA foreign_keys=OFF;\nCREATE TABLE other (id INTEGER PRIMARY KEY);\nPRAGMA foreign_keys=ON;"},
					script{noTx: noTx, sql: rebuildParent},
				), db)
				if got := query(t, db, "SELECT id FROM child"); got != "10" {
					t.Errorf("children left: %q", got)
				}
			})
		}
	}
}

func TestNoTx(t *testing.T) {
	for _, tool := range []Tool{Goose, Dbmate} {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			files := filesFor(tool,
				script{sql: "CREATE TABLE a (id);"},
				script{noTx: true, sql: "VACUUM;\nCREATE TABLE b (id);\nCREATE TABLE b (id);"},
			)
			applied, err := open(t, files).Up(t.Context(), db)
			var e *Error
			if !errors.As(err, &e) || !e.NoTx || e.Line != 4+map[Tool]int{Goose: 1, Dbmate: 0}[tool] {
				t.Errorf("got %+v", err)
			}
			if err == nil || !strings.Contains(err.Error(), "outside a transaction") {
				t.Errorf("got %v", err)
			}
			if got := short(versions(applied)); got != "1" {
				t.Errorf("applied %s", got)
			}
			if got := query(t, db, "SELECT name FROM sqlite_schema WHERE name = 'b'"); got != "b" {
				t.Error("the statement before the error has been rolled back")
			}
			st := status(t, files, db)
			if got := short(versions(st.Pending)); got != "2" || !st.Pending[0].NoTx {
				t.Errorf("pending %+v", st.Pending)
			}
		})
	}
}

func TestDirty(t *testing.T) {
	db := newDB(t)
	files := simple(GolangMigrate, "CREATE TABLE a (id);", "CREATE TABLE b (id;", "CREATE TABLE c (id);")
	applied, err := open(t, files).Up(t.Context(), db)
	if err == nil || versions(applied) != "1" {
		t.Errorf("applied %v, %v", applied, err)
	}
	st := status(t, files, db)
	if !st.Dirty || st.Version != "2" || versions(st.Applied) != "1" || versions(st.Pending) != "2,3" {
		t.Errorf("got %+v", st)
	}
	before := snapshot(t, filepath.Dir(db))
	_, err = open(t, files).Up(t.Context(), db)
	var e *Error
	if !errors.Is(err, ErrDirty) || !errors.As(err, &e) || e.File != "migrations/0002_step.up.sql" {
		t.Errorf("got %v", err)
	}
	if err == nil || !strings.Contains(err.Error(), "force 1") || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("got %v; it does not say how to go on", err)
	}
	if diff := cmp.Diff(before, snapshot(t, filepath.Dir(db))); diff != "" {
		t.Error("changed")
	}
	// The first migration has none before it; an older image does not know the file.
	if st := status(t, simple(GolangMigrate, "CREATE TABLE a (id);"), db); !st.Dirty || len(st.Unknown) != 1 || len(st.Pending) != 0 {
		t.Errorf("older image: %+v", st)
	}
	if _, err := open(t, simple(GolangMigrate, "CREATE TABLE a (id);")).Up(t.Context(), db); !errors.Is(err, ErrDirty) {
		t.Errorf("older image: %v", err)
	}
	db = newDB(t)
	first := simple(GolangMigrate, "CRATE;")
	open(t, first).Up(t.Context(), db)
	if _, err := open(t, first).Up(t.Context(), db); err == nil || !strings.Contains(err.Error(), "force -1") {
		t.Errorf("got %v", err)
	}
	execSQL(t, db, "UPDATE schema_migrations SET version = -1")
	if st := status(t, first, db); !st.Dirty || st.Version != "" || len(st.Unknown) != 0 || len(st.Pending) != 1 {
		t.Errorf("down to nothing, dirty: %+v", st)
	}
}

func TestOutOfOrder(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			all := simple(tool, abc...)
			gap := simple(tool, abc...)
			for name := range gap {
				if strings.Contains(name, "0002") {
					delete(gap, name)
				}
			}
			up(t, gap, db)
			st := status(t, all, db)
			applied, err := open(t, all).Up(t.Context(), db)
			switch tool {
			case Goose: // refuses
				var e *Error
				if versions(st.Pending) != "2" || !errors.As(err, &e) || e.File != "migrations/0002_step.sql" || !strings.Contains(err.Error(), "out-of-order") || !strings.Contains(err.Error(), "-allow-missing") {
					t.Errorf("got %v, %v", st.Pending, err)
				}
			case GolangMigrate: // never sees it
				if len(st.Pending) != 0 || err != nil || len(applied) != 0 {
					t.Errorf("got %v, %v, %v", st.Pending, applied, err)
				}
			case Dbmate: // applies it
				if versions(st.Pending) != "0002" || err != nil || versions(applied) != "0002" {
					t.Errorf("got %v, %v, %v", st.Pending, applied, err)
				}
			}
		})
	}
}

// golang-migrate records one version; when that has no file it does not know where it is.
func TestGolangMigrateLost(t *testing.T) {
	db := newDB(t)
	all := simple(GolangMigrate, append(abc, "CREATE TABLE d (id);")...)
	up(t, simple(GolangMigrate, abc...), db)
	delete(all, "migrations/0003_step.up.sql")
	delete(all, "migrations/0003_step.down.sql")
	applied, err := open(t, all).Up(t.Context(), db)
	if err == nil || len(applied) != 0 || !strings.Contains(err.Error(), "version 3") || !strings.Contains(err.Error(), "golang-migrate") {
		t.Errorf("got %v, %v", applied, err)
	}
}

const endless = `CREATE TABLE n (x);
INSERT INTO n VALUES (0);
INSERT INTO n WITH RECURSIVE c(x) AS (SELECT test_call('%s') UNION ALL SELECT x + 1 FROM c) SELECT x FROM c;`

func TestCancel(t *testing.T) {
	for _, tool := range tools {
		for _, journal := range []string{"DELETE", "WAL"} {
			t.Run(string(tool)+"/"+journal, func(t *testing.T) {
				db := newDB(t)
				execSQL(t, db, "PRAGMA journal_mode="+journal)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				calls.Store(t.Name(), func() { cancel() })
				files := simple(tool, "CREATE TABLE a (id);", fmt.Sprintf(endless, t.Name()), "CREATE TABLE c (id);")
				applied, err := open(t, files).Up(ctx, db) // ends only if the statement does
				var e *Error
				if !errors.Is(err, context.Canceled) || !errors.As(err, &e) {
					t.Fatalf("got %v, want context.Canceled in an Error", err)
				}
				if !strings.HasPrefix(e.File, "migrations/0002_step.") || e.Line != 3+map[Tool]int{Goose: 1, Dbmate: 1}[tool] {
					t.Errorf("got %s:%d: %v", e.File, e.Line, err)
				}
				if got := short(versions(applied)); got != "1" {
					t.Errorf("applied %s", got)
				}
				if got := query(t, db, "SELECT name FROM sqlite_schema WHERE name IN ('n', 'c')"); got != "" {
					t.Errorf("left %s", got)
				}
				st := status(t, files, db)
				if got := short(versions(st.Pending)); got != "2,3" || st.Dirty != (tool == GolangMigrate) {
					t.Errorf("pending %s, dirty %v", got, st.Dirty)
				}
			})
		}
	}
}

func TestCancelledBefore(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			applied, err := open(t, simple(tool, abc...)).Up(ctx, db)
			if !errors.Is(err, context.Canceled) || len(applied) != 0 {
				t.Errorf("got %v, %v", applied, err)
			}
			if got := query(t, db, "SELECT name FROM sqlite_schema WHERE name = 'a'"); got != "" {
				t.Errorf("made %s", got)
			}
			if st := status(t, simple(tool, abc...), db); st.Dirty {
				t.Error("dirty, with nothing begun")
			}
		})
	}
}

// A deadline that passes when a migration's last statement has run must leave it either recorded or undone.
func TestCancelAfterTheLastStatement(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			// Interrupting a statement takes another goroutine a moment; this one is over first, most times.
			calls.Store(t.Name(), func() { cancel() })
			files := simple(tool, "CREATE TABLE a (id);", "CREATE TABLE b (id);\nSELECT test_call('"+t.Name()+"');", "CREATE TABLE c (id);")
			applied, err := open(t, files).Up(ctx, db)
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			st := status(t, files, db)
			if tool != GolangMigrate && st.Dirty {
				t.Error("dirty")
			}
			made := query(t, db, "SELECT name FROM sqlite_schema WHERE name = 'b'") == "b"
			if recorded := len(st.Applied) == 2; recorded != made || len(applied) != len(st.Applied) {
				t.Errorf("made: %v; applied %v; status %+v", made, applied, st)
			}
		})
	}
}

// While another process holds the lock, Up waits, and can be stopped.
func TestCancelWhileLocked(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			up(t, simple(tool, abc[:1]...), db)
			other := sqlDB(t, db)
			if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			applied, err := open(t, simple(tool, abc...)).Up(ctx, db)
			if !errors.Is(err, context.DeadlineExceeded) || len(applied) != 0 {
				t.Errorf("got %v, %v; want the deadline, not the lock", applied, err)
			}
			if _, err := other.Exec("ROLLBACK"); err != nil {
				t.Fatal(err)
			}
			if got := short(versions(up(t, simple(tool, abc...), db))); got != "2,3" {
				t.Errorf("then applied %s", got)
			}
		})
	}
}

// Up goes on when the lock is let go.
func TestWaitsForLock(t *testing.T) {
	for _, tool := range tools {
		t.Run(string(tool), func(t *testing.T) {
			db := newDB(t)
			up(t, simple(tool, abc[:1]...), db)
			other := sqlDB(t, db)
			if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(200*time.Millisecond, func() { other.Exec("ROLLBACK") })
			defer timer.Stop()
			if got := short(versions(up(t, simple(tool, abc...), db))); got != "2,3" {
				t.Errorf("applied %s", got)
			}
		})
	}
}

// A run that fails leaves no goroutine, no open file, and prints nothing.
func TestNothingIsLeft(t *testing.T) {
	stdout, stderr := os.Stdout, os.Stderr
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	os.Stdout, os.Stderr = out, out
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()

	for _, tool := range tools {
		many := make([]string, 40)
		for i := range many {
			many[i] = fmt.Sprintf("CREATE TABLE t%d (id);", i)
		}
		many[3] = "CRATE;"
		db := newDB(t)
		before := runtime.NumGoroutine()
		if _, err := open(t, simple(tool, many...)).Up(t.Context(), db); err == nil {
			t.Fatal("no error")
		}
		other := newDB(t)
		if _, err := open(t, simple(tool, abc...)).Up(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
			runtime.Gosched()
		}
		if after := runtime.NumGoroutine(); after > before {
			buf := make([]byte, 1<<16)
			t.Errorf("%s: %d goroutines before, %d after\n%s", tool, before, after, buf[:runtime.Stack(buf, true)])
		}
		for _, name := range openFiles(t) {
			if strings.HasPrefix(name, db) || strings.HasPrefix(name, other) {
				t.Errorf("%s: still open: %s", tool, name)
			}
		}
	}
	if info, err := out.Stat(); err != nil || info.Size() > 0 {
		text, _ := os.ReadFile(out.Name())
		t.Errorf("printed %q, %v", text, err)
	}
}

// openFiles returns the names of the files that this process has open, where the system tells.
func openFiles(t *testing.T) []string {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		if runtime.GOOS == "linux" {
			t.Fatal(err)
		}
		return nil
	}
	var out []string
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			out = append(out, name)
		}
	}
	return out
}

// Many databases at once share nothing.
func TestParallel(t *testing.T) {
	for _, tool := range tools {
		set := open(t, simple(tool, abc...))
		for i := range 8 {
			t.Run(fmt.Sprint(tool, i), func(t *testing.T) {
				t.Parallel()
				db := newDB(t)
				if applied, err := set.Up(t.Context(), db); err != nil || len(applied) != 3 {
					t.Errorf("got %v, %v", applied, err)
				}
				if st, err := set.Status(t.Context(), db); err != nil || len(st.Applied) != 3 {
					t.Errorf("got %+v, %v", st, err)
				}
			})
		}
	}
}
