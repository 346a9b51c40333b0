package convert

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// A column of SQLite's that is declared a number, or by a name that SQLite does not know,
// makes numbers of texts that look like some, and integers of whole doubles.

// LooksNumeric reports whether SQLite makes a number of a text in such a column: 007,
// 1e3, " 1.50 ".
func LooksNumeric(s []byte) bool {
	s = bytes.Trim(s, " \t\n\v\f\r")
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	whole := digits(s, len(s), 10)
	s = s[whole:]
	fraction := 0
	if len(s) > 0 && s[0] == '.' {
		fraction = digits(s[1:], len(s), 10)
		s = s[1+fraction:]
	}
	if whole+fraction == 0 {
		return false
	}
	if len(s) > 0 && (s[0] == 'e' || s[0] == 'E') {
		if s = s[1:]; len(s) > 0 && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		n := digits(s, len(s), 10)
		return n > 0 && n == len(s)
	}
	return len(s) == 0
}

// NotNumeric refuses the texts of c that [LooksNumeric].
func NotNumeric(c *Conversion) *Conversion {
	out := *c
	out.To = func(src, buf []byte) (Value, error) {
		v, err := c.To(src, buf)
		if err == nil && v.Kind == Text && LooksNumeric(v.Bytes) {
			err = &Misfit{Type: c.Name, Reason: "SQLite would make a number of the text, as its column is declared", Hint: "declare it TEXT in a migration"}
		}
		return v, err
	}
	return &out
}

// Among refuses the texts of c that are not in a list.
func Among(c *Conversion, list []string, reason string) *Conversion {
	taken := map[string]bool{}
	for _, s := range list {
		taken[s] = true
	}
	out := *c
	out.To = func(src, buf []byte) (Value, error) {
		v, err := c.To(src, buf)
		if err == nil && v.Kind == Text && !taken[string(v.Bytes)] {
			err = misfit(c.Name, reason)
		}
		return v, err
	}
	return &out
}

// WholeDoubles takes back the integers that SQLite has made of c's doubles, which are of
// so many bits.
func WholeDoubles(c *Conversion, bits int) *Conversion {
	out := *c
	out.Back = func(v Value) (string, error) {
		if v.Kind == Integer {
			return FormatFloat(float64(v.Int), bits), nil
		}
		return c.Back(v)
	}
	return &out
}

// IntReal is an integer type as a double, which holds each up to 2^53.
func IntReal(typ string, lowest, highest int64) *Conversion {
	const most = 1 << 53
	whole := Int(typ, lowest, highest)
	return &Conversion{Name: typ + " real", Kind: Real,
		To: func(src, buf []byte) (Value, error) {
			v, err := whole.To(src, buf)
			if err == nil && (v.Int > most || v.Int < -most) {
				err = misfit(typ, "beyond 2^53, to where a REAL holds every integer")
			}
			return Value{Kind: Real, Real: float64(v.Int)}, err
		},
		Back: func(v Value) (string, error) {
			if v.Kind == Integer {
				return backInt(v)
			}
			if v.Kind != Real || v.Real != math.Trunc(v.Real) || math.Abs(v.Real) > most {
				return "", errKind(v, Integer)
			}
			return strconv.FormatInt(int64(v.Real), 10), nil
		}}
}

// BoolText is a boolean as one of two texts.
func BoolText(yes, no string) *Conversion {
	return &Conversion{Name: "boolean " + yes, Kind: Text,
		To: func(src, _ []byte) (Value, error) {
			switch string(src) {
			case "t", "true":
				return text([]byte(yes)), nil
			case "f", "false":
				return text([]byte(no)), nil
			}
			return Value{}, misfit("boolean", "neither t nor f")
		},
		Back: func(v Value) (string, error) {
			switch s, err := backText(v); {
			case err != nil:
				return "", err
			case s == yes:
				return "t", nil
			case s == no:
				return "f", nil
			}
			return "", misfit("boolean", "neither "+yes+" nor "+no)
		}}
}

// exactDigits is how many decimal digits a double holds, whatever they are.
const exactDigits = 15

// NumericNumber is a numeric(p,scale) as SQLite's own number. A double stands for each of
// at most 15 digits alone, so that Back gives it again; others are refused.
func NumericNumber(scale int, policy Special) *Conversion {
	return &Conversion{Name: "numeric number", Kind: Real, Lossy: policy == ToNull,
		To: func(src, _ []byte) (Value, error) {
			if isSpecialNumber(src) {
				return special("numeric", string(src), policy, text(src))
			}
			fraction, ok := decimal(src)
			if !ok || fraction > scale {
				return Value{}, misfit("numeric", "not a number with "+strconv.Itoa(scale)+" digits after the point")
			}
			if significant := strings.Trim(strings.Replace(strings.TrimPrefix(string(src), "-"), ".", "", 1), "0"); len(significant) > exactDigits {
				return Value{}, &Misfit{Type: "numeric", Reason: "more than 15 digits, which a double does not hold", Hint: `declare the column TEXT, or take form = "real"`}
			}
			f, err := strconv.ParseFloat(string(src), 64)
			if err != nil {
				return Value{}, misfit("numeric", "too large for a REAL")
			}
			return Value{Kind: Real, Real: f}, nil
		},
		Back: func(v Value) (string, error) {
			switch v.Kind {
			case Integer:
				v.Real = float64(v.Int)
			case Real:
			default:
				return backText(v)
			}
			return strconv.FormatFloat(v.Real, 'f', scale, 64), nil
		}}
}
