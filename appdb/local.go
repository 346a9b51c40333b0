package appdb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// LocalDirVariable is the environment variable that says where databases of this
// machine alone are. flysql-entrypoint sets it to a directory on the volume.
const LocalDirVariable = "FLYSQL_LOCAL_DIR"

// made ends the name of the file that says that the database beside it is one of
// OpenLocal's. It is there before the database is, and is never removed: no other
// database is ever thrown away. Who opens the database has it locked meanwhile.
const made = ".local"

// maxChecked is the size in bytes up to which a local database is read whole before
// it is used.
const maxChecked = 64 << 20

// A Local says how to open a database of this machine alone: a cache, say, of what
// is dear to make. No other machine gets it, so it can be written on every one, also
// where the app's own database is a replica. It may be lost at any time, and then is
// made anew: keep nothing in it that cannot be made again.
type Local struct {
	// Fill makes the tables, and what is in them, in one transaction. It is called
	// where the file is new, was thrown away, or was filled by another Version. When
	// it fails, Open does, and the next Open calls it again. nil leaves the tables to
	// the app, which finds none where the file is new.
	Fill func(ctx context.Context, tx *sql.Tx) error

	// Version is that of Fill: raise it with each change of what Fill makes. It is
	// kept in the file's user_version, plus one: 0 is that of a file which Fill has
	// not made.
	Version int

	// Dir is the directory of the file, which is made if need be. "" means
	// FLYSQL_LOCAL_DIR; without that, a directory for the program and its working
	// directory in os.UserCacheDir.
	Dir string

	// Config is what [Config.Open] goes by. Its Engine must be nil.
	Config Config

	// Logger is told at level Warn when a file was thrown away. nil means
	// slog.Default().
	Logger *slog.Logger
}

// OpenLocal opens a database of this machine alone with the zero [Local].
func OpenLocal(ctx context.Context, name string) (*DB, error) { return Local{}.Open(ctx, name) }

// Open opens the database of this machine alone that has the given file name, such as
// "cache.db", and makes it where it is not there. One that is damaged, or is no
// database, is thrown away and made anew; so is one that Fill made as another Version.
// A file of up to 64 MiB is read whole for that, of a larger one its schema. A database
// that was not made here is refused, and left as it is.
//
// Several processes may open one file. Who has it open when another throws it away
// writes what nobody will find, until it opens it again.
func (l Local) Open(ctx context.Context, name string) (*DB, error) {
	path, err := l.path(name)
	if err != nil {
		return nil, err
	}
	if l.Logger == nil {
		l.Logger = slog.Default()
	}
	if err := checkMade(path); err != nil {
		return nil, fmt.Errorf("open local database %s: %w", path, err)
	}
	// Between the look at a file and its removal nobody else may make it anew.
	unlock, err := lockLocal(ctx, path+made)
	if err != nil {
		return nil, fmt.Errorf("open local database %s: %w", path, err)
	}
	defer unlock()
	db, why, err := l.open(ctx, path)
	if why == "" {
		return db, err
	}
	l.Logger.LogAttrs(ctx, slog.LevelWarn, "local database thrown away", slog.String("path", path), slog.String("why", why))
	if err := removeLocal(path); err != nil {
		return nil, fmt.Errorf("throw away local database %s, which cannot be used (%s): %w", path, why, err)
	}
	db, why, err = l.open(ctx, path)
	if why != "" {
		return nil, fmt.Errorf("open local database %s, which was made anew: %s", path, why)
	}
	return db, err
}

// checkMade refuses files that OpenLocal has not made: one that is thrown away could be
// the only copy of what is in it.
func checkMade(path string) error {
	for _, suffix := range localSuffixes {
		info, err := os.Lstat(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a file of its own: use another name", filepath.Base(path+suffix))
		}
		if _, err := os.Lstat(path + made); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s was not made by OpenLocal, which may throw it away: use another name, or remove the file if it can be lost", filepath.Base(path+suffix))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// open opens and fills a file. why is not empty where it cannot be used and must be
// thrown away.
func (l Local) open(ctx context.Context, path string) (db *DB, why string, err error) {
	if checkOrphan(path) != nil && emptyOrMissing(path) {
		return nil, "its write-ahead log is there, and it is not", nil
	}
	db, err = l.Config.Open(ctx, fileURL("file", path))
	if err != nil {
		return nil, unusable(err), err
	}
	defer func() {
		if err != nil || why != "" {
			err = errors.Join(err, db.Close())
			db = nil
		}
	}()
	if err = db.checkLocal(ctx); err != nil {
		return db, unusable(err), err
	}
	if l.Fill == nil {
		return db, "", nil
	}
	var version, tables int
	err = db.Reader().QueryRowContext(ctx, "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version").Scan(&version, &tables)
	switch {
	case err != nil:
		return db, unusable(err), err
	case tables == 0:
		return db, "", l.fill(ctx, db)
	case version == 0:
		return db, "it has tables that Fill has not made", nil
	case version-1 != l.Version:
		return db, fmt.Sprintf("it was filled as version %d, and this program fills it as version %d", version-1, l.Version), nil
	}
	return db, "", nil
}

func (l Local) fill(ctx context.Context, db *DB) error {
	err := db.Update(ctx, func(tx *sql.Tx) error {
		if err := l.Fill(ctx, tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "PRAGMA user_version = "+strconv.Itoa(l.Version+1))
		return err
	})
	if err != nil {
		return fmt.Errorf("fill local database %s: %w", db.path, err)
	}
	return nil
}

// errDamaged is what quick_check found.
var errDamaged = errors.New("it is damaged")

// checkLocal looks for damage.
func (db *DB) checkLocal(ctx context.Context) error {
	info, err := os.Stat(db.path)
	if err != nil || info.Size() > maxChecked {
		return err
	}
	var found string
	if err := db.Reader().QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return fmt.Errorf("check local database %s: %w", db.path, err)
	}
	if found != "ok" {
		return fmt.Errorf("%w: %.200s", errDamaged, found)
	}
	return nil
}

// unusable says why a file must be thrown away; "" where it is not the file's fault.
func unusable(err error) string {
	var se *sqlite.Error
	switch {
	case errors.Is(err, errDamaged), errors.Is(err, errReadOnlyFile):
		return err.Error()
	case errors.As(err, &se):
		switch code := se.Code(); {
		case code&0xff == sqlite3.SQLITE_NOTADB, code&0xff == sqlite3.SQLITE_CORRUPT, code == sqlite3.SQLITE_IOERR_SHORT_READ:
			return se.Error() // without the hint: nobody is to restore a backup
		}
	}
	return ""
}

func emptyOrMissing(path string) bool {
	info, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0
}

// localSuffixes end the names of a database's files, itself first.
var localSuffixes = []string{"", "-wal", "-shm", "-journal"}

// removeLocal removes a database: the file first, for SQLite does not take what is
// beside a file that is not there.
func removeLocal(path string) error {
	for _, suffix := range localSuffixes {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// maxVersion is what a user_version has room for.
const maxVersion = math.MaxInt32 - 1

var localName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// path is where the file is; its directory is there then.
func (l Local) path(name string) (string, error) {
	if !localName.MatchString(name) || len(name) > 200 {
		return "", fmt.Errorf("open local database %.100q: give the name of a file alone, of letters, digits, dots, - and _, such as cache.db", name)
	}
	for _, suffix := range append(localSuffixes[1:len(localSuffixes):len(localSuffixes)], made) {
		if strings.HasSuffix(name, suffix) {
			return "", fmt.Errorf("open local database %s: %s is the end of a name that belongs to another file", name, suffix)
		}
	}
	if l.Version < 0 || l.Version > maxVersion {
		return "", fmt.Errorf("open local database %s: Local.Version is %d: use a number from 0 to %d", name, l.Version, maxVersion)
	}
	if l.Config.Engine != nil {
		return "", fmt.Errorf("open local database %s: no engine copies it to other machines: leave Config.Engine nil", name)
	}
	dir, err := l.dir()
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("open local database %s: %w: set %s to a directory that this program can write", name, err, LocalDirVariable)
	}
	path := filepath.Join(dir, name)
	if onLiteFS(path) {
		return "", fmt.Errorf("open local database %s: %s is LiteFS's, which copies it to the other machines: let %s, or Local.Dir, name a directory of the volume", name, dir, LocalDirVariable)
	}
	return path, nil
}

func (l Local) dir() (string, error) {
	if l.Dir != "" {
		return l.Dir, nil
	}
	if dir := os.Getenv(LocalDirVariable); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	// Another checkout of one app is not to find this one's rows.
	sum := sha256.Sum256([]byte(wd))
	return filepath.Join(cache, "flysql", filepath.Base(program)+"-"+hex.EncodeToString(sum[:4])), nil
}
