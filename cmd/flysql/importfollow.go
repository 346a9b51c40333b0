package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/follow"
	"github.com/flysql/flysql/internal/move/transfer"
)

// followFlags are the flags of flysql import that have the file follow PostgreSQL.
type followFlags struct{ mode, slot string }

func (f *followFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.mode, "follow", "", "go on applying changes to the file until flysql import cutover: by logical replication, or --follow=triggers")
	flags.Lookup("follow").NoOptDefVal = string(follow.Logical)
	flags.StringVar(&f.slot, "slot", "", "with --follow: name of the replication slot and the publication, flysql_... (default: a hash of DATABASE's path)")
	must(cmd.RegisterFlagCompletionFunc("follow", cobra.FixedCompletions([]cobra.Completion{"logical\tby a replication slot", "triggers\tby a table that triggers fill"}, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("slot", cobra.NoFileCompletions))
}

func (f *followFlags) check(all *importFlags) error {
	switch {
	case all.given("follow") && f.mode != string(follow.Logical) && f.mode != string(follow.Triggers):
		return usagef("--follow=%s: it is logical (the default) or triggers", f.mode)
	case f.slot != "" && f.mode == "":
		return usagef("--slot is the name of what --follow makes: give that, too")
	case all.given("slot") && f.slot == "":
		return usagef("--slot is empty: give a name, or leave it out")
	case f.slot != "" && !strings.HasPrefix(f.slot, move.OwnName):
		return usagef("--slot %s: its name begins with %s, so that it is found again", f.slot, move.OwnName)
	case f.mode != "" && all.looksOnly():
		return usagef("--dry-run and --plan-out copy nothing: leave out --follow")
	case f.mode != "" && all.litefs != "":
		return usagef("a file that follows is not ready for LiteFS: leave out --litefs, and hand it over behind flysql import cutover")
	}
	return nil
}

// following has a job follow what it has copied, where that is wanted.
func (c *cli) following(f *importFlags, job *importJob) *importJob {
	if f.follow.mode != "" {
		job.follows, job.copy = true, c.followedCopy(f, job)
	}
	return job
}

// followedCopy copies at the moment from which on changes are heard of.
func (c *cli) followedCopy(f *importFlags, job *importJob) func(context.Context, transfer.Options) (*transfer.Report, error) {
	return func(ctx context.Context, o transfer.Options) (*transfer.Report, error) {
		if !job.from.live() {
			return nil, usagef("a dump does not change: --follow needs the address of PostgreSQL itself")
		}
		if err := job.source.Close(); err != nil { // its snapshot, and locks, would be in the way
			return nil, err
		}
		choices := string(job.plan.TOML())
		o.Base = job.base
		source := follow.Source{URL: job.from.address, Path: job.target, Plan: c.planByChoices(choices, cmp.Or(job.base, job.target), f.into.truncate)}
		return follow.Begin(ctx, source, follow.Options{Mode: follow.Mode(f.follow.mode), Name: f.follow.slot, Recall: choices, Transfer: o, Warn: c.warning(f.json),
			Progress: func(p follow.Progress) {
				if p.Why != "" && !f.json {
					c.say("%s", visible(p.Why))
				}
			}})
	}
}

// planByChoices plans by the text of a file of choices, which the followed file keeps. A
// schema of the app's own is that of base.
func (c *cli) planByChoices(choices, base string, truncate bool) follow.Planner {
	return func(ctx context.Context, s *move.Schema) (*move.Plan, error) {
		o, err := move.ReadOptions("the choices of the import", []byte(choices))
		if err != nil || !o.Existing {
			if err == nil {
				return move.NewPlan(s, o)
			}
			return nil, err
		}
		e, err := transfer.ReadExisting(ctx, base)
		if err != nil {
			return nil, err
		}
		e.Tables = slices.DeleteFunc(e.Tables, func(t *move.ExistingTable) bool { return t.Name == follow.Table })
		plan, err := move.NewExistingPlan(ctx, s, e, move.ExistingOptions{Options: o, Truncate: truncate, ToolTable: c.getenv("FLYSQL_MIGRATE_TABLE")})
		if err != nil {
			return nil, err
		}
		return plan, plan.Fits()
	}
}

// followed is the source of a file that follows already.
func (c *cli) followed(ctx context.Context, from *importSource, path string) (follow.Source, *follow.State, error) {
	state, err := follow.Load(ctx, path)
	if err != nil {
		return follow.Source{}, nil, err
	}
	if !from.live() {
		return follow.Source{}, nil, usagef("%s follows a PostgreSQL, and %s is a dump: give its address", filepath.Base(path), from.shown)
	}
	return follow.Source{URL: from.address, Path: path, Plan: c.planByChoices(state.Recall, path, true)}, state, nil
}

// goOnFollowing follows on with a file that an earlier run has begun; done is false where
// there is none.
func (c *cli) goOnFollowing(ctx context.Context, f *importFlags, from *importSource, target string) (done bool, err error) {
	if f.follow.mode == "" {
		return false, nil
	}
	_, state, err := c.followed(ctx, from, target)
	switch {
	case errors.Is(err, follow.ErrNotFollowing):
		return false, nil
	case err != nil:
		return true, err
	case f.replace:
		return true, fmt.Errorf("%s follows PostgreSQL already: flysql import abandon ends that, before another import replaces it; without --replace it is followed on", target)
	case string(state.Mode) != f.follow.mode:
		return true, fmt.Errorf("%s follows by %s already: give --follow=%s", target, state.Mode, state.Mode)
	case f.follow.slot != "" && f.follow.slot != state.Name:
		return true, fmt.Errorf("%s follows by %s already: leave out --slot", target, state.Name)
	}
	return true, c.followOn(ctx, f, from, target)
}

// followOn applies changes until a signal ends it.
func (c *cli) followOn(ctx context.Context, f *importFlags, from *importSource, target string) error {
	source, state, err := c.followed(ctx, from, target)
	if err != nil {
		return err
	}
	c.say("following by %s; stop it at any time, the same command goes on; when the app has stopped writing: flysql import cutover %s %s", state.Name, shellArgument(from.argument()), shellArgument(target))
	p := &followProgress{}
	if f.json {
		p.lines = c.stdout
	} else if terminal(c.stderr) != nil && c.getenv("TERM") != "dumb" {
		p.line.terminal = c.stderr
	}
	warn := c.warning(f.json)
	err = follow.Run(ctx, source, follow.Options{Progress: p.tell, Warn: func(text string) { p.line.end(); warn(text) }})
	p.line.end()
	if ctx.Err() == nil {
		return err
	}
	kept := "WAL"
	if state.Mode == follow.Triggers {
		kept = "changes"
	}
	return fmt.Errorf("%w; PostgreSQL keeps %s for %s until the same command goes on, or flysql import cutover or abandon ends it", context.Cause(ctx), kept, state.Name)
}

// warning says what a person must hear of.
func (c *cli) warning(asJSON bool) func(string) {
	return func(text string) {
		if asJSON {
			_ = writeImportLine(c.stdout, warningJSON{"warning", text}) // nobody reads lines that cannot be written
			return
		}
		c.say("warning: %s", visible(text))
	}
}

// warningJSON and followJSON are lines of flysql import --follow --json.
// docs/from-postgres.md documents them; they only ever grow.
type warningJSON struct {
	Event   string `json:"event"` // "warning"
	Message string `json:"message"`
}

type followJSON struct {
	Event     string  `json:"event"`           // "follow"
	State     string  `json:"state"`           // following, connecting
	Position  string  `json:"position"`        // up to which the file has everything, on disk
	Lag       int64   `json:"lag_bytes"`       // of WAL behind PostgreSQL
	Behind    float64 `json:"behind_seconds"`  // at most so old is what is missing
	Rows      int64   `json:"rows"`            // changed since the import
	PerSecond float64 `json:"rows_per_second"` // of late
	Kept      int64   `json:"kept_bytes"`      // in PostgreSQL, for the slot or the triggers
	Why       string  `json:"why"`             // it does not follow; empty where it does
}

// followProgress tells how far behind a file is.
type followProgress struct {
	lines io.Writer // nil: none
	line  importProgress
}

func (p *followProgress) tell(now follow.Progress) {
	switch {
	case p.lines != nil:
		data, _ := json.Marshal(followJSON{"follow", now.State, now.Position, now.Lag, seconds(now.Behind), now.Rows, float64(int64(now.Rate)), now.Kept, now.Why})
		fmt.Fprintf(p.lines, "%s\n", data) // nobody reads lines that cannot be written
	case p.line.terminal != nil:
		p.line.write(followText(now))
	}
}

// followText is the line of a terminal.
func followText(p follow.Progress) string {
	if p.Why != "" {
		return p.State + ": " + visible(p.Why)
	}
	behind := "in step"
	if p.Lag > 0 {
		behind = bytesText(p.Lag) + " behind"
	}
	if p.Behind > time.Second {
		behind += ", " + roundTime(p.Behind)
	}
	return fmt.Sprintf("%s; %s rows changed, %s a second; PostgreSQL keeps %s", behind, humanize.Comma(p.Rows), humanize.Comma(int64(p.Rate)), bytesText(p.Kept))
}

// tellFound says what follows have left on a server, each time that one is spoken to:
// what is forgotten there fills its disk.
func (c *cli) tellFound(ctx context.Context, address string) {
	found, err := follow.FindAt(ctx, address)
	if err != nil {
		c.say("note: whether flysql has left replication slots there could not be seen: %v", err)
	}
	for _, f := range found {
		c.say("note: %s", visible(f.String()))
	}
}
