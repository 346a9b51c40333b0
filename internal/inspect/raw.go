package inspect

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// rawConn is a connection to SQLite without database/sql, which shows other values
// than are stored: times for texts, for one. It is used by one goroutine.
type rawConn struct {
	tls *libc.TLS
	db  uintptr
}

// sqlError is an error of SQLite's, in its own words.
type sqlError struct {
	code int
	msg  string
}

func (e *sqlError) Error() string { return e.msg }

// openRaw opens a file that is there.
func openRaw(path string, readOnly bool) (*rawConn, error) {
	c := &rawConn{tls: libc.NewTLS()}
	flags := int32(sqlite3.SQLITE_OPEN_READWRITE)
	if readOnly {
		flags = sqlite3.SQLITE_OPEN_READONLY
	}
	err := c.withPointer(func(out uintptr) error {
		name, err := libc.CString(path)
		if err != nil {
			return err
		}
		defer libc.Xfree(c.tls, name)
		rc := sqlite3.Xsqlite3_open_v2(c.tls, name, out, flags|sqlite3.SQLITE_OPEN_EXRESCODE, 0)
		c.db = loadPointer(out)
		return c.failed(rc)
	})
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	sqlite3.Xsqlite3_busy_timeout(c.tls, c.db, 5000)
	return c, nil
}

func (c *rawConn) close() error {
	rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db) // a no-op on 0
	c.tls.Close()
	if rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("close: SQLite error %d", rc)
	}
	return nil
}

func (c *rawConn) failed(rc int32) error {
	if rc == sqlite3.SQLITE_OK {
		return nil
	}
	return &sqlError{int(rc), libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))}
}

// withPointer calls f with room for a pointer in SQLite's memory.
func (c *rawConn) withPointer(f func(out uintptr) error) error {
	out := libc.Xcalloc(c.tls, 2, pointerSize)
	if out == 0 {
		return errors.New("out of memory")
	}
	defer libc.Xfree(c.tls, out)
	return f(out)
}

// pointerSize is the size of a pointer in SQLite's memory, in bytes.
const pointerSize = 4 << (^uintptr(0) >> 63)

// loadPointer reads the pointer stored at p, which lies in SQLite's memory.
func loadPointer(p uintptr) uintptr {
	b := libc.GoBytes(p, pointerSize)
	if pointerSize == 8 {
		return uintptr(binary.NativeEndian.Uint64(b))
	}
	return uintptr(binary.NativeEndian.Uint32(b))
}

// complete tells whether a text ends with a whole statement, as SQLite sees it.
func (c *rawConn) complete(text string) bool {
	s, err := libc.CString(text)
	if err != nil {
		return false
	}
	defer libc.Xfree(c.tls, s)
	return sqlite3.Xsqlite3_complete(c.tls, s) != 0
}

// output takes what statements give.
type output interface {
	begin(columns []string) error
	row(values []any) error // nil, int64, float64, string or []byte
	end() error
}

// exec runs the statements of a text, one after the other, until one fails. Between
// them refuse is asked, with whether the statement only reads.
func (c *rawConn) exec(ctx context.Context, text string, refuse func(sql string, reads bool) error, out output) error {
	start, err := libc.CString(text)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, start)
	at, end := start, start+uintptr(len(text))
	for at < end && ctx.Err() == nil {
		var stmt, tail uintptr
		err := c.withPointer(func(p uintptr) error {
			rc := sqlite3.Xsqlite3_prepare_v2(c.tls, c.db, at, -1, p, p+pointerSize)
			stmt, tail = loadPointer(p), loadPointer(p+pointerSize)
			return c.failed(rc)
		})
		if err != nil {
			return err
		}
		sql := libc.GoString(at)[:tail-at]
		at = tail
		if stmt == 0 { // space, or a comment
			continue
		}
		if err := refuse(sql, sqlite3.Xsqlite3_stmt_readonly(c.tls, stmt) != 0); err != nil {
			sqlite3.Xsqlite3_finalize(c.tls, stmt)
			return err
		}
		if err := c.run(ctx, stmt, out); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// run runs one statement, which the end of ctx interrupts, and frees it.
func (c *rawConn) run(ctx context.Context, stmt uintptr, out output) (err error) {
	defer sqlite3.Xsqlite3_finalize(c.tls, stmt)
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		tls := libc.NewTLS()
		defer tls.Close()
		sqlite3.Xsqlite3_interrupt(tls, c.db)
	})
	defer func() {
		if !stop() {
			<-interrupted // or the connection could be closed under it
		}
	}()
	n := sqlite3.Xsqlite3_column_count(c.tls, stmt)
	columns := make([]string, n)
	for i := range n {
		columns[i] = libc.GoString(sqlite3.Xsqlite3_column_name(c.tls, stmt, i))
	}
	if err := out.begin(columns); err != nil {
		return err
	}
	for {
		switch rc := sqlite3.Xsqlite3_step(c.tls, stmt); rc {
		case sqlite3.SQLITE_ROW:
			if err := out.row(c.values(stmt, n)); err != nil {
				return err
			}
		case sqlite3.SQLITE_DONE:
			return out.end()
		default:
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return errors.Join(out.end(), c.failed(rc))
		}
	}
}

func (c *rawConn) values(stmt uintptr, n int32) []any {
	values := make([]any, n)
	for i := range n {
		switch sqlite3.Xsqlite3_column_type(c.tls, stmt, i) {
		case sqlite3.SQLITE_INTEGER:
			values[i] = int64(sqlite3.Xsqlite3_column_int64(c.tls, stmt, i))
		case sqlite3.SQLITE_FLOAT:
			values[i] = float64(sqlite3.Xsqlite3_column_double(c.tls, stmt, i))
		case sqlite3.SQLITE_TEXT:
			p := sqlite3.Xsqlite3_column_text(c.tls, stmt, i)
			values[i] = string(libc.GoBytes(p, int(sqlite3.Xsqlite3_column_bytes(c.tls, stmt, i))))
		case sqlite3.SQLITE_BLOB:
			p := sqlite3.Xsqlite3_column_blob(c.tls, stmt, i)
			values[i] = append([]byte{}, libc.GoBytes(p, int(sqlite3.Xsqlite3_column_bytes(c.tls, stmt, i)))...)
		}
	}
	return values
}
