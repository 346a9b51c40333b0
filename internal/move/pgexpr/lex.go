package pgexpr

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Refused is an expression that is not translated.
type Refused struct {
	Pos    int // byte offset in the expression
	Reason string
}

func (r *Refused) Error() string { return fmt.Sprintf("at %d: %s", r.Pos+1, r.Reason) }

type tokenKind int

const (
	tokEnd    tokenKind = iota
	tokIdent            // text is folded to lower case
	tokQuoted           // "name"
	tokString           // text is the value
	tokBits             // B'101' or X'1F', text with its letter
	tokNumber
	tokOp // operators and punctuation
)

type token struct {
	kind tokenKind
	text string
	pos  int
}

// maxLength and maxDepth bound what is read: PostgreSQL's own limits lie far above.
const (
	maxLength = 1 << 20
	maxDepth  = 200
)

// lex cuts an expression into tokens.
func lex(s string) ([]token, error) {
	if len(s) > maxLength {
		return nil, &Refused{0, "it is longer than a megabyte"}
	}
	var out []token
	for i := 0; i < len(s); {
		t, n, err := nextToken(s, i)
		if err != nil {
			return nil, err
		}
		if t.kind != tokEnd {
			out = append(out, t)
		}
		i += n
	}
	return append(out, token{kind: tokEnd, pos: len(s)}), nil
}

// nextToken reads one token at i, and its length; of spaces and comments the kind is
// tokEnd.
func nextToken(s string, i int) (token, int, error) {
	rest, c := s[i:], s[i]
	switch {
	case strings.ContainsRune(" \t\r\n\f\v", rune(c)):
		return token{}, 1, nil
	case strings.HasPrefix(rest, "--"):
		if n := strings.IndexByte(rest, '\n'); n >= 0 {
			return token{}, n + 1, nil
		}
		return token{}, len(rest), nil
	case strings.HasPrefix(rest, "/*"):
		n, err := comment(rest, i)
		return token{}, n, err
	case c == '\'':
		return quotedToken(rest, i, 0, tokString)
	case c == '"':
		return quotedToken(rest, i, 0, tokQuoted)
	case (c == 'e' || c == 'E') && len(rest) > 1 && rest[1] == '\'':
		return escapeString(rest, i)
	case strings.ContainsRune("bBxX", rune(c)) && len(rest) > 1 && rest[1] == '\'':
		t, n, err := quotedToken(rest, i, 1, tokBits)
		t.text = strings.ToUpper(rest[:1]) + t.text
		return t, n, err
	case (c == 'u' || c == 'U') && len(rest) > 2 && rest[1] == '&' && (rest[2] == '\'' || rest[2] == '"'):
		return token{}, 0, &Refused{i, "U& strings are not read: write the characters themselves"}
	case c == '$':
		return dollarString(rest, i)
	case isLetter(c):
		n := 1
		for n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n]) || rest[n] == '$') {
			n++
		}
		return token{tokIdent, FoldName(rest[:n]), i}, n, nil
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		n := numberLength(rest)
		return token{tokNumber, rest[:n], i}, n, nil
	}
	return operator(rest, i)
}

func isLetter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// FoldName makes A to Z small: how PostgreSQL reads a name that is not in quotes, and
// what SQLite compares any names by.
func FoldName(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

// comment returns the length of a comment, which may hold others.
func comment(s string, pos int) (int, error) {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			if depth--; depth == 0 {
				return i + 2, nil
			}
			i++
		}
	}
	return 0, &Refused{pos, "a comment does not end"}
}

// quotedToken reads 'it”s' or "a""b", after skip letters.
func quotedToken(s string, pos, skip int, kind tokenKind) (token, int, error) {
	q := s[skip]
	var b strings.Builder
	for i := skip + 1; i < len(s); i++ {
		if s[i] != q {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == q {
			b.WriteByte(q)
			i++
			continue
		}
		return token{kind, b.String(), pos}, i + 1, nil
	}
	return token{}, 0, &Refused{pos, "a quote does not end"}
}

// escapeString reads E'a\n'. Escapes by number are refused: they may not be UTF-8.
func escapeString(s string, pos int) (token, int, error) {
	var b strings.Builder
	for i := 2; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'' && i+1 < len(s) && s[i+1] == '\'':
			b.WriteByte('\'')
			i++
		case c == '\'':
			return token{tokString, b.String(), pos}, i + 1, nil
		case c == '\\' && i+1 < len(s):
			i++
			switch e := s[i]; {
			case strings.IndexByte("bfnrt", e) >= 0:
				b.WriteByte("\b\f\n\r\t"[strings.IndexByte("bfnrt", e)])
			case isDigit(e) || e == 'x' || e == 'u' || e == 'U':
				return token{}, 0, &Refused{pos, "a string with a character by its number is not read: write the character itself"}
			default:
				b.WriteByte(e)
			}
		default:
			b.WriteByte(c)
		}
	}
	return token{}, 0, &Refused{pos, "a quote does not end"}
}

// dollarString reads $tag$ ... $tag$.
func dollarString(s string, pos int) (token, int, error) {
	n := strings.IndexByte(s[1:], '$')
	if n < 0 || strings.ContainsFunc(s[1:n+1], func(r rune) bool { return r < utf8.RuneSelf && !isLetter(byte(r)) && !isDigit(byte(r)) }) || n > 0 && isDigit(s[1]) {
		return token{}, 0, &Refused{pos, "a parameter has no place here"}
	}
	tag := s[:n+2]
	end := strings.Index(s[len(tag):], tag)
	if end < 0 {
		return token{}, 0, &Refused{pos, "a quote does not end"}
	}
	return token{tokString, s[len(tag) : len(tag)+end], pos}, end + 2*len(tag), nil
}

func numberLength(s string) int {
	n := 0
	for n < len(s) && (isDigit(s[n]) || s[n] == '.') {
		n++
	}
	if n+1 < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if s[m] == '+' || s[m] == '-' {
			m++
		}
		if m < len(s) && isDigit(s[m]) {
			for n = m; n < len(s) && isDigit(s[n]); {
				n++
			}
		}
	}
	return n
}

const operatorChars = "+-*/<>=~!@#%^&|`?"

// operator reads the longest operator, as PostgreSQL does: one of several characters
// ends in + or - only if it holds one of ~ ! @ # % ^ & | ` ?.
func operator(s string, pos int) (token, int, error) {
	if strings.HasPrefix(s, "::") {
		return token{tokOp, "::", pos}, 2, nil
	}
	if strings.IndexByte("()[],.:;", s[0]) >= 0 {
		return token{tokOp, s[:1], pos}, 1, nil
	}
	n := 0
	for n < len(s) && strings.IndexByte(operatorChars, s[n]) >= 0 && !strings.HasPrefix(s[n:], "--") && !strings.HasPrefix(s[n:], "/*") {
		n++
	}
	for n > 1 && (s[n-1] == '+' || s[n-1] == '-') && !strings.ContainsAny(s[:n], "~!@#%^&|`?") {
		n--
	}
	if n == 0 {
		r, _ := utf8.DecodeRuneInString(s)
		return token{}, 0, &Refused{pos, fmt.Sprintf("%q has no place here", r)}
	}
	op := s[:n]
	if op == "!=" {
		op = "<>"
	}
	return token{tokOp, op, pos}, n, nil
}
