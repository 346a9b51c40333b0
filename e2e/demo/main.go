// Command demo shows flysql's main job: it builds flysql from this clone, takes a copy of
// examples/guestbook that has no Fly.io files, runs flysql init there, and then flysql dev,
// which runs the app as Fly would, with a page that shows what happens.
//
// Where root and FUSE are there, the app is set up for three regions, on LiteFS. Elsewhere it
// is one machine with one SQLite file.
//
// With -check it drives the app by itself instead, by what flysql dev --json tells and what
// its page's buttons do: it writes, reads, deploys, breaks things, and exits 0 when all went
// as it must.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

const usage = `demo sets up the example app with flysql init, runs it with flysql dev,
and serves it until Ctrl-C.

  make demo [CHECK=1] [DEMO_FLAGS="..."]

  -check    drive it by itself: write, read, deploy, break; exit 0 or 1
  -port N   serve there (default: 8080, or the next that is free)
  -single   one machine, also where root and FUSE are there for three regions
  -dir DIR  make the app's repository there, and leave it with its data; one that
            is there is gone on with (default: removed at the end)
  -keep     keep the demo's files, and say where they are
`

// run returns the exit code: 0 done, 1 failed, 2 usage, 128+n when signal n ended
// it before flysql dev ran.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	d := &demo{say: newPrinter(stdout, stderr, environ), stdout: stdout, stderr: stderr}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	check := flags.Bool("check", false, "")
	flags.BoolVar(&d.single, "single", false, "")
	flags.BoolVar(&d.keep, "keep", false, "")
	flags.StringVar(&d.repo, "dir", "", "")
	flags.IntVar(&d.port, "port", -1, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "demo: unexpected argument %q\n\n%s", flags.Arg(0), usage)
		return 2
	case *check && d.port >= 0:
		fmt.Fprintf(stderr, "demo: -check takes any port that is free\n\n%s", usage)
		return 2
	}

	ctx, again, release := signals(ctx)
	defer release()
	d.again = again
	err := d.run(ctx, *check)
	closed := d.close()

	var sig *interrupted
	switch {
	case closed != nil:
		err = errors.Join(err, closed)
	case err == nil:
		return 0
	case errors.As(context.Cause(ctx), &sig):
		d.say.line("")
		d.say.line("stopped by " + sig.Error())
		return 128 + int(sig.signal)
	}
	d.say.failure(err)
	return 1
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal syscall.Signal }

func (e *interrupted) Error() string { return unix.SignalName(e.signal) }

// signals ends the context with the first signal, and closes again with the second. They are
// caught to the very end: one more must not keep what goes on then from cleaning up.
func signals(parent context.Context) (ctx context.Context, again <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancelCause(parent)
	received := make(chan os.Signal, 8)
	signal.Notify(received, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	second, over := make(chan struct{}), make(chan struct{})
	go func() {
		for count := 0; ; {
			select {
			case s := <-received:
				if count++; count == 1 {
					cancel(&interrupted{s.(syscall.Signal)})
				} else if count == 2 {
					close(second)
				}
			case <-over:
				return
			}
		}
	}()
	return ctx, second, func() { close(over); cancel(nil) }
}
