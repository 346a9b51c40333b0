package entrypoint

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"
)

// app starts the app: as a function, under supervision, or, with nothing left to
// supervise, in place of this process.
func (b *boot) app(ctx context.Context) error {
	if b.path != "" { // the steps have run
		untell, err := b.tellApp()
		defer untell()
		if err != nil {
			return b.fail(ctx, "app", 0, err)
		}
	}
	if b.App != nil {
		return b.call(ctx)
	}
	path, err := b.find(b.Command)
	if err != nil {
		return b.fail(ctx, "app", 0, err)
	}
	if err := b.fault("app"); err != nil {
		return b.fail(ctx, "app", 0, err)
	}
	if b.Supervise {
		return b.supervise(ctx, path)
	}
	if b.use != nil {
		// The app keeps the lock as long as it lives.
		if err := b.use.share(); err != nil {
			return b.fail(ctx, "app", 0, failed("", "share the database's lock: %w", err))
		}
	}
	b.Logger.LogAttrs(ctx, slog.LevelInfo, "app", slog.String("outcome", "exec"), millis(time.Since(b.began)), slog.String("path", path))
	if err := b.signals.handOver(); err != nil {
		return b.fail(ctx, "app", 0, err)
	}
	err = syscall.Exec(path, b.Command, b.Env)
	return b.fail(ctx, "app", 0, explainExec(path, b.Command, &os.PathError{Op: "exec", Path: path, Err: err}))
}

// explainExec tells a missing interpreter from a missing program: the kernel
// answers ENOENT for both.
func explainExec(path string, argv []string, err error) error {
	if !errors.Is(err, os.ErrNotExist) {
		return notRunnable(argv, err)
	}
	if _, serr := os.Stat(path); serr != nil {
		return notRunnable(argv, err)
	}
	return &Error{Code: ExitNotFound, Err: errors.New(path + " is there, but what runs it is not"),
		Hint: interpreterHint(path)}
}

func interpreterHint(path string) string {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		head := make([]byte, 128)
		n, _ := f.Read(head) // a short read only makes the hint shorter
		if line, _, _ := strings.Cut(string(head[:n]), "\n"); strings.HasPrefix(line, "#!") {
			return "its first line asks for " + strings.TrimSpace(line[2:]) + ": install that in the image (a \\r at its end is a Windows line ending)"
		}
	}
	return "it was linked against a loader that the image lacks: build with CGO_ENABLED=0, or use a base image with the same C library"
}

// call runs the app as a function. A signal ends its context; what it returns
// then is its own affair.
func (b *boot) call(ctx context.Context) error {
	b.Logger.LogAttrs(ctx, slog.LevelInfo, "app", slog.String("outcome", "started"), millis(time.Since(b.began)))
	if err := context.Cause(ctx); err != nil {
		return b.fail(ctx, "app", 0, err)
	}
	err := b.App(ctx)
	if err == nil {
		return nil
	}
	var sig *SignalError
	if errors.As(context.Cause(ctx), &sig) && errors.Is(err, context.Canceled) {
		return &Error{Step: "app", Code: 128 + int(sig.Signal), Err: sig}
	}
	return &Error{Step: "app", Code: ExitFailed, Err: err}
}
