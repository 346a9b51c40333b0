// Package appdbtest gives each test an SQLite database of its own, with the
// app's migrations applied, in a few milliseconds.
//
//	//go:embed migrations
//	var migrations embed.FS
//
//	func TestSignGuestbook(t *testing.T) {
//		t.Parallel()
//		db := appdbtest.New(t, migrations)
//		...
//	}
//
// The database is a file in the test's temporary directory, opened with
// [appdb.Open]: the same driver, settings and queue of writers as in
// production, except that nothing waits for the disk. It is not a mock, and it
// is not shared: tests run in parallel without seeing each other's rows or
// locks.
package appdbtest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/internal/migrate"
)

// New returns a migrated database that only this test uses. It is closed, and
// its file removed, when the test and its subtests have ended. New fails the
// test if the migrations do.
//
// migrations holds a goose, golang-migrate or dbmate directory, as its root or
// as a directory in it, which is what go:embed makes; os.DirFS("..") and the
// like work too. nil means an empty database.
//
// The migrations run once in a process for each content they have, however
// many tests ask; every test gets a copy of the resulting file. They run
// without the app's Go code, so data that it adds at startup is up to the test.
//
// New may be called from tests that run in parallel, and several times in one
// test for several databases.
func New(t testing.TB, migrations fs.FS) *appdb.DB {
	t.Helper()
	content, err := template(migrations)
	if err != nil {
		t.Fatalf("appdbtest: %v", err)
	}
	path := filepath.Join(t.TempDir(), "app.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatalf("appdbtest: %v", err)
	}
	ctx := context.Background()
	db, err := appdb.Open(ctx, path)
	if err != nil {
		t.Fatalf("appdbtest: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("appdbtest: close: %v", err)
		}
	})
	// A test's file need not survive a power failure. Should the writer ever
	// reconnect it is merely slower.
	if _, err := db.Writer().ExecContext(ctx, "PRAGMA synchronous=OFF"); err != nil {
		t.Fatalf("appdbtest: %v", err)
	}
	return db
}

// templates holds a func() ([]byte, error) for each set of migrations, by the
// hash of its content. It is package state because "once in a process" is what
// it is for: nothing but the package lives as long as all tests.
var templates sync.Map

// template returns the bytes of a migrated database.
func template(migrations fs.FS) ([]byte, error) {
	key, err := hash(migrations)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	build, _ := templates.LoadOrStore(key, sync.OnceValues(func() ([]byte, error) { return build(migrations) }))
	return build.(func() ([]byte, error))()
}

// hash returns a digest of every name and content in fsys, which may be nil.
func hash(fsys fs.FS) (sum [sha256.Size]byte, err error) {
	if fsys == nil {
		return sum, nil
	}
	h := sha256.New()
	field := func(b []byte) { // with its length, so that no two trees read the same
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	err = fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		field([]byte(path))
		field(content)
		return nil
	})
	return [sha256.Size]byte(h.Sum(nil)), err
}

// build migrates a new database and returns its file.
func build(migrations fs.FS) (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "appdbtest-") // no one test's t.TempDir: others use it too
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "app.db")

	ctx := context.Background()
	if migrations != nil {
		set, err := migrate.Open(migrations, migrate.Options{})
		if err != nil {
			return nil, err
		}
		if _, err := set.Up(ctx, path); err != nil {
			return nil, err
		}
	}
	// Opening puts it in WAL mode, for good; closing leaves it in one file.
	db, err := appdb.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		return nil, errors.New("a connection is still open after the migrations, and holds part of the data back in " + path + "-wal")
	}
	return os.ReadFile(path)
}
