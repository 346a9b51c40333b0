package inspect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// maxProblems is how many of a kind are named.
const maxProblems = 100

// Report is what a check has found.
type Report struct {
	Problems    []string // of the file, as integrity_check or quick_check says them
	Orphans     []Orphan // rows that refer to none; the first maxProblems
	OrphanCount int      // of them all
	Broken      []string // foreign keys that cannot be checked, and why
}

// OK tells whether nothing was found.
func (r *Report) OK() bool {
	return len(r.Problems) == 0 && r.OrphanCount == 0 && len(r.Broken) == 0
}

// Orphan is a row whose foreign key names no row.
type Orphan struct {
	Table   string
	RowID   *int64 // nil in a table WITHOUT ROWID
	Columns string // of the key, "guest_id"
	Parent  string // the table that it refers to
}

// Check reads the whole database: integrity_check, or with quick the faster
// quick_check, which does not compare indexes with their tables; then
// foreign_key_check. Writers of a database with a rollback journal wait for each.
func (d *Database) Check(ctx context.Context, quick bool) (*Report, error) {
	pragma := "integrity_check"
	if quick {
		pragma = "quick_check"
	}
	var r *Report
	err := d.read(ctx, func(db *sql.DB) error {
		r = &Report{}
		if err := r.integrity(ctx, db, pragma); err != nil {
			return err
		}
		return r.foreignKeys(ctx, db)
	})
	if r == nil {
		r = &Report{} // an empty file
	}
	return r, err
}

func (r *Report) integrity(ctx context.Context, db *sql.DB, pragma string) (err error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("PRAGMA %s(%d)", pragma, maxProblems))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			r.Problems = append(r.Problems, strings.ReplaceAll(line, "\n", "; "))
		}
	}
	return rows.Err()
}

// foreignKeys goes table by table: a key that names a column which is not unique, or
// not there, makes SQLite give up on the whole.
func (r *Report) foreignKeys(ctx context.Context, db *sql.DB) error {
	tables, err := texts(ctx, db, `SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name`)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := r.orphansOf(ctx, db, table); err != nil {
			if ctx.Err() != nil || code(err)&0xff != 1 { // SQLITE_ERROR: foreign key mismatch
				return err
			}
			r.Broken = append(r.Broken, fmt.Sprintf("%s: %v", table, err))
		}
	}
	return nil
}

func (r *Report) orphansOf(ctx context.Context, db *sql.DB, table string) (err error) {
	rows, err := db.QueryContext(ctx, `
		SELECT c.rowid, c.parent, coalesce((SELECT group_concat("from", ', ') FROM pragma_foreign_key_list(?1) WHERE id = c.fkid), '')
		FROM pragma_foreign_key_check(?1) c`, table)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		o := Orphan{Table: table}
		if err := rows.Scan(&o.RowID, &o.Parent, &o.Columns); err != nil {
			return err
		}
		if r.OrphanCount++; r.OrphanCount <= maxProblems {
			r.Orphans = append(r.Orphans, o)
		}
	}
	return rows.Err()
}

// texts returns the only column of a query.
func texts(ctx context.Context, db *sql.DB, query string, args ...any) (list []string, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}
