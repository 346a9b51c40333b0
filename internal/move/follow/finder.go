package follow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// A row of a table without a key is found by all of its columns. Without an index that
// would read the whole table for each change, so the first one makes an index, which goes
// with the follow.

const (
	finderPrefix  = Table + " "
	finderColumns = 3 // at most
)

// makeFinder makes the index of a table, if it is in want of one.
func (a *applier) makeFinder(t *table) error {
	if t.indexed || t.sure || len(t.plan.Key) > 0 {
		return nil
	}
	t.indexed = true
	var columns []string
	for _, c := range selective(t.columns) {
		columns = append(columns, pgexpr.Ident(c.Name)+" COLLATE BINARY") // as table.where compares
	}
	if len(columns) == 0 {
		return nil
	}
	err := a.db.Exec("CREATE INDEX IF NOT EXISTS " + pgexpr.Ident(finderPrefix+t.plan.Name) + " ON " + pgexpr.Ident(t.plan.Name) + " (" + strings.Join(columns, ", ") + ")")
	if err != nil {
		return fmt.Errorf("an index to find rows of %s by: %w", t.plan.Source, err)
	}
	return nil
}

// selective are columns whose values are small and many, as far as types tell, first;
// large ones are left out.
func selective(columns []*move.ColumnPlan) []*move.ColumnPlan {
	rank := func(c *move.ColumnPlan) int {
		return slices.Index([]pgexpr.Type{pgexpr.TimestampTZ, pgexpr.Timestamp, pgexpr.UUID, pgexpr.Int8, pgexpr.Int4, pgexpr.Text, pgexpr.Numeric, pgexpr.Date, pgexpr.Int2, pgexpr.Bool}, c.Type)
	}
	out := slices.DeleteFunc(slices.Clone(columns), func(c *move.ColumnPlan) bool { return rank(c) < 0 })
	slices.SortStableFunc(out, func(a, b *move.ColumnPlan) int { return rank(a) - rank(b) })
	return out[:min(len(out), finderColumns)]
}

// dropFinders drops all such indexes.
func dropFinders(db *lite.Conn) error {
	var names []string
	if err := db.Rows("SELECT name FROM sqlite_schema WHERE type = 'index' AND substr(name, 1, "+fmt.Sprint(len(finderPrefix))+") = "+pgexpr.Literal(finderPrefix), func(s *lite.Stmt) error {
		names = append(names, s.Text(0))
		return nil
	}); err != nil {
		return err
	}
	for _, name := range names {
		if err := db.Exec("DROP INDEX " + pgexpr.Ident(name)); err != nil {
			return err
		}
	}
	return nil
}
