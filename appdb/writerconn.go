package appdb

import (
	"context"
	"database/sql/driver"
	"fmt"

	"modernc.org/sqlite"
)

// sqliteConn is what a connection of the driver can do, so that sql.Conn.Raw still
// finds it on a writerConn.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	Serialize() ([]byte, error)
	Deserialize([]byte) error
	NewBackup(dst string) (*sqlite.Backup, error)
	NewRestore(src string) (*sqlite.Backup, error)
	IsReadOnly(schema string) (bool, error)
	FileControlPersistWAL(name string, mode int) (int, error)
	RegisterPreUpdateHook(sqlite.PreUpdateHookFn)
	RegisterCommitHook(sqlite.CommitHookFn)
	RegisterRollbackHook(sqlite.RollbackHookFn)
}

// writerConn is the connection that writes. Its next user never finds a
// transaction that the last one left open (a BEGIN as SQL text, then an error):
// what was written in it would be acknowledged and never committed.
type writerConn struct{ sqliteConn }

func newWriterConn(conn driver.Conn) (driver.Conn, error) {
	c, ok := conn.(sqliteConn)
	if !ok {
		return nil, fmt.Errorf("driver connection %T lacks methods of modernc.org/sqlite", conn)
	}
	return writerConn{c}, nil
}

// ResetSession implements [driver.SessionResetter]: database/sql calls it before
// it hands the connection out again.
func (c writerConn) ResetSession(ctx context.Context) error {
	if err := c.sqliteConn.ResetSession(ctx); err != nil {
		return err
	}
	// SQLite has no statement that asks. That this fails, for want of a
	// transaction, is the usual case.
	_, _ = c.sqliteConn.ExecContext(context.Background(), "ROLLBACK", nil)
	if !c.IsValid() {
		return driver.ErrBadConn // what it undid was to be written where this machine is not the primary any more
	}
	return nil
}
