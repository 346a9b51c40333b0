package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/move/follow"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/testkit"
)

// both is output that is read while it is written.
type both struct {
	sync.Mutex
	bytes.Buffer
}

func (b *both) Write(p []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.Write(p)
}

func (b *both) text() string {
	b.Lock()
	defer b.Unlock()
	return b.String()
}

// following is a flysql import --follow under way.
type following struct {
	stdout, stderr both
	interrupt      func()
	code           chan int
}

func startFollowing(t *testing.T, args ...string) *following {
	t.Helper()
	f := &following{code: make(chan int, 1)}
	ctx, cancel := context.WithCancelCause(t.Context())
	f.interrupt = func() { cancel(&signalError{syscall.SIGINT}) }
	go func() {
		f.code <- run(ctx, append([]string{"import"}, args...), nil, strings.NewReader(""), &f.stdout, &f.stderr)
	}()
	return f
}

// stopped interrupts it, and wants what is said then.
func (f *following) stopped(t *testing.T) {
	t.Helper()
	f.interrupt()
	if code := <-f.code; code != 130 || !strings.Contains(f.stderr.text(), "the same command goes on") {
		t.Errorf("exit code %d\n%s%s", code, f.stdout.text(), f.stderr.text())
	}
}

// refused wants an exit code and words on stderr.
func refused(t *testing.T, want int, words []string, args ...string) {
	t.Helper()
	code, _, stderr := quiet(t, args...)
	for _, w := range words {
		if code != want || !strings.Contains(stderr, w) {
			t.Errorf("%q: exit code %d, want %d, and %q on stderr:\n%s", args, code, want, w, stderr)
		}
	}
}

func TestImportFollow(t *testing.T) {
	t.Parallel()
	db := testkit.OwnPostgres(t) // what is found on a server is of all its databases
	db.Exec(shop)
	for _, mode := range []string{"logical", "triggers"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "app.db")
		run := []string{db.URL, path, "--yes", "--json", "--follow=" + mode}
		f := startFollowing(t, run...)
		says := func(what string) {
			t.Helper()
			testkit.Poll(t, what, func() bool {
				select {
				case code := <-f.code:
					t.Fatalf("ended with %d\n%s%s", code, f.stdout.text(), f.stderr.text())
				default:
				}
				return strings.Contains(f.stdout.text(), what)
			})
		}
		says(`"event":"report","done":true`)
		db.Exec("UPDATE orders SET total = total + 1 WHERE id <= 1234")
		says(`"rows":1234,`)
		f.stopped(t)
		db.Exec("DELETE FROM orders WHERE id IN (SELECT id FROM orders ORDER BY id DESC LIMIT 10); INSERT INTO users (name) VALUES ('late')")

		_, _, stderr := quiet(t, "verify", db.URL, path)
		if !strings.Contains(stderr, "note: ") || !strings.Contains(stderr, "of "+path+" on ") {
			t.Errorf("verify says nothing of what is left:\n%s", stderr)
		}
		refused(t, 1, []string{"follows PostgreSQL already: flysql import abandon"}, append([]string{"import", "--replace"}, run...)...)

		f = startFollowing(t, run...)
		says(`"rows":1245,`)
		f.stopped(t)
		code, stdout, stderr := quiet(t, "import", "cutover", db.URL, path)
		if code != 0 || !strings.Contains(stdout, "1,245 rows changed since the import") || !strings.Contains(stdout, "verified: ") || !strings.Contains(stdout, "switch now") {
			t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
		}
		if code, _, stderr = quiet(t, "verify", db.URL, path); code != 0 || strings.Contains(stderr, "note: ") {
			t.Errorf("exit code %d\n%s", code, stderr)
		}
		refused(t, 1, []string{"follows no database", "its cutover has ended"}, "import", "cutover", db.URL, path)
	}
}

func TestImportCutoverJSONAndAbandon(t *testing.T) {
	t.Parallel()
	db := testkit.OwnPostgres(t)
	db.Exec(shop)
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	begin := func(args ...string) {
		t.Helper()
		f := startFollowing(t, append([]string{db.URL, path, "--yes", "--json", "--follow"}, args...)...)
		testkit.Poll(t, "it follows", func() bool { return strings.Contains(f.stdout.text(), `"event":"follow"`) })
		f.stopped(t)
	}
	begin("--slot", "flysql_mine")
	refused(t, 2, []string{"give --yes; nothing was dropped"}, "import", "abandon", db.URL, path)
	if code, _, stderr := quiet(t, "import", "abandon", db.URL, path, "--yes"); code != 0 || !strings.Contains(stderr, "dropped flysql_mine") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if code, _, stderr := quiet(t, "verify", db.URL, path); code != 0 || strings.Contains(stderr, "note: ") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	// A copy that was killed has left a slot, and a file that follows nothing.
	db.Exec("SELECT pg_create_logical_replication_slot('flysql_left', 'pgoutput')")
	refused(t, 1, []string{"follows no database", "--slot NAME"}, "import", "abandon", db.URL, path, "--yes")
	if code, _, stderr := quiet(t, "import", "abandon", db.URL, path, "--slot", "flysql_left", "--yes"); code != 0 || !strings.Contains(stderr, "dropped flysql_left") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	begin("--replace")
	db.Exec("BEGIN; INSERT INTO users (name) VALUES ('open'); PREPARE TRANSACTION 'open'")
	refused(t, 1, []string{"PostgreSQL is still written to: the prepared transaction open", "nothing was dropped"}, "import", "cutover", db.URL, path)
	db.Exec("COMMIT PREPARED 'open'")
	code, stdout, stderr := quiet(t, "import", "cutover", db.URL, path, "--json")
	var done cutoverJSON
	if err := json.Unmarshal([]byte(stdout), &done); code != 0 || err != nil || done.Rows != 1 || !done.Verified.Equal {
		t.Errorf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
}

// What cannot be followed is said before anything is made.
func TestImportFollowRefused(t *testing.T) {
	t.Parallel()
	db := testkit.OwnPostgres(t, "wal_level=replica")
	db.Exec("CREATE TABLE log (v text); CREATE UNLOGGED TABLE fast (id int PRIMARY KEY)")
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	refused(t, 1, []string{"wal_level is replica: ALTER SYSTEM SET wal_level = 'logical'", "ALTER TABLE public.log REPLICA IDENTITY FULL", "public.fast is UNLOGGED", "--follow=triggers"},
		"import", db.URL, path, "--yes", "--follow")
	fails(t, dir, 2, []string{"--follow=no: it is logical"}, "import", db.URL, path, "--follow=no")
	fails(t, dir, 2, []string{"leave out --litefs"}, "import", db.URL, path, "--follow", "--litefs")
	fails(t, dir, 2, []string{"--slot is the name"}, "import", db.URL, path, "--slot", "flysql_x")
	fails(t, dir, 2, []string{"--slot x: its name begins with flysql_"}, "import", db.URL, path, "--follow", "--slot", "x")
}

// A schema that the app's own migrations make is followed into, and its triggers stay
// quiet.
func TestImportFollowMigrations(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shop)
	dir := t.TempDir()
	path, migrations := filepath.Join(dir, "app.db"), filepath.Join(dir, "migrations")
	if err := os.Mkdir(migrations, 0o755); err != nil {
		t.Fatal(err)
	}
	schema := `-- +goose Up
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, secret TEXT, since DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users, total TEXT);
CREATE TABLE seen (n INTEGER);
CREATE INDEX orders_user ON orders (user_id);
-- +goose StatementBegin
CREATE TRIGGER watch AFTER UPDATE ON orders BEGIN INSERT INTO seen VALUES (new.id); END;
-- +goose StatementEnd
`
	if err := os.WriteFile(filepath.Join(migrations, "00001_init.sql"), []byte(schema), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"logical", "triggers"} {
		run := []string{db.URL, path, "--yes", "--json", "--replace", "--migrations", migrations, "--follow=" + mode}
		if mode == "triggers" {
			run[4], run[5], run = "--into-existing", "--truncate", append(run[:6], run[7])
		}
		f := startFollowing(t, run...)
		says := func(what string) {
			t.Helper()
			testkit.Poll(t, what, func() bool {
				select {
				case code := <-f.code:
					t.Fatalf("ended with %d\n%s%s", code, f.stdout.text(), f.stderr.text())
				default:
				}
				return strings.Contains(f.stdout.text(), what)
			})
		}
		says(`"event":"follow"`)
		db.Exec("UPDATE orders SET total = total + 1 WHERE id < 100; INSERT INTO users (name) VALUES ('new')")
		says(`"rows":100,`)
		f.stopped(t)
		code, stdout, stderr := quiet(t, "import", "cutover", db.URL, path)
		if code != 0 || !strings.Contains(stdout, "100 rows changed since the import") {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		if code, _, stderr := quiet(t, "verify", db.URL, path); code != 0 {
			t.Errorf("exit code %d\n%s", code, stderr)
		}
		file, err := lite.Open(t.Context(), path, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Rows("SELECT (SELECT count(*) FROM seen) || ' ' || (SELECT seq - (SELECT max(id) FROM users) FROM sqlite_sequence WHERE name = 'users') || ' ' || count(*) FROM sqlite_schema WHERE name LIKE '%flysql%'", func(s *lite.Stmt) error {
			if got := s.Text(0); got != "0 0 0" {
				t.Errorf("triggers fired, ahead of the key, tables of flysql's: %s", got)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What a failed cutover says to do is one thing, and not its opposite, too.
func TestCutoverFailed(t *testing.T) {
	t.Parallel()
	const again, anew = "the same command again goes on", "begin anew"
	for name, c := range map[string]struct {
		err        error
		has, lacks string
	}{
		"busy":    {follow.ErrBusy, "with Ctrl-C; " + again, anew},
		"lost":    {follow.ErrLost, anew, again},
		"changed": {follow.ErrChanged, anew, again},
		"other":   {io.ErrUnexpectedEOF, again, anew},
	} {
		got := cutoverFailed(t.Context(), fmt.Errorf("why: %w", c.err), &follow.State{Name: "flysql_x"}, "app.db").Error()
		if !strings.Contains(got, c.has) || strings.Contains(got, c.lacks) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
