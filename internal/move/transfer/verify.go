package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

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

// Verify compares the file path with the snapshot, by what a plan says of both.
func (s *Source) Verify(ctx context.Context, plan *move.Plan, path string, progress func(Progress)) (*Verification, error) {
	if progress != nil {
		progress(Progress{Stage: Checking})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	theirs := make(chan sums, 1)
	go func() { theirs <- s.sums(ctx, plan) }()
	ours, err := readSums(ctx, plan, path)
	if err != nil {
		cancel()
	}
	t := <-theirs
	if err != nil {
		return nil, err
	}
	return s.verdict(ctx, plan, path, t, ours)
}

// compare is Verify where PostgreSQL's sums are known.
func (s *Source) compare(ctx context.Context, plan *move.Plan, path string, theirs sums) (*Verification, error) {
	if theirs.err != nil {
		return nil, theirs.err
	}
	ours, err := readSums(ctx, plan, path)
	if err != nil {
		return nil, err
	}
	return s.verdict(ctx, plan, path, theirs, ours)
}

// errHash is that the server does not hash as this package does.
var errHash = errors.New("its hash functions are not those of PostgreSQL on a little-endian machine: the rows cannot be compared")

// sums asks PostgreSQL for the sums of all tables.
func (s *Source) sums(ctx context.Context, plan *move.Plan) (out sums) {
	const probe = "a text that is longer than twelve bytes"
	var got int64
	if err := s.conn.QueryRow(ctx, "SELECT hashtextextended($1 COLLATE \"C\", 7)", probe).Scan(&got); err != nil {
		return sums{err: fmt.Errorf("compare: %w", err)}
	}
	if got != hashText(probe, 7) {
		return sums{err: errHash}
	}
	for _, t := range plan.Tables {
		h, err := s.tableSums(ctx, t)
		if err != nil {
			return sums{err: fmt.Errorf("compare %s: %w", t.Source, err)}
		}
		out.tables = append(out.tables, h)
	}
	return out
}

func (s *Source) tableSums(ctx context.Context, t *move.TablePlan) (h hashes, err error) {
	q, _ := newQuery(t, s.Schema.Server.Encoding)
	list := []string{"count(*)", "coalesce(sum(" + q.hash(q.all()) + "), 0)::text"}
	dest := []any{&h.rows, &h.row}
	h.values, h.columns = make([]int64, len(q.columns)), make([]string, len(q.columns))
	counts, hashed := "ARRAY[", "ARRAY["
	for i := range q.columns {
		if i > 0 {
			counts, hashed = counts+", ", hashed+", "
		}
		counts += fmt.Sprintf("count(c%d)", i)
		hashed += fmt.Sprintf("coalesce(sum(hashtextextended(c%d, 0)), 0)::text", i)
	}
	list = append(list, counts+"]::int8[]", hashed+"]::text[]")
	dest = append(dest, &h.values, &h.columns)
	// The extended protocol would prepare a statement for each table.
	err = s.conn.QueryRow(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+q.from, pgx.QueryExecModeExec).Scan(dest...)
	return h, err
}

// readSums computes the same from the file.
func readSums(ctx context.Context, plan *move.Plan, path string) (out []hashes, err error) {
	db, err := lite.Open(ctx, path, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Exec("BEGIN"); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	for _, t := range plan.Tables {
		q, _ := newQuery(t, plan.Source.Encoding)
		h, err := q.scan(db, plan.Source.Encoding)
		if err != nil {
			return nil, fmt.Errorf("read %s: table %s: %w", path, t.Name, err)
		}
		out = append(out, h)
	}
	return out, nil
}

// verdict puts both sides together, and looks for the rows where they differ.
func (s *Source) verdict(ctx context.Context, plan *move.Plan, path string, theirs sums, ours []hashes) (*Verification, error) {
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
			if verdict.Differences, verdict.More, err = s.differences(ctx, q, path, max(a.rows, b.rows)); err != nil {
				return nil, fmt.Errorf("compare %s: %w", t.Source, err)
			}
		}
		v.Tables = append(v.Tables, verdict)
	}
	return v, nil
}
