package dump

import (
	"bytes"
	"fmt"
)

// copyRows goes over the rows of a COPY ... FROM stdin, whose statement has been read,
// and checks that each has columns fields. It returns where they lie and how many they
// are; the line that ends them is taken, too.
func (s *scanner) copyRows(columns int) (block, error) {
	s.keep = false
	if !s.takeUntil('\n') {
		return block{}, s.truncated(s.line, "")
	}
	b := block{kind: copyBlock, start: s.offset(), line: s.line}
	for {
		at, line := s.offset(), s.line
		l, ok := s.copyLine()
		switch {
		case !ok:
			return b, s.fail(line, "", fmt.Sprintf("the dump ends within the rows that begin in line %d, without the line \\.", b.line), "it is cut: dump again")
		case l.end():
			b.end, b.crlf = at, l.length == 3
			return b, nil
		case l.fields(columns) != columns:
			return b, s.fail(line, "", fmt.Sprintf("a row of %d fields where the COPY names %d columns", l.fields(columns), columns), "the dump is damaged or was edited: dump again")
		}
		b.rows++
	}
}

// copyLine is what is known of a line of rows.
type copyLine struct {
	head   [3]byte
	length int // without the newline
	tabs   int
}

func (l copyLine) end() bool {
	return l.head[0] == '\\' && l.head[1] == '.' && (l.length == 2 || l.length == 3 && l.head[2] == '\r')
}

// fields is how many a line has; an empty one is a row of a table without columns, too.
func (l copyLine) fields(want int) int {
	if want == 0 && l.length == 0 {
		return 0
	}
	return l.tabs + 1
}

func (s *scanner) copyLine() (l copyLine, ok bool) {
	for s.more() {
		part := s.buf[s.pos:]
		i := bytes.IndexByte(part, '\n')
		if i >= 0 {
			part = part[:i]
		}
		if l.length < len(l.head) {
			copy(l.head[l.length:], part)
		}
		l.length += len(part)
		l.tabs += bytes.Count(part, []byte{'\t'})
		s.pos += len(part)
		if i >= 0 {
			s.pos++
			s.line++
			return l, true
		}
	}
	return l, false
}
