package entrypoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/flysql/flysql/internal/migrate"
)

// taken makes sure that LiteFS has taken what SQLite has committed: LiteFS does so
// when SQLite gives up its lock, and cannot say no any more. Where it broke off, it
// holds that lock still.
func (b *boot) taken(ctx context.Context) (err error) {
	db, err := sql.Open("sqlite", dsn(b.path, "rw", "busy_timeout(3000)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(context.WithoutCancel(ctx), "BEGIN IMMEDIATE; ROLLBACK"); err != nil {
		return fmt.Errorf("%w: %w", errNotTaken, err)
	}
	return nil
}

var errNotTaken = errors.New("LiteFS has not taken the last transaction (its own lines say why; VACUUM in WAL mode is one reason)")

// modes are two of the database's own settings.
func (b *boot) modes(ctx context.Context) (journal string, autoVacuum int, err error) {
	db, err := sql.Open("sqlite", dsn(b.path, "ro"))
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRowContext(ctx, "SELECT journal_mode, auto_vacuum FROM pragma_journal_mode, pragma_auto_vacuum").Scan(&journal, &autoVacuum)
	return journal, autoVacuum, err
}

// shrinks warns of a database that becomes smaller by itself.
func (b *boot) shrinks(ctx context.Context) (string, error) {
	journal, autoVacuum, err := b.modes(ctx)
	if err != nil || journal != "wal" || autoVacuum != 1 {
		return "", err
	}
	return "auto_vacuum is FULL and the database in WAL mode: LiteFS v0.5.14 loses track of it when a transaction makes it smaller by more than 1 MiB; set PRAGMA auto_vacuum = INCREMENTAL, and run no incremental_vacuum", nil
}

// refuseVacuum stops a migration that would make LiteFS lose track of a database in
// WAL mode.
func (b *boot) refuseVacuum(ctx context.Context) error {
	if b.node == nil || b.set == nil || !b.exists {
		return nil
	}
	mode, _, err := b.modes(ctx)
	if err != nil || mode != "wal" {
		return err
	}
	for _, m := range b.pending.Pending {
		found, err := b.set.Shrinks(m)
		if err != nil {
			return err
		}
		for _, s := range found {
			if s.What != migrate.AutoVacuumFull { // that one, the migrations' end warns of
				return failed("take it out of the migration; nothing was changed", "%s:%d: %s, and LiteFS v0.5.14 loses track of a database in WAL mode that becomes smaller", b.shown(m.File), s.Line, s.What)
			}
		}
	}
	return nil
}
