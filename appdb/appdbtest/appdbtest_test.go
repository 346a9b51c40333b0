package appdbtest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/appdb/appdbtest"
)

// guestbook is a goose directory as go:embed hands it over.
var guestbook = fstest.MapFS{
	"migrations/00001_guests.sql": {Data: []byte(`-- +goose Up
CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, signed_at DATETIME NOT NULL);
-- +goose Down
DROP TABLE guests;
`)},
	"migrations/00002_visits.sql": {Data: []byte(`-- +goose Up
CREATE TABLE visits (n INTEGER NOT NULL);
INSERT INTO visits VALUES (0);
-- +goose Down
DROP TABLE visits;
`)},
}

func count(t testing.TB, db *appdb.DB, from string) int {
	t.Helper()
	var n int
	if err := db.Reader().QueryRow("SELECT count(*) FROM " + from).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNew(t *testing.T) {
	a, b := appdbtest.New(t, guestbook), appdbtest.New(t, guestbook)
	if a.Path() == b.Path() {
		t.Fatalf("two databases in one file, %s", a.Path())
	}
	if _, err := a.Writer().Exec("INSERT INTO guests (name, signed_at) VALUES ('Ada', '2026-01-02 03:04:05+00:00')"); err != nil {
		t.Fatal(err)
	}
	if n := count(t, a, "guests"); n != 1 {
		t.Errorf("%d guests in the first, want 1", n)
	}
	if n := count(t, b, "guests"); n != 0 {
		t.Errorf("%d guests in the second, want 0", n)
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "0", "foreign_keys": "1"} {
		var got string
		if err := a.Writer().QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", pragma, got, err, want)
		}
	}
}

func TestNewEmpty(t *testing.T) {
	db := appdbtest.New(t, nil)
	if n := count(t, db, "sqlite_schema"); n != 0 {
		t.Errorf("%d objects in an empty database", n)
	}
	if _, err := db.Writer().Exec("CREATE TABLE t (v)"); err != nil {
		t.Error(err)
	}
}

func TestNewFromDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, guestbook); err != nil {
		t.Fatal(err)
	}
	for name, fsys := range map[string]fs.FS{"parent": os.DirFS(dir), "itself": os.DirFS(filepath.Join(dir, "migrations"))} {
		t.Run(name, func(t *testing.T) {
			if n := count(t, appdbtest.New(t, fsys), "visits"); n != 1 {
				t.Errorf("%d rows in visits, want 1", n)
			}
		})
	}
}

// Migrations that have changed are other migrations, even under one name.
func TestNewDistinguishesContent(t *testing.T) {
	for i := range 3 {
		name := fmt.Sprintf("t%d", i)
		db := appdbtest.New(t, fstest.MapFS{"migrations/00001_x.sql": {
			Data: []byte("-- +goose Up\nCREATE TABLE " + name + " (v);\n-- +goose Down\nDROP TABLE " + name + ";\n"),
		}})
		if n := count(t, db, name); n != 0 {
			t.Errorf("%d rows in %s", n, name)
		}
		if n := count(t, db, "sqlite_schema WHERE name GLOB 't[0-9]'"); n != 1 {
			t.Errorf("%d tables, want 1", n)
		}
	}
}

// counting counts how often SQL files are opened.
type counting struct {
	fs.FS
	mu    sync.Mutex
	reads int
}

func (c *counting) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".sql") {
		c.mu.Lock()
		c.reads++
		c.mu.Unlock()
	}
	return c.FS.Open(name)
}

// The migrations run once; after that their content is only compared.
func TestNewMigratesOnce(t *testing.T) {
	// Content that no earlier run in this process (go test -count) had.
	unique := fmt.Sprintf("-- %d\n", time.Now().UnixNano())
	fsys := &counting{FS: fstest.MapFS{"migrations/00001_once.sql": {
		Data: []byte("-- +goose Up\n" + unique + "CREATE TABLE once (v);\n-- +goose Down\nDROP TABLE once;\n"),
	}}}
	appdbtest.New(t, fsys)
	first := fsys.reads
	appdbtest.New(t, fsys)
	if again := fsys.reads - first; first < 2 || again != 1 {
		t.Errorf("the file was read %d times at first and %d times then; want it migrated, then hashed only", first, again)
	}
}

// 64 tests at once, each writing from several goroutines, as fast as they can.
func TestParallelTestsNeverSeeALock(t *testing.T) {
	for i := range 64 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			db := appdbtest.New(t, guestbook)
			const writers, each = 4, 5
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for range each {
						err := db.Update(t.Context(), func(tx *sql.Tx) error {
							var n int
							if err := tx.QueryRow("SELECT n FROM visits").Scan(&n); err != nil {
								return err
							}
							_, err := tx.Exec("UPDATE visits SET n = ?", n+1)
							return err
						})
						if err != nil {
							t.Errorf("writer %d: %v", w, err)
						}
						if n := count(t, db, "visits"); n != 1 {
							t.Errorf("%d rows in visits", n)
						}
					}
				})
			}
			wg.Wait()
			var n int
			if err := db.Reader().QueryRow("SELECT n FROM visits").Scan(&n); err != nil || n != writers*each {
				t.Errorf("visits = %d, %v; want %d", n, err, writers*each)
			}
		})
	}
}

// recorder is a testing.TB for what New does to a test: TempDir, Cleanup and
// failing.
type recorder struct {
	testing.TB
	dir      string
	cleanups []func()
	failed   string
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) TempDir() string {
	dir, err := os.MkdirTemp(r.dir, "")
	if err != nil {
		return r.dir
	}
	return dir
}
func (r *recorder) Errorf(format string, args ...any) {
	r.failed += fmt.Sprintf(format, args...)
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// run calls f as a test would be called.
func (r *recorder) run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (r *recorder) end() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func TestNewClosesWithTheTest(t *testing.T) {
	r := &recorder{dir: t.TempDir()}
	var db *appdb.DB
	r.run(func() { db = appdbtest.New(r, guestbook) })
	if db == nil {
		t.Fatal(r.failed)
	}
	if err := db.View(context.Background(), func(*sql.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	r.end()
	if err := db.View(context.Background(), func(*sql.Tx) error { return nil }); err == nil {
		t.Error("the database is open after the test")
	}
	if r.failed != "" {
		t.Error(r.failed)
	}
	// Closed already by the test: no harm.
	r = &recorder{dir: t.TempDir()}
	r.run(func() {
		db := appdbtest.New(r, nil)
		if err := db.Close(); err != nil {
			r.Errorf("%v", err)
		}
	})
	r.end()
	if r.failed != "" {
		t.Error(r.failed)
	}
}

type brokenFS struct{}

func (brokenFS) Open(string) (fs.File, error) { return nil, errors.New("disk on fire") }

func TestNewFailsTheTest(t *testing.T) {
	for name, c := range map[string]struct {
		fsys fs.FS
		dir  string
		want string
	}{
		"bad migration": {dir: t.TempDir(), want: "00002_bad.sql", fsys: fstest.MapFS{
			"migrations/00001_ok.sql":  {Data: []byte("-- +goose Up\nCREATE TABLE t (v);\n-- +goose Down\nDROP TABLE t;\n")},
			"migrations/00002_bad.sql": {Data: []byte("-- +goose Up\nCREATE TABEL u (v);\n-- +goose Down\nDROP TABLE u;\n")},
		}},
		"no migrations":   {dir: t.TempDir(), fsys: fstest.MapFS{"readme.txt": {}}, want: "appdbtest: "},
		"unreadable":      {dir: t.TempDir(), fsys: brokenFS{}, want: "disk on fire"},
		"no such tempdir": {dir: filepath.Join(t.TempDir(), "gone"), fsys: guestbook, want: "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // and every test after the first, too
				r := &recorder{dir: c.dir}
				r.run(func() { appdbtest.New(r, c.fsys) })
				r.end()
				if !strings.Contains(r.failed, c.want) || !strings.HasPrefix(r.failed, "appdbtest: ") {
					t.Errorf("the test failed with %q, want %q", r.failed, c.want)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	appdbtest.New(b, guestbook) // migrate
	for b.Loop() {
		r := &recorder{dir: b.TempDir()}
		appdbtest.New(r, guestbook)
		r.end()
		if r.failed != "" {
			b.Fatal(r.failed)
		}
	}
}
