package convert

import (
	"errors"
	"math"
	"testing"
)

func TestExistingConversions(t *testing.T) {
	for _, c := range []struct {
		conversion *Conversion
		in, want   string // want begins with ! for an error
	}{
		{TimestampSeconds(true, Refuse), "1970-01-02 00:00:01+00", "integer 86401"},
		{TimestampSeconds(true, Refuse), "1969-12-31 23:59:59+00", "integer -1"},
		{TimestampSeconds(true, Refuse), "1970-01-01 00:00:00.5+00", `!timestamptz: it is no whole number of seconds; form = "micros" or a text takes it`},
		{TimestampMillis(false, Refuse), "1970-01-01 00:00:00.005", "integer 5"},
		{TimestampMillis(false, Refuse), "1970-01-01 00:00:00.0005", `!timestamp: it is no whole number of millis; form = "micros" or a text takes it`},
		{TimestampBare(true, Refuse), "2024-01-02 03:04:05.60+00", "text 2024-01-02 03:04:05.6"},
		{TimestampBare(true, Keep), "infinity", "text infinity"},
		{TimestampBare(false, Keep), "10000-01-01 00:00:00", "text 10000-01-01 00:00:00"},
		{TimestampRFC3339(true, Refuse), "2024-01-02 03:04:05.6+05:30", "text 2024-01-01T21:34:05.6Z"},
		{TimestampRFC3339(true, Keep), "0044-03-15 00:00:00+00 BC", "text 0044-03-15 00:00:00+00 BC"},
		{NotNumeric(Plain("text")), "007", "!text: SQLite would make a number of the text, as its column is declared; declare it TEXT in a migration"},
		{NotNumeric(Plain("text")), "007b", "text 007b"},
		{Among(Plain("text"), []string{"a"}, "no"), "a", "text a"},
		{Among(Plain("text"), []string{"a"}, "no"), "b", "!text: no"},
		{IntReal("int8", -1<<63, 1<<63-1), "9007199254740992", "real 9.007199254740992e+15"},
		{IntReal("int8", -1<<63, 1<<63-1), "9007199254740993", "!int8: beyond 2^53, to where a REAL holds every integer"},
		{BoolText("true", "false"), "f", "text false"},
		{BoolText("t", "f"), "yes", "!boolean: neither t nor f"},
		{NumericNumber(2, Refuse), "12.50", "real 12.5"},
		{NumericNumber(2, Refuse), "1234567890123.45", "real 1.23456789012345e+12"},
		{NumericNumber(2, Refuse), "12345678901234.56", `!numeric: more than 15 digits, which a double does not hold; declare the column TEXT, or take form = "real"`},
		{NumericNumber(2, Refuse), "1.005", "!numeric: not a number with 2 digits after the point"},
		{NumericNumber(2, Refuse), "NaN", `!numeric: NaN has no place in this form; special = "keep" or "null" for the column takes it`},
	} {
		v, err := c.conversion.To([]byte(c.in), nil)
		got := show(v)
		if err != nil {
			got = "!" + err.Error()
			var m *Misfit
			if !errors.As(err, &m) {
				t.Errorf("%v is no Misfit", err)
			}
		}
		if got != c.want {
			t.Errorf("%s of %q: %s, want %s", c.conversion.Name, c.in, got, c.want)
			continue
		}
		if err != nil {
			continue
		}
		back, err := c.conversion.Back(v)
		again, err2 := c.conversion.To([]byte(back), nil)
		if err != nil || err2 != nil || show(again) != got {
			t.Errorf("%s of %q: back %q, again %s, %v, %v", c.conversion.Name, c.in, back, show(again), err, err2)
		}
	}
}

// Integers that SQLite has made of doubles are read; what no conversion has made is an
// error.
func TestExistingBack(t *testing.T) {
	for _, c := range []struct {
		conversion *Conversion
		in         Value
		want       string // "!": an error
	}{
		{WholeDoubles(Float(64, Refuse), 64), Value{Kind: Integer, Int: 3}, "3"},
		{WholeDoubles(Float(64, Refuse), 64), Value{Kind: Integer, Int: 1e15}, "1e+15"},
		{WholeDoubles(Float(32, Refuse), 32), Value{Kind: Integer, Int: 16777216}, "1.6777216e+07"},
		{WholeDoubles(Float(64, Refuse), 64), Value{Kind: Real, Real: 0.5}, "0.5"},
		{NumericNumber(2, Refuse), Value{Kind: Integer, Int: -3}, "-3.00"},
		{NumericNumber(2, Refuse), Value{Kind: Blob}, "!"},
		{IntReal("int4", -1<<31, 1<<31-1), Value{Kind: Real, Real: 0.5}, "!"},
		{IntReal("int4", -1<<31, 1<<31-1), Value{Kind: Integer, Int: 7}, "7"},
		{BoolText("true", "false"), text([]byte("maybe")), "!"},
		{TimestampSeconds(true, Refuse), Value{Kind: Integer, Int: math.MaxInt64 / 10}, "!"},
		{TimestampSeconds(true, Refuse), Value{Kind: Integer, Int: -1}, "1969-12-31 23:59:59+00"},
		{TimestampRFC3339(true, Refuse), Value{Kind: Integer}, "!"},
	} {
		got, err := c.conversion.Back(c.in)
		if err != nil {
			got = "!"
		}
		if got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.conversion.Name, show(c.in), got, c.want)
		}
	}
}
