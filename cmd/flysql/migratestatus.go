package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/inspect"
	"github.com/flysql/flysql/internal/migrate"
)

func (c *cli) migrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "The app's migrations: status",
		Args:  subcommandOnly,

		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.migrateStatusCommand())
	return cmd
}

// pendingError says that --check found migrations to apply.
type pendingError struct{ pending int }

func (e *pendingError) Error() string {
	return counted(e.pending, "migration") + " pending: the next boot of flysql-entrypoint applies them"
}

func (c *cli) migrateStatusCommand() *cobra.Command {
	r := inspect.MigrationsRequest{}
	var check, asJSON bool
	cmd := &cobra.Command{
		Use:   "status [DATABASE|DIR...]",
		Short: "What is applied, and what is pending",
		Long: `Compares directories of goose, golang-migrate or dbmate migrations with what the
database has of them. It reads only: nothing is migrated, and no file is made.

Directories are arguments; else what FLYSQL_MIGRATIONS names; else the app's here.
` + databaseHelp,
		Example: "  flysql migrate status\n  flysql migrate status app.db migrations --check",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Env, r.Args = c.env, args
			db, list, err := r.Migrations(cmd.Context())
			if err != nil {
				return asChoice(err)
			}
			if asJSON {
				err = writeStatusJSON(c.stdout, db, list)
			} else {
				err = printStatus(c.stdout, db, list)
			}
			pending := 0
			for _, m := range list {
				pending += len(m.Pending)
			}
			if err == nil && check && pending > 0 {
				return &pendingError{pending}
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.Tool, "tool", "", "goose, golang-migrate or dbmate (default: FLYSQL_MIGRATE_TOOL, else by the files)")
	flags.StringVar(&r.Table, "table", "", "the tool's table (default: FLYSQL_MIGRATE_TABLE, else the tool's own)")
	flags.BoolVar(&check, "check", false, "exit with 2 if something is pending")
	flags.BoolVar(&asJSON, "json", false, "print the status as JSON")
	must(cmd.RegisterFlagCompletionFunc("tool", cobra.FixedCompletions([]cobra.Completion{"goose", "golang-migrate", "dbmate"}, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("table", cobra.NoFileCompletions))
	return cmd
}

func printStatus(w io.Writer, db *inspect.Database, list []inspect.Migrations) error {
	var b strings.Builder
	b.WriteString(headText(db))
	for _, m := range list {
		fmt.Fprintf(&b, "%s  (%s): %d applied, %d pending", visible(m.Dir), m.Tool, len(m.Applied), len(m.Pending))
		if m.Version != "" {
			fmt.Fprintf(&b, ", version %s", m.Version)
		}
		b.WriteString("\n")
		for _, v := range m.Applied {
			fmt.Fprintf(&b, "  applied  %s\n", visible(v.File))
		}
		for _, v := range m.Unknown {
			fmt.Fprintf(&b, "  missing  %s: applied, and no file here has that version\n", visible(v))
		}
		for _, v := range m.Pending {
			note := ""
			if m.Dirty && v.Version == m.Version {
				note = "  dirty: it began, and did not end"
			} else if v.NoTx {
				note = "  (outside a transaction)"
			}
			fmt.Fprintf(&b, "  pending  %s%s\n", visible(v.File), note)
		}
		if m.Dirty {
			b.WriteString("  dirty: golang-migrate goes no further before somebody has looked (migrate force VERSION)\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// migrateStatusJSON is what flysql migrate status --json prints. docs/db.md documents it; it
// only ever grows.
type migrateStatusJSON struct {
	databaseJSON
	Pending int             `json:"pending"` // of all directories
	Sets    []migrationsSet `json:"sets"`
}

type migrationsSet struct {
	Dir     string          `json:"dir"`
	Tool    string          `json:"tool"`
	Version string          `json:"version"` // the highest that is recorded; empty: none
	Dirty   bool            `json:"dirty"`
	Applied []migrationJSON `json:"applied"`
	Pending []migrationJSON `json:"pending"`
	Missing []string        `json:"missing"` // versions that are applied and have no file
}

type migrationJSON struct {
	Version string `json:"version"`
	File    string `json:"file"`
	NoTx    bool   `json:"no_tx"` // it runs outside a transaction
}

func writeStatusJSON(w io.Writer, db *inspect.Database, list []inspect.Migrations) error {
	out := migrateStatusJSON{databaseJSON: newDatabaseJSON(db), Sets: []migrationsSet{}}
	for _, m := range list {
		out.Pending += len(m.Pending)
		out.Sets = append(out.Sets, migrationsSet{m.Dir, m.Tool, m.Version, m.Dirty, migrationsJSON(m.Applied), migrationsJSON(m.Pending), append([]string{}, m.Unknown...)})
	}
	return encodeJSON(w, out)
}

func migrationsJSON(list []migrate.Migration) []migrationJSON {
	out := []migrationJSON{}
	for _, m := range list {
		out = append(out, migrationJSON(m))
	}
	return out
}
