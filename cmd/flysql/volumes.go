package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/fleet"
	"github.com/flysql/flysql/internal/scaffold"
)

// volumesFlags are the flags of flysql volumes plan and apply.
type volumesFlags struct {
	fly     flyFlags
	wish    fleet.VolumeWish
	regions []string
	plan    string

	check, yes, dryRun, json bool
}

func (c *cli) volumesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "volumes",
		Short: "Have the volumes on Fly that fly.toml asks for",
		Long: `Compares the volumes that an app has on Fly with the mounts of fly.toml, shows what
is missing, differs or is left over, and what it costs; and makes it so.

flysql reads the token as flyctl does: fly auth login is enough.`,
		Example: "  flysql volumes plan\n  flysql volumes apply --regions ams,syd\n  flysql volumes delete vol_4y0q5m8x2n3pz6wr --yes",
		Args:    subcommandOnly,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// The root's is not inherited.
		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(c.volumesPlanCommand(), c.volumesApplyCommand(), c.volumesDeleteCommand())
	return cmd
}

func (c *cli) volumesPlanCommand() *cobra.Command {
	f := &volumesFlags{}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what volumes there are, what there must be, and what that costs",
		Long: `Shows each volume of the app: = is as it should be, ~ would be changed, + would be
made, ? is free and needed by no machine. Nothing is changed.

There must be a volume for each machine of a process group with a mount, and at least
one in primary_region and in each region of --regions; or as many as --count says.`,
		Example: "  flysql volumes plan\n  flysql volumes plan --regions ams,syd --json\n  flysql volumes plan --check",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.read(cmd.Flags().Changed); err != nil {
				return err
			}
			return c.volumesPlan(cmd.Context(), f)
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.check, "check", false, "exit with 2 if anything would be done")
	return cmd
}

func (c *cli) volumesApplyCommand() *cobra.Command {
	f := &volumesFlags{}
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make the volumes that are missing, and set what differs",
		Long: `Shows the plan of flysql volumes plan, asks, and carries it out. What is there already
is not made again, whatever went wrong before: after an error, Ctrl-C or a crash, the
same command goes on. No volume is deleted, and none made smaller.`,
		Example: "  flysql volumes apply\n  flysql volumes apply --regions ams,syd --yes\n  flysql volumes apply --plan 4be1c05d92aa --yes",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.read(cmd.Flags().Changed); err != nil {
				return err
			}
			if f.yes && f.dryRun {
				return usagef("--yes and --dry-run cannot be given together: --yes changes what is on Fly, --dry-run shows what would be changed")
			}
			return c.volumesApply(cmd.Context(), f)
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&f.yes, "yes", "y", false, "do it without asking")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the plan, change nothing")
	flags.StringVar(&f.plan, "plan", "", "do it only if the plan is still the one of this name, which volumes plan prints")
	must(cmd.RegisterFlagCompletionFunc("plan", cobra.NoFileCompletions))
	return cmd
}

func (f *volumesFlags) register(cmd *cobra.Command) {
	f.fly.register(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&f.regions, "regions", nil, "have a volume in these regions too, such as ams,syd")
	flags.IntVar(&f.wish.Count, "count", 0, "volumes of a group in each region of --regions, or in each that it has (default: one for each machine)")
	flags.StringVar(&f.wish.Group, "group", "", "the process group to plan for (default: all that have a mount)")
	flags.IntVar(&f.wish.SizeGB, "size", 0, "the volumes' size in GB, instead of initial_size; smaller ones are extended")
	flags.BoolVar(&f.wish.Extend, "extend", false, "extend volumes that are smaller than initial_size")
	flags.BoolVar(&f.wish.AutoExtend, "auto-extend", false, "set auto-extend on machines that are there, which restarts them one by one")
	flags.BoolVar(&f.json, "json", false, "print plan and result as JSON")
	must(cmd.RegisterFlagCompletionFunc("regions", cobra.FixedCompletions(regions(), cobra.ShellCompDirectiveNoFileComp)))
	for _, flag := range []string{"count", "group", "size"} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions))
	}
}

// read checks the flags by themselves.
func (f *volumesFlags) read(given func(string) bool) error {
	f.wish.Regions = scaffold.ParseRegions(f.regions)
	for _, region := range f.wish.Regions {
		if err := flyconf.CheckRegion(region); err != nil {
			return usagef("--regions: %w", err)
		}
	}
	switch {
	case given("regions") && len(f.wish.Regions) == 0:
		return usagef("--regions is empty: name regions, as in --regions ams,syd")
	case given("count") && f.wish.Count < 1:
		return usagef("--count %d: at least 1; volumes are taken away by flysql volumes delete", f.wish.Count)
	case f.wish.Count > fleet.MostVolumes:
		return usagef("--count %d: at most %d volumes of a group in a region", f.wish.Count, fleet.MostVolumes)
	case given("group") && f.wish.Group == "":
		return usagef("--group is empty: name a process group, or leave the flag out for all that have a mount")
	case given("plan") && f.plan == "":
		return usagef("--plan is empty, so that nothing would be compared: give what flysql volumes plan prints, or leave the flag out; %s", nothingChanged)
	case given("size") && (f.wish.SizeGB < 1 || f.wish.SizeGB > fleet.LargestGB):
		return usagef("--size %d: from 1 to %d GB", f.wish.SizeGB, fleet.LargestGB)
	}
	return nil
}

// begin reads the files here and plans.
func (f *volumesFlags) begin(ctx context.Context, c *cli) (*flyTarget, *fleet.VolumePlan, error) {
	target, err := c.target(&f.fly)
	if err != nil {
		return nil, nil, err
	}
	if err := target.needConfig(); err != nil {
		return nil, nil, err
	}
	f.wish.Replicated = replicated(ctx, filepath.Dir(target.file))
	plan, err := f.survey(ctx, target)
	return target, plan, err
}

// replicated tells whether the app here has its database copied by LiteFS: by all that
// scaffold.Detect knows, and where it knows too little, by litefs.yml being there.
func replicated(ctx context.Context, dir string) bool {
	if facts, err := scaffold.Detect(ctx, dir); err == nil {
		return facts.LiteFS != nil && facts.LiteFS.Config != nil || facts.Docker != nil && facts.Docker.LiteFS
	}
	return litefsHere(dir) != ""
}

// litefsHere is the litefs.yml of a directory, by its usual names; "" where there is none.
func litefsHere(dir string) string {
	for _, name := range []string{"litefs.yml", "etc/litefs.yml", "config/litefs.yml", "docker/litefs.yml"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// survey plans, with errors that the flags caused told apart.
func (f *volumesFlags) survey(ctx context.Context, target *flyTarget) (*fleet.VolumePlan, error) {
	plan, err := fleet.SurveyVolumes(ctx, target.client, target.config, f.wish)
	var group *fleet.GroupError
	var region *fleet.RegionError
	if errors.As(err, &group) && (f.wish.Group != "" || f.wish.Count > 0) || errors.As(err, &region) && slices.Contains(f.wish.Regions, region.Region) {
		return nil, &usageError{err}
	}
	return plan, err
}

func (c *cli) volumesPlan(ctx context.Context, f *volumesFlags) error {
	_, plan, err := f.begin(ctx, c)
	if err != nil {
		return err
	}
	if f.json {
		err = writeVolumesJSON(c.stdout, plan, nil)
	} else {
		err = c.printVolumePlan(c.stdout, plan)
	}
	if err == nil && f.check && plan.Pending() {
		return &driftError{"the volumes are not as fly.toml says: flysql volumes plan shows how, flysql volumes apply makes them so"}
	}
	return err
}

func (c *cli) volumesApply(ctx context.Context, f *volumesFlags) error {
	target, plan, err := f.begin(ctx, c)
	if err != nil {
		return err
	}
	out := c.stderr
	if f.dryRun {
		out = c.stdout
	}
	if !f.json || !f.yes && !f.dryRun { // what is asked about is shown
		if err := c.printVolumePlan(out, plan); err != nil {
			return fmt.Errorf("show the plan: %w; %s", err, nothingChanged)
		}
	}
	switch {
	case f.plan != "" && f.plan != plan.ID():
		return fmt.Errorf("the plan is %s now, no longer %s: look at it with flysql volumes plan; %s", plan.ID(), f.plan, nothingChanged)
	case f.dryRun && f.json:
		return writeVolumesJSON(c.stdout, plan, nil)
	case f.dryRun:
		return nil
	}
	if plan.Pending() {
		if err := c.agree(ctx, f, target, plan); err != nil {
			return err
		}
	}
	result, err := plan.Apply(ctx, target.client, fleet.Applying{Say: func(line string) { c.say("%s", visible(line)) }})
	c.sayVolumeResult(result, f.plan != "", err)
	if f.json {
		return errors.Join(err, writeVolumesJSON(c.stdout, plan, result))
	}
	return err
}

// agree asks, and looks whether what was agreed to is still what would be done.
func (c *cli) agree(ctx context.Context, f *volumesFlags, target *flyTarget, plan *fleet.VolumePlan) error {
	if f.yes {
		return nil
	}
	if err := c.consent(ctx, false, "Do this?"); err != nil {
		return err
	}
	now, err := f.survey(ctx, target)
	if err != nil {
		return err
	}
	if now.ID() != plan.ID() {
		return fmt.Errorf("what is on Fly has changed since the plan was shown: run it again; %s", nothingChanged)
	}
	return nil
}
