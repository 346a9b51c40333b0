package appdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/flysql/flysql/engine"
)

// sqliteStmt and sqliteRows are what those of the driver can do.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type sqliteRows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// A nodeTx is a transaction of a nodeConn.
type nodeTx struct{ conn *nodeConn }

// Commit does not commit where this machine is no longer the primary. In WAL mode
// LiteFS learns of a commit when SQLite has acknowledged it already: on a replica it
// can only end itself then.
func (t *nodeTx) Commit() (err error) {
	c := t.conn
	defer t.ended()
	if c.writing {
		defer func() { c.committed(c.witness, err) }()
	}
	if c.writing && c.broken == nil {
		c.broken = c.node.await(context.Background())
	}
	if c.broken != nil {
		_ = c.undo() // the connection is given up, and with it what it did
		return c.broken
	}
	err = c.exec(context.Background(), false, "COMMIT")
	if err == nil {
		return nil
	}
	_ = c.undo() // SQLite may be in it still
	if c.writing && errors.Is(err, errShared) {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}

func (t *nodeTx) Rollback() error {
	defer t.ended()
	err := t.conn.undo()
	if t.conn.broken != nil {
		return nil // Close undoes what this could not
	}
	return err
}

func (t *nodeTx) ended() { t.conn.inTx, t.conn.writing, t.conn.witness = false, false, nil }

// A nodeStmt is a prepared statement of a nodeConn.
type nodeStmt struct {
	sqliteStmt
	conn *nodeConn
}

func (s *nodeStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (_ driver.Result, err error) {
	defer func() { tell(ctx, err) }()
	if err := s.conn.ready(ctx); err != nil {
		return nil, err
	}
	return s.execAlone(ctx, args)
}

// Exec implements [driver.Stmt], for who has the connection from sql.Conn.Raw.
func (s *nodeStmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

// Query implements [driver.Stmt].
func (s *nodeStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

func named(args []driver.Value) []driver.NamedValue {
	values := make([]driver.NamedValue, len(args))
	for i, v := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return values
}

func (s *nodeStmt) exec(ctx context.Context, again bool, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.conn.run(again, func() (err error) {
		res, err = s.sqliteStmt.ExecContext(ctx, args)
		return err
	})
	return res, err
}

// execAlone is exec for somebody's statement, which is committed where it is in no
// transaction.
func (s *nodeStmt) execAlone(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	alone := s.conn.alone()
	res, err := s.exec(ctx, s.conn.readOnly(), args)
	if alone {
		s.conn.committed(engine.WitnessOf(ctx), err)
	}
	return res, err
}

func (s *nodeStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (_ driver.Rows, err error) {
	defer func() { tell(ctx, err) }()
	if err := s.conn.ready(ctx); err != nil {
		return nil, err
	}
	rows, err := s.query(ctx, args)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func (s *nodeStmt) query(ctx context.Context, args []driver.NamedValue) (*nodeRows, error) {
	var rows driver.Rows
	err := s.conn.run(s.conn.readOnly(), func() (err error) {
		rows, err = s.sqliteStmt.QueryContext(ctx, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	r, ok := rows.(sqliteRows)
	if !ok {
		return nil, errors.Join(fmt.Errorf("driver rows %T lack methods of modernc.org/sqlite", rows), rows.Close())
	}
	return &nodeRows{sqliteRows: r, conn: s.conn, alone: s.conn.alone(), witness: engine.WitnessOf(ctx)}, nil
}

// Close closes the statement. On a connection that has met a fault that could meet it
// again, and has time until the connection is closed.
func (s *nodeStmt) Close() error {
	if s.conn.faulted {
		s.conn.left = append(s.conn.left, s.sqliteStmt)
		return nil
	}
	return guard(s.sqliteStmt.Close)
}

// nodeRows are the rows of a query on a nodeConn.
type nodeRows struct {
	sqliteRows
	conn *nodeConn
	stmt *nodeStmt // to be closed with them; nil where it is the caller's

	alone   bool // they may be those of a write, which is committed at their end
	witness engine.Witness
}

func (r *nodeRows) Next(dest []driver.Value) error {
	err := r.conn.run(false, func() error { return r.sqliteRows.Next(dest) })
	if err != nil { // the last one, mostly
		r.ended(err)
	}
	return err
}

func (r *nodeRows) ended(err error) {
	if !r.alone {
		return
	}
	r.alone = false
	if err == io.EOF {
		err = nil
	}
	r.conn.committed(r.witness, err)
}

func (r *nodeRows) Close() error {
	err := r.conn.run(false, r.sqliteRows.Close)
	r.ended(err)
	if r.stmt != nil {
		err = errors.Join(err, r.stmt.Close())
	}
	return err
}
