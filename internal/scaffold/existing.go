package scaffold

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

// Existing is what a fly.toml of the repository says, as far as it answers what
// init asks. An app that runs already keeps its name, its volume and its database.
type Existing struct {
	App, Region         string
	Source, Destination string // of its one volume
	SizeGB              int
	Port                int
	Env                 map[string]string
	Dockerfile          string            // the one that is built, where it is another than Dockerfile
	Builder             string            // what builds the image instead of a Dockerfile
	Image               string            // an image that is deployed, where none is built
	Release             string            // a release_command that looks like a migration
	Processes           map[string]string // its process groups; nil where it has none
	Web                 string            // the group that takes requests; empty where it has none
	Mounted             []string          // the groups that have a volume
	Service             bool              // it has [[services]], and no [http_service]

	// Err says why the file cannot be read. Nothing else is known then.
	Err error
}

var (
	migratingCommand = regexp.MustCompile(`(?i)migrat|goose|dbmate|db:prepare|db:schema|prisma|alembic`)
	plainMount       = regexp.MustCompile(`^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$`)
)

// readFly reads fly.toml, if there is one. What stands in its place without being a
// file is Compare's to refuse.
func readFly(root *os.Root) *Existing {
	data, err := readSmall(root, "fly.toml")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return readOtherFly(root)
	case errors.Is(err, errTooLarge), errors.Is(err, errBinary):
		return &Existing{Err: fmt.Errorf("fly.toml %w", err)}
	case err != nil:
		return nil
	}
	return parseFly(data)
}

// parseFly reads the text of a fly.toml.
func parseFly(data []byte) *Existing {
	config, err := flyconf.Parse("fly.toml", data)
	if config == nil {
		return &Existing{Err: shown(err, data)}
	}
	if err := answersIn(config); err != nil {
		return &Existing{Err: shown(err, data)}
	}
	e := &Existing{App: config.App, Region: config.PrimaryRegion, Env: config.Env, Processes: config.Processes}
	web := config.DefaultGroup()
	processes := []string(nil)
	switch {
	case config.HTTPService != nil:
		e.Port, processes = config.HTTPService.InternalPort, config.HTTPService.Processes
	case len(config.Services) > 0:
		e.Port, processes, e.Service = config.Services[0].InternalPort, config.Services[0].Processes, true
	}
	if len(processes) > 0 {
		web = processes[0]
	}
	mounts := config.GroupMounts(web)
	if len(mounts) == 0 && len(config.Processes) == 0 {
		mounts = config.Mounts // of a group that does not exist
	}
	if len(mounts) == 1 {
		m := mounts[0]
		e.Source, e.SizeGB = m.Source, m.InitialSizeGB
		if m.Destination != "" {
			e.Destination = path.Clean(m.Destination)
		}
	}
	if len(e.Processes) > 0 {
		e.Web = web
		for _, group := range config.Groups() {
			if len(config.GroupMounts(group)) > 0 {
				e.Mounted = append(e.Mounted, group)
			}
		}
	}
	if b := config.Build; b != nil {
		e.Image, e.Builder = b.Image, cmp.Or(b.Builder, b.Builtin)
		if b.Dockerfile != "" {
			e.Dockerfile = path.Clean(b.Dockerfile)
		}
	}
	if d := config.Deploy; d != nil && migratingCommand.MatchString(d.ReleaseCommand) {
		e.Release = d.ReleaseCommand
	}
	return e
}

// answersIn reports what cannot be taken over, and must not be replaced by a guess
// either: a volume of another name would be an empty one.
func answersIn(config *flyconf.Config) error {
	var list []error
	for _, p := range config.Problems() {
		missing := strings.HasPrefix(p.Message, "is missing") // and asked for
		if p.Severity == flyconf.SeverityError && unanswered.MatchString(p.Key) && !missing {
			list = append(list, p)
		}
	}
	if b := config.Build; b != nil && b.Dockerfile != "" && (!plainPath.MatchString(b.Dockerfile) || !inside(b.Dockerfile)) {
		list = append(list, fmt.Errorf("fly.toml builds %q: flysql init takes a file in this repository, named with letters, digits, dots, dashes and underscores", b.Dockerfile))
	}
	for _, m := range config.Mounts {
		if m.Destination != "" && !plainMount.MatchString(path.Clean(m.Destination)) {
			list = append(list, fmt.Errorf("fly.toml mounts %s at %q: flysql init takes letters, digits, dots, dashes and underscores", m.Source, m.Destination))
		}
	}
	return errors.Join(list...)
}

var unanswered = regexp.MustCompile(`^(app|primary_region|env|processes|mounts\[\d+\]\.(source|destination|initial_size)|http_service\.internal_port)$`)

// readOtherFly refuses the forms of fly.toml that init does not write: a second file
// beside them would be another configuration of the app.
func readOtherFly(root *os.Root) *Existing {
	for _, name := range []string{"fly.json", "fly.yaml"} {
		if _, err := root.Lstat(name); err == nil {
			return &Existing{Err: fmt.Errorf("%s is this app's configuration, and flysql init edits fly.toml only: have flyctl write one (fly config save), and remove %s", name, name)}
		}
	}
	return nil
}

// answer fills what the answers leave open. What was derived from the app's name
// follows it when it changes: the volumes of another app are others anyway.
func (e *Existing) answer(a *Answers) {
	if e == nil || e.Err != nil {
		return
	}
	if a.App == "" {
		a.App = e.App
	}
	if a.Region == "" {
		a.Region = e.Region
	}
	if a.SizeGB == 0 {
		a.SizeGB = e.SizeGB
	}
	a.Mount = e.Destination
	if e.Source != volumeName(e.App) {
		a.Volume = e.Source
	}
}

// database is the path of the app's database. That there are two is an error: one
// of them would be neither checked nor migrated.
func (e *Existing) database(d Database) (string, error) {
	found, by := "", ""
	for _, name := range []string{d.variable(), entrypointDB, databaseURL} {
		db := d.in(name, e.Env[name])
		switch {
		case db == "" || db == found:
		case found == "":
			found, by = db, name
		default:
			return found, fmt.Errorf("fly.toml names two databases, %s in %s and %s in %s: --db says which one is the app's, and the other variable must go or name the same", found, by, db, name)
		}
	}
	return found, nil
}

// pathOf is the path in a value such as file:///data/app.db?mode=rw; empty where it
// has none.
func pathOf(value string) string {
	value, _, _ = strings.Cut(value, "?")
	if scheme, rest, ok := strings.Cut(value, ":"); ok && (scheme == "file" || strings.HasPrefix(scheme, "sqlite")) {
		value = rest
	}
	if !path.IsAbs(value) {
		return ""
	}
	return path.Clean("/" + strings.TrimLeft(value, "/"))
}

// groups are the names of fly.toml's process groups, in order.
func (e *Existing) groups() []string {
	if e == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(e.Processes))
}

// litefsFiles and litestreamFiles are where the configuration of these tools is
// found.
var (
	litefsFiles     = []string{"litefs.yml", "etc/litefs.yml", "config/litefs.yml"}
	litestreamFiles = []string{"litestream.yml", "etc/litestream.yml", "config/litestream.yml"}
)

// present lists which of these files are there.
func present(root *os.Root, names []string) []string {
	var found []string
	for _, name := range names {
		if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() {
			found = append(found, name)
		}
	}
	return found
}

// LiteFSFile is a litefs.yml of the repository.
type LiteFSFile struct {
	Path   string
	Config *flyconf.LiteFS // nil where it cannot be read
	Err    error           // why not; or what LiteFS would not take
}

// machineEnv is a variable of the machines, as far as files say it.
func (f *Facts) machineEnv(name string) (value string, known bool) {
	if f.Fly != nil {
		value, known = f.Fly.Env[name]
	}
	if !known && f.Docker != nil {
		value, known = f.Docker.Env[name]
	}
	return value, known
}

// readLiteFS reads litefs.yml, if there is one: the one that the image has.
func readLiteFS(root *os.Root, docker *Docker, env func(string) (string, bool)) *LiteFSFile {
	names := litefsFiles
	if docker != nil && docker.Config != "" {
		names = append([]string{docker.Config}, names...)
	}
	found := present(root, names)
	if len(found) == 0 {
		return nil
	}
	l := &LiteFSFile{Path: found[0]}
	data, err := readSmall(root, l.Path)
	if err != nil {
		l.Err = fmt.Errorf("%s %w", l.Path, err)
		return l
	}
	config, err := flyconf.ParseLiteFS(l.Path, data, env)
	if err != nil {
		l.Err = shown(err, data)
		return l
	}
	l.Config = config
	return l
}

// fuse is where the databases are seen.
func (l *LiteFSFile) fuse() string {
	if l != nil && l.Config != nil {
		if dir := path.Clean(l.Config.FUSE.Dir); plainMount.MatchString(dir) {
			return dir
		}
	}
	return fuseDir
}

// port is that of an address in the proxy's section; 0 where there is none.
func (l *LiteFSFile) port(key string) int {
	if l == nil || l.Config == nil {
		return 0
	}
	addr := l.Config.Proxy.Target
	if key == "proxy.addr" {
		addr = l.Config.Proxy.Addr
	}
	return portOf(addr)
}
