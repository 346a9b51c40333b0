package transfer

import (
	"errors"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// groupRows is how many rows a statement inserts: with more it is no faster, with one it
// takes half as long again. BenchmarkInsert of package lite has measured it.
const groupRows = 10

// inserter inserts a table's rows.
type inserter struct {
	table   string
	columns int
	single  *lite.Stmt
	group   *lite.Stmt // nil where an error must be one row's
}

func newInserter(db *lite.Conn, t *move.TablePlan) (in *inserter, err error) {
	in = &inserter{table: t.Source.String(), columns: len(t.Copied())}
	if in.single, err = db.Prepare(insertSQL(t, 1)); err != nil {
		return nil, err
	}
	if in.columns > 0 && !ownChecks(t) {
		if in.group, err = db.Prepare(insertSQL(t, groupRows)); err != nil {
			return nil, errors.Join(err, in.single.Close())
		}
	}
	return in, nil
}

func (in *inserter) close() error {
	if in.group != nil {
		return errors.Join(in.single.Close(), in.group.Close())
	}
	return in.single.Close()
}

// insert inserts a batch; before is how many rows there are.
func (in *inserter) insert(b *batch, before int64) error {
	for row := 0; row < b.rows; {
		s, n := in.single, 1
		if in.group != nil && b.rows-row >= groupRows {
			s, n = in.group, groupRows
		}
		first := row * in.columns
		var err error
		for i := 0; i < n*in.columns && err == nil; i++ {
			err = s.Bind(i+1, b.value(first+i))
		}
		if err == nil {
			_, err = s.Step()
		}
		if err != nil {
			return &RowError{Table: in.table, Row: before + int64(row) + 1, Rows: n, Err: err}
		}
		row += n
	}
	return nil
}

func insertSQL(t *move.TablePlan, rows int) string {
	var names []string
	for _, c := range t.Copied() {
		names = append(names, c.Name)
	}
	into := "INSERT INTO " + pgexpr.Ident(t.Name)
	if len(names) == 0 {
		return into + " DEFAULT VALUES"
	}
	row := "(?" + strings.Repeat(", ?", len(names)-1) + ")"
	return into + " (" + identifiers(names) + ") VALUES " + row + strings.Repeat(", "+row, rows-1)
}
