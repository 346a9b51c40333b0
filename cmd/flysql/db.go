package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/inspect"
)

const databaseHelp = `The database is the argument, a path or a URL; else what FLYSQL_DB or DATABASE_URL
names; else that of the app here, by its .env, code and fly.toml.`

func (c *cli) dbCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Look into the app's database: shell, size, check, pragmas, copy, wal",
		Long:  "Looks into the app's database, here or on its machine, beside the app.\n\n" + databaseHelp,
		Args:  subcommandOnly,

		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.dbShellCommand(), c.dbSizeCommand(), c.dbCheckCommand(), c.dbPragmasCommand(), c.dbCopyCommand(), c.dbWALCommand())
	return cmd
}

// atMost refuses more arguments than a verb has names for.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("unexpected argument %q: %s", args[n], cmd.UseLine())
		}
		return nil
	}
}

// findDB finds the database of a verb.
func (c *cli) findDB(ctx context.Context, args []string) (*inspect.Database, error) {
	r := inspect.Request{Env: c.env}
	if len(args) > 0 {
		r.Name = args[0]
	}
	db, err := inspect.Find(ctx, r)
	return db, asChoice(err)
}

// asChoice sorts out the errors that an argument would mend.
func asChoice(err error) error {
	var choice *inspect.ChoiceError
	if errors.As(err, &choice) {
		return &usageError{err}
	}
	return err
}

func (c *cli) dbSizeCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "size [DATABASE]",
		Short: "What the files, tables and indexes take",
		Long:  "Tells what the database's files take, and each table and index in it.\n\n" + databaseHelp,
		Args:  atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			db, err := c.findDB(cmd.Context(), args)
			if err != nil {
				return err
			}
			size, err := db.Size(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return writeSizeJSON(c.stdout, db, size)
			}
			return printSize(c.stdout, db, size)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the sizes as JSON, in bytes")
	return cmd
}

// errDamage says that a check has found what it exits with 1 for, and has told it.
var errDamage = &findingsError{errors: 1}

func (c *cli) dbCheckCommand() *cobra.Command {
	var asJSON, quick bool
	cmd := &cobra.Command{
		Use:   "check [DATABASE]",
		Short: "Find damage, and rows that refer to none",
		Long: `Reads the whole database, with integrity_check and foreign_key_check, and names what
is wrong. The exit code is 1 then.

With a rollback journal, as on LiteFS, writers wait meanwhile, and on a replica so does
replication: copy a large one first (flysql db copy), and check the copy.

` + databaseHelp,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			db, err := c.findDB(cmd.Context(), args)
			if err != nil {
				return err
			}
			report, err := db.Check(cmd.Context(), quick)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeCheckJSON(c.stdout, db, report, quick)
			} else {
				err = printCheck(c.stdout, db, report)
			}
			if err == nil && !report.OK() {
				return errDamage
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "do not compare indexes with their tables: several times faster")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was found as JSON")
	return cmd
}

func (c *cli) dbPragmasCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "pragmas [DATABASE]",
		Short: "What is set, beside what flysql advises",
		Long:  "Tells what the file is set to, and what each connection should set, with the reason.\n\n" + databaseHelp,
		Args:  atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			db, err := c.findDB(cmd.Context(), args)
			if err != nil {
				return err
			}
			settings, err := db.Pragmas(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return writePragmasJSON(c.stdout, db, settings)
			}
			return c.printPragmas(c.stdout, settings)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the settings as JSON")
	return cmd
}

func (c *cli) dbCopyCommand() *cobra.Command {
	var o inspect.CopyOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "copy [DATABASE] DEST",
		Short: "Write the database, as it is at this moment, to a file",
		Long: `Writes a whole copy beside a running app, what is still in the -wal included. The file
has its name only when it is whole and on the disk. Rowids are kept; --vacuum leaves
out free pages, and may change the rowids of tables without an INTEGER PRIMARY KEY.

` + databaseHelp,
		Example: "  flysql db copy /data/before.db\n  flysql db copy --vacuum app.db small.db",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("where to? %s", cmd.UseLine())
			}
			return atMost(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			db, err := c.findDB(cmd.Context(), args[:len(args)-1])
			if err != nil {
				return err
			}
			end := c.progress(&o)
			copied, err := db.Copy(cmd.Context(), args[len(args)-1], o)
			end()
			if err != nil {
				return err
			}
			if asJSON {
				return writeCopyJSON(c.stdout, db, copied, o.Vacuum)
			}
			if copied.Kept != "" {
				c.say("kept what was there as %s", copied.Kept)
			}
			c.say("copied %s to %s, %s", db.Path, copied.Path, humanize.IBytes(uint64(copied.Bytes)))
			return nil
		},
	}
	cmd.Flags().BoolVar(&o.Replace, "replace", false, "where DEST is there: keep that file beside, as DEST.old")
	cmd.Flags().BoolVar(&o.Vacuum, "vacuum", false, "VACUUM INTO: without free pages")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was written as JSON")
	return cmd
}

// progress shows how far a copy is, on a terminal; end takes that away.
func (c *cli) progress(o *inspect.CopyOptions) (end func()) {
	if terminal(c.stderr) == nil {
		return func() {}
	}
	var said time.Time
	o.Progress = func(done, total int64) {
		if time.Since(said) < 100*time.Millisecond {
			return
		}
		said = time.Now()
		text := humanize.IBytes(uint64(done))
		if total > 0 {
			text += fmt.Sprintf(" of %s, %d%%", humanize.IBytes(uint64(total)), done*100/total)
		}
		fmt.Fprintf(c.stderr, "\r%-40s", text)
	}
	return func() {
		if !said.IsZero() {
			fmt.Fprintf(c.stderr, "\r%-40s\r", "")
		}
	}
}

func (c *cli) dbWALCommand() *cobra.Command {
	var asJSON, checkpoint bool
	cmd := &cobra.Command{
		Use:   "wal [DATABASE]",
		Short: "The write-ahead log: its size, and who holds it up",
		Long: `Tells how long the write-ahead log is, what of it is in the database file already, and
which processes read an older state, so that it cannot be used again from its start.

` + databaseHelp,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			db, err := c.findDB(cmd.Context(), args)
			if err != nil {
				return err
			}
			busy := false
			if checkpoint {
				if busy, err = db.Checkpoint(cmd.Context()); err != nil {
					return err
				}
			}
			wal, err := db.WAL(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				err = writeWALJSON(c.stdout, db, wal)
			} else {
				err = printWAL(c.stdout, db, wal)
			}
			if err == nil && busy {
				return errors.New("the log could not be emptied: a reader or writer was in the way; try again")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&checkpoint, "checkpoint", false, "move the log into the file and empty it first; never beside LiteFS")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

// dbShellFlags are the flags of flysql db shell.
type dbShellFlags struct {
	command                    string
	mode                       string
	builtIn, sqlite3, readOnly bool
}

func (c *cli) dbShellCommand() *cobra.Command {
	f := &dbShellFlags{}
	cmd := &cobra.Command{
		Use:   "shell [DATABASE]",
		Short: "SQL by hand: through sqlite3, else a prompt of its own",
		Long: `Opens the database in sqlite3, if that is in PATH, else in a prompt of its own, with
foreign keys on and a busy timeout. On a LiteFS replica it only reads.

An sqlite3 before ` + inspect.FixedSQLite + ` can corrupt a database in WAL mode that others write to: where
others have it open the prompt is taken instead, unless --sqlite3 insists.

In a pipe, the first error ends the prompt, with exit code 1.

` + databaseHelp,
		Example: "  flysql db shell\n  flysql db shell --command 'SELECT count(*) FROM guests'\n  echo 'SELECT 1;' | flysql db shell --built-in app.db",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd.Flags().Changed); err != nil {
				return err
			}
			db, err := c.findDB(cmd.Context(), args)
			if err != nil {
				return err
			}
			return c.shell(cmd.Context(), db, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.command, "command", "c", "", "run this SQL, and end")
	flags.BoolVar(&f.builtIn, "built-in", false, "do not look for sqlite3")
	flags.BoolVar(&f.sqlite3, "sqlite3", false, "nothing but sqlite3, of whichever version")
	flags.BoolVar(&f.readOnly, "readonly", false, "write nothing")
	flags.StringVar(&f.mode, "mode", "", "of the built-in prompt: list, table or json (default: table on a terminal, else list)")
	must(cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions(inspect.ShellModes, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("command", cobra.NoFileCompletions))
	return cmd
}

func (f *dbShellFlags) check(given func(string) bool) error {
	switch {
	case f.builtIn && f.sqlite3:
		return usagef("--built-in and --sqlite3 cannot be given together: they name different prompts")
	case f.sqlite3 && f.mode != "":
		return usagef("--mode is the built-in prompt's: sqlite3 has .mode")
	case f.mode != "" && !slices.Contains(inspect.ShellModes, f.mode):
		return usagef("--mode %q is none of list, table, json", f.mode)
	case given("command") && f.command == "":
		return usagef("--command is empty: give SQL, or leave it out")
	}
	return nil
}

func (c *cli) shell(ctx context.Context, db *inspect.Database, f *dbShellFlags) error {
	if l := db.LiteFS; l != nil {
		c.say("note: %s is in the mount of LiteFS; %s", db.Path, roleText(l))
	}
	if !f.builtIn && f.mode == "" {
		program, why := db.Program(ctx, c.getenv("PATH"), f.command, f.readOnly, f.sqlite3)
		switch {
		case program != nil:
			if program.Note != "" {
				c.say("warning: %s", program.Note)
			}
			return c.become(program.Path, program.Argv)
		case f.sqlite3:
			return errors.New(why)
		}
		c.say("note: the built-in prompt is used: %s", why)
	}
	prompt := f.command == "" && terminal(c.stdin) != nil && terminal(c.stderr) != nil
	o := inspect.ShellOptions{In: c.stdin, Out: c.stdout, Err: c.stderr, SQL: f.command, ReadOnly: f.readOnly, Mode: f.mode, Prompt: prompt, Terminal: terminal(c.stdout) != nil}
	if o.Mode == "" && o.Terminal {
		o.Mode = "table"
	}
	if prompt {
		c.say("%s; .help lists the commands", db.Path)
	}
	return db.Shell(ctx, o)
}

// become replaces this process by a program, so that signals and the exit code are its
// own, or runs it as a child where the system knows no exec.
func (c *cli) become(path string, argv []string) error {
	if in, ok := c.stdin.(*os.File); !ok || in != os.Stdin {
		return errors.New("sqlite3 needs this process's own standard input: give --built-in")
	}
	return execute(path, argv, c.env)
}
