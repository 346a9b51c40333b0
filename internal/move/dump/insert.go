package dump

import (
	"bytes"
	"fmt"
	"strings"
)

// maxRow bounds one row of an INSERT: no larger statement goes into PostgreSQL, either.
const maxRow = 1 << 30

// row is a row of an INSERT, its fields in COPY's text form.
type row struct {
	want   bool   // its values are kept, and not only counted
	line   int    // where it begins
	buf    []byte // the fields one after the other, nothing between
	ends   []int  // of the fields in buf
	absent []bool // DEFAULT
	fields int
	none   bool // DEFAULT VALUES: it has none, whatever the table has
}

func (r *row) reset(line int) {
	r.line, r.buf, r.ends, r.absent, r.fields, r.none = line, r.buf[:0], r.ends[:0], r.absent[:0], 0, false
}

// field returns the text of a field.
func (r *row) field(i int) []byte {
	if i == 0 {
		return r.buf[:r.ends[0]]
	}
	return r.buf[r.ends[i-1]:r.ends[i]]
}

// end closes a field.
func (r *row) end(absent bool) {
	r.fields++
	if r.want {
		r.ends, r.absent = append(r.ends, len(r.buf)), append(r.absent, absent)
	}
}

// put appends bytes of a value.
func (r *row) put(p ...byte) {
	if !r.want {
		return
	}
	for _, c := range p {
		if e := copyEscape[c]; e != 0 {
			r.buf = append(r.buf, '\\', e)
		} else {
			r.buf = append(r.buf, c)
		}
	}
}

// copyEscape are the letters that COPY writes after a backslash for a byte.
var copyEscape = [256]byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '\v': 'v', '\\': '\\'}

// rows reads the rows of an INSERT, whose head has been read, up to its semicolon, and
// calls each for every one.
func (s *scanner) rows(r *row, each func() error) error {
	s.keep = false
	for {
		s.blank()
		r.reset(s.line)
		if err := s.row(r); err != nil {
			return err
		}
		if err := each(); err != nil {
			return err
		}
		s.blank()
		switch s.peek() {
		case ',':
			s.take()
			continue
		case ';':
			s.take()
			return nil
		}
		return s.conflict()
	}
}

// conflict takes what may stand after the rows: ON CONFLICT DO NOTHING.
func (s *scanner) conflict() error {
	line := s.line
	if !s.more() {
		return s.truncated(s.start, "")
	}
	rest, err := s.tail()
	if err == nil && rest != "" && !strings.EqualFold(strings.Join(strings.Fields(rest), " "), "on conflict do nothing") {
		err = s.fail(line, "", "after the rows stands what pg_dump does not write", insertHint)
	}
	return err
}

const insertHint = "the dump was edited or damaged: dump again"

// tail takes what stands up to a semicolon.
func (s *scanner) tail() (string, error) {
	var b []byte
	for s.more() && len(b) < 100 {
		c := s.take()
		if c == ';' {
			return string(b), nil
		}
		b = append(b, c)
	}
	return "", s.fail(s.line, "", "after the rows no semicolon ends the statement", insertHint)
}

// blank takes spaces.
func (s *scanner) blank() {
	for s.more() && isSpace(s.buf[s.pos]) {
		s.take()
	}
}

func (s *scanner) row(r *row) error {
	if s.peek() != '(' {
		if !s.more() {
			return s.truncated(s.start, "")
		}
		return s.fail(s.line, "", "a row does not begin with a parenthesis", insertHint)
	}
	s.take()
	for {
		s.blank()
		if err := s.value(r); err != nil {
			return err
		}
		if len(r.buf) > maxRow {
			return s.fail(r.line, "", "a row is larger than a gigabyte", "dump again without --inserts: rows of COPY are not bounded")
		}
		if r.fields > maxColumns {
			return s.fail(r.line, "", fmt.Sprintf("a row has more than %d values", maxColumns), insertHint)
		}
		s.blank()
		switch s.peek() {
		case ',':
			s.take()
		case ')':
			s.take()
			return nil
		default:
			if !s.more() {
				return s.truncated(s.start, "")
			}
			return s.fail(s.line, "", fmt.Sprintf("after value %d of a row stands neither a comma nor a parenthesis", r.fields), insertHint)
		}
	}
}

// maxColumns is PostgreSQL's own limit for a table.
const maxColumns = 1600

// value reads a constant, and casts after it, which its column implies.
func (s *scanner) value(r *row) error {
	c := s.peek()
	var err error
	switch {
	case c == '\'':
		s.take()
		err = s.literal(r, s.escapes)
		r.end(false)
	case isDigit(c) || c == '-' || c == '+' || c == '.':
		for s.more() && (isWord(s.buf[s.pos]) || strings.IndexByte("+-.", s.buf[s.pos]) >= 0) {
			r.put(s.take())
		}
		r.end(false)
	default:
		err = s.wordValue(r)
	}
	if err != nil {
		return err
	}
	return s.casts()
}

// wordValue reads NULL, DEFAULT, true, false, or a string with a letter before it.
func (s *scanner) wordValue(r *row) error {
	var buf [16]byte
	w := buf[:0]
	for s.more() && isWord(s.buf[s.pos]) && len(w) < cap(w) {
		w = append(w, s.take())
	}
	quote := s.peek() == '\''
	switch string(bytes.ToUpper(w)) {
	case "NULL":
		if r.want {
			r.buf = append(r.buf, '\\', 'N')
		}
		r.end(false)
	case "DEFAULT":
		r.end(true)
	case "TRUE":
		r.put('t')
		r.end(false)
	case "FALSE":
		r.put('f')
		r.end(false)
	case "B", "X", "E", "N":
		if quote {
			s.take()
			err := s.literal(r, w[0] == 'E' || w[0] == 'e')
			if w[0] == 'X' || w[0] == 'x' {
				err = s.fail(s.line, "", "a row holds bits in hexadecimal form, which pg_dump does not write", insertHint)
			}
			r.end(false)
			return err
		}
		fallthrough
	default:
		if !s.more() {
			return s.truncated(s.start, "")
		}
		return s.fail(s.line, "", fmt.Sprintf("value %d of a row is no constant", r.fields+1), "pg_dump writes constants only: dump again")
	}
	return nil
}

// literal reads a string after its first quote. The parts that a newline divides, and
// that SQL takes for one, pg_dump does not write.
func (s *scanner) literal(r *row, escapes bool) error {
	line := s.line
	stop := "'"
	if escapes {
		stop = `'\`
	}
	for s.more() {
		part := s.buf[s.pos:]
		i := bytes.IndexAny(part, stop)
		if i >= 0 {
			part = part[:i]
		}
		r.put(part...)
		s.takeAll(part)
		if len(r.buf) > maxRow || i < 0 {
			if len(r.buf) > maxRow {
				return nil // row says so
			}
			continue
		}
		switch c := s.take(); {
		case c == '\\':
			if err := s.escape(r); err != nil {
				return err
			}
		case s.peek() == '\'':
			r.put(s.take())
		default:
			return nil
		}
	}
	return s.fail(line, "", "a string that begins in this line never ends", "the dump is cut: dump again")
}

// escape reads what stands after a backslash.
func (s *scanner) escape(r *row) error {
	if !s.more() {
		return nil // literal says so
	}
	c := s.take()
	if i := strings.IndexByte("bfnrtv", c); i >= 0 {
		r.put("\b\f\n\r\t\v"[i])
		return nil
	}
	if !(c >= '0' && c <= '7') && c != 'x' && c != 'u' && c != 'U' {
		r.put(c)
		return nil
	}
	digits := []byte{c}
	for len(digits) < 9 && s.more() && isHex(s.buf[s.pos]) && !(c < '8' && (s.buf[s.pos] > '7' || len(digits) == 3)) && !(c == 'x' && len(digits) == 3) && !(c == 'u' && len(digits) == 5) {
		digits = append(digits, s.take())
	}
	b, ok := numbered(digits)
	if !ok {
		return s.fail(s.line, "", "a string has an escape that is no character", insertHint)
	}
	r.put(b...)
	return nil
}

// casts takes ::type, any number of times.
func (s *scanner) casts() error {
	s.blank()
	for s.peek() == ':' {
		depth := 0
		for n := 0; s.more(); n++ {
			c := s.buf[s.pos]
			if depth == 0 && (c == ',' || c == ')') {
				break
			}
			if n > 200 || !isWord(c) && !isSpace(c) && strings.IndexByte(`:."()[],`, c) < 0 {
				return s.fail(s.line, "", "a cast in a row is not understood", insertHint)
			}
			switch s.take() {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
	}
	return nil
}
