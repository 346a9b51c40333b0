package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/internal/migrate"
)

// Defaults of Config's fields. README and docs/entrypoint.md quote them.
const (
	// DefaultSnapshots is how many snapshots are kept beside the database.
	DefaultSnapshots = 3
	// DefaultMinFree is the free space, in bytes, below which a boot is refused.
	// SQLite needs some to write a journal at all.
	DefaultMinFree = 4 << 20
	// DefaultLockTimeout is how long a boot waits for another one, or for an
	// earlier app, on the same database.
	DefaultLockTimeout = 5 * time.Minute
	// DefaultGrace is how long a supervised app may take to end after a signal.
	// Fly's kill_timeout is 5 seconds unless fly.toml says otherwise.
	DefaultGrace = 4 * time.Second
	// DefaultLiteFSWait is how long a boot waits for LiteFS to be ready, and then,
	// on a replica, for the primary to have this image's migrations.
	DefaultLiteFSWait = 5 * time.Minute
	// DefaultHandoff is how long a primary that goes waits for another node to take
	// over. It takes a tenth of a second where that node has caught up.
	DefaultHandoff = 10 * time.Second
	// DefaultSalvage is how much, in bytes, may be kept of what only this node had.
	DefaultSalvage = 1 << 30
	// DefaultLiteFSHang is how long LiteFS may give no answer before it is killed.
	DefaultLiteFSHang = 10 * time.Second
	// DefaultLiteFS is the litefs.yml whose presence makes a boot one of LiteFS.
	DefaultLiteFS = "/etc/litefs.yml"
)

// Check says how closely the database is looked at before anything uses it.
type Check string

// The checks, from the quickest on.
const (
	// CheckAuto reads the header, the schema and the first row of every table,
	// and runs PRAGMA quick_check where the file is small (64 MiB) or migrations
	// are pending. It is the default, and the zero value means it.
	CheckAuto Check = "auto"
	// CheckOff reads the header only.
	CheckOff Check = "off"
	// CheckQuick always runs PRAGMA quick_check.
	CheckQuick Check = "quick"
	// CheckFull always runs PRAGMA integrity_check.
	CheckFull Check = "full"
)

// MigrateFrom says which LiteFS nodes may migrate.
type MigrateFrom string

// The nodes that may migrate.
const (
	// FromPrimary: the primary does, and a replica waits for it. It is the default,
	// and the zero value means it. A deploy must reach the primary first, or not wait
	// for a machine before it goes on to the next.
	FromPrimary MigrateFrom = "primary"
	// FromCandidate: a candidate that has migrations which the primary lacks becomes
	// the primary, once it has all that the primary has, and migrates.
	FromCandidate MigrateFrom = "candidate"
	// FromAny: as FromCandidate; a node that is no candidate gives the lease back
	// before its app is started.
	FromAny MigrateFrom = "any"
)

// Config says what to boot. Exactly one of Command and App is set; every other
// field has a zero value that works.
type Config struct {
	// DB names the database: a path or a URL as appdb.Open takes it. Empty is
	// allowed only where nothing touches a database (see Skip).
	DB string

	// Migrations holds the SQL migrations (goose, golang-migrate or dbmate; the
	// tool is detected). Nil means that there are none.
	Migrations fs.FS
	// MigrationsDir is a directory to read them from instead, and what error
	// messages call it.
	MigrationsDir string
	// MigrateTool names the tool where the directory leaves it open:
	// "goose", "golang-migrate" or "dbmate".
	MigrateTool string
	// MigrateTable overrides the tool's own table of applied migrations.
	MigrateTable string
	// MigrateCommand is a command, as an argv slice, that migrates instead of
	// the libraries. Whether it has anything to do cannot be known beforehand,
	// so a snapshot precedes every run of it. Its stdout goes to Stderr.
	MigrateCommand []string

	// Command is the app, as an argv slice. It is exec'ed, unless Supervise.
	Command []string
	// App is the app as a function, for programs that boot in-process. Its
	// context ends on SIGINT and SIGTERM.
	App func(ctx context.Context) error

	// User (a name, or uid:gid) owns the volume's files and runs migrations and
	// app. Empty leaves both as they are. Dropping privileges is process-wide
	// and cannot be undone.
	User string
	// Snapshots is how many snapshots are kept; 0 means DefaultSnapshots and a
	// negative number none, which leaves a failed migration as the tool left it.
	Snapshots int
	// MinFree is the free space in bytes that a boot demands; 0 means
	// DefaultMinFree, negative none.
	MinFree int64
	// Check says how closely the database is looked at; empty means CheckAuto.
	Check Check
	// LockTimeout bounds the wait for another boot; 0 means DefaultLockTimeout.
	LockTimeout time.Duration
	// Supervise keeps this process as the parent of Command instead of exec:
	// signals are forwarded, orphans reaped, and what the app leaves behind is
	// ended. It takes the whole process: do not use it beside other children.
	Supervise bool
	// Grace is how long Command, or MigrateCommand, may take to end once a
	// signal was forwarded; then its process group is killed. 0 means
	// DefaultGrace.
	Grace time.Duration
	// LiteFS is the litefs.yml of the LiteFS node that this boot starts before the
	// app and stops after it. Empty means DefaultLiteFS where that is there, and
	// "off" none. It needs a Command, root, and a main that calls Run with the
	// same Config before anything else: the steps that touch the database run in a
	// process of their own, which is this program, started again.
	LiteFS string
	// LiteFSWait bounds the wait for LiteFS, and the one for the primary's
	// migrations; 0 means DefaultLiteFSWait.
	LiteFSWait time.Duration
	// Peers are the other LiteFS nodes, as host:port of their API. Empty means all
	// machines of the app on Fly (FLY_APP_NAME), at this node's own port.
	Peers []string
	// Handoff bounds the wait of a primary that goes for another node to take over,
	// after the app has ended; 0 means DefaultHandoff, and a negative value does not
	// hand over.
	Handoff time.Duration
	// MigrateFrom says which nodes may migrate; empty means FromPrimary. It has no
	// say in a MigrateCommand, which is the primary's.
	MigrateFrom MigrateFrom
	// StrictMigrations refuses, beside LiteFS, a migration that takes away what the
	// release before may still use on other nodes; otherwise it is warned of.
	StrictMigrations bool
	// Import is a SQLite file that becomes the database of a LiteFS cluster which
	// has none yet, before the migrations. It is left as it is, and ignored
	// wherever there is a database. "off" says that an empty database is meant, also
	// where the volume has one from before LiteFS, or LiteFS's own from after it:
	// otherwise such a boot is refused.
	Import string
	// Salvage is how much may be put aside, in bytes, of a database that LiteFS
	// could replace by another node's; 0 means DefaultSalvage, negative that LiteFS
	// is started without putting anything aside.
	Salvage int64
	// NeverPrimary makes the LiteFS node one that does not become the primary, whatever
	// litefs.yml says: for a node that has yet to copy what the others have. It cannot
	// be had with a static lease.
	NeverPrimary bool
	// LiteFSHang is how long LiteFS may give no answer before it is killed, and the
	// app ended; 0 means DefaultLiteFSHang.
	LiteFSHang time.Duration
	// NoFence leaves LiteFS alone when its lease can no longer be confirmed: two
	// nodes may then take writes, and one of them loses its own.
	NoFence bool
	// Skip passes Command through untouched, as RELEASE_COMMAND and
	// FLY_TEST_COMMAND in Env do.
	Skip bool
	// DryRun runs the steps that only read, says what would be done, and starts
	// nothing.
	DryRun bool

	// Env is the environment as "key=value", read for what Fly says of the
	// machine and given to the commands. Nil means os.Environ().
	Env []string
	// Stdin, Stdout and Stderr are the commands'. Nil means this process's own.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Logger receives one record a step. Nil discards.
	Logger *slog.Logger

	// The seams of this package's own tests.
	mountinfo string                // "" means mountsFile
	fault     func(op string) error // nil means none
}

// Validate reports everything that is wrong with c, joined. Run calls it.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }

	switch {
	case len(c.Command) > 0 && c.App != nil:
		bad("both a command and a function to run: set one of Command and App")
	case len(c.Command) == 0 && c.App == nil:
		bad("no command to run: put the app's command after the flags, as the image's CMD does (CMD [\"app\"])")
	case len(c.Command) > 0 && blank(c.Command[0]):
		bad("the command to run is blank: put the app's command after the flags, as the image's CMD does (CMD [\"app\"])")
	}
	if len(c.MigrateCommand) > 0 {
		if blank(c.MigrateCommand[0]) {
			bad("the migrate command is blank")
		}
		if c.Migrations != nil || c.MigrationsDir != "" {
			bad("both a migrations directory and a migrate command: keep one of FLYSQL_MIGRATIONS and FLYSQL_MIGRATE")
		}
	}
	if c.Migrations != nil && c.MigrationsDir != "" {
		bad("both Migrations and MigrationsDir: set one")
	}
	switch migrate.Tool(c.MigrateTool) {
	case "", migrate.Goose, migrate.GolangMigrate, migrate.Dbmate:
	default:
		bad("migrate tool %q is not known: use %s, %s or %s, or FLYSQL_MIGRATE for any other", c.MigrateTool, migrate.Goose, migrate.GolangMigrate, migrate.Dbmate)
	}
	switch c.Check {
	case "", CheckAuto, CheckOff, CheckQuick, CheckFull:
	default:
		bad("check %q is not known: use auto, off, quick or full", c.Check)
	}
	if c.LockTimeout < 0 {
		bad("lock timeout %v is negative", c.LockTimeout)
	}
	if c.LiteFSWait < 0 {
		bad("the wait for LiteFS, %v, is negative", c.LiteFSWait)
	}
	switch c.MigrateFrom {
	case "", FromPrimary, FromCandidate, FromAny:
	default:
		bad("migrate from %q is not known: use primary, candidate or any", c.MigrateFrom)
	}
	for _, p := range c.Peers {
		if _, err := peerAddr(p); err != nil {
			errs = append(errs, err)
		}
	}
	if c.LiteFSHang < 0 {
		bad("the wait for a LiteFS that gives no answer, %v, is negative", c.LiteFSHang)
	}
	if c.App != nil && c.LiteFS != "" && c.LiteFS != litefsOff {
		bad("LiteFS needs a command: a function runs in this process, which must stay root to unmount. Set FLYSQL_LITEFS=off where something else runs LiteFS")
	}
	if c.Grace < 0 {
		bad("grace %v is negative", c.Grace)
	}
	if c.Supervise && c.App != nil {
		bad("supervise needs a command: a function runs in this process")
	}
	if !c.passesThrough() {
		if c.DB == "" {
			bad("no database: set DATABASE_URL (file:///data/app.db) or --db; FLYSQL_SKIP=1 starts the command without one")
		} else if _, err := appdb.Path(c.DB); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// withDefaults fills the zero values.
func (c Config) withDefaults() Config {
	if c.Snapshots == 0 {
		c.Snapshots = DefaultSnapshots
	}
	if c.MinFree == 0 {
		c.MinFree = DefaultMinFree
	}
	if c.LockTimeout == 0 {
		c.LockTimeout = DefaultLockTimeout
	}
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	if c.LiteFSWait == 0 {
		c.LiteFSWait = DefaultLiteFSWait
	}
	if c.Handoff == 0 {
		c.Handoff = DefaultHandoff
	}
	if c.MigrateFrom == "" {
		c.MigrateFrom = FromPrimary
	}
	peers := c.Peers
	c.Peers = nil
	for _, p := range peers {
		if addr, err := peerAddr(p); err == nil { // Validate has looked
			c.Peers = append(c.Peers, addr)
		}
	}
	if c.Salvage == 0 {
		c.Salvage = DefaultSalvage
	}
	if c.LiteFSHang == 0 {
		c.LiteFSHang = DefaultLiteFSHang
	}
	if c.Check == "" {
		c.Check = CheckAuto
	}
	if c.Env == nil {
		c.Env = os.Environ()
	}
	if c.Stdin == nil {
		c.Stdin = os.Stdin
	}
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.mountinfo == "" {
		c.mountinfo = mountsFile
	}
	if c.fault == nil {
		c.fault = func(string) error { return nil }
	}
	return c
}

// path is the database's absolute path as the app's own opening would take it.
func (c Config) path() (string, error) {
	p, err := appdb.Path(c.DB)
	if err != nil {
		return "", err
	}
	if filepath.IsAbs(p) {
		return p, nil
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return wd + "/" + p, nil // not cleaned: see resolve
}

// getenv reads one variable of Env; the last one wins, as in a shell.
func (c Config) getenv(key string) string {
	env := c.Env
	if env == nil {
		env = os.Environ()
	}
	return lookup(env, key)
}

// onFly tells whether this is a Fly machine: Fly sets FLY_MACHINE_ID on each.
func (c Config) onFly() bool { return c.getenv("FLY_MACHINE_ID") != "" }
