package appdb_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/engine"
)

// fillT makes a table with one row, of the given value.
func fillT(v string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE t(v TEXT); INSERT INTO t VALUES ('"+v+"')")
		return err
	}
}

// openLocal opens a local database, reads its one value, and closes it; log is what
// was told meanwhile.
func openLocal(t *testing.T, l appdb.Local) (v, log string) {
	t.Helper()
	var told bytes.Buffer
	l.Logger = slog.New(slog.NewTextHandler(&told, nil))
	db, err := l.Open(t.Context(), "cache.db")
	if err != nil {
		t.Fatal(err)
	}
	v = value[string](t, db.Reader(), "SELECT v FROM t")
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	return v, told.String()
}

// What cannot be used is thrown away, said so, and filled anew; what can is kept.
func TestLocal(t *testing.T) {
	t.Parallel()
	made := filepath.Join(t.TempDir(), "made")
	openLocal(t, appdb.Local{Dir: made, Fill: fillT("old")})
	whole, err := os.ReadFile(filepath.Join(made, "cache.db"))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int, with string) []byte {
		b := bytes.Clone(whole)
		copy(b[at:], with)
		return b
	}
	for _, tt := range []struct {
		what string
		file []byte // nil: none
		wal  []byte
		l    appdb.Local
		why  string // "": it is kept
	}{
		{what: "the same", file: whole},
		{what: "no file", l: appdb.Local{Fill: fillT("new")}, why: "-"},
		{what: "an empty one", file: []byte{}, l: appdb.Local{Fill: fillT("new")}, why: "-"},
		{what: "a log alone", wal: []byte("x"), why: "write-ahead log is there"},
		{what: "no database", file: []byte(strings.Repeat("nonsense", 1000)), why: "file is not a database"},
		{what: "a broken page", file: changed(4096, strings.Repeat("\xff", 200)), why: "it is damaged"},
		{what: "a broken schema", file: changed(100, "\x00\x00\x00"), why: "malformed"},
		{what: "of a later SQLite", file: changed(19, "\x09"), why: "not a database"},
		{what: "half of it", file: whole[:4096], why: "malformed"},
		{what: "less than a header", file: whole[:50], why: "malformed"},
		{what: "another version", file: whole, l: appdb.Local{Version: 7}, why: "filled as version 0, and this program fills it as version 7"},
		{what: "not filled", file: changed(60, "\x00\x00\x00\x00"), why: "tables that Fill has not made"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			tt.l.Dir, tt.l.Fill = t.TempDir(), fillT("new")
			path := filepath.Join(tt.l.Dir, "cache.db")
			for file, data := range map[string][]byte{path + ".local": {}, path: tt.file, path + "-wal": tt.wal} {
				if data == nil {
					continue
				}
				if err := os.WriteFile(file, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want := "new"
			if tt.why == "" {
				want = "old"
			}
			got, log := openLocal(t, tt.l)
			if got != want {
				t.Errorf("it holds %q, want %q", got, want)
			}
			if told := strings.Contains(log, "thrown away"); told != (len(tt.why) > 1) || told && !strings.Contains(log, tt.why) {
				t.Errorf("told %q, want %q", log, tt.why)
			}
			if got, log := openLocal(t, tt.l); got != want || log != "" {
				t.Errorf("then it holds %q, and told %q", got, log)
			}
		})
	}
}

// damagedLocal writes one that is no database.
func damagedLocal(t *testing.T, dir string) {
	t.Helper()
	for file, data := range map[string][]byte{"cache.db.local": nil, "cache.db": bytes.Repeat([]byte("x"), 5000)} {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The app's own database, named by mistake, is never thrown away: neither for what is
// in it, nor for damage, nor what was left of it.
func TestLocalOfAnother(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what  string
		spoil func(path string) error
		left  string
	}{
		{"whole", func(string) error { return nil }, ""},
		{"damaged", func(path string) error { return os.WriteFile(path, []byte("nonsense"), 0o600) }, ""},
		{"its log alone", func(path string) error {
			return errors.Join(os.WriteFile(path+"-wal", []byte("rows"), 0o600), os.Remove(path))
		}, "-wal"},
		{"its journal alone", func(path string) error {
			return errors.Join(os.WriteFile(path+"-journal", []byte("rows"), 0o600), os.Remove(path))
		}, "-journal"},
	} {
		path := filepath.Join(t.TempDir(), "app.db")
		db, err := appdb.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, db.Writer(), "CREATE TABLE accounts (name)")
		if err := errors.Join(db.Close(), tt.spoil(path)); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path + tt.left)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the first try makes nothing that the second one could take for its own
			db, err := appdb.Local{Dir: filepath.Dir(path), Version: 3, Fill: fillT("new")}.Open(t.Context(), "app.db")
			if err == nil {
				err = db.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "was not made by OpenLocal") {
				t.Errorf("%s: %v, want a refusal", tt.what, err)
			}
		}
		if after, err := os.ReadFile(path + tt.left); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: it was changed (%v)", tt.what, err)
		}
	}
}

// Who has one open that is thrown away does no harm to the one that was made anew:
// neither with what it writes nor when it closes its own.
func TestLocalThrownAwayWhileOpen(t *testing.T) {
	t.Parallel()
	l := appdb.Local{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Fill: fillT("old")}
	was, err := l.Open(t.Context(), "cache.db")
	if err != nil {
		t.Fatal(err)
	}
	l.Version, l.Fill = 1, fillT("new")
	is, err := l.Open(t.Context(), "cache.db")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, was.Writer(), "INSERT INTO t VALUES ('lost')")
	exec(t, is.Writer(), "INSERT INTO t VALUES ('kept')")
	if err := was.Close(); err != nil {
		t.Error(err)
	}
	exec(t, is.Writer(), "INSERT INTO t VALUES ('kept')")
	if err := is.Close(); err != nil {
		t.Error(err)
	}
	is, err = l.Open(t.Context(), "cache.db")
	if err != nil {
		t.Fatal(err)
	}
	defer is.Close()
	intact(t, is)
	if got := value[string](t, is.Reader(), "SELECT group_concat(v) FROM t"); got != "new,kept,kept" {
		t.Errorf("it holds %s", got)
	}
}

// One without Fill may be opened by a second process before anything is in it.
func TestLocalEmptyTwice(t *testing.T) {
	t.Parallel()
	var told bytes.Buffer
	l := appdb.Local{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&told, nil))}
	for range 3 {
		db, err := l.Open(t.Context(), "cache.db")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
	}
	if told.Len() > 0 {
		t.Errorf("told %s", told.String())
	}
}

// A Fill that fails leaves nothing, and is called again.
func TestLocalFillFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the source is away")
	l := appdb.Local{Dir: t.TempDir(), Fill: func(ctx context.Context, tx *sql.Tx) error {
		return errors.Join(fillT("half")(ctx, tx), broken)
	}}
	if _, err := l.Open(t.Context(), "cache.db"); !errors.Is(err, broken) {
		t.Fatalf("%v, want what Fill said", err)
	}
	l.Fill = fillT("new")
	if got, log := openLocal(t, l); got != "new" || log != "" {
		t.Errorf("it holds %q, and told %q", got, log)
	}
}

// Of many that open a damaged file at once, one fills it.
func TestLocalAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	damagedLocal(t, dir)
	var filled int // under the lock of the file
	l := appdb.Local{Dir: dir, Logger: slog.New(slog.DiscardHandler), Fill: func(ctx context.Context, tx *sql.Tx) error {
		filled++
		return fillT("new")(ctx, tx)
	}}
	dbs := make([]*appdb.DB, 8)
	var all sync.WaitGroup
	for i := range dbs {
		all.Go(func() {
			var err error
			if dbs[i], err = l.Open(t.Context(), "cache.db"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, db := range dbs {
		if db == nil {
			continue
		}
		exec(t, db.Writer(), "INSERT INTO t VALUES (?)", i)
		defer func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	if dbs[0] != nil {
		if n := value[int](t, dbs[0].Reader(), "SELECT count(*) FROM t"); n != len(dbs)+1 || filled != 1 {
			t.Errorf("%d rows, filled %d times; want %d and 1", n, filled, len(dbs)+1)
		}
	}
}

// A wait for another that fills it ends with ctx.
func TestLocalWait(t *testing.T) {
	t.Parallel()
	l := appdb.Local{Dir: t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	l.Fill = func(context.Context, *sql.Tx) error {
		cancel()
		if _, err := (appdb.Local{Dir: l.Dir}).Open(ctx, "cache.db"); !errors.Is(err, context.Canceled) {
			t.Errorf("a second one: %v, want a context that was cancelled", err)
		}
		return nil
	}
	db, err := l.Open(t.Context(), "cache.db")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestLocalRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "taken.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, filepath.Join(dir, "link.db")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		l    appdb.Local
		want string
	}{
		{"", appdb.Local{}, "name of a file alone"},
		{"..", appdb.Local{}, "name of a file alone"},
		{"../x.db", appdb.Local{}, "name of a file alone"},
		{"/x.db", appdb.Local{}, "name of a file alone"},
		{"x.db?mode=memory", appdb.Local{}, "name of a file alone"},
		{"x.db\n", appdb.Local{}, "name of a file alone"},
		{"x.db-wal", appdb.Local{}, "belongs to another file"},
		{"x.db.local", appdb.Local{}, "belongs to another file"},
		{"x.db", appdb.Local{Version: -1}, "Local.Version is -1"},
		{"x.db", appdb.Local{Config: appdb.Config{Engine: replicaOf("b")}}, "leave Config.Engine nil"},
		{"x.db", appdb.Local{Dir: file}, "set FLYSQL_LOCAL_DIR"},
		{"taken.db", appdb.Local{}, "taken.db is not a file of its own"},
		{"link.db", appdb.Local{}, "link.db is not a file of its own"},
	} {
		if tt.l.Dir == "" {
			tt.l.Dir = dir
		}
		db, err := tt.l.Open(t.Context(), tt.name)
		if err == nil {
			err = db.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// Where it is: by the variable, else in the user's cache, of this program here.
func TestLocalDir(t *testing.T) {
	told, home := t.TempDir(), t.TempDir()
	for _, tt := range []struct{ env, want string }{
		{filepath.Join(told, "made too"), filepath.Join(told, "made too", "cache.db")},
		{"", filepath.Join(home, "flysql", "*-????????", "cache.db")},
	} {
		t.Setenv(appdb.LocalDirVariable, tt.env)
		t.Setenv("XDG_CACHE_HOME", home)
		t.Setenv("HOME", home)
		db, err := appdb.OpenLocal(t.Context(), "cache.db")
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := filepath.Match(tt.want, strings.Replace(db.Path(), filepath.Join("Library", "Caches")+"/", "", 1)); err != nil || !ok {
			t.Errorf("%q: it is %s, want %s (%v)", tt.env, db.Path(), tt.want, err)
		}
		if info, err := os.Stat(filepath.Dir(db.Path())); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("its directory: %v, %v", info, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Setenv(appdb.LocalDirVariable, "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if _, err := appdb.OpenLocal(t.Context(), "cache.db"); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "set FLYSQL_LOCAL_DIR") {
		t.Errorf("without a home: %v", err)
	}
}

// quiet is a witness that must hear nothing.
type quiet struct{ t *testing.T }

func (q quiet) Refused(err error) { q.t.Errorf("refused: %v", err) }
func (q quiet) Committed()        { q.t.Error("committed") }

// A write to it in a request is none of the replicated database's: no router is told.
func TestLocalHasNoWitness(t *testing.T) {
	t.Parallel()
	db, err := appdb.Local{Dir: t.TempDir(), Fill: fillT("new")}.Open(t.Context(), "cache.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := engine.WithWitness(t.Context(), quiet{t})
	if err := db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM t")
		return err
	}); err != nil {
		t.Error(err)
	}
}
