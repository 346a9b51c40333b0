package transfer

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
)

// DataTable is a table that a dump with --data-only has rows of.
type DataTable struct {
	Name    move.Name
	Columns []string
	Rows    int64
	Bytes   int64
}

// Typed gives a source that has rows and no tables a schema: of each column the type that
// all its values are of, as far as the column that they come into can keep that. The rows
// are read for it. What the schema of a database has besides, such as keys, is not known.
func Typed(ctx context.Context, source move.Source, data []DataTable, e *move.Existing, o move.Options) (move.Source, error) {
	s := *source.Schema()
	s.Tables = nil
	for _, d := range data {
		if d.Columns == nil {
			return nil, fmt.Errorf("%s: its INSERTs name no columns: dump again with --column-inserts, or without --inserts", d.Name)
		}
		t := &move.Table{Name: d.Name, Kind: move.PlainTable, Rows: d.Rows, Bytes: d.Bytes}
		plan := &move.TablePlan{Source: t}
		for _, name := range d.Columns {
			c := &move.Column{Name: name, Type: new(move.Shape).Type(&move.ExistingColumn{})}
			t.Columns = append(t.Columns, c)
			plan.Columns = append(plan.Columns, &move.ColumnPlan{Source: c})
		}
		s.Tables = append(s.Tables, t)
		target := e.Table(o.NameOf(t))
		if target == nil || o.Tables[t.String()].Skip {
			continue // which is told later
		}
		shapes, err := shapesOf(ctx, source, plan)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", t, err)
		}
		for i, c := range t.Columns {
			name := c.Name
			if other := o.Tables[t.String()].Columns[name].Name; other != "" {
				name = other
			}
			if column := target.Column(name); column != nil {
				c.Type = shapes[i].Type(column)
				counted(&s, t, c, column)
			}
		}
	}
	slices.SortFunc(s.Tables, func(a, b *move.Table) int { return bytes.Compare([]byte(a.String()), []byte(b.String())) })
	return &typed{source, &s}, nil
}

// counted finds the sequence that PostgreSQL gives a serial or identity column.
func counted(s *move.Schema, t *move.Table, c *move.Column, target *move.ExistingColumn) {
	if !target.RowID {
		return
	}
	c.Identity = "by default"
	name := move.Name{Schema: t.Schema, Name: t.Name.Name + "_" + c.Name + "_seq"}
	if slices.ContainsFunc(s.Sequences, func(q *move.Sequence) bool { return q.Name == name }) {
		c.Sequence = &name
	}
}

// shapesOf reads a table's rows.
func shapesOf(ctx context.Context, source move.Source, t *move.TablePlan) ([]move.Shape, error) {
	out := make([]move.Shape, len(t.Columns))
	var buf []byte
	_, err := source.CopyTable(ctx, &lines{f: func(line []byte) error {
		for i := range out {
			var field []byte
			field, line, _ = bytes.Cut(line, []byte{'\t'})
			text, null, err := convert.Unescape(field, scratch(&buf, len(field)))
			if err != nil {
				return err
			}
			if !null {
				out[i].Add(text)
			}
		}
		return nil
	}}, t)
	return out, err
}

// typed is a source with a schema of its own.
type typed struct {
	move.Source
	schema *move.Schema
}

func (t *typed) Schema() *move.Schema { return t.schema }
