package entrypoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
)

// On LiteFS a database is not put back by renames, which its mount has not, but
// written over by SQLite's backup API, as one transaction that every node gets.
// A kill leaves it as it was before or as it is after; the journal is there until
// then.
//
// Two things differ from a volume. Other nodes may have written since: only where
// LiteFS's own transaction files show that nobody else has, and while SQLite's lock
// keeps it so, is anything replaced. And in WAL mode LiteFS v0.5.14 breaks off a
// transaction that makes a database smaller by more than 1 MiB, after SQLite has
// reported it as done: what is put back is never smaller than what it replaces.

// othersError is a database that is not put back since others may have written.
type othersError struct{ why string }

func (e *othersError) Error() string {
	return "it was not put back, for rows of others could be lost: " + e.why
}

// putBackThrough is putBack on LiteFS.
func (b *boot) putBackThrough(ctx context.Context, j *journal) error {
	err := b.fault("restore.begin")
	if err == nil {
		err = b.writeOver(ctx, j)
	}
	var others *othersError
	if err == nil || errors.As(err, &others) {
		return err
	}
	return failed("boot again: the next boot finishes it", "put the database back as it was: %w", err)
}

func (b *boot) writeOver(ctx context.Context, j *journal) (err error) {
	after, err := parsePosition(j.Position)
	if err != nil {
		return err
	}
	if err := b.mayReplace(j, after); err != nil {
		return err
	}
	if err := b.keepCopy(ctx); err != nil {
		return fmt.Errorf("keep what is about to be replaced: %w", err)
	}
	db, err := sql.Open("sqlite", dsn(b.path, "rw"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	source, err := b.restoreSource(ctx, db, j)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.dropRestoring()) }()
	if err := b.fault("restore.source"); err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	err = conn.Raw(func(c any) error {
		target, ok := c.(interface {
			NewRestore(string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("the driver's %T has no restore", c)
		}
		backup, err := target.NewRestore(dsn(source, "ro&immutable=1"))
		if err != nil {
			return err
		}
		// The first step takes the lock, and copies nothing. Until then somebody may
		// have come.
		if _, err = backup.Step(0); err == nil {
			err = b.mayReplace(j, after)
		}
		for more := true; more && err == nil; {
			more, err = backup.Step(-1)
		}
		return errors.Join(err, backup.Finish())
	})
	if err != nil {
		return err
	}
	if err := b.fault("restore.done"); err != nil {
		return err
	}
	return b.taken(ctx)
}

// mayReplace tells whether nobody's rows are lost.
func (b *boot) mayReplace(j *journal, after position) error {
	now, err := positionOf(b.path)
	if err != nil {
		return err
	}
	if err := b.node.onlyBy(j.Run, b.state.base, after, now); err != nil {
		return &othersError{err.Error()}
	}
	return nil
}

// keepCopy keeps what is about to be replaced all the same, where there is room.
func (b *boot) keepCopy(ctx context.Context) error {
	if err := os.MkdirAll(b.state.aside(), 0o700); err != nil {
		return err
	}
	name, err := freeName(b.state.aside(), b.state.base+"."+time.Now().UTC().Format(stamp))
	if err != nil {
		return err
	}
	b.kept = filepath.Join(b.state.aside(), name)
	err = b.copyInto(ctx, b.kept)
	if diskFull(err) {
		err = os.Remove(b.kept)
		b.kept = "nothing: the disk is full"
	}
	return err
}

// restoreSource is the file to write over the database with: the snapshot, or a
// copy of it that is as large as the database.
func (b *boot) restoreSource(ctx context.Context, db *sql.DB, j *journal) (string, error) {
	var mode string
	var pages, size, have int64
	err := db.QueryRowContext(ctx, "SELECT journal_mode, page_count, page_size FROM pragma_journal_mode, pragma_page_count, pragma_page_size").Scan(&mode, &pages, &size)
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.state.snapshots(), j.Snapshot)
	if j.Existed {
		if have, err = pagesOf(ctx, file); err != nil {
			return "", err
		}
		if mode != "wal" || have >= pages {
			return file, nil
		}
	} else {
		file = os.DevNull // an empty database
	}
	if err := b.dropRestoring(); err != nil {
		return "", err
	}
	if err := copyFile(ctx, file, b.restoring()); err != nil {
		return "", err
	}
	if err := pad(ctx, b.restoring(), pages, size); err != nil {
		return "", err
	}
	if have, err = pagesOf(ctx, b.restoring()); err == nil && have < pages {
		err = fmt.Errorf("the snapshot cannot be made as large as the database is now (it has %d pages, and needs %d), and LiteFS cannot make a database in WAL mode smaller", have, pages)
	}
	return b.restoring(), err
}

func (b *boot) restoring() string { return filepath.Join(b.state.dir, b.state.base+".restoring") }

func (b *boot) dropRestoring() error {
	if err := os.Remove(b.restoring()); err != nil && !isNotExist(err) {
		return err
	}
	return nil
}

func pagesOf(ctx context.Context, file string) (pages int64, err error) {
	db, err := sql.Open("sqlite", dsn(file, "ro&immutable=1"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages)
	return pages, err
}

// pad gives a database free pages until it has so many.
func pad(ctx context.Context, file string, pages, size int64) (err error) {
	db, err := sql.Open("sqlite", dsn(file, "rw", "journal_mode(OFF)", "synchronous(OFF)", fmt.Sprintf("page_size(%d)", size)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	const table = `"flysql padding"`
	for _, q := range []string{
		"CREATE TABLE " + table + " (v)",
		// Pages that are free already come first. A row has at most 1 GB, and its pages hold a
		// little less than they are large.
		fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT max(0, (%[1]d - (SELECT page_count FROM pragma_page_count) + (SELECT freelist_count FROM pragma_freelist_count)) * %[2]d) UNION ALL SELECT i - 1000000 FROM n WHERE i > 1000000) INSERT INTO %[3]s SELECT zeroblob(min(i, 1000000)) FROM n", pages, size, table),
		"DROP TABLE " + table,
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}
