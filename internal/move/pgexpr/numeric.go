package pgexpr

import (
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// numericText is a numeric as text, what functions take and give.
func numericText(sql string) value {
	return value{sql: sql, typ: Numeric, st: Storage{Form: "text"}}
}

// exactDigits is how many decimal digits a double keeps apart.
const exactDigits = 15

func (t *translator) numericLiteral(v value, st Storage, at int) string {
	if st.Form == "scaled" {
		s, ok := scaledLiteral(v.text, st.Scale)
		if !ok {
			refuse(at, "a constant of more digits than its column")
		}
		return s
	}
	return Literal(v.text)
}

// scaledLiteral is a decimal constant times 10^scale, where that is an integer.
func scaledLiteral(s string, scale int) (string, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > scale {
		return "", false
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", scale-len(fraction)), 10, 64)
	if err != nil {
		return "", false
	}
	if strings.HasPrefix(s, "-") {
		return "(" + strconv.FormatInt(n, 10) + ")", true
	}
	return strconv.FormatInt(n, 10), true
}

// numText is a number as a numeric's text.
func (t *translator) numText(v value, at int) string {
	switch {
	case v.null:
		return "NULL"
	case v.lit:
		return Literal(v.text)
	case isInt(v.typ) || v.st.Form == "int":
		return "CAST(" + v.sql + " AS TEXT)"
	case v.typ == Numeric && v.st.Form == "text":
		return v.sql
	case v.typ == Numeric && v.st.Form == "scaled":
		return t.call("pg_numeric_unscale", v.sql, itoa(v.st.Scale))
	}
	refuse(at, "a number that is stored as REAL is not exact")
	return ""
}

// fewDigits reports whether a number has no more decimal digits than a double keeps.
func fewDigits(v value) bool {
	switch {
	case v.null:
		return true
	case v.lit:
		return len(strings.Trim(strings.Replace(v.text, ".", "", 1), "-0")) <= exactDigits && len(v.text) <= 2*exactDigits
	case v.typ == Int2 || v.typ == Int4:
		return true
	case v.typ == Numeric && v.st.Form == "text":
		return v.st.Finite && v.st.Precision > 0 && v.st.Precision <= exactDigits && v.st.Scale >= 0
	}
	return false
}

// asReal is a number of few digits as a double: different ones are different doubles.
func asReal(v value) string {
	switch {
	case v.null:
		return "NULL"
	case v.lit:
		return "CAST(" + Literal(v.text) + " AS REAL)"
	}
	return "CAST(" + v.sql + " AS REAL)"
}

func (t *translator) comparableNumbers(op string, l, r value, at int) (a, b, cmp string) {
	switch {
	case (isInt(l.typ) || l.st.Form == "int") && (isInt(r.typ) || r.st.Form == "int"):
		return t.settle(l, at).sql, t.settle(r, at).sql, ""
	case isFloat(l.typ) || isFloat(r.typ):
		return t.float(l, at), t.float(r, at), ""
	}
	if st := l.st; st.Form == "scaled" && (r.lit || r.st.Form == "scaled" && r.st.Scale == st.Scale) {
		if a, b, ok := t.comparableScaled(l, r, st.Scale); ok {
			return a, b, ""
		}
	}
	if st := r.st; st.Form == "scaled" && l.lit {
		if a, b, ok := t.comparableScaled(l, r, st.Scale); ok {
			return a, b, ""
		}
	}
	if fewDigits(l) && fewDigits(r) {
		return asReal(l), asReal(r), ""
	}
	a, b = t.numText(l, at), t.numText(r, at)
	return a, b, t.call("pg_numeric_cmp", a, b)
}

// comparableScaled compares integers instead of numbers times 10^scale.
func (t *translator) comparableScaled(l, r value, scale int) (a, b string, ok bool) {
	sides := [2]string{}
	for i, v := range []value{l, r} {
		sides[i] = v.sql
		if v.null {
			sides[i] = "NULL"
		} else if v.lit {
			if sides[i], ok = scaledLiteral(v.text, scale); !ok {
				return "", "", false
			}
		}
	}
	return sides[0], sides[1], true
}

// float is a number as a double, as PostgreSQL turns it into one.
func (t *translator) float(v value, at int) string {
	switch {
	case v.typ == Float4 && !v.lit:
		// Alone it is the double that it is stored as.
		fallthrough
	case isFloat(v.typ):
		if !v.lit && v.st.Form != "" {
			refuse(at, "a float that may be NaN is not translated")
		}
		return t.settle(v, at).sql
	case v.null:
		return "NULL"
	case v.lit:
		f := v
		f.typ = Float8
		return t.literal(t.cast(f, Float8, at), Storage{}, at)
	case isInt(v.typ) || v.st.Form == "int":
		return "CAST(" + v.sql + " AS REAL)"
	}
	return t.call("pg_numeric_float", t.numText(v, at))
}

// wider is the type of two integers' sum.
func wider(a, b Type) Type {
	for _, t := range []Type{Int8, Int4} {
		if a == t || b == t {
			return t
		}
	}
	return Int2
}

var numericCalls = map[string]string{"+": "pg_numeric_add", "-": "pg_numeric_sub", "*": "pg_numeric_mul", "/": "pg_numeric_div", "%": "pg_numeric_mod"}

func (t *translator) arithmetic(op string, l, r value, at int) value {
	if l.typ == Date || r.typ == Date {
		return t.dateArithmetic(op, l, r, at)
	}
	if l.typ == Unknown && isNumber(r.typ) || r.typ == Unknown && isNumber(l.typ) {
		l, r = t.sameTypes(l, r, at)
	}
	if !isNumber(l.typ) || !isNumber(r.typ) {
		refuse(at, "%s of %s and %s is not translated", op, l.typ, r.typ)
	}
	if (op == "/" || op == "%") && (!r.lit || strings.Trim(r.text, "-0.") == "") {
		t.note("a division by zero is NULL, which a check takes; PostgreSQL takes no such row")
	}
	switch {
	case isInt(l.typ) && isInt(r.typ):
		if op == "+" || op == "-" || op == "*" {
			t.note("an integer beyond the range of its type is no error where it is only compared")
		}
		return value{sql: "(" + t.settle(l, at).sql + " " + op + " " + t.settle(r, at).sql + ")", typ: wider(l.typ, r.typ)}
	case op == "&" || op == "|":
		refuse(at, "%s of %s and %s", op, l.typ, r.typ)
	case isFloat(l.typ) || isFloat(r.typ):
		if l.typ == Float4 || r.typ == Float4 || op == "%" {
			refuse(at, "%s of real is not translated: PostgreSQL rounds it to single precision", op)
		}
		return value{sql: "(" + t.float(l, at) + " " + op + " " + t.float(r, at) + ")", typ: Float8}
	}
	return numericText(t.call(numericCalls[op], t.numText(l, at), t.numText(r, at)))
}

// dateArithmetic is date + integer, date - integer and date - date.
func (t *translator) dateArithmetic(op string, l, r value, at int) value {
	if op == "+" && isInt(l.typ) && r.typ == Date {
		l, r = r, l
	}
	if l.typ == Unknown || r.typ == Unknown {
		refuse(at, "the type of a constant is not clear: cast it")
	}
	for _, v := range []value{l, r} {
		if v.typ == Date && !v.lit && !v.st.Finite {
			refuse(at, "a date that may be infinite is not translated")
		}
	}
	a, b := t.settle(l, at).sql, t.settle(r, at).sql
	switch {
	case op == "-" && l.typ == Date && r.typ == Date:
		return value{sql: "CAST(julianday(" + a + ") - julianday(" + b + ") AS INTEGER)", typ: Int4}
	case (op == "+" || op == "-") && l.typ == Date && (r.typ == Int2 || r.typ == Int4):
		if op == "-" {
			b = "-" + b
		}
		return value{sql: t.call("pg_date_add", a, b), typ: Date, st: Storage{Form: "text", Finite: true}}
	}
	refuse(at, "%s of %s and %s is not translated", op, l.typ, r.typ)
	return value{}
}
