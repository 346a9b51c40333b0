package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
)

// UnsoundError is what SQLite finds wrong with the file.
type UnsoundError struct{ Faults []string }

func (e *UnsoundError) Error() string { return strings.Join(e.Faults, "; ") }

// mostFaults is how many faults are named.
const mostFaults = 10

// sound has SQLite look for faults of pages, checks and foreign keys.
func (i *importer) sound(ctx context.Context) (err error) {
	db, err := lite.Open(ctx, i.temp, false) // one that only reads does not know the checks
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Exec("PRAGMA cache_size=-16384"); err != nil {
		return err
	}
	check := "quick_check" // all but what the indexes have, which proofs are for
	if i.o.FullCheck {
		check = "integrity_check"
	}
	faults, err := pragma(db, check, mostFaults)
	if err != nil {
		return err
	}
	orphans, tolerated := 0, map[string]int{}
	err = db.Rows("PRAGMA foreign_key_check", func(s *lite.Stmt) error {
		table, parent := i.table(s.Text(0)), s.Text(2)
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
		return err
	}
	if len(faults) > 0 {
		return &UnsoundError{faults}
	}
	for _, t := range i.plan.Tables {
		if n := tolerated[t.Source.String()]; n > 0 {
			i.report.Notes = append(i.report.Notes, fmt.Sprintf("%s: %d rows break a foreign key that is NOT VALID in PostgreSQL", t.Source, n))
		}
	}
	return nil
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

func (i *importer) table(name string) *move.TablePlan {
	n := slices.IndexFunc(i.plan.Tables, func(t *move.TablePlan) bool { return t.Name == name })
	if n < 0 {
		return nil
	}
	return i.plan.Tables[n]
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
