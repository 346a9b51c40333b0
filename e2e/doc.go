// Package e2e holds the proofs that flysql works as a whole: an app's repository
// gets its files from flysql init, the image is built by the Dockerfile's own
// instructions, flysql-entrypoint boots it on a volume, and the app serves,
// survives restarts, kills, a full disk and a migration that fails.
//
// It is a module of its own, so that what only tests need never reaches a user
// of flysql. The packages below it are its tools:
//
//	image      builds and boots a Dockerfile without a container engine
//	apprepo    makes app repositories as a user would have them
//	fly        what Fly.io adds to an image, from fly.toml
//	network    a private network for machines, as Fly gives them one
//	guestbook  a client of the example app
//	frompostgres  a real PostgreSQL moved into examples/from-postgres, which is booted on it
//	left       what a program has left behind
//	poll       waits for something, without guessing how long it takes
//	demo       the program behind `make demo`
//	notrun     the program behind the last line of `make test`
//
// The tests that mount file systems need root on Linux, and are skipped by name
// without it.
package e2e
