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
		name := "pg_ilike"
		if t.folding(mixedFold(x, p), at) == FoldASCII {
			name = "pg_ilike_ascii"
		}
		sql = t.call(name, t.settle(x, at).sql, t.settle(p, at).sql, Literal(esc))
	default:
		sql = t.call("pg_like", t.settle(t.textual(x, at), at).sql, t.settle(t.textual(p, at), at).sql, Literal(esc))
	}
	if not {
		sql = "(NOT " + sql + ")"
	}
	return truth(sql)
}

// folding is a way to fold that is translated.
func (t *translator) folding(f Fold, at int) Fold {
	if f == FoldDefault {
		f = t.env.Fold
	}
	if f == FoldFull {
		refuse(at, "its collation's lower and upper are ICU's, or a language's own, and not translated")
	}
	return f
}

// mixedFold is how a text made of two folds. Two collations that are not the database's
// are none, in PostgreSQL, too.
func mixedFold(a, b value) Fold {
	switch {
	case a.fold == b.fold || b.fold == FoldDefault || b.lit || !isText(b.typ):
		return a.fold
	case a.fold == FoldDefault || a.lit || !isText(a.typ):
		return b.fold
	}
	return FoldFull
}

// lower writes lower(x) as the database's collation does it, which is citext's, too.
// SQLite's folds A to Z.
func (t *translator) lower(sql string, at int) string {
	if t.folding(FoldDefault, at) == FoldASCII {
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
