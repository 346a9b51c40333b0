package dump

import (
	"github.com/flysql/flysql/internal/move"
)

// create reads a CREATE after this word.
func (p *parser) create() {
	p.words("or", "replace")
	switch {
	case p.words("table"):
		p.createTable(move.PlainTable, false)
	case p.words("unlogged", "table"):
		p.createTable(move.PlainTable, true)
	case p.words("foreign", "table"):
		p.createTable(move.ForeignTable, false)
	case p.words("index"):
		p.createIndex(false)
	case p.words("unique", "index"):
		p.createIndex(true)
	case p.words("sequence"), p.words("unlogged", "sequence"):
		p.createSequence()
	case p.words("view"), p.words("recursive", "view"):
		p.createView(false)
	case p.words("materialized", "view"):
		p.createView(true)
	case p.words("type"):
		p.createType()
	case p.words("domain"):
		p.createDomain()
	case p.words("trigger"), p.words("constraint", "trigger"):
		p.createTrigger()
	case p.words("rule"):
		p.createRule()
	case p.words("policy"):
		p.createPolicy()
	case p.is("function"), p.is("procedure"), p.is("aggregate"):
		p.createFunction()
	case p.words("extension"):
		p.createExtension()
	case p.words("schema"):
		p.createSchema()
	case p.words("database"):
		p.createDatabase()
	case p.words("role"), p.words("user"):
		if p.words("mapping", "for") {
			p.userMapping()
		}
	case p.words("tablespace"):
	default:
		p.createOther()
	}
}

func (p *parser) createSchema() {
	p.words("if", "not", "exists")
	name := p.ident()
	for _, n := range p.schema.Namespaces {
		if n.Name == name {
			return
		}
	}
	p.schema.Namespaces = append(p.schema.Namespaces, move.Namespace{Name: name})
}

func (p *parser) createExtension() {
	p.words("if", "not", "exists")
	e := move.Extension{Name: p.ident(), Schema: p.home()}
	for p.kind() != tokEnd && p.problem == "" {
		switch {
		case p.words("schema"):
			e.Schema = p.ident()
		case p.words("version"):
			e.Version = p.tok().text
			p.i++
		default:
			p.skip()
		}
	}
	if e.Name != "plpgsql" {
		p.schema.Extensions = append(p.schema.Extensions, e)
	}
}

// createDatabase keeps what decides the meaning of the database's data.
func (p *parser) createDatabase() {
	s := move.Server{Database: p.ident(), Provider: "libc"}
	for p.kind() != tokEnd && p.problem == "" {
		setting := p.tok().text
		p.i++
		if !p.op("=") {
			continue
		}
		value := p.tok().text
		p.i++
		switch setting {
		case "encoding":
			s.Encoding = value
		case "locale":
			s.Collation, s.Ctype = value, value
		case "lc_collate":
			s.Collation = value
		case "lc_ctype":
			s.Ctype = value
		case "locale_provider":
			s.Provider = value
		case "icu_locale", "builtin_locale":
			defer func() { p.created.Collation = value }() // over LC_COLLATE, wherever that stands
		}
	}
	p.created = s
}

func (p *parser) createSequence() {
	p.words("if", "not", "exists")
	s := &move.Sequence{Name: p.name(), Type: "bigint", Increment: 1}
	if p.words("as") {
		s.Type = p.typeName().SQL
	}
	p.sequenceOptions(s)
	p.addSequence(s)
}

func (p *parser) addSequence(s *move.Sequence) {
	if p.relation(s.Name) {
		p.fail("the sequence is there already")
	}
	if p.problem == "" {
		p.sequences[s.Name] = s
		p.schema.Sequences = append(p.schema.Sequences, s)
	}
}

// sequenceOptions reads what a sequence is made with, up to the end or a parenthesis.
func (p *parser) sequenceOptions(s *move.Sequence) {
	var start, least, most *int64
	number := func() *int64 { n := p.number(); return &n }
	for p.problem == "" && p.kind() != tokEnd && !p.isOp(")") {
		switch {
		case p.words("sequence", "name"):
			s.Name = p.name()
		case p.words("start"):
			p.words("with")
			start = number()
		case p.words("increment"):
			p.words("by")
			s.Increment = p.number()
		case p.words("no", "minvalue"), p.words("no", "maxvalue"), p.words("no", "cycle"), p.words("logged"), p.words("unlogged"):
		case p.words("minvalue"):
			least = number()
		case p.words("maxvalue"):
			most = number()
		case p.words("cache"):
			p.number()
		case p.words("cycle"):
			s.Cycle = true
		default:
			p.fail("this is not understood in a sequence")
		}
	}
	s.Min, s.Max = bounds(s.Type, s.Increment)
	if least != nil {
		s.Min = *least
	}
	if most != nil {
		s.Max = *most
	}
	if s.Start = s.Min; s.Increment < 0 {
		s.Start = s.Max
	}
	if start != nil {
		s.Start = *start
	}
	s.Last = s.Start
}

// bounds are a sequence's least and most where nothing else is said.
func bounds(typ string, increment int64) (int64, int64) {
	bits := map[string]uint{"smallint": 15, "integer": 31}[typ]
	if bits == 0 {
		bits = 63
	}
	if increment < 0 {
		return -1 << bits, -1
	}
	return 1, 1<<bits - 1
}
