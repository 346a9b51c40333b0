package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/move/follow"
	"github.com/flysql/flysql/internal/move/transfer"
)

func (c *cli) importCutoverCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cutover [SOURCE] DATABASE",
		Short: "End flysql import --follow: drain, compare, and let the app change over",
		Long: `When the app has stopped writing to PostgreSQL, this looks twice whether that is so,
applies what is left, sets what the file counts from, checks the file, and compares it
with PostgreSQL, whose tables cannot be written meanwhile. Only when nothing differs, it
drops the slot or the triggers, and prints what to switch. Where something differs, or
somebody still writes, nothing is dropped, the exit code is 1, and the file can be
followed on. Interrupted or killed, the same command again ends it.`,
		Example: "  flysql import cutover postgres://app@localhost/shop app.db",
		Args:    sourceAndFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.importCutover(cmd.Context(), args, asJSON)
		},
		ValidArgsFunction: twoFiles,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was done as JSON")
	return cmd
}

func sourceAndFile(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("which file, and what does it follow? %s", cmd.UseLine())
	}
	return atMost(2)(cmd, args)
}

// sourceBefore is SOURCE of a command whose last argument is a file.
func (c *cli) sourceBefore(args []string) (from *importSource, file string, err error) {
	source := ""
	if len(args) == 2 {
		source = args[0]
	}
	from, err = c.findImportSource(source)
	return from, args[len(args)-1], err
}

func (c *cli) importCutover(ctx context.Context, args []string, asJSON bool) error {
	from, path, err := c.sourceBefore(args)
	if err != nil {
		return err
	}
	source, state, err := c.followed(ctx, from, path)
	if err != nil {
		return notFollowing(err, from, path)
	}
	var told string
	r, err := follow.Cutover(ctx, source, follow.Options{Warn: c.warning(false), Progress: func(now follow.Progress) {
		text := now.State
		if now.Why != "" {
			text += ": " + now.Why
		}
		if text != told && text != "following" {
			told = text
			c.say("%s", visible(text))
		}
	}})
	if err != nil {
		return cutoverFailed(ctx, err, state, path)
	}
	if asJSON {
		return writeImportLine(c.stdout, cutoverJSON{"cutover", path, r.Position, r.Rows, r.Resumed, append([]string{}, r.Notes...), newVerdictJSON(r.Verification)})
	}
	return printCutover(c.stdout, r, state, from, path)
}

// cutoverJSON is what flysql import cutover --json prints. docs/from-postgres.md documents
// it; it only ever grows.
type cutoverJSON struct {
	Event    string       `json:"event"` // "cutover"
	Database string       `json:"database"`
	Position string       `json:"position"` // up to which the file has everything
	Rows     int64        `json:"rows"`     // changed since the import
	Resumed  bool         `json:"resumed"`  // an earlier run had compared it
	Notes    []string     `json:"notes"`
	Verified *verdictJSON `json:"verification"` // null where an earlier run had
}

func notFollowing(err error, from *importSource, path string) error {
	if !errors.Is(err, follow.ErrNotFollowing) {
		return err
	}
	return fmt.Errorf("%w: its cutover has ended, or there never was a flysql import --follow; flysql verify %s %s compares it", err, shellArgument(from.argument()), shellArgument(path))
}

// cutoverFailed says what an error means, and what to do.
func cutoverFailed(ctx context.Context, err error, state *follow.State, path string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w; the same command again goes on", context.Cause(ctx))
	}
	after := fmt.Sprintf("%s still follows by %s, and nothing was dropped", filepath.Base(path), state.Name)
	var writers *follow.WritersError
	var different *transfer.DifferenceError
	switch {
	case errors.As(err, &writers):
		return fmt.Errorf("%w\n%s\nto make sure of it: ALTER DATABASE ... SET default_transaction_read_only = on, then end the sessions that are there: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", err, after)
	case errors.As(err, &different):
		return fmt.Errorf("%w\n%s; if another program has written to the file, begin anew: flysql import abandon, then flysql import --follow --replace", err, after)
	case errors.Is(err, follow.ErrBusy):
		return fmt.Errorf("%w\nend the flysql import --follow that runs, with Ctrl-C; the same command again goes on then", err)
	case errors.Is(err, follow.ErrLost), errors.Is(err, follow.ErrChanged): // which say to begin anew
		return fmt.Errorf("%w\n%s", err, after)
	}
	return fmt.Errorf("%w\nthe same command again goes on", err)
}

func printCutover(w io.Writer, r *follow.Result, state *follow.State, from *importSource, path string) error {
	var b strings.Builder
	name := visible(path)
	fmt.Fprintf(&b, "%s has everything up to %s: %s rows changed since the import\n", name, r.Position, humanize.Comma(r.Rows))
	if v := r.Verification; v != nil {
		b.WriteString(verifiedText(v, "PostgreSQL"))
	} else {
		b.WriteString("verified by an earlier run of this command\n")
	}
	what := "the slot and the publication"
	if state.Mode == follow.Triggers {
		what = "the triggers and the schema"
	}
	fmt.Fprintf(&b, "dropped in PostgreSQL: %s %s\n", what, state.Name)
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", visible(note))
	}
	fmt.Fprintf(&b, "switch now, before anything writes to PostgreSQL again:\n")
	fmt.Fprintf(&b, "  fly ssh sftp put %s /data/%s  # onto an empty volume; see docs/from-postgres.md\n", shellArgument(path), shellArgument(filepath.Base(path)))
	fmt.Fprintf(&b, "  fly deploy                    # the release of the app that opens it\n")
	fmt.Fprintf(&b, "the way back, until that has taken its first write: deploy the old release; %s has lost nothing\n", visible(from.shown))
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *cli) importAbandonCommand() *cobra.Command {
	var yes bool
	var slot string
	cmd := &cobra.Command{
		Use:   "abandon [SOURCE] DATABASE",
		Short: "End flysql import --follow without a cutover",
		Long: `Drops the slot and the publication, or the triggers, that flysql import --follow has made
in PostgreSQL, which keeps nothing for the file then. The file stays: it is an ordinary
database of the moment that it had come to. Where the file is gone, --slot names what is
to be dropped; flysql import and flysql verify say what there is.`,
		Example: "  flysql import abandon postgres://app@localhost/shop app.db\n  flysql import abandon postgres://app@localhost/shop --slot flysql_0123456789ab",
		Args: func(cmd *cobra.Command, args []string) error {
			if slot != "" {
				return atMost(2)(cmd, args)
			}
			return sourceAndFile(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if slot != "" && len(args) < 2 { // without a file
				args = append(append([]string{""}, args...), "")
				args = args[len(args)-2:]
			}
			return c.importAbandon(cmd.Context(), args, slot, yes)
		},
		ValidArgsFunction: twoFiles,
	}
	cmd.Flags().StringVar(&slot, "slot", "", "what to drop where the file is gone: a slot, or a schema with triggers")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "without asking")
	must(cmd.RegisterFlagCompletionFunc("slot", cobra.NoFileCompletions))
	return cmd
}

func (c *cli) importAbandon(ctx context.Context, args []string, slot string, yes bool) error {
	from, path, err := c.sourceBefore(args)
	if err != nil {
		return err
	}
	what, source := slot, follow.Source{URL: from.address, Path: path}
	if path != "" {
		var state *follow.State
		source, state, err = c.followed(ctx, from, path)
		switch {
		case errors.Is(err, follow.ErrNotFollowing) && slot != "": // it was killed while it copied
			source, path = follow.Source{URL: from.address, Path: path}, ""
		case errors.Is(err, follow.ErrNotFollowing):
			return fmt.Errorf("%w; what an import has left that was killed while it copied is dropped by --slot NAME: flysql import and flysql verify tell the name", err)
		case err != nil:
			return err
		default:
			if what = state.Name; slot != "" && slot != what {
				return usagef("%s follows by %s, and not by %s", path, what, slot)
			}
		}
	}
	if !from.live() {
		return usagef("%s is a dump: give the address of PostgreSQL", from.shown)
	}
	if !yes {
		ask, err := c.newPrompter()
		if err != nil {
			return err
		}
		if ask == nil {
			return usagef("to drop %s without a terminal to ask on, give --yes; nothing was dropped", what)
		}
		ask.undone = "nothing was dropped"
		err = ask.confirm(ctx, fmt.Sprintf("Drop %s? The changes that PostgreSQL keeps for it are gone then", visible(what)), "no")
		if err := errors.Join(err, ask.close()); err != nil {
			return err
		}
	}
	notes, err := follow.Abandon(ctx, source, slot)
	if err != nil {
		return caused(ctx, err)
	}
	c.say("dropped %s", what)
	for _, note := range notes {
		c.say("note: %s", visible(note))
	}
	if path != "" {
		c.say("%s is a database of the moment that it had come to", filepath.Base(path))
	}
	return nil
}
