package pgexpr_test

import "math/rand/v2"

type generator struct{ *rand.Rand }

func (g *generator) one(of ...string) string { return of[g.IntN(len(of))] }

// of makes an expression of a kind.
func (g *generator) of(kind string, depth int) string {
	leaf := depth == 0 || g.IntN(5) == 0
	sub := func(kind string) string { return g.of(kind, depth-1) }
	any := g.one("int", "num", "float", "text", "date", "time", "bool")
	switch {
	case kind == "int" && leaf:
		return g.one("a", "b", "s", "0", "1", "-3", "42", "NULL::int")
	case kind == "int":
		switch g.IntN(10) {
		case 0, 1, 2:
			return "(" + sub("int") + g.one(" + ", " - ", " * ", " / ", " % ", " & ", " | ") + sub("int") + ")"
		case 3:
			return "length(" + sub("text") + ")"
		case 4:
			return "(" + sub("date") + " - " + sub("date") + ")"
		case 5:
			return g.one("abs", "-", "+") + "(" + sub("int") + ")"
		case 6:
			return "(" + sub("bool") + ")::int"
		case 7:
			return "extract(" + g.one("year", "month", "day", "dow", "doy", "quarter") + " from " + sub(g.one("date", "time")) + ")::int"
		case 8:
			return g.one("num_nulls", "num_nonnulls") + "(" + sub(any) + ", " + sub(any) + ")"
		}
		return g.pick("int", depth)
	case kind == "num" && leaf:
		return g.one("p", "p2", "q", "n", "0.5", "1.50", "-2.25", "a::numeric", "NULL::numeric")
	case kind == "num":
		switch g.IntN(5) {
		case 0, 1:
			return "(" + sub("num") + g.one(" + ", " - ", " * ", " / ", " % ") + sub(g.one("num", "int")) + ")"
		case 2:
			return g.one("abs", "ceil", "floor", "round", "sign", "-") + "(" + sub("num") + ")"
		case 3:
			return g.one("round", "trunc") + "(" + sub("num") + ", " + g.one("0", "1", "3", "-1") + ")"
		}
		return g.pick("num", depth)
	case kind == "float" && leaf:
		return g.one("f", "g", "0.5::float8", "a::float8")
	case kind == "float":
		if g.IntN(3) == 0 {
			return g.one("abs", "ceil", "floor", "round", "-") + "(" + sub("float") + ")"
		}
		return "(" + sub("float") + g.one(" + ", " - ", " * ", " / ") + sub(g.one("float", "int")) + ")"
	case kind == "text" && leaf:
		return g.one("x", "y", "z", "''::text", "'a'::text", "'Hello'::text", "'%É_'::text", "NULL::text")
	case kind == "text":
		switch g.IntN(6) {
		case 0:
			return "(" + sub("text") + " || " + sub(g.one("text", "text", "int", "num", "bool")) + ")"
		case 1:
			return g.one("lower", "upper", "trim", "ltrim") + "(" + sub("text") + ")"
		case 2:
			return g.one("left", "right") + "(" + sub("text") + ", " + g.one("0", "2") + ")"
		case 3:
			return "replace(" + sub("text") + ", " + sub("text") + ", " + sub("text") + ")"
		case 4:
			return "(" + sub(g.one("int", "num", "bool")) + ")::text"
		}
		return g.pick("text", depth)
	case kind == "date" && leaf:
		return g.one("d", "d2", "'2024-01-31'::date")
	case kind == "date":
		switch g.IntN(3) {
		case 0:
			return g.pick("date", depth)
		case 1:
			return "(" + sub("time") + ")::date"
		}
		return "(" + sub("date") + g.one(" + ", " - ") + g.one("1", "30", "s") + ")"
	case kind == "time" && leaf:
		return g.one("ts", "ts2", "'2000-01-01 00:00:00.50'::timestamp", "(d)::timestamp", "(tz AT TIME ZONE 'UTC')", "NULL::timestamp")
	case kind == "time":
		switch g.IntN(3) {
		case 0:
			return g.one("greatest", "least") + "(" + sub("time") + ", " + sub("time") + ")"
		case 1:
			return "date_trunc('" + g.one("year", "month", "day", "hour", "minute", "second") + "', " + sub("time") + ")"
		}
		return g.pick("time", depth)
	case leaf:
		return g.one("ok", "no", "true", "false", "NULL::boolean", "a > 0")
	}
	switch g.IntN(9) {
	case 0:
		return "(" + sub("bool") + g.one(" AND ", " OR ") + sub("bool") + ")"
	case 1:
		return "(NOT " + sub("bool") + ")"
	case 2:
		return "(" + sub("bool") + g.one(" IS TRUE", " IS NOT TRUE", " IS FALSE", " IS UNKNOWN") + ")"
	case 3:
		return "(" + sub(any) + g.one(" IS NULL", " IS NOT NULL") + ")"
	case 4:
		return "(" + sub("text") + g.one(" LIKE ", " NOT LIKE ", " ILIKE ") + g.one("'%l%'", "'_'", "'H%o'", "'%É%'", "y", "''") + ")"
	case 5:
		return "(" + sub(any) + g.one(" IS DISTINCT FROM ", " IS NOT DISTINCT FROM ") + sub(any) + ")"
	case 6:
		return "(" + sub(any) + " BETWEEN " + sub(any) + " AND " + sub(any) + ")"
	case 7:
		return "(" + sub(any) + g.one(" IN (", " NOT IN (") + sub(any) + ", " + sub(any) + "))"
	}
	return "(" + sub(any) + g.one(" = ", " <> ", " < ", " > ", " <= ", " >= ") + sub(any) + ")"
}

// pick is an expression of any kind that chooses among values of one.
func (g *generator) pick(kind string, depth int) string {
	a, b := g.of(kind, depth-1), g.of(kind, depth-1)
	switch g.IntN(3) {
	case 0:
		return "coalesce(" + a + ", " + b + ")"
	case 1:
		return "nullif(" + a + ", " + b + ")"
	}
	return "CASE WHEN " + g.of("bool", depth-1) + " THEN " + a + " ELSE " + b + " END"
}
