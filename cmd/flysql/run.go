package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// The exit codes, beside 128+n when signal n ended the command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // and when --check found a difference
)

// cli is what every verb works with: nothing in this package reads the
// environment or the standard streams by itself.
type cli struct {
	env    []string
	stdin  io.Reader
	stdout io.Writer // data only
	stderr io.Writer // everything else
}

// usageError is a command line that cannot be followed.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// exitError is the exit code of a program that was run in flysql's place, and has said
// what there was to say.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

func usagef(format string, a ...any) error { return &usageError{fmt.Errorf(format, a...)} }

// run is the whole program. It returns its exit code.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{env: env, stdin: stdin, stdout: stdout, stderr: stderr}
	root := c.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var found *findingsError
	if errors.As(err, &found) {
		return exitFailed // the findings say why
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	fmt.Fprintf(stderr, "flysql: %s\n", visible(err.Error())) // a server's words may be in it
	var sig *signalError
	var usage *usageError
	var drift *driftError
	var pending *pendingError
	switch {
	case errors.As(err, &sig):
		return 128 + int(sig.signal)
	case errors.As(err, &usage), errors.As(err, &drift), errors.As(err, &pending):
		return exitUsage
	}
	return exitFailed
}

func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "flysql",
		Short: "SQLite apps in Go, on Fly.io",
		Long: "flysql puts a Go app that keeps its data in one SQLite file on Fly.io.\n" +
			"Begin with flysql init, in the app's repository.",
		SilenceErrors: true, // run prints them
		// Below it, cobra suggests nothing.
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		Args:                       subcommandOnly,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w: %s --help lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(c.initCommand(), c.doctorCommand(), c.volumesCommand(), c.regionsCommand(), c.statusCommand(), c.devCommand(), c.loadCommand(), c.importCommand(), c.verifyCommand(), c.dbCommand(), c.migrateCommand(), c.versionCommand())
	return root
}

// subcommandOnly refuses what is no subcommand, of a command that does nothing itself.
func subcommandOnly(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q; did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return usagef("unknown command %q: %s --help lists them", args[0], cmd.CommandPath())
}

// noArgs refuses arguments of a verb that takes only flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q: %s takes flags only; %s --help lists them", args[0], cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}

// getenv reads a variable; the last one of a name wins, as in a shell.
func (c *cli) getenv(name string) string {
	for _, kv := range slices.Backward(c.env) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// terminal returns the stream's file where it is a terminal, else nil.
func terminal(stream any) *os.File {
	if f, ok := stream.(*os.File); ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd())) {
		return f
	}
	return nil
}

// colors tells whether to write colours to a stream.
func (c *cli) colors(stream io.Writer) bool {
	return terminal(stream) != nil && c.getenv("NO_COLOR") == "" && c.getenv("TERM") != "dumb"
}
