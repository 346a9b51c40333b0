package transfer_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

// What root imports is the app's: of the directory's owner, and then as the file was.
func TestImportOwner(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	db := testkit.Postgres(t)
	db.Exec(small)
	s, plan := open(t, db.URL, move.Options{})
	dir := t.TempDir()
	if err := os.Chown(dir, 1234, 1235); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "app.db")
	for _, want := range []struct {
		uid, gid uint32
		mode     os.FileMode
	}{{1234, 1235, 0o644}, {1236, 1237, 0o640}} {
		if _, err := transfer.Import(context.Background(), s, plan, path, transfer.Options{Replace: true}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		if st.Uid != want.uid || st.Gid != want.gid || info.Mode() != want.mode {
			t.Errorf("%d:%d %v, want %d:%d %v", st.Uid, st.Gid, info.Mode(), want.uid, want.gid, want.mode)
		}
		if err := os.Chown(path, 1236, 1237); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
	}
}
