package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// readDatabase calls f with a read-only handle on the SQLite file at name. A missing or empty file is not
// opened, and f not called. f may be called again when the database has changed meanwhile.
//
// A read-only connection to a database in WAL mode creates the -wal and -shm files where they are missing,
// and leaves them there. When there is no -wal, the file alone is the whole database, and it is read as
// immutable, which touches nothing and takes no lock; a writer that comes in between is noticed afterwards.
//
// The file is never opened but through SQLite: to close any descriptor of it would drop the locks that
// the app's own connections in this process hold on it.
func readDatabase(ctx context.Context, name string, f func(*sql.DB) error) error {
	if err := checkPath(name); err != nil {
		return err
	}
	const attempts = 3 // then with locks, and with the files they need
	for range attempts {
		before, err := stampOf(name)
		if err != nil || before.size == 0 {
			return err
		}
		if before.wal > 0 || before.journal > 0 {
			break
		}
		walMode := false
		err = readWith(ctx, name, "mode=ro&immutable=1", func(db *sql.DB) error {
			if walMode, err = isWAL(ctx, db); err != nil || !walMode {
				return err
			}
			return f(db)
		})
		after, e := stampOf(name)
		if e == nil && after == before && (walMode || err != nil) {
			return clarify(err)
		}
		if !walMode {
			break
		}
	}
	return readWithLocks(ctx, name, f)
}

// readLocked is readDatabase without its look past the locks.
func readLocked(ctx context.Context, name string, f func(*sql.DB) error) error {
	if err := checkPath(name); err != nil {
		return err
	}
	if before, err := stampOf(name); err != nil || before.size == 0 {
		return err
	}
	return readWithLocks(ctx, name, f)
}

func readWithLocks(ctx context.Context, name string, f func(*sql.DB) error) error {
	err := readWith(ctx, name, "mode=ro", f)
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_READONLY_ROLLBACK {
		// A hot journal: what is in the file is half a transaction until SQLite has undone it.
		err = readWith(ctx, name, "mode=rw", f)
	}
	return clarify(err)
}

// isWAL tells whether the database is in WAL mode, from the file's header: opened as immutable, a database
// says that it is not.
func isWAL(ctx context.Context, db *sql.DB) (bool, error) {
	var versions string // to write and to read the file: 1 is rollback, 2 is WAL
	err := db.QueryRowContext(ctx, "SELECT hex(substr(data, 19, 2)) FROM sqlite_dbpage WHERE pgno = 1").Scan(&versions)
	return versions == "0202", err
}

func clarify(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_NOTADB {
		return fmt.Errorf("this is not an SQLite database, or an encrypted one; it has been left as it is: %w", err)
	}
	return err
}

func readWith(ctx context.Context, name, query string, f func(*sql.DB) error) (err error) {
	ses, err := newSession(ctx, name, query)
	if err != nil {
		return err
	}
	db := ses.db()
	defer func() { err = errors.Join(err, db.Close(), ses.close()) }()
	return f(db)
}

// checkPath refuses what SQLite would take for something else than a file.
func checkPath(name string) error {
	switch {
	case name == "":
		return errors.New("no database given; name a file")
	case name == ":memory:", strings.HasPrefix(name, "file:"):
		return fmt.Errorf("%q is not the path of a file; migrations need one", name)
	}
	return nil
}

// stamp is what shows that a database has been written to.
type stamp struct {
	size, wal, journal int64 // bytes; of a file that is missing, 0
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
	return s, nil
}
