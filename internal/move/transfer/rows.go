package transfer

import (
	"bytes"
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
)

// RowError is a row that SQLite cannot have as the plan says.
type RowError struct {
	Table  string // as PostgreSQL names it
	Row    int64  // in the order of COPY, from 1
	Rows   int    // it is one of so many from there on, where SQLite does not say which
	Column string // PostgreSQL's name; "" where it is not about one
	Type   string // of the column
	Sample string // the beginning of a value that is neither text nor bytes
	Err    error
}

func (e *RowError) Error() string {
	s := fmt.Sprintf("%s: row %d", e.Table, e.Row)
	if e.Rows > 1 {
		s += fmt.Sprintf(" to %d", e.Row+int64(e.Rows)-1)
	}
	if e.Column != "" {
		s += fmt.Sprintf(", column %s (%s)", e.Column, e.Type)
	}
	if e.Sample != "" {
		s += ": " + e.Sample
	}
	return s + ": " + e.Err.Error()
}

func (e *RowError) Unwrap() error { return e.Err }

// longestSample is how many characters of a value an error shows.
const longestSample = 20

// shown are the types whose values an error may show: numbers and times, and nothing that
// may be somebody's words or keys.
var shown = map[string]bool{"int2": true, "int4": true, "int8": true, "numeric": true, "float4": true, "float8": true, "money": true, "bool": true,
	"date": true, "timestamp": true, "timestamptz": true, "time": true, "timetz": true, "interval": true}

// sample is what an error shows of a value.
func sample(c *move.ColumnPlan, value []byte) string {
	t := c.Source.Type.Root()
	if t.Kind == move.ArrayType {
		t = t.Elem.Root()
	}
	switch {
	case t.Schema != "pg_catalog" || !shown[t.Name.Name]:
		return fmt.Sprintf("a value of %d bytes", len(value))
	case utf8.RuneCount(value) > longestSample:
		return fmt.Sprintf("%q...", string([]rune(string(value))[:longestSample]))
	}
	return fmt.Sprintf("%q", value)
}

// A batch is rows that are ready for SQLite.
type batch struct {
	cells []cell
	arena []byte // of texts and blobs
	rows  int
	bytes int64 // as PostgreSQL sent them
}

// cell is a value of SQLite's; bytes lie in the batch's arena.
type cell struct {
	convert.Value
	from, to int
}

func (b *batch) value(i int) convert.Value {
	c := &b.cells[i]
	if c.Kind == convert.Text || c.Kind == convert.Blob {
		c.Bytes = b.arena[c.from:c.to:c.to]
	}
	return c.Value
}

// Limits of a batch: it is sent when it has reached one of them.
const (
	batchRows  = 1000
	batchBytes = 256 << 10
)

// rowWriter takes what COPY prints, and sends batches of values.
type rowWriter struct {
	ctx     context.Context
	table   string
	columns []*move.ColumnPlan
	free    <-chan *batch
	out     chan<- *batch

	now  *batch
	row  int64
	text []byte // a field without backslashes
	buf  []byte // for conversions
}

func (w *rowWriter) line(line []byte) error {
	if w.now == nil {
		select {
		case w.now = <-w.free:
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
	w.row++
	rest, more := line, len(w.columns) > 0
	for _, c := range w.columns {
		if !more {
			return &RowError{Table: w.table, Row: w.row, Err: fmt.Errorf("fewer than %d fields", len(w.columns))}
		}
		field := rest
		if tab := bytes.IndexByte(rest, '\t'); tab >= 0 {
			field, rest = rest[:tab], rest[tab+1:]
		} else {
			more = false
		}
		if err := w.field(c, field); err != nil {
			return err
		}
	}
	if more {
		return &RowError{Table: w.table, Row: w.row, Err: fmt.Errorf("more than %d fields", len(w.columns))}
	}
	w.now.rows++
	w.now.bytes += int64(len(line)) + 1
	if w.now.rows == batchRows || len(w.now.arena) >= batchBytes {
		return w.flush()
	}
	return nil
}

// field converts a column's value.
func (w *rowWriter) field(c *move.ColumnPlan, field []byte) error {
	text, null, err := convert.Unescape(field, scratch(&w.text, len(field)))
	var v convert.Value
	if err == nil && !null {
		v, err = c.Form.Conversion.To(text, scratch(&w.buf, len(text)+min(len(text), batchBytes)+64)) // it grows, if need be
	}
	if err == nil && v.Kind == convert.Null && !null && c.NotNull {
		err = fmt.Errorf(`special = "null" makes it NULL, which the column does not take`)
	}
	if err != nil {
		return &RowError{Table: w.table, Row: w.row, Column: c.Source.Name, Type: c.Source.Type.SQL, Sample: sample(c, text), Err: err}
	}
	from := len(w.now.arena)
	w.now.arena = append(w.now.arena, v.Bytes...)
	w.now.cells = append(w.now.cells, cell{convert.Value{Kind: v.Kind, Int: v.Int, Real: v.Real}, from, len(w.now.arena)})
	return nil
}

// scratch returns memory for n bytes; a little of it is kept in buf.
func scratch(buf *[]byte, n int) []byte {
	if n <= cap(*buf) {
		return *buf
	}
	b := make([]byte, 0, max(n, 4<<10))
	if n <= batchBytes {
		*buf = b
	}
	return b
}

// flush sends the rows that are there.
func (w *rowWriter) flush() error {
	if w.now == nil || w.now.rows == 0 {
		return nil
	}
	select {
	case w.out <- w.now:
		w.now = nil
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// reset readies a batch for other rows. One that a huge row has blown up is let go.
func (b *batch) reset() *batch {
	if cap(b.arena) > 8*batchBytes {
		b.arena = nil
	}
	b.cells, b.arena, b.rows, b.bytes = b.cells[:0], b.arena[:0], 0, 0
	return b
}
