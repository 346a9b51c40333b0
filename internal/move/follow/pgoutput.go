package follow

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The messages of the output plugin pgoutput, protocol version 1, as PostgreSQL's manual
// has them under "Logical Replication Message Formats". Whole transactions come, in the
// order of their commits.

// op is what has happened to a row, or to a whole table.
type op byte

const (
	inserted  op = 'I'
	updated   op = 'U'
	deleted   op = 'D'
	truncated op = 'T'
)

// field is a column's value as PostgreSQL prints it.
type field struct {
	kind byte   // 'n' is NULL, 'u' unchanged and not sent, 't' text
	text []byte // valid until the next message
}

// change is one change of a row.
type change struct {
	op       op
	relation uint32
	old      []field // nil where the key is that of new
	new      []field
}

// relation describes a table, before the first change of it and whenever that may have
// changed.
type relation struct {
	id       uint32
	schema   string
	name     string
	identity byte // 'd', 'n', 'f' or 'i', as in pg_class.relreplident
	columns  []relationColumn
}

type relationColumn struct {
	name string
	key  bool // in the replica identity
	typ  uint32
	mod  int32
}

// truncation is what a TRUNCATE emptied.
type truncation struct{ relations []uint32 }

// begin opens a transaction.
type begin struct {
	commit LSN // where its commit stands
	xid    uint32
}

// commit ends one.
type commit struct {
	end  LSN
	time int64 // microseconds since 2000
}

var errShort = errors.New("a message of pgoutput's ends too soon")

// reader takes a message apart; what does not fit in sets bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) int16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) int64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) string() string {
	for i, c := range r.b {
		if c == 0 {
			s := string(r.b[:i])
			r.b = r.b[i+1:]
			return s
		}
	}
	r.bad, r.b = true, nil
	return ""
}

// tuple appends a row's fields to list.
func (r *reader) tuple(list []field) []field {
	for range r.int16() {
		f := field{kind: r.byte()}
		switch f.kind {
		case 'n', 'u':
		case 't':
			f.text = r.take(int(r.int32()))
		default: // 'b', binary, was not asked for
			r.bad = true
		}
		if r.bad {
			return list
		}
		list = append(list, f)
	}
	return list
}

// decoder decodes messages; the fields of a change are its own until the next one.
type decoder struct {
	change   change
	old, new []field
}

// decode returns a *change, relation, truncation, begin or commit; nil is a message that
// says nothing about rows.
func (d *decoder) decode(message []byte) (any, error) {
	r := &reader{b: message}
	var out any
	switch kind := r.byte(); kind {
	case 'B':
		m := begin{commit: LSN(r.int64())}
		r.int64()
		m.xid = r.int32()
		out = m
	case 'C':
		r.byte()
		r.int64()
		out = commit{end: LSN(r.int64()), time: int64(r.int64())}
	case 'R':
		out = r.relation()
	case 'T':
		n := r.int32()
		r.byte()
		m := truncation{}
		for i := uint32(0); i < n && !r.bad; i++ {
			m.relations = append(m.relations, r.int32())
		}
		out = m
	case 'I', 'U', 'D':
		out = d.row(r, op(kind))
	case 'O', 'Y', 'M': // origins, types and messages
		return nil, nil
	default:
		return nil, fmt.Errorf("a message of pgoutput's of an unknown kind, %q", kind)
	}
	if r.bad {
		return nil, errShort
	}
	return out, nil
}

func (r *reader) relation() relation {
	m := relation{id: r.int32(), schema: r.string(), name: r.string(), identity: r.byte()}
	if m.schema == "" {
		m.schema = "pg_catalog"
	}
	for range r.int16() {
		c := relationColumn{key: r.byte()&1 == 1, name: r.string(), typ: r.int32(), mod: int32(r.int32())}
		if r.bad {
			break
		}
		m.columns = append(m.columns, c)
	}
	return m
}

func (d *decoder) row(r *reader, kind op) *change {
	d.change = change{op: kind, relation: r.int32()}
	for what := r.byte(); !r.bad; what = r.byte() {
		switch what {
		case 'K', 'O':
			d.old = r.tuple(d.old[:0])
			d.change.old = d.old
		case 'N':
			d.new = r.tuple(d.new[:0])
			d.change.new = d.new
		default:
			r.bad = true
		}
		if len(r.b) == 0 {
			break
		}
	}
	if kind == deleted && d.change.old == nil || kind != deleted && d.change.new == nil {
		r.bad = true
	}
	return &d.change
}
