package dump

import (
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
)

// builtin are the names in the catalog of the types that SQL spells otherwise.
var builtin = map[string]string{
	"boolean": "bool", "smallint": "int2", "integer": "int4", "int": "int4", "bigint": "int8", "real": "float4", "double precision": "float8", "decimal": "numeric",
	"character varying": "varchar", "character": "bpchar", "char": "bpchar", "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz", "timestamp": "timestamp",
	"time without time zone": "time", "time with time zone": "timetz", "time": "time", "bit varying": "varbit",
}

// ranged are the subtypes of PostgreSQL's own ranges and multiranges.
var ranged = map[string]string{"int4": "int4", "int8": "int8", "num": "numeric", "ts": "timestamp", "tstz": "timestamptz", "date": "date"}

// typeName takes a type as format_type prints it.
func (p *parser) typeName() *move.Type {
	from := p.i
	t := p.baseType()
	t.Mod = p.typmod(t, p.toks[from].text == "character" || p.toks[from].text == "char")
	if t.Name.Schema == "pg_catalog" {
		p.typeTail(t)
	}
	array := false
	for p.isOp("[") {
		p.skip()
		array = true
	}
	sql := p.raw(from)
	if next := p.toks[min(from+1, len(p.toks)-1)]; t.Name.Schema != "pg_catalog" && next.text != "." && p.problem == "" {
		sql = t.Name.String() + sql[p.toks[from].end-p.toks[from].start:]
	}
	if array {
		elem := t
		elem.SQL = ""
		t = &move.Type{Name: move.Name{Schema: elem.Schema, Name: "_" + elem.Name.Name}, Kind: move.ArrayType, Mod: elem.Mod, Elem: elem}
		sql = sql[:strings.IndexByte(sql+"[", '[')] + "[]"
	}
	t.SQL = sql
	if !array && t.Name.Schema != "pg_catalog" || array && t.Elem.Name.Schema != "pg_catalog" {
		p.unresolved = append(p.unresolved, t)
	}
	return t
}

// baseType takes a type's name without modifiers and brackets.
func (p *parser) baseType() *move.Type {
	first := p.tok()
	name := p.ident()
	if p.op(".") {
		return p.resolve(move.Name{Schema: name, Name: p.ident()})
	}
	if first.kind == tokWord {
		for _, second := range []string{"precision", "varying"} {
			if (name == "double" || name == "character" || name == "bit") && p.words(second) {
				name += " " + second
			}
		}
		if (name == "timestamp" || name == "time") && p.isZone() {
			name += " with time zone"
		}
		if catalog, ok := builtin[name]; ok {
			return &move.Type{Name: move.Name{Schema: "pg_catalog", Name: catalog}, Kind: move.BaseType, Mod: -1}
		}
	}
	for _, schema := range p.path { // dumps of before 2018 have one
		if t := p.types[move.Name{Schema: schema, Name: name}]; t != nil {
			return p.resolve(t.Name)
		}
	}
	return ownType(name)
}

// isZone looks past a precision for WITH TIME ZONE.
func (p *parser) isZone() bool {
	i := p.i
	defer func() { p.i = i }()
	if p.isOp("(") {
		p.skip()
	}
	return p.is("with", "time", "zone")
}

// ownType is a type of PostgreSQL's own by its name in the catalog.
func ownType(name string) *move.Type {
	t := &move.Type{Name: move.Name{Schema: "pg_catalog", Name: name}, Kind: move.BaseType, Mod: -1}
	of, multi := strings.CutSuffix(name, "multirange")
	of, one := strings.CutSuffix(of, "range")
	if sub := ranged[of]; sub != "" && (multi || one) {
		t.Kind, t.Elem = move.RangeType, ownType(sub)
		if multi {
			t.Kind = move.MultirangeType
		}
	}
	return t
}

// resolve is a use of a type that the dump has made. What it has not made belongs to an
// extension.
func (p *parser) resolve(n move.Name) *move.Type {
	if made := p.types[n]; made != nil {
		t := *made
		return &t
	}
	if n.Schema == "pg_catalog" {
		return ownType(n.Name)
	}
	return &move.Type{Name: n, Kind: move.BaseType, Mod: -1}
}

// typmod takes what stands in parentheses after a type's name, and returns it as the
// catalog has it. A character without any is of one, and a bpchar of any number.
func (p *parser) typmod(t *move.Type, one bool) int32 {
	if t.Name.Schema == "pg_catalog" && t.Name.Name == "interval" {
		return p.intervalMod()
	}
	var n []int32
	if p.isOp("(") {
		p.list(func() {
			if p.kind() == tokWord { // of an extension: geometry(Point,4326)
				p.i++
				return
			}
			n = append(n, int32(p.number()))
		})
	}
	if len(n) == 0 || t.Name.Schema != "pg_catalog" {
		if one && t.Name.Name == "bpchar" && t.Name.Schema == "pg_catalog" {
			return 5
		}
		return -1
	}
	const header = 4 // VARHDRSZ
	switch t.Name.Name {
	case "varchar", "bpchar":
		return n[0] + header
	case "numeric":
		scale := int32(0)
		if len(n) > 1 {
			scale = n[1]
		}
		return n[0]<<16 | scale&0x7ff + header
	}
	return n[0]
}

// typeTail takes WITH TIME ZONE after a precision.
func (p *parser) typeTail(t *move.Type) {
	switch t.Name.Name {
	case "timestamp", "time", "timestamptz", "timetz":
		_ = p.words("with", "time", "zone") || p.words("without", "time", "zone") // or neither
	}
}

// intervalFields are the bits of an interval's fields in its typmod.
var intervalFields = map[string]int32{"year": 1 << 2, "month": 1 << 1, "day": 1 << 3, "hour": 1 << 10, "minute": 1 << 11, "second": 1 << 12}

var intervalOrder = []string{"year", "month", "day", "hour", "minute", "second"}

func (p *parser) intervalMod() int32 {
	fields, precision := int32(0x7fff), int32(0xffff)
	if f := p.tok(); f.kind == tokWord && intervalFields[f.text] != 0 {
		p.i++
		last := f.text
		if p.words("to") {
			last = p.ident()
		}
		fields = 0
		a, b := slices.Index(intervalOrder, f.text), slices.Index(intervalOrder, last)
		for i := a; i <= b; i++ {
			fields |= intervalFields[intervalOrder[i]]
		}
	}
	if p.op("(") {
		precision = int32(p.number())
		p.expectOp(")")
	}
	if fields == 0x7fff && precision == 0xffff {
		return -1
	}
	return fields<<16 | precision
}

func (p *parser) made(n move.Name, t *move.Type) {
	if p.types[n] != nil {
		p.fail("the type is there already")
		return
	}
	t.Name, t.Mod = n, -1
	p.types[n] = t
}

// createType reads CREATE TYPE after these words.
func (p *parser) createType() {
	name := p.name()
	switch {
	case p.words("as", "enum"):
		e := &move.Enum{Name: name}
		p.list(func() { e.Labels = append(e.Labels, p.str()) })
		p.made(name, &move.Type{Kind: move.EnumType})
		p.schema.Enums = append(p.schema.Enums, e)
	case p.words("as", "range"):
		p.createRange(name)
	case p.words("as"):
		c := &move.Composite{Name: name}
		p.list(func() {
			a := &move.Column{Name: p.ident(), Type: p.typeName()}
			if p.words("collate") {
				p.collation()
			}
			c.Attributes = append(c.Attributes, a)
		})
		p.made(name, &move.Type{Kind: move.CompositeType})
		p.schema.Composites = append(p.schema.Composites, c)
	case p.kind() == tokEnd: // a shell, whose base type follows
	default:
		p.made(name, &move.Type{Kind: move.BaseType})
		p.other("type", name.String(), "")
	}
}

func (p *parser) createRange(name move.Name) {
	r := &move.Range{Name: name}
	var multi *move.Name
	p.list(func() {
		option := p.ident()
		p.expectOp("=")
		switch option {
		case "subtype":
			r.Subtype = p.typeName()
		case "multirange_type_name":
			n := p.name()
			multi = &n
		default:
			p.until(func() bool { return false })
		}
	})
	if r.Subtype == nil {
		p.fail("a range has no subtype")
		return
	}
	sub := *r.Subtype
	sub.SQL = ""
	p.made(name, &move.Type{Kind: move.RangeType, Elem: &sub})
	if multi != nil {
		p.made(*multi, &move.Type{Kind: move.MultirangeType, Elem: &sub})
	}
	p.schema.Ranges = append(p.schema.Ranges, r)
}

// createDomain reads CREATE DOMAIN after these words.
func (p *parser) createDomain() {
	d := &move.Domain{Name: p.name()}
	p.words("as")
	d.Type = p.typeName()
	for p.problem == "" && p.kind() != tokEnd {
		switch {
		case p.words("collate"):
			d.Collation = p.collation()
		case p.words("default"):
			d.Default = p.until(func() bool { return p.is("constraint") || p.is("not", "null") || p.is("check") })
		case p.is("constraint") && p.ahead(2).text == "not" && p.ahead(3).text == "null":
			p.i += 4
			d.NotNull = true
		case p.words("not", "null"):
			d.NotNull = true
		default:
			p.domainCheck(d)
		}
	}
	base := *d.Type
	base.SQL = ""
	p.made(d.Name, &move.Type{Kind: move.DomainType, Base: &base})
	p.schema.Domains = append(p.schema.Domains, d)
}

func (p *parser) domainCheck(d *move.Domain) {
	c := &move.Constraint{Kind: move.Check}
	if p.words("constraint") {
		c.Name = p.ident()
	}
	from := p.i
	p.expect("check")
	c.Expr = p.group()
	c.NotValid = p.words("not", "valid")
	c.Definition = p.raw(from)
	d.Checks = append(d.Checks, c)
}

func (p *parser) alterDomain() {
	name := p.name()
	if !p.words("add") {
		return // OWNER TO
	}
	for _, d := range p.schema.Domains {
		if d.Name == name {
			p.domainCheck(d)
			return
		}
	}
	p.fail("the domain is not there")
}
