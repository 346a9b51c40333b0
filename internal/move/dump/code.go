package dump

import (
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
)

// createView reads CREATE VIEW after these words. Its query is taken as it stands, as
// pg_get_viewdef has printed it.
func (p *parser) createView(materialized bool) {
	v := &move.View{Name: p.name(), Materialized: materialized, Populated: !materialized}
	for p.problem == "" && !p.is("as") {
		switch {
		case p.words("with"):
			v.CheckOption = checkOption(p.options())
		case p.isOp("("):
			p.group()
		case p.words("using"), p.words("tablespace"):
			p.ident()
		default:
			p.fail("this is not understood in a view")
		}
	}
	p.expect("as")
	if p.problem != "" {
		return
	}
	query := p.src[p.toks[p.i-1].end:]
	for _, end := range []struct{ text, option string }{{"WITH LOCAL CHECK OPTION", "local"}, {"WITH CASCADED CHECK OPTION", "cascaded"}, {"WITH NO DATA", ""}} {
		if rest, ok := strings.CutSuffix(query, "\n  "+end.text); ok {
			query = rest
			if end.option != "" {
				v.CheckOption = end.option
			}
		}
	}
	v.Definition = strings.TrimPrefix(query, "\n") + ";"
	p.addView(v)
}

// addView adds a view, or makes one whole that stood for it till what it reads was there.
func (p *parser) addView(v *move.View) {
	if old := p.views[v.Name]; old != nil {
		old.Definition, old.CheckOption = v.Definition, v.CheckOption
		return
	}
	if p.relation(v.Name) {
		p.fail("the view is there already")
		return
	}
	p.views[v.Name] = v
	p.schema.Views = append(p.schema.Views, v)
	p.types[v.Name] = &move.Type{Name: v.Name, Kind: move.CompositeType, Mod: -1}
}

func checkOption(options []string) string {
	for _, o := range options {
		if kind, ok := strings.CutPrefix(o, "check_option="); ok {
			return kind
		}
	}
	return ""
}

func (p *parser) createTrigger() {
	g := &move.Trigger{Name: p.ident(), Enabled: "origin", Definition: p.src}
	if !p.find("on") {
		p.fail("a trigger has no table")
	}
	name := p.tableName()
	if !p.find("execute", "function") {
		p.i = 0
		p.find("execute", "procedure")
	}
	g.Function = p.name()
	t, v := p.tables[name], p.views[name]
	switch {
	case p.problem != "":
	case t != nil:
		t.Triggers = append(t.Triggers, g)
	case v != nil:
		v.Triggers = append(v.Triggers, g)
	default:
		p.fail("a trigger of a table that the dump has not made")
	}
}

func (p *parser) createRule() {
	r := &move.Rule{Name: p.ident(), Definition: p.src + ";"}
	p.expect("as")
	p.expect("on")
	event := p.ident()
	p.expect("to")
	name := p.tableName()
	t, v := p.tables[name], p.views[name]
	switch {
	case p.problem != "":
	case t == nil && v == nil:
		p.fail("a rule of a table that the dump has not made")
	case event == "select" && r.Name == "_RETURN":
		p.becomeView(t)
	case t != nil:
		t.Rules = append(t.Rules, r)
	default:
		v.Rules = append(v.Rules, r)
	}
}

// becomeView makes a view of a table, as a rule does: so pg_dump before 10 breaks circles.
func (p *parser) becomeView(t *move.Table) {
	if t == nil || !p.find("do", "instead") {
		p.fail("a view's rule is not understood")
		return
	}
	delete(p.tables, t.Name)
	p.schema.Tables = slices.DeleteFunc(p.schema.Tables, func(o *move.Table) bool { return o == t })
	p.addView(&move.View{Name: t.Name, Populated: true, Columns: t.Columns, Triggers: t.Triggers, Comment: t.Comment, Definition: p.rest() + ";"})
}

func (p *parser) createPolicy() {
	y := &move.Policy{Name: p.ident(), Command: "all", Permissive: true}
	p.expect("on")
	t := p.tables[p.tableName()]
	for p.problem == "" && p.kind() != tokEnd {
		switch {
		case p.words("as", "permissive"):
		case p.words("as", "restrictive"):
			y.Permissive = false
		case p.words("for"):
			y.Command = p.ident()
		case p.words("to"):
			for again := true; again; again = p.op(",") {
				y.Roles = append(y.Roles, p.ident())
			}
		case p.words("using"):
			y.Using = p.group()
		case p.words("with", "check"):
			y.Check = p.group()
		default:
			p.fail("this is not understood in a policy")
		}
	}
	if len(y.Roles) == 0 {
		y.Roles = []string{"public"}
	}
	if t == nil {
		p.fail("a policy of a table that the dump has not made")
		return
	}
	t.Policies = append(t.Policies, y)
}

// createFunction reads CREATE FUNCTION, PROCEDURE and AGGREGATE after the first word.
func (p *parser) createFunction() {
	f := &move.Function{Kind: p.ident()}
	f.Name = p.name()
	f.Arguments = p.arguments()
	if f.Kind == "aggregate" {
		f.Language = "internal"
		p.rest()
	} else {
		f.Definition, f.Language = p.src, "sql"
		for p.problem == "" && p.kind() != tokEnd {
			switch {
			case p.words("language"):
				if f.Language = p.tok().text; f.Language == "" {
					p.fail("a function has no language")
				}
				p.i++
			case p.words("as"), p.words("begin"), p.words("return"):
				p.rest()
			case p.words("window"):
				f.Kind = "window function"
			default:
				p.skip()
			}
		}
	}
	if p.problem == "" {
		p.schema.Functions = append(p.schema.Functions, f)
	}
}

// arguments takes a function's, without their defaults.
func (p *parser) arguments() string {
	from := p.i
	if p.group(); p.problem != "" {
		return ""
	}
	end := p.i - 1
	var parts []string
	for p.i = from + 1; p.i < end; {
		start := p.i
		for p.i < end && !p.isOp(",") && !p.is("default") && !p.isOp("=") {
			p.skip()
		}
		parts = append(parts, p.raw(start))
		for p.i < end && !p.isOp(",") {
			p.skip()
		}
		p.i++
	}
	p.i = end + 1
	return strings.Join(parts, ", ")
}
