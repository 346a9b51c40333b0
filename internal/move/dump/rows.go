package dump

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// order says where in a row of the dump the wanted fields are.
type order struct {
	from  int // fields of the dump
	index []int
	names []string
	same  bool
}

func newOrder(from, want []string) (order, error) {
	o := order{from: len(from), names: want, same: slices.Equal(from, want)}
	at := map[string]int{}
	for i, name := range from {
		at[name] = i
	}
	for _, name := range want {
		i, ok := at[name]
		if !ok {
			return o, fmt.Errorf("the dump has no values of the column %q", name)
		}
		o.index = append(o.index, i)
	}
	return o, nil
}

// copyLines writes rows of COPY whose fields must change places, or whose lines end in
// \r\n.
func (d *Dump) copyLines(w io.Writer, r io.Reader, b block, o order) (rows int64, err error) {
	in, out := bufio.NewReaderSize(r, bufferSize), bufio.NewWriterSize(w, bufferSize)
	var line []byte
	var fields [][]byte
	for ; rows < b.rows; rows++ {
		if line, err = readLine(in, line[:0]); err != nil {
			return rows, d.rowError(b.line+int(rows), err)
		}
		if b.crlf {
			line = bytes.TrimSuffix(line, []byte{'\r'})
		}
		fields = fields[:0]
		if o.from > 0 {
			for f := range bytes.SplitSeq(line, []byte{'\t'}) {
				fields = append(fields, f)
			}
		}
		if len(fields) != o.from {
			return rows, d.rowError(b.line+int(rows), fmt.Errorf("%d fields where %d columns are", len(fields), o.from))
		}
		for i, from := range o.index {
			if i > 0 {
				out.WriteByte('\t') // Flush tells of errors
			}
			out.Write(fields[from])
		}
		if err := out.WriteByte('\n'); err != nil {
			return rows, err
		}
	}
	return rows, out.Flush()
}

var errRow = errors.New("a row is larger than a gigabyte")

// readLine appends a line, without its newline.
func readLine(in *bufio.Reader, line []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		case len(line) > maxRow:
			return line, errRow
		}
	}
}

// rowError is what went wrong in a row, which was whole when the dump was first read.
func (d *Dump) rowError(line int, err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{File: d.source.name, Line: line, Reason: "the dump ends here, and did not when it was first read", Hint: "let nothing write to it"}
	}
	return fmt.Errorf("%s:%d: %w", d.source.name, line, err)
}

// copyInserts writes rows of INSERTs.
func (d *Dump) copyInserts(w io.Writer, r io.Reader, b block, o order) (rows int64, err error) {
	s := newScanner(d.source.name, r)
	s.line, s.escapes = b.line, b.escapes
	out := bufio.NewWriterSize(w, bufferSize)
	current := &row{want: true}
	for {
		it, err := s.next()
		switch {
		case err != nil:
			return rows, err
		case it.kind == itemEnd:
			return rows, out.Flush()
		case it.kind != itemInsert:
			continue
		}
		err = s.insertRows(it, current, func() error {
			rows++
			return d.writeRow(out, current, o)
		})
		if err != nil {
			return rows, err
		}
	}
}

// insertRows reads an INSERT's rows, or the one that DEFAULT VALUES makes.
func (s *scanner) insertRows(it item, r *row, each func() error) error {
	if !defaultValues(it.text) {
		return s.rows(r, each)
	}
	s.keep = false
	r.reset(it.line)
	r.none = true
	if err := each(); err != nil {
		return err
	}
	s.blank()
	return s.conflict()
}

func (d *Dump) writeRow(out *bufio.Writer, r *row, o order) error {
	if r.fields != o.from && !r.none {
		return &Error{File: d.source.name, Line: r.line, Reason: fmt.Sprintf("a row of %d values where %d columns are", r.fields, o.from), Hint: insertHint}
	}
	for i, from := range o.index {
		if i > 0 {
			out.WriteByte('\t') // the newline tells of errors
		}
		if r.none || r.absent[from] {
			return &Error{File: d.source.name, Line: r.line, Reason: fmt.Sprintf("DEFAULT stands for the value of the column %q", o.names[i]), Hint: "dump the table again, with its values"}
		}
		out.Write(r.field(from))
	}
	return out.WriteByte('\n')
}
