package appdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// View runs fn in one read transaction: everything fn reads through tx is from
// the same moment, that of its first query. It neither waits for the writer
// nor holds it up. As long as it runs SQLite cannot reuse the write-ahead log,
// which grows with every write; keep it short.
//
// fn's error is returned as it is. A write in fn fails with code 8
// (SQLITE_READONLY). tx must not be used after fn has returned.
func (db *DB) View(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin read transaction: %w", db.explain(err))
	}
	return db.run(ctx, tx, fn)
}

// Update runs fn in one write transaction. It commits when fn returns nil, and
// rolls back when fn returns an error or panics, or when ctx ends first. After
// nil everything was kept, after an error nothing, unless it is an [ErrUnknown].
//
// With Config.Engine it is an [ErrReplica], and fn is not called, where this machine
// is not the primary. While that is not known it waits, for up to a second.
//
// Calls queue in the order in which they come, until ctx ends; an error from
// the queue says which Update held it, since a deadlock ends there. SQLite's
// own wait for the lock of another process is not cut short by ctx: it lasts
// as long as Config.BusyTimeout.
//
// fn's error is returned as it is, except that an error of the disk or the
// file gains a hint and still wraps the driver's. Return the first error of a
// statement: after a full disk SQLite has rolled back already, and a statement
// run after that would be committed on its own.
//
// Inside fn use tx alone, and do not commit it or roll it back. Calling Update
// or Writer there waits for the connection that fn itself holds; View and
// Reader see the data as it was before. tx must not be used after fn has
// returned.
func (db *DB) Update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if err := db.update(ctx, fn); err != nil || db.confirm == 0 {
		return err
	}
	return db.node.confirm(ctx, db.confirm)
}

// update is Update up to the commit.
func (db *DB) update(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if err := db.queue(ctx); err != nil {
		return err
	}
	defer db.leave()
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin write transaction: %w", db.explain(err))
	}
	return db.run(ctx, tx, fn)
}

// run calls fn and ends tx, whatever fn does.
func (db *DB) run(ctx context.Context, tx *sql.Tx, fn func(tx *sql.Tx) error) error {
	returned := false
	defer func() {
		if !returned { // fn panicked, or ended its goroutine
			_ = rollback(tx) // the panic goes on, and says more
		}
	}()
	err := fn(tx)
	returned = true
	if err != nil {
		if rerr := rollback(tx); rerr != nil {
			err = errors.Join(err, fmt.Errorf("roll back: %w", rerr))
		}
		return db.explain(err)
	}
	err = tx.Commit()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil:
		// database/sql has rolled back because ctx ended.
		return fmt.Errorf("commit: %w", ctx.Err())
	case errors.Is(err, sql.ErrTxDone):
		return errors.New("commit: the function ended the transaction itself; return an error to roll back, nil to commit")
	}
	return fmt.Errorf("commit: %w", db.explain(err))
}

// rollback rolls tx back, if there is still anything to roll back.
func rollback(tx *sql.Tx) error {
	err := tx.Rollback()
	// After some errors (a full disk, an interrupt) SQLite has rolled back by
	// itself.
	if errors.Is(err, sql.ErrTxDone) || noTransaction(err) {
		return nil
	}
	return err
}

// noTransaction reports whether there was none to roll back. SQLite has no result
// code of its own for that.
func noTransaction(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code() == sqlite3.SQLITE_ERROR && strings.Contains(se.Error(), "no transaction is active")
}

// A holder is the Update whose turn it is.
type holder struct {
	since time.Time
	pc    uintptr // in the caller of Update
}

// queue waits for this Update's turn.
func (db *DB) queue(ctx context.Context) error {
	select {
	case db.turn <- struct{}{}:
		var pcs [1]uintptr
		runtime.Callers(4, pcs[:]) // Callers, queue, update, Update
		db.holder.Store(&holder{since: time.Now(), pc: pcs[0]})
		return nil
	case <-ctx.Done():
	}
	if h := db.holder.Load(); h != nil {
		return fmt.Errorf("wait for the writer: %w (%s)", ctx.Err(), h)
	}
	return fmt.Errorf("wait for the writer: %w", ctx.Err())
}

func (db *DB) leave() {
	db.holder.Store(nil)
	<-db.turn
}

// String says who holds the writer, for a person who looks for a deadlock.
func (h *holder) String() string {
	frame, _ := runtime.CallersFrames([]uintptr{h.pc}).Next()
	return fmt.Sprintf("the Update called at %s:%d has held it for %v",
		filepath.Base(frame.File), frame.Line, time.Since(h.since).Round(time.Millisecond))
}
