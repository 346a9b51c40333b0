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
	writes bool   // it is the writer's
	born   uint64 // the generation of the node's connections that it belongs to

	// database/sql uses a connection from one goroutine at a time.
	queryOnly error          // the connection only reads, for this reason; nil where it writes
	inTx      bool           // in one that was begun with BeginTx
	writing   bool           // and may write
	broken    error          // why it must not be used again; nil where it may
	faulted   bool           // it is a fault in shared memory
	left      []driver.Stmt  // statements to be closed with it
	witness   engine.Witness // of the transaction; nil where it has none
}

func newNodeConn(conn driver.Conn, n *node, born uint64, writes bool, queryOnly error) (driver.Conn, error) {
	c, ok := conn.(sqliteConn)
	if !ok {
		return nil, fmt.Errorf("driver connection %T lacks methods of modernc.org/sqlite", conn)
	}
	return &nodeConn{sqliteConn: c, node: n, born: born, writes: writes, queryOnly: queryOnly}, nil
}

// errShared is told where a connection met memory that LiteFS had taken away.
var errShared = errors.New("LiteFS has taken the shared memory of the database away, as it may when the primary changes: begin again")

// guard runs op, and makes an error of a fault in the database's mapped memory.
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
			if !mapped(r.Addr()) {
				panic(r) // a fault of the program's own
			}
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
	case c.broken != nil && c.inTx:
		return c.broken
	case c.broken != nil:
		return driver.ErrBadConn
	case c.inTx:
		return c.mayGoOn()
	case !c.writes:
		return c.node.waitHeld(ctx)
	}
	// On a replica the writer reads: SQLite then refuses a write before it begins.
	queryOnly := c.node.await(ctx)
	switch {
	case queryOnly != nil && ctx.Err() != nil:
		return queryOnly
	case (queryOnly == nil) == (c.queryOnly == nil):
		c.queryOnly = queryOnly // the primary may be another
		return nil
	case c.queryOnly != nil:
		// The file may not be open for writing either: LiteFS lets only the primary.
		c.broken = errPromoted
		return driver.ErrBadConn // database/sql takes another
	}
	// A transaction that was begun as SQL text would still commit then.
	if err := c.undo(); !noTransaction(err) {
		c.broken = queryOnly
		return queryOnly
	}
	if err := execPragmas(ctx, c.sqliteConn, map[string]string{"query_only": "on"}); err != nil {
		return err
	}
	c.queryOnly = queryOnly
	return nil
}

// errPromoted gives up a connection that was made to read.
var errPromoted = errors.New("this machine has become the primary")

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
	c.broken = &ReplicaError{Primary: st.Primary}
	return c.broken
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
		c.broken, c.faulted = err, true
		c.node.renewSoon()
		switch {
		case c.inTx: // its end will say so
			return err
		case again:
			if !c.writes {
				time.Sleep(2 * faultRest) // the next connection fares better then
			}
			return driver.ErrBadConn
		case c.writes && c.queryOnly == nil:
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		return err
	case !c.writes:
		return err
	}
	refused, ok := c.node.replicaError(err)
	if ok && !(c.queryOnly != nil && isReadOnly(err)) {
		c.broken = refused // it may hold half of a transaction that it can neither end nor undo
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
func (c *nodeConn) readOnly() bool { return !c.writes || c.queryOnly != nil }

// SQLite closes no connection that has a statement left, and keeps its locks. The
// driver's own BeginTx, ExecContext and QueryContext lose sight of one that meets a
// fault, so they are made of statements that are known here.

func (c *nodeConn) BeginTx(ctx context.Context, opts driver.TxOptions) (tx driver.Tx, err error) {
	defer func() { tell(ctx, err) }()
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	begin := "BEGIN"
	writing := c.writes && !opts.ReadOnly
	if writing {
		if c.queryOnly != nil {
			return nil, c.queryOnly
		}
		begin = "BEGIN IMMEDIATE"
	}
	if err := c.exec(ctx, true, begin); err != nil {
		_ = c.undo() // it may have begun when ctx ended
		return nil, err
	}
	c.inTx, c.writing, c.witness = true, writing, engine.WitnessOf(ctx)
	return &nodeTx{c}, nil
}

// exec runs a statement that returns nothing.
func (c *nodeConn) exec(ctx context.Context, again bool, query string) error {
	stmt, err := c.prepare(ctx, query)
	if err != nil {
		return err
	}
	_, err = stmt.exec(ctx, again, nil)
	_ = stmt.Close() // it would say the same
	return err
}

// undo ends a transaction, if there is one. After a fault that is for Close to do.
func (c *nodeConn) undo() error {
	if c.faulted {
		return nil
	}
	return c.exec(context.Background(), false, "ROLLBACK")
}

func (c *nodeConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	defer func() { tell(ctx, err) }()
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	stmt, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	res, err = stmt.execAlone(ctx, args)
	_ = stmt.Close()
	return res, err
}

func (c *nodeConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (_ driver.Rows, err error) {
	defer func() { tell(ctx, err) }()
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	stmt, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.query(ctx, args)
	if err != nil {
		_ = stmt.Close()
		return nil, err
	}
	rows.stmt = stmt
	return rows, nil
}

func (c *nodeConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	stmt, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt, nil
}

// Prepare implements [driver.Conn], for who has the connection from sql.Conn.Raw.
func (c *nodeConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// Begin implements [driver.Conn].
func (c *nodeConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// NewRestore begins to replace the database by another, which is a write.
func (c *nodeConn) NewRestore(src string) (*sqlite.Backup, error) {
	if err := c.ready(context.Background()); err != nil {
		return nil, err
	}
	if c.queryOnly != nil {
		return nil, c.queryOnly
	}
	return c.sqliteConn.NewRestore(src)
}

// Serialize returns the database as the bytes of a file.
func (c *nodeConn) Serialize() (data []byte, err error) {
	err = c.run(false, func() (err error) {
		data, err = c.sqliteConn.Serialize()
		return err
	})
	return data, err
}

func (c *nodeConn) prepare(ctx context.Context, query string) (*nodeStmt, error) {
	if c.node.litefs && setsJournal.MatchString(query) {
		return nil, errJournal
	}
	var stmt driver.Stmt
	err := c.run(true, func() (err error) {
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
	if c.broken != nil {
		return driver.ErrBadConn
	}
	return c.run(true, func() error { return c.sqliteConn.Ping(ctx) })
}

func (c *nodeConn) ResetSession(ctx context.Context) error {
	// Who holds on to a Conn cannot be given another one later.
	if !c.fresh() || c.queryOnly != nil && c.node.primary() {
		return driver.ErrBadConn
	}
	return c.sqliteConn.ResetSession(ctx)
}

func (c *nodeConn) IsValid() bool { return c.fresh() && c.sqliteConn.IsValid() }

// Close closes the connection. SQLite looks into the shared memory once more when the
// last connection closes that may write, and a fault there could not be survived: so it
// waits until that can be read, which is a matter of milliseconds.
func (c *nodeConn) Close() error {
	for start := time.Now(); c.writes && !c.node.sound() && time.Since(start) < settle; {
		time.Sleep(faultRest / 4)
	}
	for _, stmt := range c.left {
		_ = guard(stmt.Close) // ends its transaction, one way or the other
	}
	return c.sqliteConn.Close()
}

// fresh reports whether the connection may have another user.
func (c *nodeConn) fresh() bool { return c.broken == nil && c.born == c.node.generation.Load() }
