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

// Sound looks for faults of pages, checks and foreign keys of a file, and of its indexes
// where full is true: a proof of those goes along with a comparison. What is wrong is an
// *UnsoundError; what PostgreSQL has as well is in notes.
func Sound(ctx context.Context, plan *move.Plan, path string, full bool) (notes []string, err error) {
	db, err := lite.Open(ctx, path, false) // one that only reads does not know the checks
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Exec("PRAGMA cache_size=-16384"); err != nil {
		return nil, err
	}
	check := "quick_check" // all but what the indexes have
	if full {
		check = "integrity_check"
	}
	faults, err := pragma(db, check, mostFaults)
	if err != nil {
		return nil, err
	}
	unchecked, err := notValid(db, plan)
	if err != nil {
		return nil, err
	}
	orphans, tolerated := 0, map[string]int{}
	err = db.Rows("PRAGMA foreign_key_check", func(s *lite.Stmt) error {
		table, parent := tableOf(plan, s.Text(0)), s.Text(2)
		if table != nil && unchecked[foreignKey{table.Name, s.Text(3)}] {
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

// foreignKey is one of a table's, by SQLite's number.
type foreignKey struct{ table, id string }

// notValid are the foreign keys that PostgreSQL has not checked.
func notValid(db *lite.Conn, plan *move.Plan) (map[foreignKey]bool, error) {
	out := map[foreignKey]bool{}
	for _, t := range plan.Tables {
		if !slices.ContainsFunc(t.Source.Constraints, func(c *move.Constraint) bool { return c.Kind == move.ForeignKey && c.NotValid }) {
			continue
		}
		parents, columns := map[string]string{}, map[string][]string{}
		if err := db.Rows(`SELECT id, "table", "from" FROM pragma_foreign_key_list(`+pgexpr.Literal(t.Name)+")", func(s *lite.Stmt) error {
			parents[s.Text(0)] = s.Text(1)
			columns[s.Text(0)] = append(columns[s.Text(0)], sourceColumn(t, s.Text(2)))
			return nil
		}); err != nil {
			return nil, err
		}
		for id, parent := range parents {
			slices.Sort(columns[id])
			out[foreignKey{t.Name, id}] = slices.ContainsFunc(t.Source.Constraints, func(c *move.Constraint) bool {
				return c.Kind == move.ForeignKey && c.NotValid && refersTo(plan, c, parent) && slices.Equal(slices.Sorted(slices.Values(c.Columns)), columns[id])
			})
		}
	}
	return out, nil
}

// refersTo reports whether a foreign key is of rows of a table of SQLite's.
func refersTo(plan *move.Plan, c *move.Constraint, parent string) bool {
	return slices.ContainsFunc(plan.Tables, func(t *move.TablePlan) bool {
		return strings.EqualFold(t.Name, parent) && t.Source.Name == c.References.Table
	})
}

// sourceColumn is PostgreSQL's name of a column.
func sourceColumn(t *move.TablePlan, name string) string {
	for _, c := range t.Columns {
		if strings.EqualFold(c.Name, name) {
			return c.Source.Name
		}
	}
	return name
}
