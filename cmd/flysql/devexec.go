package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/dev"
)

// The exit codes for a program that cannot be run, as shells have them.
const (
	exitCannotRun = 126
	exitNotFound  = 127
)

func (c *cli) devExecCommand() *cobra.Command {
	f := &devFlags{headless: true}
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND...",
		Short: "Run a command against the app in several regions, for tests and CI",
		Long: `Starts the app's machines as flysql dev does, runs the command, takes the machines down,
and exits with the command's code (128+n where signal n ended it, 127 where there is no
such program). The command has its own standard streams; flysql itself says something
only when it fails, on stderr. Signals go to the command.

The command finds the app by its environment:

  FLYSQL_DEV_URL           where the app is, as for a client in the primary region
  FLYSQL_DEV_URL_AMS, ...  the same for each region, at a port of its own
  FLYSQL_DEV_REGIONS       the regions: ams,ord,syd
  FLYSQL_DEV_API           what the page's buttons do: POST to it /machines/ams1/kill
  FLYSQL_DEV_ENGINE        litefs, or volume where there is one machine without
  FLYSQL_DEV_LOGS          a directory: ams1/log in it is the log of machine ams1

The machines are under .flysql/exec, and begin with nothing each time; --fresh=false
goes on with what is there. A flysql dev may run beside it.`,
		Example: "  flysql dev exec -- go test ./e2e/...\n  flysql dev exec --regions ams,syd --latency none --command 'npm start' -- npm test\n  flysql dev exec -- sh -c 'curl -fsS $FLYSQL_DEV_URL_SYD/healthz'",
		Args:    devExecOnly,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.given = cmd.Flags().Changed
			if err := f.check(); err != nil {
				return err
			}
			return c.devExec(cmd.Context(), f, args)
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.port, "port", 0, "port to listen on, of loopback; 0 is any that is free")
	flags.StringVar(&f.command, "command", "", "the app, built already, quoted as for a shell (default: what the Dockerfile builds and runs)")
	must(cmd.RegisterFlagCompletionFunc("command", cobra.NoFileCompletions))
	flags.BoolVar(&f.fresh, "fresh", true, "begin without what the machines had")
	return cmd
}

// devExecOnly wants a command after --.
func devExecOnly(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	switch {
	case len(args) == 0 || dash == len(args):
		return usagef("no command to run: %s -- go test ./e2e/...", cmd.CommandPath())
	case dash != 0:
		return usagef("unexpected argument %q: the command stands after --, as in %s -- %s", args[0], cmd.CommandPath(), shellCommand(args))
	case strings.TrimSpace(args[0]) == "":
		return usagef("the command after -- is empty")
	}
	return nil
}

// devExec is the verb.
func (c *cli) devExec(ctx context.Context, f *devFlags, command []string) error {
	app, err := shellquote.Split(f.command)
	if err != nil || f.given("command") && len(app) == 0 {
		return usagef("--command %s: quote it as for a shell", shellArgument(f.command))
	}
	o, err := f.options(c, app)
	if err != nil {
		return err
	}
	o.StateDir = filepath.Join(o.Dir, ".flysql", "exec")
	if err := c.devReady(o); err != nil {
		return err
	}
	program, err := c.lookProgram(command[0])
	if err != nil {
		return err
	}
	stops, release := withStops(ctx, c.sayStopping)
	defer release()
	o.Kill, o.Page = stops.kill.Done(), devPage
	working := c.working("starting the machines")
	last := &lastState{}
	session, err := dev.Start(stops.run, o, last.tell)
	working()
	if err != nil {
		return devStartFailed(stops, last, err)
	}
	code, err := c.execBeside(stops, session, o, program, command)
	if err = errors.Join(err, session.Close(stops.kill)); err != nil {
		return err
	}
	if code != 0 {
		c.say("flysql: %s ended with exit code %d; the machines' logs are %s", shellArgument(command[0]), code, devLogs(session.State()))
		return &exitError{code}
	}
	return nil
}

// execBeside runs a command beside machines that all serve.
func (c *cli) execBeside(stops *stops, session *dev.Session, o dev.Options, program string, command []string) (code int, err error) {
	s := session.State()
	for _, m := range s.Machines {
		if m.Error != "" {
			return 0, fmt.Errorf("machine %s did not come up, so the command was not run: %s\nits log is %s", m.ID, m.Error, m.Log)
		}
	}
	if s.Why != "" && !o.Single {
		c.say("note: one machine, without LiteFS: %s", visible(s.Why))
	}
	env, err := devEnv(s, session.Listen)
	if err != nil {
		return 0, err
	}
	return c.runCommand(stops, program, command, append(c.env, env...))
}

// lookProgram finds a program, or returns the exit code that a shell would.
func (c *cli) lookProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil || errors.Is(err, exec.ErrDot) {
		return path, nil
	}
	c.say("flysql: the command %s: %v", shellArgument(name), errors.Unwrap(err))
	if errors.Is(err, fs.ErrPermission) {
		return "", &exitError{exitCannotRun}
	}
	return "", &exitError{exitNotFound}
}

// devEnv tells a command where the app is. listen opens a region's own address, for few
// programs can resolve the names below localhost.
func devEnv(s dev.State, listen func(region string) (string, error)) ([]string, error) {
	var codes []string
	env := []string{"FLYSQL_DEV_URL=" + s.URL, "FLYSQL_DEV_API=" + s.URL + dev.PagePrefix + "/api", "FLYSQL_DEV_ENGINE=" + s.Engine, "FLYSQL_DEV_LOGS=" + devMachines(s)}
	for _, r := range s.Regions {
		at, err := listen(r.Code)
		if err != nil {
			return nil, err
		}
		codes = append(codes, r.Code)
		env = append(env, "FLYSQL_DEV_URL_"+strings.ToUpper(r.Code)+"="+at)
	}
	return append(env, "FLYSQL_DEV_REGIONS="+strings.Join(codes, ",")), nil
}

// devMachines is a directory: ams1/log in it is a machine's log.
func devMachines(s dev.State) string {
	return filepath.Dir(filepath.Dir(s.Machines[0].Log)) // there is always one
}

// devLogs are all the logs, for a shell.
func devLogs(s dev.State) string { return filepath.Join(devMachines(s), "*", "log") }

// runCommand runs a command to its end, and returns its exit code. The first signal is
// its own to heed; a second ends it at once.
func (c *cli) runCommand(stops *stops, program string, args, env []string) (code int, err error) {
	cmd := &exec.Cmd{Path: program, Args: args, Env: env, Stdin: c.stdin, Stdout: c.stdout, Stderr: c.stderr}
	// A terminal gives Ctrl-C to all that stand before it, and wants no other group to
	// read from it. Elsewhere the command has a group, so that all of it gets a signal.
	shared := terminal(c.stdin) != nil
	ownGroup(cmd, !shared)
	started := make(chan struct{})
	err = stops.giveTo(func(s syscall.Signal) {
		<-started
		if !shared || s != syscall.SIGINT {
			signalCommand(cmd, s, !shared)
		}
	})
	if err != nil {
		return 0, err
	}
	defer func() { _ = stops.giveTo(nil) }() // nil is always taken
	err = cmd.Start()
	close(started)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", shellArgument(args[0]), err)
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-stops.kill.Done():
			signalCommand(cmd, syscall.SIGKILL, !shared)
		case <-ended:
		}
	}()
	err = cmd.Wait()
	close(ended)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("run %s: %w", shellArgument(args[0]), err)
	}
	return exitCodeOf(cmd.ProcessState), nil
}
