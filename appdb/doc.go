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
// write-ahead logging, foreign keys on, synchronous=NORMAL, a busy timeout,
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
// # What it does not protect from
//
// A transaction committed just before a power failure may be gone after it, as
// a whole; the file is never damaged by it. The URL parameter
// _synchronous=full makes every commit wait for the disk instead.
package appdb
