package dump

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flysql/flysql/internal/move/pgexpr"
)

// tokenKind says what a token is.
type tokenKind int

const (
	tokEnd    tokenKind = iota
	tokWord             // text is folded to lower case
	tokQuoted           // "name"
	tokString           // text is the value
	tokNumber
	tokOp // one character of punctuation or of an operator, or ::
)

// token is a part of a statement, and where in it it stands.
type token struct {
	kind       tokenKind
	text       string
	start, end int
}

// lex cuts a statement, which the scanner has delimited, into tokens. It is for DDL: of
// expressions only their extent is wanted, and package pgexpr reads them.
func lex(src string) []token { return lexed(src, false) }

// standard is a statement of a session with standard_conforming_strings off, its
// strings as PostgreSQL writes them with that on. What it prints is never to be read
// in two ways.
func standard(src string) string {
	if strings.IndexByte(src, '\\') < 0 {
		return src
	}
	var b strings.Builder
	last := 0
	for _, t := range lexed(src, true) {
		if t.kind == tokString && src[t.start] == '\'' {
			b.WriteString(src[last:t.start] + pgexpr.Literal(t.text))
			last = t.end
		}
	}
	return b.String() + src[last:]
}

func lexed(src string, escapes bool) []token {
	var out []token
	for i := 0; i < len(src); {
		c, rest := src[i], src[i:]
		t := token{kind: tokOp, text: rest[:1], start: i, end: i + 1}
		switch {
		case isSpace(c):
			i++
			continue
		case strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*"):
			i += commentLength(rest)
			continue
		case c == '\'':
			t.kind = tokString
			t.text, t.end = unquote(src, i+1, escapes)
		case c == '"':
			t.kind = tokQuoted
			t.text, t.end = unquoteName(src, i+1)
		case (c == 'e' || c == 'E') && len(rest) > 1 && rest[1] == '\'':
			t.kind = tokString
			t.text, t.end = unquote(src, i+2, true)
		case c == '$':
			if n := dollarLength(rest); n > 0 {
				tag := strings.IndexByte(rest[1:], '$') + 2
				t = token{tokString, rest[tag : n-tag], i, i + n}
			}
		case isDigit(c):
			t.kind = tokNumber
			for t.end < len(src) && (isWord(src[t.end]) || src[t.end] == '.' || src[t.end] == '$') {
				t.end++
			}
			t.text = src[i:t.end]
		case isWord(c):
			t.kind = tokWord
			for t.end < len(src) && (isWord(src[t.end]) || src[t.end] == '$') {
				t.end++
			}
			t.text = foldASCII(src[i:t.end])
		case strings.HasPrefix(rest, "::"):
			t.text, t.end = "::", i+2
		}
		out = append(out, t)
		i = t.end
	}
	return append(out, token{kind: tokEnd, start: len(src), end: len(src)})
}

// foldASCII is how PostgreSQL folds a name that is not in quotes.
func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 32
		}
		return r
	}, s)
}

// commentLength is the length of a comment, or of the rest.
func commentLength(s string) int {
	if s[1] == '-' {
		if n := strings.IndexByte(s, '\n'); n >= 0 {
			return n + 1
		}
		return len(s)
	}
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			if depth--; depth == 0 {
				return i + 2
			}
			i++
		}
	}
	return len(s)
}

// dollarLength is the length of $tag$...$tag$, or 0 where none begins.
func dollarLength(s string) int {
	n := strings.IndexByte(s[1:], '$')
	if n < 0 || n > 0 && isDigit(s[1]) || strings.IndexFunc(s[1:n+1], func(r rune) bool { return r < utf8.RuneSelf && !isWord(byte(r)) }) >= 0 {
		return 0
	}
	tag := s[:n+2]
	end := strings.Index(s[len(tag):], tag)
	if end < 0 {
		return 0
	}
	return end + 2*len(tag)
}

// unquoteName returns a name after its first quote, and where it ends.
func unquoteName(s string, i int) (string, int) {
	var b strings.Builder
	for ; i < len(s); i++ {
		if s[i] == '"' {
			if i+1 == len(s) || s[i+1] != '"' {
				return b.String(), i + 1
			}
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), len(s)
}

// unquote returns the value of a string after its first quote, and where it ends.
func unquote(s string, i int, escapes bool) (string, int) {
	var b strings.Builder
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'' && (i+1 == len(s) || s[i+1] != '\''):
			return b.String(), i + 1
		case c == '\'':
			b.WriteByte(c)
			i++
		case c == '\\' && escapes && i+1 < len(s):
			n := 1
			switch e := s[i+1]; {
			case strings.IndexByte("bfnrtv", e) >= 0:
				b.WriteByte("\b\f\n\r\t\v"[strings.IndexByte("bfnrtv", e)])
			case e >= '0' && e <= '7', e == 'x', e == 'u', e == 'U':
				n = numberedLength(s[i+1:])
				v, _ := numbered([]byte(s[i+1 : i+1+n])) // what is no character has no place in DDL, and is none
				b.Write(v)
			default:
				b.WriteByte(e)
			}
			i += n
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), len(s)
}

// numberedLength is the length of an escape by number, without its backslash.
func numberedLength(s string) int {
	most, hex := 3, true
	switch s[0] {
	case 'x':
	case 'u':
		most = 5
	case 'U':
		most = 9
	default:
		hex = false
	}
	n := 1
	for n < min(most, len(s)) && (hex && isHex(s[n]) || !hex && s[n] >= '0' && s[n] <= '7') {
		n++
	}
	return n
}

func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// numbered is what an escape by number stands for: bytes of UTF-8 one by one, or a
// character.
func numbered(e []byte) ([]byte, bool) {
	base, digits := 16, string(e[1:])
	if isDigit(e[0]) {
		base, digits = 8, string(e)
	}
	n, err := strconv.ParseUint(digits, base, 32)
	switch {
	case err != nil:
		return nil, false
	case e[0] == 'u' || e[0] == 'U':
		return utf8.AppendRune(nil, rune(n)), utf8.ValidRune(rune(n)) && n != 0
	}
	return []byte{byte(n)}, n != 0
}
