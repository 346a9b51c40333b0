package entrypoint

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A file that is no sound database stops the boot, and not a byte of it changes.
func TestUnsoundDatabase(t *testing.T) {
	sound := func(t *testing.T) []byte {
		path := filepath.Join(t.TempDir(), "x.db")
		makeDB(t, path, 2000)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	tests := []struct {
		name string
		make func(t *testing.T) []byte
		code int
		want string
	}{
		{"text", func(*testing.T) []byte { return []byte("id,name\n1,Ada\n") }, 78, "is not an SQLite database: it begins with \\\"id,name"},
		{"other bytes", func(*testing.T) []byte { return bytes.Repeat([]byte{0xff, 0}, 4096) }, 78, "the bytes ff 00"},
		{"shorter than a header", func(*testing.T) []byte { return []byte("SQLi") }, 78, "is not an SQLite database"},
		{"header only", func(t *testing.T) []byte { return sound(t)[:100] }, 1, "is damaged"},
		{"cut off", func(t *testing.T) []byte { d := sound(t); return d[:len(d)/2] }, 1, "is damaged"},
		{"schema overwritten", func(t *testing.T) []byte {
			d := sound(t)
			copy(d[100:], bytes.Repeat([]byte{0xaa}, 3000))
			return d
		}, 1, "is damaged"},
		{"page overwritten", func(t *testing.T) []byte {
			d := sound(t)
			copy(d[5*4096:], bytes.Repeat([]byte{0x55}, 4096))
			return d
		}, 1, "is damaged"},
	}
	tree, _, _ := tools[0].write(createA)
	migrations := files(t, tree)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := filepath.Join(t.TempDir(), "app.db")
			data := tt.make(t)
			if err := os.WriteFile(db, data, 0o644); err != nil {
				t.Fatal(err)
			}
			r := entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + migrations}, app: []string{"sh", "-c", "echo ran"}}.run(t).expect(t, tt.code)
			contains(t, r.stderr, tt.want, `"hint":`)
			if r.stdout != "" {
				t.Errorf("the app ran: %q", r.stdout)
			}
			if after, err := os.ReadFile(db); err != nil || !bytes.Equal(after, data) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

func TestNotAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "app.db"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := entry{db: filepath.Join(dir, "app.db"), app: []string{"true"}}.run(t).expect(t, 78)
	contains(t, r.stderr, "is not a file but a directory")
}

// What a crash left in -wal or -journal is there after the boot.
func TestLeftoverJournals(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db := crashed(t, dir, mode)
			r := entry{db: db, app: []string{"true"}}.run(t).expect(t, 0)
			contains(t, r.text("check", "recovered"), map[string]string{"WAL": "wal", "DELETE": "journal"}[mode])
			if got := query(t, db, "SELECT count(*) || ':' || max(v) FROM t"); got != "1000:committed" {
				t.Errorf("after the boot: %s", got)
			}
		})
	}
}

// A journal without its database is kept: it may be all that is left.
func TestJournalWithoutDatabase(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"WAL", "DELETE"} {
		dir := t.TempDir()
		db := crashed(t, dir, mode)
		suffix := map[string]string{"WAL": "-wal", "DELETE": "-journal"}[mode]
		before, err := os.ReadFile(db + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(db); err != nil {
			t.Fatal(err)
		}
		r := entry{db: db, app: []string{"sh", "-c", "echo ran"}}.run(t).expect(t, 1)
		contains(t, r.stderr, "SQLite would throw it away")
		if after, err := os.ReadFile(db + suffix); err != nil || !bytes.Equal(after, before) || r.stdout != "" {
			t.Errorf("%s: changed (%v), stdout %q", suffix, err, r.stdout)
		}
	}
}

func TestCheckFlag(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, db, 2000)
	data, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	copy(data[len(data)-4096:], bytes.Repeat([]byte{0x55}, 4096))
	if err := os.WriteFile(db, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for mode, code := range map[string]int{"off": 0, "auto": 1, "quick": 1, "full": 1, "some": 78} {
		entry{db: db, env: []string{"FLYSQL_CHECK=" + mode}, app: []string{"true"}}.run(t).expect(t, code)
	}
}

// What only the app's own connection understands, and values that a constraint
// would refuse today, are no damage: the boot goes on, and says what it saw.
func TestNotDamage(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, sql, want string }{
		{"a collation of the app", "CREATE TABLE c(v TEXT); CREATE INDEX i ON c(v); PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON c(v COLLATE app_collation)' WHERE name = 'i'", "app_collation"},
		{"a function of the app", "CREATE TABLE f(v TEXT); INSERT INTO f VALUES ('x'); PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE f(v TEXT CHECK (app_function(v)))' WHERE name = 'f'", ""},
		{"a module of the app", "PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES ('table', 'm', 'm', 0, 'CREATE VIRTUAL TABLE m USING app_module(x)')", ""},
		{"a value that breaks a CHECK", breaksCheck, ""},
		{"an import that goes on", "CREATE TABLE _flysql_follow (position TEXT)", "run flysql import cutover"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := filepath.Join(t.TempDir(), "app.db")
			if _, err := tryQuery(db, "SELECT 1"); err == nil {
				t.Fatal("the file is there before it is made")
			}
			makeDB(t, db, 10)
			if _, err := tryQuery(db, tt.sql); err != nil {
				t.Fatal(err)
			}
			r := entry{db: db, app: []string{"true"}}.run(t).expect(t, 0)
			contains(t, r.text("check", "warning"), tt.want)
		})
	}
}

const breaksCheck = "CREATE TABLE k(v INT CHECK (v > 0)); PRAGMA ignore_check_constraints=ON; INSERT INTO k VALUES (-1)"

// On a handle that can write, as after a hot journal, SQLite checks values too.
func TestValuesAreNoDamage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	makeDB(t, path, 10)
	if _, err := tryQuery(path, breaksCheck); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn(path, "rw"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := integrity(t.Context(), db, "quick_check")
	if err != nil || len(found) != 1 || found[0] != "CHECK constraint failed in k" {
		t.Errorf("found %q, error %v", found, err)
	}
}

// A pipe at the database's path would keep whoever opens it waiting.
func TestNamedPipe(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	if err := syscall.Mkfifo(db, 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, entry{db: db, app: []string{"true"}}.run(t).expect(t, 78).stderr, "named pipe")
}

// The machine lost power in a database's very first transaction: whatever is in
// the file, its journal leads back to an empty one.
func TestTornNewDatabase(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	journal := make([]byte, 512)
	copy(journal, []byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0x10, 0})
	for path, data := range map[string][]byte{db: make([]byte, 8192), db + "-journal": journal} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree, _, _ := tools[0].write(createA, createB)
	entry{db: db, env: []string{"FLYSQL_MIGRATIONS=" + files(t, tree)}, app: []string{"true"}}.run(t).expect(t, 0)
	if got := query(t, db, "SELECT id FROM b"); got != "1" {
		t.Errorf("b: %s", got)
	}
}

// The driver would take either of two time-outs.
func TestOneBusyTimeout(t *testing.T) {
	for _, got := range []string{dsn("/x", "ro"), dsn("/x", "ro", "busy_timeout(0)"), dsn("/x", "ro", "synchronous(OFF)")} {
		if strings.Count(got, "busy_timeout") != 1 {
			t.Error(got)
		}
	}
}
