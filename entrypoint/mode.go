package entrypoint

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/flysql/flysql/internal/migrate"
	"golang.org/x/sys/unix"
)

// The modes of a boot.
const (
	volumeMode  = "volume"
	litefsMode  = "litefs"
	passThrough = "pass-through"
)

// passesThrough tells whether the command is run without any of the steps. Fly
// runs the image's ENTRYPOINT on machines that have no volume: a release_command
// with RELEASE_COMMAND=1, a machine check with FLY_TEST_COMMAND=1.
// https://fly.io/docs/reference/configuration/#run-one-off-commands-before-releasing-a-deployment
func (c Config) passesThrough() bool { return c.passReason() != "" }

func (c Config) passReason() string {
	switch {
	case isSet(c.getenv("RELEASE_COMMAND")):
		return "RELEASE_COMMAND is set"
	case isSet(c.getenv("FLY_TEST_COMMAND")):
		return "FLY_TEST_COMMAND is set"
	case c.Skip:
		return "FLYSQL_SKIP is set"
	}
	return ""
}

func isSet(v string) bool { return v != "" && v != "0" && v != "false" }

// mode decides what kind of boot this is, and finds the command before anything
// else happens: an image whose CMD is misspelt must not migrate.
func (b *boot) mode(context.Context) (report, error) {
	if len(b.Command) > 0 {
		if _, err := b.find(b.Command); err != nil {
			return report{}, err
		}
	}
	if why := b.passReason(); why != "" {
		r := report{outcome: passThrough, attrs: []slog.Attr{slog.String("why", why)}}
		if warning := b.passBy(); warning != "" {
			r.warn = true
			r.attrs = append(r.attrs, slog.String("warning", warning))
		}
		if !b.Skip && looksLikeMigration(b.Command) {
			r.warn = true
			r.attrs = append(r.attrs, slog.String("warning",
				"this command looks like a migration, and this machine has no volume: what it migrates is gone when it ends. "+
					"Remove release_command from fly.toml and let flysql-entrypoint migrate at boot (FLYSQL_MIGRATIONS or FLYSQL_MIGRATE)"))
		}
		return r, nil
	}
	if b.stage == nil { // or the parent has looked
		if err := b.readLiteFS(); err != nil {
			return report{}, err
		}
	}
	if err := b.openMigrations(); err != nil {
		return report{}, err
	}
	r := report{outcome: volumeMode}
	if b.node != nil {
		r = report{outcome: litefsMode, attrs: []slog.Attr{slog.String("config", b.node.file), slog.String("binary", b.node.binary)}}
	}
	switch {
	case len(b.MigrateCommand) > 0:
		if _, err := b.find(b.MigrateCommand); err != nil {
			return report{}, err
		}
		r.attrs = append(r.attrs, slog.String("migrate", b.MigrateCommand[0]))
	case b.set != nil:
		r.attrs = append(r.attrs, slog.String("tool", string(b.set.Tool())), slog.Int("migrations", b.set.Len()))
	}
	return r, nil
}

// passBy lets other boots know of an app that is started past the steps, where
// they have been on this database: one that migrates waits for it, and one that
// finds a migration cut short does not take its rows away. It stops nothing.
func (b *boot) passBy() (warning string) {
	path, err := b.Config.path()
	if err != nil {
		return ""
	}
	if path, err = resolve(path); err != nil {
		return ""
	}
	s := b.stateBy(path)
	if _, err := os.Stat(s.dir); err != nil {
		return ""
	}
	l, err := acquire(context.Background(), s.useLock(), unix.LOCK_SH, 0, func(string) {})
	var busy *busyError
	switch {
	case errors.As(err, &busy):
		return "a boot is migrating " + path + " at this moment: what this command writes may be put back with it"
	case err == nil:
		b.use = l
	}
	for _, file := range []string{s.journal(), s.restore()} {
		if _, err := os.Lstat(file); err != nil {
			continue
		}
		// Best effort: a command that is passed through must run.
		if f, err := os.OpenFile(s.skipped(), os.O_WRONLY|os.O_CREATE, 0o600); err == nil {
			f.Close()
		}
		return "a migration of " + path + " was cut short and not settled: this command runs on it as it is, and the next boot will ask what to keep (" + file + ")"
	}
	return ""
}

// stateBy names the files that boots keep of a database, whether or not this one is
// of LiteFS, whose configuration may be a broken one here.
func (b *boot) stateBy(path string) state {
	file, err := b.litefsFile()
	if file == "" || err != nil {
		return stateOf(path)
	}
	n, err := b.parseLiteFS(file)
	if err != nil {
		return stateOf(path)
	}
	mounts, err := readMounts(b.mountinfo)
	if err != nil || b.placesOf(n, path) != nil {
		return stateOf(path)
	}
	return stateOfNode(n.data, path, mounts)
}

// openMigrations reads the image's migrations. That they cannot be read is a
// fault of the image, so it is told before anything is touched.
func (b *boot) openMigrations() error {
	fsys := b.Migrations
	if b.MigrationsDir != "" {
		info, err := os.Stat(b.MigrationsDir)
		if err == nil && !info.IsDir() {
			err = errors.New("it is not a directory")
		}
		if err != nil {
			return refused("let the Dockerfile copy the migrations into the image, and FLYSQL_MIGRATIONS name that directory; unset it if there are none",
				"the migrations directory %s: %w", b.MigrationsDir, err)
		}
		fsys = os.DirFS(b.MigrationsDir)
	}
	if fsys == nil {
		return nil
	}
	set, err := migrate.Open(fsys, migrate.Options{Tool: migrate.Tool(b.MigrateTool), Table: b.MigrateTable, Locks: b.node != nil})
	if err != nil {
		hint := ""
		if errors.Is(err, migrate.ErrNoMigrations) {
			hint = "unset FLYSQL_MIGRATIONS if the app has none; otherwise look at the Dockerfile's COPY"
		}
		where := ""
		if b.MigrationsDir != "" {
			where = " in " + b.MigrationsDir
		}
		return refused(hint, "read the migrations%s: %w", where, err)
	}
	b.set, b.Migrations = set, fsys
	return nil
}

// shown is how messages name a migration's file.
func (b *boot) shown(file string) string { return filepath.Join(b.MigrationsDir, file) }

var migrationWords = regexp.MustCompile(`(?i)(^|[^a-z])(migrat[a-z]*|goose|dbmate|alembic|flyway|liquibase|db:(prepare|setup|schema:load)|prisma\s+db|ecto)([^a-z]|$)`)

func looksLikeMigration(argv []string) bool {
	return migrationWords.MatchString(strings.Join(argv, " "))
}

// find resolves argv[0] as execvp would, in the environment that the command
// will have.
func (b *boot) find(argv []string) (string, error) {
	name := argv[0]
	if strings.Contains(name, "/") {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", notRunnable(argv, err)
		}
		return path, nil
	}
	notExecutable := error(nil)
	for _, dir := range filepath.SplitList(b.getenv("PATH")) {
		if dir == "" {
			dir = "."
		}
		// "./" keeps LookPath from searching this process's own PATH.
		path, err := exec.LookPath(filepath.Clean(dir) + "/" + name)
		if err == nil {
			return path, nil
		}
		// A directory that cannot be looked into says nothing about the command.
		if _, serr := os.Stat(filepath.Clean(dir) + "/" + name); serr == nil && notExecutable == nil {
			notExecutable = err
		}
	}
	if notExecutable != nil {
		return "", notRunnable(argv, notExecutable)
	}
	return "", notRunnable(argv, exec.ErrNotFound)
}
