// Package entrypoint boots an app that keeps its data in SQLite: it makes sure
// that the database lies on a disk that stays, runs the migrations, and only
// then starts the app.
//
// It is the container's ENTRYPOINT, because nothing else on Fly.io can migrate a
// SQLite database: a release_command runs on a temporary machine that has no
// volume. The command cmd/flysql-entrypoint is this package behind flags and
// environment variables; an app that would rather boot in its own process calls
// Run with an embedded file system and a function:
//
//	//go:embed migrations/*.sql
//	var migrations embed.FS
//
//	err := entrypoint.Run(ctx, entrypoint.Config{
//		DB:         os.Getenv("DATABASE_URL"),
//		Migrations: migrations,
//		App:        serve, // func(context.Context) error
//	})
//	os.Exit(entrypoint.ExitCode(err))
//
// A boot is a row of steps, and each logs one line with its outcome and its
// time: mode, guard, own, check, snapshot, migrate, app. A step that fails stops
// the boot; the app is not started.
//
// What a boot promises:
//
//   - On Fly (FLY_MACHINE_ID is set) no app starts while its database's
//     directory is on a disk that vanishes with the machine.
//   - A file that is damaged, or is no SQLite database, is not written to.
//   - A -wal or -journal that a crash left is recovered by SQLite and never
//     deleted by this package while it could hold data.
//   - Pending migrations are applied once, however many boots run at the same
//     time. When they fail half-way, the database is put back as it was.
//   - kill -9 at any point leaves files that the next boot understands.
//
// Where Config.LiteFS names a litefs.yml, or /etc/litefs.yml is there, the boot also
// brings a LiteFS node up before those steps and takes it down after the app, which
// then runs as a child: mode, guard, own, node, then check, snapshot and migrate on
// the primary or schema on a replica, app, handoff, node. What opens the database is a
// process of its own: this program, started again. Of what the app has committed
// nothing is lost when a primary is stopped and another node may take over, nor when a
// replica takes over in order to migrate: the lease moves only to a node that has all.
//
// The package is not an init system, a process manager or a migration tool: with
// nothing left to supervise it execs the app and is gone.
//
// Everything it keeps is in a directory named .flysql beside the database, or beside
// LiteFS's data: two lock files, the snapshots, and, while migrations run, a journal.
package entrypoint
