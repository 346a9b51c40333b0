package pgexpr

import "strings"

// like is LIKE and ILIKE. A constant pattern becomes a GLOB, which tells letters' case
// apart as LIKE does in PostgreSQL, and not in SQLite.
func (t *translator) like(x value, pattern, escape node, fold, not bool, at int) value {
	esc := `\`
	if call, ok := pattern.(*callNode); ok && call.name == "like_escape" && len(call.args) == 2 {
		pattern, escape = call.args[0], call.args[1]
	}
	if escape != nil {
		e := t.expr(escape)
		if !e.lit || e.null || len([]rune(e.text)) > 1 {
			refuse(at, "ESCAPE of several characters, or of none that is known")
		}
		esc = e.text
	}
	p := t.expr(pattern)
	if x.typ == Citext || p.typ == Citext {
		fold = true
	}
	if x.typ == BPChar {
		refuse(at, "LIKE on char(n), whose blanks count there, is not translated: cast it to text")
	}
	if !fold && !x.lit && !x.equal || x.typ == Text && !x.equal && !x.lit {
		refuse(at, "LIKE with a nondeterministic collation is not translated")
	}
	sql := ""
	switch {
	case x.typ != Citext && !isText(x.typ) && x.typ != Unknown:
		refuse(at, "LIKE of %s is not translated", x.typ)
	case p.null:
		return truth("NULL")
	case p.lit && !fold:
		sql = "(" + t.settle(t.textual(x, at), at).sql + " GLOB " + Literal(globOf(p.text, esc, at)) + ")"
	case fold:
		sql = t.call(t.named("pg_ilike"), t.settle(x, at).sql, t.settle(p, at).sql, Literal(esc))
	default:
		sql = t.call("pg_like", t.settle(t.textual(x, at), at).sql, t.settle(t.textual(p, at), at).sql, Literal(esc))
	}
	if not {
		sql = "(NOT " + sql + ")"
	}
	return truth(sql)
}

// named is the function's name for a database whose lower knows A to Z only.
func (t *translator) named(name string) string {
	if t.env.ASCII {
		return name + "_ascii"
	}
	return name
}

// lower writes lower(x) as the database's collation does it. SQLite's folds A to Z.
func (t *translator) lower(sql string) string {
	if t.env.ASCII {
		return "lower(" + sql + ")"
	}
	return t.call("pg_lower", sql)
}

// likeValue is x ~~ y of values, in x ~~ ANY (ARRAY[...]).
func (t *translator) likeValue(x, p value, at int) value {
	if !p.lit || p.null || x.typ == Citext {
		refuse(at, "LIKE ANY of this is not translated")
	}
	return t.like(x, &constNode{pos(at), tokString, p.text}, nil, false, false, at)
}

// globOf is a pattern of LIKE's as one of GLOB's.
func globOf(pattern, esc string, at int) string {
	var b strings.Builder
	escaped := false
	for _, r := range pattern {
		switch {
		case !escaped && esc != "" && string(r) == esc:
			escaped = true
			continue
		case !escaped && r == '%':
			b.WriteByte('*')
		case !escaped && r == '_':
			b.WriteByte('?')
		case r == '*' || r == '?' || r == '[':
			b.WriteString("[" + string(r) + "]")
		default:
			b.WriteRune(r)
		}
		escaped = false
	}
	if escaped {
		refuse(at, "a pattern ends in its escape character")
	}
	return b.String()
}
