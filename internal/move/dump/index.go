package dump

import (
	"github.com/flysql/flysql/internal/move"
)

// createIndex reads CREATE INDEX after these words.
func (p *parser) createIndex(unique bool) {
	x := &move.Index{Unique: unique, Valid: true, Definition: p.src, Method: "btree"}
	_ = p.words("concurrently")
	x.Name = p.ident()
	p.expect("on")
	p.words("only")
	table := p.tableName()
	if p.words("using") {
		x.Method = p.ident()
	}
	t, v := p.tables[table], p.views[table]
	if t == nil && v == nil {
		p.fail("an index of a table that the dump has not made")
		return
	}
	p.list(func() { x.Keys = append(x.Keys, p.indexKey(t)) })
	for p.problem == "" && p.kind() != tokEnd {
		switch {
		case p.words("include"):
			x.Include = p.keyColumns()
		case p.words("nulls", "not", "distinct"):
			x.NullsNotDistinct = true
		case p.words("with"):
			p.group()
		case p.words("tablespace"):
			p.ident()
		case p.words("where"):
			x.Where = p.rest()
		default:
			p.fail("this is not understood in an index")
		}
	}
	switch {
	case p.problem != "":
		return
	case t != nil:
		t.Indexes = append(t.Indexes, x)
	default:
		v.Indexes = append(v.Indexes, x)
	}
	p.indexes[move.Name{Schema: table.Schema, Name: x.Name}] = x
}

// indexKey reads one key of an index on a table, which is nil where it is on a view.
func (p *parser) indexKey(t *move.Table) (k move.IndexKey) {
	from := p.i
	next := p.ahead(1)
	switch {
	case p.isOp("("):
		p.skip()
		k.Expr = p.raw(from)
	case next.kind == tokOp && (next.text == "(" || next.text == "."):
		p.name()
		p.group()
		k.Expr = p.raw(from)
	default:
		k.Column = p.ident()
		if t != nil && t.Column(k.Column) == nil {
			k.Column, k.Expr = "", p.raw(from) // CURRENT_USER and its like
		}
	}
	if p.words("collate") {
		if c := p.collation(); k.Column != "" {
			k.Collation = c
		}
	}
	if (p.kind() == tokWord || p.kind() == tokQuoted) && !p.is("asc") && !p.is("desc") && !p.is("nulls") {
		k.OpClass = p.name().Name
		if p.isOp("(") {
			p.group()
		}
	}
	if k.Desc = p.words("desc"); !k.Desc {
		p.words("asc")
	}
	k.NullsFirst = k.Desc
	switch {
	case p.words("nulls", "first"):
		k.NullsFirst = true
	case p.words("nulls", "last"):
		k.NullsFirst = false
	}
	return k
}
