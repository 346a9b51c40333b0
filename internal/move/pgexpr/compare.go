package pgexpr

import (
	"slices"
	"strings"
)

var comparisons = []string{"=", "<>", "<", ">", "<=", ">="}

func (t *translator) unary(n *unaryNode) value {
	if n.op == "NOT" {
		return truth("(NOT " + t.boolean(n.x).sql + ")")
	}
	v := t.expr(n.x)
	if v.typ == Unknown {
		refuse(n.at(), "the type of a constant is not clear")
	}
	switch {
	case n.op == "+" && isNumber(v.typ):
		return v
	case n.op == "-" && v.lit && !v.null && isNumber(v.typ):
		if v.text = strings.TrimPrefix("-"+v.text, "--"); strings.Trim(v.text, "-0.") == "" && !isFloat(v.typ) {
			v.text = strings.TrimPrefix(v.text, "-")
		}
		return v
	case n.op == "-" && (isInt(v.typ) || v.typ == Float8):
		v = t.settle(v, n.at())
		v.sql = "(-" + v.sql + ")"
		return v
	case n.op == "-" && v.typ == Numeric:
		return numericText(t.call("pg_numeric_neg", t.numText(v, n.at())))
	case n.op == "~" && isInt(v.typ):
		v = t.settle(v, n.at())
		v.sql = "(~" + v.sql + ")"
		return v
	}
	refuse(n.at(), "%s of type %s is not translated", n.op, v.typ)
	return v
}

func (t *translator) binary(n *binaryNode) value {
	switch n.op {
	case "AND", "OR":
		return truth("(" + t.boolean(n.l).sql + " " + n.op + " " + t.boolean(n.r).sql + ")")
	case "LIKE", "ILIKE":
		return t.like(t.expr(n.l), n.r, n.esc, n.op == "ILIKE", n.not, n.at())
	case "~~", "!~~", "~~*", "!~~*":
		return t.like(t.expr(n.l), n.r, nil, strings.HasSuffix(n.op, "*"), n.op[0] == '!', n.at())
	}
	return t.operate(n.op, t.expr(n.l), t.expr(n.r), n.at())
}

// operate applies an operator to two values.
func (t *translator) operate(op string, l, r value, at int) value {
	switch op {
	case "IS DISTINCT FROM", "IS NOT DISTINCT FROM":
		return t.distinct(l, r, op == "IS DISTINCT FROM", at)
	case "~", "!~", "~*", "!~*":
		return t.regex(l, r, strings.HasSuffix(op, "*"), op[0] == '!', at)
	case "||":
		return t.concat(l, r, at)
	case "+", "-", "*", "/", "%", "&", "|":
		return t.arithmetic(op, l, r, at)
	case "~~":
		return t.likeValue(l, r, at)
	}
	if slices.Contains(comparisons, op) {
		return t.compare(op, l, r, at)
	}
	refuse(at, "the operator %s is not translated", op)
	return value{}
}

func isInt(t Type) bool    { return t == Int2 || t == Int4 || t == Int8 }
func isFloat(t Type) bool  { return t == Float4 || t == Float8 }
func isNumber(t Type) bool { return isInt(t) || isFloat(t) || t == Numeric }
func isText(t Type) bool   { return t == Text || t == BPChar || t == Citext }
func isTime(t Type) bool   { return t == Date || t == Timestamp || t == TimestampTZ }

// sameTypes gives a constant without a type that of the other side.
func (t *translator) sameTypes(l, r value, at int) (value, value) {
	switch {
	case l.typ == Unknown && r.typ == Unknown:
		return t.textual(l, at), t.textual(r, at)
	case l.typ == Unknown:
		return t.adopt(l, r, at), r
	case r.typ == Unknown:
		return l, t.adopt(r, l, at)
	}
	return l, r
}

// adopt casts a constant without a type to that of another value.
func (t *translator) adopt(c, other value, at int) value {
	if c.null {
		c.typ, c.st, c.equal, c.bytewise = other.typ, other.st, other.equal, other.bytewise
		return c
	}
	if other.typ == Other {
		refuse(at, "a constant of a type whose form is not known")
	}
	v := t.cast(c, other.typ, at)
	v.equal, v.bytewise = other.equal, other.bytewise
	return v
}

func (t *translator) compare(op string, l, r value, at int) value {
	l, r = t.sameTypes(l, r, at)
	a, b, cmp := t.comparable(op, l, r, at)
	if cmp != "" {
		return truth("(" + cmp + " " + op + " 0)")
	}
	return truth("(" + a + " " + op + " " + b + ")")
}

// distinct is IS DISTINCT FROM.
func (t *translator) distinct(l, r value, distinct bool, at int) value {
	l, r = t.sameTypes(l, r, at)
	a, b, cmp := t.comparable("=", l, r, at)
	not := ""
	if distinct {
		not = "NOT "
	}
	if cmp == "" {
		return truth("(" + a + " IS " + not + b + ")")
	}
	// The function's value is NULL where one side is, or both are.
	return truth("((" + a + " IS NULL) + (" + b + " IS NULL) + 3 * (" + cmp + " IS 0) " + map[bool]string{true: "NOT ", false: ""}[distinct] + "IN (2, 3))")
}

// comparable returns two sides that SQLite compares as PostgreSQL does; or in cmp, a
// function's call that gives a number below, at or above 0.
func (t *translator) comparable(op string, l, r value, at int) (a, b, cmp string) {
	order := op != "=" && op != "<>"
	switch {
	case isNumber(l.typ) && isNumber(r.typ):
		return t.comparableNumbers(op, l, r, at)
	case isText(l.typ) && isText(r.typ):
		return t.comparableTexts(l, r, order, at)
	case isTime(l.typ) && isTime(r.typ):
		return t.comparableTimes(l, r, at)
	case l.typ != r.typ:
		refuse(at, "comparing %s with %s is not translated", l.typ, r.typ)
	case l.typ == Enum && order:
		return t.enumRank(l, r, at), t.enumRank(r, l, at), ""
	case l.typ == Bool || l.typ == Bytea || l.typ == Enum && !order:
	case l.typ == UUID:
		st := l.st
		if l.lit {
			st = r.st
		}
		if !l.lit && !r.lit && l.st.Form != r.st.Form {
			refuse(at, "two uuids in different forms")
		}
		return t.inForm(l, st, at), t.inForm(r, st, at), ""
	default:
		refuse(at, "comparing values of type %s is not translated", l.typ)
	}
	return t.settle(l, at).sql, t.settle(r, at).sql, ""
}

// inForm is a value's SQL, of a constant in the form of the other side.
func (t *translator) inForm(v value, st Storage, at int) string {
	if v.lit {
		return t.literal(v, st, at)
	}
	return v.sql
}

func (t *translator) comparableTexts(l, r value, order bool, at int) (a, b, cmp string) {
	if l.typ == Citext || r.typ == Citext {
		if order {
			refuse(at, "the order of citext is the database's collation's")
		}
		if l.typ != r.typ && !l.lit && !r.lit { // PostgreSQL itself would print a cast, of one or the other
			refuse(at, "comparing citext with %s is not translated", Text)
		}
		return t.lower(t.settle(l, at).sql, at), t.lower(t.settle(r, at).sql, at), ""
	}
	if l.typ == BPChar && r.typ == BPChar {
		l, r = t.unpadded(l), t.unpadded(r)
	} else {
		l, r = t.textual(l, at), t.textual(r, at)
	}
	if order && (!l.bytewise && !l.lit || !r.bytewise && !r.lit || l.lit && r.lit && !t.env.Bytewise) {
		refuse(at, "text is compared in the order of a collation that SQLite does not have; COLLATE \"C\" would be translated")
	}
	if !l.equal && !l.lit || !r.equal && !r.lit {
		refuse(at, "a nondeterministic collation takes different texts for equal")
	}
	return t.settle(l, at).sql, t.settle(r, at).sql, ""
}

// unpadded is a char(n) without the blanks at its end, which PostgreSQL ignores.
func (t *translator) unpadded(v value) value {
	switch {
	case v.lit:
		v.text = strings.TrimRight(v.text, " ")
	case v.st.Form == "padded":
		v.sql, v.st.Form = "rtrim("+v.sql+", ' ')", ""
	}
	return v
}

// enumRank is the place of an enum's label among all.
func (t *translator) enumRank(v, other value, at int) string {
	labels := v.st.Labels
	if labels == nil {
		labels = other.st.Labels
	}
	if len(labels) == 0 {
		refuse(at, "the order of an enum whose labels are not known")
	}
	var b strings.Builder
	b.WriteString("(CASE " + t.settle(v, at).sql)
	for i, l := range labels {
		b.WriteString(" WHEN " + Literal(l) + " THEN " + itoa(i))
	}
	return t.grown(b.String() + " END)")
}

// concat is ||, of texts and what turns into text.
func (t *translator) concat(l, r value, at int) value {
	if !(isText(l.typ) || isText(r.typ) || l.typ == Unknown && r.typ == Unknown) {
		refuse(at, "|| of %s and %s is not translated", l.typ, r.typ)
	}
	var parts []string
	for _, v := range []value{l, r} {
		if v.typ == Unknown {
			v = t.textual(v, at)
		}
		if v.typ != Text && v.typ != Citext {
			v = t.cast(v, Text, at)
		}
		parts = append(parts, t.settle(v, at).sql)
	}
	return value{sql: "(" + parts[0] + " || " + parts[1] + ")", typ: Text, bytewise: collates(l) && collates(r) && t.env.Bytewise, fold: mixedFold(l, r),
		equal: (l.equal || !isText(l.typ)) && (r.equal || !isText(r.typ))}
}

// collates reports whether a side of || leaves the order by bytes.
func collates(v value) bool { return v.bytewise || v.lit || !isText(v.typ) }
