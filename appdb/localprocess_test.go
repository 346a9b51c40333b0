//go:build unix

package appdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/flysql/flysql/appdb"
)

// helperLocal opens the local database in the directory path and says when it fills it,
// which it does as long as its standard input is open.
func helperLocal(ctx context.Context, path string) error {
	fmt.Println("ready")
	db, err := appdb.Local{Dir: path, Fill: func(ctx context.Context, tx *sql.Tx) error {
		if err := fillT("helper")(ctx, tx); err != nil {
			return err
		}
		fmt.Println("filling")
		released()
		return nil
	}}.Open(ctx, "cache.db")
	if err != nil {
		return err
	}
	_, err = db.Writer().ExecContext(ctx, "INSERT INTO t VALUES ('opened')")
	fmt.Println("opened")
	released()
	return errors.Join(err, db.Close())
}

// Of several processes that find a damaged file one fills it; the others wait, and use
// what it has made.
func TestLocalOfManyProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	damagedLocal(t, dir)
	var all []*helper
	for range 4 {
		all = append(all, start(t, "local", dir))
	}
	filled := 0
	for _, h := range all { // in any order, for only one of them waits for its input to fill
		h.line(t)
		_ = h.stdin.Close()
	}
	for _, h := range all {
		line := h.line(t)
		if line == "filling" {
			filled++
			line = h.line(t)
		}
		if line != "opened" {
			t.Errorf("a process said %q", line)
		}
		if err := h.wait(); err != nil {
			t.Error(err)
		}
	}
	db, err := appdb.Local{Dir: dir}.Open(t.Context(), "cache.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	intact(t, db)
	if n := value[int](t, db.Reader(), "SELECT count(*) FROM t"); n != len(all)+1 || filled != 1 {
		t.Errorf("%d rows, filled %d times; want %d and 1", n, filled, len(all)+1)
	}
}

// One that is killed while it fills the file holds nobody up, and leaves no half of it.
func TestLocalKilledWhileFilling(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, "local", dir)
	for _, want := range []string{"ready", "filling"} {
		if got := h.line(t); got != want {
			t.Fatalf("the helper said %q, want %q", got, want)
		}
	}
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = h.cmd.Wait() // killed
	if got, log := openLocal(t, appdb.Local{Dir: dir, Fill: fillT("new")}); got != "new" || log != "" {
		t.Errorf("%s holds %q, and told %q", filepath.Join(dir, "cache.db"), got, log)
	}
}
