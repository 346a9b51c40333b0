package pgexpr

import "strings"

// primary reads what stands between operators.
func (p *parser) primary() node {
	t := p.next()
	at := pos(t.pos)
	switch t.kind {
	case tokString, tokNumber, tokBits:
		return &constNode{at, t.kind, t.text}
	case tokQuoted:
		return p.named(t)
	case tokIdent:
		return p.word(t)
	case tokOp:
		if t.text == "(" {
			if p.isWord("select") {
				p.fail("a subquery is not translated")
			}
			n := p.expr(0)
			if p.isOp(",") {
				p.fail("a row of several values is not translated")
			}
			p.wantOp(")")
			return n
		}
	}
	refuse(t.pos, "an expression is missing")
	return nil
}

// constantTypes are the types that a string may follow: date '2024-01-01'.
var constantTypes = words("date time timestamp timestamptz timetz interval numeric decimal text bool boolean int integer bigint smallint real uuid varchar bytea")

func (p *parser) word(t token) node {
	at := pos(t.pos)
	switch t.text {
	case "true", "false", "null":
		return &constNode{at, tokIdent, t.text}
	case "case":
		return p.caseOf(at)
	case "array":
		if !p.takeOp("[") {
			refuse(t.pos, "an array of a subquery is not translated")
		}
		return &arrayNode{at, p.list("]")}
	case "cast":
		p.wantOp("(")
		x := p.expr(0)
		p.wantWord("as")
		to := p.typeName()
		p.wantOp(")")
		return &castNode{at, x, to}
	case "extract":
		p.wantOp("(")
		field := p.next()
		p.wantWord("from")
		x := p.expr(0)
		p.wantOp(")")
		return &callNode{at, "extract", []node{&constNode{pos(field.pos), tokString, field.text}, x}}
	case "position":
		p.wantOp("(")
		needle := p.expr(precIn + 1)
		p.wantWord("in")
		x := p.expr(0)
		p.wantOp(")")
		return &callNode{at, "strpos", []node{x, needle}}
	case "substring":
		return p.substring(at)
	case "trim":
		return p.trim(at)
	case "exists", "row", "xmlelement", "overlay", "normalize", "xmlserialize":
		refuse(t.pos, "%s is not translated", strings.ToUpper(t.text))
	case "current_timestamp", "current_date", "localtimestamp", "current_time", "localtime", "current_user", "session_user", "user", "current_role", "current_catalog", "current_schema":
		var digits []node
		if p.takeOp("(") {
			digits = []node{&constNode{at, tokNumber, itoa(p.int())}}
			p.wantOp(")")
		}
		return &callNode{at, t.text, digits}
	}
	if n := p.typedConstant(t); n != nil {
		return n
	}
	return p.named(t)
}

// typedConstant reads a type and a string: interval '1 day', timestamp(3) with time zone
// '...'; nil where there is none.
func (p *parser) typedConstant(t token) (n node) {
	if !constantTypes[t.text] && t.text != "double" && t.text != "character" {
		return nil
	}
	start := p.i
	p.i--
	defer func() {
		if f := recover(); f != nil {
			if _, ok := f.(failed); !ok {
				panic(f)
			}
			n = nil
		}
		if n == nil {
			p.i = start
		}
	}()
	to := p.typeName()
	if s := p.peek(); s.kind == tokString {
		p.next()
		return &castNode{pos(t.pos), &constNode{pos(s.pos), tokString, s.text}, to}
	}
	return nil
}

func (p *parser) caseOf(at pos) node {
	n := &caseNode{pos: at}
	if !p.isWord("when") {
		n.operand = p.expr(0)
	}
	if !p.isWord("when") {
		p.fail("WHEN is missing")
	}
	for p.takeWord("when") {
		when := p.expr(0)
		p.wantWord("then")
		n.whens = append(n.whens, [2]node{when, p.expr(0)})
	}
	if p.takeWord("else") {
		n.els = p.expr(0)
	}
	p.wantWord("end")
	return n
}

func (p *parser) substring(at pos) node {
	p.wantOp("(")
	args := []node{p.expr(0)}
	if p.takeWord("from") {
		args = append(args, p.expr(0))
		if p.takeWord("for") {
			args = append(args, p.expr(0))
		}
		p.wantOp(")")
	} else if p.takeOp(",") {
		args = append(args, p.list(")")...)
	} else {
		p.fail("this SUBSTRING is not translated")
	}
	return &callNode{at, "substr", args}
}

func (p *parser) trim(at pos) node {
	p.wantOp("(")
	name := "btrim"
	switch {
	case p.takeWord("leading"):
		name = "ltrim"
	case p.takeWord("trailing"):
		name = "rtrim"
	default:
		p.takeWord("both")
	}
	var chars node
	if !p.takeWord("from") {
		chars = p.expr(0)
		if !p.takeWord("from") {
			if p.takeOp(",") {
				return &callNode{at, name, append([]node{chars}, p.list(")")...)}
			}
			p.wantOp(")")
			return &callNode{at, name, []node{chars}}
		}
	}
	args := []node{p.expr(0)}
	if chars != nil {
		args = append(args, chars)
	}
	p.wantOp(")")
	return &callNode{at, name, args}
}

// named reads a column or a call, whose first word has been read.
func (p *parser) named(t token) node {
	parts := []string{t.text}
	for p.isOp(".") {
		p.next()
		parts = append(parts, p.name())
	}
	if !p.isOp("(") {
		return &nameNode{pos(t.pos), parts}
	}
	p.next()
	if p.isOp("*") || p.isWord("distinct") || p.isWord("variadic") {
		p.fail("an aggregate or a call with VARIADIC is not translated")
	}
	if len(parts) > 1 && parts[0] == "pg_catalog" {
		parts = parts[1:]
	}
	args := p.list(")")
	if p.isWord("over") || p.isWord("filter") || p.isWord("within") {
		p.fail("an aggregate or window function is not translated")
	}
	return &callNode{pos(t.pos), strings.Join(parts, "."), args}
}
