package pgexpr

import (
	"strconv"
	"strings"
)

type callFunc func(t *translator, args []value, at int) value

// calls holds the functions that are translated, by name; the arguments are values.
// It is a function, since its members call back to it.
func calls(name string) (f callFunc, least, most int) {
	switch name {
	case "lower", "upper":
		return func(t *translator, args []value, at int) value { return t.fold(name, args[0], at) }, 1, 1
	case "length", "char_length", "character_length":
		return (*translator).length, 1, 1
	case "octet_length":
		return (*translator).octetLength, 1, 1
	case "btrim", "ltrim", "rtrim":
		return func(t *translator, args []value, at int) value { return t.trim(name, args, at) }, 1, 2
	case "substr", "substring":
		return (*translator).substr, 2, 3
	case "left", "right":
		return func(t *translator, args []value, at int) value { return t.side(name, args, at) }, 2, 2
	case "replace":
		return (*translator).replace, 3, 3
	case "strpos":
		return func(t *translator, args []value, at int) value {
			v := t.textCall("instr", args, at)
			return value{sql: v.sql, typ: Int4}
		}, 2, 2
	case "starts_with":
		return func(t *translator, args []value, at int) value {
			a, b := t.settle(t.textual(args[0], at), at).sql, t.settle(t.textual(args[1], at), at).sql
			return truth("(substr(" + a + ", 1, length(" + b + ")) = " + b + ")")
		}, 2, 2
	case "concat":
		return (*translator).concatCall, 1, 100
	case "coalesce":
		return (*translator).coalesce, 1, 100
	case "nullif":
		return (*translator).nullif, 2, 2
	case "greatest", "least":
		return func(t *translator, args []value, at int) value { return t.extreme(name, args, at) }, 1, 4
	case "num_nulls", "num_nonnulls":
		return func(t *translator, args []value, at int) value { return t.countNulls(name == "num_nulls", args, at) }, 1, 100
	case "json_typeof", "jsonb_typeof":
		return (*translator).jsonType, 1, 1
	case "abs":
		return (*translator).abs, 1, 1
	case "mod":
		return func(t *translator, args []value, at int) value { return t.arithmetic("%", args[0], args[1], at) }, 2, 2
	case "round", "trunc":
		return func(t *translator, args []value, at int) value { return t.round(name, args, at) }, 1, 2
	case "ceil", "ceiling", "floor":
		return func(t *translator, args []value, at int) value { return t.round(name, args, at) }, 1, 1
	case "sign":
		return (*translator).sign, 1, 1
	case "extract":
		return (*translator).extract, 2, 2
	case "date_trunc":
		return (*translator).dateTrunc, 2, 3
	case "timezone":
		return (*translator).timezone, 2, 2
	case "date":
		return func(t *translator, args []value, at int) value { return t.cast(args[0], Date, at) }, 1, 1
	case "date_part":
		return func(t *translator, args []value, at int) value {
			return value{sql: "CAST(" + t.extract(args, at).sql + " AS REAL)", typ: Float8}
		}, 2, 2
	}
	return nil, 0, 0
}

func (t *translator) callNode(n *callNode) value {
	f, least, most := calls(n.name)
	if f == nil {
		if reason := whyNot[n.name]; reason != "" {
			refuse(n.at(), "%s", reason)
		}
		refuse(n.at(), "the function %s is not translated", n.name)
	}
	if len(n.args) < least || len(n.args) > most {
		refuse(n.at(), "%s of %d arguments is not translated", n.name, len(n.args))
	}
	var args []value
	for _, a := range n.args {
		args = append(args, t.expr(a))
	}
	return f(t, args, n.at())
}

const onlyDefault = "it gives another value each time: SQLite takes that in a default only"

var whyNot = map[string]string{
	"now": onlyDefault, "current_timestamp": onlyDefault, "current_date": onlyDefault, "localtimestamp": onlyDefault, "clock_timestamp": onlyDefault, "statement_timestamp": onlyDefault,
	"transaction_timestamp": onlyDefault, "random": onlyDefault, "gen_random_uuid": onlyDefault, "nextval": onlyDefault, "current_user": "SQLite has no users", "session_user": "SQLite has no users",
	"initcap": "initcap follows a locale", "to_char": "to_char is not translated: its formats have no equal in SQLite",
}

// fold is lower or upper.
func (t *translator) fold(name string, v value, at int) value {
	v = t.textual(v, at)
	sql := t.settle(v, at).sql
	if t.folding(v.fold, at) == FoldASCII {
		sql = name + "(" + sql + ")"
	} else {
		sql = t.call("pg_"+name, sql)
	}
	return value{sql: sql, typ: Text, bytewise: v.bytewise, equal: v.equal, fold: v.fold}
}

// length counts characters, of bytes bytes. Text of PostgreSQL's holds no NUL, at which
// SQLite would stop.
func (t *translator) length(args []value, at int) value {
	v := args[0]
	if v.typ != Bytea {
		if v.typ == BPChar {
			v = t.unpadded(v)
			v.typ = Text
		}
		if v.typ != Citext {
			v = t.textual(v, at)
		}
	}
	return value{sql: "length(" + t.settle(v, at).sql + ")", typ: Int4}
}

func (t *translator) octetLength(args []value, at int) value {
	v := args[0]
	switch {
	case v.typ == Bytea:
		return value{sql: "length(" + t.settle(v, at).sql + ")", typ: Int4}
	case v.typ == BPChar:
		refuse(at, "octet_length of char(n) counts its blanks and is not translated")
	case v.typ != Citext:
		v = t.textual(v, at)
	}
	return value{sql: "length(CAST(" + t.settle(v, at).sql + " AS BLOB))", typ: Int4}
}

// textCall calls a function of SQLite's over texts that does what PostgreSQL's does.
func (t *translator) textCall(name string, args []value, at int) value {
	out := value{typ: Text, bytewise: true, equal: true}
	var sql []string
	for _, a := range args {
		a = t.textual(a, at)
		out.fold = mixedFold(out, a)
		out.bytewise, out.equal = out.bytewise && (a.bytewise || a.lit), out.equal && (a.equal || a.lit)
		sql = append(sql, t.settle(a, at).sql)
	}
	if !out.equal {
		refuse(at, "%s with a nondeterministic collation is not translated", name)
	}
	out.sql = name + "(" + strings.Join(sql, ", ") + ")"
	return out
}

// replace is NULL where the replacement is, even of an empty string, which SQLite leaves
// alone before it looks.
func (t *translator) replace(args []value, at int) value {
	v := t.textCall("replace", args, at)
	if !args[2].lit && (!args[1].lit || args[1].text == "") || args[2].null {
		v.sql = "(CASE WHEN " + t.settle(t.textual(args[2], at), at).sql + " IS NOT NULL THEN " + v.sql + " END)"
	}
	return v
}

func (t *translator) trim(name string, args []value, at int) value {
	return t.textCall(map[string]string{"btrim": "trim", "ltrim": "ltrim", "rtrim": "rtrim"}[name], args, at)
}

// constInt is a constant's number.
func constInt(v value) (int, bool) {
	if !v.lit || v.null || !isInt(v.typ) {
		return 0, false
	}
	n, err := strconv.Atoi(v.text)
	return n, err == nil
}

// substr begins at a constant that is 1 or more: before that, SQLite counts from the end.
func (t *translator) substr(args []value, at int) value {
	from, ok := constInt(args[1])
	if !ok || from < 1 {
		refuse(at, "substr from a place that is no constant of 1 or more is not translated")
	}
	sql := ", " + itoa(from)
	if len(args) == 3 {
		n, ok := constInt(args[2])
		if !ok || n < 0 {
			refuse(at, "substr of a length that is no constant is not translated")
		}
		sql += ", " + itoa(n)
	}
	v := t.textual(args[0], at)
	v.sql, v.lit = "substr("+t.settle(v, at).sql+sql+")", false
	return v
}

func (t *translator) side(name string, args []value, at int) value {
	n, ok := constInt(args[1])
	if !ok || n < 0 {
		refuse(at, "%s of a length that is no constant of 0 or more is not translated", name)
	}
	v := t.textual(args[0], at)
	sql := t.settle(v, at).sql
	switch {
	case name == "left":
		v.sql = "substr(" + sql + ", 1, " + itoa(n) + ")"
	case n == 0:
		v.sql = "substr(" + sql + ", 1, 0)"
	default:
		v.sql = "substr(" + sql + ", -" + itoa(n) + ")"
	}
	v.lit = false
	return v
}

// concatCall is concat, which leaves NULLs out.
func (t *translator) concatCall(args []value, at int) value {
	out := value{typ: Text, equal: true, bytewise: t.env.Bytewise}
	var parts []string
	for _, a := range args {
		if a.typ == Bool {
			refuse(at, "concat of a boolean, which it prints as t, is not translated")
		}
		if a.typ == Unknown {
			a = t.textual(a, at)
		}
		if a.typ != Text {
			a = t.cast(a, Text, at)
		}
		out.fold = mixedFold(out, a)
		parts = append(parts, "coalesce("+t.settle(a, at).sql+", '')")
	}
	out.sql = "(" + strings.Join(parts, " || ") + ")"
	return out
}

func (t *translator) coalesce(args []value, at int) value {
	args = t.unify(args, at)
	out := args[0]
	if len(args) == 1 {
		return out
	}
	var parts []string
	for _, a := range args {
		parts = append(parts, a.sql)
	}
	out.sql = "coalesce(" + strings.Join(parts, ", ") + ")"
	return out
}

func (t *translator) nullif(args []value, at int) value {
	l, r := t.sameTypes(args[0], args[1], at)
	equal := t.compare("=", l, r, at)
	out := t.settle(l, at)
	out.sql = "(CASE WHEN " + equal.sql + " THEN NULL ELSE " + out.sql + " END)"
	return out
}

// extreme is greatest or least, which leave NULLs out; SQLite's max and min do not.
func (t *translator) extreme(name string, args []value, at int) value {
	args = t.unify(args, at)
	out := args[0]
	ordered := isInt(out.typ) || out.typ == Float8 && out.st.Form == "" || out.typ == Text && out.bytewise || isTime(out.typ) && out.st.Finite
	if !ordered {
		refuse(at, "%s of %s is not translated", name, out.typ)
	}
	f := map[string]string{"greatest": "max", "least": "min"}[name]
	for _, a := range args[1:] {
		out.sql = t.grown("coalesce(" + f + "(" + out.sql + ", " + a.sql + "), " + out.sql + ", " + a.sql + ")")
	}
	return out
}

// countNulls is num_nulls or num_nonnulls.
func (t *translator) countNulls(nulls bool, args []value, at int) value {
	is := map[bool]string{true: " IS NULL)", false: " IS NOT NULL)"}[nulls]
	var parts []string
	for _, a := range args {
		parts = append(parts, "("+t.settle(a, at).sql+is)
	}
	return value{sql: "(" + strings.Join(parts, " + ") + ")", typ: Int4}
}

// jsonType is json_typeof, whose words differ.
func (t *translator) jsonType(args []value, at int) value {
	v := args[0]
	if v.typ != JSON || v.lit {
		refuse(at, "json_typeof of %s is not translated", v.typ)
	}
	sql := "(CASE json_type(" + v.sql + ") WHEN 'text' THEN 'string' WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' ELSE json_type(" + v.sql + ") END)"
	return value{sql: sql, typ: Text, bytewise: t.env.Bytewise, equal: true}
}

func (t *translator) abs(args []value, at int) value {
	switch v := args[0]; {
	case isInt(v.typ), v.typ == Float8 && v.st.Form == "":
		v = t.settle(v, at)
		v.sql = "abs(" + v.sql + ")"
		return v
	case v.typ == Numeric:
		return numericText(t.call("pg_numeric_abs", t.numText(v, at)))
	}
	refuse(at, "abs of %s is not translated", args[0].typ)
	return value{}
}

// round is round, trunc, ceil and floor.
func (t *translator) round(name string, args []value, at int) value {
	v := args[0]
	if name == "ceiling" {
		name = "ceil"
	}
	if v.typ == Float8 && len(args) == 1 || isInt(v.typ) && len(args) == 1 {
		sql := t.float(v, at)
		if name == "round" { // to even
			return value{sql: t.call("pg_rint", sql), typ: Float8}
		}
		return value{sql: name + "(" + sql + ")", typ: Float8}
	}
	if isInt(v.typ) {
		v = t.cast(v, Numeric, at)
	}
	if v.typ != Numeric {
		refuse(at, "%s of %s is not translated", name, v.typ)
	}
	digits := "0"
	if len(args) == 2 {
		if !isInt(args[1].typ) {
			refuse(at, "%s to digits of type %s", name, args[1].typ)
		}
		digits = t.settle(args[1], at).sql
	}
	x := t.numText(v, at)
	if name == "round" || name == "trunc" {
		return numericText(t.call("pg_numeric_"+name, x, digits))
	}
	return numericText(t.call("pg_numeric_"+name, x))
}

func (t *translator) sign(args []value, at int) value {
	v := args[0]
	if isInt(v.typ) || v.typ == Float8 {
		return value{sql: "CAST(sign(" + t.float(v, at) + ") AS REAL)", typ: Float8}
	}
	if v.typ != Numeric {
		refuse(at, "sign of %s is not translated", v.typ)
	}
	return numericText(t.call("pg_numeric_sign", t.numText(v, at)))
}
