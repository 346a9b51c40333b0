package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// UnsoundError is what SQLite finds wrong with the file.
type UnsoundError struct{ Faults []string }

func (e *UnsoundError) Error() string { return strings.Join(e.Faults, "; ") }

// mostFaults is how many faults are named.
const mostFaults = 10

// Sound looks for faults of pages, indexes, checks and foreign keys of a file; full is
// Options.FullCheck. What is wrong is an *UnsoundError; what PostgreSQL has as well is in
// notes.
func Sound(ctx context.Context, plan *move.Plan, path string, full bool) (notes []string, err error) {
	db, err := lite.Open(ctx, path, false) // one that only reads does not know the checks
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Exec("PRAGMA cache_size=-16384"); err != nil {
		return nil, err
	}
	var tables []string
	for _, t := range plan.Tables {
		tables = append(tables, t.Name)
	}
	faults, err := faultsOf(db, tables, full)
	if err != nil {
		return nil, err
	}
	orphans, tolerated := 0, map[string]int{}
	err = db.Rows("PRAGMA foreign_key_check", func(s *lite.Stmt) error {
		table, parent := tableOf(plan, s.Text(0)), s.Text(2)
		if table != nil && notValid(table) {
			tolerated[table.Source.String()]++
			return nil
		}
		if orphans++; orphans <= mostFaults {
			faults = append(faults, fmt.Sprintf("%s: row %s refers to a row of %s that is not there", sourceName(table, s.Text(0)), s.Text(1), parent))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, &UnsoundError{faults}
	}
	for _, t := range plan.Tables {
		if n := tolerated[t.Source.String()]; n > 0 {
			notes = append(notes, fmt.Sprintf("%s: %d rows break a foreign key that is NOT VALID in PostgreSQL", t.Source, n))
		}
	}
	return notes, nil
}

// faultsOf returns what is wrong with the pages, the checks, NOT NULL, and the indexes of
// tables. In full, SQLite looks for each row in each index.
func faultsOf(db *lite.Conn, tables []string, full bool) ([]string, error) {
	if full {
		return pragma(db, "integrity_check", mostFaults)
	}
	faults, err := pragma(db, "quick_check", mostFaults) // all but what the indexes have
	if err != nil || len(faults) > 0 {
		return faults, err
	}
	for _, table := range tables {
		ok, err := proved(db, table)
		if err != nil {
			return nil, err
		}
		if !ok && len(faults) < mostFaults {
			more, err := pragma(db, "integrity_check", pgexpr.Literal(table))
			if err != nil {
				return nil, err
			}
			faults = append(faults, more...)
		}
	}
	return faults[:min(len(faults), mostFaults)], nil
}

// pragma runs integrity_check or quick_check.
func pragma(db *lite.Conn, name string, of any) (faults []string, err error) {
	err = db.Rows(fmt.Sprintf("PRAGMA %s(%v)", name, of), func(s *lite.Stmt) error {
		if text := s.Text(0); text != "ok" {
			faults = append(faults, name+": "+text)
		}
		return nil
	})
	return faults, err
}

func tableOf(plan *move.Plan, name string) *move.TablePlan {
	n := slices.IndexFunc(plan.Tables, func(t *move.TablePlan) bool { return t.Name == name })
	if n < 0 {
		return nil
	}
	return plan.Tables[n]
}

func sourceName(t *move.TablePlan, name string) string {
	if t == nil {
		return name
	}
	return t.Source.String()
}

// notValid reports whether a table has a foreign key that PostgreSQL has not checked.
func notValid(t *move.TablePlan) bool {
	return slices.ContainsFunc(t.Source.Constraints, func(c *move.Constraint) bool { return c.Kind == move.ForeignKey && c.NotValid })
}
