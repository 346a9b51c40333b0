package move

import (
	"bytes"
	"strings"

	"github.com/flysql/flysql/internal/move/convert"
)

// Shape is what can be told of a column's type by its values alone, where a dump has rows
// and no tables. The zero value has seen none.
type Shape struct {
	Nulls int64 // that it has seen

	values int64
	not    [len(shapes)]bool
	scale  int // digits after the point
	mixed  bool
	digits int
}

// shapes are the types that values may be of, and the conversions that know them. What a
// type prints, is of its shape.
var shapes = [...]struct {
	name, sql string
	c         *convert.Conversion
}{
	{"bool", "boolean", convert.Bool()}, {"int8", "bigint", convert.Int("int8", -1<<63, 1<<63-1)},
	{"timestamptz", "timestamp with time zone", convert.TimestampTZ(convert.Keep)}, {"timestamp", "timestamp without time zone", convert.Timestamp(convert.Keep)}, {"date", "date", convert.Date(convert.Keep)},
	{"uuid", "uuid", convert.UUIDText()}, {"bytea", "bytea", convert.Bytea()}, {"float8", "double precision", convert.Float(64, convert.Keep)},
	{"numeric", "numeric", convert.NumericText(convert.Refuse)}, {"json", "jsonb", convert.JSON("jsonb")},
}

// Add takes a value, as COPY prints it, that is not NULL.
func (s *Shape) Add(text []byte) {
	s.values++
	for i, k := range shapes {
		if s.not[i] {
			continue
		}
		v, err := k.c.To(text, nil)
		if err == nil && k.name != "timestamptz" { // which says the same in other zones
			var back string
			if back, err = k.c.Back(v); back != string(text) {
				s.not[i] = true
			}
		}
		s.not[i] = s.not[i] || err != nil
	}
	whole, fraction, _ := bytes.Cut(bytes.TrimPrefix(text, []byte("-")), []byte("."))
	padded := len(whole) > 1 && whole[0] == '0' // no number is printed so
	s.mixed = s.mixed || padded || s.values > 1 && len(fraction) != s.scale
	s.scale = len(fraction)
	s.digits = max(s.digits, len(bytes.TrimLeft(whole, "0"))+len(fraction))
}

// is reports whether all values are of a shape, and there are some.
func (s *Shape) is(name string) bool {
	for i, k := range shapes {
		if k.name == name {
			return s.values > 0 && !s.not[i]
		}
	}
	return false
}

// Type is the type that a column's values are taken to be of, by what SQLite's column is
// declared: text where they are of none that it keeps.
func (s *Shape) Type(c *ExistingColumn) *Type {
	for _, name := range s.candidates(c) {
		switch {
		case s.values > 0 && !s.is(name):
		case name == "numeric":
			if t := s.numeric(c); t != nil {
				return t
			}
		default:
			return builtinType(name)
		}
	}
	return builtinType("text")
}

// candidates are types that a column may be meant for, in order.
func (s *Shape) candidates(c *ExistingColumn) []string {
	declared := strings.ToUpper(c.Declared)
	has := func(word string) bool { return strings.Contains(declared, word) }
	switch {
	case c.Affinity == AffinityInteger:
		return []string{"int8", "bool", "timestamptz", "timestamp", "numeric"}
	case c.Affinity == AffinityReal:
		return []string{"float8", "int8", "numeric"}
	case c.Affinity == AffinityText && s.is("timestamptz"): // nothing else prints so
		return []string{"timestamptz"}
	case c.Affinity == AffinityText:
		return []string{"text"}
	case has("BLOB"):
		return []string{"bytea", "uuid"}
	case declared == "", declared == "ANY":
		if s.values == 0 {
			return []string{"text"}
		}
		return []string{"int8", "timestamptz", "bytea"}
	case has("BOOL"):
		return []string{"bool", "int8"}
	case has("DATE"), has("TIME"):
		return []string{"timestamptz", "timestamp", "date", "int8"}
	case has("JSON"):
		return []string{"json"}
	case has("NUM"), has("DEC"), has("MONEY"):
		return []string{"int8", "numeric", "float8"}
	}
	return []string{"text"}
}

// numeric is the type of numbers that all have as many digits after the point; nil where
// they have not, or have too many for what the column keeps.
func (s *Shape) numeric(c *ExistingColumn) *Type {
	most := 18
	if c.Affinity != AffinityInteger {
		most = 15
	}
	if s.mixed || s.digits > most {
		return nil
	}
	t := builtinType("numeric")
	t.Mod = int32(most<<16 | min(s.scale, most) + 4)
	return t
}

// TextType is text.
func TextType() *Type { return builtinType("text") }

func builtinType(name string) *Type {
	t := &Type{Name: Name{"pg_catalog", name}, SQL: name, Kind: BaseType, Mod: -1}
	if name == "json" {
		t.Name.Name = "jsonb"
	}
	for _, k := range shapes {
		if k.name == name {
			t.SQL = k.sql
		}
	}
	return t
}
