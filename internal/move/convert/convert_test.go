package convert

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// show prints a value with its storage class.
func show(v Value) string {
	switch v.Kind {
	case Null:
		return "null"
	case Integer:
		return fmt.Sprintf("integer %d", v.Int)
	case Real:
		return fmt.Sprintf("real %v", v.Real)
	case Blob:
		return fmt.Sprintf("blob %x", v.Bytes)
	}
	return fmt.Sprintf("text %s", v.Bytes)
}

func TestTo(t *testing.T) {
	for _, c := range []struct {
		conversion *Conversion
		in, want   string // want begins with ! for an error
	}{
		{Int("int2", -32768, 32767), "-32768", "integer -32768"},
		{Int("int2", -32768, 32767), "32768", "!int2: not an integer between -32768 and 32767"},
		{Int("int8", -1<<63, 1<<63-1), "9223372036854775807", "integer 9223372036854775807"},
		{Int("int8", -1<<63, 1<<63-1), "", "!int8: not"},
		{Bool(), "t", "integer 1"},
		{Bool(), "f", "integer 0"},
		{Bool(), "yes", "!boolean: neither"},
		{Float(64, Refuse), "0.1", "real 0.1"},
		{Float(64, Refuse), "-0", "real 0"},
		{Float(64, Refuse), "1e+300", "real 1e+300"},
		{Float(64, Refuse), "NaN", "!float8: NaN has no place"},
		{Float(64, Keep), "-Infinity", "text -Infinity"},
		{Float(64, ToNull), "NaN", "null"},
		{Float(64, Keep), "nan(1)", "!float8: not a number"},
		{NumericText(Refuse), "12345678901234567890123456789012345678.90", "text 12345678901234567890123456789012345678.90"},
		{NumericText(Refuse), "1e5", "!numeric: not a decimal number"},
		{NumericText(Refuse), "NaN", "!numeric: NaN has no place"},
		{NumericText(Keep), "Infinity", "text Infinity"},
		{NumericScaled(2, Refuse), "-0.05", "integer -5"},
		{NumericScaled(2, Refuse), "7", "integer 700"},
		{NumericScaled(2, Refuse), "0.005", "!numeric: not a number with 2 digits"},
		{NumericScaled(2, Refuse), "123456789012345678901.00", "!numeric: more than 18 digits"},
		{NumericScaled(2, ToNull), "NaN", "null"},
		{NumericReal(Refuse), "0.10", "real 0.1"},
		{MoneyText(), "-$1,234.56", "text -1234.56"},
		{MoneyText(), "1.234,56 €", "!money: not as lc_monetary C"},
		{MoneyScaled(), "$0.05", "integer 5"},
		{Plain("text"), "", "text "},
		{Char(5, false), "ab   ", "text ab"},
		{Char(5, true), "ab   ", "text ab   "},
		{Bytea(), `\x00ff`, "blob 00ff"},
		{Bytea(), `\x`, "blob "},
		{Bytea(), `a\\b\001\377`, `blob 615c6201ff`},
		{Bytea(), `\x0`, "!bytea: not hexadecimal"},
		{Bytea(), `\9`, "!bytea: a backslash"},
		{Bytea(), `\400`, "!bytea: a backslash"},
		{UUIDText(), "6BA7B810-9dad-11d1-80b4-00c04fd430c8", "text 6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
		{UUIDBlob(), "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "blob 6ba7b8109dad11d180b400c04fd430c8"},
		{UUIDText(), "6ba7b810-9dad-11d1-80b4-00c04fd430cg", "!uuid: a digit"},
		{UUIDText(), "6ba7b8109dad11d180b400c04fd430c8", "!uuid: not 32"},
		{Date(Refuse), "2024-02-29", "text 2024-02-29"},
		{Date(Refuse), "0044-03-15 BC", "!date: a year before Christ has no place"},
		{Date(Keep), "0044-03-15 BC", "text 0044-03-15 BC"},
		{Date(Refuse), "infinity", "!date: infinity has no place"},
		{Date(Refuse), "10000-01-01", "!date: a year of more than four digits"},
		{Date(Refuse), "01/02/2024", "!date: not as datestyle ISO"},
		{Timestamp(Refuse), "2024-01-02 03:04:05.6", "text 2024-01-02 03:04:05.6"},
		{Timestamp(Refuse), "2024-01-02 03:04:05+00", "!timestamp: not as datestyle ISO"},
		{TimestampTZ(Refuse), "2024-01-02 03:04:05.6+00", "text 2024-01-02 03:04:05.600000+00:00"},
		{TimestampTZ(Refuse), "2024-01-01 00:00:00+05:30", "text 2023-12-31 18:30:00.000000+00:00"},
		{TimestampTZ(Refuse), "1883-11-18 12:03:57-07:52:58", "text 1883-11-18 19:56:55.000000+00:00"},
		{TimestampTZ(Refuse), "0001-01-01 00:00:00+05", "!timestamptz: a year that is not of four digits"},
		{TimestampTZ(Keep), "0001-01-01 00:00:00+05", "text 0001-12-31 19:00:00+00 BC"},
		{TimestampTZ(Keep), "-infinity", "text -infinity"},
		{TimestampAppDB(true, Refuse), "2024-01-02 03:04:05.60+00", "text 2024-01-02 03:04:05.6+00:00"},
		{TimestampAppDB(false, Refuse), "2024-01-02 03:04:05", "text 2024-01-02 03:04:05+00:00"},
		{TimestampMicros(true, Refuse), "1970-01-01 00:00:00.000001+00", "integer 1"},
		{TimestampMicros(false, Refuse), "1969-12-31 23:59:59", "integer -1000000"},
		{TimestampMicros(true, Refuse), "4714-11-24 00:00:00+00 BC", "integer -210866803200000000"},
		{TimestampMicros(true, Keep), "infinity", "integer 9223372036854775807"},
		{Time(false, Refuse), "24:00:00", "!time: 24:00 has no place"},
		{Time(false, Keep), "24:00:00", "text 24:00:00"},
		{Time(true, Refuse), "04:05:06.789-08", "text 04:05:06.789-08"},
		{Time(false, Refuse), "4:5", "!time: not a time"},
		{JSON("json"), `{"a": 1, "a": 2}`, `text {"a": 1, "a": 2}`},
		{JSON("json"), strings.Repeat("[", 1001), "!json: nested more than 1000"},
		{JSON("json"), `"` + strings.Repeat("[", 1001) + `"`, `text "` + strings.Repeat("[", 1001) + `"`},
		{Array(Int("int4", -1<<31, 1<<31-1), ','), "{1,NULL,-3}", "text [1,null,-3]"},
		{Array(Int("int4", -1<<31, 1<<31-1), ','), "{{1,2},{3,4}}", "text [[1,2],[3,4]]"},
		{Array(Int("int4", -1<<31, 1<<31-1), ','), "[0:1]={5,6}", `!array: its first index is not 1; form = "pg"`},
		{Array(Int("int4", -1<<31, 1<<31-1), ','), "{1,,2}", "!array: an element is missing"},
		{Array(Int("int4", -1<<31, 1<<31-1), ','), "{1", "!array: it does not end"},
		{Array(Bool(), ','), "{t,f}", "text [true,false]"},
		{Array(Plain("text"), ','), `{a,"b,\"c\\","NULL",NULL,""}`, `text ["a","b,\"c\\","NULL",null,""]`},
		{Array(Bytea(), ','), `{"\\x00ff"}`, `text ["\\x00ff"]`},
		{Array(NumericText(Refuse), ','), `{1.50}`, `text ["1.50"]`},
		{Array(Float(64, Refuse), ','), `{1.5,1e+20}`, `text [1.5,1e+20]`},
		{Array(Float(64, Refuse), ','), `{NaN}`, `!float8: NaN has no place`},
		{Hstore(), `"a"=>"1", "b\"c"=>NULL`, `text {"a": "1", "b\"c": null}`},
		{Hstore(), ``, `text {}`},
		{Hstore(), `a=>1`, `!hstore: not as`},
	} {
		v, err := c.conversion.To([]byte(c.in), nil)
		got := show(v)
		if err != nil {
			var m *Misfit
			if !errors.As(err, &m) {
				t.Errorf("%s: %v is no Misfit", c.conversion.Name, err)
			}
			got = "!" + err.Error()
		}
		if got != c.want && !(strings.HasPrefix(c.want, "!") && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s of %q: %s, want %s", c.conversion.Name, c.in, got, c.want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", `a\tb\\c\n`: "a\tb\\c\n", `\101\x42\x`: "ABx", `\q`: "q", `\\N`: `\N`, "": "", `\b\f\r\v`: "\b\f\r\v", `\0123`: "\n3",
		`\\`: `\`, `\\x00ff`: `\x00ff`, `\\x\n`: "\\x\n", `\\\\`: `\\`,
	} {
		got, null, err := Unescape([]byte(in), make([]byte, 1))
		if string(got) != want || null || err != nil {
			t.Errorf("%q: %q, %v, %v; want %q", in, got, null, err, want)
		}
	}
	if _, null, err := Unescape([]byte(`\N`), nil); !null || err != nil {
		t.Errorf(`\N: %v, %v`, null, err)
	}
	if _, _, err := Unescape([]byte(`a\`), nil); err == nil {
		t.Error("a lone backslash at the end is no error")
	}
}

// A bytea is neither copied as it comes nor printed with more than its text.
func TestHugeBytea(t *testing.T) {
	field := append([]byte(`\\x`), bytes.Repeat([]byte("0a"), 1<<10)...)
	value, _, err := Unescape(field, nil)
	if err != nil || &value[0] != &field[1] {
		t.Errorf("it is copied: %v", err)
	}
	v, err := Bytea().To(value, nil)
	if err != nil || len(v.Bytes) != 1<<10 {
		t.Fatalf("%d bytes, %v", len(v.Bytes), err)
	}
	if n := testing.AllocsPerRun(10, func() {
		if s, err := Bytea().Back(v); s != string(value) || err != nil {
			t.Errorf("%s, %v", s, err)
		}
	}); n > 4 { // the conversion's own, and the text
		t.Errorf("%v allocations", n)
	}
}

// all is every conversion there is, of some type.
func all() []*Conversion {
	plain := []*Conversion{Bool(), Int("int8", -1<<63, 1<<63-1), Plain("text"), Char(3, false), Bytea(), MoneyText(), MoneyScaled(), UUIDText(), UUIDBlob(), JSON("json"), Hstore(),
		NumericScaled(3, Refuse), NumericText(Keep), Float(32, Keep), Float(64, Refuse)}
	for _, p := range []Special{Refuse, Keep} {
		plain = append(plain, Date(p), Timestamp(p), TimestampTZ(p), TimestampAppDB(true, p), TimestampAppDB(false, p), TimestampMicros(true, p), Time(true, p), Time(false, p))
	}
	for _, c := range plain {
		plain = append(plain, Array(c, ','))
	}
	return plain
}

// Whatever the input, nothing panics; and what To takes, it takes again as Back has
// printed it, as the same value.
func FuzzConvert(f *testing.F) {
	for _, s := range []string{"t", "-1", "2024-01-02 03:04:05.6+05:30", "0044-03-15 BC", `{1,"a\"b",{NULL}}`, `"a"=>"b"`, "$1,234.50", `\x00`, "24:00:00+01", "NaN", "1.50"} {
		f.Add([]byte(s))
	}
	conversions := all()
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, c := range conversions {
			v, err := c.To(in, nil)
			if err != nil || v.Kind == Null {
				continue
			}
			back, err := c.Back(v)
			if err != nil {
				t.Fatalf("%s of %q: %s: %v", c.Name, in, show(v), err)
			}
			again, err := c.To([]byte(back), nil)
			if err != nil || show(again) != show(v) {
				t.Fatalf("%s of %q: %s, back %q, again %s, %v", c.Name, in, show(v), back, show(again), err)
			}
		}
	})
}
