package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/flysql/flysql/entrypoint"
)

// run is the command without the process around it. On success with a command to
// exec it does not return.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	inv, err := entrypoint.FromEnv(args, environ)
	switch {
	case inv.Help:
		fmt.Fprint(stdout, entrypoint.Usage)
		return 0
	case inv.Version && err == nil:
		fmt.Fprintln(stdout, "flysql-entrypoint", version())
		return 0
	}
	logger := newLogger(stderr, inv.LogFormat, environ)
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			logger.Error("config", "outcome", "refused", "err", line, "exit", entrypoint.ExitConfig)
		}
		return entrypoint.ExitConfig
	}
	if inv.Status {
		return status(ctx, inv, stdout, stderr)
	}
	inv.Stdin, inv.Stdout, inv.Stderr, inv.Logger = stdin, stdout, stderr, logger
	return entrypoint.ExitCode(entrypoint.Run(ctx, inv.Config))
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
