// Package transfer copies a PostgreSQL database, live or in a dump, into a SQLite file as
// a plan says, and proves that the file has what the database had.
//
//	source, err := transfer.Open(ctx, "postgres://...")   // one snapshot, until Close
//	plan, err := move.NewPlan(source.Schema(), move.Options{})
//	report, err := transfer.Import(ctx, source, plan, "app.db", transfer.Options{})
//	...
//	result, err := transfer.Verify(ctx, source, plan, "app.db", nil) // later, and against another snapshot
//
// The file is made under another name beside app.db, and gets its own when it is whole,
// checked, compared and on disk: whatever happens before, app.db is what it was.
//
// A plan of [move.NewExistingPlan] has rows come into a schema that is there: a copy of its
// file is filled, and the schema comes out as it was.
//
// The file is checked by what has been read of it. SQLite's quick_check looks at all pages,
// checks and NOT NULL, foreign_key_check at the references; the indexes are compared with the
// tables, and the rows with the source's, each by sums that no order matters to.
//
// Memory is bounded, to about 100 MB, but for the size of a row: that is held as a whole, a
// few times over. A bytea of 300 MB has taken 2.5 GB, and 4 GB from a dump. The largest row that PostgreSQL
// prints is of 1 GB, a bytea of 512 MB.
package transfer
