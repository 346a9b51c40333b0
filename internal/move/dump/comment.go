package dump

import (
	"slices"

	"github.com/flysql/flysql/internal/move"
)

// comment reads COMMENT ON after these words. What it is on and is not in the schema,
// is named.
func (p *parser) comment() {
	from := p.i
	target := p.commentTarget()
	if target == nil {
		p.i = from
		what := p.until(func() bool { return p.is("is") })
		if p.words("is", "null") {
			return
		}
		target = new(string)
		defer func() {
			if p.problem == "" {
				p.other("comment", what, *target)
			}
		}()
	}
	p.i = from
	if !p.find("is") {
		p.fail("a comment has no text")
		return
	}
	if *target = ""; !p.words("null") {
		*target = p.str()
	}
}

// commentTarget is where a comment belongs, or nil.
func (p *parser) commentTarget() *string {
	switch {
	case p.words("table"), p.words("foreign", "table"), p.words("view"), p.words("materialized", "view"):
		name := p.tableName()
		if t := p.tables[name]; t != nil {
			return &t.Comment
		}
		if v := p.views[name]; v != nil {
			return &v.Comment
		}
	case p.words("column"):
		return p.columnComment()
	case p.words("sequence"):
		if s := p.sequences[p.tableName()]; s != nil {
			return &s.Comment
		}
	case p.words("index"):
		if x := p.indexes[p.name()]; x != nil {
			return &x.Comment
		}
	case p.words("constraint"):
		return p.constraintComment()
	case p.words("schema"):
		name := p.ident()
		if i := slices.IndexFunc(p.schema.Namespaces, func(n move.Namespace) bool { return n.Name == name }); i >= 0 {
			return &p.schema.Namespaces[i].Comment
		}
	case p.words("extension"):
		name := p.ident()
		if i := slices.IndexFunc(p.schema.Extensions, func(e move.Extension) bool { return e.Name == name }); i >= 0 {
			return &p.schema.Extensions[i].Comment
		}
		if name == "plpgsql" {
			return new(string)
		}
	case p.words("database"):
		p.ident()
		return &p.schema.Server.Comment
	case p.is("type"), p.is("domain"):
		p.i++
		return p.typeComment(p.name())
	case p.is("function"), p.is("procedure"), p.is("aggregate"):
		return p.functionComment()
	case p.is("trigger"), p.is("rule"), p.is("policy"):
		return p.ofTableComment()
	}
	return nil
}

func (p *parser) columnComment() *string {
	var parts []string
	for again := true; again && len(parts) < 3; again = p.op(".") {
		parts = append(parts, p.ident())
	}
	if len(parts) == 2 {
		parts = []string{p.home(), parts[0], parts[1]}
	}
	if len(parts) != 3 {
		return nil
	}
	if t := p.tables[move.Name{Schema: parts[0], Name: parts[1]}]; t != nil {
		if c := t.Column(parts[2]); c != nil {
			return &c.Comment
		}
	}
	return nil
}

func (p *parser) constraintComment() *string {
	name := p.ident()
	p.expect("on")
	var list []*move.Constraint
	if p.words("domain") {
		domain := p.name()
		for _, d := range p.schema.Domains {
			if d.Name == domain {
				list = d.Checks
			}
		}
	} else if t := p.tables[p.tableName()]; t != nil {
		list = t.Constraints
	}
	for _, c := range list {
		if c.Name == name {
			return &c.Comment
		}
	}
	return nil
}

func (p *parser) typeComment(name move.Name) *string {
	for _, e := range p.schema.Enums {
		if e.Name == name {
			return &e.Comment
		}
	}
	for _, d := range p.schema.Domains {
		if d.Name == name {
			return &d.Comment
		}
	}
	for _, c := range p.schema.Composites {
		if c.Name == name {
			return &c.Comment
		}
	}
	for _, r := range p.schema.Ranges {
		if r.Name == name {
			return &r.Comment
		}
	}
	return nil
}

func (p *parser) functionComment() *string {
	p.i++
	name := p.name()
	arguments := p.arguments()
	for _, f := range p.schema.Functions {
		if f.Name == name && f.Arguments == arguments {
			return &f.Comment
		}
	}
	return nil
}

// ofTableComment is for a trigger, a rule or a policy.
func (p *parser) ofTableComment() *string {
	kind, name := p.ident(), p.ident()
	p.expect("on")
	at := p.tableName()
	t, v := p.tables[at], p.views[at]
	if t == nil && v == nil {
		return nil
	}
	if t == nil {
		t = &move.Table{Triggers: v.Triggers, Rules: v.Rules}
	}
	for _, g := range t.Triggers {
		if kind == "trigger" && g.Name == name {
			return &g.Comment
		}
	}
	for _, r := range t.Rules {
		if kind == "rule" && r.Name == name {
			return &r.Comment
		}
	}
	for _, y := range t.Policies {
		if kind == "policy" && y.Name == name {
			return &y.Comment
		}
	}
	return nil
}
