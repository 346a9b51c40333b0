package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql"
	"github.com/flysql/flysql/internal/scaffold"
)

const nothingWritten = "nothing was written"

// initFlags are the flags of flysql init.
type initFlags struct {
	answers scaffold.Answers
	given   func(flag string) bool

	yes, dryRun, force, json bool
}

func (c *cli) initCommand() *cobra.Command {
	f := &initFlags{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write fly.toml, Dockerfile and .dockerignore for the Go app here",
		Long: `Looks at the Go module in this directory and writes what it needs to run on
Fly.io, on one machine with a volume: fly.toml, Dockerfile and .dockerignore, and
in .flysql/src flysql's own source where the image cannot fetch it.

Everything is shown before it is written, and all files are written or none.
Files that exist with other content are left alone unless --force is given.
On a terminal, init asks; --yes takes the flags and the defaults instead.`,
		Example: "  flysql init\n  flysql init --app shop --region ord --yes\n  flysql init --dry-run",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.given = cmd.Flags().Changed
			if f.yes && f.dryRun {
				return usagef("--yes writes and --dry-run does not: give one of them")
			}
			return c.init(cmd.Context(), f)
		},
	}
	a, flags := &f.answers, cmd.Flags()
	flags.StringVar(&a.App, "app", "", "the app's name on Fly (default: from the module's path)")
	flags.StringVar(&a.Region, "region", scaffold.DefaultRegion, "primary region, near the app's users")
	flags.StringVar(&a.DB, "db", "", "the database's path in the container (default: /data/APP.db)")
	flags.IntVar(&a.SizeGB, "size", scaffold.DefaultSizeGB, "the volume's size in GB")
	flags.StringVar(&a.Main, "main", "", "the main package's directory, such as ./cmd/web (default: the only one)")
	flags.IntVar(&a.Port, "port", 0, "the port that the app listens on (default: from the code, else 8080)")
	flags.StringVar(&a.Migrations, "migrations", "", `directory of SQL migrations, or "none" (default: as found)`)
	flags.StringVar(&a.Command, "command", "", "what the container runs, quoted as for a shell (default: the program)")
	flags.BoolVarP(&f.yes, "yes", "y", false, "write without asking")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the changes as a diff, write nothing")
	flags.BoolVar(&f.force, "force", false, "overwrite files that exist with other content")
	flags.BoolVar(&f.json, "json", false, "print plan and result as JSON; asks nothing")
	for _, flag := range []string{"app", "region", "db", "size", "port", "command"} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions))
	}
	for _, flag := range []string{"main", "migrations"} {
		must(cmd.MarkFlagDirname(flag))
	}
	return cmd
}

// must is for errors that only a mistake in this package can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (c *cli) init(ctx context.Context, f *initFlags) (err error) {
	facts, err := scaffold.Detect(ctx, ".")
	if err != nil {
		return err
	}
	var ask *prompter
	if !f.yes && !f.dryRun && !f.json {
		if ask, err = c.newPrompter(); err != nil {
			return err
		}
	}
	if ask != nil {
		defer func() { err = errors.Join(err, ask.close()) }()
	}
	answers, err := f.complete(ctx, facts, ask)
	if err != nil {
		return err
	}
	info, _ := debug.ReadBuildInfo()
	plan, err := facts.Plan(answers, scaffold.Flysql{Version: publishedVersion(info), Source: flysql.Source()})
	if err != nil {
		return asUsage(err)
	}
	changes, err := plan.Compare()
	if err != nil {
		return fmt.Errorf("%w; %s", err, nothingWritten)
	}
	written, err := c.carryOut(ctx, f, plan, changes, ask)
	if f.json {
		return errors.Join(err, writeInitJSON(c.stdout, plan, changes, f.force, written))
	}
	if err != nil || f.dryRun {
		return err
	}
	c.printDone(changes, written)
	return printNext(c.stdout, plan)
}

// carryOut shows the changes and writes them, if that is what f and the user want.
func (c *cli) carryOut(ctx context.Context, f *initFlags, plan *scaffold.Plan, changes *scaffold.Changes, ask *prompter) (written bool, err error) {
	conflicts := changes.Conflicts()
	if f.force {
		conflicts = nil
	}
	if err := c.printPlan(plan, changes, f); err != nil {
		return false, err // nobody saw what would be written
	}
	switch {
	case f.dryRun && len(conflicts) > 0:
		c.say("--force would be needed: %s", conflictText(conflicts))
		return false, nil
	case f.dryRun:
		return false, nil
	case len(conflicts) > 0:
		return false, fmt.Errorf("%s; --force overwrites; %s", conflictText(conflicts), nothingWritten)
	case !changes.Pending():
		return false, changes.Apply(ctx) // removes what a killed run left
	case ask != nil:
		if err := ask.confirm(ctx); err != nil {
			return false, err
		}
	case !f.yes:
		return false, usagef("to write these files without a terminal to ask on, give --yes; %s", nothingWritten)
	}
	if err := changes.Apply(ctx); err != nil {
		return false, err
	}
	return true, nil
}

// complete turns flags, facts and, on a terminal, the user's answers into
// complete answers.
func (f *initFlags) complete(ctx context.Context, facts *scaffold.Facts, ask *prompter) (scaffold.Answers, error) {
	given := f.answers
	complete, err := facts.Complete(given)
	for ask != nil {
		var choice *scaffold.ChoiceError
		if !errors.As(err, &choice) {
			break
		}
		picked, askErr := ask.choose(ctx, choice)
		if askErr != nil {
			return given, askErr
		}
		switch choice.Flag {
		case "--main":
			given.Main = picked
		case "--migrations":
			given.Migrations = picked
		}
		complete, err = facts.Complete(given)
	}
	if err != nil {
		return given, asUsage(err)
	}
	if ask == nil {
		return complete, nil
	}
	given.App = complete.App
	if err := ask.answers(ctx, &given, f.given); err != nil {
		return given, err
	}
	complete, err = facts.Complete(given)
	return complete, asUsage(err)
}

// asUsage sorts out the errors that other flags would mend.
func asUsage(err error) error {
	var choice *scaffold.ChoiceError
	var answer *scaffold.AnswerError
	if errors.As(err, &choice) || errors.As(err, &answer) {
		return &usageError{err}
	}
	return err
}

// printNext writes the commands that put the app on Fly, as a shell takes them.
func printNext(w io.Writer, plan *scaffold.Plan) error {
	width := 0
	for _, s := range plan.Next {
		width = max(width, len(s.Command))
	}
	text := ""
	for _, s := range plan.Next {
		text += fmt.Sprintf("%-*s  # %s\n", width, s.Command, s.Why)
	}
	_, err := io.WriteString(w, text)
	return err
}
