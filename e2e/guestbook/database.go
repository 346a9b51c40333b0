package guestbook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	_ "modernc.org/sqlite"
)

// Intact looks at the database beside the app: sound, with these messages, and
// without what the Broken migration made before it failed.
func Intact(ctx context.Context, file string, want []Message) (err error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&verdict); err != nil {
		return fmt.Errorf("integrity_check: %w", err)
	}
	if verdict != "ok" {
		return fmt.Errorf("integrity_check: %s", verdict)
	}
	var left int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'half_done'").Scan(&left); err != nil {
		return err
	}
	if left != 0 {
		return errors.New("the failed migration left its table half_done behind")
	}
	got, err := messages(ctx, db)
	if err != nil {
		return err
	}
	same := func(a, b Message) bool { return a.ID == b.ID && a.Name == b.Name && a.Body == b.Body }
	if !slices.EqualFunc(got, want, same) {
		return fmt.Errorf("the database holds %+v, want %+v", got, want)
	}
	return nil
}

func messages(ctx context.Context, db *sql.DB) (_ []Message, err error) {
	rows, err := db.QueryContext(ctx, "SELECT m.id, g.name, m.body FROM messages m JOIN guests g ON g.id = m.guest_id ORDER BY m.id")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []Message
	for rows.Next() {
		var m Message
		if err := rows.Scan(&m.ID, &m.Name, &m.Body); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// Stored returns the messages of a database file.
func Stored(ctx context.Context, file string) (_ []Message, err error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return messages(ctx, db)
}

// HasMore looks for what the More migration adds.
func HasMore(ctx context.Context, file string) (err error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM pragma_table_info('messages') WHERE name = 'mood'").Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return errors.New("the table messages has no column mood")
	}
	return nil
}
