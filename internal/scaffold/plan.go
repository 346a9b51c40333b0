package scaffold

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/flysql/flysql/internal/migrate"
)

// Plan is what init would write, before anything of the repository but Facts was
// compared with it.
type Plan struct {
	Dir     string
	Answers Answers  // complete
	Files   []File   // in a fixed order: the user's own first, then the copied source
	Found   []string // what was detected and decided the files, a line each
	Notes   []string // what the user should know or look after, a line each
	Next    []Step   // the commands to run then

	RegionKnown bool // fly.toml has the region, so that it is no mere default
}

// File is a file to write.
type File struct {
	Path    string // slash-separated, relative to the repository
	Content []byte // nil: there is nothing to write whole
	// Edit brings a present file to what it must be. nil: the file is written
	// whole or not at all.
	Edit Editor
	// Own are other contents that init writes, in another mode: a file with one of
	// them is init's own, and is written whole.
	Own [][]byte
	// Marked: a present file without init's mark is the user's, and kept.
	Marked bool
	// Adds: such a file is edited even when it is to be overwritten.
	Adds bool
}

// Editor changes a file where it must be, and nowhere else. It returns what it was
// given where nothing must be.
type Editor interface {
	to(data []byte) ([]byte, error)
}

// Step is a command and what it is for.
type Step struct{ Command, Why string }

// Plan makes the files from complete answers. It is an *AnswerError where they
// cannot be used.
func (f *Facts) Plan(a Answers, fl Flysql) (*Plan, error) {
	a.Main, a.Workers = splitMains(a.Main, a.Workers)
	m, err := f.program(a)
	if err != nil {
		return nil, err
	}
	asRoot := f.Foreign != nil && f.Docker.User == ""
	if err := errors.Join(a.validate(asRoot), m.Database.checkName(a), f.checkMigrations(a), f.checkCommand(a), f.checkWorkers(a)); err != nil {
		return nil, &AnswerError{Err: err}
	}
	if len(f.OutsideReplaces) > 0 && !f.HasVendor { // vendor/ has their code
		return nil, fmt.Errorf("go.mod replaces %s with a directory outside this repository, which an image build cannot see: move it inside, or require a published version", strings.Join(f.OutsideReplaces, ", "))
	}
	p := &Plan{Dir: f.Dir, Answers: a, Found: f.found(a, m), Notes: f.notes(a, m, fl), Next: f.steps(a, m),
		RegionKnown: f.Fly != nil && f.Fly.Region == a.Region}

	toml, err := f.renderFlyTOML(a, m)
	if err != nil {
		return nil, err
	}
	docker, err := f.dockerFile(a, m, fl)
	if err != nil {
		return nil, err
	}
	ignore, err := dockerignore()
	if err != nil {
		return nil, err
	}
	p.Files = []File{toml, docker}
	if a.Mode == LiteFS {
		litefs, err := f.renderLiteFS(a)
		if err != nil {
			return nil, err
		}
		p.Files = append(p.Files, litefs)
	}
	p.Files = append(p.Files, ignore)
	if f.delivery(fl) == bySource {
		source, err := fl.copied()
		if err != nil {
			return nil, err
		}
		p.Files = append(p.Files, source...)
	}
	return p, nil
}

// checkMigrations says why the directory cannot be copied into the image.
func (f *Facts) checkMigrations(a Answers) error {
	if a.Migrations == NoMigrations || checkMigrations(a.Migrations) != nil {
		return nil // nothing to look at; validate says the rest
	}
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return err
	}
	defer root.Close() // it was only read
	info, err := root.Stat(filepath.FromSlash(a.Migrations))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--migrations %q: there is no such directory in the repository", a.Migrations)
	}
	if err != nil {
		return fmt.Errorf("--migrations: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("--migrations %q is a file: give the directory that it is in", a.Migrations)
	}
	dir, err := root.OpenRoot(filepath.FromSlash(a.Migrations))
	if err != nil {
		return fmt.Errorf("--migrations: %w", err)
	}
	defer dir.Close() // it was only read
	// The entrypoint reads them the same way at every boot: better told now.
	if _, err := migrate.Open(dir.FS(), migrate.Options{}); err != nil {
		return fmt.Errorf("--migrations %q would be refused at boot: %w; --migrations %s leaves them out", a.Migrations, err, NoMigrations)
	}
	return nil
}

// checkCommand says that nothing is known to run.
func (f *Facts) checkCommand(a Answers) error {
	if f.Foreign == nil || a.Command != "" || f.Docker.Command != "" {
		return nil
	}
	return errors.New("--command is missing: the Dockerfile's last stage has neither CMD nor ENTRYPOINT; say what the container runs, as in --command \"node server.js\"")
}

// found tells what was seen, so that a wrong guess is noticed.
func (f *Facts) found(a Answers, m Main) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if f.Foreign == nil {
		list = append(list, "program     "+strings.Join(append([]string{m.Package()}, a.Workers...), ", ")+", of module "+f.Module)
	} else {
		kind := ""
		if m.Framework != "" {
			kind = m.Framework + ", "
		}
		add("program     %s%s", kind, cmp.Or(a.Command, f.Docker.Command))
	}
	switch {
	case f.Foreign != nil:
	case m.Cgo:
		add("cgo         yes: %s", m.CgoReason)
	case m.CgoReason != "":
		add("cgo         no: %s", m.CgoReason)
	default:
		add("cgo         no: no SQLite driver that needs it was seen")
	}
	if a.Mode == LiteFS {
		add("mode        litefs: the primary in %s%s", a.Region, replicas(a))
	} else {
		add("mode        volume: one machine; --mode litefs has replicas in several regions")
	}
	add("database    %s", m.describeDatabase(a))
	if a.Mode == LiteFS && !a.proxied() {
		add("writes      to the primary by the app itself: it imports flysql's package replay")
	}
	switch {
	case a.proxied():
		add("port        %d, behind LiteFS's proxy on %d", a.Port, a.Proxy)
	case f.Fly != nil && a.Port == f.Fly.Port && a.Port != m.Port:
		add("port        %d: fly.toml has it", a.Port)
	case a.Port == m.Port && m.PortReason != "":
		add("port        %d: %s", a.Port, m.PortReason)
	default:
		add("port        %d", a.Port)
	}
	add("health      GET %s", m.Health)
	if tool := f.Tools[path.Clean(a.Migrations)]; tool != "" {
		add("migrations  %s (%s)", a.Migrations, tool)
	} else {
		add("migrations  %s", a.Migrations)
	}
	return list
}

func (f *Facts) notes(a Answers, m Main, fl Flysql) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	list = append(list, f.modeNotes(a)...)
	list = append(list, f.flyNotes(a, m)...)
	list = append(list, f.groupNotes(a, m)...)
	list = append(list, m.Database.notes(a, m)...)
	if m.Migrates != "" && a.Migrations != NoMigrations {
		add("the app migrates by itself (%s), and flysql-entrypoint does it before: one of them is enough. The entrypoint takes a snapshot first and undoes what fails; --migrations none leaves it to the app", m.Migrates)
	} else if m.Migrates != "" {
		add("the app migrates by itself (%s)", m.Migrates)
	}
	list = append(list, f.others(a, m)...)
	for _, note := range m.Notes {
		if f.migrateCommand(a, m) == "" || !strings.Contains(note, "FLYSQL_MIGRATE=") { // it is set
			list = append(list, note)
		}
	}
	if f.Foreign != nil && m.PortReason == "" && a.Port == m.Port {
		add("the Dockerfile exposes no port: %d is assumed, and set as PORT; --port changes it", a.Port)
	} else if m.PortReason == "" && a.Port == m.Port {
		add("the code does not say which port the app listens on: %d is assumed, and set as PORT; --port changes it", a.Port)
	}
	if m.Loopback && a.Port == m.Port {
		add("the app seems to listen on localhost only (%s), where Fly's proxy cannot reach it: listen on \":%d\"", m.PortReason, a.Port)
	}
	if f.Foreign == nil && f.GoVersion == "" {
		add("go.mod has no go line, at which fly launch panics, and by which the go command takes the language of Go 1.16: go mod edit -go=%s adds it", fl.release())
	}
	if f.Requires && !f.HasGoSum && !f.HasVendor {
		add("there is no go.sum, without which the image cannot be built: run go mod tidy before fly deploy")
	}
	if len(f.WorkspaceOutside) > 0 {
		add("go.work uses %s, outside this repository: the image is built by go.mod alone (GOWORK=off)", strings.Join(f.WorkspaceOutside, ", "))
	}
	if f.Truncated {
		add("the repository has more than %d files, and the rest was not looked at: check the lines above", maxEntries)
	}
	if f.delivery(fl) == bySource {
		add("%s holds flysql's source, from which the image builds flysql-entrypoint: commit it", sourceDir)
	}
	return list
}
