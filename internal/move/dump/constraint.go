package dump

import (
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
)

// maxConstraints bounds those of a table.
const maxConstraints = 10000

// constraint reads one of a table, [CONSTRAINT name] and what it is; down gives it to
// the tables that inherit.
func (p *parser) constraint(t *move.Table, only bool) {
	c := &move.Constraint{}
	if p.words("constraint") {
		c.Name = p.ident()
	}
	if p.words("not", "null") {
		p.notNull(t)
		return
	}
	from := p.i
	p.constraintBody(t, c)
	for p.problem == "" && p.constraintOption(c) {
	}
	c.Definition = p.raw(from)
	if cut := strings.Index(c.Definition, " WITH ("); cut >= 0 && (c.Kind == move.PrimaryKey || c.Kind == move.Unique) {
		_, after, _ := strings.Cut(c.Definition[cut:], ")")
		c.Definition = c.Definition[:cut] + after // storage, which pg_get_constraintdef does not print
	}
	if len(t.Constraints) > maxConstraints {
		p.fail("a table has more than ten thousand constraints")
	}
	if c.Name == "" {
		p.fail("a constraint has no name, and pg_dump gives each one")
	}
	if slices.ContainsFunc(t.Constraints, func(o *move.Constraint) bool { return o.Name == c.Name && !o.Inherited }) {
		p.fail("the constraint is there already")
	}
	if p.problem != "" {
		return
	}
	// pg_constraint has connoinherit so.
	c.NoInherit = c.NoInherit || c.Kind != move.Check && !(c.Kind == move.ForeignKey && t.Kind == move.PartitionedTable)
	t.Constraints = slices.DeleteFunc(t.Constraints, func(o *move.Constraint) bool { return o.Name == c.Name })
	t.Constraints = append(t.Constraints, c)
	if c.Kind != move.Check && c.Kind != move.ForeignKey {
		p.keys[move.Name{Schema: t.Schema, Name: c.Name}] = c
	}
	if !only {
		p.descendants(t.Name, func(child *move.Table, partition bool) { p.passDown(child, c, partition) })
	}
}

// notNull reads the rest of NOT NULL column, a constraint of its own since PostgreSQL 18;
// in a column its name has been read already.
func (p *parser) notNull(t *move.Table) {
	var c *move.Column
	if p.kind() == tokWord && !p.is("no", "inherit") && !p.is("not", "valid") && !p.is("not", "null") || p.kind() == tokQuoted {
		if c = t.Column(p.ident()); c == nil {
			p.fail("the table has no such column")
			return
		}
	} else if len(t.Columns) > 0 {
		c = t.Columns[len(t.Columns)-1]
	}
	if c != nil {
		c.NotNull = true
	}
	for p.words("no", "inherit") || p.words("not", "valid") {
	}
}

func (p *parser) constraintBody(t *move.Table, c *move.Constraint) {
	switch {
	case p.words("primary", "key"):
		c.Kind = move.PrimaryKey
		c.Columns = p.keyColumns()
		for _, name := range c.Columns {
			if column := t.Column(name); column != nil {
				column.NotNull = true
			}
		}
	case p.words("unique"):
		c.Kind = move.Unique
		c.NullsNotDistinct = p.words("nulls", "not", "distinct")
		c.Columns = p.keyColumns()
	case p.words("check"):
		c.Kind = move.Check
		c.Expr = p.group()
		c.Columns = columnsIn(t, c.Expr)
	case p.words("foreign", "key"):
		c.Kind = move.ForeignKey
		c.Columns = p.keyColumns()
		p.reference(c)
	case p.words("exclude"):
		p.exclusion(t, c)
	default:
		p.fail("a constraint of a kind that is not known")
	}
}

// keyColumns takes names in parentheses; since PostgreSQL 18 the last may be WITHOUT
// OVERLAPS or PERIOD.
func (p *parser) keyColumns() []string {
	var out []string
	p.list(func() {
		if p.is("period") && (p.ahead(1).kind == tokWord || p.ahead(1).kind == tokQuoted) {
			p.i++
		}
		out = append(out, p.ident())
		p.words("without", "overlaps")
	})
	return out
}

func (p *parser) reference(c *move.Constraint) {
	p.expect("references")
	r := &move.Reference{Table: p.tableName(), OnUpdate: "NO ACTION", OnDelete: "NO ACTION"}
	c.References = r
	if p.isOp("(") {
		r.Columns = p.keyColumns()
	}
	for {
		switch {
		case p.words("match", "full"):
			r.Full = true
		case p.words("match", "simple"):
		case p.words("on", "update"):
			r.OnUpdate = p.action()
		case p.words("on", "delete"):
			if r.OnDelete = p.action(); p.isOp("(") {
				r.SetColumns = p.keyColumns()
			}
		default:
			return
		}
	}
}

func (p *parser) action() string {
	for _, words := range [][]string{{"no", "action"}, {"restrict"}, {"cascade"}, {"set", "null"}, {"set", "default"}} {
		if p.words(words...) {
			return strings.ToUpper(strings.Join(words, " "))
		}
	}
	p.fail("an action of a foreign key is not known")
	return ""
}

func (p *parser) exclusion(t *move.Table, c *move.Constraint) {
	c.Kind = move.Exclusion
	if p.words("using") {
		p.ident()
	}
	p.list(func() {
		if k := p.tok(); (k.kind == tokWord || k.kind == tokQuoted) && t.Column(k.text) != nil && !(p.ahead(1).kind == tokOp) {
			c.Columns = append(c.Columns, k.text)
		}
		p.until(func() bool { return false })
	})
	if p.words("include") {
		c.Include = p.keyColumns()
	}
}

// constraintOption takes one of what may stand after any constraint.
func (p *parser) constraintOption(c *move.Constraint) bool {
	switch {
	case p.words("include"):
		c.Include = p.keyColumns()
	case p.words("with"):
		p.group()
	case p.words("where"):
		p.group()
	case p.words("using", "index", "tablespace"):
		p.ident()
	case p.words("no", "inherit"):
		c.NoInherit = true
	case p.words("not", "valid"):
		c.NotValid = true
	case p.words("not", "deferrable"), p.words("initially", "immediate"), p.words("not", "enforced"):
	case p.words("deferrable"):
		c.Deferrable = true
	case p.words("initially", "deferred"):
		c.Deferred = true
	default:
		return false
	}
	return true
}
