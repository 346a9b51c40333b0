// Package follow keeps a SQLite file in step with the PostgreSQL database that it was
// imported from, until the app changes over.
//
//	source := follow.Source{URL: url, Plan: planner, Path: "app.db"}
//	report, err := follow.Begin(ctx, source, follow.Options{})   // the slot, and the copy at its snapshot
//	err = follow.Run(ctx, source, follow.Options{})              // applies changes until ctx is done
//	...
//	result, err := follow.Cutover(ctx, source, follow.Options{}) // writers have stopped
//
// Changes come by logical replication, or from a table that triggers fill. Those of whole
// transactions of PostgreSQL's, in their order, become one transaction of SQLite's, and the
// position that they end at is written in the same one, in a table of the file's
// ([Table]): so each is applied once, whatever is killed when. PostgreSQL hears of a
// position only when SQLite has it on disk.
//
// Nothing of the app's in PostgreSQL is changed: there is a publication and a slot, or a
// schema and triggers, which Cutover and [Abandon] remove. [Find] finds what is left.
//
// What cannot be followed exactly stops it, with the position before: a row that does not
// fit, a table that has changed, a row that is not in the file.
package follow
