package inspect

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/sqlitefile"
)

// Database is an SQLite file that is there.
type Database struct {
	Path string // absolute, links not followed
	From string // what named it: "the argument", "DATABASE_URL"

	// LiteFS is the node in whose mount the file is; nil where it is in none.
	LiteFS *LiteFS
}

// magic starts every SQLite database. https://www.sqlite.org/fileformat.html
const magic = "SQLite format 3\x00"

// open looks at the file, without SQLite, which would create it.
func open(ctx context.Context, at place, env []string) (*Database, error) {
	d := &Database{Path: at.path, From: at.from}
	var err error
	if d.LiteFS, err = litefsOf(ctx, d.Path, env); err != nil {
		return nil, fmt.Errorf("database %s: %w", d.Path, err)
	}
	info, err := os.Stat(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &missingError{place: at}
	case err != nil:
		return nil, fmt.Errorf("look at the database: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory: name the database file in it%s", d.Path, beside(d.Path))
	case !info.Mode().IsRegular(): // opening a pipe would wait for its other end
		return nil, fmt.Errorf("%s is not a file (%s): name an SQLite database", d.Path, info.Mode().Type())
	case info.Size() == 0:
		return d, nil // a new one
	}
	if journal, err := os.Stat(d.Path + "-journal"); err == nil && journal.Size() > 0 {
		return d, nil // what is in the file is SQLite's to say
	}
	what, err := kindOf(d.Path)
	if err != nil {
		return nil, fmt.Errorf("read the database: %w%s", err, rightsHint(err))
	}
	if what != "" {
		return nil, fmt.Errorf("%s is not an SQLite database: %s; it was left as it is", d.Path, what)
	}
	return d, nil
}

func rightsHint(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Sprintf(": this process is uid %d; run it as the file's owner, or as root", os.Geteuid())
	}
	return ""
}

// missingError is a database that is not there.
type missingError struct{ place }

func (e *missingError) Error() string {
	text := fmt.Sprintf("there is no database %s (%s)", e.path, e.from)
	if _, err := os.Stat(filepath.Dir(e.path)); err != nil {
		return text + ": its directory does not exist; is the volume mounted here?"
	}
	return text + near(e.path)
}

func (e *missingError) Is(target error) bool { return target == fs.ErrNotExist }

// near names the files that may have been meant, "" where there are none.
func near(path string) string {
	names := databasesIn(filepath.Dir(path))
	if n := flyconf.Nearest(filepath.Base(path), names); n != "" {
		return fmt.Sprintf("; is %s meant?", filepath.Join(filepath.Dir(path), n))
	}
	return beside(filepath.Dir(path))
}

// beside names the databases in a directory, for the end of a message.
func beside(dir string) string {
	names := databasesIn(dir)
	if len(names) == 0 {
		return ""
	}
	const shown = 5
	for i, n := range names {
		names[i] = filepath.Join(dir, n)
	}
	text := strings.Join(names[:min(shown, len(names))], ", ")
	if more := len(names) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return "; there: " + text
}

// databasesIn lists the SQLite files of a directory, by name.
func databasesIn(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, _ := d.ReadDir(10_000) // some are better than none
	var names []string
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if what, err := kindOf(filepath.Join(dir, e.Name())); err == nil && what == "" {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// kinds are what files begin with that are taken for databases.
var kinds = []struct{ head, what string }{
	{"\x1f\x8b", "it is compressed with gzip (gunzip it first)"},
	{"\x28\xb5\x2f\xfd", "it is compressed with zstd (unzstd it first)"},
	{"PK\x03\x04", "it is a zip archive"},
	{"PGDMP", "it is a dump of PostgreSQL"},
	{"LTX1", "it is an LTX file, a transaction of LiteFS or Litestream"},
	{"\x37\x7f\x06\x82", "it is the -wal of a database"},
	{"\x37\x7f\x06\x83", "it is the -wal of a database"},
	{"\xd9\xd5\x05\xf9", "it is the -journal of a database"},
	{"** This file contains an SQLite 2", "it is a database of SQLite 2"},
	{"BEGIN TRANSACTION", "it is a dump in SQL (sqlite3 NEW.db < FILE makes a database of it)"},
	{"PRAGMA foreign_keys", "it is a dump in SQL (sqlite3 NEW.db < FILE makes a database of it)"},
}

// kindOf says what a file is that is no SQLite database; "" where it is one. It opens
// the file, which must not be open in this process.
func kindOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 100)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	head = head[:n]
	if bytes.HasPrefix(head, []byte(magic)) {
		return "", nil
	}
	for _, k := range kinds {
		if bytes.HasPrefix(head, []byte(k.head)) {
			return k.what, nil
		}
	}
	head = head[:min(len(magic), len(head))]
	for _, r := range string(head) {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return fmt.Sprintf("it is encrypted, or something else: it begins with the bytes % x", head), nil
		}
	}
	return fmt.Sprintf("it begins with %q", head), nil
}

// busyWait is how long a reader waits for a lock.
const busyWait = "_pragma=busy_timeout(5000)"

// read calls f with one connection to the database that only reads, as
// sqlitefile.Read does.
func (d *Database) read(ctx context.Context, f func(*sql.DB) error) error {
	err := sqlitefile.Read(ctx, d.Path, d.LiteFS != nil, func(o sqlitefile.Opening) (err error) {
		o.Params += "&" + busyWait
		db, err := sql.Open("sqlite", o.DSN())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		db.SetMaxOpenConns(1) // one handle, one view
		return f(db)
	})
	return d.explain(ctx, err)
}

// dsn names a file for the driver; any character may be in it.
func dsn(path, mode, params string) string {
	return sqlitefile.Opening{Path: path, Params: "mode=" + mode + "&" + params}.DSN()
}

// explain names the file, and says what can be done.
func (d *Database) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	hint := ""
	switch code(err) & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		hint = ": another process has held its lock for five seconds" + d.holders() + "; try again, or stop that process"
	case sqlite3.SQLITE_CORRUPT:
		hint = ": it is damaged; keep a copy of the file and of its -wal, and restore a backup"
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY:
		hint = fmt.Sprintf(": this process is uid %d; run it as the file's owner, or as root", os.Geteuid())
	case sqlite3.SQLITE_FULL:
		hint = ": the disk is full; extend the volume (fly volumes extend)"
	}
	return fmt.Errorf("database %s: %w%s", d.Path, err, hint)
}

// code is SQLite's extended result code, 0 where err is none of its.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}
