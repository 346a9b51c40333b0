package appdb_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
)

func TestOpenSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db := open(t, appdb.Config{}, path)
	if got := db.Path(); got != path {
		t.Errorf("Path() = %q, want %q", got, path)
	}
	for _, c := range []struct{ pragma, writer, reader string }{
		{"journal_mode", "wal", "wal"},
		{"synchronous", "1", "2"}, // of no consequence to a reader
		{"foreign_keys", "1", "1"},
		{"busy_timeout", "5000", "5000"},
		{"query_only", "0", "1"},
		{"locking_mode", "normal", "normal"},
	} {
		if got := value[string](t, db.Writer(), "PRAGMA "+c.pragma); got != c.writer {
			t.Errorf("writer: %s = %s, want %s", c.pragma, got, c.writer)
		}
		if got := value[string](t, db.Reader(), "PRAGMA "+c.pragma); got != c.reader {
			t.Errorf("reader: %s = %s, want %s", c.pragma, got, c.reader)
		}
	}
	if got := db.Writer().Stats().MaxOpenConnections; got != 1 {
		t.Errorf("writer connections = %d, want 1", got)
	}
	if got, want := db.Reader().Stats().MaxOpenConnections, max(8, 2*runtime.GOMAXPROCS(0)); got != want {
		t.Errorf("reader connections = %d, want %d", got, want)
	}
}

func TestOpenOptions(t *testing.T) {
	dir := t.TempDir()
	base := "file://" + dir + "/app.db"
	for _, c := range []struct {
		name, url, pragma, want string
		config                  appdb.Config
	}{
		{name: "config timeout", url: base, config: appdb.Config{BusyTimeout: 1500 * time.Microsecond}, pragma: "busy_timeout", want: "2"},
		{name: "url timeout wins", url: base + "?_timeout=70", config: appdb.Config{BusyTimeout: time.Second}, pragma: "busy_timeout", want: "70"},
		{name: "pragma timeout", url: base + "?_pragma=busy_timeout(80)", pragma: "busy_timeout", want: "80"},
		{name: "no timeout", url: base + "?_busy_timeout=0", pragma: "busy_timeout", want: "0"},
		{name: "foreign keys off", url: base + "?_fk=0", pragma: "foreign_keys", want: "0"},
		{name: "synchronous full", url: base + "?_sync=2", pragma: "synchronous", want: "2"},
		{name: "cache size", url: base + "?_pragma=cache_size(-20000)", pragma: "cache_size", want: "-20000"},
		{name: "temp store", url: base + "?_pragma=temp_store=2", pragma: "temp_store", want: "2"},
		{name: "secure delete", url: base + "?_secure_delete=fast", pragma: "secure_delete", want: "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t, c.config, c.url)
			if got := value[string](t, db.Writer(), "PRAGMA "+c.pragma); got != c.want {
				t.Errorf("%s = %s, want %s", c.pragma, got, c.want)
			}
		})
	}
	if db := open(t, appdb.Config{Readers: 3}, base); db.Reader().Stats().MaxOpenConnections != 3 {
		t.Errorf("Readers: 3 gives %d connections", db.Reader().Stats().MaxOpenConnections)
	}
}

// Every pragma that is passed on must be one that SQLite takes in that
// spelling: it ignores those it does not know.
func TestOpenPassesPragmasOn(t *testing.T) {
	base := "file://" + t.TempDir() + "/app.db"
	for pragma, want := range map[string]string{
		"analysis_limit(100)": "100", "automatic_index(off)": "0", "cache_size(123)": "123",
		"cell_size_check(on)": "1", "checkpoint_fullfsync(on)": "1", "fullfsync(on)": "1",
		"journal_size_limit(4096)": "4096", "legacy_alter_table(on)": "1", "max_page_count(5000)": "5000",
		"recursive_triggers(on)": "1", "reverse_unordered_selects(on)": "1", "threads(2)": "2",
		"trusted_schema(off)": "0", "wal_autocheckpoint(77)": "77", "mmap_size(65536)": "65536",
		"temp_store(file)": "1", "secure_delete(on)": "1",
	} {
		db := open(t, appdb.Config{}, base+"?_pragma="+pragma)
		name, _, _ := strings.Cut(pragma, "(")
		if got := value[string](t, db.Writer(), "PRAGMA "+name); got != want {
			t.Errorf("%s: %s = %s, want %s", pragma, name, got, want)
		}
	}
	// This one cannot be read back.
	db := open(t, appdb.Config{}, base+"?_cslike=on")
	if value[bool](t, db.Reader(), "SELECT 'a' LIKE 'A'") {
		t.Error("case_sensitive_like is lost")
	}
}

func TestConfigOutOfRange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	for want, c := range map[string]appdb.Config{
		"Config.Readers is -1":         {Readers: -1},
		"Config.BusyTimeout is -1s":    {BusyTimeout: -time.Second},
		"Config.BusyTimeout is 1000h0": {BusyTimeout: 1000 * time.Hour},
	} {
		if _, err := c.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", c, err, want)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused Config left a file: %v", err)
	}
}

// The file that is created must be the one that was named, character for
// character, and nothing else.
func TestOpenCreatesTheFileNamed(t *testing.T) {
	for _, name := range []string{
		"app.db", "my app.db", "what?.db", "a?b=c&d.db", "#1.db", "100%.db", "a%20b.db", "a+b.db", "日本.db",
		"a:b.db", "it's.db", `back\slash.db`, `"quoted".db`, "a;b.db", "a=b&_c.db", "[x].db", "file:x", ":memory:", "\xffbytes.db",
	} {
		dir := t.TempDir()
		db, err := appdb.Open(t.Context(), filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		exec(t, db.Writer(), "CREATE TABLE t (v)")
		if err := db.Close(); err != nil {
			t.Errorf("%q: Close: %v", name, err)
		}
		if got, want := files(t, dir), []string{name}; !slices.Equal(got, want) {
			t.Errorf("files are %q, want %q", got, want)
		}
	}
}

// A relative path means the directory in which Open was called, for every
// connection made later.
func TestOpenRelativePath(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	t.Chdir(dir)
	db := open(t, appdb.Config{}, "file:app.db")
	exec(t, db.Writer(), "CREATE TABLE t (v)")
	t.Chdir(elsewhere)
	db.Reader().SetMaxIdleConns(-1) // connect anew
	if n := value[int](t, db.Reader(), "SELECT count(*) FROM t"); n != 0 {
		t.Errorf("count = %d", n)
	}
	if got, want := db.Path(), filepath.Join(dir, "app.db"); got != want {
		t.Errorf("Path() = %q, want %q", got, want)
	}
	if got := files(t, elsewhere); len(got) != 0 {
		t.Errorf("files in the new working directory: %q", got)
	}
}

func TestOpenRefusesFiles(t *testing.T) {
	text := []byte("Dear diary,\nthis is not a database.\n")
	long := bytes.Repeat(text, 300)
	damaged := damagedDatabase(t)
	for _, c := range []struct {
		name    string
		content []byte // nil: no file
		mkdir   bool
		url     string // %s is the directory
		wantErr error
		code    int
		want    []string
	}{
		{name: "short text file", content: text, url: "%s/app.db", code: 26, want: []string{"not an SQLite database", "left as it is"}},
		{name: "long text file", content: long, url: "%s/app.db", code: 26, want: []string{"not an SQLite database"}},
		{name: "text file, read only", content: text, url: "file://%s/app.db?mode=ro", code: 26, want: []string{"not an SQLite database"}},
		{name: "zeros", content: make([]byte, 8192), url: "%s/app.db", code: 26, want: []string{"not an SQLite database"}},
		{name: "damaged", content: damaged, url: "%s/app.db", code: 11, want: []string{"it is damaged", "backup", ".recover"}},
		{name: "directory", mkdir: true, url: "%s/app.db", want: []string{"this is a directory"}},
		{name: "missing directory", url: "%s/no/app.db", wantErr: fs.ErrNotExist, want: []string{"directory does not exist", "Fly.io", "mount a volume"}},
		{name: "variable", url: "%s/$DATA/app.db", wantErr: fs.ErrNotExist, want: []string{"not expanded"}},
		{name: "file as directory", content: text, url: "%s/app.db/x.db", want: []string{"app.db is not a directory"}},
		{name: "mode rw without a file", url: "file://%s/app.db?mode=rw", wantErr: fs.ErrNotExist, want: []string{"mode=rw", "must exist"}},
		{name: "mode ro without a file", url: "file://%s/app.db?mode=ro", wantErr: fs.ErrNotExist, want: []string{"mode=ro", "must exist"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.db")
			if c.content != nil {
				if err := os.WriteFile(path, c.content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.mkdir {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			before := files(t, dir)
			_, err := appdb.Open(t.Context(), strings.ReplaceAll(c.url, "%s", dir))
			if err == nil {
				t.Fatal("Open succeeded")
			}
			if c.wantErr != nil && !errors.Is(err, c.wantErr) {
				t.Errorf("%v; want it to be %v", err, c.wantErr)
			}
			if got := code(err); got != c.code {
				t.Errorf("code %d, want %d: %v", got, c.code, err)
			}
			for _, want := range append(c.want, "open database "+dir) {
				if strings.Count(err.Error(), want) != 1 {
					t.Errorf("%v\nwant it to contain %q once", err, want)
				}
			}
			if got := files(t, dir); !slices.Equal(got, before) {
				t.Errorf("files were %q and are %q", before, got)
			}
			if c.content != nil {
				if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, c.content) {
					t.Errorf("the file was changed (%v)", err)
				}
			}
		})
	}
}

// damagedDatabase returns a database whose header is right and whose schema is
// not.
func damagedDatabase(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := appdb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db.Writer(), "CREATE TABLE t (v)")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < 4096; i++ {
		b[i] = 0xa5
	}
	return b
}

// SQLite deletes a log that has no database. It may hold the only copy.
func TestOpenKeepsAnOrphanedLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	db := open(t, appdb.Config{}, path)
	exec(t, db.Writer(), "CREATE TABLE t (v)")
	wal, err := os.ReadFile(path + "-wal")
	if err != nil || len(wal) == 0 {
		t.Fatalf("no log to test with: %v", err)
	}
	for name, content := range map[string][]byte{"missing": nil, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.db")
			if err := os.WriteFile(path+"-wal", wal, 0o600); err != nil {
				t.Fatal(err)
			}
			if content != nil {
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := appdb.Open(t.Context(), path)
			if err == nil || !strings.Contains(err.Error(), path+"-wal") || !strings.Contains(err.Error(), "missing or empty") {
				t.Errorf("Open = %v", err)
			}
			if got, err := os.ReadFile(path + "-wal"); err != nil || !bytes.Equal(got, wal) {
				t.Errorf("the log was changed (%v)", err)
			}
		})
	}
	// Another process may create the file and fill its log between two looks.
	if err := appdb.CheckOrphan(path); err != nil {
		t.Errorf("a log beside its database is refused: %v", err)
	}
	// An empty log is what a reader leaves behind: nothing is lost with it.
	other := filepath.Join(t.TempDir(), "app.db")
	if err := os.WriteFile(other+"-wal", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, appdb.Config{}, other)
}

func TestModeRO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	w := open(t, appdb.Config{}, path)
	exec(t, w.Writer(), "CREATE TABLE t (v)")
	exec(t, w.Writer(), "INSERT INTO t VALUES ('a')")

	ro := open(t, appdb.Config{}, "file://"+path+"?mode=ro")
	if got := value[string](t, ro.Reader(), "SELECT v FROM t"); got != "a" {
		t.Errorf("read %q", got)
	}
	if got := value[string](t, ro.Writer(), "SELECT v FROM t"); got != "a" {
		t.Errorf("read %q through the writer", got)
	}
	_, err := ro.Writer().ExecContext(t.Context(), "INSERT INTO t VALUES ('b')")
	if code(err) != 8 {
		t.Errorf("insert: %v; want code 8", err)
	}
	err = ro.Update(t.Context(), insert("b"))
	if code(err) != 8 || !strings.Contains(err.Error(), "mode=ro") {
		t.Errorf("Update: %v; want code 8 and a word on mode=ro", err)
	}
	if n := value[int](t, w.Reader(), "SELECT count(*) FROM t"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// mode=ro takes a file as it is: one in another journal mode stays in it.
func TestModeROLeavesTheJournalModeAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := appdb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db.Writer(), "CREATE TABLE t (v)")
	db.Reader().SetMaxIdleConns(-1) // or they would hold the change up
	if got := value[string](t, db.Writer(), "PRAGMA journal_mode=DELETE"); got != "delete" {
		t.Fatalf("journal mode %q", got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ro, err := appdb.Open(t.Context(), "file://"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	if got := value[string](t, ro.Reader(), "PRAGMA journal_mode"); got != "delete" {
		t.Errorf("journal mode %q, want delete", got)
	}
	if err := ro.Close(); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("mode=ro changed the file (%v)", err)
	}
	// Opened for writing it becomes WAL, and keeps its rows.
	rw := open(t, appdb.Config{}, path)
	if got := value[string](t, rw.Reader(), "PRAGMA journal_mode"); got != "wal" {
		t.Errorf("journal mode %q, want wal", got)
	}
}

// A file that disappears under a running app must not come back empty.
func TestConnectDoesNotRecreateTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	db := open(t, appdb.Config{}, path)
	db.Reader().SetMaxIdleConns(-1) // drop the open connections
	db.Writer().SetMaxIdleConns(-1)
	for _, name := range files(t, dir) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	err := db.Update(t.Context(), insert("a"))
	if code(err) != 14 || !strings.Contains(err.Error(), "the file does not exist") {
		t.Errorf("Update: %v; want code 14", err)
	}
	if err := db.View(t.Context(), nil); code(err) != 14 {
		t.Errorf("View: %v; want code 14", err)
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("files: %q, want none", got)
	}
}

func TestClose(t *testing.T) {
	dir := t.TempDir()
	db, err := appdb.Open(t.Context(), filepath.Join(dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db.Writer(), "CREATE TABLE t (v)")
	for i := range 2 {
		if err := db.Close(); err != nil {
			t.Errorf("Close %d: %v", i+1, err)
		}
	}
	if got, want := files(t, dir), []string{"app.db"}; !slices.Equal(got, want) {
		t.Errorf("files: %q, want %q", got, want)
	}
	for name, err := range map[string]error{
		"View":   db.View(t.Context(), nil),
		"Update": db.Update(t.Context(), nil),
		"Reader": db.Reader().PingContext(t.Context()),
		"Writer": db.Writer().PingContext(t.Context()),
	} {
		if err == nil || !strings.Contains(err.Error(), "database is closed") {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// Opening and closing alone leaves no -wal and -shm behind either.
func TestCloseWithoutUse(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		db, err := appdb.Open(t.Context(), filepath.Join(dir, "app.db"))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if got, want := files(t, dir), []string{"app.db"}; !slices.Equal(got, want) {
			t.Errorf("files after time %d: %q, want %q", i+1, got, want)
		}
	}
}

// Transactions that are running when Close is called end as they would have.
func TestCloseWhileTransactionsRun(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	db, err := appdb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db.Writer(), "CREATE TABLE t (v)")
	ctx := context.Background()
	read, err := db.Reader().BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, read, "SELECT count(*) FROM t"); n != 0 {
		t.Errorf("%d rows", n)
	}
	write, err := db.Writer().BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, write, "INSERT INTO t VALUES (1)")

	if err := db.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	exec(t, write, "INSERT INTO t VALUES (2)")
	if n := value[int](t, read, "SELECT count(*) FROM t"); n != 0 {
		t.Errorf("the reader sees %d rows", n)
	}
	if err := read.Commit(); err != nil {
		t.Errorf("read: %v", err)
	}
	if err := write.Commit(); err != nil {
		t.Errorf("write: %v", err)
	}
	if got, want := files(t, dir), []string{"app.db"}; !slices.Equal(got, want) {
		t.Errorf("files after the last transaction: %q, want %q", got, want)
	}
	again := open(t, appdb.Config{}, path)
	if n := value[int](t, again.Reader(), "SELECT count(*) FROM t"); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

func TestOpenObeysItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := appdb.Open(ctx, filepath.Join(t.TempDir(), "app.db")); !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want context.Canceled", err)
	}
}

// The way to copy a database that docs/database.md gives. Readers cannot, since
// SQLite counts it as writing.
func TestVacuumInto(t *testing.T) {
	db := openNew(t)
	exec(t, db.Writer(), "INSERT INTO t (v) VALUES ('a')")
	copied := filepath.Join(t.TempDir(), "it's a copy.db")
	exec(t, db.Writer(), "VACUUM INTO ?", copied)
	if got := rows(t, open(t, appdb.Config{}, copied)); got != "a" {
		t.Errorf("the copy has rows %q, want a", got)
	}
}
