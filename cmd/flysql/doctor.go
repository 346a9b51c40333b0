package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/doctor"
)

// doctorFlags are the flags of flysql doctor.
type doctorFlags struct {
	severity                      string
	strict, rules                 bool
	fix, yes, dryRun, json, sarif bool
	remote                        bool
	fly                           flyFlags // with remote
	least                         doctor.Severity
	written                       bool
	changed                       []doctorFileJSON
	refused                       []string
}

// findingsError says that doctor found what it exits with 1 for, and has told it.
type findingsError struct{ errors, warnings int }

func (e *findingsError) Error() string {
	return counted(e.errors, "error") + ", " + counted(e.warnings, "warning")
}

func (c *cli) doctorCommand() *cobra.Command {
	f := &doctorFlags{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find what would go wrong on Fly, in the files here",
		Long: `Reads fly.toml, Dockerfile, litefs.yml, litestream.yml, .dockerignore and the code
together, and reports what would lose data, stop a deploy or surprise somebody. Each
finding has a rule, told with examples in docs/rules.md. Nothing is run, and nothing
is asked of the network, but with --remote.

--remote looks at what runs on Fly too: volumes, machines, snapshots, the names of
secrets, and LiteFS at the machines' private addresses, where those can be reached. It
reads only.

A comment keeps a finding quiet, on its line or above it, and must say why:
  # flysql:ignore FLY210 the cache can be lost

--fix mends what has one right answer: it shows the diff, and asks.`,
		Example: "  flysql doctor\n  flysql doctor --fix\n  flysql doctor --remote\n  flysql doctor --strict --json\n  flysql doctor --sarif > flysql.sarif",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags().Changed); err != nil {
				return err
			}
			if f.rules {
				return c.printRules(f)
			}
			return c.doctor(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.fix, "fix", false, "mend what has one right answer, after showing the diff")
	flags.BoolVarP(&f.yes, "yes", "y", false, "with --fix: write without asking")
	flags.BoolVar(&f.dryRun, "dry-run", false, "with --fix: print the diff on stdout, write nothing")
	flags.StringVar(&f.severity, "severity", "warning", "the least severity to report: error, warning or note")
	flags.BoolVar(&f.strict, "strict", false, "exit with 1 for warnings too")
	flags.BoolVar(&f.json, "json", false, "print the findings as JSON")
	flags.BoolVar(&f.sarif, "sarif", false, "print the findings as SARIF 2.1.0, for code scanning")
	flags.BoolVar(&f.rules, "rules", false, "list the rules")
	flags.BoolVar(&f.remote, "remote", false, "look at what runs on Fly too; reads only")
	flags.StringVarP(&f.fly.app, "app", "a", "", "with --remote: the app's name on Fly (default: fly.toml's)")
	flags.StringVarP(&f.fly.token, "access-token", "t", "", "with --remote: token for Fly's API (default: FLY_ACCESS_TOKEN, FLY_API_TOKEN, else flyctl's own)")
	must(cmd.RegisterFlagCompletionFunc("severity", cobra.FixedCompletions([]cobra.Completion{"error", "warning", "note"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// check refuses flags that do not go together.
func (f *doctorFlags) check(given func(string) bool) error {
	var ok bool
	if f.least, ok = doctor.ParseSeverity(f.severity); !ok {
		return usagef("--severity %q is none of error, warning, note", f.severity)
	}
	switch {
	case f.json && f.sarif:
		return usagef("--json and --sarif cannot be given together: stdout has one of them")
	case f.yes && f.dryRun:
		return usagef("--yes and --dry-run cannot be given together: --yes writes, --dry-run shows what would be written")
	case !f.fix && (f.yes || f.dryRun):
		return usagef("--yes and --dry-run belong to --fix: without it, nothing is written")
	case f.rules && f.fix:
		return usagef("--rules lists the rules and --fix mends what breaks them: give one of them")
	case f.sarif && f.fix:
		return usagef("--sarif and --fix cannot be given together: mend first, then report")
	case f.rules && f.sarif:
		return usagef("--rules prints text or, with --json, JSON")
	case !f.remote && (given("app") || given("access-token")):
		return usagef("--app and --access-token belong to --remote: without it, Fly is not asked")
	case f.remote && f.fix:
		return usagef("--remote and --fix cannot be given together: --fix mends files, and nothing on Fly")
	case f.remote && f.rules:
		return usagef("--rules lists the rules, those of --remote too: give one of them")
	case f.strict && given("severity") && f.least == doctor.Error:
		return usagef("--strict fails for warnings, and --severity error hides them: leave one out")
	}
	return nil
}

func (c *cli) doctor(ctx context.Context, f *doctorFlags) (err error) {
	report, err := c.examine(ctx, f)
	if err != nil {
		return err
	}
	if !f.remote && len(report.Files()) == 0 && len(report.Findings) == 0 {
		return errors.New("there is no fly.toml, Dockerfile or litefs.yml here to look at: flysql init writes them; run doctor in the app's repository")
	}
	if f.fix {
		if report, err = c.mend(ctx, f, report); err != nil {
			return err
		}
	}
	switch {
	case f.json:
		err = writeDoctorJSON(c.stdout, report, f)
	case f.sarif:
		info, _ := debug.ReadBuildInfo()
		err = doctor.WriteSARIF(c.stdout, report, f.least, publishedVersion(info))
	case f.fix && f.dryRun: // stdout has the diff
		err = c.printFindings(c.stderr, report, f)
	default:
		err = c.printFindings(c.stdout, report, f)
	}
	if err != nil {
		return err
	}
	return f.verdict(report)
}

// examine looks at the files, and at what runs where that was asked for.
func (c *cli) examine(ctx context.Context, f *doctorFlags) (*doctor.Report, error) {
	if !f.remote {
		return doctor.Check(ctx, ".")
	}
	target, err := c.target(&f.fly)
	if err != nil {
		return nil, err
	}
	remote, err := doctor.Ask(ctx, target.client)
	if err != nil {
		return nil, err
	}
	report, err := doctor.CheckRemote(ctx, ".", remote)
	if err == nil && report.UsesLiteFS() {
		if reached, running := remote.Reached(); reached < running {
			c.say("LiteFS said what it is on %d of %s that run: private addresses are reached inside Fly and over WireGuard (fly wireguard create); flysql status asks by exec too", reached, counted(running, "machine"))
		}
	}
	return report, err
}

// verdict is what the exit code says.
func (f *doctorFlags) verdict(r *doctor.Report) error {
	errs, warnings := r.Count(doctor.Error), r.Count(doctor.Warning)
	if errs > 0 || f.strict && warnings > 0 {
		return &findingsError{errs, warnings}
	}
	return nil
}

// mend writes the fixes, if that is what f and the user want. It returns what is
// left: of the files as they are on disk, or would be.
func (c *cli) mend(ctx context.Context, f *doctorFlags, report *doctor.Report) (after *doctor.Report, err error) {
	fixes, err := report.Fix()
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, nothingWritten)
	}
	for _, refused := range fixes.Refused {
		f.refused = append(f.refused, refused.Error())
		c.say("not mended: %v", refused)
	}
	if !fixes.Changes.Pending() {
		c.say("nothing to mend")
		return report, fixes.Changes.Apply(ctx) // removes what a killed run left
	}
	out := c.stderr
	if f.dryRun && !f.json {
		out = c.stdout
	}
	for _, change := range fixes.Changes.Files {
		f.changed = append(f.changed, doctorFileJSON{change.Path, string(change.Action), change.Diff()})
		if !f.json {
			if err := c.printDiff(out, change.Diff()); err != nil {
				return nil, fmt.Errorf("show the changes: %w", err)
			}
		}
	}
	if f.dryRun {
		return report, nil
	}
	if !f.yes {
		if err := c.confirmMend(ctx); err != nil {
			return nil, err
		}
	}
	if err := fixes.Changes.Apply(ctx); err != nil {
		return nil, err
	}
	f.written = true
	for _, change := range fixes.Changes.Files {
		c.say("mended %s", change.Path)
	}
	return fixes.After, nil
}

func (c *cli) confirmMend(ctx context.Context) (err error) {
	ask, err := c.newPrompter()
	if err != nil {
		return err
	}
	if ask == nil {
		return usagef("to write these files without a terminal to ask on, give --yes; %s", nothingWritten)
	}
	defer func() { err = errors.Join(err, ask.close()) }()
	return ask.confirm(ctx, writeThese, "yes")
}
