package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/fleet"
)

// volumesDeleteFlags are the flags of flysql volumes delete.
type volumesDeleteFlags struct {
	fly                         flyFlags
	yes, lastCopy, dryRun, json bool
}

func (c *cli) volumesDeleteCommand() *cobra.Command {
	f := &volumesDeleteFlags{}
	cmd := &cobra.Command{
		Use:   "delete VOLUME",
		Short: "Delete a volume, after a fresh snapshot of it",
		Long: `Deletes one volume, named by its id, which no machine has, and which is not the last
of its name that one could have. First a snapshot of it is taken, and waited for: it
is kept as long as the volume's snapshot_retention says, and fly volumes create
--snapshot-id makes a volume of it again.`,
		Example: "  flysql volumes delete vol_4y0q5m8x2n3pz6wr --dry-run\n  flysql volumes delete vol_4y0q5m8x2n3pz6wr --yes",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name one volume by its id, as in %s vol_4y0q5m8x2n3pz6wr: flysql volumes plan lists them", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.yes && f.dryRun {
				return usagef("--yes and --dry-run cannot be given together: --yes deletes, --dry-run shows what would be deleted")
			}
			return c.volumesDelete(cmd.Context(), f, args[0])
		},
	}
	f.fly.register(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&f.yes, "yes", "y", false, "delete it; nothing else confirms it")
	flags.BoolVar(&f.lastCopy, "last-copy", false, "delete it though no machine has another volume of its name")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say whether it can be deleted, change nothing")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	return cmd
}

// volumesDeleteJSON is what flysql volumes delete --json prints. docs/volumes.md documents
// it; it only ever grows.
type volumesDeleteJSON struct {
	App      string `json:"app"`
	Volume   string `json:"volume"`
	Name     string `json:"name"`
	Region   string `json:"region"`
	SizeGB   int    `json:"size_gb"`
	Deleted  bool   `json:"deleted"`
	Snapshot string `json:"snapshot"`      // its id; empty: none was taken
	KeptDays int    `json:"snapshot_days"` // how long it is kept; 0: not known
}

func (c *cli) volumesDelete(ctx context.Context, f *volumesDeleteFlags, id string) error {
	target, err := c.target(&f.fly)
	if err != nil {
		return err
	}
	now, err := fleet.Survey(ctx, target.client, fleet.Volumes|fleet.Machines)
	if err != nil {
		return err
	}
	deletion, err := fleet.PlanDeletion(now, id, f.lastCopy)
	var last *fleet.LastCopyError
	if errors.As(err, &last) {
		return fmt.Errorf("%w: give --last-copy if the data is no longer needed; %s", err, nothingChanged)
	}
	if err != nil {
		return fmt.Errorf("%w; %s", err, nothingChanged)
	}
	v := &deletion.Volume
	out := volumesDeleteJSON{App: now.App, Volume: v.ID, Name: v.Name, Region: v.Region, SizeGB: v.SizeGb}
	c.say("- %s  %s  %d GB  %s: deleted after a snapshot of it, which is kept for %d days", visible(v.Name), visible(v.Region), v.SizeGb, visible(v.ID), v.SnapshotRetention)
	if f.lastCopy && len(deletion.InUse) == 0 {
		c.say("note: no machine that has run has another volume named %s", visible(v.Name))
	}
	if f.dryRun {
		return c.writeDeletion(f, out)
	}
	if !f.yes {
		return usagef("a volume is deleted only with --yes; %s", nothingChanged)
	}
	snapshot, err := deletion.Apply(ctx, target.client, fleet.Applying{Say: func(line string) { c.say("%s", visible(line)) }})
	if snapshot != nil {
		out.Snapshot = snapshot.ID
		if snapshot.RetentionDays != nil {
			out.KeptDays = *snapshot.RetentionDays
		}
	}
	if out.Deleted = err == nil; out.Deleted {
		c.say("its data is in snapshot %s: fly volumes create %s --region %s --snapshot-id %s -a %s makes a volume of it", visible(out.Snapshot), visible(v.Name), visible(v.Region), visible(out.Snapshot), now.App)
	}
	return errors.Join(err, c.writeDeletion(f, out))
}

func (c *cli) writeDeletion(f *volumesDeleteFlags, out volumesDeleteJSON) error {
	if !f.json {
		return nil
	}
	return encodeJSON(c.stdout, out)
}
