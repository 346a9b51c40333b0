package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/fleet"
	"github.com/flysql/flysql/internal/scaffold"
)

// regionsFlags are the flags of flysql regions add and remove.
type regionsFlags struct {
	fly   flyFlags
	wish  fleet.RegionWish
	group string
	wait  time.Duration

	drain         time.Duration
	deleteVolumes bool

	yes, dryRun, json, noExec bool
}

func (c *cli) regionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "regions",
		Short: "Have the app in more regions, or in fewer",
		Long: `Adds machines with their volumes in other regions, and takes them away, in the order
that loses no row while LiteFS copies the database between them.`,
		Example: "  flysql regions add ord syd\n  flysql regions remove syd",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usagef("unknown command %q: %s --help lists them", args[0], cmd.CommandPath())
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.regionsAddCommand(), c.regionsRemoveCommand())
	return cmd
}

func (c *cli) regionsAddCommand() *cobra.Command {
	f := &regionsFlags{}
	cmd := &cobra.Command{
		Use:   "add REGION...",
		Short: "Have machines in more regions, each with a copy of the database",
		Long: `Makes volumes and machines in these regions, shown first. A new machine is a copy of
the primary's: its image, size, environment, services and checks. It has a volume of
its own, and no requests, until it has what the primary had when it started and passes
its checks; then the next one is made. What is there already counts, so that after an
error, Ctrl-C or a crash the same command goes on.

No new machine may be the primary before it has the whole database.`,
		Example: "  flysql regions add ord syd\n  flysql regions add ams --count 2\n  flysql regions add syd --dry-run",
		Args:    f.args,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("count") && f.wish.Count < 1 {
				return usagef("--count %d: at least 1; flysql regions remove takes machines away", f.wish.Count)
			}
			if f.wait <= 0 {
				return usagef("--wait %v: a time such as 15m", f.wait)
			}
			return c.regionsAdd(cmd.Context(), f)
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.wish.Count, "count", 1, "machines of the group in each of these regions, with those that are there")
	flags.StringVar(&f.wish.From, "from", "", "id of the machine to copy (default: the primary)")
	flags.DurationVar(&f.wait, "wait", 15*time.Minute, "how long one machine may take to start, catch up and pass its checks")
	must(cmd.RegisterFlagCompletionFunc("count", cobra.NoFileCompletions))
	must(cmd.RegisterFlagCompletionFunc("from", cobra.NoFileCompletions))
	return cmd
}

func (f *regionsFlags) register(cmd *cobra.Command) {
	f.fly.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.group, "group", "", "the process group (default: the one with a volume)")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do it without asking")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the plan, change nothing")
	flags.BoolVar(&f.json, "json", false, "print plan and result as JSON")
	flags.BoolVar(&f.noExec, "no-exec", false, "run nothing in machines: ask private addresses only")
	must(cmd.RegisterFlagCompletionFunc("group", cobra.NoFileCompletions))
	cmd.ValidArgsFunction = cobra.FixedCompletions(regions(), cobra.ShellCompDirectiveNoFileComp)
}

// args takes the regions, and checks the flags by themselves.
func (f *regionsFlags) args(cmd *cobra.Command, args []string) error {
	f.wish.Regions = scaffold.ParseRegions(args)
	if len(f.wish.Regions) == 0 {
		return usagef("name the regions, as in %s ord syd", cmd.CommandPath())
	}
	for _, region := range f.wish.Regions {
		if err := flyconf.CheckRegion(region); err != nil {
			return usagef("%w", err)
		}
	}
	if f.yes && f.dryRun {
		return usagef("--yes and --dry-run cannot be given together: --yes changes what is on Fly, --dry-run shows what would be changed")
	}
	return nil
}

// asker asks machines for their role and position.
func (f *regionsFlags) asker(target *flyTarget) fleet.Asker {
	if f.noExec {
		return fleet.Asker{}
	}
	return fleet.Asker{Execer: target.client}
}

// begin reads the files here.
func (f *regionsFlags) begin(c *cli) (*flyTarget, error) {
	target, err := c.target(&f.fly)
	if err != nil {
		return nil, err
	}
	return target, target.needConfig()
}

// survey asks what there is, with errors that the flags caused told apart.
func (f *regionsFlags) survey(ctx context.Context, target *flyTarget, parts fleet.Parts) (*fleet.Cluster, error) {
	cluster, err := fleet.SurveyCluster(ctx, target.client, f.asker(target), target.config, f.group, parts)
	return cluster, f.blame(err)
}

// blame makes an error about a flag or an argument one of usage.
func (f *regionsFlags) blame(err error) error {
	var group *fleet.GroupError
	var region *fleet.RegionError
	if errors.As(err, &group) || errors.As(err, &region) && slices.Contains(f.wish.Regions, region.Region) {
		return &usageError{err}
	}
	if err != nil {
		return fmt.Errorf("%w; %s", err, nothingChanged)
	}
	return nil
}

// readLiteFS takes litefs.yml of the repository: which the machines run is in their image.
func (c *cli) readLiteFS(ctx context.Context, f *regionsFlags, dir string) error {
	var name string
	var config *flyconf.LiteFS
	facts, detectErr := scaffold.Detect(ctx, dir)
	switch {
	case detectErr != nil:
		if name = litefsHere(dir); name == "" {
			c.say("note: no litefs.yml was looked for: %v", detectErr)
			return nil
		}
	case facts.LiteFS == nil:
		return nil
	case facts.LiteFS.Config == nil:
		return facts.LiteFS.Err
	default:
		name, config = filepath.Join(dir, facts.LiteFS.Path), facts.LiteFS.Config
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, pathless(err))
	}
	if config == nil {
		if config, err = flyconf.ParseLiteFS(name, data, nil); err != nil {
			return err
		}
	}
	document, err := flyconf.ParseLiteFSDocument(name, data)
	if err != nil {
		return err
	}
	f.wish.LiteFS = config
	var written bool
	if f.wish.Candidate, written = document.Get("lease.candidate"); !written {
		f.wish.Candidate = "true" // LiteFS's own default
	}
	return nil
}

func (f *regionsFlags) planAdd(ctx context.Context, target *flyTarget) (*fleet.AddPlan, error) {
	cluster, err := f.survey(ctx, target, fleet.Regions)
	if err != nil {
		return nil, err
	}
	plan, err := fleet.PlanAdd(cluster, f.wish)
	return plan, f.blame(err)
}

func (c *cli) regionsAdd(ctx context.Context, f *regionsFlags) error {
	target, err := f.begin(c)
	if err != nil {
		return err
	}
	if err := c.readLiteFS(ctx, f, filepath.Dir(target.file)); err != nil {
		return fmt.Errorf("%w; %s", err, nothingChanged)
	}
	plan, err := f.planAdd(ctx, target)
	if err != nil {
		return err
	}
	if err := c.showRegions(f, func() string { return addText(plan) }); err != nil {
		return err
	}
	switch {
	case f.dryRun && f.json:
		return encodeJSON(c.stdout, addJSONOf(plan, nil))
	case f.dryRun:
		return nil
	}
	if plan.Pending() {
		err = c.agreeTo(ctx, f, plan.ID(), func() (string, error) {
			now, err := f.planAdd(ctx, target)
			if err != nil {
				return "", err
			}
			return now.ID(), nil
		})
		if err != nil {
			return err
		}
	}
	how := c.changing(f, target)
	result, err := plan.Apply(ctx, target.client, how.Changing)
	how.over()
	c.sayAdded(result, err)
	if f.json {
		return errors.Join(err, encodeJSON(c.stdout, addJSONOf(plan, result)))
	}
	return err
}

// agreeTo asks, and looks whether what was agreed to is still what would be done.
func (c *cli) agreeTo(ctx context.Context, f *regionsFlags, id string, now func() (string, error)) error {
	if err := c.consent(ctx, f.yes, "Do this?"); err != nil || f.yes {
		return err
	}
	later, err := now()
	if err == nil && later != id {
		err = fmt.Errorf("what is on Fly has changed since the plan was shown: run it again; %s", nothingChanged)
	}
	return err
}
