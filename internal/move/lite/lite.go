// Package lite speaks to SQLite without database/sql, for moving many rows: values are
// bound from, and read in, memory that nobody allocates for each of them.
//
//	db, err := lite.Open(ctx, "app.db", false)
//	insert, err := db.Prepare("INSERT INTO t VALUES (?, ?)")
//	insert.BindInt(1, 7)
//	insert.BindText(2, text)
//	_, err = insert.Step()
//
// It is the library of modernc.org/sqlite, below its driver: the driver allocates for
// every value and looks for every parameter by its name, which costs half of an import.
// Every connection has the functions of package pgfunc. It is no driver: an app uses
// package appdb.
//
// A connection and its statements belong to one goroutine at a time.
package lite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Error is what SQLite has refused.
type Error struct {
	Code    int // extended: 1555 is a primary key that is there already
	Message string
}

func (e *Error) Error() string { return e.Message }

// Full reports whether the disk is.
func (e *Error) Full() bool { return e.Code&0xff == sqlite3.SQLITE_FULL }

// Conn is a connection.
type Conn struct {
	tls     *libc.TLS
	db      uintptr
	ballast uintptr
	ctx     context.Context // of Open, for the error that an interruption is
	stop    func() bool
	done    sync.WaitGroup
}

// Open opens a file, which it makes where it may write. A connection that only reads
// leaves checks out of integrity_check: SQLite does not look at them then. A path that
// begins with "file:" is a URI of SQLite's, as package sqlitefile has them, whose mode says
// whether it may write. When ctx is done, what SQLite is at ends with ctx's error; so does
// everything after it.
func Open(ctx context.Context, path string, readOnly bool) (*Conn, error) {
	givePages()
	c := &Conn{tls: libc.NewTLS(), ctx: ctx}
	c.ballast = libc.Xmalloc(c.tls, ballast)
	flags := int32(sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE | sqlite3.SQLITE_OPEN_NOMUTEX)
	if readOnly {
		flags = sqlite3.SQLITE_OPEN_READONLY | sqlite3.SQLITE_OPEN_NOMUTEX
	}
	if strings.HasPrefix(path, "file:") {
		flags = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_NOMUTEX | sqlite3.SQLITE_OPEN_URI
	}
	name, err := libc.CString(path)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, name)
	out := c.tls.Alloc(int(word))
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, out, flags, 0)
	c.db = wordAt(out)
	c.tls.Free(int(word))
	if rc != sqlite3.SQLITE_OK {
		err := fmt.Errorf("open %s: %w", path, c.err())
		return nil, errors.Join(err, c.Close())
	}
	if err = c.addFunctions(); err == nil {
		err = c.addGlob()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.done.Add(1)
	c.stop = context.AfterFunc(ctx, func() {
		defer c.done.Done()
		tls := libc.NewTLS()
		defer tls.Close()
		sqlite3.Xsqlite3_interrupt(tls, c.db)
	})
	return c, nil
}

// Close closes the connection and the statements that are left. It may be called twice.
func (c *Conn) Close() error {
	if c.tls == nil {
		return nil
	}
	if c.stop != nil && !c.stop() {
		c.done.Wait() // the interruption is under way
	}
	rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db)
	libc.Xfree(c.tls, c.ballast)
	c.tls.Close()
	c.tls = nil
	if rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("close SQLite: code %d", rc)
	}
	return nil
}

// err is what went wrong last, or why it was interrupted.
func (c *Conn) err() error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return &Error{Code: int(sqlite3.Xsqlite3_extended_errcode(c.tls, c.db)), Message: libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))}
}

// Exec runs a statement to its end.
func (c *Conn) Exec(sql string) error {
	s, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	for more := true; more && err == nil; {
		more, err = s.Step()
	}
	return errors.Join(err, s.Close())
}

// Rows calls f for each row of a query, until it returns an error.
func (c *Conn) Rows(sql string, f func(*Stmt) error) error {
	s, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	for {
		more, err := s.Step()
		if err == nil && more {
			err = f(s)
		}
		if err != nil || !more {
			return errors.Join(err, s.Close())
		}
	}
}

const word = unsafe.Sizeof(uintptr(0))

// wordAt and bytesAt are memory of SQLite's, which Go's garbage collector knows nothing of.
func wordAt(p uintptr) uintptr { return **(**uintptr)(unsafe.Pointer(&p)) }

func bytesAt(p uintptr, n int) []byte {
	if n == 0 || p == 0 {
		return []byte{}
	}
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&p)), n)
}
