package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/migrate"
	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/dump"
	"github.com/flysql/flysql/internal/move/transfer"
)

// intoFlags say that the rows come into a schema that the app's own migrations make.
type intoFlags struct {
	existing   bool
	migrations []string
	truncate   bool
}

func (f *intoFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.existing, "into-existing", false, "fill the tables of DATABASE, which is there; it is kept as DATABASE.before-import")
	flags.StringArrayVar(&f.migrations, "migrations", nil, "make DATABASE by this directory of goose, golang-migrate or dbmate migrations, and fill its tables")
	flags.BoolVar(&f.truncate, "truncate", false, "with these: tables that hold rows lose them first")
	must(cmd.MarkFlagDirname("migrations"))
}

// wanted reports whether there is such a schema.
func (f *intoFlags) wanted() bool { return f.existing || len(f.migrations) > 0 }

// check looks at the flags by themselves.
func (f *intoFlags) check(sql bool) error {
	switch {
	case f.existing && len(f.migrations) > 0:
		return usagef("--into-existing fills a file that is there, and --migrations makes one: give one of them")
	case f.truncate && !f.wanted():
		return usagef("--truncate empties tables of a schema that is there: give --into-existing or --migrations with it")
	case sql && f.wanted():
		return usagef("--sql prints what makes a database, which the app's migrations do here: leave it out")
	}
	for _, dir := range f.migrations {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return usagef("--migrations %s: there is no such directory", dir)
		}
	}
	return nil
}

// checkTarget refuses a target that cannot be filled or made, before anything is read.
func (f *importFlags) checkTarget(target string) error {
	if !f.into.existing {
		return transfer.CheckTarget(target, f.replace)
	}
	if _, err := os.Stat(target); err != nil {
		return fmt.Errorf("read %s: %w: --into-existing fills a file that is there; --migrations DIR makes one", target, pathless(err))
	}
	return transfer.CheckTarget(target, true)
}

// planInto plans an import into a schema of the app's own.
func (c *cli) planInto(ctx context.Context, f *importFlags, job *importJob, o move.Options) (err error) {
	base := job.target
	if !f.into.existing {
		if base, err = c.migrated(ctx, f, job); err != nil {
			return err
		}
	}
	job.base = base
	e, err := transfer.ReadExisting(ctx, base)
	if err != nil {
		return err
	}
	if job.untyped {
		if job.source, err = transfer.Typed(ctx, job.source, e, o); err != nil {
			return err
		}
	}
	job.schemaOf = job.target
	if !f.into.existing {
		job.schemaOf = strings.Join(f.into.migrations, ", ")
	}
	options := move.ExistingOptions{Options: o, Truncate: f.into.truncate, ToolTable: c.getenv("FLYSQL_MIGRATE_TABLE")}
	if job.plan, err = move.NewExistingPlan(ctx, job.source.Schema(), e, options); err != nil {
		return inPlanFile(job.planFile, err)
	}
	job.copy = func(ctx context.Context, o transfer.Options) (*transfer.Report, error) {
		o.Base = base
		return transfer.Import(ctx, job.source, job.plan, job.target, o)
	}
	if err := inDump(job.source, job.plan); err != nil {
		return err
	}
	return transfer.Look(ctx, job.source, job.plan)
}

// describe gives a dump that has rows only a schema, where somebody else's tables say more
// of it; otherwise it is refused.
func (j *importJob) describe(into bool) error {
	err := needSchema(j.source, j.from)
	if err == nil || !into {
		return err
	}
	d, _ := j.source.(*dump.Dump) // or there would be no error
	var tables []transfer.DataTable
	for _, t := range d.Data() {
		tables = append(tables, transfer.DataTable(t))
	}
	j.untyped = true
	j.source, err = transfer.Untyped(d, tables)
	return err
}

// migrated runs the app's migrations in a file of its own, which ends with the job.
func (c *cli) migrated(ctx context.Context, f *importFlags, job *importJob) (path string, err error) {
	dir, err := os.MkdirTemp("", "flysql-import-")
	if err != nil {
		return "", err
	}
	job.end = func() error { return os.RemoveAll(dir) }
	path = filepath.Join(dir, "migrated.db")
	for _, migrations := range f.into.migrations {
		set, err := migrate.Open(os.DirFS(migrations), migrate.Options{Tool: migrate.Tool(c.getenv("FLYSQL_MIGRATE_TOOL")), Table: c.getenv("FLYSQL_MIGRATE_TABLE")})
		if err != nil {
			return "", fmt.Errorf("--migrations %s: %w", migrations, err)
		}
		if _, err := set.Up(ctx, path); err != nil {
			return "", fmt.Errorf("--migrations %s: %w", migrations, err)
		}
	}
	return path, nil
}

// planExistingAgain is the plan of a file that has been filled, to compare it.
func planExistingAgain(ctx context.Context, job *importJob, o move.Options) (err error) {
	e, err := transfer.ReadExisting(ctx, job.target)
	if err != nil {
		return err
	}
	if job.untyped {
		if job.source, err = transfer.Typed(ctx, job.source, e, o); err != nil {
			return err
		}
	}
	if job.plan, err = move.NewExistingPlan(ctx, job.source.Schema(), e, move.ExistingOptions{Options: o, Truncate: true}); err != nil {
		return inPlanFile(job.planFile, err)
	}
	return errors.Join(job.plan.Fits(), inDump(job.source, job.plan))
}

// refuseMismatch ends an import into a schema that the data does not fit, when the plan
// has been shown.
func (c *cli) refuseMismatch(f *importFlags, job *importJob) error {
	err := job.plan.Fits()
	if err == nil {
		return nil
	}
	if !f.json {
		err = fmt.Errorf("the data does not fit into the schema of %s: what is marked danger above", job.schemaOf)
	}
	err = fmt.Errorf("%w; %s", err, untouched(job.target))
	if f.looksOnly() {
		return err
	}
	return errors.Join(err, c.tellImport(f, &importResult{job: job, err: err}))
}

// mismatches writes what does not fit, or fits otherwise than somebody may think.
func (p *importText) mismatches() {
	if len(p.plan.Mismatches) == 0 {
		return
	}
	p.line("")
	p.line("the two schemas:")
	for _, s := range []move.Severity{move.Note, move.Warning, move.Danger} {
		for _, m := range p.plan.Mismatches {
			if m.Severity != s {
				continue
			}
			text := m.Where() + ": " + m.Message
			if m.Hint != "" {
				text += ": " + m.Hint
			}
			p.b.WriteString("  " + p.severity(s) + " " + flat(text) + " [" + m.ID + "]\n")
		}
	}
}

// mismatchJSON is where PostgreSQL and a schema that is there do not fit.
type mismatchJSON struct {
	ID       string `json:"id"`
	Severity string `json:"severity"` // note, warning; danger: nothing is copied
	Source   string `json:"source"`   // a table or column of PostgreSQL's; empty: none
	Target   string `json:"target"`   // of SQLite's; empty: none
	Message  string `json:"message"`
	Hint     string `json:"hint"` // what to do; empty: nothing
	Rows     int64  `json:"rows"` // how many it is about; 0: it is not about rows
}

func mismatchesJSON(plan *move.Plan, err error) []mismatchJSON {
	list := plan.Mismatches
	var more *move.MismatchError // what has been found when the rows were there
	if errors.As(err, &more) {
		list = more.Mismatches
	}
	out := []mismatchJSON{}
	for _, m := range list {
		out = append(out, mismatchJSON{m.ID, string(m.Severity), m.Source, m.Target, m.Message, m.Hint, m.Rows})
	}
	return out
}
