package transfer

import (
	"encoding/hex"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// rowHash is a row as PostgreSQL prints it.
type rowHash struct {
	texts []string
	null  []bool
	bad   string
	hex   bool // where the database's encoding is not UTF-8
}

// read converts the row back.
func (r *rowHash) read(q query, s *lite.Stmt) {
	r.bad = ""
	for i, c := range q.columns {
		v := s.Column(i)
		r.texts[i], r.null[i] = "", v.Kind == convert.Null
		if r.null[i] {
			continue
		}
		text, err := back(c.Form.Conversion, v)
		if err != nil {
			r.bad, text = c.Name+": "+err.Error(), "\x01not to be read"
		}
		if r.hex {
			text = hex.EncodeToString([]byte(text))
		}
		r.texts[i] = text
	}
}

func back(c *convert.Conversion, v convert.Value) (string, error) {
	if c.Name == "numeric real" && v.Kind == convert.Real { // which is lossy, and compared as a double
		return convert.FormatFloat(v.Real, 64), nil
	}
	return c.Back(v)
}

// of hashes columns as query.hash does.
func (r *rowHash) of(columns []int) (h int64) {
	for at, i := range columns {
		if at%nullBits == 0 {
			h ^= r.nulls(columns[at:min(at+nullBits, len(columns))])
		}
		h = hashText(r.texts[i], h)
	}
	return h
}

func (r *rowHash) nulls(columns []int) (bits int64) {
	for n, i := range columns {
		if r.null[i] {
			bits |= 1 << n
		}
	}
	return bits
}

// each calls a function for every row of a table, on one side.
type each func(func(*rowHash)) error

func (q query) newRow(encoding string) *rowHash {
	return &rowHash{texts: make([]string, len(q.columns)), null: make([]bool, len(q.columns)), hex: encoding != "UTF8"}
}

// stored are the rows in SQLite: of the table, and not of an index that has all columns.
// A proof goes along, or nil.
func (q query) stored(db *lite.Conn, encoding string, p *proof) each {
	list := []string{}
	for _, c := range q.columns {
		list = append(list, pgexpr.Ident(c.Name))
	}
	if p != nil {
		list = append(list, p.reads(list)...)
	}
	if len(list) == 0 {
		list = append(list, "NULL")
	}
	r := q.newRow(encoding)
	return func(f func(*rowHash)) error {
		return db.Rows("SELECT "+strings.Join(list, ", ")+" FROM "+pgexpr.Ident(q.table.Name)+" NOT INDEXED", func(s *lite.Stmt) error {
			if p != nil {
				p.add(s)
			}
			r.read(q, s)
			f(r)
			return nil
		})
	}
}

// scan computes a table's sums.
func (q query) scan(rows each) (h hashes, err error) {
	h.values = make([]int64, len(q.columns))
	columns, all := make([]sum, len(q.columns)), q.all()
	var row sum
	err = rows(func(r *rowHash) {
		h.rows++
		row.add(r.of(all))
		for i, null := range r.null {
			if !null {
				h.values[i]++
				columns[i].add(hashText(r.texts[i], 0))
			}
		}
		if h.bad == "" {
			h.bad = r.bad
		}
	})
	h.row = row.String()
	for _, c := range columns {
		h.columns = append(h.columns, c.String())
	}
	return h, err
}
