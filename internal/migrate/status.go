package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Status compares the set with the SQLite file at dbPath. Nothing is applied in a file that is missing or
// empty.
//
// It reads only: it creates no file and no table. There is one exception, which every reader of SQLite
// makes: a transaction that a crash has left half-written (a hot rollback journal) is undone first.
//
// Errors wrap [ErrOtherTool] when the database records another tool's migrations.
func (s *Set) Status(ctx context.Context, dbPath string) (Status, error) {
	var rec record
	err := readDatabase(ctx, dbPath, s.locks, func(db *sql.DB) (err error) {
		rec, err = s.read(ctx, db)
		return err
	})
	if err != nil {
		return Status{}, fmt.Errorf("migrations of %s: %w", dbPath, err)
	}
	return s.compare(rec), nil
}

// record is what a tool has written down in a database.
type record struct {
	versions []string // goose and dbmate: all that are applied; golang-migrate: the one, if any
	dirty    bool
}

// compare tells what of the set a database has.
func (s *Set) compare(rec record) Status {
	st := Status{Dirty: rec.dirty}
	recorded := make(map[string]bool, len(rec.versions))
	for _, v := range rec.versions {
		recorded[v] = true
		if st.Version == "" || newer(v, st.Version) {
			st.Version = v
		}
	}
	known := make(map[string]bool, len(s.migrations))
	for _, m := range s.migrations {
		known[m.Version] = true
		applied := recorded[m.Version]
		if s.tool == GolangMigrate {
			applied = st.Version != "" && !newer(m.Version, st.Version) && !(rec.dirty && m.Version == st.Version)
		}
		if applied {
			st.Applied = append(st.Applied, m)
		} else {
			st.Pending = append(st.Pending, m)
		}
	}
	for v := range recorded {
		if !known[v] {
			st.Unknown = append(st.Unknown, v)
		}
	}
	slices.SortFunc(st.Unknown, func(a, b string) int {
		switch {
		case newer(b, a):
			return -1
		case newer(a, b):
			return 1
		}
		return strings.Compare(a, b)
	})
	return st
}

// read reads the set's table. It returns the empty record when there is none.
func (s *Set) read(ctx context.Context, db *sql.DB) (record, error) {
	columns, err := columnsOf(ctx, db, s.table)
	if err != nil {
		return record{}, err
	}
	if len(columns) == 0 {
		return record{}, s.refuseOther(ctx, db)
	}
	if owner := ownerOf(columns); owner != s.tool {
		if owner == "" {
			return record{}, fmt.Errorf("table %s has the columns %s: this is not the table that %s keeps its versions in",
				s.table, strings.Join(columns, ", "), s.tool)
		}
		return record{}, s.otherTool(owner, s.table)
	}
	switch s.tool {
	case Goose:
		// Like goose's Provider, which takes every row for applied; version 0 only marks the table's birth.
		vs, err := texts(ctx, db, "SELECT DISTINCT version_id FROM "+quoteName(s.table)+" WHERE version_id <> 0")
		return record{versions: vs}, err
	case Dbmate:
		vs, err := texts(ctx, db, "SELECT version FROM "+quoteName(s.table))
		return record{versions: vs}, err
	}
	var version int64
	var rec record
	err = db.QueryRowContext(ctx, "SELECT version, dirty FROM "+quoteName(s.table)+" LIMIT 1").Scan(&version, &rec.dirty)
	if errors.Is(err, sql.ErrNoRows) {
		return record{}, nil
	}
	if version >= 0 { // -1, dirty, is left by a down migration to nothing that failed
		rec.versions = []string{strconv.FormatInt(version, 10)}
	}
	return rec, err
}

// refuseOther returns an error when another tool has migrated a database that lacks the set's own table.
// With a table named in Options the app keeps several sets apart by itself, and is trusted.
func (s *Set) refuseOther(ctx context.Context, db *sql.DB) error {
	if s.table != defaultTable[s.tool] {
		return nil
	}
	for _, tool := range []Tool{Goose, GolangMigrate} { // dbmate's default table is golang-migrate's
		table := defaultTable[tool]
		if table == s.table {
			continue
		}
		columns, err := columnsOf(ctx, db, table)
		if err != nil {
			return err
		}
		owner := ownerOf(columns)
		if owner == "" || owner == s.tool {
			continue
		}
		any := "SELECT EXISTS (SELECT 1 FROM " + quoteName(table)
		if owner == Goose {
			any += " WHERE version_id > 0"
		}
		var migrated bool
		if err := db.QueryRowContext(ctx, any+")").Scan(&migrated); err != nil {
			return err
		}
		if migrated {
			return s.otherTool(owner, table)
		}
	}
	return nil
}

func (s *Set) otherTool(owner Tool, table string) error {
	return fmt.Errorf("%w: its table %s is %s's, and the migrations in %s are for %s; "+
		"migrate it with %s, or give these migrations a database (or at least a table) of their own; nothing has been changed",
		ErrOtherTool, table, owner, s.dir, s.tool, owner)
}

// ownerOf tells from the columns of a table of versions which tool made it, "" when none did.
func ownerOf(columns []string) Tool {
	has := func(name string) bool { return slices.Contains(columns, name) }
	switch {
	case has("version_id") && has("is_applied"):
		return Goose
	case has("version") && has("dirty"):
		return GolangMigrate
	case has("version"):
		return Dbmate
	}
	return ""
}

// columnsOf returns the names of a table's columns in lower case, none when there is no such table.
func columnsOf(ctx context.Context, db *sql.DB, table string) ([]string, error) {
	return texts(ctx, db, "SELECT lower(name) FROM pragma_table_info(?)", table)
}

// texts returns the only column of a query.
func texts(ctx context.Context, db *sql.DB, query string, args ...any) (_ []string, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
