// Package migrate applies a directory of SQL migrations to one SQLite file, with the library of the tool
// that the directory was written for: goose, golang-migrate or dbmate. It needs no cgo.
//
//	set, err := migrate.Open(os.DirFS("/app/migrations"), migrate.Options{})
//	if err != nil {
//		return err // no migrations, or doubt about whose they are
//	}
//	applied, err := set.Up(ctx, "/data/app.db")
//
// What the libraries record in the database is theirs: the tool's own command sees a database migrated
// here as its own, and the other way round. What this package adds:
//
//   - [Set.Status], which tells what is pending without writing anything, in one to a few milliseconds (BenchmarkNothingPending).
//   - The place of an error: file, line and column, and the statement.
//   - Contexts: Up can be stopped in the middle of a statement, with every tool.
//   - Refusal, before anything is changed, of a database that another tool has migrated, and of
//     directories that the tools would read differently than was meant.
//
// It takes no lock against a second migrator, no snapshot before and restores nothing after a failure:
// that is the entrypoint's part. It only goes up. Migrations written in Go are not run.
//
// # How the place of an error is found
//
// The libraries hand whole scripts to the driver. They are given a database/sql connection of this
// package's, which passes them on to modernc.org/sqlite one statement at a time, cut where SQLite itself
// would cut. SQLite says at which byte of the failing statement the error is, and the file is searched for
// the scripts the library has run from it.
//
// # Connections
//
// Foreign keys are not enforced, as with the tools' own commands: dropping a table in order to rebuild it
// would otherwise delete the rows that refer to it. The journal mode is left as it is. Transactions take
// the write lock when they begin. Functions and collations that the app has registered with
// modernc.org/sqlite can be used in migrations.
package migrate
