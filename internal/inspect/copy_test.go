package inspect

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The copy is of one moment, while an app writes beside in either journal mode: both
// tables have always the same number of rows.
func TestCopyBesideAWriter(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} {
		for _, vacuum := range []bool{false, true} {
			t.Run(journal+map[bool]string{true: " vacuum"}[vacuum], func(t *testing.T) {
				t.Parallel()
				db := newDB(t, "PRAGMA journal_mode="+journal, table, rows("600"), "CREATE TABLE u AS SELECT id FROM t")
				app := openApp(t, db.Path, "PRAGMA synchronous=OFF")
				ctx, cancel := context.WithCancel(t.Context())
				var writer sync.WaitGroup
				writer.Go(func() {
					for ctx.Err() == nil {
						if _, err := app.Exec("BEGIN IMMEDIATE; INSERT INTO t(b) VALUES (1); INSERT INTO u VALUES (1); COMMIT"); err != nil {
							t.Errorf("the app's write: %v", err)
							return
						}
					}
				})
				to := filepath.Join(t.TempDir(), "copy.db")
				c, err := db.Copy(t.Context(), to, CopyOptions{Vacuum: vacuum, step: 16})
				cancel()
				writer.Wait()
				if err != nil {
					t.Fatal(err)
				}
				if info, err := os.Stat(to); err != nil || info.Size() != c.Bytes {
					t.Errorf("%d bytes told, %v, %v", c.Bytes, info, err)
				}
				var a, b int
				if err := openApp(t, to).QueryRow("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)").Scan(&a, &b); err != nil || a != b || a < 600 {
					t.Errorf("%d and %d rows, %v", a, b, err)
				}
				if r, err := find(t, to).Check(t.Context(), false); err != nil || !r.OK() {
					t.Errorf("check: %+v, %v", r, err)
				}
			})
		}
	}
}

// Whatever ends a copy, nothing is left, and what was there is as it was.
func TestCopyEnded(t *testing.T) {
	db := newDB(t, table, rows("300"))
	for _, op := range []string{"copy.step", "copy.filled", "copy.rename"} {
		for _, cancelled := range []bool{false, true} {
			dir := t.TempDir()
			to := filepath.Join(dir, "copy.db")
			if err := os.WriteFile(to, []byte("as it was"), 0o644); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			broken, ended := errors.New("broken"), errors.New("ended by a test")
			steps := 0
			_, err := db.Copy(ctx, to, CopyOptions{Replace: true, step: 64, fault: func(at string) error {
				if steps++; at != op || op == "copy.step" && steps < 2 {
					return nil
				}
				if cancelled && op == "copy.step" {
					cancel(ended)
					return nil
				}
				return broken
			}})
			cancel(nil)
			want := broken
			if cancelled && op == "copy.step" {
				want = ended
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", op, err, want)
			}
			if data, err := os.ReadFile(to); err != nil || string(data) != "as it was" {
				t.Errorf("%s: the target has %d bytes, %v", op, len(data), err)
			}
			left := []string{"copy.db"}
			if op == "copy.rename" {
				left = append(left, "copy.db.old") // the same file, under a second name
			}
			if diff := cmp.Diff(left, names(t, dir)); diff != "" {
				t.Errorf("%s: -want +got\n%s", op, diff)
			}
		}
	}
}

func TestCopyTwice(t *testing.T) {
	db := newDB(t, table, rows("300"))
	to := filepath.Join(t.TempDir(), "copy.db")
	var second error
	_, err := db.Copy(t.Context(), to, CopyOptions{fault: func(op string) error {
		if op == "copy.filled" {
			_, second = db.Copy(t.Context(), to, CopyOptions{})
		}
		return nil
	}})
	if err != nil || !errors.Is(second, errBusyCopy) {
		t.Errorf("first %v, second %v", err, second)
	}
	if n := count(t, to); n != 300 {
		t.Errorf("%d rows", n)
	}
}

func TestCopyRefuses(t *testing.T) {
	db := newDB(t, table)
	dir := t.TempDir()
	if err := os.Symlink(db.Path, filepath.Join(dir, "link.db")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "there.db"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{
		"link.db":     "is the database itself",
		"there.db":    "is there already",
		".":           "is a directory",
		"no/copy.db":  "does not exist: mkdir -p",
		"there.db/db": "is not a directory",
	} {
		before := names(t, dir)
		_, err := db.Copy(t.Context(), filepath.Join(dir, to), CopyOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", to, err, want)
		}
		if diff := cmp.Diff(before, names(t, dir)); diff != "" {
			t.Errorf("%s left\n%s", to, diff)
		}
	}
	if _, err := db.Copy(t.Context(), filepath.Join(dir, "there.db"), CopyOptions{}); !errors.Is(err, ErrExists) {
		t.Errorf("%v is not ErrExists", err)
	}
	if _, err := Find(t.Context(), Request{Name: filepath.Join(dir, "nope.db")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

// A name that is taken for something else is refused, and no database is harmed: what a
// killed copy has left is a database too, and its owner may want it.
func TestCopyRefusesNames(t *testing.T) {
	db := newDB(t, table, rows("3"))
	dir := filepath.Dir(db.Path)
	left := filepath.Join(dir, "home.db"+partialSuffix)
	if _, err := db.Copy(t.Context(), filepath.Join(dir, "c.db"), CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "c.db"), left); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(left, filepath.Join(dir, "second.db"+partialSuffix)); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ from, to, want string }{
		{left, filepath.Join(dir, "home.db"), "would be written to"},
		{left, filepath.Join(dir, "second.db"), "would be written to"},
		{db.Path, db.Path + "-wal", "where SQLite keeps a part of"},
		{db.Path, db.Path + "-journal", "where SQLite keeps a part of"},
		{db.Path, db.Path + "-shm", "where SQLite keeps a part of"},
		{db.Path, left, "is named as what a copy to"},
	}
	for _, tt := range tests {
		before := names(t, dir)
		_, err := find(t, tt.from).Copy(t.Context(), tt.to, CopyOptions{Replace: true})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s to %s: %v, want %q", tt.from, tt.to, err, tt.want)
		}
		if diff := cmp.Diff(before, names(t, dir)); diff != "" {
			t.Errorf("%s left\n%s", tt.to, diff)
		}
	}
	for _, path := range []string{db.Path, left} {
		if n := count(t, path); n != 3 {
			t.Errorf("%s: %d rows", path, n)
		}
	}
}

// A link that leads into the mount is the mount.
func TestCopyRefusesMountByLink(t *testing.T) {
	db := newDB(t, table)
	mount, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(mount, link); err != nil {
		t.Fatal(err)
	}
	db.LiteFS = &LiteFS{Mount: mount}
	for _, dir := range []string{mount, link, link + "/.", mount + "/../" + filepath.Base(mount)} {
		if _, err := db.Copy(t.Context(), dir+"/copy.db", CopyOptions{}); err == nil || !strings.Contains(err.Error(), "is in the LiteFS mount") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if left := names(t, mount); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// A copy has the mode of the original, and no more rights.
func TestCopyMode(t *testing.T) {
	db := newDB(t, table)
	if err := os.Chmod(db.Path, 0o640); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy.db")
	if _, err := db.Copy(t.Context(), to, CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A copy that was read past the locks, while an app came, is begun anew.
func TestCopyBegunAnew(t *testing.T) {
	for _, vacuum := range []bool{false, true} {
		db := newDB(t, "PRAGMA journal_mode=WAL", table, rows("100"))
		came := false
		to := filepath.Join(t.TempDir(), "copy.db")
		_, err := db.Copy(t.Context(), to, CopyOptions{Vacuum: vacuum, fault: func(op string) error {
			if op == "copy.read" && !came {
				came = true
				openApp(t, db.Path, "INSERT INTO t VALUES (1000, 1)")
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, to); n != 101 {
			t.Errorf("vacuum %v: %d rows", vacuum, n)
		}
	}
}
