package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Opening is how a file is to be opened for reading.
type Opening struct {
	Path   string // absolute; of the file itself, or of a copy that is as good
	Params string // SQLite's own URI parameters, "mode=ro"
}

// DSN names the file for database/sql's driver "sqlite".
func (o Opening) DSN() string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(o.Path), RawQuery: o.Params}
	return u.String()
}

// Read calls f with a way to open the SQLite file at name for reading, so that no
// file is created beside it. A missing or empty file is not opened, and f not called.
// f may be called again when the database has changed meanwhile: only what its last
// call saw counts.
//
// When there is no -wal, the file alone is the whole database, and it is read as
// immutable, which touches nothing and takes no lock; a writer that comes in between
// is noticed afterwards. With locks, SQLite's locks are always taken: where a file
// changes under its readers, as on a LiteFS mount, sizes and times do not tell. A -wal
// without a -shm, as in a copy of the two, is read in a temporary copy.
//
// There is one exception, which every reader of SQLite makes: a transaction that a
// crash has left half-written (a hot rollback journal) is undone first.
//
// The file is never opened but through SQLite while there may be connections to it in
// this process: to close any descriptor of it would drop the locks that they hold.
func Read(ctx context.Context, name string, locks bool, f func(Opening) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	const attempts = 3 // then with locks, and with the files they need
	for range attempts {
		before, err := stampOf(path)
		if err != nil || before.size == 0 {
			return err
		}
		if locks || before.journal > 0 || before.wal > 0 && before.shared {
			break
		}
		settled, err := readUnlocked(ctx, path, before, f)
		if settled {
			return Clarify(err)
		}
	}
	err = f(Opening{path, "mode=ro"})
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_READONLY_ROLLBACK {
		// A hot journal: what is in the file is half a transaction until SQLite has undone it.
		err = f(Opening{path, "mode=rw"})
	}
	return Clarify(err)
}

// readUnlocked reads past the locks of a database in WAL mode that nobody has open.
// settled says that it was such a one, and did not change meanwhile.
func readUnlocked(ctx context.Context, path string, before stamp, f func(Opening) error) (settled bool, err error) {
	if before.wal > 0 {
		err = readCopy(path, f)
	} else {
		o := Opening{path, "mode=ro&immutable=1"}
		wal, asked := isWAL(ctx, o)
		if asked == nil && !wal {
			return false, nil // locks need no files there
		}
		if err = asked; err == nil {
			err = f(o)
		}
	}
	after, e := stampOf(path)
	return e == nil && after == before, err
}

// readCopy reads a copy of a database and its -wal.
func readCopy(path string, f func(Opening) error) (err error) {
	dir, err := os.MkdirTemp("", "flysql-read-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	to := filepath.Join(dir, "db")
	for _, suffix := range []string{"", "-wal"} {
		if err := copyFile(to+suffix, path+suffix); err != nil {
			return fmt.Errorf("copy it, for it has a -wal and no -shm, which reading would create: %w", err)
		}
	}
	return f(Opening{to, "mode=rw"})
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// isWAL tells whether the database is in WAL mode, from the file's header: opened as immutable, a
// database says that it is not.
func isWAL(ctx context.Context, o Opening) (wal bool, err error) {
	db, err := sql.Open("sqlite", o.DSN())
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var versions string // to write and to read the file: 1 is rollback, 2 is WAL
	err = db.QueryRowContext(ctx, "SELECT hex(substr(data, 19, 2)) FROM sqlite_dbpage WHERE pgno = 1").Scan(&versions)
	return versions == "0202", err
}

// Clarify says of SQLite's errors what they leave unsaid.
func Clarify(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_NOTADB {
		return fmt.Errorf("this is not an SQLite database, or an encrypted one; it has been left as it is: %w", err)
	}
	return err
}

// checkName refuses what SQLite would take for something else than a file.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("no database given; name a file")
	case name == ":memory:", strings.HasPrefix(name, "file:"):
		return fmt.Errorf("%q is not the path of a file; name one", name)
	}
	return nil
}

// stamp is what shows that a database has been written to.
type stamp struct {
	size, wal, journal int64 // bytes; of a file that is missing, 0
	shared             bool  // there is a -shm
	modified           time.Time
}

// stampOf returns the zero stamp when there is no file.
func stampOf(name string) (stamp, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, err
	}
	if info.IsDir() {
		return stamp{}, errors.New("this is a directory; name the database file in it")
	}
	s := stamp{size: info.Size(), modified: info.ModTime()}
	for suffix, size := range map[string]*int64{"-wal": &s.wal, "-journal": &s.journal} {
		switch info, err := os.Stat(name + suffix); {
		case err == nil:
			*size = info.Size()
		case !errors.Is(err, fs.ErrNotExist):
			return stamp{}, err
		}
	}
	_, err = os.Stat(name + "-shm")
	s.shared = err == nil
	return s, nil
}
