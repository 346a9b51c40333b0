// Command guestbook is a small web app that keeps its data in one SQLite file:
// guests sign with a name and a message, and every page counts its readers.
//
// It is configured by the environment alone:
//
//	DATABASE_URL  the SQLite file, as appdb.Open takes it; required
//	PORT          the port to listen on; 8080 when unset, 0 for any free one
//	FLYSQL_LOCAL_DIR  where its cache is; flysql-entrypoint sets it
//	FLY_REGION, FLY_MACHINE_ID  shown in the footer when set
//
// Beside LiteFS the file is on several machines, and one of them writes: requests that
// write are sent there, by package replay.
//
// It does not migrate its database. That is flysql-entrypoint's work, done
// before the app starts; see README.md.
package main

import (
	"context"
	"errors"
	"flag"
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

const usage = `guestbook serves a guestbook kept in one SQLite file.

Usage: DATABASE_URL=FILE [PORT=8080] guestbook

The database must have been migrated, which flysql-entrypoint does:

  DATABASE_URL=guestbook.db ` + bootCommand + `
`

// bootCommand migrates the database and then starts the app. It reads the
// same DATABASE_URL as the app does.
const bootCommand = "flysql-entrypoint --migrations ./migrations -- guestbook"

// run serves until it is told to stop and returns the exit code: 0 after an orderly
// stop, 1 when something failed, 2 when the command line or the environment
// is wrong.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("guestbook", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "guestbook: unexpected argument %q\n\n%s", flags.Arg(0), usage)
		return 2
	}
	cfg, err := configure(getenv)
	if err != nil {
		fmt.Fprintf(stderr, "guestbook: %v\n", err)
		return 2
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	switch err := serve(ctx, cfg, stdout, log); {
	case errors.Is(err, context.Canceled):
		return 0 // told to stop before it had started
	case err != nil:
		fmt.Fprintf(stderr, "guestbook: %v\n", err)
		return 1
	}
	log.Info("stopped")
	return 0
}

// config is what the environment says.
type config struct {
	database string        // what DATABASE_URL holds; never printed, for it may be a DSN with a password
	local    string        // the cache's directory; "" leaves it to appdb
	port     uint16        // 0 is any free port
	drain    time.Duration // how long a stop waits for requests in flight
	site     site
}

func configure(getenv func(string) string) (config, error) {
	cfg := config{
		database: getenv("DATABASE_URL"),
		local:    getenv(appdb.LocalDirVariable),
		port:     8080,
		// No request takes longer to read than readTimeout, so this lets
		// even a slow upload end well.
		drain: readTimeout,
		site:  site{Region: getenv("FLY_REGION"), Machine: getenv("FLY_MACHINE_ID")},
	}
	var problems []error
	if cfg.database == "" {
		problems = append(problems, errors.New("DATABASE_URL is not set: set it to the SQLite file, as in DATABASE_URL=/data/guestbook.db"))
	}
	if s := getenv("PORT"); s != "" {
		port, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			problems = append(problems, fmt.Errorf("PORT=%q is not a port: set it to a number from 0 (any free port) to 65535, or leave it unset for 8080", s))
		}
		cfg.port = uint16(port)
	}
	return cfg, errors.Join(problems...)
}

// open opens the database. Beside LiteFS the file is on several machines: then the
// router knows who the primary is, which alone writes.
func open(ctx context.Context, cfg config, log *slog.Logger) (rt *replay.Router, db *appdb.DB, err error) {
	path, err := appdb.Path(cfg.database)
	if err != nil {
		return nil, nil, err
	}
	rt, err = replay.New(replay.Config{DB: path, Port: strconv.Itoa(int(cfg.port)), Logger: log})
	if err != nil {
		return nil, nil, err
	}
	db, err = appdb.Config{Engine: rt.Engine(), Confirm: confirm}.Open(ctx, cfg.database)
	if err != nil {
		return nil, nil, errors.Join(err, rt.Close())
	}
	return rt, db, nil
}

// confirm is how long a write is watched on LiteFS for a change of the primary that
// overtakes it: docs/database.md has what it costs and what it saves.
const confirm = 20 * time.Millisecond

// serve opens the database, listens, prints the URL to stdout, and serves
// until ctx ends or a SIGINT or SIGTERM comes. Then it stops accepting, lets
// the requests in flight finish within cfg.drain, and closes the database
// last. Told to stop before it listens, it returns context.Canceled.
func serve(ctx context.Context, cfg config, stdout io.Writer, log *slog.Logger) (err error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	rt, db, err := open(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(), rt.Close()) }()
	st := &store{db: db}
	if err := st.checkTables(ctx); err != nil {
		return err
	}
	ca := openCache(ctx, cfg.local, log)
	defer func() { err = errors.Join(err, ca.Close()) }()
	app, err := newApp(st, ca, rt, cfg.site, log)
	if err != nil {
		return err
	}

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", ":"+strconv.Itoa(int(cfg.port)))
	if err != nil {
		return fmt.Errorf("%w (set PORT to a free port)", err)
	}
	server := &http.Server{
		Handler:           app.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       readTimeout,
		WriteTimeout:      replay.DefaultWriteWait + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "guestbook: listening on http://localhost:%d\n", listener.Addr().(*net.TCPAddr).Port)

	select {
	case err := <-served: // it never returns nil, and not by itself unless the listener broke
		return err
	case <-ctx.Done():
	}
	stop() // from here on a second signal ends the process at once
	log.Info("stopping", "drain", cfg.drain)
	drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.drain)
	defer cancel()
	if err := server.Shutdown(drainCtx); err != nil {
		err = errors.Join(err, server.Close())
		<-served
		return fmt.Errorf("requests still running %v after the stop signal were cut off: %w", cfg.drain, err)
	}
	<-served
	return nil
}
