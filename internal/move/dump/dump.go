package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
)

// Options say how a dump is read. The zero value works.
type Options struct {
	// Database is the one to take of several in a dump of pg_dumpall's. Empty, there must
	// be one only that holds tables.
	Database string

	// TempDir is where a dump is laid open that cannot be read in place: standard input, a
	// compressed one, or one in another encoding than UTF-8. Empty is os.TempDir's.
	TempDir string
}

// Dump is a dump that has been read once, wholly. Its methods may be called concurrently,
// but for Close.
type Dump struct {
	source  *source
	section *section
}

// Data is what a dump has of a table's rows.
type Data struct {
	Table   move.Name
	Columns []string // in the dump's order; nil of INSERTs that name none
	Rows    int64
	Bytes   int64 // in the dump
}

// Open reads the dump in a file, which may be compressed by gzip or zstd. What is wrong in
// it is an *Error.
func Open(ctx context.Context, path string, o Options) (*Dump, error) {
	s, err := openSource(ctx, path, o)
	if err != nil {
		return nil, err
	}
	return newDump(ctx, s, o)
}

// Read reads a dump from a stream, such as standard input; name stands in errors. The
// stream is laid into a file in Options.TempDir, decompressed.
func Read(ctx context.Context, name string, r io.Reader, o Options) (*Dump, error) {
	s, err := spool(ctx, name, r, o)
	if err != nil {
		return nil, err
	}
	return newDump(ctx, s, o)
}

func newDump(ctx context.Context, s *source, o Options) (*Dump, error) {
	sections, err := readSections(ctx, s)
	if err == nil {
		var chosen *section
		if chosen, err = choose(s.name, sections, o.Database); err == nil {
			return &Dump{source: s, section: chosen}, nil
		}
	}
	return nil, errors.Join(err, s.file.Close())
}

// choose returns the database that is meant.
func choose(file string, sections []*section, database string) (*section, error) {
	var names []string
	var found []*section
	for _, s := range sections {
		if database == "" && s.empty() || database != "" && s.database != database {
			continue
		}
		found = append(found, s)
	}
	for _, s := range sections {
		names = append(names, fmt.Sprintf("%q", s.database))
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && database == "" && len(sections) > 0:
		return sections[len(sections)-1], nil
	case len(found) == 0:
		return nil, &Error{File: file, Reason: fmt.Sprintf("it holds no database %q", database), Hint: "it holds " + strings.Join(names, ", ")}
	case database != "":
		return nil, &Error{File: file, Reason: fmt.Sprintf("it holds the database %q more than once", database), Hint: "dump again: pg_dump " + database}
	}
	return nil, &Error{File: file, Reason: fmt.Sprintf("it holds %d databases: %s", len(names), strings.Join(names, ", ")), Hint: "name the one to take, or dump it alone: pg_dump " + found[0].database}
}

// Schema is what the dump has made; of a dump with --data-only it has no tables. Callers
// must not change it.
func (d *Dump) Schema() *move.Schema { return d.section.ddl.schema }

// Data returns the tables that the dump has rows of, or could have: with COPY an empty
// table is among them. It is nil of a dump with --schema-only.
func (d *Dump) Data() []Data {
	var out []Data
	for _, name := range d.section.order {
		t := Data{Table: name}
		for i, b := range d.section.data[name] {
			if i == 0 {
				t.Columns = slices.Clone(b.columns)
			}
			t.Rows, t.Bytes = t.Rows+b.rows, t.Bytes+b.end-b.start
		}
		out = append(out, t)
	}
	return out
}

// Snapshot says what moment the rows are of, as far as a dump knows.
func (d *Dump) Snapshot() string {
	if d.section.tool == "" {
		return "the dump " + d.source.name
	}
	return "the dump " + d.source.name + ", made by pg_dump " + d.section.tool
}

// Close ends reading. A temporary file is gone with it.
func (d *Dump) Close() error { return d.source.file.Close() }

// blockKind says what rows are written in.
type blockKind int

const (
	copyBlock blockKind = iota
	insertBlock
)

// block is a stretch of the dump that holds rows of one table.
type block struct {
	kind       blockKind
	columns    []string // nil: all that the table has
	start, end int64
	line       int // of start
	rows       int64
	escapes    bool // standard_conforming_strings was off
	crlf       bool
}

// maxBlocks bounds what is kept of a dump whose INSERTs go from table to table.
const maxBlocks = 1 << 20

var _ move.Source = (*Dump)(nil)

// CopyTable is CopyTo for a table of a plan, which must not choose rows by a condition.
func (d *Dump) CopyTable(ctx context.Context, w io.Writer, t *move.TablePlan) (int64, error) {
	if t.Where != "" {
		return 0, &Error{File: d.source.name, Reason: "the rows of " + t.Source.String() + " are chosen by a condition, which only PostgreSQL can read", Hint: "leave the condition out, or load the dump into PostgreSQL and import from there"}
	}
	var columns []string
	for _, c := range t.Copied() {
		columns = append(columns, c.Source.Name)
	}
	return d.CopyTo(ctx, w, t.Source.Name, columns)
}

// CopyTo writes the rows of a table in COPY's text format, each as the columns that are
// named, in that order. Of a partitioned table those of its partitions are written, too.
// A Write holds any number of bytes.
func (d *Dump) CopyTo(ctx context.Context, w io.Writer, table move.Name, columns []string) (int64, error) {
	var rows int64
	for _, name := range d.section.withPartitions(table) {
		for _, b := range d.section.data[name] {
			n, err := d.copyBlock(ctx, w, d.section.ddl.tables[name], b, columns)
			rows += n
			if err != nil {
				return rows, err
			}
		}
	}
	return rows, nil
}

func (d *Dump) copyBlock(ctx context.Context, w io.Writer, t *move.Table, b block, columns []string) (int64, error) {
	from := b.columns
	if from == nil && t != nil {
		for _, c := range t.Columns {
			from = append(from, c.Name)
		}
	}
	if from == nil {
		from = columns // positions are all that there is
	}
	o, err := newOrder(from, columns)
	if err != nil {
		return 0, &Error{File: d.source.name, Line: b.line, Reason: err.Error(), Hint: "dump again without excluding it"}
	}
	r := &contextReader{ctx, io.NewSectionReader(d.source.file, b.start, b.end-b.start)}
	switch {
	case b.kind == insertBlock:
		return d.copyInserts(w, r, b, o)
	case o.same && !b.crlf:
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, r, make([]byte, bufferSize))
		if err != nil {
			return 0, err
		}
		return b.rows, nil
	}
	return d.copyLines(w, r, b, o)
}

// contextReader ends when a context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
