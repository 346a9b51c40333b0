package convert

import (
	"bytes"
	"fmt"
	"math"
)

// TimestampMicros is the number of microseconds since 1970 in UTC. Keep stores the
// infinities as the largest and smallest integer, which sorts them rightly.
func TimestampMicros(zoned bool, policy Special) *Conversion {
	return epoch(zoned, "micros", 1, policy)
}

// TimestampMillis is like TimestampMicros, in milliseconds; a time with microseconds is
// refused.
func TimestampMillis(zoned bool, policy Special) *Conversion {
	return epoch(zoned, "millis", perSecond/1000, policy)
}

// TimestampSeconds is like TimestampMicros, in seconds; a time with a fraction of one is
// refused.
func TimestampSeconds(zoned bool, policy Special) *Conversion {
	return epoch(zoned, "seconds", perSecond, policy)
}

// epoch is a time in units of so many microseconds.
func epoch(zoned bool, unit string, size int64, policy Special) *Conversion {
	typ := timestampName(zoned)
	return &Conversion{Name: typ + " " + unit, Kind: Integer, Lossy: policy == ToNull,
		To: func(src, _ []byte) (Value, error) {
			m, odd, err := parseMoment(typ, src)
			switch {
			case err != nil:
				return Value{}, err
			case odd == "infinity":
				return special(typ, odd, policy, Value{Kind: Integer, Int: math.MaxInt64})
			case odd == "-infinity":
				return special(typ, odd, policy, Value{Kind: Integer, Int: math.MinInt64})
			case !m.hasTime || m.hasOffset != zoned:
				return Value{}, misfit(typ, "not as datestyle ISO prints it")
			case m.year > lastYear:
				return Value{}, &Misfit{Type: typ, Reason: tooFar, Hint: `form = "text" with special = "keep" takes it`}
			}
			n, rest := floorDiv(m.sinceEpoch(), size)
			if rest != 0 {
				return Value{}, &Misfit{Type: typ, Reason: "it is no whole number of " + unit, Hint: `form = "micros" or a text takes it`}
			}
			return Value{Kind: Integer, Int: n}, nil
		},
		Back: func(v Value) (string, error) {
			switch {
			case v.Kind != Integer:
				return "", errKind(v, Integer)
			case v.Int == math.MaxInt64:
				return "infinity", nil
			case v.Int == math.MinInt64:
				return "-infinity", nil
			case v.Int > math.MaxInt64/size || v.Int < math.MinInt64/size:
				return "", fmt.Errorf("%d is no time in %s", v.Int, unit)
			}
			m := fromMicros(v.Int * size)
			return string(m.appendPG(nil, zoned)), nil
		}}
}

// TimestampBare is a time in UTC without an offset, as SQLite's CURRENT_TIMESTAMP writes
// it, with a fraction only where there is one.
func TimestampBare(zoned bool, policy Special) *Conversion {
	return reshaped(TimestampAppDB(zoned, policy), timestampName(zoned)+" bare",
		func(s []byte) []byte { return s },
		func(s []byte) ([]byte, bool) {
			return s, len(s) >= len("2006-01-02 15:04:05") && s[4] == '-' && s[len(s)-1] >= '0' && s[len(s)-1] <= '9' && bytes.IndexByte(s, '+') < 0
		})
}

// TimestampRFC3339 is a time in UTC as RFC 3339 has it: "2026-01-02T03:04:05.6Z".
func TimestampRFC3339(zoned bool, policy Special) *Conversion {
	return reshaped(TimestampAppDB(zoned, policy), timestampName(zoned)+" rfc3339",
		func(s []byte) []byte {
			s[len("2006-01-02")] = 'T'
			return append(s, 'Z')
		},
		func(s []byte) ([]byte, bool) {
			t := len("2006-01-02")
			if len(s) <= t || s[t] != 'T' || s[len(s)-1] != 'Z' {
				return s, false
			}
			s = append([]byte{}, s[:len(s)-1]...)
			s[t] = ' '
			return s, true
		})
}

// reshaped is a conversion to text in UTC in another shape: to is given the text without
// its offset, and back returns that again, or false for a special value that is as it was.
func reshaped(c *Conversion, name string, to func([]byte) []byte, back func([]byte) ([]byte, bool)) *Conversion {
	const offset = "+00:00"
	return &Conversion{Name: name, Kind: Text, Lossy: c.Lossy,
		To: func(src, buf []byte) (Value, error) {
			v, err := c.To(src, buf)
			if bare, ok := bytes.CutSuffix(v.Bytes, []byte(offset)); ok && err == nil {
				v.Bytes = to(bare)
			}
			return v, err
		},
		Back: func(v Value) (string, error) {
			if v.Kind != Text {
				return "", errKind(v, Text)
			}
			if bare, ok := back(v.Bytes); ok {
				v.Bytes = append(append([]byte{}, bare...), offset...)
			}
			return c.Back(v)
		}}
}
