package dev

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/scaffold"
)

// app is what a directory says of the app in it.
type app struct {
	dir     string          // absolute
	name    string          // fly.toml, as it is called in messages
	path    string          // and where it is
	config  *flyconf.Config // with the image's variables below its own [env]
	litefs  string          // the path of litefs.yml; "" for none
	fuse    string          // LiteFS's directory in the image
	workDir string          // where the command runs
	command []string        // what is run, the program first
	build   *goBuild        // what makes that program; nil where it is there
	https   bool            // it sends away who did not come by https; known once it is built
}

// flyNames is where fly.toml is looked for, the likelier first.
var flyNames = []string{"fly.toml", "fly.json", "fly.yaml", "fly.yml"}

// maxFile bounds what is read of somebody's files.
const maxFile = 4 << 20

// readApp reads an app's directory.
func readApp(ctx context.Context, o Options) (*app, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	a := &app{dir: dir, workDir: dir}
	if err := a.readFly(o.Config); err != nil {
		return nil, err
	}
	d, err := a.readDocker()
	if err != nil {
		return nil, err
	}
	a.readEnv(d)
	if err := a.readLiteFS(d); err != nil {
		return nil, err
	}
	if len(o.Command) > 0 {
		a.command, a.workDir = o.Command, dir // as it was typed
		if d != nil && d.image.Entrypoint != nil {
			a.withoutEntrypoint(d, d.image.Entrypoint.Exec) // for its flags
		}
		return a, nil
	}
	return a, a.readCommand(ctx, d)
}

// readFly reads fly.toml, and refuses what Fly would.
func (a *app) readFly(config string) error {
	names := flyNames
	if config != "" {
		names = []string{config}
	}
	var data []byte
	err := fs.ErrNotExist
	for _, name := range names {
		a.name, a.path = name, name
		if !filepath.IsAbs(name) {
			a.path = filepath.Join(a.dir, name)
		}
		if data, err = readSmall(a.path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && config != "":
		return fmt.Errorf("%s is not there: --config names the app's fly.toml", a.path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no fly.toml in %s: flysql init writes one, and --config names one that is elsewhere", a.dir)
	case err != nil:
		return err
	}
	c, err := flyconf.Parse(a.name, data)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return shown(err, data)
	}
	if c.PrimaryRegion == "" {
		return &flyconf.Problem{File: a.name, Key: "primary_region", Message: "is missing: it is where the first machine is, and with LiteFS the one that writes; add a line such as primary_region = \"ord\""}
	}
	if _, err := edge.ServiceOf(c); err != nil {
		return &flyconf.Problem{File: a.name, Key: "http_service", Message: strings.TrimPrefix(err.Error(), "fly.toml ")}
	}
	a.config = c
	return nil
}

// shown adds to each problem of a file the line that it is about.
func shown(err error, data []byte) error {
	var b strings.Builder
	for _, p := range flyconf.Problems(err) {
		b.WriteString(p.Error() + "\n" + p.Excerpt(data))
	}
	if b.Len() == 0 {
		return err
	}
	return errors.New(strings.TrimRight(b.String(), "\n"))
}

// readSmall reads a file that people write by hand.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is no text file of a usual size", path)
	}
	return os.ReadFile(path)
}

// relative is a path as messages have it.
func (a *app) relative(path string) string {
	if rel, err := filepath.Rel(a.dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// readEnv puts the image's variables below those of fly.toml, and takes paths of the image
// to where their files are in the repository.
func (a *app) readEnv(d *docker) {
	c := *a.config
	c.Env = maps.Clone(a.config.Env)
	if c.Env == nil {
		c.Env = map[string]string{}
	}
	for name, value := range d.env() {
		if _, set := c.Env[name]; !set {
			c.Env[name] = value
		}
	}
	for name, value := range c.Env {
		if path, ok := d.inRepo(value); ok {
			c.Env[name] = path
		}
	}
	// Of the image's users there is none here.
	delete(c.Env, "FLYSQL_USER")
	a.config = &c
	if d != nil && d.image.WorkDir != nil && d.image.WorkDir.Known {
		if dir, ok := d.inRepo(d.image.WorkDir.Value); ok && isDir(dir) {
			a.workDir = dir
		}
	}
}

// litefsNames is where litefs.yml is looked for, after what the image has.
var litefsNames = []string{"litefs.yml", "etc/litefs.yml", "config/litefs.yml", "docker/litefs.yml"}

// readLiteFS finds litefs.yml, where the image runs LiteFS.
func (a *app) readLiteFS(d *docker) error {
	if d != nil && !d.mentions("litefs") {
		return nil // what is there is left over
	}
	var paths []string
	if path, ok := d.inRepo("/etc/litefs.yml"); ok {
		paths = append(paths, path)
	}
	for _, name := range litefsNames {
		paths = append(paths, filepath.Join(filepath.Dir(a.path), name), filepath.Join(a.dir, name))
	}
	i := slices.IndexFunc(paths, isFile)
	if i < 0 {
		return nil
	}
	data, err := readSmall(paths[i])
	if err != nil {
		return err
	}
	c, err := flyconf.ParseLiteFS(a.relative(paths[i]), data, nil)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return shown(err, data)
	}
	a.litefs, a.fuse = paths[i], c.FUSE.Dir
	if d != nil && len(d.mounted) == 0 && len(c.Exec) > 0 {
		// litefs mount starts the last one, and waits for those before.
		if words, err := shellquote.Split(c.Exec[len(c.Exec)-1].Cmd); err == nil {
			d.mounted = words
		}
	}
	return nil
}

// readCommand finds what the image runs, and how that is built here.
func (a *app) readCommand(ctx context.Context, d *docker) error {
	if d == nil {
		return fmt.Errorf("there is no Dockerfile that says what to build and run: give the command, such as flysql dev -- npm start; flysql init writes a Dockerfile for a Go app")
	}
	argv, err := a.argv(d)
	if err != nil {
		return err
	}
	b := d.buildOf(argv[0])
	if b == nil {
		if facts, err := scaffold.Detect(ctx, a.dir); err == nil { // else the Dockerfile says more
			b = mainOf(facts, argv[0], d.builtByGo())
		}
	}
	if b == nil {
		here := slices.Clone(argv)
		if path, ok := d.inRepo(argv[0]); ok {
			here[0] = "./" + filepath.ToSlash(a.relative(path))
		}
		return fmt.Errorf("%s runs %q, which none of its lines builds with go build: give the command that runs the app here: flysql dev -- %s", d.name, argv[0], shellquote.Join(here...))
	}
	a.command, a.build = argv, b
	return nil
}

// toHTTPS tells whether the app's code sends whoever came by http to https. It looks at all
// of the code, which takes a while.
func (a *app) toHTTPS(ctx context.Context) bool {
	if a.build == nil {
		return false
	}
	facts, err := scaffold.Detect(ctx, a.dir)
	if err != nil {
		return false // there is nothing to be told from
	}
	return slices.ContainsFunc(facts.Mains, func(m scaffold.Main) bool {
		return m.ToHTTPS != "" && filepath.Join(a.dir, m.Dir) == filepath.Join(a.build.dir, a.build.pkg)
	})
}

// mainOf is the main package of a module that makes a program of that name, or with only the
// only one.
func mainOf(facts *scaffold.Facts, program string, only bool) *goBuild {
	for _, m := range facts.Mains {
		if m.Binary == filepath.Base(program) || only && len(facts.Mains) == 1 {
			return &goBuild{dir: facts.Dir, pkg: m.Package(), out: m.Binary}
		}
	}
	return nil
}

// argv is what the image runs behind flysql-entrypoint.
func (a *app) argv(d *docker) ([]string, error) {
	argv, err := d.command(a.processes())
	if err != nil {
		return nil, err
	}
	argv = a.withoutEntrypoint(d, withoutInit(argv))
	if len(argv) > 1 && filepath.Base(argv[0]) == "litefs" && argv[1] == "mount" {
		if i := slices.Index(argv, "--"); i >= 0 {
			argv = argv[i+1:]
		} else {
			argv = d.mounted
		}
	}
	if len(argv) == 0 {
		return nil, fmt.Errorf("%s says nothing of what is run: it needs a CMD, or give the command: flysql dev -- COMMAND", d.name)
	}
	return argv, nil
}

// withoutInit takes a small init from a command: flysql-entrypoint is in its place.
func withoutInit(argv []string) []string {
	if len(argv) == 0 || !slices.Contains([]string{"tini", "tini-static", "dumb-init"}, filepath.Base(argv[0])) {
		return argv
	}
	for argv = argv[1:]; len(argv) > 0 && strings.HasPrefix(argv[0], "-"); argv = argv[1:] {
		if argv[0] == "--" {
			return argv[1:]
		}
	}
	return argv
}

// processes is the command of fly.toml's group that serves requests; "" for the image's.
func (a *app) processes() string {
	c := a.config
	if len(c.Processes) == 0 {
		return ""
	}
	group := c.DefaultGroup()
	if h := c.HTTPService; h != nil && len(h.Processes) > 0 {
		group = h.Processes[0]
	} else if h == nil {
		for _, s := range c.Services {
			if len(s.Processes) > 0 && slices.ContainsFunc(s.Ports, func(p flyconf.Port) bool { return slices.Contains(p.Handlers, "http") }) {
				group = s.Processes[0]
				break
			}
		}
	}
	return c.Processes[group]
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// withoutLiteFS is fly.toml with what [env] has in LiteFS's directory on the volume.
func (a *app) withoutLiteFS() *flyconf.Config {
	c := *a.config
	if a.fuse == "" {
		return &c
	}
	if len(c.Mounts) == 0 {
		c.Mounts = []flyconf.Mount{{Source: "data", Destination: "/data"}}
	}
	to := cmp.Or(strings.TrimSuffix(c.Mounts[0].Destination, "/"), "/data")
	c.Env = map[string]string{}
	for name, value := range a.config.Env {
		c.Env[name] = under(value, a.fuse, to)
	}
	return &c
}

// under is a value with the paths below one directory below another.
func under(value, from, to string) string {
	i := strings.Index(value, strings.TrimSuffix(from, "/")+"/")
	if i < 0 || i > 0 && value[i-1] != ':' && value[i-1] != '/' {
		return value
	}
	return value[:i] + to + value[i+len(strings.TrimSuffix(from, "/")):]
}
