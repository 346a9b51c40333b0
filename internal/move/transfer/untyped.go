package transfer

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
)

// DataTable is a table that a dump with --data-only has rows of.
type DataTable struct {
	Table   move.Name
	Columns []string // nil where nothing names them
	Rows    int64
	Bytes   int64
}

// Untyped gives a source that has rows and no tables a schema by the columns' names. All
// are text before [Typed] has looked at their values.
func Untyped(source move.Source, data []DataTable) (move.Source, error) {
	s := *source.Schema()
	s.Tables = nil
	for _, d := range data {
		if d.Columns == nil {
			return nil, fmt.Errorf("%s: its INSERTs name no columns: dump again with --column-inserts, or without --inserts", d.Table)
		}
		t := &move.Table{Name: d.Table, Kind: move.PlainTable, Rows: d.Rows, Bytes: d.Bytes}
		for _, name := range d.Columns {
			t.Columns = append(t.Columns, &move.Column{Name: name, Type: move.TextType()})
		}
		s.Tables = append(s.Tables, t)
	}
	slices.SortFunc(s.Tables, func(a, b *move.Table) int { return strings.Compare(a.String(), b.String()) })
	return &typed{source, &s}, nil
}

// Typed gives each column the type that all its values are of, as far as the column that
// they come into keeps that; the rows are read for it. What a schema has besides, such as
// keys, is not known.
func Typed(ctx context.Context, source move.Source, e *move.Existing, o move.Options) (move.Source, error) {
	s := *source.Schema()
	s.Tables = slices.Clone(s.Tables)
	for i, t := range s.Tables {
		target := e.Table(o.NameOf(t))
		if target == nil || o.Tables[t.String()].Skip {
			continue // which is told later
		}
		shapes, err := shapesOf(ctx, source, t)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", t, err)
		}
		copied := *t
		copied.Columns = nil
		for n, c := range t.Columns {
			out := *c
			name := c.Name
			if other := o.Tables[t.String()].Columns[name].Name; other != "" {
				name = other
			}
			if column := target.Column(name); column != nil {
				out.NotNull = shapes[n].Nulls == 0
				if out.Type = shapes[n].Type(column); column.RowID && target.AutoIncrement {
					out.Identity = "by default"
				}
			}
			copied.Columns = append(copied.Columns, &out)
		}
		s.Tables[i] = &copied
	}
	return &typed{source, &s}, nil
}

// shapesOf reads a table's rows.
func shapesOf(ctx context.Context, source move.Source, t *move.Table) ([]move.Shape, error) {
	plan := &move.TablePlan{Source: t}
	for _, c := range t.Columns {
		plan.Columns = append(plan.Columns, &move.ColumnPlan{Source: c})
	}
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
			if null {
				out[i].Nulls++
			} else {
				out[i].Add(text)
			}
		}
		return nil
	}}, plan)
	return out, err
}

// typed is a source with a schema of its own.
type typed struct {
	move.Source
	schema *move.Schema
}

func (t *typed) Schema() *move.Schema { return t.schema }
