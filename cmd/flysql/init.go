package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql"
	"github.com/flysql/flysql/internal/scaffold"
)

const (
	nothingWritten = "nothing was written"
	writeThese     = "Write these files?"
)

// initFlags are the flags of flysql init.
type initFlags struct {
	answers scaffold.Answers
	given   func(flag string) bool

	mode  string
	mains []string // of --main, which may be given several times

	yes, dryRun, diff, check, force, json bool
}

// exclusive says that flags were given of which each asks for another end.
func (f *initFlags) exclusive() error {
	var given []string
	for _, flag := range []struct {
		name string
		set  bool
	}{{"--yes", f.yes}, {"--dry-run", f.dryRun}, {"--diff", f.diff}, {"--check", f.check}} {
		if flag.set {
			given = append(given, flag.name)
		}
	}
	switch {
	case len(given) > 1:
		return usagef("%s cannot be given together: --yes writes, --dry-run and --diff show what would be written, --check tells whether anything differs", strings.Join(given, " and "))
	case f.diff && f.json:
		return usagef("--diff prints a diff and --json does not: --dry-run --json has the diffs in it")
	}
	if err := scaffold.CheckMode(scaffold.Mode(f.mode)); err != nil {
		return usagef("--mode %w", err)
	}
	f.answers.Mode = scaffold.Mode(f.mode)
	f.answers.Main = strings.Join(f.mains, ",")
	return nil
}

// driftError says that a --check found something.
type driftError struct{ text string }

func (e *driftError) Error() string { return e.text }

// filesDiffer is a driftError about so many files.
func filesDiffer(files int) error {
	if files == 1 {
		return &driftError{"1 file is not as flysql init would have it: flysql init --diff shows how"}
	}
	return &driftError{fmt.Sprintf("%d files are not as flysql init would have them: flysql init --diff shows how", files)}
}

func (c *cli) initCommand() *cobra.Command {
	f := &initFlags{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write fly.toml, Dockerfile and .dockerignore for the app here",
		Long: `Looks at the app in this directory, a Go module or anything that has a Dockerfile,
and writes what it needs to run on Fly.io: on one machine with a volume, or with
--mode litefs in several regions, where LiteFS copies the database from the primary
to the others. The files are fly.toml, Dockerfile, .dockerignore, litefs.yml in LiteFS
mode, and in .flysql/src flysql's own source where the image cannot fetch it.

A fly.toml or litefs.yml that is there is edited: what must be right is changed, and
all else stays, comments too. A Dockerfile that init did not write is kept: the lines
to add to it are shown. --force overwrites them all.

Everything is shown before it is written, and all files are written or none.
On a terminal, init asks; --yes takes the flags and the defaults instead.`,
		Example: "  flysql init\n  flysql init --app shop --region ord --yes\n  flysql init --mode litefs --region ams --regions ord,syd\n  flysql init --dry-run",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.given = cmd.Flags().Changed
			if err := f.exclusive(); err != nil {
				return err
			}
			return c.init(cmd.Context(), f)
		},
	}
	a, flags := &f.answers, cmd.Flags()
	flags.StringVar(&a.App, "app", "", "the app's name on Fly (default: from the module's path)")
	flags.StringVar(&a.Region, "region", "", "primary region, near the app's users (default: fly.toml's, else "+scaffold.DefaultRegion+")")
	flags.StringSliceVar(&a.Regions, "regions", nil, "where replicas are to run, such as ord,syd; only with --mode litefs")
	flags.StringVar(&a.DB, "db", "", "the database's path in the container (default: /data/APP.db, or /litefs/APP.db)")
	flags.IntVar(&a.SizeGB, "size", 0, "the volume's size in GB (default: fly.toml's, else 1)")
	flags.StringSliceVar(&f.mains, "main", nil, "the main package's directory, such as ./cmd/web (default: the only one); several are process groups, the first takes the requests")
	flags.IntVar(&a.Port, "port", 0, "the port that the app listens on (default: from the code, else 8080)")
	flags.StringVar(&a.Migrations, "migrations", "", `directory of SQL migrations, or "none" (default: as found)`)
	flags.StringVar(&a.Command, "command", "", "what the container runs, quoted as for a shell (default: the program)")
	flags.StringVar(&f.mode, "mode", "", "how the database is kept: volume, on one machine, or litefs, with replicas (default: as the repository has it, else volume)")
	flags.BoolVarP(&f.yes, "yes", "y", false, "write without asking")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the changes as a diff, write nothing")
	flags.BoolVar(&f.diff, "diff", false, "print the diff and nothing else, write nothing")
	flags.BoolVar(&f.check, "check", false, "exit with 2 if a file is not as init would have it, write nothing")
	flags.BoolVar(&f.force, "force", false, "overwrite files that exist with other content, fly.toml and litefs.yml too")
	flags.BoolVar(&f.json, "json", false, "print plan and result as JSON; asks nothing")
	for _, flag := range []string{"app", "db", "size", "port", "command"} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions))
	}
	for _, flag := range []string{"region", "regions"} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(regions(), cobra.ShellCompDirectiveNoFileComp)))
	}
	must(cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]cobra.Completion{"volume\tone machine with a volume", "litefs\tmachines in several regions"}, cobra.ShellCompDirectiveNoFileComp)))
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
	if facts.Fly != nil && facts.Fly.Err != nil && !f.force {
		return fmt.Errorf("%w\nmend fly.toml, so that the app's name and volume can be taken over, or overwrite it with --force; %s", facts.Fly.Err, nothingWritten)
	}
	if f.given("size") {
		if err := scaffold.CheckSizeGB(f.answers.SizeGB); err != nil && f.answers.SizeGB == 0 {
			return usagef("--size %w", err) // a zero would ask for the default
		}
	}
	var ask *prompter
	if !f.yes && !f.dryRun && !f.diff && !f.check && !f.json {
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
	plan.Notes = append(plan.Notes, regionNotes(answers)...)
	changes, err := plan.Compare(f.force)
	if err != nil {
		return fmt.Errorf("%w; %s", err, nothingWritten)
	}
	written, err := c.carryOut(ctx, f, plan, changes, ask)
	if f.json {
		return errors.Join(err, writeInitJSON(c.stdout, plan, changes, f.force, written))
	}
	if err != nil || f.dryRun || f.diff || f.check {
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
	switch {
	case f.diff:
		return false, c.printDiffs(changes)
	case f.check:
		return false, c.check(changes, f)
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
		if err := ask.confirm(ctx, writeThese, "yes"); err != nil {
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
	if given.Mode == "" && complete.From == "" { // no file says it
		if given.Mode, err = ask.mode(ctx, len(given.Regions) > 0); err != nil {
			return given, err
		}
	}
	given.App, given.Region, given.SizeGB = complete.App, complete.Region, complete.SizeGB
	if err := ask.answers(ctx, &given, f.given); err != nil {
		return given, err
	}
	if given.Mode == scaffold.LiteFS && complete.From != scaffold.LiteFS && !f.given("regions") {
		if given.Regions, err = ask.regions(ctx); err != nil {
			return given, err
		}
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

// wide is how long a command may be for its reason to stand behind it.
const wide = 60

// printNext writes the commands that put the app on Fly, as a shell takes them.
func printNext(w io.Writer, plan *scaffold.Plan) error {
	width := 0
	for _, s := range plan.Next {
		width = max(width, len(s.Command))
	}
	text := ""
	for _, s := range plan.Next {
		if width > wide {
			text += fmt.Sprintf("# %s\n%s\n", s.Why, s.Command)
			continue
		}
		text += fmt.Sprintf("%-*s  # %s\n", width, s.Command, s.Why)
	}
	_, err := io.WriteString(w, text)
	return err
}
