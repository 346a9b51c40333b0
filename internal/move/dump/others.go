package dump

import (
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// otherKinds are the words of a CREATE whose object is only named, and what
// pg_identify_object calls it.
var otherKinds = []struct {
	words []string
	kind  string
	local bool // it lies in a schema
}{
	{[]string{"access", "method"}, "access method", false},
	{[]string{"collation"}, "collation", true},
	{[]string{"default", "conversion"}, "conversion", true},
	{[]string{"conversion"}, "conversion", true},
	{[]string{"event", "trigger"}, "event trigger", false},
	{[]string{"foreign", "data", "wrapper"}, "foreign-data wrapper", false},
	{[]string{"language"}, "language", false},
	{[]string{"procedural", "language"}, "language", false},
	{[]string{"trusted", "procedural", "language"}, "language", false},
	{[]string{"trusted", "language"}, "language", false},
	{[]string{"publication"}, "publication", false},
	{[]string{"server"}, "server", false},
	{[]string{"statistics"}, "statistics object", true},
	{[]string{"subscription"}, "subscription", false},
	{[]string{"text", "search", "configuration"}, "text search configuration", true},
	{[]string{"text", "search", "dictionary"}, "text search dictionary", true},
	{[]string{"text", "search", "parser"}, "text search parser", true},
	{[]string{"text", "search", "template"}, "text search template", true},
}

// createOther names what the schema has no place for. Nothing but its name is kept: an
// option may be a password.
func (p *parser) createOther() {
	for _, o := range otherKinds {
		if !p.words(o.words...) {
			continue
		}
		p.words("if", "not", "exists")
		if o.local {
			p.other(o.kind, p.name().String(), "")
		} else {
			p.other(o.kind, pgexpr.PgIdent(p.ident()), "")
		}
		return
	}
	switch {
	case p.words("cast"):
		p.cast()
	case p.words("transform", "for"):
		p.other("transform", p.until(func() bool { return p.isOp("(") }), "")
	case p.words("operator", "family"), p.words("operator", "class"):
		kind := "operator " + p.toks[p.i-1].text
		name := p.name().String()
		if p.find("using") {
			name += " USING " + p.ident()
		}
		p.other(kind, name, "")
	case p.words("operator"):
		p.operator()
	case p.kind() == tokWord:
		p.unknown()
	default:
		p.fail("what is created is not said")
	}
}

func (p *parser) cast() {
	p.expectOp("(")
	from := p.typeName()
	p.expect("as")
	to := p.typeName()
	p.other("cast", "("+qualified(from)+" AS "+qualified(to)+")", "")
}

// qualified is a type as pg_identify_object prints it: PostgreSQL's own with their schema
// unless SQL has a name for them.
func qualified(t *move.Type) string {
	if t.Name.Schema != "pg_catalog" || t.SQL != t.Name.Name || t.SQL == "numeric" || t.SQL == "interval" {
		return t.SQL
	}
	return "pg_catalog." + t.SQL
}

func (p *parser) operator() {
	from := p.i
	for p.kind() != tokEnd && !p.isOp("(") {
		p.i++
	}
	name := p.raw(from)
	args := map[string]string{"leftarg": "NONE", "rightarg": "NONE"}
	p.list(func() {
		option := p.ident()
		if p.op("=") {
			if _, ok := args[option]; ok {
				args[option] = p.typeName().SQL
			} else {
				p.until(func() bool { return false })
			}
		}
	})
	p.other("operator", strings.ReplaceAll(name, " ", "")+"("+args["leftarg"]+","+args["rightarg"]+")", "")
}

func (p *parser) userMapping() {
	user := p.ident()
	p.expect("server")
	p.other("user mapping", user+" on server "+p.ident(), "")
}

func (p *parser) alterPublication() {
	publication := p.ident()
	if !p.words("add") {
		return // OWNER TO
	}
	switch {
	case p.words("tables", "in", "schema"):
		p.other("publication namespace", pgexpr.PgIdent(p.ident())+" in publication "+pgexpr.PgIdent(publication), "")
	default:
		p.words("table")
		p.words("only")
		p.other("publication relation", p.tableName().String()+" in publication "+pgexpr.PgIdent(publication), "")
	}
}

func (p *parser) defaultPrivileges() {
	role, schema := "", ""
	for again := true; again; {
		switch {
		case p.words("for", "role"), p.words("for", "user"):
			role = " for role " + pgexpr.PgIdent(p.ident())
		case p.words("in", "schema"):
			schema = " in schema " + pgexpr.PgIdent(p.ident())
		default:
			again = false
		}
	}
	if p.find("on") {
		p.other("default acl", strings.TrimSpace(role+schema+" on "+p.ident()), "")
	}
}

// privileges names what a GRANT or REVOKE is on.
func (p *parser) privileges() {
	var columns []string
	for p.kind() != tokEnd && !p.is("on") {
		if p.isOp("(") {
			p.i++
			columns = append(columns, p.nameList()...)
			continue
		}
		p.i++
	}
	if !p.words("on") {
		return // membership in a role
	}
	switch {
	case p.words("schema"), p.words("language"), p.words("foreign"), p.words("database"):
		if !p.words("data", "wrapper") {
			p.words("server")
		}
		p.other("privileges", pgexpr.PgIdent(p.ident()), "")
	case p.words("function"), p.words("procedure"):
		name := p.name().String()
		p.other("privileges", name+"("+p.arguments()+")", "")
	case p.words("large", "object"), p.words("parameter"), p.words("tablespace"):
	default:
		_ = p.words("table") || p.words("sequence") || p.words("type") || p.words("domain") // a table needs no word
		name := p.tableName().String()
		if columns == nil {
			p.other("privileges", name, "")
		}
		for _, c := range columns {
			p.other("privileges", name+"."+pgexpr.PgIdent(c), "")
		}
	}
}
