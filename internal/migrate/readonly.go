package migrate

import (
	"context"
	"database/sql"
	"errors"

	"github.com/flysql/flysql/internal/sqlitefile"
)

// readDatabase calls f with a read-only handle on the SQLite file at name. A missing or empty file is not
// opened, and f not called. f may be called again when the database has changed meanwhile. locks is as in
// [sqlitefile.Read].
func readDatabase(ctx context.Context, name string, locks bool, f func(*sql.DB) error) error {
	return sqlitefile.Read(ctx, name, locks, func(o sqlitefile.Opening) (err error) {
		ses, err := newSession(ctx, o.Path, o.Params)
		if err != nil {
			return err
		}
		db := ses.db()
		defer func() { err = errors.Join(err, db.Close(), ses.close()) }()
		return f(db)
	})
}
