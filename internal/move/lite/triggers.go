package lite

import (
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// NoTriggers keeps the triggers of the file from firing for what this connection does.
func (c *Conn) NoTriggers() error {
	off := libc.NewVaList(int32(0), uintptr(0))
	defer libc.Xfree(c.tls, off)
	if rc := sqlite3.Xsqlite3_db_config(c.tls, c.db, sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, off); rc != sqlite3.SQLITE_OK {
		return c.err()
	}
	return nil
}
