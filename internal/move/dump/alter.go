package dump

import (
	"slices"

	"github.com/flysql/flysql/internal/move"
)

// alter reads an ALTER after this word.
func (p *parser) alter() {
	switch {
	case p.words("table"), p.words("foreign", "table"), p.words("materialized", "view"), p.words("view"):
		p.alterTable()
	case p.words("index"):
		p.alterIndex()
	case p.words("sequence"):
		p.alterSequence()
	case p.words("domain"):
		p.alterDomain()
	case p.words("publication"):
		p.alterPublication()
	case p.words("default", "privileges"):
		p.defaultPrivileges()
	case p.words("database"):
		p.alterDatabase()
	case p.words("event", "trigger"), p.words("text", "search"), p.words("operator"), p.words("role"), p.words("user"):
		// OWNER TO, the mappings of a configuration, the members of a family, roles: what
		// they belong to is named when it is made.
	case p.kind() == tokWord:
		p.i++
		if p.find("owner", "to") || p.find("set") || p.problem != "" {
			return
		}
		p.i = 0
		p.unknown()
	default:
		p.fail("what is altered is not said")
	}
}

// unknown names a statement that makes something that is not known here.
func (p *parser) unknown() {
	p.other("statement", shown(firstLine([]byte(p.src))), "")
	p.i = len(p.toks) - 1
}

func (p *parser) alterTable() {
	p.words("if", "exists")
	only := p.words("only")
	p.words("if", "exists")
	name := p.tableName()
	t := p.tables[name]
	if t == nil {
		p.alterNoTable(name)
		return
	}
	for ok := true; ok && p.problem == ""; ok = p.op(",") {
		p.alterAction(t, only)
	}
	if p.problem == "" && p.kind() != tokEnd {
		p.fail("this is not understood in ALTER TABLE")
	}
}

// alterNoTable reads an ALTER TABLE of a view or a sequence, or of what is not there.
func (p *parser) alterNoTable(name move.Name) {
	v := p.views[name]
	switch {
	case p.is("drop"), p.words("alter", "column") && p.ident() != "" && p.is("drop", "default"): // --clean, before anything is made
	case p.is("owner"), p.is("set"), p.is("cluster"), p.is("replica"):
	case v != nil && p.is("alter"):
		p.unknown()
	case v != nil && (p.is("enable") || p.is("disable")):
		p.enable(v.Triggers)
	case p.sequences[name] != nil:
		p.unknown()
	case p.problem == "":
		p.i = 0
		p.fail("it alters what the dump has not made")
	}
}

func (p *parser) alterAction(t *move.Table, only bool) {
	switch {
	case p.is("add", "constraint"):
		p.i++
		p.constraint(t, only)
	case p.words("alter", "column"), p.words("alter"):
		p.alterColumn(t)
	case p.words("attach", "partition"):
		p.attach(t)
	case p.words("inherit"):
		if of := p.tableName(); p.problem == "" {
			p.inherit(t, of, false)
		}
	case p.words("enable", "row", "level", "security"):
		t.RowSecurity = true
	case p.words("force", "row", "level", "security"):
		t.ForceSecurity = true
	case p.is("enable"), p.is("disable"):
		p.enable(t.Triggers)
	case p.words("replica", "identity"):
		p.replicaIdentity(t)
	case p.words("owner", "to"):
		p.ident()
	case p.words("cluster", "on"):
		p.ident()
	case p.words("set"):
		p.setOption(t)
	case p.words("drop", "constraint"):
		p.words("if", "exists")
		p.ident()
		p.fail("it drops what the dump has made before")
	default:
		p.fail("this is not understood in ALTER TABLE")
	}
}

func (p *parser) setOption(t *move.Table) {
	switch {
	case p.isOp("("):
		t.Options = append(t.Options, p.options()...)
	case p.words("without"), p.words("with"), p.words("logged"):
		p.rest()
	case p.words("unlogged"):
		t.Unlogged = true
	default:
		p.rest() // a tablespace, an access method
	}
}

func (p *parser) replicaIdentity(t *move.Table) {
	switch {
	case p.words("full"):
		t.ReplicaIdentity = "full"
	case p.words("nothing"):
		t.ReplicaIdentity = "nothing"
	case p.words("using", "index"):
		p.ident()
		t.ReplicaIdentity = "index"
	default:
		p.expect("default")
	}
}

// enable reads ENABLE and DISABLE of triggers and rules.
func (p *parser) enable(triggers []*move.Trigger) {
	state := "disabled"
	if p.words("enable") {
		state = "origin"
		switch {
		case p.words("replica"):
			state = "replica"
		case p.words("always"):
			state = "always"
		}
	} else {
		p.expect("disable")
	}
	if p.words("rule") {
		p.unknown()
		return
	}
	p.expect("trigger")
	name := p.ident()
	i := slices.IndexFunc(triggers, func(g *move.Trigger) bool { return g.Name == name })
	switch {
	case i >= 0:
		triggers[i].Enabled = state
	case name != "all" && name != "user": // --disable-triggers
		p.fail("the table has no such trigger")
	}
}

func (p *parser) alterColumn(t *move.Table) {
	name := p.ident()
	c := t.Column(name)
	if c == nil {
		p.fail("the table has no such column")
		return
	}
	switch {
	case p.words("set", "default"):
		if c.Default = p.until(func() bool { return false }); c.Default == "NULL" || c.Default == "NULL::"+c.Type.SQL {
			c.Default = "" // of a child whose parent's column has one
		}
	case p.words("drop", "default"):
		c.Default = ""
	case p.words("set", "not", "null"):
		c.NotNull = true
	case p.words("add", "generated"):
		p.identity(t, c)
	case p.words("set", "statistics"), p.words("set", "storage"), p.words("set", "compression"), p.is("set"), p.words("options"):
		p.words("set")
		p.until(func() bool { return false })
	default:
		p.fail("this is not understood of a column")
	}
}

// identity reads ADD GENERATED ... AS IDENTITY, which makes a sequence.
func (p *parser) identity(t *move.Table, c *move.Column) {
	switch {
	case p.words("always", "as", "identity"):
		c.Identity = "always"
	case p.words("by", "default", "as", "identity"):
		c.Identity = "by default"
	default:
		p.fail("this is not understood of an identity column")
		return
	}
	s := &move.Sequence{Name: move.Name{Schema: t.Schema, Name: t.Name.Name + "_" + c.Name + "_seq"}, Type: c.Type.SQL, Increment: 1, Identity: true}
	if p.op("(") {
		p.sequenceOptions(s)
		p.expectOp(")")
	} else {
		s.Min, s.Max = bounds(s.Type, 1)
		s.Start, s.Last = 1, 1
	}
	s.OwnedBy = &move.ColumnName{Table: t.Name, Column: c.Name}
	name := s.Name
	c.Sequence = &name
	p.addSequence(s)
}

func (p *parser) attach(parent *move.Table) {
	name := p.tableName()
	t := p.tables[name]
	if t == nil || t == parent {
		p.fail("the partition is not there")
		return
	}
	if t.PartitionBound = p.rest(); p.problem != "" {
		return
	}
	of := parent.Name
	t.PartitionOf = &of
	for _, c := range t.Columns {
		c.Inherited = parent.Column(c.Name) != nil
	}
	for _, c := range parent.Constraints {
		p.passDown(t, c, true)
	}
}

func (p *parser) alterIndex() {
	p.words("if", "exists")
	p.tableName()
	if !p.words("attach", "partition") {
		return // statistics, storage
	}
	child := p.name()
	x, c := p.indexes[child], p.keys[child]
	switch {
	case x != nil:
		x.Inherited = true
	case c != nil:
		c.Inherited = true
	default:
		p.fail("the index is not there")
	}
}

func (p *parser) alterSequence() {
	p.words("if", "exists")
	name := p.tableName()
	if !p.words("owned", "by") {
		return
	}
	s := p.sequences[name]
	table := p.ident()
	var at move.Name
	p.expectOp(".")
	column := p.ident()
	if p.op(".") {
		at, column = move.Name{Schema: table, Name: column}, p.ident()
	} else {
		at = move.Name{Schema: p.home(), Name: table}
	}
	t := p.tables[at]
	if s == nil || t == nil || t.Column(column) == nil {
		p.fail("the sequence or its column is not there")
		return
	}
	s.OwnedBy = &move.ColumnName{Table: at, Column: column}
	t.Column(column).Sequence = &move.Name{Schema: s.Schema, Name: s.Name.Name}
}

func (p *parser) alterDatabase() {
	p.ident()
	if !p.words("set") {
		return
	}
	setting := p.ident()
	for p.op(".") {
		setting += "." + p.ident()
	}
	p.settings = append(p.settings, move.Object{Kind: "setting", Identity: "of the database", Detail: setting})
}
