package pgexpr

import (
	"strconv"
	"strings"
)

// Default is a translated default.
type Default struct {
	Result
	Sequence string // nextval of it, as PostgreSQL names it: SQL is empty then
}

// TranslateDefault translates a column's default, which becomes a value of the column's
// type in its form. It may be what no other expression may: nextval, now, a new uuid.
func TranslateDefault(expr string, env Env, to Column) (d *Default, err error) {
	n, err := parse(expr)
	if err != nil {
		return nil, err
	}
	defer catch(&err)
	env.Column, env.Value = nil, nil
	t := &translator{env: env}
	inner, casts := n, []typeName{}
	for {
		c, ok := inner.(*castNode)
		if !ok || c.to.array {
			break
		}
		inner, casts = c.x, append(casts, c.to)
	}
	d = &Default{}
	if call, ok := inner.(*callNode); ok {
		name := call.name[strings.LastIndexByte(call.name, '.')+1:] // uuid-ossp may be in any schema
		switch name {
		case "nextval":
			d.Sequence = t.sequence(call)
			return d, nil
		case "now", "current_timestamp", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "localtimestamp", "current_date":
			d.SQL = t.now(to, call, casts)
			d.Notes = t.notes
			return d, nil
		case "timezone":
			utc, now := t.utc(call)
			if now != nil && !utc {
				refuse(call.at(), notUTC)
			}
			if now != nil && (to.Type == Timestamp || to.Type == Date) {
				d.SQL = t.now(to, now, casts)
				d.Notes = t.notes
				return d, nil
			}
		case "gen_random_uuid", "uuid_generate_v4":
			d.SQL = newUUID(to, call.at())
			return d, nil
		}
	}
	v := t.assign(t.expr(n), to, n.at())
	d.Result = Result{SQL: v.sql, Type: v.typ, Storage: v.st, Functions: t.functions, Notes: t.notes}
	return d, nil
}

// utc takes timezone('utc', now()) apart.
func (t *translator) utc(call *callNode) (utc bool, now *callNode) {
	if len(call.args) != 2 {
		return false, nil
	}
	zone := t.expr(call.args[0])
	now, ok := call.args[1].(*callNode)
	if !ok || !clocks[now.name] {
		return false, nil
	}
	return isUTC(zone), now
}

// clocks give the time, with its zone.
var clocks = words("now current_timestamp transaction_timestamp statement_timestamp clock_timestamp")

// sequence is the name in nextval('name'::regclass).
func (t *translator) sequence(call *callNode) string {
	if len(call.args) == 1 {
		arg := call.args[0]
		for {
			c, ok := arg.(*castNode)
			if !ok {
				break
			}
			arg = c.x
		}
		if c, ok := arg.(*constNode); ok && c.kind == tokString {
			return c.text
		}
	}
	refuse(call.at(), "nextval of a sequence that is not named")
	return ""
}

// assign turns a value into one of a column's type and form.
func (t *translator) assign(v value, to Column, at int) value {
	switch {
	case v.null:
		v.sql, v.lit = "NULL", false
		return v
	case to.Type == Other:
		refuse(at, "a default of this type is not translated")
	case v.typ == Enum && to.Type == Enum, v.typ == Text && to.Type == Enum && v.lit:
		v.typ = Enum
	case to.Type == Numeric:
		return t.assignNumeric(t.cast(v, Numeric, at), to, at)
	default:
		v = t.cast(v, to.Type, at)
	}
	if v.lit {
		v.sql, v.lit = t.literal(v, to.Storage, at), false
	} else if v.st.Form != to.Storage.Form {
		refuse(at, "a default in another form than its column's")
	}
	v.st = to.Storage
	return v
}

// assignNumeric gives a constant the digits after the point that its column has.
func (t *translator) assignNumeric(v value, to Column, at int) value {
	if !v.lit {
		refuse(at, "a default that is computed is not translated")
	}
	if s := to.Storage; s.Precision > 0 && s.Scale >= 0 {
		whole, fraction, _ := strings.Cut(v.text, ".")
		if len(strings.TrimRight(fraction, "0")) > s.Scale {
			refuse(at, "a default with more digits than its column")
		}
		fraction = (fraction + strings.Repeat("0", s.Scale))[:s.Scale]
		v.text = strings.TrimSuffix(whole+"."+fraction, ".")
	}
	if to.Storage.Form == "real" {
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil {
			refuse(at, "a default that is no number")
		}
		v.text, v.typ = strconv.FormatFloat(f, 'f', -1, 64), Float8
	}
	v.sql, v.lit, v.st = t.literal(v, to.Storage, at), false, to.Storage
	return v
}

// now is the time of a statement, in a column's form. SQLite's clock has milliseconds.
func (t *translator) now(to Column, call *callNode, casts []typeName) string {
	t.note("the time is the statement's, in UTC and in milliseconds; in PostgreSQL it is the transaction's, in microseconds, and without a zone it is the session's")
	digits, midnight := t.rounding(to, call, casts)
	switch {
	case !isTime(to.Type):
		refuse(call.at(), "the time as %s is not translated", to.Type)
	case midnight && to.Type != Date:
		refuse(call.at(), "today's date as %s is not translated", to.Type)
	case to.Type == Date:
		return "strftime('%Y-%m-%d', 'now')"
	case to.Storage.Form == "micros":
		sql := "CAST(strftime('%s', 'now') AS INTEGER) * 1000000"
		if digits > 0 {
			sql += " + CAST(substr(strftime('%f', 'now'), 4, " + itoa(digits) + ") AS INTEGER) * " + "1" + strings.Repeat("0", 6-digits)
		}
		return sql
	case to.Storage.Form == "fixed" && digits == 3:
		return "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now')"
	case to.Storage.Form == "fixed":
		return "strftime('%Y-%m-%d %H:%M:%S.000000+00:00', 'now')"
	}
	zone := ""
	if to.Storage.Form == "appdb" {
		zone = "+00:00"
	}
	if digits == 0 {
		return "strftime('%Y-%m-%d %H:%M:%S" + zone + "', 'now')"
	}
	sql := "strftime('%Y-%m-%d %H:%M:%f', 'now')"
	if digits < 3 {
		sql = "substr(" + sql + ", 1, " + itoa(len("2006-01-02 15:04:05.")+digits) + ")"
	}
	sql = "rtrim(rtrim(" + sql + ", '0'), '.')" // a fraction ends in no zero
	if zone != "" {
		sql += " || '" + zone + "'"
	}
	return sql
}

// rounding is how many digits of a second a clock's time keeps on its way into a column,
// three at most, and whether it becomes a date there.
func (t *translator) rounding(to Column, call *callNode, casts []typeName) (digits int, date bool) {
	digits, date = 3, call.name == "current_date"
	least := func(n int) { digits = max(0, min(digits, n)) }
	if to.Storage.Limited {
		least(to.Storage.Scale)
	}
	if len(call.args) == 1 {
		if n, ok := constInt(t.expr(call.args[0])); ok {
			least(n)
		}
	}
	for _, c := range casts {
		switch typ := c.typ(); {
		case typ == Date:
			date = true
		case typ != Timestamp && typ != TimestampTZ:
			refuse(call.at(), "the time as %s is not translated", c)
		case len(c.mods) > 0:
			least(c.mods[0])
		}
	}
	return digits, date
}

// newUUID is a random uuid, version 4.
func newUUID(to Column, at int) string {
	if to.Type != UUID && to.Type != Text {
		refuse(at, "a uuid as %s is not translated", to.Type)
	}
	digits := "hex(randomblob(4)) || %hex(randomblob(2)) || %'4' || substr(hex(randomblob(2)), 2) || %substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || %hex(randomblob(6))"
	if to.Storage.Form == "blob" {
		return "unhex(" + strings.ReplaceAll(digits, "%", "") + ")"
	}
	return "lower(" + strings.ReplaceAll(digits, "%", "'-' || ") + ")"
}

// Constant is the text of a string constant, perhaps with a cast: '{}'::text[].
func Constant(expr string) (text string, ok bool) {
	n, err := parse(expr)
	if err != nil {
		return "", false
	}
	if c, ok := n.(*castNode); ok {
		n = c.x
	}
	c, ok := n.(*constNode)
	if !ok || c.kind != tokString {
		return "", false
	}
	return c.text, true
}
