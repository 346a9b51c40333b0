package lite

import (
	"fmt"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Changes is how many rows the last INSERT, UPDATE or DELETE has changed.
func (c *Conn) Changes() int64 { return sqlite3.Xsqlite3_changes64(c.tls, c.db) }

// DisableTriggers keeps triggers from this connection's changes: those of the rows that it
// is given have fired already.
func (c *Conn) DisableTriggers() error {
	args := libc.NewVaList(int32(0), uintptr(0))
	defer libc.Xfree(c.tls, args)
	if rc := sqlite3.Xsqlite3_db_config(c.tls, c.db, sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, args); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("disable triggers: %w", c.err())
	}
	return nil
}

// Twice reports whether the error is that a value would stand twice where it may once.
func (e *Error) Twice() bool {
	switch e.Code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return true
	}
	return false
}
