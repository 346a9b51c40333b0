package appdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flysql/flysql/engine"
)

// A nodeConn is a connection to a file that an engine copies. It refuses to write
// where this machine is not the primary, holds its reads back while the role
// changes, and survives that LiteFS takes the database's shared memory away.
type nodeConn struct {
	sqliteConn
	node   *node
	writes bool // it is the writer's

	// database/sql uses a connection from one goroutine at a time.
	queryOnly bool // what the connection is set to
	inTx      bool // in one that was begun with BeginTx
	writing   bool // and may write
	broken    bool // it must not be used again
}

func newNodeConn(conn driver.Conn, n *node, writes, queryOnly bool) (driver.Conn, error) {
	c, ok := conn.(sqliteConn)
	if !ok {
		return nil, fmt.Errorf("driver connection %T lacks methods of modernc.org/sqlite", conn)
	}
	return &nodeConn{sqliteConn: c, node: n, writes: writes, queryOnly: queryOnly}, nil
}

// errShared is told where a connection met memory that LiteFS had taken away.
var errShared = errors.New("LiteFS has taken the shared memory of the database away, as it may when the primary changes: begin again")

// guard runs op, and makes an error of a fault in mapped memory.
//
// In WAL mode SQLite maps the index of the log into memory. LiteFS rewrites and
// shortens that file from outside, and who touches it at the wrong moment gets a
// SIGBUS, which ends a Go program. But the driver is Go, so the fault can be a panic
// of this goroutine instead. No lock is held then but the connection's own, which
// its Close does not wait for.
func guard(op func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			err = errShared
		default:
			panic(r)
		}
	}()
	return op()
}

// ready is called before a statement or a transaction.
func (c *nodeConn) ready(ctx context.Context) error {
	switch {
	case c.broken:
		return driver.ErrBadConn
	case c.inTx:
		return c.mayGoOn()
	case !c.writes:
		return c.node.waitHeld(ctx)
	}
	// On a replica the writer reads: SQLite then refuses a write before it begins.
	queryOnly := c.node.await(ctx) != nil
	if queryOnly == c.queryOnly {
		return nil
	}
	if err := execPragmas(ctx, c.sqliteConn, map[string]string{"query_only": onOff(queryOnly)}); err != nil {
		return err
	}
	c.queryOnly = queryOnly
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// mayGoOn refuses to go on with a write transaction on a replica. While the role is
// not known it can still turn out well.
func (c *nodeConn) mayGoOn() error {
	if !c.writing || c.node.engine == nil {
		return nil
	}
	st := c.node.engine.State()
	if st.Role != engine.RoleReplica {
		return nil
	}
	c.broken = true
	return &ReplicaError{Primary: st.Primary}
}

// run runs a statement, or a part of one. again says that nothing is lost when
// database/sql runs it again on another connection after a fault.
func (c *nodeConn) run(again bool, op func() error) error {
	err := guard(op)
	if !c.writes {
		for start, pause := time.Now(), time.Millisecond; isHot(err) && time.Since(start) < holdLimit; pause *= 2 {
			time.Sleep(pause)
			err = guard(op)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errShared):
		c.broken = true
		switch {
		case c.inTx: // its end will say so
			return err
		case again:
			return driver.ErrBadConn
		case c.writes && !c.queryOnly:
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		return err
	case !c.writes:
		return err
	}
	refused, ok := c.node.replicaError(err)
	if ok && !isReadOnly(err) {
		c.broken = true // it may hold half of a transaction that it can neither end nor undo
	}
	return refused
}

// isReadOnly reports whether SQLite refused err's statement before it began.
func isReadOnly(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code() == sqlite3.SQLITE_READONLY
}

// isHot reports whether a reader has found the journal of a transaction that ended
// with this machine's time as the primary, which LiteFS is about to undo.
func isHot(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code() == sqlite3.SQLITE_READONLY_ROLLBACK
}

// readOnly reports whether nothing that runs outside a transaction can write.
func (c *nodeConn) readOnly() bool { return !c.writes || c.queryOnly }

func (c *nodeConn) BeginTx(ctx context.Context, opts driver.TxOptions) (tx driver.Tx, err error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	writing := c.writes && !opts.ReadOnly
	if writing && c.queryOnly {
		return nil, c.node.refusal()
	}
	err = c.run(true, func() (err error) {
		tx, err = c.sqliteConn.BeginTx(ctx, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.inTx, c.writing = true, writing
	return &nodeTx{c, tx}, nil
}

func (c *nodeConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	err = c.run(c.readOnly(), func() (err error) {
		res, err = c.sqliteConn.ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

func (c *nodeConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	err = c.run(c.readOnly(), func() (err error) {
		rows, err = c.sqliteConn.QueryContext(ctx, query, args)
		return err
	})
	return c.rows(rows, err)
}

func (c *nodeConn) PrepareContext(ctx context.Context, query string) (_ driver.Stmt, err error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	var stmt driver.Stmt
	err = c.run(true, func() (err error) {
		stmt, err = c.sqliteConn.PrepareContext(ctx, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	s, ok := stmt.(sqliteStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("driver statement %T lacks methods of modernc.org/sqlite", stmt), stmt.Close())
	}
	return &nodeStmt{s, c}, nil
}

func (c *nodeConn) Ping(ctx context.Context) error {
	if c.broken {
		return driver.ErrBadConn
	}
	return c.run(true, func() error { return c.sqliteConn.Ping(ctx) })
}

func (c *nodeConn) ResetSession(ctx context.Context) error {
	if c.broken {
		return driver.ErrBadConn
	}
	return c.sqliteConn.ResetSession(ctx)
}

func (c *nodeConn) IsValid() bool { return !c.broken && c.sqliteConn.IsValid() }

func (c *nodeConn) Close() error { return guard(c.sqliteConn.Close) }
