// Package move brings a PostgreSQL database into SQLite.
//
//	schema, err := move.ReadSchema(ctx, conn)          // what is there, all of it
//	plan, err := move.NewPlan(schema, move.Options{})  // what becomes of it, and what is lost
//	for _, statement := range plan.DDL() { ... }
//
// A [Schema] holds what is in a database, as PostgreSQL itself prints it; what has no
// place in it is in Others by name, so that nothing is dropped unseen. A [Plan] says
// for each column how it is declared and stored in SQLite, which conversion brings a
// value there, what that loses, and which other ways there are. Package convert has the
// conversions, package pgexpr turns PostgreSQL's expressions into SQLite's.
//
// Where an app's own migrations have made a SQLite schema already, [ReadExisting] reads that
// and [NewExistingPlan] plans how the rows come into it.
//
// It copies nothing by itself, and it never opens a file.
package move
