package lite

import (
	"bytes"
	"errors"
	"fmt"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Checks are full of GLOB, and they are computed for every row: in Go it takes a tenth
// of the time that the translated C code does. What is not plain ASCII is left to that.

// addGlob puts glob in the place of SQLite's own.
func (c *Conn) addGlob() error {
	name, err := libc.CString("glob")
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, name)
	if rc := sqlite3.Xsqlite3_create_function_v2(c.tls, c.db, name, 2, sqlite3.SQLITE_UTF8|sqlite3.SQLITE_DETERMINISTIC, 0, pointer(callGlob), 0, 0, 0); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("register glob: %w", c.err())
	}
	return nil
}

// longestPattern is SQLite's limit.
const longestPattern = 50_000

func callGlob(tls *libc.TLS, ctx uintptr, _ int32, argv uintptr) {
	pattern, subject := wordAt(argv), wordAt(argv+word)
	if sqlite3.Xsqlite3_value_type(tls, pattern) == sqlite3.SQLITE_BLOB || sqlite3.Xsqlite3_value_type(tls, subject) == sqlite3.SQLITE_BLOB {
		sqlite3.Xsqlite3_result_int(tls, ctx, 0)
		return
	}
	p, s := sqlite3.Xsqlite3_value_text(tls, pattern), sqlite3.Xsqlite3_value_text(tls, subject)
	if p == 0 || s == 0 {
		return // NULL
	}
	g, err := compiled(tls, ctx, bytesAt(p, int(sqlite3.Xsqlite3_value_bytes(tls, pattern))))
	if err != nil {
		result(tls, ctx, err)
		return
	}
	matches, sure := g.match(bytesAt(s, int(sqlite3.Xsqlite3_value_bytes(tls, subject))))
	if !sure {
		matches = sqlite3.Xsqlite3_strglob(tls, p, s) == 0
	}
	result(tls, ctx, matches)
}

// compiled returns a pattern that SQLite keeps for the statement, in memory of its own,
// behind the number of its parts.
func compiled(tls *libc.TLS, ctx uintptr, pattern []byte) (glob, error) {
	if at := sqlite3.Xsqlite3_get_auxdata(tls, ctx, 0); at != 0 {
		return globAt(at+word, int(wordAt(at))), nil
	}
	if len(pattern) > longestPattern {
		return nil, errors.New("LIKE or GLOB pattern too complex")
	}
	g := newGlob(pattern)
	if at := libc.Xmalloc(tls, libc.Tsize_t(word+uintptr(len(g))*unsafe.Sizeof(part{}))); at != 0 {
		**(**int)(unsafe.Pointer(&at)) = len(g)
		copy(globAt(at+word, len(g)), g)
		sqlite3.Xsqlite3_set_auxdata(tls, ctx, 0, at, pointer(libc.Xfree))
	}
	return g, nil
}

func globAt(p uintptr, n int) glob { return unsafe.Slice(*(**part)(unsafe.Pointer(&p)), n) }

// glob is a pattern of *, ? and [sets].
type glob []part

// part is the ASCII characters that may stand somewhere, as bits. The bit of 0, which is
// in no text, makes it a *; without any bit it is for SQLite to say.
type part [2]uint64

func (p *part) has(c byte) bool { return p[c>>6&1]>>(c&63)&1 != 0 }
func (p *part) add(c byte)      { p[c>>6&1] |= 1 << (c & 63) }

// match reports whether s matches. It is not sure where a byte matters that is not ASCII.
func (g glob) match(s []byte) (matches, sure bool) {
	p, i := 0, 0
	star, from := -1, 0 // behind the last *, and where what follows it was last tried
	for {
		if p < len(g) && g[p].has(0) {
			if p++; p == len(g) {
				return true, true
			}
			star, from = p, i
		}
		if i == len(s) {
			return p == len(g), true // what follows a * takes one character at least
		}
		c := s[i]
		switch {
		case c-1 >= 0x7f, p < len(g) && g[p] == part{}:
			return false, false
		case p < len(g) && g[p].has(c):
			p, i = p+1, i+1
		case star < 0:
			return false, true
		default: // only what follows the last * may begin elsewhere
			from++
			p, i = star, from
		}
	}
}

// newGlob reads a pattern, which ends at a 0 as C's do.
func newGlob(pattern []byte) (g glob) {
	if end := bytes.IndexByte(pattern, 0); end >= 0 {
		pattern = pattern[:end]
	}
	for i := 0; i < len(pattern); i++ {
		var p part
		switch c := pattern[i]; {
		case c-1 >= 0x7f:
		case c == '*':
			p.add(0)
			if len(g) > 0 && g[len(g)-1].has(0) {
				continue
			}
		case c == '?':
			p = all
		case c == '[':
			p, i = set(pattern, i+1)
		default:
			p.add(c)
		}
		g = append(g, p)
	}
	return g
}

var all = part{^uint64(1), ^uint64(0)}

// set reads a set, from behind its bracket to the one that ends it.
func set(pattern []byte, i int) (p part, end int) {
	invert := i < len(pattern) && pattern[i] == '^'
	if invert {
		i++
	}
	if i < len(pattern) && pattern[i] == ']' { // as the first, it is one of them
		p.add(']')
		i++
	}
	for before := byte(0); i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c-1 >= 0x7f:
			return part{}, len(pattern)
		case c == ']':
			if invert {
				p = part{all[0] &^ p[0], all[1] &^ p[1]}
			}
			return p, i
		case c == '-' && before > 0 && i+1 < len(pattern) && pattern[i+1] != ']':
			if i++; pattern[i]-1 >= 0x7f {
				return part{}, len(pattern)
			}
			for c := int(before); c <= int(pattern[i]); c++ {
				p.add(byte(c))
			}
			before = 0
		default:
			p.add(c)
			before = c
		}
	}
	return part{}, i
}
