package transfer

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// integrity_check looks for each row in each index, which for keys in random order is
// most of the time that an import takes. Reading shows the same: an index is right where
// its entries stand in order, and are those of the table, by their number and by a sum of
// hashes.

// proof is that for the indexes of one table. It goes along where the table is read for
// the comparison.
type proof struct {
	db      *lite.Conn
	table   string
	rowid   string // what it is called here
	indexes []*index
	known   bool // all of them can be read here
	seed    maphash.Seed
	row     []convert.Value
	buf     []byte
}

// newProof begins to prove the indexes that a table has.
func newProof(db *lite.Conn, table string) (*proof, error) {
	p := &proof{db: db, table: table, seed: maphash.MakeSeed()}
	var err error
	if p.known, err = p.nameRowid(); err == nil && p.known {
		p.known, err = p.readIndexes()
	}
	if !p.known {
		p.indexes = nil
	}
	return p, err
}

// faults returns what is wrong with the indexes, once all rows have been added. Where it
// is not proved that nothing is, there may be a fault, or an index that cannot be read
// here: integrity_check tells.
func (p *proof) faults() ([]string, error) {
	if proved, err := p.proved(); err != nil || proved {
		return nil, err
	}
	return pragma(p.db, "integrity_check", pgexpr.Literal(p.table))
}

// proved reports whether every index has the table's rows, in order, and keys once where
// they are unique.
func (p *proof) proved() (bool, error) {
	for _, i := range p.indexes {
		if ok, err := p.right(i); err != nil || !ok {
			return false, err
		}
	}
	return p.known, nil
}

// index is one that has columns and nothing else.
type index struct {
	name    string
	unique  bool
	columns []indexColumn
	places  []int // of the rowid and the columns, in a row
	want    content
}

type indexColumn struct {
	name      string
	collation string
	desc      bool
}

// content is what an index has, or should have.
type content struct {
	rows int64
	sum  sum
}

func (c *content) add(hash int64) {
	c.rows++
	c.sum.add(hash)
}

// nameRowid finds a name of the rowid that is not a column's. A table may have none.
func (p *proof) nameRowid() (ok bool, err error) {
	free := []string{"rowid", "_rowid_", "oid"}
	err = p.db.Rows("SELECT x.name, l.wr FROM pragma_table_list AS l, pragma_table_xinfo(l.name) AS x WHERE l.schema = 'main' AND l.type = 'table' AND l.name = "+pgexpr.Literal(p.table), func(s *lite.Stmt) error {
		ok = s.Column(1).Int == 0
		for n, name := range free {
			if strings.EqualFold(name, s.Text(0)) {
				free = append(free[:n:n], free[n+1:]...)
				break
			}
		}
		return nil
	})
	if err != nil || !ok || len(free) == 0 {
		return false, err
	}
	p.rowid = free[0]
	return true, nil
}

// readIndexes finds those of the table. It cannot read them where one is not plain: on
// expressions, on virtual columns, on some rows only, or in an order that is not known here.
func (p *proof) readIndexes() (plain bool, err error) {
	plain = true
	err = p.db.Rows(`SELECT l.name, l."unique", l.partial OR x.cid < 0 OR x.coll NOT IN ('BINARY', 'NOCASE', 'RTRIM') OR c.hidden <> 0, x.name, x.coll, x."desc"
		FROM pragma_index_list(`+pgexpr.Literal(p.table)+`) AS l, pragma_index_xinfo(l.name) AS x LEFT JOIN pragma_table_xinfo(`+pgexpr.Literal(p.table)+`) AS c ON c.cid = x.cid
		WHERE x.key ORDER BY l.seq, x.seqno`, func(s *lite.Stmt) error {
		name := s.Text(0)
		if n := len(p.indexes); n == 0 || p.indexes[n-1].name != name {
			p.indexes = append(p.indexes, &index{name: name, unique: s.Column(1).Int != 0})
		}
		plain = plain && s.Column(2).Int == 0
		i := p.indexes[len(p.indexes)-1]
		i.columns = append(i.columns, indexColumn{name: s.Text(3), collation: s.Text(4), desc: s.Column(5).Int != 0})
		return nil
	})
	for _, i := range p.indexes {
		if err != nil || !plain {
			return false, err
		}
		plain, err = p.covers(i)
	}
	return plain, err
}

// entries is the query of an index's entries, in its order.
func (p *proof) entries(i *index) string {
	names := []string{p.rowid}
	for _, c := range i.columns {
		names = append(names, pgexpr.Ident(c.name))
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM " + pgexpr.Ident(p.table) + " INDEXED BY " + pgexpr.Ident(i.name)
}

// covers reports whether SQLite reads the index for that, and nothing else.
func (p *proof) covers(i *index) (ok bool, err error) {
	err = p.db.Rows("EXPLAIN QUERY PLAN "+p.entries(i), func(s *lite.Stmt) error {
		ok = s.Text(3) == "SCAN "+p.table+" USING COVERING INDEX "+i.name
		return nil
	})
	return ok, err
}

// reads returns what a query that has some columns already must have besides, for add.
func (p *proof) reads(have []string) (more []string) {
	place := func(name string) int {
		at := slices.Index(have, name)
		if at < 0 {
			at = len(have)
			have, more = append(have, name), append(more, name)
		}
		return at
	}
	for _, i := range p.indexes {
		i.places = append(i.places, place(p.rowid))
		for _, c := range i.columns {
			i.places = append(i.places, place(pgexpr.Ident(c.name)))
		}
	}
	return more
}

// add adds a row to what each index should have.
func (p *proof) add(s *lite.Stmt) {
	for _, i := range p.indexes {
		p.row = p.row[:0]
		for _, at := range i.places {
			p.row = append(p.row, s.Column(at))
		}
		i.want.add(p.hash(p.row))
	}
}

// right reports whether an index has what it should, each entry above the one before.
func (p *proof) right(i *index) (bool, error) {
	var got content
	var before, now entry
	ordered := true
	err := p.db.Rows(p.entries(i), func(s *lite.Stmt) error {
		now.read(s)
		got.add(p.hash(now.values))
		ordered = ordered && (got.rows == 1 || i.above(before.values, now.values))
		before, now = now, before
		return nil
	})
	return ordered && got == i.want, err
}

// above reports whether b may stand behind a. Each begins with its rowid.
func (i *index) above(a, b []convert.Value) bool {
	null := false
	for n, c := range i.columns {
		order := compareValues(a[n+1], b[n+1], c.collation)
		if c.desc {
			order = -order
		}
		if order != 0 {
			return order < 0
		}
		null = null || a[n+1].Kind == convert.Null
	}
	return a[0].Int < b[0].Int && (null || !i.unique)
}

// entry is one of an index, in memory of its own.
type entry struct {
	values []convert.Value
	bytes  []byte
}

func (e *entry) read(s *lite.Stmt) {
	e.values, e.bytes = e.values[:0], e.bytes[:0]
	for n := range s.Columns() {
		v := s.Column(n)
		from := len(e.bytes)
		e.bytes = append(e.bytes, v.Bytes...) // the values before may stay where they were
		v.Bytes = e.bytes[from:]
		e.values = append(e.values, v)
	}
}

// hash is the same for the same values, with this proof.
func (p *proof) hash(values []convert.Value) int64 {
	p.buf = p.buf[:0]
	for _, v := range values {
		p.buf = append(p.buf, byte(v.Kind))
		switch v.Kind {
		case convert.Integer:
			p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(v.Int))
		case convert.Real:
			p.buf = binary.LittleEndian.AppendUint64(p.buf, math.Float64bits(v.Real))
		case convert.Text, convert.Blob:
			p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(len(v.Bytes)))
			p.buf = append(p.buf, v.Bytes...)
		}
	}
	return int64(maphash.Bytes(p.seed, p.buf))
}
