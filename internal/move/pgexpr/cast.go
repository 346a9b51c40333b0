package pgexpr

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
)

func (t *translator) castNode(n *castNode) value {
	if n.to.array {
		refuse(n.at(), "an array is translated in = ANY (...) only")
	}
	return t.castTo(t.expr(n.x), n.to, n.at())
}

// castTo is a cast to a type with its modifiers.
func (t *translator) castTo(v value, to typeName, at int) value {
	typ := to.typ()
	if typ == Other {
		return t.castOther(v, to, at)
	}
	if typ == Numeric && len(to.mods) > 0 {
		return t.castNumericMod(t.cast(v, Numeric, at), to.mods, at)
	}
	out := t.cast(v, typ, at)
	if len(to.mods) == 0 || out.null {
		return out
	}
	switch n := to.mods[0]; {
	case to.name == "character varying" && out.lit:
		r := []rune(out.text)
		out.text = string(r[:min(n, len(r))])
	case to.name == "character varying":
		out.sql = "substr(" + out.sql + ", 1, " + itoa(n) + ")"
	case typ == BPChar && out.lit && len([]rune(strings.TrimRight(out.text, " "))) <= n:
	default:
		refuse(at, "a cast to %s(%d) is not translated", to.name, n)
	}
	return out
}

// castOther takes a constant of a type that is compared as text, such as an enum's.
func (t *translator) castOther(v value, to typeName, at int) value {
	if v.typ == Unknown && (v.null || strings.Contains(to.name, ".")) {
		v.typ = Enum
		if v.null {
			v.typ = Unknown
		}
		return v
	}
	if v.typ == Enum && strings.Contains(to.name, ".") {
		return v
	}
	refuse(at, "a cast to %s is not translated", to)
	return v
}

// cast is a cast without modifiers.
func (t *translator) cast(v value, to Type, at int) value {
	if v.typ == to || v.typ == Text && to == Citext && v.lit {
		v.typ = to
		return v
	}
	if v.null {
		return value{typ: to, lit: true, null: true, st: defaultStorage(to), equal: true, bytewise: t.env.Bytewise}
	}
	if v.lit && (v.typ == Unknown || v.typ == Text) {
		return t.read(v.text, to, at)
	}
	switch {
	case to == Text:
		return t.toText(v, at)
	case isInt(to) && isInt(v.typ):
		if v.lit {
			return t.read(v.text, to, at)
		}
		v.typ = to
		return v
	case isNumber(to):
		return t.toNumber(v, to, at)
	case to == BPChar && v.typ == Text && v.lit:
		v.typ, v.text = BPChar, strings.TrimRight(v.text, " ")
		return v
	case to == Bool && isInt(v.typ):
		return truth("(" + t.settle(v, at).sql + " <> 0)")
	case to == Timestamp && v.typ == Date && (v.lit || v.st.Finite):
		return midnight(v, defaultStorage(Timestamp))
	case to == Date && v.typ == Timestamp && v.st.Finite && v.st.Form != "micros":
		return value{sql: "substr(" + t.settle(v, at).sql + ", 1, 10)", typ: Date, st: Storage{Form: "text", Finite: true}}
	}
	refuse(at, "a cast of %s to %s is not translated", v.typ, to)
	return v
}

// toText is a cast to text.
func (t *translator) toText(v value, at int) value {
	out := value{typ: Text, bytewise: t.env.Bytewise, equal: true}
	switch {
	case v.typ == BPChar || v.typ == Citext:
		v = t.unpadded(v)
		if out.sql, out.lit, out.text = v.sql, v.lit, v.text; v.typ == BPChar {
			out.bytewise, out.equal, out.fold = v.bytewise, v.equal, v.fold
		} else if !v.lit { // a column of it is declared NOCASE
			out.sql = "(" + v.sql + " COLLATE BINARY)"
		}
	case v.typ == Enum || v.typ == UUID && v.st.Form == "" || v.typ == Date:
		if out.sql = t.settle(v, at).sql; v.typ == Date && !v.lit && !v.st.Finite {
			refuse(at, "a date that may be infinite is not translated")
		}
	case isInt(v.typ), v.typ == Numeric && v.st.Form == "int":
		if out.lit, out.text = v.lit, v.text; !v.lit {
			out.sql = "CAST(" + v.sql + " AS TEXT)"
		}
	case v.typ == Numeric:
		if out.lit, out.text = v.lit, v.text; !v.lit {
			out.sql = t.numText(v, at)
		}
	case v.typ == Bool:
		out.sql = "(CASE " + t.settle(v, at).sql + " WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"
	case v.typ == Float8 && v.st.Form == "":
		out.sql = t.call("pg_float_text", t.settle(v, at).sql)
	default:
		refuse(at, "a cast of %s to text is not translated", v.typ)
	}
	return out
}

// toNumber is a cast between numbers, and of booleans.
func (t *translator) toNumber(v value, to Type, at int) value {
	switch {
	case v.typ == Bool && to == Int4:
		return value{sql: "(+" + t.settle(v, at).sql + ")", typ: Int4}
	case !isNumber(v.typ):
		refuse(at, "a cast of %s to %s is not translated", v.typ, to)
	case isInt(v.typ) && to == Numeric:
		if v.lit {
			return value{typ: Numeric, lit: true, text: v.text}
		}
		return value{sql: v.sql, typ: Numeric, st: Storage{Form: "int"}}
	case to == Float8:
		if v.lit {
			return t.read(v.text, Float8, at)
		}
		return value{sql: t.float(v, at), typ: Float8}
	case isInt(to) && v.typ == Numeric && v.st.Form == "int":
		return value{sql: v.sql, typ: to}
	case isInt(to) && v.typ == Numeric:
		return value{sql: t.call("pg_numeric_int", t.numText(v, at)), typ: to}
	case isInt(to) && v.typ == Float8:
		return value{sql: "CAST(" + t.call("pg_rint", t.float(v, at)) + " AS INTEGER)", typ: to}
	}
	refuse(at, "a cast of %s to %s is not translated", v.typ, to)
	return v
}

func (t *translator) castNumericMod(v value, mods []int, at int) value {
	scale := 0
	if len(mods) > 1 {
		scale = mods[1]
	}
	if v.null {
		return v
	}
	if v.st.Form == "text" && v.st.Precision == mods[0] && v.st.Scale == scale {
		return v
	}
	return numericText(t.call("pg_numeric_round", t.numText(v, at), itoa(scale)))
}

// defaultStorage is the form of a constant where nothing says another: that which package
// move has first.
func defaultStorage(typ Type) Storage {
	switch typ {
	case Numeric:
		return Storage{Form: "text"}
	case Date:
		return Storage{Form: "text", Finite: true}
	case Timestamp, TimestampTZ:
		return Storage{Form: "appdb", Finite: true}
	}
	return AsPrinted
}

// read is a constant of a type, from its text.
func (t *translator) read(s string, to Type, at int) value {
	v := value{typ: to, lit: true, text: s, st: defaultStorage(to), equal: true, bytewise: t.env.Bytewise}
	trimmed := strings.TrimSpace(s)
	through := func(c *convert.Conversion) {
		out, err := c.To([]byte(trimmed), nil)
		if err != nil {
			refuse(at, "a constant is not read: %v", err)
		}
		if v.text, err = c.Back(out); err != nil {
			refuse(at, "a constant is not read: %v", err)
		}
	}
	switch to {
	case Text, Citext, Enum:
	case BPChar:
		v.text = strings.TrimRight(s, " ")
	case Bool:
		v.text = readBool(trimmed, at)
	case Int2:
		through(convert.Int("smallint", math.MinInt16, math.MaxInt16))
	case Int4:
		through(convert.Int("integer", math.MinInt32, math.MaxInt32))
	case Int8:
		through(convert.Int("bigint", math.MinInt64, math.MaxInt64))
	case Numeric:
		v.text = canonicalNumeric(trimmed, at)
	case Float8:
		f, err := strconv.ParseFloat(trimmed, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			refuse(at, "a constant is not a finite number")
		}
		v.text = convert.FormatFloat(f, 64)
	case Date:
		through(convert.Date(convert.Refuse))
	case Timestamp:
		if len(trimmed) == len("2006-01-02") {
			trimmed += " 00:00:00"
		}
		through(convert.TimestampMicros(false, convert.Refuse))
	case TimestampTZ:
		through(convert.TimestampTZ(convert.Refuse))
	case UUID:
		through(convert.UUIDText())
	case Bytea:
		through(convert.Bytea())
	default:
		refuse(at, "a constant of type %s is not translated", to)
	}
	return v
}

func readBool(s string, at int) string {
	s = strings.ToLower(s)
	switch {
	case slices.Contains([]string{"t", "true", "yes", "y", "on", "1"}, s):
		return "t"
	case slices.Contains([]string{"f", "false", "no", "n", "off", "0"}, s):
		return "f"
	}
	refuse(at, "a constant is neither true nor false")
	return ""
}

// unify brings the results of a CASE or COALESCE to one type and form.
func (t *translator) unify(list []value, at int) []value {
	to, st := Unknown, Storage{}
	for _, v := range list {
		switch {
		case v.typ == Unknown:
		case to == Unknown:
			to = v.typ
		case to == v.typ:
		case isInt(to) && isInt(v.typ):
			to = wider(to, v.typ)
		case isNumber(to) && isNumber(v.typ):
			if to = Numeric; isFloat(to) || isFloat(v.typ) {
				refuse(at, "results of type %s and another are not translated: cast one", v.typ)
			}
		case isText(to) && isText(v.typ):
			to = Text
		default:
			refuse(at, "results of types %s and %s", to, v.typ)
		}
		if !v.lit {
			st = v.st
		}
	}
	if to == Unknown {
		to = Text
	}
	if to == Other {
		refuse(at, "results of a type that is compared as PostgreSQL's text are not translated")
	}
	if !slices.ContainsFunc(list, func(v value) bool { return !v.lit }) {
		for _, v := range list {
			if !v.null {
				st = t.cast(v, to, at).st // the form that constants have by default
			}
		}
	}
	out := make([]value, len(list))
	for i, v := range list {
		if to == Numeric {
			out[i] = numericText(t.numText(t.cast(v, Numeric, at), at))
			continue
		}
		v = t.cast(v, to, at)
		if !v.lit && v.st.Form != st.Form {
			refuse(at, "results in different forms")
		}
		if v.lit {
			v.sql = t.literal(v, st, at)
		}
		v.lit, v.null, v.st = false, false, st
		out[i] = v
	}
	fold := out[0]
	for _, v := range out[1:] {
		fold.fold = mixedFold(fold, v)
	}
	for i := range out {
		out[i].fold = fold.fold
		out[i].bytewise = !slices.ContainsFunc(out, func(v value) bool { return !v.bytewise })
		out[i].equal = !slices.ContainsFunc(out, func(v value) bool { return !v.equal })
		out[i].st.Finite = !slices.ContainsFunc(out, func(v value) bool { return !v.st.Finite })
	}
	return out
}
