package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/inspect"
	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/sqlitefile"
)

// verifyFlags are the flags of flysql verify.
type verifyFlags struct {
	choose importChoices
	json   bool
}

func (c *cli) verifyCommand() *cobra.Command {
	f := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify [SOURCE] DATABASE",
		Short: "Compare a SQLite file with the PostgreSQL database that it was made of",
		Long: `Counts the rows and NULLs of each table, and adds up checksums of each column and of
whole rows, in PostgreSQL and in the file independently. Where they differ, the rows are
named, and the exit code is 1.

How the file was made is read from DATABASE.import.toml, which flysql import has written
beside it; --plan names another file. SOURCE is as flysql import takes it, a dump too.`,
		Example: "  flysql verify postgres://app@localhost/shop app.db\n  flysql verify shop.sql.gz app.db --json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("which file, and with what? %s", cmd.UseLine())
			}
			return atMost(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.choose.check(); err != nil {
				return err
			}
			source, database := "", args[len(args)-1]
			if len(args) == 2 {
				source = args[0]
			}
			if err := pathOnly(database); err != nil {
				return err
			}
			return c.verify(cmd.Context(), f, source, database)
		},
		ValidArgsFunction: twoFiles,
	}
	f.choose.register(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "print what was found as JSON")
	return cmd
}

func (c *cli) verify(ctx context.Context, f *verifyFlags, sourceArg, database string) (err error) {
	from, err := c.findImportSource(sourceArg)
	if err != nil {
		return err
	}
	if info, err := os.Stat(database); err != nil {
		return fmt.Errorf("read %s: %w", database, pathless(err))
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("read %s: it is no file", database)
	}
	end := c.working("reading " + from.shown)
	source, err := from.open(ctx, c, f.choose.database)
	end()
	if err != nil {
		return caused(ctx, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	job := &importJob{from: from, source: source, target: database}
	if err := c.planVerify(ctx, f, job); err != nil {
		return err
	}
	found, err := c.compare(ctx, job)
	if err != nil {
		return caused(ctx, err)
	}
	if f.json {
		err = writeVerifyJSON(c.stdout, job, found)
	} else {
		err = c.printVerification(c.stdout, found)
	}
	if err == nil && !found.Equal() {
		return errDifferent
	}
	return err
}

// compare reads the file so that nothing is left beside it.
func (c *cli) compare(ctx context.Context, job *importJob) (found *transfer.Verification, err error) {
	locks, err := inspect.OnLiteFS(c.env, job.target)
	if err != nil {
		return nil, err
	}
	p := c.newImportProgress(job.plan, false)
	defer p.end()
	err = sqlitefile.Read(ctx, job.target, locks, func(o sqlitefile.Opening) (err error) {
		if found, err = transfer.Verify(ctx, job.source, job.plan, o.DSN(), p.tell); err != nil {
			err = errors.New(strings.ReplaceAll(err.Error(), o.DSN(), job.target)) // the name that the person knows
		}
		return err
	})
	switch {
	case err != nil && !strings.Contains(err.Error(), job.target):
		err = fmt.Errorf("read %s: %w", job.target, err)
	case err == nil && found == nil:
		err = fmt.Errorf("%s is empty", job.target)
	}
	return found, err
}

// errDifferent says that a comparison has found what it exits with 1 for, and has told it.
var errDifferent = &findingsError{errors: 1}

// planVerify makes the plan that the file was made by.
func (c *cli) planVerify(ctx context.Context, f *verifyFlags, job *importJob) error {
	whole := job.source
	if err := job.describe(true); err != nil {
		return err
	}
	o, file, err := f.choose.options(job.source, importedPlanFile(job.target))
	if err != nil {
		return err
	}
	if file == "" && f.choose.plan == "" {
		c.say("note: there is no %s: the file is compared as if it were made with the defaults and the flags given here", importedPlanFile(job.target))
	}
	job.planFile = file
	if o.Existing {
		return planExistingAgain(ctx, job, o)
	}
	if err := needSchema(whole, job.from); err != nil {
		return err
	}
	if job.plan, err = move.NewPlan(job.source.Schema(), o); err != nil {
		return inPlanFile(file, err)
	}
	return inDump(job.source, job.plan)
}

// caused is an error, or the signal that has caused it.
func caused(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// verifyJSON is what flysql verify --json prints. docs/from-postgres.md documents it; it
// only ever grows.
type verifyJSON struct {
	Source   importSourceJSON `json:"source"`
	Database string           `json:"database"`
	PlanFile string           `json:"plan_file"`
	verdictJSON
}

func writeVerifyJSON(w io.Writer, job *importJob, found *transfer.Verification) error {
	return encodeJSON(w, verifyJSON{newImportSourceJSON(job), job.target, job.planFile, *newVerdictJSON(found)})
}

// printVerification writes a line for each table, and below one that differs what does.
func (c *cli) printVerification(w io.Writer, v *transfer.Verification) error {
	var b strings.Builder
	different := 0
	for _, t := range v.Tables {
		if t.Equal() {
			fmt.Fprintf(&b, "%s\n", flat(t.String()))
			continue
		}
		different++
		fmt.Fprintf(&b, "%s: different: %d rows in PostgreSQL, %d in SQLite\n", flat(t.Source), t.Rows.PostgreSQL, t.Rows.SQLite)
		for _, column := range t.Columns {
			if column.Unchecked == "" && (!column.Same || column.Nulls.PostgreSQL != column.Nulls.SQLite) {
				fmt.Fprintf(&b, "  column %s: NULLs %d and %d, values differ\n", flat(column.Name), column.Nulls.PostgreSQL, column.Nulls.SQLite)
			}
		}
		for _, d := range t.Differences {
			fmt.Fprintf(&b, "  %s\n", flat(d.String()))
		}
		if t.More {
			b.WriteString("  and other rows\n")
		}
	}
	b.WriteString(notCompared(v))
	if different == 0 {
		fmt.Fprintf(&b, "the same: %s\n", counted(len(v.Tables), "table"))
	} else {
		fmt.Fprintf(&b, "different: %d of %s\n", different, counted(len(v.Tables), "table"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// notCompared names columns of which nothing can be said.
func notCompared(v *transfer.Verification) string {
	var b strings.Builder
	for _, t := range v.Tables {
		for _, column := range t.Columns {
			if column.Unchecked != "" {
				fmt.Fprintf(&b, "not compared: %s.%s: %s\n", flat(t.Source), flat(column.Name), flat(column.Unchecked))
			}
		}
	}
	return b.String()
}

// verifiedText says what is proved, and what is not.
func verifiedText(v *transfer.Verification, source string) string {
	missing, but := notCompared(v), ""
	if missing != "" {
		but = ", but for the columns named below,"
	}
	return fmt.Sprintf("verified: counts, NULLs and checksums of each column and row of %s%s are the same in %s and in the file\n%s", counted(len(v.Tables), "table"), but, source, missing)
}

// verificationOf is what an import has found by comparing, also where that was its end.
func verificationOf(done *importResult) *transfer.Verification {
	var different *transfer.DifferenceError
	switch {
	case errors.As(done.err, &different):
		return different.Verification
	case done.report != nil:
		return done.report.Verification
	}
	return nil
}
