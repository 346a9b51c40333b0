package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	_ "modernc.org/sqlite"

	"github.com/flysql/flysql/e2e/guestbook"
)

// intact looks at the database beside the app: sound, with these messages, and
// without what the broken migration made before it failed.
func intact(ctx context.Context, file string, want []guestbook.Message) (err error) {
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
	same := func(a, b guestbook.Message) bool { return a.ID == b.ID && a.Name == b.Name && a.Body == b.Body }
	if !slices.EqualFunc(got, want, same) {
		return fmt.Errorf("the database holds %+v, want %+v", got, want)
	}
	return nil
}

func messages(ctx context.Context, db *sql.DB) (_ []guestbook.Message, err error) {
	rows, err := db.QueryContext(ctx, "SELECT m.id, g.name, m.body FROM messages m JOIN guests g ON g.id = m.guest_id ORDER BY m.id")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []guestbook.Message
	for rows.Next() {
		var m guestbook.Message
		if err := rows.Scan(&m.ID, &m.Name, &m.Body); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// read returns the messages of a database file.
func read(ctx context.Context, file string) (_ []guestbook.Message, err error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return messages(ctx, db)
}

// hasColumn looks for what a migration has added.
func hasColumn(ctx context.Context, file, table, column string) (err error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM pragma_table_info(?) WHERE name = ?", table, column).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("the table %s has no column %s", table, column)
	}
	return nil
}
