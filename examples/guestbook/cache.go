package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/flysql/flysql/appdb"
)

const (
	// cachedLists bounds the cache: what a client asks for must not fill the volume.
	cachedLists = 20
	// cachedFor is for a message that somebody deletes in the database by hand.
	cachedFor = time.Minute
)

// A cache keeps answers of /messages.json as they were sent, in a database of this machine
// alone. It is written on every machine while a GET is served, and no request goes to
// the primary for that. Nothing is lost with it: an error is a miss, and is logged.
type cache struct {
	db  *appdb.DB // nil: every look is a miss
	log *slog.Logger
}

// openCache opens the cache in dir; "" leaves the place to appdb. An app without one is
// slower, which is no reason not to start.
func openCache(ctx context.Context, dir string, log *slog.Logger) *cache {
	db, err := appdb.Local{
		Dir:     dir,
		Version: 1, // raise it with each change of the table, and of what a list looks like
		Fill: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `CREATE TABLE lists (
				after_id INTEGER NOT NULL UNIQUE, newest TEXT NOT NULL, kept INTEGER NOT NULL, body BLOB NOT NULL) STRICT`)
			return err
		},
		Logger: log,
	}.Open(ctx, "guestbook-cache.db")
	if err != nil {
		log.Warn("no cache", "err", err)
	}
	return &cache{db: db, log: log}
}

// list returns the list after a message as it was kept a moment ago, while newest was
// the newest; nil where it was not.
func (c *cache) list(ctx context.Context, after int64, newest string) (body []byte) {
	if c.db == nil {
		return nil
	}
	err := c.db.Reader().QueryRowContext(ctx,
		`SELECT body FROM lists WHERE after_id = ? AND newest = ? AND kept > ?`,
		after, newest, time.Now().Add(-cachedFor).Unix()).Scan(&body)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		c.log.Warn("cache not read", "err", err)
	}
	return body
}

// keep keeps a list instead of what was kept of it, and forgets the oldest ones.
func (c *cache) keep(ctx context.Context, after int64, newest string, body []byte) {
	if c.db == nil {
		return
	}
	err := c.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO lists (after_id, newest, kept, body) VALUES (?, ?, ?, ?)`,
			after, newest, time.Now().Unix(), body)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM lists WHERE rowid <= (SELECT max(rowid) FROM lists) - ?`, cachedLists)
		return err
	})
	if err != nil {
		c.log.Warn("cache not written", "err", err)
	}
}

func (c *cache) Close() error {
	if c.db == nil {
		return nil
	}
	return c.db.Close()
}
