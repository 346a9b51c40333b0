package entrypoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// imported is the note that a database was imported, of which file.
func (s state) imported() string { return filepath.Join(s.dir, s.base+".imported") }

// importDatabase makes a SQLite file the database of a cluster that has none yet. It
// is copied by SQLite's backup API, what is in its WAL too, as one transaction that
// every node gets: a kill leaves the cluster without a database, and the next boot
// begins anew.
func (b *boot) importDatabase(ctx context.Context) (report, error) {
	at, err := positionOf(b.path)
	if err != nil {
		return report{}, failed("", "read the database's position: %w", err)
	}
	if at.tx > 0 {
		return skipped("the cluster has the database already, at " + at.String()), nil
	}
	file, err := b.importable()
	if err != nil {
		return report{}, err
	}
	before := stateOf(file)
	var old *lock
	if _, err := os.Stat(before.dir); err == nil {
		old, err = acquire(ctx, before.useLock(), unix.LOCK_EX, b.LockTimeout, func(pid string) {
			b.Logger.LogAttrs(ctx, slog.LevelInfo, "lock", slog.String("outcome", "waiting"), slog.String("why", "an app still uses "+file), slog.String("pid", pid))
		})
		if err := b.explainLock(err, "stop the app that uses "+file+", then boot again: what it writes would not be imported"); err != nil {
			return report{}, err
		}
		defer old.release()
	}
	size, err := b.importFrom(ctx, file)
	var known *Error
	if errors.As(err, &known) {
		return report{}, failed(known.Hint, "import %s: %w", file, known.Err)
	}
	if err != nil {
		return report{}, failed("boot again: the next boot begins anew; "+file+" is as it was", "import %s: %w", file, err)
	}
	if err := b.fault("import.done"); err != nil {
		return report{}, err
	}
	if at, err = positionOf(b.path); err == nil {
		err = writeDurably(b.state.imported(), []byte(file+" "+at.String()+"\n"))
	}
	if err != nil {
		return report{}, b.noRoomOr(err, "note the import")
	}
	return ok(slog.String("file", file), slog.String("size", megabytes(size)), slog.String("position", at.String())), nil
}

// importable is the file, links resolved, where it may be imported.
func (b *boot) importable() (string, error) {
	if data, err := os.ReadFile(b.state.imported()); err == nil {
		return "", failed("the cluster's data is gone, and the file may be old: look for the newest copy ("+b.copies()+"), and remove "+b.state.imported()+" to import all the same",
			"%s was imported by an earlier boot, and the cluster has no database any more: it was %.200q", b.Import, data)
	}
	file, err := resolve(b.Import)
	if err != nil {
		return "", failed("", "follow the file to import: %w", err)
	}
	info, err := os.Stat(file)
	switch {
	case isNotExist(err):
		return "", failed("boot the machine whose volume has it first; where there is nothing to import, unset FLYSQL_LITEFS_IMPORT",
			"the cluster has no database, and %s, which was to become it, is not here", file)
	case err != nil:
		return "", failed("", "look at the file to import: %w", err)
	case !info.Mode().IsRegular():
		return "", failed("let FLYSQL_LITEFS_IMPORT name the database's file", "%s is a %s, not a database", file, kindOf(info.Mode()))
	case below(file, b.dir), below(file, b.node.data):
		return "", failed("let FLYSQL_LITEFS_IMPORT name the file from before LiteFS, such as /data/app.db", "%s is in a directory of LiteFS's own", file)
	}
	before := stateOf(file)
	for _, left := range []string{before.journal(), before.restore()} {
		if _, err := os.Lstat(left); err == nil {
			return "", failed("boot the image from before once more (FLYSQL_LITEFS=off), which settles it", "a migration of %s was cut short: %s is there", file, left)
		}
	}
	return file, nil
}

// importFrom copies the file into LiteFS. It is opened as an app would: what a crash
// left beside it is settled so.
func (b *boot) importFrom(ctx context.Context, file string) (size int64, err error) {
	db, err := sql.Open("sqlite", dsn(file, "rw"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	const another = "let FLYSQL_LITEFS_IMPORT name a whole SQLite file that is not encrypted"
	if _, err := integrity(ctx, db, "quick_check"); err != nil {
		if code := sqliteCode(err) & 0xff; context.Cause(ctx) == nil && code != sqlite3.SQLITE_BUSY {
			err = failed(another, "%w", err)
		}
		return 0, err
	}
	if err := db.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&size); err != nil {
		return 0, err
	}
	if size == 0 {
		return 0, failed(another, "it is empty")
	}
	// LiteFS keeps the database and the transaction that made it, which may not become
	// smaller by its compression.
	room, err := spaceOf(b.node.data)
	if err != nil {
		return 0, err
	}
	if need := 2*size + max(b.MinFree, 0); room.free < need {
		return 0, failed("extend the volume (fly volumes extend ID --size GB), then boot again",
			"no room: LiteFS needs %s for it, %s are free", megabytes(need), megabytes(room.free))
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	err = conn.Raw(func(c any) error {
		source, ok := c.(interface {
			NewBackup(string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("the driver's %T has no backup", c)
		}
		backup, err := source.NewBackup(dsn(b.path, "rwc"))
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if err = context.Cause(ctx); err == nil {
				more, err = backup.Step(2048)
			}
			if err == nil {
				err = b.fault("import.copy")
			}
		}
		return errors.Join(err, backup.Finish())
	})
	if err != nil {
		return 0, err
	}
	return size, b.taken(ctx)
}
