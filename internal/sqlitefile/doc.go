// Package sqlitefile reads SQLite files and leaves no trace of that.
//
//	err := sqlitefile.Read(ctx, "/data/app.db", false, func(o sqlitefile.Opening) error {
//		db, err := sql.Open("sqlite", o.DSN())
//		...
//	})
//
// A read-only connection to a database in WAL mode creates the -wal and -shm files
// where they are missing, and leaves them there. Read chooses a way to open the file
// that does not.
package sqlitefile
