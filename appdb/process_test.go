//go:build unix

package appdb_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
)

// Locks between processes cannot be tested inside one, so the test binary runs
// itself: as a helper it does what its environment says, and no tests.
const (
	helperEnv = "APPDB_TEST_HELPER"
	pathEnv   = "APPDB_TEST_PATH"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(helperEnv); name != "" {
		if err := helpers[name](context.Background(), os.Getenv(pathEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var helpers = map[string]func(ctx context.Context, path string) error{
	"app":      helperApp,
	"churn":    helperChurn,
	"follow":   helperFollow,
	"hold":     helperHold,
	"insert":   helperInsert,
	"local":    helperLocal,
	"nobody":   helperNobody,
	"promoted": helperPromoted,
}

// released blocks until the test closes the helper's standard input.
func released() { _, _ = io.Copy(io.Discard, os.Stdin) }

const churns = 5

// helperChurn opens, writes and closes, again and again, from a common start.
func helperChurn(ctx context.Context, path string) error {
	fmt.Println("ready")
	released()
	for range churns {
		db, err := appdb.Open(ctx, path)
		if err != nil {
			return err
		}
		err = db.Update(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v)"); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "INSERT INTO t (v) VALUES (?)", os.Getpid())
			return err
		})
		if err != nil {
			return err
		}
		if err := db.Close(); err != nil {
			return err
		}
	}
	return nil
}

// helperFollow opens each file that it is told to, and says how that went.
func helperFollow(ctx context.Context, _ string) error {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		db, err := appdb.Open(ctx, lines.Text())
		if err == nil {
			err = db.Close()
		}
		fmt.Println(err)
	}
	return nil
}

// helperHold keeps a write transaction open until it is released.
func helperHold(ctx context.Context, path string) error {
	db, err := appdb.Open(ctx, path)
	if err != nil {
		return err
	}
	err = db.Update(ctx, func(tx *sql.Tx) error {
		if err := insert("held")(tx); err != nil {
			return err
		}
		fmt.Println("holding")
		released()
		return nil
	})
	if err != nil {
		return err
	}
	return db.Close()
}

// helperInsert commits rows, and says so after each, until it is killed.
func helperInsert(ctx context.Context, path string) error {
	db, err := appdb.Open(ctx, path)
	if err != nil {
		return err
	}
	for i := 1; ; i++ {
		err := db.Update(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO t (id, v) VALUES (?, ?)", i, strings.Repeat("x", 2000))
			return err
		})
		if err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// helperNobody opens as a user without rights. Root may write everywhere.
func helperNobody(ctx context.Context, path string) error {
	if err := becomeNobody(); err != nil {
		return err
	}
	db, err := appdb.Open(ctx, path)
	if err != nil {
		return err
	}
	return db.Close()
}

func becomeNobody() error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := syscall.Setgid(65534); err != nil {
		return err
	}
	return syscall.Setuid(65534)
}

// A helper is a running helper process.
type helper struct {
	cmd    *osexec.Cmd
	stdin  io.WriteCloser
	lines  *bufio.Scanner
	stderr strings.Builder
}

func start(t *testing.T, name, path string, env ...string) *helper {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := &helper{cmd: osexec.Command(exe)}
	h.cmd.Env = append(append(os.Environ(), helperEnv+"="+name, pathEnv+"="+path), env...)
	h.cmd.Stderr = &h.stderr
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	h.lines = bufio.NewScanner(stdout)
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill() // it has ended unless the test failed
		_ = h.cmd.Wait()
	})
	return h
}

// line waits for the helper's next line.
func (h *helper) line(t *testing.T) string {
	t.Helper()
	if !h.lines.Scan() {
		t.Fatalf("the helper ended: %v %s", h.cmd.Wait(), h.stderr.String())
	}
	return h.lines.Text()
}

// wait waits for the helper's end and returns what it complained of.
func (h *helper) wait() error {
	_ = h.stdin.Close()
	if err := h.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, h.stderr.String())
	}
	return nil
}

// Of several processes that turn a new file to WAL at the same moment, SQLite
// lets one fail at once now and then, whatever the busy timeout.
func TestManyProcessesOpenANewFile(t *testing.T) {
	const processes, rounds = 8, 40
	dir := t.TempDir()
	var all []*helper
	for range processes {
		all = append(all, start(t, "follow", ""))
	}
	for round := range rounds {
		path := filepath.Join(dir, fmt.Sprintf("app%d.db", round))
		for _, h := range all {
			if _, err := fmt.Fprintln(h.stdin, path); err != nil {
				t.Fatal(err)
			}
		}
		for _, h := range all {
			if got := h.line(t); got != "<nil>" {
				t.Errorf("round %d: %s", round, got)
			}
		}
		db := open(t, appdb.Config{}, path)
		if got := value[string](t, db.Reader(), "PRAGMA journal_mode"); got != "wal" {
			t.Errorf("round %d: journal mode %s", round, got)
		}
	}
	for _, h := range all {
		if err := h.wait(); err != nil {
			t.Error(err)
		}
	}
}

// Processes that open, write and close under each other's hands all get
// through, and nothing of what they wrote is lost.
func TestManyProcessesOpenAndClose(t *testing.T) {
	const processes = 6
	for round := range 3 {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("app%d.db", round))
		var all []*helper
		for range processes {
			all = append(all, start(t, "churn", path))
		}
		for _, h := range all {
			h.line(t) // ready
		}
		var wg sync.WaitGroup
		for _, h := range all {
			wg.Go(func() {
				if err := h.wait(); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		if got, want := files(t, filepath.Dir(path)), []string{filepath.Base(path)}; !slices.Equal(got, want) {
			t.Errorf("round %d: files %q, want %q", round, got, want)
		}
		db := open(t, appdb.Config{}, path)
		if n := value[int](t, db.Reader(), "SELECT count(*) FROM t"); n != processes*churns {
			t.Errorf("round %d: %d rows, want %d", round, n, processes*churns)
		}
		intact(t, db)
	}
}

// intact asks SQLite to check the whole file.
func intact(t *testing.T, db *appdb.DB) {
	t.Helper()
	if got := value[string](t, db.Reader(), "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("integrity_check: %s", got)
	}
}

func TestProcessesWaitForEachOther(t *testing.T) {
	db := openNew(t)
	h := start(t, "hold", db.Path())
	h.line(t) // holding

	// Not at all without a timeout; and the error says what to look for.
	impatient := open(t, appdb.Config{}, "file://"+db.Path()+"?_busy_timeout=0")
	err := impatient.Update(t.Context(), insert("impatient"))
	if code(err)&0xff != 5 || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), db.Path()) {
		t.Errorf("Update = %v, want SQLITE_BUSY, the file and a hint", err)
	}
	// Reading does not wait.
	if got := rows(t, db); got != "" {
		t.Errorf("rows %q while the other process has not committed", got)
	}

	patient := open(t, appdb.Config{BusyTimeout: time.Minute}, db.Path())
	done := make(chan error, 1)
	go func() { done <- patient.Update(t.Context(), insert("patient")) }()
	for patient.Writer().Stats().InUse == 0 { // until it is at BEGIN
		select {
		case err := <-done:
			t.Fatalf("Update = %v while another process holds the lock", err)
		default:
		}
	}
	if err := h.wait(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Update = %v, want it to have waited", err)
	}
	if got := rows(t, db); got != "held patient" {
		t.Errorf("rows %q", got)
	}
}

// What a process had committed when it was killed is there afterwards.
func TestKilledWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := appdb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db.Writer(), "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL)")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h := start(t, "insert", path)
	last := 0
	for last < 20 {
		if last, err = strconv.Atoi(h.line(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for h.lines.Scan() { // what it had said before it died
		if n, err := strconv.Atoi(h.lines.Text()); err == nil {
			last = n
		}
	}
	if err := h.wait(); err == nil {
		t.Error("the helper was not killed")
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		t.Errorf("no log was left behind (%v): the test proves nothing", err)
	}
	db = open(t, appdb.Config{}, path)
	if n := value[int](t, db.Reader(), "SELECT count(*) FROM t WHERE id <= ?", last); n != last {
		t.Errorf("%d rows of the %d that were committed", n, last)
	}
	intact(t, db)
}

func TestOpenWithoutRights(t *testing.T) {
	for _, c := range []struct {
		name      string
		file, dir os.FileMode // 0: no file
		want      []string
	}{
		{name: "read-only file", file: 0o444, dir: 0o777, want: []string{"cannot be written", "the file is -r--r--r--", "this process is uid"}},
		{name: "read-only directory", file: 0o666, dir: 0o555, want: []string{"directory", "is dr-xr-xr-x", "-wal and -shm"}},
		{name: "new file in a read-only directory", dir: 0o555, want: []string{"is dr-xr-xr-x", "the file does not exist"}},
		{name: "closed directory", file: 0o666, dir: 0o000, want: []string{"permission denied"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // let the helper's user in
				t.Fatal(err)
			}
			path := filepath.Join(dir, "app.db")
			if c.file != 0 {
				db, err := appdb.Open(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				exec(t, db.Writer(), "CREATE TABLE t (v)")
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path, c.file); err != nil {
					t.Fatal(err)
				}
			}
			before := files(t, dir)
			if err := os.Chmod(dir, c.dir); err != nil {
				t.Fatal(err)
			}
			err := start(t, "nobody", path).wait()
			if cerr := os.Chmod(dir, 0o700); cerr != nil {
				t.Fatal(cerr)
			}
			if err == nil {
				t.Fatal("Open succeeded")
			}
			for _, want := range append(c.want, "open database "+path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nwant it to contain %q", err, want)
				}
			}
			if got := files(t, dir); !slices.Equal(got, before) {
				t.Errorf("files were %q and are %q", before, got)
			}
		})
	}
}
