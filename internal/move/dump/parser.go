package dump

import (
	"slices"
	"strconv"
	"strings"

	"github.com/flysql/flysql/internal/move"
)

// parser goes through one statement. After the first problem it stands at the end, and
// whatever it is asked for is empty: callers look once, at the end.
type parser struct {
	*ddl
	src       string
	toks      []token
	i         int
	problem   string
	hint      string
	problemAt int
}

func newParser(d *ddl, src string) *parser {
	return &parser{ddl: d, src: src, toks: lex(src)}
}

func (p *parser) tok() token      { return p.toks[min(p.i, len(p.toks)-1)] }
func (p *parser) kind() tokenKind { return p.tok().kind }

func (p *parser) ahead(n int) token { return p.toks[min(p.i+n, len(p.toks)-1)] }

// fail notes a problem here, unless there is one already.
func (p *parser) fail(reason string) {
	if p.problem == "" {
		p.problem, p.hint, p.problemAt = reason, "the dump is damaged or was edited: dump again", min(p.tok().start, len(p.src))
	}
	p.i = len(p.toks) - 1
}

// is reports whether words stand here.
func (p *parser) is(words ...string) bool {
	for n, w := range words {
		if t := p.ahead(n); t.kind != tokWord || t.text != w {
			return false
		}
	}
	return true
}

// words takes words, if all of them stand here.
func (p *parser) words(words ...string) bool {
	if !p.is(words...) {
		return false
	}
	p.i += len(words)
	return true
}

func (p *parser) expect(words ...string) {
	if !p.words(words...) {
		p.fail(strings.ToUpper(strings.Join(words, " ")) + " is missing")
	}
}

func (p *parser) isOp(op string) bool { return p.kind() == tokOp && p.tok().text == op }

// op takes a character of punctuation, if it stands here.
func (p *parser) op(op string) bool {
	if !p.isOp(op) {
		return false
	}
	p.i++
	return true
}

func (p *parser) expectOp(op string) {
	if !p.op(op) {
		p.fail(op + " is missing")
	}
}

// ident takes a name of one part.
func (p *parser) ident() string {
	if t := p.tok(); t.kind == tokWord || t.kind == tokQuoted {
		p.i++
		return t.text
	}
	p.fail("a name is missing")
	return ""
}

// name takes a name, and puts it in the schema that the search path begins with if it
// has none.
func (p *parser) name() move.Name {
	first := p.ident()
	if p.op(".") {
		return move.Name{Schema: first, Name: p.ident()}
	}
	return move.Name{Schema: p.ddl.home(), Name: first}
}

// tableName takes the name of a table that is there, perhaps, by the search path.
func (p *parser) tableName() move.Name {
	qualified := p.ahead(1).kind == tokOp && p.ahead(1).text == "."
	n := p.name()
	for _, schema := range p.path {
		if at := (move.Name{Schema: schema, Name: n.Name}); !qualified && p.relation(at) {
			return at
		}
	}
	return n
}

// nameList takes names up to the parenthesis that ends them; the first is taken.
func (p *parser) nameList() []string {
	out := []string{}
	for !p.op(")") && p.problem == "" {
		if len(out) > 0 {
			p.expectOp(",")
		}
		if len(out) > maxColumns {
			p.fail("there are more than 1600 names")
		}
		out = append(out, p.ident())
	}
	return out
}

// number takes a whole number, perhaps in quotes or with a sign.
func (p *parser) number() int64 {
	minus := p.op("-")
	t := p.tok()
	text := t.text
	if minus {
		text = "-" + text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || t.kind != tokNumber && t.kind != tokString {
		p.fail("a whole number is missing")
		return 0
	}
	p.i++
	return n
}

func (p *parser) str() string {
	t := p.tok()
	if t.kind != tokString {
		p.fail("a string is missing")
		return ""
	}
	p.i++
	return t.text
}

// skip goes past one token, or past all that is in the parentheses that open here.
func (p *parser) skip() {
	depth := 0
	for p.kind() != tokEnd {
		switch {
		case p.isOp("(") || p.isOp("["):
			depth++
		case p.isOp(")") || p.isOp("]"):
			depth--
		}
		if p.i++; depth <= 0 {
			return
		}
	}
	if depth > 0 {
		p.fail("a parenthesis is not closed")
	}
}

// raw is the source from where a token starts to where the one before here ends.
func (p *parser) raw(from int) string {
	if p.i <= from || p.problem != "" {
		return ""
	}
	return p.src[p.toks[from].start:p.toks[p.i-1].end]
}

// group takes what is in parentheses, and returns the source between them.
func (p *parser) group() string {
	if !p.isOp("(") {
		p.fail("( is missing")
		return ""
	}
	from := p.i
	p.skip()
	if p.problem != "" {
		return ""
	}
	return strings.TrimSpace(p.src[p.toks[from].end:p.toks[p.i-1].start])
}

// until takes all up to where stop holds, outside parentheses, and returns its source;
// the first token is part of it in any case. A comma and the end always stop it.
func (p *parser) until(stop func() bool) string {
	from := p.i
	for first := true; p.kind() != tokEnd && !p.isOp(",") && !p.isOp(")") && (first || !stop()); first = false {
		p.skip()
	}
	return p.raw(from)
}

// rest takes all that is left.
func (p *parser) rest() string {
	from := p.i
	p.i = len(p.toks) - 1
	return p.raw(from)
}

// find goes forward to words outside parentheses, and takes them.
func (p *parser) find(words ...string) bool {
	for p.kind() != tokEnd {
		if p.words(words...) {
			return true
		}
		p.skip()
	}
	return false
}

// list calls f for each element of a list in parentheses; what f leaves of one is an error.
func (p *parser) list(f func()) {
	p.expectOp("(")
	for n := 0; p.problem == "" && !p.op(")"); n++ {
		if n > 0 {
			p.expectOp(",")
		}
		before := p.i
		f()
		if p.problem == "" && !p.isOp(",") && !p.isOp(")") || p.i == before {
			p.fail("this is not understood here")
		}
	}
}

// options takes (a=1, b='c'), and returns a=1 and b=c.
func (p *parser) options() []string {
	var out []string
	p.list(func() {
		name := p.ident()
		if p.op(".") {
			name += "." + p.ident()
		}
		if !p.op("=") {
			out = append(out, name)
			return
		}
		value := ""
		for p.kind() != tokEnd && !p.isOp(",") && !p.isOp(")") {
			value += p.tok().text
			p.i++
		}
		out = append(out, name+"="+value)
	})
	return out
}

// columnsIn are the columns of a table that an expression reads, each once, as it
// first names them.
func columnsIn(t *move.Table, expr string) []string {
	var out []string
	if len(expr) > 1<<20 {
		return nil // package pgexpr reads none so long
	}
	toks := lex(expr)
	for i, k := range toks {
		if k.kind != tokWord && k.kind != tokQuoted || t.Column(k.text) == nil || slices.Contains(out, k.text) {
			continue
		}
		if next := toks[i+1]; next.kind == tokOp && (next.text == "(" || next.text == ".") {
			continue
		}
		if i > 0 && toks[i-1].kind == tokOp && (toks[i-1].text == "::" || toks[i-1].text == ".") {
			continue
		}
		out = append(out, k.text)
	}
	return out
}
