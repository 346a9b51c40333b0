package move

import (
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// existingForms are the forms of a type, and those that only a schema of somebody else's
// asks for; what is to be taken first, comes first.
func existingForms(t *Type, s *Schema, special convert.Special) ([]Form, pgexpr.Type) {
	forms, typ := Forms(t, s, special)
	root := t.Root()
	var more []Form
	switch {
	case typ == pgexpr.Bool:
		more = []Form{
			{Name: "true", Conversion: convert.BoolText("true", "false")},
			{Name: "t", Conversion: convert.BoolText("t", "f")},
		}
	case forms[0].Name == "integer":
		low, high := int64(-1<<53), int64(1<<53)
		switch typ {
		case pgexpr.Int2:
			low, high = -1<<15, 1<<15-1
		case pgexpr.Int4:
			low, high = -1<<31, 1<<31-1
		}
		more = []Form{
			{Name: "real", Conversion: convert.IntReal(root.Name.Name, low, high), Losses: []Loss{warning("integer-real", "an integer is a double, exact up to 2^53")}},
			textForm("text", "integer-text", "an integer is text: it sorts and compares as text"),
		}
	case typ == pgexpr.Numeric:
		more = numberForms(root, special)
	case typ == pgexpr.Timestamp || typ == pgexpr.TimestampTZ:
		return timeFormsOf(forms, typ == pgexpr.TimestampTZ, special), typ
	}
	return append(forms, more...), typ
}

func numberForms(t *Type, special convert.Special) (forms []Form) {
	p, s := precision(t)
	if p > 0 && s >= 0 && s <= p {
		forms = append(forms, Form{Name: "number", Conversion: convert.NumericNumber(s, special),
			Losses: []Loss{warning("numeric-number", "a number is a double where it is not whole: each value is exact, what is computed of it is not")}})
	}
	if p == 0 || s == 0 {
		forms = append(forms, Form{Name: "integer", Conversion: convert.NumericScaled(0, special)})
	}
	return forms
}

// timeFormsOf puts the form of package appdb first, by which the app will go on.
func timeFormsOf(forms []Form, zoned bool, special convert.Special) []Form {
	isAppDB := func(f Form) bool { return f.Name == "appdb" }
	out := []Form{forms[slices.IndexFunc(forms, isAppDB)]}
	out = append(out, slices.DeleteFunc(forms, isAppDB)...)
	return append(out,
		Form{Name: "bare", Conversion: convert.TimestampBare(zoned, special), Losses: []Loss{note("time-bare", "a time is in UTC, and does not say so")}},
		Form{Name: "rfc3339", Conversion: convert.TimestampRFC3339(zoned, special)},
		Form{Name: "seconds", Conversion: convert.TimestampSeconds(zoned, special)},
		Form{Name: "millis", Conversion: convert.TimestampMillis(zoned, special)})
}

// fit says how a form fits into a column.
type fit struct {
	form  Form
	asked bool // only where somebody asks for it
	look  bool // some values do not
	trap  bool // its texts may look like numbers, which the column would make them
}

// number says whether a type's values print as numbers.
type number int

const (
	neverNumber number = iota
	mayBeNumber
	alwaysNumber
)

// numberOf tells it of a type whose values are kept as PostgreSQL's text or nearly so.
func numberOf(t *Type) number {
	root := t.Root()
	switch root.Kind {
	case ArrayType, CompositeType, RangeType, MultirangeType:
		return neverNumber
	}
	if root.Schema != "pg_catalog" {
		return mayBeNumber
	}
	switch root.Name.Name {
	case "int2", "int4", "int8", "oid", "xid", "cid", "xid8", "numeric", "money", "float4", "float8":
		return alwaysNumber
	case "bool", "date", "timestamp", "timestamptz", "time", "timetz", "interval", "uuid", "inet", "cidr", "macaddr", "macaddr8", "pg_lsn", "tsvector", "tsquery", "point", "box", "polygon", "circle", "line", "lseg", "path":
		return neverNumber
	}
	return mayBeNumber
}

// fitOf tells whether a column keeps what a form makes, as it is. ok is false where it
// does not.
func fitOf(f Form, typ *Type, t *ExistingTable, c *ExistingColumn) (out fit, ok bool) {
	out = fit{form: f, asked: f.Name == "real" && f.Conversion.Name == "numeric real", look: partial(f, typ)}
	if t.Strict {
		return out, strictTakes(c.Declared, f.Conversion.Kind)
	}
	bytes := c.Affinity == AffinityNone && c.Declared != ""
	switch f.Conversion.Kind {
	case convert.Text:
		out.asked = out.asked || bytes
		if !c.Affinity.numbers() {
			return out, true
		}
		n := numberOf(typ)
		if n == mayBeNumber {
			out.form.Conversion, out.look, out.trap = convert.NotNumeric(f.Conversion), true, true
		}
		return out, n != alwaysNumber && c.Affinity == AffinityNumeric
	case convert.Integer:
		out.asked = out.asked || bytes || c.Affinity == AffinityNumeric && secondary[f.Name]
		return out, c.Affinity != AffinityText && c.Affinity != AffinityReal
	case convert.Real:
		out.asked = out.asked || bytes
		if c.Affinity == AffinityNumeric {
			out.form.Conversion = wholeDoubles(f.Conversion)
		}
		ok = c.Affinity == AffinityReal || c.Affinity == AffinityNone || c.Affinity == AffinityNumeric && !integersOf(f)
		return out, ok
	}
	out.asked = out.asked || c.Affinity != AffinityNone
	return out, true
}

// integersOf reports whether a form makes doubles of integers.
func integersOf(f Form) bool { return f.Name == "real" && strings.HasPrefix(f.Conversion.Name, "int") }

// wholeDoubles has a conversion to doubles read the integers that SQLite makes of them;
// others do so anyway.
func wholeDoubles(c *convert.Conversion) *convert.Conversion {
	switch c.Name {
	case "float4 real":
		return convert.WholeDoubles(c, 32)
	case "float8 real", "numeric real":
		return convert.WholeDoubles(c, 64)
	}
	return c
}

// secondary are the forms that a column of no certain type is not taken to be meant for.
var secondary = map[string]bool{"scaled": true, "seconds": true, "millis": true, "micros": true}

// partial reports whether a form takes some values of a type only, but for special ones.
func partial(f Form, t *Type) bool {
	p, s := precision(t.Root())
	switch f.Name {
	case "seconds", "millis":
		return true
	case "real":
		return t.Root().Builtin("int8")
	case "integer":
		return t.Root().Builtin("numeric") && (p == 0 || s != 0)
	case "number":
		return p > 15
	}
	return false
}

// strictTakes is what a STRICT table's column takes.
func strictTakes(declared string, k convert.Kind) bool {
	switch strings.ToUpper(declared) {
	case "ANY":
		return true
	case "TEXT":
		return k == convert.Text
	case "BLOB":
		return k == convert.Blob
	case "REAL":
		return k == convert.Real
	}
	return k == convert.Integer
}
