package modernc_test

import (
	"database/sql"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/flysql/flysql/e2e/drivers"
)

func TestDriver(t *testing.T) {
	t.Parallel()
	drivers.Test(t, drivers.Driver{CantOpen: true, Open: func(path string, pragmas ...string) (*sql.DB, error) {
		dsn := "file:" + path + "?"
		for _, p := range pragmas {
			dsn += "_pragma=" + p + "&"
		}
		return sql.Open("sqlite", dsn)
	}})
}
