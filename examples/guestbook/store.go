package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/flysql/flysql/appdb"
)

// store is everything the app asks of its database. The methods that write
// say so: they are the ones that need the primary where there are replicas.
type store struct{ db *appdb.DB }

type guest struct {
	ID      int64
	Name    string
	Created time.Time
}

type message struct {
	ID      int64     `json:"id"`
	GuestID int64     `json:"guest_id"`
	Name    string    `json:"name"`
	Body    string    `json:"message"`
	Created time.Time `json:"created"`
}

var errNoGuest = errors.New("no such guest")

// checkTables reports an error with the command to run when the migrations
// have not been applied. It reads.
func (s *store) checkTables(ctx context.Context) error {
	var missing []string
	err := s.db.View(ctx, func(tx *sql.Tx) error {
		for _, table := range []string{"guests", "messages", "page_reads"} {
			var found bool
			err := tx.QueryRowContext(ctx,
				`SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)`, table).Scan(&found)
			if err != nil {
				return err
			}
			if !found {
				missing = append(missing, table)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for the app's tables: %w", err)
	}
	if len(missing) > 0 {
		return fmt.Errorf("the database that DATABASE_URL names has no table %s: "+
			"its migrations have not been applied. Apply them and start the app with\n\n  %s",
			strings.Join(missing, ", "), bootCommand)
	}
	return nil
}

// Ping reads one row, to learn whether the database can be read.
func (s *store) Ping(ctx context.Context) error {
	var any bool
	return s.db.Reader().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM guests)`).Scan(&any)
}

// CountRead counts one more read of the page at path and returns the new
// count. It writes, and is called while a GET is served: the one place where
// this app writes during a request that looks like a read. A replica refuses it
// with appdb.ErrReplica, by which the router sends the request to the primary.
func (s *store) CountRead(ctx context.Context, path string) (reads int64, err error) {
	err = s.db.Update(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `
			INSERT INTO page_reads (path, reads) VALUES (?, 1)
			ON CONFLICT (path) DO UPDATE SET reads = reads + 1
			RETURNING reads`, path).Scan(&reads)
	})
	return reads, err
}

// Reads returns how often the page at path has been read. It reads.
func (s *store) Reads(ctx context.Context, path string) (reads int64, err error) {
	err = s.db.Reader().QueryRowContext(ctx, `SELECT reads FROM page_reads WHERE path = ?`, path).Scan(&reads)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return reads, err
}

// Sign stores a message and, on the first one, its guest. It returns the
// message's id. It writes.
func (s *store) Sign(ctx context.Context, name, body string) (id int64, err error) {
	now := time.Now().UTC()
	err = s.db.Update(ctx, func(tx *sql.Tx) error {
		// The transaction holds the write lock from its start: nobody else can
		// add the same guest between the look and the insert.
		var guestID int64
		err := tx.QueryRowContext(ctx, `SELECT id FROM guests WHERE name_key = ?`, nameKey(name)).Scan(&guestID)
		if errors.Is(err, sql.ErrNoRows) {
			err = tx.QueryRowContext(ctx, `INSERT INTO guests (name, name_key, created) VALUES (?, ?, ?) RETURNING id`,
				name, nameKey(name), now).Scan(&guestID)
		}
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `INSERT INTO messages (guest_id, body, created) VALUES (?, ?, ?) RETURNING id`,
			guestID, body, now).Scan(&id)
	})
	return id, err
}

// nameKey folds a name so that two spellings that differ only in case, in any
// script, give the same key.
func nameKey(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}

// Guest returns one guest, or errNoGuest. It reads.
func (s *store) Guest(ctx context.Context, id int64) (guest, error) {
	g := guest{ID: id}
	err := s.db.Reader().QueryRowContext(ctx,
		`SELECT name, created FROM guests WHERE id = ?`, id).Scan(&g.Name, &g.Created)
	if errors.Is(err, sql.ErrNoRows) {
		return guest{}, errNoGuest
	}
	return g, err
}

// span says which messages a page shows: of one guest or (0) of all, and
// older than Before, or newer than After, or (both 0) the newest there are.
type span struct{ Guest, Before, After int64 }

// page is one page of messages, newest first. Older and Newer say whether
// there are messages on either side of it.
type page struct {
	Messages     []message
	Older, Newer bool
}

// Page returns at most size messages. Pages are cut at ids, not at offsets: a
// link to an older page shows the same messages however many have been
// written since. It reads.
func (s *store) Page(ctx context.Context, sp span, size int) (p page, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		p, err = readPage(ctx, tx, sp, size)
		return err
	})
	return p, err
}

func readPage(ctx context.Context, tx *sql.Tx, sp span, size int) (p page, err error) {
	where, args := "TRUE", []any{}
	if sp.Guest != 0 {
		where, args = "m.guest_id = ?", []any{sp.Guest}
	}
	switch {
	case sp.After != 0:
		p.Messages, err = messages(ctx, tx, where+" AND m.id > ? ORDER BY m.id LIMIT ?", append(args, sp.After, size)...)
		slices.Reverse(p.Messages)
		if err == nil && len(p.Messages) < size {
			// Fewer than a page are newer: that is the front page.
			return readPage(ctx, tx, span{Guest: sp.Guest}, size)
		}
	case sp.Before != 0:
		p.Messages, err = messages(ctx, tx, where+" AND m.id < ? ORDER BY m.id DESC LIMIT ?", append(args, sp.Before, size)...)
	default:
		p.Messages, err = messages(ctx, tx, where+" ORDER BY m.id DESC LIMIT ?", append(args, size)...)
	}
	if err != nil || len(p.Messages) == 0 {
		return p, err
	}
	first, last := p.Messages[0].ID, p.Messages[len(p.Messages)-1].ID
	exists := "EXISTS (SELECT 1 FROM messages m WHERE " + where + " AND m.id "
	err = tx.QueryRowContext(ctx, "SELECT "+exists+"> ?), "+exists+"< ?)",
		slices.Concat(args, []any{first}, args, []any{last})...).Scan(&p.Newer, &p.Older)
	return p, err
}

// MessagesAfter returns at most limit messages with an id above after, oldest
// first. It reads.
func (s *store) MessagesAfter(ctx context.Context, after int64, limit int) (list []message, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		list, err = messages(ctx, tx, "m.id > ? ORDER BY m.id LIMIT ?", after, limit)
		return err
	})
	return list, err
}

// Newest names the newest message; "" while there is none. Its id alone would not do: a
// failover can lose a message, and another one then gets its id. It reads.
func (s *store) Newest(ctx context.Context) (name string, err error) {
	err = s.db.Reader().QueryRowContext(ctx, `SELECT id || ' ' || created FROM messages ORDER BY id DESC LIMIT 1`).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return name, err
}

// messages runs one query over messages; where is SQL of this file, never a
// user's text. The list is empty, not nil, when there are none.
func messages(ctx context.Context, tx *sql.Tx, where string, args ...any) (list []message, err error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT m.id, m.guest_id, g.name, m.body, m.created
		FROM messages m JOIN guests g ON g.id = m.guest_id WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	list = []message{}
	for rows.Next() {
		var m message
		if err := rows.Scan(&m.ID, &m.GuestID, &m.Name, &m.Body, &m.Created); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, rows.Err()
}
