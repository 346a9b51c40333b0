package mattn_test

import (
	"database/sql"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/flysql/flysql/e2e/drivers"
)

func TestDriver(t *testing.T) {
	t.Parallel()
	drivers.Test(t, drivers.Driver{
		Open: func(path string, pragmas ...string) (*sql.DB, error) {
			dsn := "file:" + path + "?"
			for _, p := range pragmas {
				dsn += "_" + p + "&"
			}
			return sql.Open("sqlite3", dsn)
		},
		CantOpen: true,
		Refused:  []error{sqlite3.ErrReadonly, sqlite3.ErrCantOpen, sqlite3.ErrIoErrWrite, sqlite3.Error{Code: sqlite3.ErrReadonly}},
	})
}
