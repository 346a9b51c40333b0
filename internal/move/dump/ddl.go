package dump

import (
	"strings"

	"github.com/flysql/flysql/internal/move"
)

// ddl makes a schema of a dump's statements, as PostgreSQL's catalog would have it.
type ddl struct {
	schema     *move.Schema
	tables     map[move.Name]*move.Table
	views      map[move.Name]*move.View
	sequences  map[move.Name]*move.Sequence
	types      map[move.Name]*move.Type // made by the dump: what a use of it is
	indexes    map[move.Name]*move.Index
	keys       map[move.Name]*move.Constraint // by the name of their index
	unresolved []*move.Type

	path     []string // search_path without pg_catalog
	escapes  bool     // standard_conforming_strings is off: statements are made standard
	encoding string
	created  move.Server // by CREATE DATABASE
	settings []move.Object
	others   map[move.Object]bool
	large    int // objects
}

func newDDL() *ddl {
	d := &ddl{schema: &move.Schema{}, tables: map[move.Name]*move.Table{}, views: map[move.Name]*move.View{}, sequences: map[move.Name]*move.Sequence{}, types: map[move.Name]*move.Type{},
		indexes: map[move.Name]*move.Index{}, keys: map[move.Name]*move.Constraint{}, others: map[move.Object]bool{}}
	// It is in every database, and in no dump.
	d.schema.Namespaces = []move.Namespace{{Name: "public", Comment: "standard public schema"}}
	return d
}

// home is the schema of what is named without one.
func (d *ddl) home() string {
	if len(d.path) > 0 {
		return d.path[0]
	}
	return "public"
}

// relation reports whether something is there that has rows or numbers.
func (d *ddl) relation(n move.Name) bool {
	return d.tables[n] != nil || d.views[n] != nil || d.sequences[n] != nil
}

// other notes what the schema has no place for.
func (d *ddl) other(kind, identity, detail string) {
	o := move.Object{Kind: kind, Identity: identity, Detail: detail}
	if !d.others[o] {
		d.others[o] = true
		d.schema.Others = append(d.schema.Others, o)
	}
}

// ignored are statements that make nothing.
var ignored = map[string]bool{"begin": true, "start": true, "commit": true, "set": true, "reset": true, "lock": true, "analyze": true, "checkpoint": true}

// statement reads any statement but COPY and INSERT.
func (p *parser) statement() {
	switch first := p.tok(); {
	case p.words("create"):
		p.create()
	case p.words("alter"):
		p.alter()
	case p.words("comment", "on"):
		p.comment()
	case p.words("select"):
		p.selects()
	case p.words("set"):
		p.set()
	case p.words("drop"):
		p.drop()
	case p.words("grant"), p.words("revoke"):
		p.privileges()
	case p.words("refresh", "materialized", "view"):
		p.words("concurrently")
		if v := p.views[p.tableName()]; v != nil {
			v.Populated = true
		}
	case p.words("security", "label"):
		p.find("on")
		p.other("security label", p.until(func() bool { return p.is("is") }), "")
	case first.kind == tokWord && ignored[first.text]:
	case first.kind == tokWord && (first.text == "update" || first.text == "delete" || first.text == "truncate" || first.text == "do" || first.text == "call" || first.text == "with" || first.text == "values"):
		p.fail("pg_dump writes no such statement, and what it does to the rows is not followed")
	default:
		p.fail("no statement of pg_dump's begins so")
	}
}

// set follows the settings that decide how the rest is read.
func (p *parser) set() {
	name := p.ident()
	if !p.op("=") {
		p.words("to")
	}
	switch name {
	case "client_encoding":
		p.encoding = p.tok().text
	case "standard_conforming_strings":
		p.ddl.escapes = p.tok().text == "off" || p.tok().text == "false" || p.tok().text == "0"
	case "search_path":
		p.path = p.path[:0]
		for p.kind() != tokEnd {
			if s := p.tok(); s.kind != tokOp {
				p.searchPath(s.text)
			}
			p.i++
		}
	}
}

func (p *parser) searchPath(schema string) {
	if schema != "" && schema != "pg_catalog" && schema != "$user" && len(p.path) < 100 {
		p.path = append(p.path, schema)
	}
}

// selects reads the functions that pg_dump calls: set_config, setval, large objects.
func (p *parser) selects() {
	if p.op("*") {
		p.expect("from")
	}
	p.words("pg_catalog")
	p.op(".")
	switch f := p.ident(); {
	case f == "set_config":
		p.expectOp("(")
		if name := p.str(); name == "search_path" && p.op(",") {
			p.path = p.path[:0]
			for _, t := range lex(p.str()) {
				if t.kind == tokWord || t.kind == tokQuoted {
					p.searchPath(t.text)
				}
			}
		}
	case f == "setval":
		p.setval()
	case f == "lo_create" || f == "lo_import":
		p.large++
	case strings.HasPrefix(f, "lo"):
	case f == "pg_restore_relation_stats", f == "pg_restore_attribute_stats", f == "pg_restore_extended_stats", strings.HasPrefix(f, "binary_upgrade"):
	default:
		p.i--
		p.fail("pg_dump calls no such function")
	}
}

func (p *parser) setval() {
	p.expectOp("(")
	inner := newParser(p.ddl, p.str())
	name := inner.tableName()
	p.expectOp(",")
	last := p.number()
	called := true
	if p.op(",") {
		called = p.ident() == "true"
	}
	s := p.sequences[name]
	if p.problem != "" || inner.problem != "" {
		p.fail("a setval is not understood")
		return
	}
	if s == nil { // --data-only
		p.other("sequence state", name.String(), "")
		return
	}
	s.Known, s.Last, s.Called = true, last, called
}

// drop takes what --clean writes before anything is made.
func (p *parser) drop() {
	kind := p.ident()
	if kind == "materialized" || kind == "foreign" {
		kind = p.ident()
	}
	p.words("if", "exists")
	if kind != "table" && kind != "view" && kind != "sequence" {
		return
	}
	if n := p.tableName(); p.relation(n) {
		p.fail("it drops what the dump has made before")
	}
}
