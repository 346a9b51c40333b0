package inspect

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"os"
	"slices"
)

// Size is what a database takes; sizes in bytes.
type Size struct {
	File, WAL, Journal, SHM int64 // of the files; 0 where there is none

	PageSize, Pages, FreePages int64
	Objects                    []Object // the largest first
}

// Object is a table or an index.
type Object struct {
	Name  string
	Type  string // "table" or "index"
	Table string // that an index is of; else Name

	Entries int64 // rows of a table, entries of an index
	Pages   int64
	Bytes   int64 // of its pages
	Payload int64 // of these, what its content takes
	Unused  int64 // of these, what is free within them
}

// Size measures the database. Each table is read in a transaction of its own, so that
// nobody waits for longer than that: the figures are of one moment only where nobody
// writes.
func (d *Database) Size(ctx context.Context) (*Size, error) {
	s := &Size{}
	for suffix, size := range map[string]*int64{"": &s.File, "-wal": &s.WAL, "-journal": &s.Journal, "-shm": &s.SHM} {
		if info, err := os.Stat(d.Path + suffix); err == nil {
			*size = info.Size()
		}
	}
	err := d.read(ctx, func(db *sql.DB) error {
		for pragma, value := range map[string]*int64{"page_size": &s.PageSize, "page_count": &s.Pages, "freelist_count": &s.FreePages} {
			if err := db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(value); err != nil {
				return err
			}
		}
		var err error
		s.Objects, err = objects(ctx, db)
		return err
	})
	return s, err
}

// objects measures each table and index. A virtual table has no pages: those that hold
// its content are tables too.
func objects(ctx context.Context, db *sql.DB) ([]Object, error) {
	list, err := listObjects(ctx, db)
	if err != nil {
		return nil, err
	}
	kept := list[:0]
	for _, o := range list {
		// A row of a table is a cell of a leaf; of an index, and of a table WITHOUT
		// ROWID, each cell is an entry.
		err := db.QueryRowContext(ctx, `SELECT count(*), sum(pgsize), sum(payload), sum(unused), sum(CASE WHEN ?2 OR pagetype = 'leaf' THEN ncell ELSE 0 END) FROM dbstat WHERE name = ?1 HAVING count(*) > 0`,
			o.Name, o.Entries != 0).Scan(&o.Pages, &o.Bytes, &o.Payload, &o.Unused, &o.Entries)
		if errors.Is(err, sql.ErrNoRows) { // dropped meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, o)
	}
	slices.SortFunc(kept, func(a, b Object) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
	})
	return kept, nil
}

// listObjects lists the tables and indexes. Entries is 1 for now where each cell is an
// entry.
func listObjects(ctx context.Context, db *sql.DB) (list []Object, err error) {
	rows, err := db.QueryContext(ctx, `
		SELECT s.name, s.type, s.tbl_name, s.type = 'index' OR coalesce(l.wr, 0)
		FROM sqlite_schema s LEFT JOIN pragma_table_list l ON l.schema = 'main' AND l.name = s.name AND s.type = 'table'
		WHERE s.rootpage > 0
		UNION ALL SELECT 'sqlite_schema', 'table', 'sqlite_schema', 0`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var o Object
		if err := rows.Scan(&o.Name, &o.Type, &o.Table, &o.Entries); err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, rows.Err()
}
