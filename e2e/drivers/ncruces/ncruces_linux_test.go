package ncruces_test

import (
	"database/sql"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	_ "github.com/ncruces/go-sqlite3/embed"

	"github.com/flysql/flysql/e2e/drivers"
)

func TestDriver(t *testing.T) {
	t.Parallel()
	drivers.Test(t, drivers.Driver{
		Open: func(path string, pragmas ...string) (*sql.DB, error) {
			return driver.Open("file:"+path, func(c *sqlite3.Conn) error {
				for _, p := range pragmas {
					if err := c.Exec("PRAGMA " + p); err != nil {
						return err
					}
				}
				return nil
			})
		},
		NoLiteFS: true, // which refuses its locks (F_OFD_SETLK): SQLITE_IOERR_LOCK
		Refused:  []error{sqlite3.READONLY, sqlite3.CANTOPEN, sqlite3.IOERR_WRITE, sqlite3.READONLY_DIRECTORY},
	})
}
