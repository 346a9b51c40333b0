package pgexpr

import (
	"slices"
	"strconv"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
)

// timeLiteral is a time in a form.
func (t *translator) timeLiteral(v value, st Storage, at int) string {
	zoned := v.typ == TimestampTZ
	c := convert.Timestamp(convert.Refuse)
	switch {
	case st.Form == "micros":
		c = convert.TimestampMicros(zoned, convert.Refuse)
	case st.Form == "appdb":
		c = convert.TimestampAppDB(zoned, convert.Refuse)
	case zoned:
		c = convert.TimestampTZ(convert.Refuse)
	}
	out, err := c.To([]byte(v.text), nil)
	if err != nil {
		refuse(at, "a constant is not read: %v", err)
	}
	if out.Kind == convert.Integer {
		return strconv.FormatInt(out.Int, 10)
	}
	return Literal(string(out.Bytes))
}

// midnight is a date as a timestamp in a form.
func midnight(v value, st Storage) value {
	out := value{typ: Timestamp, lit: v.lit, null: v.null, st: st}
	switch {
	case v.lit:
		out.text = v.text + " 00:00:00"
	case st.Form == "micros":
		out.sql = "(CAST(strftime('%s', " + v.sql + ") AS INTEGER) * 1000000)"
	case st.Form == "text":
		out.sql = "(" + v.sql + " || ' 00:00:00')"
	default:
		out.sql = "(" + v.sql + " || ' 00:00:00+00:00')"
	}
	return out
}

// inFormOf makes a date a timestamp in the form of another one.
func inFormOf(v, other value) value {
	if v.typ != Date || !v.lit && !v.st.Finite {
		return v
	}
	if other.lit || other.typ == Date {
		return midnight(v, defaultStorage(Timestamp))
	}
	return midnight(v, Storage{Form: other.st.Form, Finite: true})
}

func (t *translator) comparableTimes(l, r value, at int) (a, b, cmp string) {
	if l.typ != r.typ {
		if l.typ == TimestampTZ || r.typ == TimestampTZ {
			refuse(at, "comparing %s with %s depends on the session's time zone", l.typ, r.typ)
		}
		l, r = inFormOf(l, r), inFormOf(r, l)
	}
	for _, v := range []value{l, r} {
		if !v.lit && !v.st.Finite {
			refuse(at, "a time that may be infinite, or of a year beyond 9999, does not compare as text")
		}
	}
	st := l.st
	if l.lit {
		st = r.st
	}
	if !l.lit && !r.lit && l.st.Form != r.st.Form {
		refuse(at, "two times in different forms")
	}
	return t.inForm(l, st, at), t.inForm(r, st, at), ""
}

// isUTC reports whether a constant names the zone that times are stored in.
func isUTC(zone value) bool {
	return zone.lit && slices.Contains([]string{"utc", "etc/utc", "gmt"}, strings.ToLower(zone.text))
}

const notUTC = "AT TIME ZONE of another zone than UTC is not translated"

// timezone is x AT TIME ZONE 'UTC': the text that package appdb writes is the same with a
// zone and without.
func (t *translator) timezone(args []value, at int) value {
	zone, v := args[0], args[1]
	switch {
	case !isUTC(zone):
		refuse(at, notUTC)
	case v.typ != Timestamp && v.typ != TimestampTZ, v.st.Form != "appdb" && v.st.Form != "micros":
		refuse(at, "AT TIME ZONE of a %s in this form is not translated", v.typ)
	case v.typ == Timestamp && v.lit && !v.null:
		v.text += "+00"
	case v.lit:
		v.text = strings.TrimSuffix(v.text, "+00")
	}
	v.typ = map[Type]Type{Timestamp: TimestampTZ, TimestampTZ: Timestamp}[v.typ]
	v.st.Limited = false
	return v
}

// sliceable is a time of which a part is a part of its text, without the session's zone.
func (t *translator) sliceable(v value, at int) string {
	if v.typ != Date && v.typ != Timestamp || !v.lit && (!v.st.Finite || v.st.Form == "micros") {
		refuse(at, "a part of a %s is not translated", v.typ)
	}
	return t.settle(v, at).sql
}

// fields are the parts of a time as text: where they stand in it.
var fields = map[string][2]int{"year": {1, 4}, "month": {6, 2}, "day": {9, 2}, "hour": {12, 2}, "minute": {15, 2}}

// extract takes a part of a date or timestamp that does not depend on the time zone.
func (t *translator) extract(args []value, at int) value {
	v, name := args[1], strings.ToLower(args[0].text)
	out := value{typ: Numeric, st: Storage{Form: "int"}}
	place, ok := fields[name]
	switch sql := t.sliceable(v, at); {
	case !args[0].lit || v.typ == Date && place[0] > 9:
		refuse(at, "this part of a time is not translated")
	case ok:
		out.sql = "CAST(substr(" + sql + ", " + itoa(place[0]) + ", " + itoa(place[1]) + ") AS INTEGER)"
	case name == "quarter":
		out.sql = "((CAST(substr(" + sql + ", 6, 2) AS INTEGER) + 2) / 3)"
	case name == "dow":
		out.sql = "CAST(strftime('%w', " + sql + ") AS INTEGER)"
	case name == "doy":
		out.sql = "CAST(strftime('%j', " + sql + ") AS INTEGER)"
	default:
		refuse(at, "this part of a time is not translated")
	}
	return out
}

// rests are what date_trunc puts in the place of what it cuts off behind a number of
// characters.
var rests = map[string]struct {
	kept int
	rest string
}{"year": {4, "-01-01 00:00:00"}, "month": {7, "-01 00:00:00"}, "day": {10, " 00:00:00"}, "hour": {13, ":00:00"}, "minute": {16, ":00"}, "second": {19, ""}}

// dateTrunc takes a timestamp; one with a zone where the zone is said to be UTC.
func (t *translator) dateTrunc(args []value, at int) value {
	v := args[1]
	if len(args) == 3 {
		if v.typ != TimestampTZ {
			refuse(at, "date_trunc of %s in a zone is not translated", v.typ)
		}
		v = t.timezone([]value{args[2], v}, at)
		return t.timezone([]value{args[2], t.dateTrunc([]value{args[0], v}, at)}, at)
	}
	r, ok := rests[strings.ToLower(args[0].text)]
	if v.typ == Date || !args[0].lit || !ok {
		refuse(at, "date_trunc of a %s to %q is not translated", v.typ, args[0].text)
	}
	sql := t.sliceable(v, at)
	if v.st.Form == "appdb" {
		r.rest += "+00:00"
	}
	return value{sql: "(substr(" + sql + ", 1, " + itoa(r.kept) + ") || '" + r.rest + "')", typ: Timestamp, st: Storage{Form: v.st.Form, Finite: true}}
}
