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

// Verification is what a comparison has found, table by table.
type Verification struct {
	Tables []TableVerdict `json:"tables"`
}

// TableVerdict is what has been found about a table.
type TableVerdict struct {
	Source      string          `json:"source"` // as PostgreSQL names it
	Name        string          `json:"name"`   // in SQLite
	Rows        Pair            `json:"rows"`
	Columns     []ColumnVerdict `json:"columns"`
	SameRows    bool            `json:"same_rows"`             // the values stand together as they did
	Differences []Difference    `json:"differences,omitempty"` // some rows at least, where there are any
	More        bool            `json:"more,omitempty"`        // there are others
}

// Pair is a count on both sides.
type Pair struct {
	PostgreSQL int64 `json:"postgresql"`
	SQLite     int64 `json:"sqlite"`
}

func (p Pair) equal() bool { return p.PostgreSQL == p.SQLite }

// ColumnVerdict is what has been found about a column.
type ColumnVerdict struct {
	Name      string `json:"name"` // in SQLite
	Nulls     Pair   `json:"nulls"`
	Same      bool   `json:"same"`                // the values, in whichever rows
	Unchecked string `json:"unchecked,omitempty"` // why nothing can be said
}

// Equal reports whether nothing differs.
func (v *Verification) Equal() bool {
	return !slices.ContainsFunc(v.Tables, func(t TableVerdict) bool { return !t.Equal() })
}

// Equal reports whether the table is the same on both sides.
func (t TableVerdict) Equal() bool {
	return t.Rows.equal() && t.SameRows && len(t.Differences) == 0 &&
		!slices.ContainsFunc(t.Columns, func(c ColumnVerdict) bool { return c.Unchecked == "" && !(c.Same && c.Nulls.equal()) })
}

// DifferenceError is that a file is not the same as the database.
type DifferenceError struct{ Verification *Verification }

func (e *DifferenceError) Error() string {
	var parts []string
	for _, t := range e.Verification.Tables {
		if !t.Equal() {
			parts = append(parts, t.String())
		}
	}
	return "the file differs from PostgreSQL: " + strings.Join(parts, "; ")
}

// String says in one line what differs.
func (t TableVerdict) String() string {
	if t.Equal() {
		return fmt.Sprintf("%s: %d rows, the same", t.Source, t.Rows.SQLite)
	}
	s := fmt.Sprintf("%s: %d rows in PostgreSQL, %d in SQLite", t.Source, t.Rows.PostgreSQL, t.Rows.SQLite)
	for _, d := range t.Differences {
		s += ", " + d.String()
	}
	if t.More {
		s += ", and others"
	}
	return s
}

// hashes are the sums of one table on one side.
type hashes struct {
	rows    int64
	values  []int64  // of each column, without NULLs
	columns []string // sums of hashes
	row     string
	bad     string // a value that cannot be read as the plan says
}

// sums are those of all tables, in the plan's order.
type sums struct {
	tables []hashes
	err    error
}

// Verify compares the file path with a source, by what a plan says of both.
func Verify(ctx context.Context, source move.Source, plan *move.Plan, path string, progress func(Progress)) (*Verification, error) {
	if progress != nil {
		progress(Progress{Stage: Checking})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	theirs := make(chan sums, 1)
	o := otherOf(source)
	go func() { theirs <- o.sums(ctx, plan) }()
	ours, _, err := readSums(ctx, plan, path, false)
	if err != nil {
		cancel()
	}
	t := <-theirs
	if err != nil {
		return nil, err
	}
	return verdict(ctx, o, plan, path, t, ours)
}

// compare is Verify where PostgreSQL's sums are known. As it reads the tables, it proves
// their indexes, where that is asked for.
func compare(ctx context.Context, o other, plan *move.Plan, path string, theirs sums, prove bool) (*Verification, error) {
	if theirs.err != nil {
		return nil, theirs.err
	}
	ours, faults, err := readSums(ctx, plan, path, prove)
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, &UnsoundError{faults}
	}
	return verdict(ctx, o, plan, path, theirs, ours)
}

// readSums computes the same from the file.
func readSums(ctx context.Context, plan *move.Plan, path string, prove bool) (out []hashes, faults []string, err error) {
	db, err := lite.Open(ctx, path, true)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Exec("BEGIN"); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	for _, t := range plan.Tables {
		h, more, err := readTable(db, t, plan.Source.Encoding, prove)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: table %s: %w", path, t.Name, err)
		}
		out, faults = append(out, h), append(faults, more...)
	}
	return out, faults[:min(len(faults), mostFaults)], nil
}

func readTable(db *lite.Conn, t *move.TablePlan, encoding string, prove bool) (h hashes, faults []string, err error) {
	q, _ := newQuery(t, encoding)
	var p *proof
	if prove {
		if p, err = newProof(db, t.Name); err != nil {
			return h, nil, err
		}
	}
	if h, err = q.scan(q.stored(db, encoding, p)); err == nil && prove {
		faults, err = p.faults()
	}
	return h, faults, err
}

// verdict puts both sides together, and looks for the rows where they differ.
func verdict(ctx context.Context, o other, plan *move.Plan, path string, theirs sums, ours []hashes) (*Verification, error) {
	if theirs.err != nil {
		return nil, theirs.err
	}
	v := &Verification{}
	for n, t := range plan.Tables {
		a, b := theirs.tables[n], ours[n]
		q, unchecked := newQuery(t, plan.Source.Encoding)
		verdict := TableVerdict{Source: t.Source.String(), Name: t.Name, Rows: Pair{a.rows, b.rows}, SameRows: a.row == b.row && b.bad == ""}
		for i, c := range q.columns {
			verdict.Columns = append(verdict.Columns, ColumnVerdict{Name: c.Name, Nulls: Pair{a.rows - a.values[i], b.rows - b.values[i]}, Same: a.columns[i] == b.columns[i]})
		}
		for _, c := range t.Copied() {
			if why := unchecked[c.Name]; why != "" {
				verdict.Columns = append(verdict.Columns, ColumnVerdict{Name: c.Name, Unchecked: why})
			}
		}
		if !verdict.Equal() {
			var err error
			if verdict.Differences, verdict.More, err = differences(ctx, o, q, path, plan.Source.Encoding, max(a.rows, b.rows)); err != nil {
				return nil, fmt.Errorf("compare %s: %w", t.Source, err)
			}
		}
		v.Tables = append(v.Tables, verdict)
	}
	return v, nil
}
