package appdb_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/internal/testkit"
)

// tmpfs mounts an empty file system of the given size, for a disk that can
// fill up and be mounted read-only.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	testkit.NeedRoot(t)
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	if errors.Is(err, syscall.EPERM) {
		testkit.NotRun(t, "CAP_SYS_ADMIN", "it mounts a small disk")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Detached, so that a failed test with an open file leaves no mount.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

func TestDiskFull(t *testing.T) {
	dir := tmpfs(t, "1m")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 300<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	db := open(t, appdb.Config{}, filepath.Join(dir, "app.db"))
	exec(t, db.Writer(), "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB NOT NULL)")
	write := func() error {
		return db.Update(t.Context(), func(tx *sql.Tx) error {
			for range 2 { // a transaction of two rows goes in whole or not at all
				if _, err := tx.ExecContext(t.Context(), "INSERT INTO t (v) VALUES (randomblob(20000))"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	stored := 0
	var err error
	for err == nil && stored < 1000 {
		if err = write(); err == nil {
			stored += 2
		}
	}
	if code(err) != 13 {
		t.Fatalf("after %d rows: %v; want code 13", stored, err)
	}
	for _, want := range []string{db.Path(), "disk is full", "extend the volume"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant it to contain %q", err, want)
		}
	}
	if stored == 0 {
		t.Error("nothing was stored before the disk was full: the test proves nothing")
	}
	if n := value[int](t, db.Reader(), "SELECT count(*) FROM t"); n != stored {
		t.Errorf("%d rows, want the %d that were committed", n, stored)
	}
	intact(t, db)

	// With room again the same DB goes on.
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := write(); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if n := value[int](t, db.Reader(), "SELECT count(*) FROM t"); n != stored+2 {
		t.Errorf("%d rows, want %d", n, stored+2)
	}
	intact(t, db)
}

func TestOpenOnAFullDisk(t *testing.T) {
	dir := tmpfs(t, "64k")
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 60<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := appdb.Open(t.Context(), filepath.Join(dir, "app.db"))
	if err == nil {
		err = errors.Join(errors.New("Open succeeded"), db.Close())
	}
	if c := code(err); c != 13 && c&0xff != 10 || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("Open = %v, want an error that says the disk is full", err)
	}
}

// A local database for which there is no room says so, is filled once there is, and is
// not taken for a damaged one.
func TestLocalOnAFullDisk(t *testing.T) {
	dir := tmpfs(t, "1m")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 800<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	l := appdb.Local{Dir: dir, Fill: func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE t (v); INSERT INTO t VALUES (zeroblob(200000))")
		return err
	}}
	for range 2 {
		db, err := l.Open(t.Context(), "cache.db")
		if err == nil {
			err = errors.Join(errors.New("Open succeeded"), db.Close())
		}
		if c := code(err); c != 13 && c&0xff != 10 || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("Open = %v, want an error that says the disk is full", err)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	l.Logger = slog.New(slog.NewTextHandler(&told, nil))
	db, err := l.Open(t.Context(), "cache.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if n := value[int](t, db.Reader(), "SELECT length(v) FROM t"); n != 200000 || told.Len() > 0 {
		t.Errorf("%d bytes, and told %q", n, told.String())
	}
}

func TestReadOnlyVolume(t *testing.T) {
	dir := tmpfs(t, "1m")
	path := filepath.Join(dir, "app.db")
	db, err := appdb.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db.Writer(), "CREATE TABLE t (v)")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=1m"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, want string }{
		{path, "the file cannot be written"},
		{filepath.Join(dir, "new.db"), "the file does not exist"},
		// WAL needs its -shm file even to read.
		{"file://" + path + "?mode=ro", "file system mounted for writing"},
	} {
		db, err := appdb.Open(t.Context(), c.url)
		if err == nil {
			_ = db.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Open(%q) = %v, want %q", c.url, err, c.want)
		}
	}
}
