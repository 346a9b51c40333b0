// Command from-postgres is a magazine's API: posts, who reads them, who pays for them. It
// was on PostgreSQL, and now keeps all of that in one SQLite file; README.md has the move.
//
// It is configured by the environment alone:
//
//	DATABASE_URL  the SQLite file, as appdb.Open takes it; required
//	PORT          the port to listen on; 8080 when unset, 0 for any free one
//
// It does not migrate its database, which flysql-entrypoint does before it starts.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/replay"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// bootCommand migrates the database and then starts the app.
const bootCommand = "flysql-entrypoint --migrations ./migrations -- from-postgres"

const usage = `from-postgres serves a magazine that is kept in one SQLite file.

Usage: DATABASE_URL=FILE [PORT=8080] from-postgres

The database must have been migrated, which flysql-entrypoint does:

  DATABASE_URL=magazine.db ` + bootCommand + `
`

// run serves until it is told to stop and returns the exit code: 0 after an orderly stop,
// 1 when something failed, 2 when the command line or the environment is wrong.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		fmt.Fprintf(stderr, "from-postgres: unexpected argument %q\n\n%s", args[0], usage)
		return 2
	}
	database, port, err := configure(getenv)
	if err != nil {
		fmt.Fprintf(stderr, "from-postgres: %v\n", err)
		return 2
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if err := serve(ctx, database, port, stdout, log); err != nil {
		fmt.Fprintf(stderr, "from-postgres: %v\n", err)
		return 1
	}
	log.Info("stopped")
	return 0
}

// configure reads the environment. What DATABASE_URL holds is never printed: it may still
// be PostgreSQL's, with a password.
func configure(getenv func(string) string) (database string, port uint16, err error) {
	var problems []error
	if database = getenv("DATABASE_URL"); database == "" {
		problems = append(problems, errors.New("DATABASE_URL is not set: set it to the SQLite file, as in DATABASE_URL=/data/magazine.db"))
	}
	port = 8080
	if s := getenv("PORT"); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			problems = append(problems, fmt.Errorf("PORT=%q is not a port: set it to a number from 0 (any free port) to 65535, or leave it unset for 8080", s))
		}
		port = uint16(n)
	}
	return database, port, errors.Join(problems...)
}

// confirm is how long a write is watched on LiteFS for a change of the primary that
// overtakes it: docs/database.md has what it costs and what it saves.
const confirm = 20 * time.Millisecond

// open opens the database. Beside LiteFS the file is on several machines: then the router
// knows who the primary is, which alone writes.
func open(ctx context.Context, database string, port uint16, log *slog.Logger) (*replay.Router, *appdb.DB, error) {
	path, err := appdb.Path(database)
	if err != nil {
		return nil, nil, err
	}
	router, err := replay.New(replay.Config{DB: path, Port: strconv.Itoa(int(port)), Logger: log})
	if err != nil {
		return nil, nil, err
	}
	db, err := appdb.Config{Engine: router.Engine(), Confirm: confirm}.Open(ctx, database)
	if err != nil {
		return nil, nil, errors.Join(err, router.Close())
	}
	return router, db, nil
}

// drain is how long a stop waits for requests in flight.
const drain = 10 * time.Second

// serve opens the database, listens, prints the URL to stdout, and serves until ctx ends
// or a SIGINT or SIGTERM comes.
func serve(ctx context.Context, database string, port uint16, stdout io.Writer, log *slog.Logger) (err error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	router, db, err := open(ctx, database, port, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(), router.Close()) }()
	st, err := newStore(ctx, db)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", ":"+strconv.Itoa(int(port)))
	if err != nil {
		return fmt.Errorf("%w (set PORT to a free port)", err)
	}
	server := &http.Server{
		Handler:           (&app{store: st, router: router, log: log}).handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       drain,
		WriteTimeout:      replay.DefaultWriteWait + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "from-postgres: listening on http://localhost:%d\n", listener.Addr().(*net.TCPAddr).Port)

	select {
	case err := <-served: // it never returns nil, and not by itself unless the listener broke
		return err
	case <-ctx.Done():
	}
	stop() // from here on a second signal ends the process at once
	drained, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err = server.Shutdown(drained); err != nil {
		err = fmt.Errorf("requests still running %v after the stop signal were cut off: %w", drain, errors.Join(err, server.Close()))
	}
	<-served
	return err
}
