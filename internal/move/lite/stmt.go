package lite

import (
	"errors"
	"fmt"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flysql/flysql/internal/move/convert"
)

// Stmt is a prepared statement.
type Stmt struct {
	c     *Conn
	p     uintptr
	arena uintptr // of SQLite's memory, for the values that are bound
	used  int
	size  int
	spent []uintptr // arenas that were too small, and that bound values still lie in
}

// Prepare prepares one statement.
func (c *Conn) Prepare(sql string) (*Stmt, error) {
	text, err := libc.CString(sql)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, text)
	out := c.tls.Alloc(int(word))
	rc := sqlite3.Xsqlite3_prepare_v2(c.tls, c.db, text, int32(len(sql)+1), out, 0)
	s := &Stmt{c: c, p: wordAt(out)}
	c.tls.Free(int(word))
	if rc != sqlite3.SQLITE_OK {
		return nil, c.err()
	}
	if s.p == 0 {
		return nil, errors.New("no statement")
	}
	return s, nil
}

// Close frees the statement.
func (s *Stmt) Close() error {
	if s.p == 0 {
		return nil
	}
	sqlite3.Xsqlite3_finalize(s.c.tls, s.p) // its error is that of the last step
	s.p = 0
	s.release()
	if s.arena != 0 {
		libc.Xfree(s.c.tls, s.arena)
		s.arena = 0
	}
	return nil
}

func (s *Stmt) release() {
	for _, p := range s.spent {
		libc.Xfree(s.c.tls, p)
	}
	s.spent, s.used = s.spent[:0], 0
}

// Step goes to the next row; without one, the statement is ready for new values.
func (s *Stmt) Step() (more bool, err error) {
	switch sqlite3.Xsqlite3_step(s.c.tls, s.p) & 0xff {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		sqlite3.Xsqlite3_reset(s.c.tls, s.p)
		s.release()
		return false, nil
	}
	err = s.c.err()
	sqlite3.Xsqlite3_reset(s.c.tls, s.p)
	s.release()
	return false, err
}

// Bind binds a value to the parameter i, which counts from 1. The value's bytes are
// copied.
func (s *Stmt) Bind(i int, v convert.Value) error {
	var rc int32
	switch v.Kind {
	case convert.Null:
		rc = sqlite3.Xsqlite3_bind_null(s.c.tls, s.p, int32(i))
	case convert.Integer:
		rc = sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, int32(i), v.Int)
	case convert.Real:
		rc = sqlite3.Xsqlite3_bind_double(s.c.tls, s.p, int32(i), v.Real)
	case convert.Text, convert.Blob:
		p, err := s.copy(v.Bytes)
		if err != nil {
			return err
		}
		if v.Kind == convert.Text {
			rc = sqlite3.Xsqlite3_bind_text(s.c.tls, s.p, int32(i), p, int32(len(v.Bytes)), 0)
		} else {
			rc = sqlite3.Xsqlite3_bind_blob(s.c.tls, s.p, int32(i), p, int32(len(v.Bytes)), 0)
		}
	}
	if rc != sqlite3.SQLITE_OK {
		return s.c.err()
	}
	return nil
}

// Longest is the longest text or blob that SQLite takes.
const Longest = 1_000_000_000

// copy copies b to where SQLite's code may look at it until the next step.
func (s *Stmt) copy(b []byte) (uintptr, error) {
	if len(b) > Longest {
		return 0, fmt.Errorf("a value of %d bytes: SQLite takes %d", len(b), Longest)
	}
	if s.used+len(b)+1 > s.size {
		if s.arena != 0 {
			s.spent = append(s.spent, s.arena)
		}
		s.used, s.size = 0, max(64<<10, len(b)+1)
		if s.arena = libc.Xmalloc(s.c.tls, libc.Tsize_t(s.size)); s.arena == 0 {
			s.size = 0
			return 0, errors.New("no memory")
		}
	}
	p := s.arena + uintptr(s.used)
	copy(bytesAt(p, len(b)), b)
	s.used += len(b) + 1 // an empty blob has a place, too: NULL has none
	return p, nil
}

// Columns returns how many columns a row has.
func (s *Stmt) Columns() int { return int(sqlite3.Xsqlite3_column_count(s.c.tls, s.p)) }

// Column returns a value of the row; i counts from 0. Its bytes are valid until the next
// step, and must not be changed.
func (s *Stmt) Column(i int) convert.Value {
	tls, n := s.c.tls, int32(i)
	switch sqlite3.Xsqlite3_column_type(tls, s.p, n) {
	case sqlite3.SQLITE_INTEGER:
		return convert.Value{Kind: convert.Integer, Int: sqlite3.Xsqlite3_column_int64(tls, s.p, n)}
	case sqlite3.SQLITE_FLOAT:
		return convert.Value{Kind: convert.Real, Real: sqlite3.Xsqlite3_column_double(tls, s.p, n)}
	case sqlite3.SQLITE_TEXT:
		p := sqlite3.Xsqlite3_column_text(tls, s.p, n)
		return convert.Value{Kind: convert.Text, Bytes: bytesAt(p, int(sqlite3.Xsqlite3_column_bytes(tls, s.p, n)))}
	case sqlite3.SQLITE_BLOB:
		p := sqlite3.Xsqlite3_column_blob(tls, s.p, n)
		return convert.Value{Kind: convert.Blob, Bytes: bytesAt(p, int(sqlite3.Xsqlite3_column_bytes(tls, s.p, n)))}
	}
	return convert.Value{}
}

// Text returns a value of the row as text of its own; NULL is "".
func (s *Stmt) Text(i int) string {
	p := sqlite3.Xsqlite3_column_text(s.c.tls, s.p, int32(i))
	return string(bytesAt(p, int(sqlite3.Xsqlite3_column_bytes(s.c.tls, s.p, int32(i)))))
}
