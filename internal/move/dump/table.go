package dump

import (
	"slices"

	"github.com/flysql/flysql/internal/move"
)

// maxObjects bounds what a dump can make; PostgreSQL has its troubles with fewer.
const maxObjects = 1 << 20

// createTable reads CREATE TABLE after these words.
func (p *parser) createTable(kind move.TableKind, unlogged bool) {
	p.words("if", "not", "exists")
	t := &move.Table{Name: p.name(), Kind: kind, Unlogged: unlogged, ReplicaIdentity: "default"}
	if kind == move.ForeignTable {
		t.ReplicaIdentity = "nothing"
	}
	if p.relation(t.Name) {
		p.fail("it is there already")
	}
	if len(p.tables) > maxObjects {
		p.fail("the dump has more than a million tables")
	}
	switch {
	case p.words("of"):
		from := p.i
		name := p.name()
		t.OfType = p.raw(from)
		for _, c := range p.schema.Composites {
			if c.Name == name {
				for _, a := range c.Attributes {
					t.Columns = append(t.Columns, &move.Column{Name: a.Name, Type: a.Type})
				}
			}
		}
	case p.words("partition", "of"):
		if p.inherit(t, p.tableName(), true); p.isOp("(") {
			p.elements(t)
		}
		t.PartitionBound = p.until(func() bool { return p.is("partition", "by") || p.is("server") || p.is("with") })
	}
	if p.isOp("(") {
		p.elements(t)
	}
	p.tableTail(t)
	if p.problem == "" {
		p.tables[t.Name] = t
		p.schema.Tables = append(p.schema.Tables, t)
		p.types[t.Name] = &move.Type{Name: t.Name, Kind: move.CompositeType, Mod: -1}
	}
}

// tableTail reads what stands after a table's columns.
func (p *parser) tableTail(t *move.Table) {
	for p.problem == "" && p.kind() != tokEnd {
		switch {
		case p.words("inherits"):
			var parents []move.Name
			p.list(func() { parents = append(parents, p.tableName()) })
			p.inheritAll(t, parents)
		case p.words("partition", "by"):
			t.Kind = move.PartitionedTable
			t.PartitionKey = p.until(func() bool { return p.is("with") || p.is("using") || p.is("tablespace") })
		case p.words("server"):
			t.ForeignServer = p.ident()
		case p.words("options"):
			p.group()
		case p.words("with"):
			t.Options = p.options()
		case p.words("without", "oids"):
		case p.words("using"), p.words("tablespace"):
			p.ident()
		default:
			p.fail("this is not understood after a table's columns")
		}
	}
}

// inheritAll puts the parents' columns before a table's own, as PostgreSQL does.
func (p *parser) inheritAll(t *move.Table, parents []move.Name) {
	own := t.Columns
	t.Columns = nil
	for _, of := range parents {
		p.inherit(t, of, false)
	}
	for _, c := range own {
		i := slices.IndexFunc(t.Columns, func(o *move.Column) bool { return o.Name == c.Name })
		if i < 0 {
			t.Columns = append(t.Columns, c)
			continue
		}
		t.Columns[i] = c
	}
}

// inherit gives a table what its parent has now.
func (p *parser) inherit(t *move.Table, of move.Name, partition bool) {
	if t.Name == of {
		p.fail("a table inherits from itself")
		return
	}
	if partition {
		t.PartitionOf = &of
	} else {
		t.Inherits = append(t.Inherits, of)
	}
	parent := p.tables[of]
	if parent == nil {
		return
	}
	for _, c := range parent.Columns {
		if t.Column(c.Name) == nil && len(t.Columns) < maxColumns {
			t.Columns = append(t.Columns, &move.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull, Default: c.Default, Generated: c.Generated, Virtual: c.Virtual, Collation: c.Collation, Inherited: true})
		}
	}
	for _, c := range parent.Constraints {
		p.passDown(t, c, partition)
	}
}

// passDown gives a child a constraint of its parent's, if such is inherited.
func (p *parser) passDown(t *move.Table, c *move.Constraint, partition bool) {
	if c.NoInherit && c.Kind != move.ForeignKey || c.Kind != move.Check && !(partition && c.Kind == move.ForeignKey) {
		return
	}
	i := slices.IndexFunc(t.Constraints, func(o *move.Constraint) bool { return o.Name == c.Name && o.Kind == c.Kind })
	if i >= 0 {
		t.Constraints[i].Inherited = t.Constraints[i].Inherited || partition
		return
	}
	child := *c
	child.Inherited, child.NoInherit, child.Comment = true, false, ""
	t.Constraints = append(t.Constraints, &child)
}

// elements reads a table's columns and constraints, in parentheses.
func (p *parser) elements(t *move.Table) {
	p.list(func() {
		if p.is("constraint") || p.is("check") || p.is("not", "null") {
			p.constraint(t, true)
			return
		}
		name := p.ident()
		c := t.Column(name)
		switch {
		case p.words("with", "options"), t.PartitionOf != nil:
			if c == nil {
				p.fail("the type or the parent has no such column")
				return
			}
		case c != nil:
			p.fail("a column is there twice")
			return
		case len(t.Columns) >= maxColumns:
			p.fail("a table has more than 1600 columns")
			return
		default:
			c = &move.Column{Name: name, Type: p.typeName()}
			t.Columns = append(t.Columns, c)
		}
		p.columnOptions(t, c)
	})
}

func (p *parser) columnOptions(t *move.Table, c *move.Column) {
	for p.problem == "" && !p.isOp(",") && !p.isOp(")") {
		switch {
		case p.words("not", "null"):
			c.NotNull = true
			_ = p.words("no", "inherit") || p.words("not", "valid") // or neither
		case p.words("null"):
		case p.words("default"):
			c.Default = p.until(func() bool { return p.is("not", "null") || p.is("constraint") || p.is("collate") })
		case p.words("collate"):
			c.Collation = p.collation()
		case p.words("generated", "always", "as", "identity"), p.words("generated", "by", "default", "as", "identity"):
			p.fail("an identity column is made with its table, which pg_dump does not write")
		case p.words("generated", "always", "as"):
			c.Generated = p.group()
			p.words("virtual")
			c.Virtual = !p.words("stored") // PostgreSQL 18 says nothing of a virtual one
		case p.is("constraint"), p.is("check"):
			p.constraint(t, true)
		case p.words("options"):
			p.group()
		case p.words("storage"), p.words("compression"):
			p.ident()
		default:
			p.fail("this is not understood in a column")
		}
	}
}

// collation takes a collation's name, which is PostgreSQL's own where it has no schema.
func (p *parser) collation() string {
	if next := p.ahead(1); next.kind == tokOp && next.text == "." {
		return p.name().String()
	}
	return move.Name{Schema: "pg_catalog", Name: p.ident()}.String()
}

// descendants calls f for all tables under one.
func (p *parser) descendants(of move.Name, f func(t *move.Table, partition bool)) {
	seen := map[move.Name]bool{of: true}
	for again := true; again; {
		again = false
		for _, t := range p.schema.Tables {
			partition := t.PartitionOf != nil && seen[*t.PartitionOf]
			if !seen[t.Name] && (partition || slices.ContainsFunc(t.Inherits, func(n move.Name) bool { return seen[n] })) {
				seen[t.Name], again = true, true
				f(t, partition)
			}
		}
	}
}
