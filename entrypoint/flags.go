package entrypoint

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
)

// Usage is what flysql-entrypoint --help prints.
const Usage = `flysql-entrypoint boots an app that keeps its data in SQLite: it checks the
volume, runs the migrations, then becomes the app.

  flysql-entrypoint [flags] [--] COMMAND [ARG...]

Each flag can be given as an environment variable; the flag wins.

  --db URL             FLYSQL_DB, else DATABASE_URL   the database's file or URL
  --migrations DIR     FLYSQL_MIGRATIONS     SQL migrations: goose, golang-migrate, dbmate
  --migrate-tool NAME  FLYSQL_MIGRATE_TOOL   which of them, where the files leave it open
  --migrate-table NAME FLYSQL_MIGRATE_TABLE  the tool's table, where it is not the default
  --migrate COMMAND    FLYSQL_MIGRATE        any other migration command, run without a shell
  --user NAME          FLYSQL_USER           owns the volume's files, runs migrations and app
  --snapshots N        FLYSQL_SNAPSHOTS      kept beside the database, -1 for none (default 3)
  --check MODE         FLYSQL_CHECK          auto, off, quick or full (default auto)
  --min-free MB        FLYSQL_MIN_FREE       free space a boot demands, in MB (default 4)
  --lock-timeout D     FLYSQL_LOCK_TIMEOUT   wait for another boot (default 5m)
  --supervise          FLYSQL_SUPERVISE=1    stay as the parent: forward signals, reap
  --grace D            FLYSQL_GRACE          supervised: from a signal to KILL (default 4s)
  --litefs FILE        FLYSQL_LITEFS         litefs.yml of the node to run beside the app,
                                             or off (default /etc/litefs.yml if it is there)
  --litefs-wait D      FLYSQL_LITEFS_WAIT    wait for LiteFS, and on a replica for the
                                             primary's migrations (default 5m)
  --litefs-peers LIST  FLYSQL_LITEFS_PEERS   host:port of the other nodes' LiteFS, by commas
                                             (default: the app's machines on Fly)
  --litefs-candidate off
                       FLYSQL_LITEFS_CANDIDATE
                                             never the primary, whatever litefs.yml says
                                             (default on: as litefs.yml says)
  --litefs-import FILE FLYSQL_LITEFS_IMPORT  becomes the database of a cluster without one;
                                             off: an empty one is meant
  --handoff D          FLYSQL_HANDOFF        a primary that goes: wait for another node to
                                             take over, 0 for not at all (default 10s)
  --migrate-from NODES FLYSQL_MIGRATE_FROM   who migrates in a cluster: primary, or also a
                                             candidate, or any node (default primary)
  --strict-migrations  FLYSQL_STRICT_MIGRATIONS=1
                                             refuse what the release before may still use
  --salvage MB|off     FLYSQL_SALVAGE        kept of what LiteFS replaces and no other
                                             node has, in MB (default 1024)
  --litefs-hang D      FLYSQL_LITEFS_HANG    no answer of LiteFS's for so long: it is
                                             killed, the app ended (default 10s)
  --fence on|off       FLYSQL_FENCE          stop LiteFS while its lease cannot be
                                             confirmed (default on)
  --skip               FLYSQL_SKIP=1         exec COMMAND untouched
  --log FORMAT         FLYSQL_LOG            text, logfmt or json
  --dry-run            say what a boot would do, start nothing
  --status [--json]    say how this machine is, beside the app that runs in it
  --version, --help

Exit code: the app's own; 128+n when signal n ended it; 126 or 127 when it cannot
be run; 78 when the configuration is refused; 1 when a step failed.
`

// Invocation is what the command line asked for beside a boot.
type Invocation struct {
	Config
	LogFormat string // "", text, logfmt or json
	Help      bool
	Version   bool
	Status    bool // Look, not Run
	JSON      bool // what it says, as JSON
}

// FromEnv reads flysql-entrypoint's flags and environment. args does not include
// the program's name; everything from the first non-flag on is the command.
// The error joins all that was wrong.
func FromEnv(args, environ []string) (Invocation, error) {
	var inv Invocation
	c := &inv.Config
	c.Env = environ
	var errs []error

	set := flag.NewFlagSet("flysql-entrypoint", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}

	var raw rawSettings
	table := inv.settings(&raw)
	for _, row := range table {
		switch row.flag {
		case "skip", "supervise", "strict-migrations":
			set.BoolFunc(row.flag, "", row.read)
		default:
			set.Func(row.flag, "", row.read)
		}
	}
	set.BoolVar(&c.DryRun, "dry-run", false, "")
	set.BoolVar(&inv.Version, "version", false, "")
	set.BoolVar(&inv.Status, "status", false, "")
	set.BoolVar(&inv.JSON, "json", false, "")

	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		inv.Help = true
		return inv, nil
	case err != nil:
		errs = append(errs, fmt.Errorf("%w (flysql-entrypoint --help lists the flags)", err))
	}
	given := map[string]bool{}
	set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, row := range table {
		if v := lookup(environ, row.env); v != "" && !given[row.flag] {
			if err := row.read(v); err != nil {
				errs = append(errs, fmt.Errorf("%s=%q %w", row.env, v, err))
			}
		}
	}
	c.Command = set.Args()
	switch {
	case inv.JSON && !inv.Status:
		errs = append(errs, errors.New("--json is of --status: a boot's log has FLYSQL_LOG=json"))
	case inv.Status && len(c.Command) > 0:
		errs = append(errs, errors.New("--status takes no command: it starts nothing"))
	}
	if c.DB == "" {
		c.DB = lookup(environ, "DATABASE_URL")
	}
	var err error
	if raw.command != "" {
		// Its value is in no message: it may hold a token.
		if c.MigrateCommand, err = shellquote.Split(raw.command); err != nil {
			errs = append(errs, fmt.Errorf("FLYSQL_MIGRATE: %w", err))
		} else if len(c.MigrateCommand) == 0 {
			errs = append(errs, errors.New("FLYSQL_MIGRATE is blank"))
		}
	}
	if c.Skip, err = boolean("FLYSQL_SKIP", raw.skip); err != nil {
		errs = append(errs, err)
	}
	if c.Supervise, err = boolean("FLYSQL_SUPERVISE", raw.supervise); err != nil {
		errs = append(errs, err)
	}
	if c.StrictMigrations, err = boolean("FLYSQL_STRICT_MIGRATIONS", raw.strict); err != nil {
		errs = append(errs, err)
	}
	return inv, errors.Join(errs...)
}

// setting is one that can be given in two ways.
type setting struct {
	flag, env string
	read      func(string) error
}

// rawSettings are those that need more than one look.
type rawSettings struct{ skip, supervise, strict, command string }

// settings is the table that says which flag is which variable and how it is read, so
// that the two ways in cannot drift apart.
func (inv *Invocation) settings(raw *rawSettings) []setting {
	c := &inv.Config
	return []setting{
		{"db", "FLYSQL_DB", text(&c.DB)},
		{"migrations", "FLYSQL_MIGRATIONS", text(&c.MigrationsDir)},
		{"migrate-tool", "FLYSQL_MIGRATE_TOOL", text(&c.MigrateTool)},
		{"migrate-table", "FLYSQL_MIGRATE_TABLE", text(&c.MigrateTable)},
		{"migrate", "FLYSQL_MIGRATE", text(&raw.command)},
		{"user", "FLYSQL_USER", text(&c.User)},
		{"snapshots", "FLYSQL_SNAPSHOTS", func(s string) error {
			n, err := strconv.Atoi(s)
			if err != nil {
				return errors.New("is not a number")
			}
			if n == 0 { // the field's zero value means the default; a person's 0 means none
				n = -1
			}
			c.Snapshots = n
			return nil
		}},
		{"check", "FLYSQL_CHECK", func(s string) error { c.Check = Check(s); return nil }},
		{"min-free", "FLYSQL_MIN_FREE", func(s string) error {
			n, err := strconv.ParseInt(s, 10, 32)
			if err != nil || n < 0 {
				return errors.New("is not a number of megabytes")
			}
			if c.MinFree = n << 20; n == 0 {
				c.MinFree = -1
			}
			return nil
		}},
		{"lock-timeout", "FLYSQL_LOCK_TIMEOUT", duration(&c.LockTimeout)},
		{"grace", "FLYSQL_GRACE", duration(&c.Grace)},
		{"litefs", "FLYSQL_LITEFS", text(&c.LiteFS)},
		{"litefs-wait", "FLYSQL_LITEFS_WAIT", duration(&c.LiteFSWait)},
		{"litefs-peers", "FLYSQL_LITEFS_PEERS", func(s string) error { c.Peers = strings.Split(s, ","); return nil }},
		{"litefs-candidate", "FLYSQL_LITEFS_CANDIDATE", onOff(&c.NeverPrimary)},
		{"litefs-import", "FLYSQL_LITEFS_IMPORT", text(&c.Import)},
		{"handoff", "FLYSQL_HANDOFF", func(s string) error {
			if s == "0" || s == "0s" { // the field's zero value means the default
				c.Handoff = -1
				return nil
			}
			return duration(&c.Handoff)(s)
		}},
		{"migrate-from", "FLYSQL_MIGRATE_FROM", func(s string) error { c.MigrateFrom = MigrateFrom(s); return nil }},
		{"salvage", "FLYSQL_SALVAGE", func(s string) error {
			n, err := strconv.ParseInt(s, 10, 32)
			switch {
			case s == "off":
				n = -1
			case err != nil || n <= 0:
				return errors.New("is not a number of megabytes above zero, or off")
			}
			c.Salvage = n << 20
			return nil
		}},
		{"litefs-hang", "FLYSQL_LITEFS_HANG", duration(&c.LiteFSHang)},
		{"fence", "FLYSQL_FENCE", onOff(&c.NoFence)},
		{"log", "FLYSQL_LOG", func(s string) error {
			switch s {
			case "text", "logfmt", "json":
				inv.LogFormat = s
				return nil
			}
			return errors.New("is not text, logfmt or json")
		}},
		{"skip", "FLYSQL_SKIP", text(&raw.skip)},
		{"supervise", "FLYSQL_SUPERVISE", text(&raw.supervise)},
		{"strict-migrations", "FLYSQL_STRICT_MIGRATIONS", text(&raw.strict)},
	}
}

// Variables lists the environment variables that FromEnv reads as settings, sorted.
// DATABASE_URL, and what Fly sets, are not among them.
func Variables() []string {
	var names []string
	for _, row := range new(Invocation).settings(new(rawSettings)) {
		names = append(names, row.env)
	}
	slices.Sort(names)
	return names
}

func text(p *string) func(string) error {
	return func(s string) error { *p = s; return nil }
}

// onOff reads what is on unless it is said to be off.
func onOff(off *bool) func(string) error {
	return func(s string) error {
		if s != "on" && s != "off" {
			return errors.New("is not on or off")
		}
		*off = s == "off"
		return nil
	}
}

func duration(p *time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return errors.New("is not a duration above zero, such as 30s or 5m")
		}
		*p = d
		return nil
	}
}

func boolean(name, s string) (bool, error) {
	if s == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%s=%q is not 1 or 0", name, s)
	}
	return b, nil
}

// lookup finds key in "key=value" strings; the last one wins.
func lookup(env []string, key string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], key+"="); ok {
			return v
		}
	}
	return ""
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
