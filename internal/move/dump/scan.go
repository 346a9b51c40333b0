package dump

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// itemKind says what stands next in a dump.
type itemKind int

const (
	itemEnd       itemKind = iota
	itemStatement          // text is the statement, without its semicolon
	itemInsert             // text is what stands before the rows, which are next
	itemMeta               // text is a line for psql: `\connect app`
	itemComment            // text is a line of comment between statements
)

type item struct {
	kind itemKind
	text string
	line int
	at   int64 // offset of its first byte
}

// maxStatement bounds one that is no INSERT: PostgreSQL's own is a gigabyte, and the
// largest function is far from it.
const maxStatement = 16 << 20

// scanner cuts a dump into statements and rows.
type scanner struct {
	file string
	r    io.Reader
	buf  []byte // read and not yet taken is buf[pos:]
	pos  int
	base int64 // offset of buf[0]
	line int   // of buf[pos]
	err  error // of r

	// escapes: a backslash escapes in '...', standard_conforming_strings is off.
	escapes bool

	text   []byte // of the statement that is being read
	start  int    // its line
	keep   bool   // text is wanted
	depth  int    // of parentheses
	begins int    // of BEGIN ATOMIC and CASE in a function's body
	words  []string
	word   []byte
	head   string // of the last INSERT
}

const bufferSize = 256 << 10

func newScanner(file string, r io.Reader) *scanner {
	return &scanner{file: file, r: r, buf: make([]byte, 0, bufferSize), line: 1, keep: true}
}

// more reads on, and reports whether there is anything. What has been taken is dropped.
func (s *scanner) more() bool {
	if s.pos < len(s.buf) {
		return true
	}
	s.base += int64(len(s.buf))
	s.buf, s.pos = s.buf[:0], 0
	for range 100 {
		if s.err != nil {
			return false
		}
		var n int
		n, s.err = s.r.Read(s.buf[:cap(s.buf)])
		if n > 0 {
			s.buf = s.buf[:n]
			return true
		}
	}
	s.err = io.ErrNoProgress
	return false
}

func (s *scanner) offset() int64 { return s.base + int64(s.pos) }

// peek returns the next byte; 0 at the end, where a dump has none.
func (s *scanner) peek() byte {
	if !s.more() {
		return 0
	}
	return s.buf[s.pos]
}

// take goes on by one byte, which more or peek has seen, and keeps it.
func (s *scanner) take() byte {
	c := s.buf[s.pos]
	s.pos++
	if c == '\n' {
		s.line++
	}
	if s.keep {
		s.text = append(s.text, c)
	}
	return c
}

// takeUntil takes all up to a byte and that itself; false at the end.
func (s *scanner) takeUntil(c byte) bool {
	for s.more() {
		part := s.buf[s.pos:]
		i := bytes.IndexByte(part, c)
		if i >= 0 {
			part = part[:i+1]
		}
		s.takeAll(part)
		if i >= 0 {
			return true
		}
	}
	return false
}

func (s *scanner) takeAll(part []byte) {
	s.line += bytes.Count(part, []byte{'\n'})
	if s.keep {
		s.text = append(s.text, part...)
	}
	s.pos += len(part)
}

// fail is an error at a line, whose text is shown.
func (s *scanner) fail(line int, text, reason, hint string) error {
	if s.err != nil && !errors.Is(s.err, io.EOF) {
		return fmt.Errorf("%s:%d: %w", s.file, s.line, s.err)
	}
	return &Error{File: s.file, Line: line, Text: shown(text), Reason: reason, Hint: hint}
}

// next returns what stands next. After an itemInsert the rows must be read.
func (s *scanner) next() (item, error) {
	for {
		s.text, s.keep, s.depth, s.begins, s.words, s.word = s.text[:0], true, 0, 0, s.words[:0], s.word[:0]
		c := s.peek()
		line, at := s.line, s.offset()
		switch {
		case c == 0 && !s.more():
			if !errors.Is(s.err, io.EOF) {
				return item{}, s.fail(line, "", "", "")
			}
			return item{kind: itemEnd, line: line, at: at}, nil
		case isSpace(c) || c == ';' || at < 3 && c == "\xef\xbb\xbf"[at]: // UTF-8 may say so by a mark
			s.keep = false
			s.take()
		case c == '\\':
			return s.lineItem(itemMeta, line, at)
		case c == '-':
			it, err := s.lineItem(itemComment, line, at)
			if err == nil && !strings.HasPrefix(it.text, "--") {
				err = s.fail(line, it.text, "no statement begins so", "")
			}
			return it, err
		case c == '/':
			if err := s.quoted(); err != nil {
				return item{}, err
			}
		case s.again():
			return item{itemInsert, s.head, line, at}, nil
		default:
			return s.statement(line, at)
		}
	}
}

// again takes the head of an INSERT that is the same as the last one: in a dump almost
// every one is.
func (s *scanner) again() bool {
	n := len(s.head)
	if n == 0 || len(s.buf)-s.pos <= n || string(s.buf[s.pos:s.pos+n]) != s.head || isWord(s.buf[s.pos+n]) {
		return false
	}
	s.start = s.line
	s.line += strings.Count(s.head, "\n")
	s.pos += n
	return true
}

// lineItem is a line for itself.
func (s *scanner) lineItem(kind itemKind, line int, at int64) (item, error) {
	const most = 1 << 16
	for s.more() && s.peek() != '\n' {
		if s.take(); len(s.text) > most {
			return item{}, s.fail(line, "", "a line of psql's or a comment is longer than 64 kB", "")
		}
	}
	return item{kind, strings.TrimRight(string(s.text), "\r"), line, at}, nil
}

// statement reads up to the semicolon that ends it, or to an INSERT's rows.
func (s *scanner) statement(line int, at int64) (item, error) {
	s.start = line
	for s.more() {
		if len(s.text) > maxStatement {
			return item{}, s.fail(line, firstLine(s.text), "a statement is longer than 16 MB", "is a quote before it not closed?")
		}
		c := s.peek()
		if isWord(c) {
			s.word = append(s.word, s.take())
			continue
		}
		if s.wordEnds() {
			s.head = string(s.text)
			return item{itemInsert, s.head, line, at}, nil
		}
		switch c {
		case '\'', '"', '$', '-', '/':
			if err := s.quoted(); err != nil {
				return item{}, err
			}
		case '(':
			s.depth++
			s.take()
		case ')':
			s.depth--
			s.take()
		case ';':
			if s.depth <= 0 && s.begins == 0 {
				text := string(s.text)
				s.keep = false
				s.take()
				return item{itemStatement, text, line, at}, nil
			}
			s.take()
		case 0:
			return item{}, s.fail(s.line, "", "a NUL byte", "the file is damaged: dump again")
		default:
			s.take()
		}
	}
	return item{}, s.truncated(line, firstLine(s.text))
}

func (s *scanner) truncated(line int, text string) error {
	return s.fail(line, text, "the dump ends within this statement", "it is cut: dump again")
}

func firstLine(b []byte) string {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// wordEnds looks at a word that has been read. It reports whether an INSERT's rows come
// next; and, as psql does, it counts what a function's body in SQL has begun.
func (s *scanner) wordEnds() bool {
	if len(s.word) == 0 {
		return false
	}
	w := keyword(s.word)
	s.word = s.word[:0]
	if len(s.words) < 4 {
		s.words = append(s.words, w)
	}
	switch first := s.words[0]; {
	case first == "INSERT" && s.depth == 0:
		return w == "VALUES"
	case first == "CREATE" && s.depth == 0 && len(s.words) > 1:
		switch {
		case s.words[1] != "FUNCTION" && s.words[1] != "PROCEDURE" && !(len(s.words) > 3 && (s.words[3] == "FUNCTION" || s.words[3] == "PROCEDURE")):
		case w == "BEGIN", w == "CASE" && s.begins > 0:
			s.begins++
		case w == "END" && s.begins > 0:
			s.begins--
		}
	}
	return false
}

// keywords are the words that decide how a statement is cut.
var keywords = [...]string{"INSERT", "VALUES", "CREATE", "OR", "REPLACE", "FUNCTION", "PROCEDURE", "BEGIN", "CASE", "END"}

// keyword returns a word in upper case if it is one of them, or "".
func keyword(word []byte) string {
	for _, k := range keywords {
		if len(k) == len(word) && strings.EqualFold(k, string(word)) {
			return k
		}
	}
	return ""
}

// quoted takes what a quote, a dollar or a comment begins, if it does.
func (s *scanner) quoted() error {
	line := s.line
	first := s.take()
	ok := true
	switch first {
	case '"':
		ok = s.takeUntil('"') // a doubled one opens the next
	case '\'':
		ok = s.string()
	case '-':
		if s.peek() == '-' {
			s.takeUntil('\n')
		}
	case '/':
		if s.peek() == '*' {
			ok = s.comment()
		}
	case '$':
		ok = s.dollar()
	}
	if !ok {
		return s.fail(line, firstLine(s.text), fmt.Sprintf("what %c begins in line %d never ends", first, line), "the dump is cut or was edited: dump again")
	}
	if len(s.text) > maxStatement {
		return s.fail(line, firstLine(s.text), "a statement is longer than 16 MB", "is a quote before it not closed?")
	}
	return nil
}

// string takes the rest of '...'. Whether its backslashes escape, what stands before says.
func (s *scanner) string() bool {
	n := len(s.text) - 1
	escapes := s.escapes || n > 0 && (s.text[n-1] == 'E' || s.text[n-1] == 'e') && (n == 1 || !isWord(s.text[n-2]) && s.text[n-2] != '$')
	for s.more() {
		if len(s.text) > maxStatement {
			return true
		}
		switch c := s.take(); {
		case c == '\'':
			return true
		case c == '\\' && escapes && s.more():
			s.take()
		}
	}
	return false
}

// comment takes the rest of a comment, which may hold others.
func (s *scanner) comment() bool {
	s.take()
	depth := 1
	for s.more() {
		switch c := s.take(); {
		case len(s.text) > maxStatement:
			return true
		case c == '/' && s.peek() == '*':
			s.take()
			depth++
		case c == '*' && s.peek() == '/':
			s.take()
			if depth--; depth == 0 {
				return true
			}
		}
	}
	return false
}

// dollar takes the rest of $tag$...$tag$, if it is one and no $1 and no part of a name.
func (s *scanner) dollar() bool {
	begin := len(s.text) - 1
	if begin > 0 && isWord(s.text[begin-1]) {
		return true
	}
	for s.more() && isWord(s.peek()) && len(s.text)-begin < 200 {
		if c := s.take(); c >= '0' && c <= '9' && len(s.text)-begin == 2 {
			return true
		}
	}
	if s.peek() != '$' {
		return true
	}
	s.take()
	tag := string(s.text[begin:])
	body := len(s.text)
	for s.takeUntil('$') {
		if len(s.text) > maxStatement {
			return true
		}
		if len(s.text)-body >= len(tag) && bytes.HasSuffix(s.text, []byte(tag)) {
			return true
		}
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isWord reports whether a byte can be within a name.
func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}
