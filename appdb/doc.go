// Package appdb opens an app's SQLite file the way a web app needs it.
//
//	db, err := appdb.Open(ctx, os.Getenv("DATABASE_URL")) // file:///data/app.db
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//
//	// One write transaction. Concurrent callers queue; none sees "database is locked".
//	err = db.Update(ctx, func(tx *sql.Tx) error {
//		_, err := tx.ExecContext(ctx, "INSERT INTO messages (body, created_at) VALUES (?, ?)", body, time.Now())
//		return err
//	})
//
//	// Reads run beside it, on connections that cannot write.
//	row := db.Reader().QueryRowContext(ctx, "SELECT body FROM messages WHERE id = ?", id)
//
// It is a pool of readers and a single writer, both plain [*sql.DB] values
// over [modernc.org/sqlite], and the settings that each connection gets:
// write-ahead logging (but on LiteFS), foreign keys on, synchronous=NORMAL, a busy timeout,
// immediate write transactions, and times stored as UTC text.
//
// It is not an ORM, a query builder or a migration tool, and it hides nothing
// of database/sql. It opens files only: neither servers nor in-memory
// databases. Package appdbtest gives each test a file of its own.
//
// # Times
//
// A time.Time is stored as text in UTC, such as 2026-01-02 03:04:05.678+00:00.
// SQLite's date functions read it, and it sorts as text in the order of time
// for the years 0 to 9999. Nanoseconds are kept; the monotonic clock reading
// and the time zone are not.
//
// The driver gives a time.Time back only where the column is declared as
// exactly DATE, DATETIME or TIMESTAMP. From a TEXT column, and from an
// expression such as max(created_at), it gives the text.
//
// # A database that came from PostgreSQL
//
// Checks, indexes, generated columns and views that `flysql import` has made may call
// functions that SQLite has not, such as pg_lower. Every connection has them. Another
// driver, or sqlite3, reads such tables and cannot write to them: functions = "none" in the
// import's options makes a database without.
//
// # On LiteFS, and other engines
//
// Where the file is copied to other machines, Config.Engine says by what, and the DB
// follows: on a replica every write is an [ErrReplica] before anything has happened,
// which names the primary, and from a promotion on it is taken. No connection has to
// be opened again, and a change of the primary does not end the process, whatever
// LiteFS does to SQLite's shared memory.
//
//	node, err := litefs.Open(litefs.Config{})
//	...
//	db, err := appdb.Config{Engine: node, Confirm: 20 * time.Millisecond}.Open(ctx, url)
//
// On a LiteFS mount a new database gets a rollback journal and not WAL, since
// LiteFS loses more in WAL mode; docs/database.md has the figures. The journal mode
// of one that is there is never changed.
//
// A [Local] is a database of one machine alone beside it: a cache, which every
// machine writes.
//
// # What it does not protect from
//
// A transaction committed just before a power failure may be gone after it, as
// a whole; the file is never damaged by it. The URL parameter
// _synchronous=full makes every commit wait for the disk instead.
package appdb
