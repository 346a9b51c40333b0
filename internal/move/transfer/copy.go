package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
)

// fill makes the tables and copies their rows. Streams read ahead; the rows go into the
// file table after table, so that it is the same for the same rows.
func (i *importer) fill(ctx context.Context) error {
	if live, ok := i.source.(*Live); ok {
		if err := live.readable(ctx, i.plan.Tables); err != nil {
			return err
		}
	}
	if i.into != nil {
		if err := i.alone(ctx, i.into.standIns); err != nil {
			return err
		}
	}
	db, err := i.open(ctx)
	if err != nil {
		return err
	}
	if err := i.tables(db); err != nil {
		return errors.Join(err, db.Close())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	flows := newFlows(i.plan.Tables)
	var streams sync.WaitGroup
	next := make(chan *flow, len(flows))
	for _, f := range flows {
		next <- f
	}
	close(next)
	for range min(i.o.Streams, len(flows)) {
		streams.Go(func() {
			if err := stream(ctx, i.source, next); err != nil {
				cancel(err)
			}
		})
	}
	for _, f := range flows {
		if err = i.insert(ctx, db, f); err != nil {
			break
		}
	}
	if errors.Is(err, context.Canceled) {
		err = context.Cause(ctx) // of the stream that failed first
	}
	cancel(nil)
	streams.Wait()
	if err == nil {
		err = db.Exec("COMMIT")
	}
	return errors.Join(err, db.Close())
}

// alone does something to the file in a connection of its own.
func (i *importer) alone(ctx context.Context, f func(*lite.Conn, *move.Plan) error) error {
	db, err := i.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(db, i.plan), db.Close())
}

// tables makes the tables, or readies those that are there, and begins.
func (i *importer) tables(db *lite.Conn) error {
	if i.into != nil {
		if err := i.into.prepare(db, i.plan); err != nil {
			return err
		}
		return db.Exec("BEGIN")
	}
	for _, statement := range append(before(i.plan), "BEGIN") {
		if err := db.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// flow is the rows of a table on their way.
type flow struct {
	table   *move.TablePlan
	batches chan *batch // closed behind the last
	free    chan *batch // to be filled again
	err     error       // once batches is closed
}

// ahead is how many batches of a table wait at most.
const ahead = 4

func newFlows(tables []*move.TablePlan) []*flow {
	var out []*flow
	for _, t := range tables {
		out = append(out, &flow{table: t, batches: make(chan *batch, ahead), free: make(chan *batch, ahead)})
	}
	return out
}

// stream takes tables out of a source until there are none left, or one fails.
func stream(ctx context.Context, source move.Source, next <-chan *flow) error {
	var err error
	for f := range next {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = f.copy(ctx, source)
		}
		f.err = err
		close(f.batches)
	}
	return err
}

// copy sends a table's rows.
func (f *flow) copy(ctx context.Context, source move.Source) error {
	for range ahead {
		f.free <- new(batch)
	}
	w := &rowWriter{ctx: ctx, table: f.table.Source.String(), columns: f.table.Copied(), free: f.free, out: f.batches}
	rows, err := source.CopyTable(ctx, &lines{f: w.line}, f.table)
	if err == nil {
		err = w.flush()
	}
	if err == nil && rows != w.row {
		err = fmt.Errorf("%d rows were sent, and %d have come", rows, w.row)
	}
	var row *RowError
	switch {
	case err == nil, errors.As(err, &row), ctx.Err() != nil:
		return err
	}
	return fmt.Errorf("copy %s: after row %d: %w", w.table, w.row, err)
}

// insert puts a table's rows into the file.
func (i *importer) insert(ctx context.Context, db *lite.Conn, f *flow) (err error) {
	t := f.table
	// A form's checks hold by its conversion, and integrity_check looks at all of them
	// later; those of a person's have the row's number here.
	if err := db.Exec("PRAGMA ignore_check_constraints = " + map[bool]string{true: "off", false: "on"}[ownChecks(t)]); err != nil {
		return err
	}
	in, err := newInserter(db, t)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", t.Name, err)
	}
	defer func() { err = errors.Join(err, in.close()) }()
	p := Progress{Stage: Copying, Table: t.Source.String(), Estimate: t.Source.Rows}
	i.o.Progress(p)
	for b := range f.batches {
		if err := in.insert(b, p.Rows); err != nil {
			switch {
			case ctx.Err() != nil:
				err = ctx.Err()
			case t.Target != nil && isConstraint(err):
				err = fmt.Errorf("%w: PostgreSQL has no such constraint: mend the rows there, or the constraint in a migration", err)
			}
			return err
		}
		p.Rows += int64(b.rows)
		p.Bytes += b.bytes
		f.free <- b.reset()
		i.o.Progress(p)
	}
	if f.err != nil {
		return f.err
	}
	i.report.Tables = append(i.report.Tables, TableReport{Source: p.Table, Name: t.Name, Rows: p.Rows, Bytes: p.Bytes})
	i.report.Rows += p.Rows
	i.report.Bytes += p.Bytes
	return nil
}

// ownChecks reports whether a table has checks besides its columns' forms. Those of a
// schema that is there are looked at when the rows are.
func ownChecks(t *move.TablePlan) bool {
	return t.Target == nil && (slices.ContainsFunc(t.Source.Constraints, func(c *move.Constraint) bool {
		return c.Kind == move.Check || c.References != nil && c.References.Full
	}) || slices.ContainsFunc(t.Columns, func(c *move.ColumnPlan) bool { return c.Source.Type.Kind == move.DomainType }))
}
