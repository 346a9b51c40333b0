package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/fleet"
)

// statusFlags are the flags of flysql status.
type statusFlags struct {
	flyFlags
	json, noExec bool
	watch        time.Duration
	snapshots    bool
	given        func(string) bool
}

const (
	watchLeast = time.Second
	// snapshotsUpTo is for how many volumes snapshots are listed unasked: each is a call.
	snapshotsUpTo = 10
)

func (c *cli) statusCommand() *cobra.Command {
	f := &statusFlags{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what runs on Fly: machines, roles, volumes, and what differs from fly.toml",
		Long: `Shows an app on one screen: its machines by region, with the role, lag and position of
their LiteFS; its volumes, with use and the age of the last snapshot; who has the lease;
and what is not as fly.toml says.

LiteFS is asked at each machine's private address, which answers inside Fly and over
WireGuard. Where it does not, flysql-entrypoint --status is run in the machine through
Fly's API; --no-exec leaves that out. What nobody said is "?", never guessed.

Snapshots are a call for each volume: they are asked for where there are at most 10, or
with --snapshots.`,
		Example: "  flysql status\n  flysql status --watch\n  flysql status --watch=5s\n  flysql status --json --no-exec",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.given = cmd.Flags().Changed
			if f.given("watch") && f.watch < watchLeast {
				return usagef("--watch=%v asks Fly's API too often: at least %v", f.watch, watchLeast)
			}
			return c.status(cmd.Context(), f)
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVar(&f.noExec, "no-exec", false, "run nothing in machines: ask private addresses only")
	flags.BoolVar(&f.snapshots, "snapshots", false, "list the volumes' snapshots, also of more than 10; =false: of none")
	flags.DurationVar(&f.watch, "watch", 0, "look again and again, this often")
	flags.Lookup("watch").NoOptDefVal = "2s"
	return cmd
}

// status is the verb.
func (c *cli) status(ctx context.Context, f *statusFlags) error {
	target, err := c.target(&f.flyFlags)
	if err != nil {
		return err
	}
	w := &statusLook{flags: f, target: target}
	if f.given("watch") {
		ctx, stop := withSignals(ctx)
		defer stop()
		return c.watch(ctx, w)
	}
	s, err := w.look(ctx)
	if err != nil {
		return err
	}
	return c.writeStatus(c.stdout, s, f)
}

func (c *cli) writeStatus(to io.Writer, s *statusOf, f *statusFlags) error {
	if f.json {
		return encodeJSON(to, s.json())
	}
	_, err := io.WriteString(to, s.text(c.colors(to)))
	return err
}

// statusOf is one look at an app.
type statusOf struct {
	*flyTarget
	fleet       *fleet.Fleet
	nodes       map[string]fleet.Node
	lead        fleet.Leadership
	differences []fleet.Difference
	at          time.Time
}

// statusLook looks, and keeps from one look to the next what costs much.
type statusLook struct {
	flags     *statusFlags
	target    *flyTarget
	snapshots *fleet.Fleet // the fleet whose snapshots were listed
	listed    time.Time
	nodes     map[string]fleet.Node
	run       time.Time // when machines were last asked by exec
}

const (
	execEvery      = 10 * time.Second
	snapshotsEvery = 10 * time.Minute
)

func (w *statusLook) look(ctx context.Context) (*statusOf, error) {
	client := w.target.client
	found, err := fleet.Survey(ctx, client, fleet.Volumes|fleet.Machines)
	if err != nil {
		return nil, err
	}
	s := &statusOf{flyTarget: w.target, fleet: found, at: time.Now()}
	if err := w.askSnapshots(ctx, found); err != nil {
		return nil, err
	}
	asker := fleet.Asker{}
	if !w.flags.noExec && time.Since(w.run) >= execEvery {
		asker.Execer, w.run = client, time.Now()
	}
	s.nodes = asker.Nodes(ctx, found.Machines)
	if asker.Execer == nil {
		for id, n := range s.nodes {
			if before := w.nodes[id]; n.Via == "" && before.Via == fleet.ViaExec && found.Machine(id).State == "started" {
				s.nodes[id] = before
			}
		}
	}
	w.nodes = s.nodes
	s.lead = fleet.Lead(s.nodes)
	if w.target.config != nil {
		s.differences = fleet.Differences(w.target.config, found)
	}
	return s, ctx.Err()
}

// askSnapshots lists them where they are wanted, in a watch not each time.
func (w *statusLook) askSnapshots(ctx context.Context, found *fleet.Fleet) error {
	wanted := len(found.Volumes) <= snapshotsUpTo
	if w.flags.given("snapshots") {
		wanted = w.flags.snapshots
	}
	if !wanted {
		return nil
	}
	if w.snapshots != nil && time.Since(w.listed) < snapshotsEvery {
		found.Parts |= fleet.Snapshots
		found.Snapshots = w.snapshots.Snapshots
		return nil
	}
	w.snapshots, w.listed = found, time.Now()
	return found.AskSnapshots(ctx, w.target.client)
}
