package migrate

import "strings"

// piece is one statement of a script with the white space and comments before it. The pieces of a
// script, in order, are the script: nothing is dropped or changed.
type piece struct {
	text  string
	off   int // of text in the script, bytes
	start int // of the first token in text, bytes; -1 when there is nothing to run
}

// split cuts a script where SQLite itself would end one statement and begin the next. A semicolon in a
// string, a quoted name, a comment or the body of a trigger ends nothing.
//
// A script that SQLite would refuse may be cut less often than expected (a trigger without its END takes
// in all that follows), never in the middle of a statement that SQLite would accept.
func split(script string) []piece {
	var out []piece
	for off := 0; off < len(script); {
		n, start := firstStatement(script[off:])
		out = append(out, piece{text: script[off : off+n], off: off, start: start})
		off += n
	}
	return out
}

// firstStatement returns the length of the first statement in s, with its semicolon if it has one, and
// the offset of its first token, -1 when it is empty.
func firstStatement(s string) (n, start int) {
	var (
		head = headStart
		prev token // before the current one, space left out
		last token // before prev
	)
	start = -1
	for i := 0; i < len(s); {
		t := nextToken(s[i:])
		at := i
		i += t.size
		if t.kind == space {
			continue
		}
		if t.kind == semicolon {
			if head != headTrigger || last.kind == semicolon && prev.is("END") {
				return i, start
			}
		} else if start < 0 {
			start = at
		}
		head = head.next(t)
		last, prev = prev, t
	}
	return len(s), start
}

// head is how much of "[EXPLAIN [QUERY PLAN]] CREATE [TEMP] TRIGGER" has been read: the one kind of
// statement that contains semicolons.
type head int

const (
	headStart head = iota
	headExplain
	headCreate
	headTrigger
	headOther
)

func (h head) next(t token) head {
	switch {
	case h == headStart && t.is("EXPLAIN"), h == headExplain && (t.is("QUERY") || t.is("PLAN")):
		return headExplain
	case (h == headStart || h == headExplain) && t.is("CREATE"):
		return headCreate
	case h == headCreate && (t.is("TEMP") || t.is("TEMPORARY")):
		return headCreate
	case h == headTrigger, h == headCreate && t.is("TRIGGER"):
		return headTrigger
	}
	return headOther
}

type tokenKind int

const (
	space tokenKind = iota // and comments
	semicolon
	word // a keyword, a name, a number
	other
)

type token struct {
	kind tokenKind
	size int    // bytes
	text string // of a word
}

func (t token) is(keyword string) bool { return t.kind == word && strings.EqualFold(t.text, keyword) }

// nextToken reads the token at the start of s, which is not empty. What is left open (a string, a
// comment) reaches to the end of s, as it does in SQLite.
func nextToken(s string) token {
	switch c := s[0]; {
	case isSpace(c):
		n := 1
		for n < len(s) && isSpace(s[n]) {
			n++
		}
		return token{kind: space, size: n}
	case strings.HasPrefix(s, "\uFEFF"): // SQLite reads a byte order mark as white space
		return token{kind: space, size: len("\uFEFF")}
	case c == ';':
		return token{kind: semicolon, size: 1}
	case strings.HasPrefix(s, "--"):
		return token{kind: space, size: through(s, 2, "\n")}
	case strings.HasPrefix(s, "/*") && len(s) > 2:
		return token{kind: space, size: through(s, 2, "*/")}
	case c == '\'', c == '"', c == '`':
		// A doubled quote is one character of the text; read as two strings side by side, it ends in the same place.
		return token{kind: other, size: through(s, 1, s[:1])}
	case c == '[':
		return token{kind: other, size: through(s, 1, "]")}
	case isWord(c):
		n := 1
		for n < len(s) && isWord(s[n]) {
			n++
		}
		return token{kind: word, size: n, text: s[:n]}
	}
	return token{kind: other, size: 1}
}

// through returns the length of s up to and with the first end at or after from, or all of s.
func through(s string, from int, end string) int {
	if i := strings.Index(s[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(s)
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'
}

// isWord tells whether SQLite takes c as part of a name: any byte of a character beyond ASCII is.
func isWord(c byte) bool {
	return c >= 0x80 || c == '_' || c == '$' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
