package scaffold

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/flysql/flysql/flyconf"
)

// Defaults of the answers that no repository can give.
const (
	// DefaultRegion is Fly's region in Ashburn, Virginia. It is a mere default:
	// the right one is near the app's users.
	DefaultRegion = "iad"
	DefaultSizeGB = 1
	// NoMigrations, as Answers.Migrations, says that the image has none.
	NoMigrations = "none"
)

// dataDir is where the volume is mounted unless fly.toml has another place.
const dataDir = "/data"

var databaseName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// Answers is what the files are made from.
type Answers struct {
	App        string   // the app's name on Fly; empty: Facts.App
	Mode       Mode     // how the database is kept; empty: as the repository has it, else Volume
	Region     string   // primary region, three letters
	Regions    []string // where replicas are to run, beside the primary region; only with LiteFS
	DB         string   // the database's path in the container; empty: /data/APP.db, or /litefs/APP.db
	SizeGB     int      // the volume's size
	Main       string   // the main package's directory, "./cmd/web", or several with commas, the one that takes requests first; empty: the only one
	Port       int      // what the app listens on; 0: as detected
	Migrations string   // directory in the repository; empty: as detected; NoMigrations: none
	Command    string   // what the container runs, in a shell's quoting; empty: the program, or the Dockerfile's own

	// What Complete adds.

	Workers []string // main packages that other process groups run
	From    Mode     // the mode that the repository has; empty: none yet
	Was     string   // where the database was until now; empty: nowhere, or unknown
	Proxy   int      // in LiteFS mode, what LiteFS's proxy listens on; 0: none, the app routes by itself
	// Volume and Mount are the volume's name and where it is mounted, where
	// fly.toml has them; empty: from App, and /data.
	Volume, Mount string
	// FUSE and Data are where LiteFS shows the databases and where it keeps its
	// own files, where litefs.yml has them; empty: /litefs, and litefs on the volume.
	FUSE, Data string
}

func (a Answers) mount() string { return cmp.Or(a.Mount, dataDir) }

func (a Answers) volume() string { return cmp.Or(a.Volume, volumeName(a.App)) }

// Complete fills the answers that f knows. A *ChoiceError says that the
// repository leaves one open.
func (f *Facts) Complete(a Answers) (Answers, error) {
	m, err := f.completeProgram(&a)
	if err != nil {
		return a, err
	}
	f.Fly.answer(&a)
	if err := f.completeMode(&a, m); err != nil {
		return a, err
	}
	if a.App == "" {
		a.App = f.App
	}
	if a.Region == "" {
		a.Region = DefaultRegion
	}
	if a.SizeGB == 0 {
		a.SizeGB = DefaultSizeGB
	}
	a.Regions = slices.DeleteFunc(ParseRegions(a.Regions), func(r string) bool { return r == a.Region })
	f.completeDB(&a, m)
	f.completePorts(&a, m)
	if err := f.completeCommand(&a); err != nil {
		return a, err
	}
	if a.Migrations == "" {
		switch len(m.Migrations) {
		case 0:
			a.Migrations = NoMigrations
		case 1:
			a.Migrations = m.Migrations[0]
		default:
			return a, &ChoiceError{Flag: "--migrations", What: "directories with migrations", Choices: append(slices.Clone(m.Migrations), NoMigrations)}
		}
	}
	return a, nil
}

// completeCommand answers what is run where the image has litefs mount start the app.
// flysql-entrypoint starts LiteFS, or in volume mode nobody does, so the app's own
// command is needed.
func (f *Facts) completeCommand(a *Answers) error {
	if a.Command != "" || f.Docker == nil || !f.Docker.Mounts {
		return nil
	}
	if len(f.Docker.Mounted) > 0 {
		a.Command = shellquote.Join(f.Docker.Mounted...)
		return nil
	}
	if f.LiteFS != nil && f.LiteFS.Config != nil && len(f.LiteFS.Config.Exec) > 0 {
		exec := f.LiteFS.Config.Exec
		a.Command = exec[len(exec)-1].Cmd
		if strings.Contains(a.Command, "$") { // LiteFS replaces variables by itself
			a.Command = shellquote.Join("sh", "-c", "exec "+a.Command)
		}
	}
	if a.Command == "" {
		return &AnswerError{Err: errors.New("--command is missing: the Dockerfile runs litefs mount, and flysql-entrypoint starts LiteFS by itself: say what the app's own command is, as in --command \"node server.js\"")}
	}
	return nil
}

// completeProgram answers what is run.
func (f *Facts) completeProgram(a *Answers) (Main, error) {
	if f.Foreign != nil {
		return f.program(*a)
	}
	return f.completeMains(a)
}

func (f *Facts) noSuchMain(dir string) error {
	if len(f.Mains) == 0 {
		return &AnswerError{Err: fmt.Errorf("--main %q: the module has no main package", dir)}
	}
	return &AnswerError{Err: fmt.Errorf("--main %q is not one of the module's main packages:\n  %s", dir, strings.Join(f.packages(), "\n  "))}
}

// AnswerError says that answers cannot be used.
type AnswerError struct{ Err error }

func (e *AnswerError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong, each a line of its own.
func (e *AnswerError) Unwrap() error { return e.Err }

// validate reports everything that is wrong with complete answers, by the flags
// that give them. root: the app runs as root.
func (a Answers) validate(root bool) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := flyconf.CheckAppName(a.App); err != nil {
		bad("--app %w", err)
	}
	if err := flyconf.CheckRegion(a.Region); err != nil {
		bad("--region %w", err)
	}
	if err := CheckSizeGB(a.SizeGB); err != nil {
		bad("--size %w", err)
	}
	if a.Port < 1 || a.Port > 65535 {
		bad("--port %d is not a port: use 1 to 65535", a.Port)
	} else if a.Port < 1024 && !root {
		bad("--port %d needs root, and the app runs as a user of its own: have it listen on a port from 1024 on, such as 8080", a.Port)
	}
	if err := a.validateMode(); err != nil {
		errs = append(errs, err)
	}
	if err := a.checkDB(); err != nil {
		bad("--db %w", err)
	}
	if err := checkMigrations(a.Migrations); err != nil {
		bad("--migrations %w", err)
	}
	if a.Command != "" {
		if words, err := shellquote.Split(a.Command); err != nil {
			bad("--command %q: %w", a.Command, err)
		} else if len(words) == 0 || words[0] == "" {
			bad("--command %q: name a program", a.Command)
		}
	}
	return errors.Join(errs...)
}

// command is the container's command; nil where the answers leave it open.
func (a Answers) command() []string {
	words, err := shellquote.Split(a.Command)
	if err != nil || a.Command == "" {
		return nil // validate says so
	}
	return words
}

// checkMigrations says why a Dockerfile cannot copy this directory.
func checkMigrations(dir string) error {
	if dir == NoMigrations || plainPath.MatchString(dir) && inside(dir) && path.Clean(dir) != "." {
		return nil
	}
	return fmt.Errorf("%q: give a directory below the repository's root, named with letters, digits, dots, dashes and underscores", dir)
}

// CheckSizeGB says why a volume cannot have this size.
func CheckSizeGB(n int) error {
	if n < 1 || n > 500 {
		return fmt.Errorf("%d: a volume has 1 to 500 GB", n)
	}
	return nil
}

// checkDB says why the database cannot lie where the answers have it.
func (a Answers) checkDB() error {
	if a.Mode != LiteFS {
		return checkDB(a.DB, a.dir())
	}
	if path.IsAbs(a.DB) && !within(a.DB, a.dir()) {
		return fmt.Errorf("%q is not in LiteFS's directory, %s: what is written elsewhere is not copied to the other machines; use %s/%s", a.DB, a.dir(), a.dir(), path.Base(a.DB))
	}
	for _, suffix := range []string{"-pos", "-lock"} {
		if strings.HasSuffix(a.DB, suffix) {
			return fmt.Errorf("%q: LiteFS names its own files with %s; choose another ending, such as .db", a.DB, suffix)
		}
	}
	return checkDB(a.DB, a.dir())
}

// checkDB says why a database cannot lie at db: it must be on the volume, and
// directly so, since LiteFS serves databases from the root of its directory only
// and an app should be able to move there.
func checkDB(db, dataDir string) error {
	dir, name := path.Split(db)
	switch {
	case !path.IsAbs(db):
		return fmt.Errorf("%q: give an absolute path in the container, such as %s/app.db", db, dataDir)
	case path.Clean(db) != db:
		return fmt.Errorf("%q: write it as %s", db, path.Clean(db))
	case !within(db, dataDir) || db == dataDir:
		return fmt.Errorf("%q is not on the volume, which is mounted at %s: everything else is lost with the machine; use %s/%s", db, dataDir, dataDir, name)
	case dir != dataDir+"/":
		return fmt.Errorf("%q is in a directory below the volume's root: use %s/%s", db, dataDir, name)
	case !databaseName.MatchString(name):
		return fmt.Errorf("%q: name the file with letters, digits, dots, dashes and underscores", db)
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if strings.HasSuffix(name, suffix) {
			return fmt.Errorf("%q: SQLite names its own files with %s; choose another ending, such as .db", db, suffix)
		}
	}
	return nil
}
