package pgexpr

import (
	"slices"
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
	inner := n
	for {
		c, ok := inner.(*castNode)
		if !ok || c.to.array {
			break
		}
		inner = c.x
	}
	d = &Default{}
	if call, ok := inner.(*callNode); ok {
		name := call.name[strings.LastIndexByte(call.name, '.')+1:] // uuid-ossp may be in any schema
		switch name {
		case "nextval":
			d.Sequence = t.sequence(call)
			return d, nil
		case "now", "current_timestamp", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "localtimestamp", "current_date":
			d.SQL = t.now(to, call)
			d.Notes = t.notes
			return d, nil
		case "timezone":
			if zone, now := t.utc(call); now != nil && zone && to.Type == Timestamp {
				d.SQL = t.now(to, now)
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
	return zone.lit && slices.Contains([]string{"utc", "etc/utc", "gmt"}, strings.ToLower(zone.text)), now
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
func (t *translator) now(to Column, call *callNode) string {
	t.notes = append(t.notes, "the time is the statement's, in UTC and in milliseconds; in PostgreSQL it is the transaction's, in microseconds, and without a zone it is the session's")
	format := ""
	switch {
	case to.Type == Date:
		format = "%Y-%m-%d"
	case to.Storage.Form == "micros" && isTime(to.Type):
		return "CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000"
	case to.Storage.Form == "fixed":
		format = "%Y-%m-%d %H:%M:%f000+00:00"
	case to.Storage.Form == "appdb":
		format = "%Y-%m-%d %H:%M:%f+00:00"
	case to.Type == Timestamp || to.Type == Text:
		format = "%Y-%m-%d %H:%M:%f"
		if to.Type == Text {
			refuse(call.at(), "the time as text is not translated")
		}
	default:
		refuse(call.at(), "the time as %s is not translated", to.Type)
	}
	if call.name == "current_date" && to.Type != Date {
		refuse(call.at(), "CURRENT_DATE as %s is not translated", to.Type)
	}
	return "strftime('" + format + "', 'now')"
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
