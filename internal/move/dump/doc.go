// Package dump reads what pg_dump has written in plain SQL, as a second source beside a
// live catalog.
//
//	d, err := dump.Open(ctx, "app.sql.gz", dump.Options{})
//	defer d.Close()
//	plan, err := move.NewPlan(d.Schema(), move.Options{})
//	rows, err := d.CopyTable(ctx, w, plan.Tables[0]) // as COPY's text format
//
// A dump is read twice: first wholly, so that a truncated or broken one is refused before
// anything has been made of it, and then the rows of each table, in any order and several
// tables at once. What cannot be read twice, or is compressed, or not in UTF-8, is laid
// into a temporary file first. Rows are never held in memory, but for one at a time of a
// dump with INSERTs.
//
// The schema is that of [move.ReadSchema], with these differences, for a dump does not
// say more: views have no Columns; a function's Definition is as pg_dump lays it out;
// extensions have no Version; privileges have no Detail; only a dump with CREATE DATABASE
// knows the collation, and none the time zone. A table's Rows are those in the dump,
// counted, and its Bytes theirs. A constraint that is inherited is as loading the dump would
// make it: perhaps NOT VALID where it was valid.
package dump
