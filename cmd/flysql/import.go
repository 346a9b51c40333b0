package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/inspect"
	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/transfer"
)

// importFlags are the flags of flysql import.
type importFlags struct {
	choose importChoices
	into   intoFlags
	given  func(flag string) bool

	planOut, report           string
	streams                   int
	litefs                    string
	follow                    followFlags
	yes, replace, dryRun, sql bool
	json, fullCheck           bool
}

// importChoices are the flags that decide a plan; flysql verify has them, too.
type importChoices struct {
	plan, database string
	over           move.Overrides
	special        string
}

// formCompletions are values of --form that a shell offers.
var formCompletions = []cobra.Completion{"numeric=scaled", "numeric=real", "timestamptz=text", "timestamptz=micros", "timestamp=text", "timestamp=micros", "uuid=blob", "money=scaled", "bpchar=padded"}

func (f *importChoices) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.plan, "plan", "", `file of choices, as --plan-out writes it, or "none"`)
	flags.StringVar(&f.database, "database", "", "which database of a pg_dumpall file")
	flags.StringSliceVar(&f.over.Only, "only", nil, "only these tables: orders, 'audit.*', with * and ?")
	flags.StringSliceVar(&f.over.Exclude, "exclude", nil, "all but these tables")
	flags.StringArrayVar(&f.over.Where, "where", nil, "only these rows, by PostgreSQL's SQL: 'orders=created > now() - interval ''1 year'''")
	flags.StringArrayVar(&f.over.Map, "map", nil, "other names in SQLite: 'audit.log=audit_trail', 'orders.desc=description'")
	flags.StringArrayVar(&f.over.Forms, "form", nil, "how a type or a column is stored: numeric=scaled, orders.id=blob")
	flags.StringVar(&f.over.Schemas, "schemas", "", "names of tables outside public: prefix (audit_log, the default) or bare (log)")
	flags.StringVar(&f.special, "special", "", "NaN, infinity, BC, 24:00: refuse (the default), keep or null")
	for _, flag := range []string{"database", "only", "exclude", "where", "map"} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions))
	}
	must(cmd.RegisterFlagCompletionFunc("form", cobra.FixedCompletions(formCompletions, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("schemas", cobra.FixedCompletions([]cobra.Completion{"prefix\taudit_log", "bare\tlog"}, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("special", cobra.FixedCompletions([]cobra.Completion{"refuse\tend the import", "keep\tas text", "null\tas NULL"}, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.MarkFlagFilename("plan", "toml"))
}

func (c *cli) importCommand() *cobra.Command {
	f := &importFlags{}
	cmd := &cobra.Command{
		Use:   "import [SOURCE] DATABASE",
		Short: "Bring a PostgreSQL database into a SQLite file, and prove that it is the same",
		Long: `Reads what is in a PostgreSQL database, shows what becomes of it in SQLite, column by
column, with all that is lost or not carried; asks; copies in one snapshot; and compares
what the file returns with what PostgreSQL has. The file gets its name when it is whole,
checked, compared and on disk. One that is there is refused, or kept beside (--replace).

SOURCE is a postgres:// URL, key=value pairs as psql takes them, a file of pg_dump's in
plain SQL (also .gz and .zst), or - for such a dump on standard input. Without it,
FLYSQL_IMPORT_URL is read, else DATABASE_URL where that is a postgres:// URL.

What is chosen otherwise is said by flags, or in a file: --plan-out writes one with all
choices in it, to edit. flysql-import.toml here is read unasked. Flags win over it.`,
		Example: "  flysql import postgres://app@localhost/shop --dry-run\n  flysql import postgres://app@localhost/shop --plan-out flysql-import.toml\n" +
			"  flysql import postgres://app@localhost/shop app.db\n  flysql import shop.sql.gz app.db --exclude 'audit.*' --form numeric=scaled\n  pg_dump shop | flysql import - app.db --yes",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !f.looksOnly() {
				return usagef("what, and into which file? %s", cmd.UseLine())
			}
			return atMost(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.given = cmd.Flags().Changed
			if err := f.check(); err != nil {
				return err
			}
			source, target := f.arguments(args)
			if target == "" && !f.looksOnly() {
				return usagef("into which file? Give it behind SOURCE, as in flysql import SOURCE app.db; --dry-run needs none")
			}
			if err := pathOnly(target); err != nil {
				return err
			}
			return c.importInto(cmd.Context(), f, source, target)
		},
		SuggestionsMinimumDistance: 2,
		ValidArgsFunction:          twoFiles,
	}
	f.register(cmd)
	cmd.AddCommand(c.importCutoverCommand(), c.importAbandonCommand())
	return cmd
}

// pathOnly refuses a DATABASE that is no path: the arguments are the wrong way round, and
// one of them may have a password in it.
func pathOnly(target string) error {
	scheme, _, url := strings.Cut(target, "://")
	switch {
	case isPostgresURL(target) || keyValues.MatchString(target):
		return usagef("DATABASE is the address of a PostgreSQL: SOURCE comes first, then the SQLite file")
	case url || strings.HasPrefix(target, "file:"):
		return usagef("DATABASE is a URL (%s): give a path, such as app.db", strings.SplitN(scheme, ":", 2)[0])
	case target == "-":
		return usagef("DATABASE is -, and a database cannot be written to standard output: give a path, such as app.db")
	}
	return nil
}

// twoFiles completes files for two arguments, and nothing behind them.
func twoFiles(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) < 2 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (f *importFlags) register(cmd *cobra.Command) {
	f.choose.register(cmd)
	f.follow.register(cmd)
	f.into.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.planOut, "plan-out", "", "write the choices to this file, to edit, and copy nothing")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the plan, copy nothing")
	flags.BoolVar(&f.sql, "sql", false, "with --dry-run: print the SQL that makes the database instead")
	flags.BoolVarP(&f.yes, "yes", "y", false, "without asking, whatever is lost")
	flags.BoolVar(&f.replace, "replace", false, "where DATABASE is there: keep that file beside, as DATABASE.before-import")
	flags.IntVar(&f.streams, "streams", 0, "connections that read rows (default 2)")
	flags.BoolVar(&f.fullCheck, "full-check", false, "have SQLite's integrity_check look for every row in every index, too, which takes much longer")
	flags.StringVar(&f.litefs, "litefs", "", "hand the file to the LiteFS node here when it is proven, or to that of a URL")
	flags.Lookup("litefs").NoOptDefVal = litefsHereWord
	flags.StringVar(&f.report, "report", "", "write the report to this file, as JSON")
	flags.BoolVar(&f.json, "json", false, "print progress and report as JSON lines, or with --dry-run the plan")
	must(cmd.MarkFlagFilename("plan-out", "toml"))
	must(cmd.MarkFlagFilename("report", "json"))
	for _, flag := range []string{"streams", "litefs"} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions))
	}
}

// check looks at the flags by themselves.
func (f *importFlags) check() error {
	if f.given("streams") && (f.streams < 1 || f.streams > 64) {
		return usagef("--streams %d: from 1 to 64 connections", f.streams)
	}
	for _, flag := range []string{"plan", "plan-out", "report", "litefs", "database"} {
		value := map[string]string{"plan": f.choose.plan, "plan-out": f.planOut, "report": f.report, "litefs": f.litefs, "database": f.choose.database}[flag]
		if f.given(flag) && value == "" {
			return usagef("--%s is empty: give a value, or leave it out", flag)
		}
	}
	switch {
	case f.dryRun && f.yes, f.dryRun && f.replace:
		return usagef("--dry-run copies nothing: leave out --yes and --replace")
	case f.sql && !f.dryRun:
		return usagef("--sql prints what would be made: give --dry-run with it")
	case f.sql && f.json:
		return usagef("--sql prints SQL and --json does not: --dry-run --json has the SQL in it")
	case f.looksOnly() && (f.litefs != "" || f.report != ""):
		return usagef("--dry-run and --plan-out copy nothing: leave out --litefs and --report")
	}
	return errors.Join(f.into.check(f.sql), f.follow.check(f), f.choose.check())
}

func (f *importChoices) check() error {
	f.over.Special = convert.Special(f.special)
	switch {
	case f.over.Schemas != "" && f.over.Schemas != "prefix" && f.over.Schemas != "bare":
		return usagef("--schemas %q: it is prefix or bare", f.over.Schemas)
	case f.special != "" && f.special != "refuse" && f.special != "keep" && f.special != "null":
		return usagef("--special %q: it is refuse, keep or null", f.special)
	}
	return nil
}

// looksOnly reports whether nothing is copied.
func (f *importFlags) looksOnly() bool { return f.dryRun || f.planOut != "" }

// arguments tells SOURCE from DATABASE where there is only one: what is to be looked at
// is a SOURCE, and a file to be made is none.
func (f *importFlags) arguments(args []string) (source, target string) {
	switch {
	case len(args) == 0: // a variable names SOURCE
		return "", ""
	case len(args) == 2:
		return args[0], args[1]
	case f.looksOnly() || isPostgresURL(args[0]) || args[0] == "-":
		return args[0], ""
	}
	return "", args[0]
}

// importJob is an import that is planned: what there is, what becomes of it, and how it
// gets there.
type importJob struct {
	from     *importSource
	source   move.Source
	plan     *move.Plan
	planFile string // of choices; "" where there is none
	target   string // "" where nothing is copied
	untyped  bool   // the source has rows, and no tables
	base     string // the file whose schema is filled; "" where the plan makes one
	schemaOf string // that file or the migrations whose schema is filled; "" where the plan makes one
	follows  bool   // it goes on changing

	// copy makes target. Which way that is, is the flags' choice: see planImport.
	copy func(ctx context.Context, o transfer.Options) (*transfer.Report, error)

	// end removes what the job needed, if it is not nil.
	end func() error
}

// planImport decides what becomes of a source, and how it is copied.
func (c *cli) planImport(ctx context.Context, f *importFlags, from *importSource, source move.Source, target string) (*importJob, error) {
	job := &importJob{from: from, source: source, target: target}
	if err := job.describe(f.into.wanted()); err != nil {
		return nil, err
	}
	o, file, err := f.choose.options(job.source, importPlanFile)
	if err != nil {
		return nil, err
	}
	if job.planFile = file; file != "" && f.json && f.yes { // the plan is not shown, which names it
		c.say("choices: %s", file)
	}
	if f.into.wanted() {
		if err := c.planInto(ctx, f, job, o); err != nil {
			return nil, errors.Join(err, job.close())
		}
		return c.following(f, job), nil
	}
	if o.Existing {
		return nil, usagef("the choices of %s are for a schema of the app's own: give --into-existing or --migrations, or --plan none", file)
	}
	if job.plan, err = move.NewPlan(source.Schema(), o); err != nil {
		return nil, inPlanFile(file, err)
	}
	job.copy = func(ctx context.Context, o transfer.Options) (*transfer.Report, error) {
		return transfer.Import(ctx, source, job.plan, target, o)
	}
	return c.following(f, job), nil
}

func (j *importJob) close() error {
	if j.end == nil {
		return nil
	}
	return j.end()
}

func (c *cli) importInto(ctx context.Context, f *importFlags, sourceArg, target string) (err error) {
	from, err := c.findImportSource(sourceArg)
	if err != nil {
		return err
	}
	if done, err := c.goOnFollowing(ctx, f, from, target); done {
		return err
	}
	if !f.looksOnly() {
		err := inspect.CheckPlace(c.env, target)
		if err == nil {
			err = f.checkTarget(target)
		}
		if err != nil {
			return fmt.Errorf("%w; %s", targetHint(err), nothingWritten)
		}
	}
	end := c.working("reading " + from.shown)
	source, err := from.open(ctx, c, f.choose.database)
	end()
	if err != nil {
		return undone(ctx, err, target)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	job, err := c.planImport(ctx, f, from, source, target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, job.close()) }()
	if f.looksOnly() {
		return c.showImport(ctx, f, job)
	}
	if len(job.plan.Tables)+len(job.plan.Views) == 0 && job.plan.Fits() == nil {
		return fmt.Errorf("there is nothing to import from %s: is it the right database? --dry-run lists what is not carried; %s", from.shown, nothingWritten)
	}
	if err := inDump(source, job.plan); err != nil {
		return err
	}
	node, err := c.litefsNode(ctx, f, target)
	if err != nil {
		return undone(ctx, err, target)
	}
	if node != nil {
		defer func() { err = errors.Join(err, node.Close()) }()
	}
	if err := c.agreeImport(ctx, f, job); err != nil {
		return err
	}
	if err := c.carryOutImport(ctx, f, job, node); err != nil || f.follow.mode == "" {
		return err
	}
	return c.followOn(ctx, f, from, target)
}

// showImport is --dry-run and --plan-out.
func (c *cli) showImport(ctx context.Context, f *importFlags, job *importJob) error {
	var err error
	switch {
	case f.sql:
		err = c.writeSQL(job.plan)
	case f.json:
		err = writeImportPlanJSON(c.stdout, job)
	default:
		err = c.printImportPlan(c.stdout, job)
	}
	if err == nil {
		err = c.refuseMismatch(f, job)
	}
	if err != nil || f.planOut == "" {
		return err
	}
	if err := c.writePlanFile(ctx, f, job.plan.TOML()); err != nil {
		return err
	}
	c.say("wrote %s: edit it, and give it to --plan", f.planOut)
	return nil
}

// writeSQL prints what makes the database, without rows.
func (c *cli) writeSQL(plan *move.Plan) error {
	sql := strings.Join(append(plan.DDL(), ""), ";\n\n")
	if terminal(c.stdout) != nil {
		sql = visible(sql)
	}
	_, err := io.WriteString(c.stdout, sql)
	return err
}

// agreeImport shows the plan, and asks.
func (c *cli) agreeImport(ctx context.Context, f *importFlags, job *importJob) error {
	if !f.json || !f.yes { // what is asked about is shown
		if err := c.printImportPlan(c.stderr, job); err != nil {
			return fmt.Errorf("show the plan: %w; %s", err, nothingWritten)
		}
	}
	if err := c.refuseMismatch(f, job); err != nil || f.yes {
		return err
	}
	ask, err := c.newPrompter()
	if err != nil {
		return err
	}
	if ask == nil {
		return usagef("to import this without a terminal to ask on, give --yes; %s", nothingWritten)
	}
	question, usual := "Import into "+flat(job.target)+"?", "yes"
	if n := len(job.plan.Dangers()); n > 0 {
		question, usual = fmt.Sprintf("Import into %s, and do without %s?", flat(job.target), dangersText(n)), "no"
	}
	err = ask.confirm(ctx, question, usual)
	return errors.Join(err, ask.close())
}

// dangersText counts losses of danger.
func dangersText(n int) string {
	if n == 1 {
		return "the 1 thing marked danger"
	}
	return fmt.Sprintf("the %d things marked danger", n)
}
