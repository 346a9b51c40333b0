package appdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A fault is an error with the file it is about and what to do. It wraps the
// error itself, on whose kind or code a caller may branch.
type fault struct {
	path string
	err  error
	hint string // may be empty
}

func (f *fault) Error() string {
	if f.hint == "" {
		return fmt.Sprintf("database %s: %v", f.path, f.err)
	}
	return fmt.Sprintf("database %s: %v: %s", f.path, f.err, f.hint)
}

func (f *fault) Unwrap() error { return f.err }

var errReadOnlyFile = errors.New("the file cannot be written")

// newFault makes a fault of an error met in opening path.
func newFault(path string, err error) *fault {
	f := &fault{path: path, err: err}
	var se *sqlite.Error
	switch {
	case errors.Is(err, errReadOnlyFile):
		f.hint = rights(path)
	case errors.As(err, &se):
		f.hint = hintFor(path, se.Code())
	}
	return f
}

// explain adds the file and a hint to an error of the disk, the file or a
// lock. Errors of the statement itself (a constraint, a missing table) and of
// the caller's own pass through unchanged.
func (db *DB) explain(err error) error {
	var se *sqlite.Error
	if !errors.As(err, &se) || errors.As(err, new(*fault)) || errors.Is(err, ErrReplica) {
		return err
	}
	if hint := hintFor(db.path, se.Code()); hint != "" {
		return &fault{path: db.path, hint: hint, err: err}
	}
	return err
}

// hintFor says what to do about an SQLite result code, or nothing where the
// code is about the statement and not about the file.
func hintFor(path string, code int) string {
	switch code & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return "it is not an SQLite database, or it is encrypted. It was left as it is: check the path, or move the file away and restore a backup"
	case sqlite3.SQLITE_CORRUPT:
		return "it is damaged. Stop the app, keep a copy of the file and of any -wal beside it, and restore a backup; sqlite3 " + path + " .recover prints what can still be read"
	case sqlite3.SQLITE_BUSY:
		return "another process has held its lock for longer than the busy timeout: look for a migration, a backup or an sqlite3 shell left open"
	case sqlite3.SQLITE_FULL:
		return "the disk is full. Nothing of this transaction was stored, and what was there before is intact: extend the volume (fly volumes extend) or delete other files"
	case sqlite3.SQLITE_IOERR:
		return "the disk is full or failing: check its free space (df) and the system log"
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return rights(path)
	case sqlite3.SQLITE_READONLY:
		if code != sqlite3.SQLITE_READONLY { // the directory, or the files beside the database
			return rights(path)
		}
		return "this connection cannot write: use Update or Writer, and check that the URL has no mode=ro and that the volume is writable"
	}
	return ""
}

// rights says whom to give which rights. It looks at the file with stat
// only: opening and closing a database's file drops every lock that SQLite
// holds on it anywhere in this process (POSIX advisory locks work so).
func rights(path string) string {
	dir := filepath.Dir(path)
	di, err := os.Stat(dir)
	if err != nil {
		return fmt.Sprintf("its directory %s cannot be used (%v)", dir, err)
	}
	what := fmt.Sprintf("directory %s is %s", dir, di.Mode())
	fi, err := os.Stat(path)
	if err == nil {
		what += fmt.Sprintf(", the file is %s", fi.Mode())
	} else if errors.Is(err, fs.ErrNotExist) {
		what += ", the file does not exist"
	}
	return fmt.Sprintf("%s, and this process is uid %d: it must be able to write both (SQLite keeps its -wal and -shm files beside the database), on a file system mounted for writing", what, os.Geteuid())
}

// checkFile refuses what SQLite would report unclearly, or would accept and
// lose data by.
func checkFile(path, mode string) error {
	dir := filepath.Dir(path)
	di, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint := "create it; on Fly.io, mount a volume there ([mounts] destination in fly.toml)"
		if strings.ContainsAny(path, "$~") {
			hint = "~ and $VARIABLES are not expanded here: write the path in full"
		}
		return fmt.Errorf("its directory does not exist: %w: %s", err, hint)
	case err != nil:
		return err
	case !di.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	}

	fi, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if mode != "rwc" {
			return fmt.Errorf("%w: with mode=%s it must exist", err, mode)
		}
		return checkOrphan(path)
	case err != nil:
		return err
	case fi.IsDir():
		return errors.New("this is a directory: add the file's name, for example app.db")
	case !fi.Mode().IsRegular():
		return fmt.Errorf("this is not a regular file (%s)", fi.Mode())
	case fi.Size() == 0 && mode != "ro":
		return checkOrphan(path)
	}
	return nil
}

// checkOrphan looks for a write-ahead log whose database is missing or empty.
// SQLite would delete the log, with transactions that may exist nowhere else.
func checkOrphan(path string) error {
	wal := path + "-wal"
	fi, err := os.Stat(wal)
	if errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	// Another process may be creating the database at this moment. It writes
	// the file before the log, so by now the file has its first page.
	if now, err := os.Stat(path); err == nil && now.Size() > 0 {
		return nil
	}
	return fmt.Errorf("the database is missing or empty, but its write-ahead log %s holds %d bytes, which creating a new database would delete: put the database file back beside it, or delete the log to start empty", wal, fi.Size())
}
