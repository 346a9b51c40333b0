package pgexpr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

type parser struct {
	toks  []token
	i     int
	depth int
}

// parse reads one expression to its end.
func parse(s string) (n node, err error) {
	toks, err := lex(s)
	if err != nil {
		return nil, err
	}
	p := &parser{toks: toks}
	defer catch(&err)
	n = p.expr(0)
	if t := p.peek(); t.kind != tokEnd {
		p.fail("%q is not expected", t.text)
	}
	return n, nil
}

// failed is what a parser or a translator throws; it does not leave the package.
type failed struct{ err *Refused }

func catch(err *error) {
	switch f := recover().(type) {
	case nil:
	case failed:
		*err = f.err
	default:
		panic(f)
	}
}

func refuse(at int, format string, args ...any) {
	panic(failed{&Refused{at, fmt.Sprintf(format, args...)}})
}

func (p *parser) fail(format string, args ...any) { refuse(p.peek().pos, format, args...) }

func (p *parser) peek() token { return p.toks[p.i] }
func (p *parser) next() token {
	t := p.toks[p.i]
	if t.kind != tokEnd {
		p.i++
	}
	return t
}

// ahead is the token n after the next one.
func (p *parser) ahead(n int) token { return p.toks[min(p.i+n, len(p.toks)-1)] }

func (p *parser) isOp(op string) bool   { t := p.peek(); return t.kind == tokOp && t.text == op }
func (p *parser) isWord(w string) bool  { t := p.peek(); return t.kind == tokIdent && t.text == w }
func (p *parser) takeOp(op string) bool { return p.take(p.isOp(op)) }
func (p *parser) takeWord(w string) bool {
	return p.take(p.isWord(w))
}
func (p *parser) take(ok bool) bool {
	if ok {
		p.i++
	}
	return ok
}

// takeWords takes all of several words, or none.
func (p *parser) takeWords(words ...string) bool {
	for i, w := range words {
		if t := p.ahead(i); t.kind != tokIdent || t.text != w {
			return false
		}
	}
	p.i += len(words)
	return true
}

func (p *parser) wantOp(op string) {
	if !p.takeOp(op) {
		p.fail("%q is missing", op)
	}
}
func (p *parser) wantWord(w string) {
	if !p.takeWord(w) {
		p.fail("%s is missing", strings.ToUpper(w))
	}
}

// Precedences, PostgreSQL's: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-PRECEDENCE
const (
	precOr = iota + 1
	precAnd
	precNot
	precIs
	precCompare
	precIn
	precOther
	precAdd
	precMultiply
	precPower
	precAt
	precCollate
	precUnary
)

// expr reads an expression whose operators bind at least as tightly as least.
func (p *parser) expr(least int) node {
	if p.depth++; p.depth > maxDepth {
		p.fail("it is nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	left := p.prefix(least)
	for chain := 0; ; chain++ {
		n := p.infix(left, least)
		if n == nil {
			return left
		}
		if left = n; chain > 10*maxDepth {
			p.fail("it is a chain of more than %d operators", 10*maxDepth)
		}
	}
}

func (p *parser) prefix(least int) node {
	t := p.peek()
	switch {
	case t.kind == tokIdent && t.text == "not" && least <= precNot:
		p.next()
		return &unaryNode{pos(t.pos), "NOT", p.expr(precNot)}
	case t.kind == tokOp && (t.text == "-" || t.text == "+"):
		p.next()
		return &unaryNode{pos(t.pos), t.text, p.expr(precUnary)}
	case t.kind == tokOp && t.text == "~":
		p.next()
		return &unaryNode{pos(t.pos), t.text, p.expr(precOther + 1)}
	}
	return p.postfix(p.primary())
}

// postfix reads casts and subscripts, which bind tightest.
func (p *parser) postfix(n node) node {
	for {
		t := p.peek()
		switch {
		case p.takeOp("::"):
			n = &castNode{pos(t.pos), n, p.typeName()}
		case p.isOp("["), p.isOp("."):
			p.fail("a part of an array or of a composite value is not translated")
		default:
			return n
		}
	}
}

var binaryPrec = map[string]int{"=": precCompare, "<": precCompare, ">": precCompare, "<=": precCompare, ">=": precCompare, "<>": precCompare,
	"+": precAdd, "-": precAdd, "*": precMultiply, "/": precMultiply, "%": precMultiply, "^": precPower}

// infix reads an operator and its right side, or returns nil where none follows that
// binds tightly enough.
func (p *parser) infix(left node, least int) node {
	t := p.peek()
	if t.kind == tokIdent {
		return p.wordInfix(left, least, t)
	}
	if t.kind != tokOp || strings.Contains("()[],.:;::", t.text) {
		return nil
	}
	prec, ok := binaryPrec[t.text]
	if !ok {
		prec = precOther
	}
	if prec < least {
		return nil
	}
	p.next()
	return p.right(left, t.text, pos(t.pos), prec)
}

// right reads what follows an operator, which may be ANY or ALL of an array.
func (p *parser) right(left node, op string, at pos, prec int) node {
	if !p.isWord("any") && !p.isWord("some") && !p.isWord("all") {
		return &binaryNode{pos: at, op: op, l: left, r: p.expr(prec + 1)}
	}
	all := p.next().text == "all"
	p.wantOp("(")
	array := p.expr(0)
	p.wantOp(")")
	return &anyNode{at, left, op, array, all}
}

func (p *parser) wordInfix(left node, least int, t token) node {
	at := pos(t.pos)
	not := false
	word := t.text
	if word == "not" && least <= precIn {
		not, word = true, p.ahead(1).text
		if !slices.Contains([]string{"in", "like", "ilike", "between", "similar"}, word) {
			return nil
		}
	}
	switch prec := wordPrec[word]; {
	case prec == 0 || prec < least:
		return nil
	default:
		p.next()
		if not {
			p.next()
		}
		return p.wordRight(left, word, at, not, prec)
	}
}

var wordPrec = map[string]int{"or": precOr, "and": precAnd, "is": precIs, "isnull": precIs, "notnull": precIs, "in": precIn, "like": precIn, "ilike": precIn,
	"between": precIn, "similar": precIn, "operator": precOther, "at": precAt, "collate": precCollate}

func (p *parser) wordRight(left node, word string, at pos, not bool, prec int) node {
	switch word {
	case "or", "and":
		return &binaryNode{pos: at, op: strings.ToUpper(word), l: left, r: p.expr(prec + 1)}
	case "is":
		return p.is(left, at)
	case "isnull", "notnull":
		return &isNode{at, left, "NULL", word == "notnull"}
	case "in":
		p.wantOp("(")
		if p.isWord("select") {
			p.fail("a subquery is not translated")
		}
		list := p.list(")")
		return &inNode{at, left, list, not}
	case "like", "ilike":
		n := &binaryNode{pos: at, op: strings.ToUpper(word), l: left, r: p.expr(prec + 1), not: not}
		if p.takeWord("escape") {
			n.esc = p.expr(prec + 1)
		}
		return n
	case "between":
		n := &betweenNode{pos: at, x: left, not: not, symmetric: p.takeWord("symmetric")}
		p.takeWord("asymmetric")
		n.low = p.expr(precCompare) // as PostgreSQL, which takes x BETWEEN a > b AND c so
		p.wantWord("and")
		n.high = p.expr(prec + 1)
		return n
	case "collate":
		return &collateNode{at, left, p.qualified()}
	case "at":
		p.wantWord("time")
		p.wantWord("zone")
		return &callNode{at, "timezone", []node{p.expr(prec + 1), left}}
	case "operator":
		return p.right(left, p.qualifiedOperator(), at, prec)
	}
	refuse(int(at), "%s is not translated", strings.ToUpper(word))
	return nil
}

// qualifiedOperator reads OPERATOR(schema.op). Which one it is, its operands' types say:
// citext has = and ~ of its own.
func (p *parser) qualifiedOperator() string {
	p.wantOp("(")
	for p.peek().kind != tokOp {
		p.next()
		p.wantOp(".")
	}
	op := p.next().text
	p.wantOp(")")
	return op
}

func (p *parser) is(left node, at pos) node {
	not := p.takeWord("not")
	if p.takeWords("distinct", "from") {
		op := "IS DISTINCT FROM"
		if not {
			op = "IS NOT DISTINCT FROM"
		}
		return &binaryNode{pos: at, op: op, l: left, r: p.expr(precIs + 1)}
	}
	for _, w := range []string{"null", "true", "false", "unknown"} {
		if p.takeWord(w) {
			return &isNode{at, left, strings.ToUpper(w), not}
		}
	}
	p.fail("IS %s is not translated", strings.ToUpper(p.peek().text))
	return nil
}

// list reads expressions up to the closing token.
func (p *parser) list(end string) []node {
	var out []node
	if p.takeOp(end) {
		return nil
	}
	for {
		out = append(out, p.expr(0))
		if p.takeOp(end) {
			return out
		}
		p.wantOp(",")
	}
}

// name reads one part of a name.
func (p *parser) name() string {
	t := p.next()
	if t.kind != tokIdent && t.kind != tokQuoted {
		refuse(t.pos, "a name is missing")
	}
	return t.text
}

// qualified reads a name with its schema, which is left out where it is pg_catalog.
func (p *parser) qualified() string {
	n := p.name()
	for p.takeOp(".") {
		next := p.name()
		if n == "pg_catalog" {
			n = next
		} else {
			n += "." + next
		}
	}
	return n
}

// typeName reads a type, with all its words.
func (p *parser) typeName() typeName {
	var t typeName
	quoted := p.peek().kind == tokQuoted
	t.name = p.qualified()
	switch {
	case t.name == "double":
		p.wantWord("precision")
		t.name = "double precision"
	case (t.name == "character" || t.name == "bit" || t.name == "char") && !quoted && p.takeWord("varying"):
		t.name = map[string]string{"bit": "bit varying"}[t.name]
		if t.name == "" {
			t.name = "character varying"
		}
	}
	if p.takeOp("(") {
		for {
			t.mods = append(t.mods, p.int())
			if p.takeOp(")") {
				break
			}
			p.wantOp(",")
		}
	}
	zoned := p.takeWords("with", "time", "zone")
	if !zoned {
		p.takeWords("without", "time", "zone")
	}
	if s := spelled[t.name]; s != "" && !quoted {
		t.name = s
	}
	if zoned {
		t.name = strings.Replace(t.name, "without", "with", 1)
	}
	for p.takeOp("[") {
		if p.peek().kind == tokNumber {
			p.next()
		}
		p.wantOp("]")
		t.array = true
	}
	return t
}

func (p *parser) int() int {
	sign := 1
	if p.takeOp("-") {
		sign = -1
	}
	t := p.next()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokNumber || err != nil {
		refuse(t.pos, "a number is missing")
	}
	return sign * n
}
