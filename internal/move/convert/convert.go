// Package convert turns a PostgreSQL value's text into what SQLite stores, and back.
//
//	c := convert.UUIDBlob()
//	v, err := c.To([]byte("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), nil) // 16 bytes
//	text, err := c.Back(v)                                             // the text again
//
// The text is what COPY prints once [Unescape] has undone its backslashes, and what
// stands in a dump: of a session with datestyle ISO, intervalstyle postgres,
// extra_float_digits of 1 or more and lc_monetary C. Of the rest, such as the time zone,
// a conversion is independent.
//
// A conversion either keeps a value exactly, so that Back gives PostgreSQL's text
// again, or refuses it, or says in Lossy that it does not keep it. It knows no columns
// and no declarations: those are package move's.
package convert

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Kind is a storage class of SQLite's.
type Kind uint8

// SQLite's storage classes.
const (
	Null Kind = iota
	Integer
	Real
	Text
	Blob
)

// String returns what SQLite's typeof calls it.
func (k Kind) String() string { return [...]string{"null", "integer", "real", "text", "blob"}[k] }

// Value is a value of SQLite's. The zero value is NULL.
type Value struct {
	Kind  Kind
	Int   int64
	Real  float64
	Bytes []byte // of Text and Blob; it may share memory with what To was given
}

// Conversion brings values of one type into one form. Its functions may be called
// concurrently.
type Conversion struct {
	Name  string // "timestamptz micros"
	Kind  Kind   // what To returns, but for NULL
	Lossy bool   // Back gives another text than the one that came in, or none

	// To converts src. The value may lie in src, or in buf, which is overwritten from
	// its beginning and grows as needed. An error says what does not fit, without the
	// value itself, and is a *Misfit.
	To func(src, buf []byte) (Value, error)

	// Back returns the text that PostgreSQL prints for a value that To has made.
	Back func(Value) (string, error)
}

// Special says what becomes of a value that PostgreSQL has and the form does not: NaN,
// infinity, a year before 1 or after 9999, 24:00.
type Special string

// The ways with special values.
const (
	Refuse Special = "refuse" // an error
	Keep   Special = "keep"   // as PostgreSQL prints it, where the form can
	ToNull Special = "null"   // NULL, and so lost
)

// Misfit is a value that a conversion does not take.
type Misfit struct {
	Type   string // PostgreSQL's
	Reason string
	Hint   string // what would take it, or ""
}

func (m *Misfit) Error() string {
	s := fmt.Sprintf("%s: %s", m.Type, m.Reason)
	if m.Hint != "" {
		s += "; " + m.Hint
	}
	return s
}

func misfit(typ, reason string) error { return &Misfit{Type: typ, Reason: reason} }

// special is what becomes of a special value, whose text is src.
func special(typ, what string, policy Special, kept Value) (Value, error) {
	switch policy {
	case Keep:
		return kept, nil
	case ToNull:
		return Value{}, nil
	}
	return Value{}, &Misfit{Type: typ, Reason: what + " has no place in this form", Hint: `special = "keep" or "null" for the column takes it`}
}

func text(b []byte) Value { return Value{Kind: Text, Bytes: b} }

// backText is Back of every form that is PostgreSQL's own text.
func backText(v Value) (string, error) {
	if v.Kind != Text {
		return "", errKind(v, Text)
	}
	return string(v.Bytes), nil
}

func errKind(v Value, want Kind) error { return fmt.Errorf("a value is %s and not %s", v.Kind, want) }

// Plain keeps PostgreSQL's text of any type as it is.
func Plain(name string) *Conversion {
	return &Conversion{Name: name, Kind: Text, To: func(src, _ []byte) (Value, error) { return checked(name, src) }, Back: backText}
}

// checked is text that SQLite's functions read to its end, as PostgreSQL's does but in
// a database whose encoding is SQL_ASCII.
func checked(typ string, src []byte) (Value, error) {
	if !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0 {
		return Value{}, &Misfit{Type: typ, Reason: "not UTF-8", Hint: "mend the value, or make its column bytea, in PostgreSQL"}
	}
	return text(src), nil
}

// Char is char(n), whose values PostgreSQL fills with blanks that mean nothing. Without
// pad they are cut off.
func Char(n int, pad bool) *Conversion {
	if pad {
		return Plain("char padded")
	}
	return &Conversion{Name: "char trimmed", Kind: Text,
		To: func(src, _ []byte) (Value, error) { return checked("char", bytes.TrimRight(src, " ")) },
		Back: func(v Value) (string, error) {
			s, err := backText(v)
			if missing := n - len([]rune(s)); err == nil && missing > 0 {
				s += string(bytes.Repeat([]byte{' '}, missing))
			}
			return s, err
		}}
}

// Unescape undoes the backslashes of a field of COPY's text format. Where nothing is
// changed but the beginning, that part of field is returned; otherwise the value is
// written to buf from its beginning.
func Unescape(field, buf []byte) (value []byte, null bool, err error) {
	if len(field) == 2 && field[0] == '\\' && field[1] == 'N' {
		return nil, true, nil
	}
	i := bytes.IndexByte(field, '\\')
	if i < 0 {
		return field, false, nil
	}
	if i == 0 && len(field) > 1 && field[1] == '\\' && bytes.IndexByte(field[2:], '\\') < 0 {
		return field[1:], false, nil // a bytea, which may be huge
	}
	buf = append(buf[:0], field[:i]...)
	for ; i < len(field); i++ {
		c := field[i]
		if c != '\\' {
			buf = append(buf, c)
			continue
		}
		if i++; i == len(field) {
			return nil, false, errors.New("a field of COPY ends in a backslash")
		}
		n, size := unescaped(field[i:])
		buf = append(buf, n)
		i += size - 1
	}
	return buf, false, nil
}

// unescaped returns the byte that stands after a backslash, and the length of what
// says so.
func unescaped(s []byte) (c byte, size int) {
	switch s[0] {
	case 'b':
		return '\b', 1
	case 'f':
		return '\f', 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'v':
		return '\v', 1
	case 'x':
		if n := digits(s[1:], 2, 16); n > 0 {
			return number(s[1:1+n], 16), 1 + n
		}
	}
	if n := digits(s, 3, 8); n > 0 {
		return number(s[:n], 8), n
	}
	return s[0], 1
}

// digits counts the digits of a base that s begins with, most at most.
func digits(s []byte, most, base int) int {
	n := 0
	for n < min(most, len(s)) && digit(s[n]) < base {
		n++
	}
	return n
}

func number(s []byte, base int) byte {
	n := 0
	for _, c := range s {
		n = n*base + digit(c)
	}
	return byte(n)
}

// digit is the value of a digit; 16 is none.
func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return 16
}
