package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/fleet"
)

func (c *cli) regionsRemoveCommand() *cobra.Command {
	f := &regionsFlags{}
	cmd := &cobra.Command{
		Use:   "remove REGION...",
		Short: "Take the machines in regions away, without losing a row",
		Long: `Takes a group's machines in these regions away, one after the other: each gets no new
requests, has time to end those it has, is stopped, and destroyed after a snapshot of
its volume. Volumes stay, and cost, unless --delete-volumes.

Refused are the primary, primary_region, the last machine that may become the primary,
the only copy, and a machine that has rows which the primary has not.`,
		Example: "  flysql regions remove syd\n  flysql regions remove ord syd --delete-volumes\n  flysql regions remove syd --dry-run",
		Args:    f.args,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.drain < 0 || f.drain > time.Hour {
				return usagef("--drain %v: from 0 to 1h", f.drain)
			}
			return c.regionsRemove(cmd.Context(), f)
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&f.drain, "drain", 10*time.Second, "how long requests have to end before a machine is told to stop")
	flags.BoolVar(&f.deleteVolumes, "delete-volumes", false, "delete the volumes too, each after a fresh snapshot of it")
	must(cmd.RegisterFlagCompletionFunc("drain", cobra.NoFileCompletions))
	return cmd
}

func (f *regionsFlags) planRemove(ctx context.Context, target *flyTarget) (*fleet.RemovePlan, error) {
	cluster, err := f.survey(ctx, target, 0)
	if err != nil {
		return nil, err
	}
	plan, err := fleet.PlanRemove(cluster, f.wish.Regions, f.deleteVolumes)
	return plan, f.blame(err)
}

func (c *cli) regionsRemove(ctx context.Context, f *regionsFlags) error {
	target, err := f.begin(c)
	if err != nil {
		return err
	}
	plan, err := f.planRemove(ctx, target)
	if err != nil {
		return err
	}
	if err := c.showRegions(f, func() string { return removeText(plan) }); err != nil {
		return err
	}
	switch {
	case f.dryRun && f.json:
		return encodeJSON(c.stdout, removeJSONOf(plan, nil))
	case f.dryRun:
		return nil
	}
	if plan.Pending() {
		err = c.agreeTo(ctx, f, plan.ID(), func() (string, error) {
			now, err := f.planRemove(ctx, target)
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
	result, err := plan.Apply(ctx, target.client, fleet.Draining{Changing: how.Changing, Drain: f.drain})
	how.over()
	c.sayRemoved(result, err)
	if f.json {
		return errors.Join(err, encodeJSON(c.stdout, removeJSONOf(plan, result)))
	}
	return err
}
