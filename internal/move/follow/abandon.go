package follow

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
)

// Abandon removes from PostgreSQL what a file's follow has made there, and what says so
// from the file, which is an ordinary database then, of the moment that it has come to.
// Where there is no file, or it follows nothing, name says what is to be removed. Notes are
// about what stays.
func Abandon(ctx context.Context, source Source, name string) (notes []string, err error) {
	state, err := Load(ctx, source.Path)
	if err != nil && !(errors.Is(err, ErrNotFollowing) && name != "") {
		return nil, err
	}
	conn, err := connect(ctx, source.URL)
	if err != nil {
		return nil, err
	}
	defer closing(conn)
	if state != nil {
		name = state.Name
	}
	note, err := remove(ctx, conn, name)
	if err != nil || state == nil {
		return noted(nil, note), err
	}
	other, err := leave(ctx, source.Path)
	return noted(noted(nil, note), other), err
}

// noted appends a note, if it says something.
func noted(notes []string, note string) []string {
	if note == "" {
		return notes
	}
	return append(notes, note)
}

// remove drops the slot and the publication of a name, or the schema with its triggers.
func remove(ctx context.Context, conn *pgx.Conn, name string) (note string, err error) {
	switch {
	case !ours(name):
		return "", fmt.Errorf("%q is no name that flysql gives", name)
	case strings.HasPrefix(name, move.OwnSchema):
		return "", dropTriggers(ctx, conn, name)
	}
	if err := dropSlot(ctx, conn, name); err != nil {
		return "", err
	}
	return dropPublication(ctx, conn, name)
}

// leave takes flysql's table out of the file, which is one file then.
func leave(ctx context.Context, path string) (note string, err error) {
	db, err := openFile(ctx, path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := dropFinders(db); err != nil {
		return "", err
	}
	if err := db.Exec("DROP TABLE IF EXISTS " + Table); err != nil {
		return "", err
	}
	err = db.Exec("PRAGMA journal_mode=delete")
	var refused *lite.Error
	if errors.As(err, &refused) { // the file is whole, whichever mode it is in
		return "another program has " + path + " open: it stays in WAL mode, so " + path + "-wal is part of it", nil
	}
	return "", err
}

// here is the goal that everything committed by now is applied.
func (f *follower) here() goal {
	if f.state.Mode == Triggers {
		return func(context.Context, *pgx.Conn) (string, error) { return "", nil }
	}
	return func(ctx context.Context, conn *pgx.Conn) (string, error) {
		// A commit that waits for the disk has all before it written there, and
		// replication reads no further than that.
		if _, err := conn.Exec(ctx, "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_catalog.pg_logical_emit_message(true, 'flysql', 'here'); COMMIT"); err != nil {
			return "", fmt.Errorf("write to PostgreSQL's WAL: %w", err)
		}
		var text string
		err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_current_wal_flush_lsn()::text").Scan(&text)
		return text, err
	}
}
