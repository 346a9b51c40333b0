// Command demo shows flysql's main job, whole: it builds flysql from this clone,
// takes a copy of examples/guestbook that has no Fly.io files, runs flysql init
// there, follows the Dockerfile that it wrote, and boots the result through
// flysql-entrypoint. Then it serves until Ctrl-C.
//
// Where root and FUSE are there, the app is set up for three regions: machines in
// network namespaces of their own, a volume each, LiteFS between them, a stand-in
// for Consul, and one for Fly's proxy in front. Nothing of that is on the host's
// network but the proxy's port, on loopback. Elsewhere it is one machine, with a
// directory standing in for the volume; what that cannot stand in for (root, users,
// mounts, apt-get) is named in the output.
//
// With -check it drives the app by itself instead: it writes, reads back,
// restarts or deploys, breaks something, and exits 0 when all went as it must.
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

const usage = `demo sets up the example app with flysql init, boots it through
flysql-entrypoint, and serves it until Ctrl-C.

  make demo [CHECK=1] [DEMO_FLAGS="..."]

  -check      drive it by itself: write, read, deploy, break; exit 0 or 1
  -mode MODE  regions: three, on LiteFS, which needs root and FUSE; volume: one
              machine; auto (default): regions where that can be
  -data DIR   keep the app's data there (default: with the demo's other files)
  -keep       keep the demo's files, and say where they are
`

// run returns the exit code: 0 done, 1 failed, 2 usage, 128+n when signal n ended
// it before the app served.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	check := flags.Bool("check", false, "")
	keep := flags.Bool("keep", false, "")
	data := flags.String("data", "", "")
	asked := auto
	flags.TextVar(&asked, "mode", auto, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "demo: unexpected argument %q\n\n%s", flags.Arg(0), usage)
		return 2
	}

	// Signals are caught to the very end: a second Ctrl-C must not keep the
	// first from cleaning up, which takes no longer than the app's kill_timeout.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case s := <-signals:
			cancel(&interrupted{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()

	d := &demo{say: newPrinter(stdout, stderr, environ), keep: *keep, data: *data, mode: asked}
	err := d.run(ctx, *check)
	err = errors.Join(err, d.close())

	var sig *interrupted
	switch {
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
