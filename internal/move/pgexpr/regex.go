package pgexpr

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// regex is ~ and its like, by a constant pattern that means the same in Go.
func (t *translator) regex(x, p value, fold, not bool, at int) value {
	if !p.lit || p.null {
		refuse(at, "a regular expression that is no constant is not translated")
	}
	if x.typ == Citext || p.typ == Citext {
		fold = true
		x = t.cast(x, Text, at)
	}
	if !x.lit && !x.equal {
		refuse(at, "a regular expression with a nondeterministic collation is not translated")
	}
	re := goRegexp(p.text, fold, at)
	sql := t.call("pg_match", t.settle(t.textual(x, at), at).sql, Literal(re))
	if not {
		sql = "(NOT " + sql + ")"
	}
	return truth(sql)
}

// regexReader turns PostgreSQL's regular expressions into Go's. What depends on a locale
// (\w, [[:alpha:]]), looks around or back, or is rare, is refused.
type regexReader struct {
	s    string
	i    int
	at   int
	fold bool
	out  strings.Builder
}

func goRegexp(pattern string, fold bool, at int) string {
	r := &regexReader{s: pattern, at: at, fold: fold}
	if strings.HasPrefix(pattern, "***") || strings.HasPrefix(pattern, "(?") && !strings.HasPrefix(pattern, "(?:") {
		refuse(at, "a regular expression with options inside is not translated")
	}
	r.out.WriteString("(?s)")
	for r.i < len(r.s) {
		r.one()
	}
	re := r.out.String()
	if _, err := regexp.Compile(re); err != nil {
		refuse(at, "a regular expression is not one in Go: %v", err)
	}
	return re
}

func (r *regexReader) rest() string { return r.s[r.i:] }

func (r *regexReader) one() {
	c, n := utf8.DecodeRuneInString(r.rest())
	switch c {
	case '\\':
		r.i += n
		r.out.WriteString(r.escape(false))
		return
	case '[':
		r.bracket()
		return
	case '(':
		if strings.HasPrefix(r.rest(), "(?") && !strings.HasPrefix(r.rest(), "(?:") {
			refuse(r.at, "a regular expression that looks around is not translated")
		}
		if strings.HasPrefix(r.rest(), "(*") || strings.HasPrefix(r.rest(), "()") {
			refuse(r.at, "an empty group is not translated")
		}
	case '{':
		if n < len(r.rest()) && !isDigit(r.rest()[n]) {
			r.out.WriteString(`\{`)
			r.i += n
			return
		}
	case '^', '$', '.', ')', '|', '*', '+', '?', '}':
	default:
		r.out.WriteString(r.char(c))
		r.i += n
		return
	}
	if c == '}' && !strings.Contains(r.s[:r.i], "{") {
		r.out.WriteString(`\}`)
	} else {
		r.out.WriteRune(c)
	}
	r.i += n
}

// char is one character that stands for itself; with ~* for its other case, too.
func (r *regexReader) char(c rune) string {
	if r.fold {
		if c >= utf8.RuneSelf {
			refuse(r.at, "~* with letters beyond A to Z is not translated")
		}
		if lower, upper := c|0x20, c&^0x20; lower >= 'a' && lower <= 'z' {
			return "[" + string(upper) + string(lower) + "]"
		}
	}
	return regexp.QuoteMeta(string(c))
}

// escape reads what follows a backslash.
func (r *regexReader) escape(inBracket bool) string {
	c, n := utf8.DecodeRuneInString(r.rest())
	if n == 0 {
		refuse(r.at, "a regular expression ends in a backslash")
	}
	r.i += n
	switch {
	case c == 'd':
		if inBracket {
			return "0-9"
		}
		return "[0-9]"
	case c == 'D' && !inBracket:
		return "[^0-9]"
	case c == 's':
		if inBracket {
			return spaces
		}
		return "[" + spaces + "]"
	case c == 'S' && !inBracket:
		return "[^" + spaces + "]"
	case c == 'A' && !inBracket:
		return "^"
	case c == 'Z' && !inBracket:
		return "$"
	case strings.ContainsRune("nrtfv", c):
		return `\` + string(c)
	case c == '_' || c >= utf8.RuneSelf || isDigit(byte(c)) || c|0x20 >= 'a' && c|0x20 <= 'z':
		refuse(r.at, `\%c in a regular expression is not translated: it depends on the locale, or looks around or back`, c)
	}
	return regexp.QuoteMeta(string(c))
}

// spaces are what \s matches in PostgreSQL with libc's C.UTF-8 and the like.
const spaces = `\t-\r \x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}`

// bracket reads [a-z].
func (r *regexReader) bracket() {
	var b strings.Builder
	r.i++
	b.WriteByte('[')
	if strings.HasPrefix(r.rest(), "^") {
		b.WriteByte('^')
		r.i++
	}
	if strings.HasPrefix(r.rest(), ":<:]]") || strings.HasPrefix(r.rest(), "[:<:]]") {
		refuse(r.at, "a word's boundary is not translated")
	}
	for first := true; ; first = false {
		if r.i >= len(r.s) {
			refuse(r.at, "a [ in a regular expression does not end")
		}
		if r.s[r.i] == ']' && !first {
			r.i++
			break
		}
		b.WriteString(r.bracketItem())
	}
	b.WriteByte(']')
	r.out.WriteString(b.String())
}

func (r *regexReader) bracketItem() string {
	rest := r.rest()
	if strings.HasPrefix(rest, "[:") || strings.HasPrefix(rest, "[.") || strings.HasPrefix(rest, "[=") {
		if name, ok := strings.CutPrefix(rest, "[:digit:]"); ok {
			r.i += len(rest) - len(name)
			return "0-9"
		}
		refuse(r.at, "a class such as [:alpha:] depends on the locale and is not translated")
	}
	from, special := r.bracketChar()
	if special != "" {
		return special
	}
	if !strings.HasPrefix(r.rest(), "-") || strings.HasPrefix(r.rest(), "-]") {
		return r.bracketRange(from, from)
	}
	r.i++
	to, special := r.bracketChar()
	if special != "" || to < from {
		refuse(r.at, "a range in a regular expression is not translated")
	}
	return r.bracketRange(from, to)
}

// bracketChar reads one character, or what a backslash makes of several.
func (r *regexReader) bracketChar() (c rune, special string) {
	c, n := utf8.DecodeRuneInString(r.rest())
	r.i += n
	if c != '\\' {
		return c, ""
	}
	e, _ := utf8.DecodeRuneInString(r.rest())
	s := r.escape(true)
	if strings.ContainsRune("dsnrtfv", e) {
		return 0, s
	}
	return e, ""
}

func (r *regexReader) bracketRange(from, to rune) string {
	quote := func(c rune) string {
		if strings.ContainsRune(`\]^-[&~`, c) {
			return `\` + string(c)
		}
		return string(c)
	}
	s := quote(from)
	if to != from {
		s += "-" + quote(to)
	}
	if !r.fold {
		return s
	}
	if to >= utf8.RuneSelf {
		refuse(r.at, "~* with letters beyond A to Z is not translated")
	}
	// The letters of the range in their other case.
	for _, half := range [][2]rune{{'a', 'z'}, {'A', 'Z'}} {
		low, high := max(from, half[0]), min(to, half[1])
		if low <= high {
			s += string(low^0x20) + "-" + string(high^0x20)
		}
	}
	return s
}
