package transfer

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// Look reads the columns of which a plan for a schema that is there does not know whether
// all their values fit, and adds to its Mismatches how many do not. A second time it does
// nothing.
func Look(ctx context.Context, source move.Source, plan *move.Plan) error {
	if plan.Looked {
		return nil
	}
	for _, t := range plan.Tables {
		if !t.Looks() {
			continue
		}
		l := newLooker(t)
		rows, err := source.CopyTable(ctx, &lines{f: l.line}, l.table)
		if err != nil {
			return fmt.Errorf("look at %s: %w", t.Source, err)
		}
		if rows != l.rows {
			return fmt.Errorf("look at %s: %d rows were sent, and %d have come", t.Source, rows, l.rows)
		}
		plan.Mismatches = append(plan.Mismatches, l.mismatches()...)
	}
	plan.Looked = true
	return nil
}

// looker counts the values of a table that do not fit.
type looker struct {
	table   *move.TablePlan // with the columns only that are looked at
	columns []*move.ColumnPlan
	rows    int64
	nulls   []int64
	misfits []map[string]int64 // by reason

	text, buf []byte
}

func newLooker(t *move.TablePlan) *looker {
	part := *t
	part.Columns = slices.DeleteFunc(slices.Clone(t.Columns), func(c *move.ColumnPlan) bool { return !c.Look })
	l := &looker{table: &part, columns: part.Copied()}
	l.nulls = make([]int64, len(l.columns))
	for range l.columns {
		l.misfits = append(l.misfits, map[string]int64{})
	}
	return l
}

func (l *looker) line(line []byte) error {
	l.rows++
	for i, c := range l.columns {
		var field []byte
		field, line, _ = bytes.Cut(line, []byte{'\t'})
		text, null, err := convert.Unescape(field, scratch(&l.text, len(field)))
		if err != nil {
			return err
		}
		if !null {
			v, err := c.Form.Conversion.To(text, scratch(&l.buf, 2*len(text)+64))
			if err != nil {
				l.misfits[i][err.Error()]++
				continue
			}
			null = v.Kind == convert.Null
		}
		if null && c.NotNull {
			l.nulls[i]++
		}
	}
	return nil
}

func (l *looker) mismatches() (out []move.Mismatch) {
	for i, c := range l.columns {
		where, at := l.table.Source.String()+"."+pgexpr.PgIdent(c.Source.Name), l.table.Name+"."+c.Name
		if n := l.nulls[i]; n > 0 {
			out = append(out, move.Mismatch{ID: "null-rows", Severity: move.Danger, Source: where, Target: at, Rows: n,
				Message: rowsHave(n) + " NULL, which SQLite's column does not take", Hint: "give them a value in PostgreSQL, or drop NOT NULL in a migration"})
		}
		for _, reason := range slices.Sorted(maps.Keys(l.misfits[i])) {
			n := l.misfits[i][reason]
			out = append(out, move.Mismatch{ID: "value-rows", Severity: move.Danger, Source: where, Target: at, Rows: n,
				Message: rowsHave(n) + " a value that does not fit", Hint: reason})
		}
	}
	return out
}

func rowsHave(n int64) string {
	if n == 1 {
		return "1 row has"
	}
	return fmt.Sprintf("%d rows have", n)
}
