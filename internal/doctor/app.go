package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/scaffold"
)

// App is what Check looks at: the files of a repository, read. A file that is not
// there, or cannot be read, is nil; what is wrong with it is in Problems.
type App struct {
	Fly        *FlyFile
	Docker     *DockerFile
	LiteFS     *LiteFSFile
	Litestream *TextFile
	Ignore     *TextFile       // .dockerignore
	Facts      *scaffold.Facts // what the code says; nil where it says nothing
	Remote     *Remote         // what runs on Fly; nil where it was not asked

	Problems []*flyconf.Problem // of reading the files
	sources  map[string][]byte  // what was read, by name
	read     reader             // for scripts that the image starts; nil reads none
	memo     memo
}

// TextFile is a file as it is.
type TextFile struct {
	Name string // slash-separated, relative to the repository
	Data []byte
}

// FlyFile is fly.toml, or fly.json or fly.yaml.
type FlyFile struct {
	TextFile
	*flyconf.Config
}

// DockerFile is the Dockerfile that fly.toml builds.
type DockerFile struct {
	TextFile
	*flyconf.Dockerfile
	Image *flyconf.Image // the stage that is built
}

// LiteFSFile is litefs.yml.
type LiteFSFile struct {
	TextFile
	Config *flyconf.LiteFS
}

// reader reads a file of the repository. It is an error, with fs.ErrNotExist where
// there is none, for all that is not a plain text file of a usual size inside.
type reader func(name string) ([]byte, error)

// Where these files are looked for, the likelier first.
var (
	flyNames        = []string{"fly.toml", "fly.json", "fly.yaml", "fly.yml"}
	litefsNames     = []string{"litefs.yml", "etc/litefs.yml", "config/litefs.yml", "docker/litefs.yml"}
	litestreamNames = []string{"litestream.yml", "etc/litestream.yml", "config/litestream.yml", "docker/litestream.yml"}
)

// load reads all files.
func load(read reader, facts *scaffold.Facts) *App {
	a := &App{Facts: facts, sources: map[string][]byte{}, read: read}
	if f := a.first(read, flyNames); f != nil {
		config, err := flyconf.Parse(f.Name, f.Data)
		if config == nil {
			a.Problems = append(a.Problems, flyconf.Problems(err)...)
		} else {
			a.Fly = &FlyFile{*f, config}
			a.Problems = append(a.Problems, config.Problems()...)
		}
	}
	a.loadDocker(read)
	a.loadLiteFS(read)
	a.Litestream = a.first(read, a.copiedFirst("litestream.yml", litestreamNames))
	a.Ignore = a.first(read, []string{a.buildFile("ignorefile", ".dockerignore")})
	return a
}

// loadDocker reads the Dockerfile and the stage that fly.toml builds.
func (a *App) loadDocker(read reader) {
	if a.Fly != nil && a.Fly.Build != nil && (a.Fly.Build.Image != "" || a.Fly.Build.Builder != "" || a.Fly.Build.Builtin != "") {
		return // it is not what is built
	}
	name := a.buildFile("dockerfile", "Dockerfile")
	f := a.first(read, []string{name})
	if f == nil {
		a.missingDockerfile(read, name)
		return
	}
	d, err := flyconf.ParseDockerfile(f.Name, f.Data)
	if err != nil {
		a.Problems = append(a.Problems, flyconf.Problems(err)...)
		return
	}
	stage := d.Final()
	if a.Fly != nil && a.Fly.Build != nil {
		for _, s := range d.Stages() {
			if target := a.Fly.Build.BuildTarget; target != "" && strings.EqualFold(s.Name, target) {
				stage = s
			}
		}
	}
	a.Docker = &DockerFile{*f, d, stage.Image(a.buildArgs())}
}

// missingDockerfile reports a Dockerfile that fly.toml names and that is not there.
// What is outside the repository is not looked for.
func (a *App) missingDockerfile(read reader, name string) {
	if a.Fly == nil || !a.Fly.Has("build.dockerfile") || !fs.ValidPath(name) {
		return
	}
	if _, err := read(name); !errors.Is(err, fs.ErrNotExist) {
		return // first says so
	}
	line, col := a.Fly.Position("build.dockerfile")
	a.Problems = append(a.Problems, &flyconf.Problem{
		File: a.Fly.Name, Line: line, Col: col, Key: "build.dockerfile", Rule: "FLY001",
		Message: fmt.Sprintf("%q is not there: it is looked for from the directory of %s", name, a.Fly.Name),
	})
}

func (a *App) buildArgs() map[string]string {
	if a.Fly == nil || a.Fly.Build == nil {
		return nil
	}
	return a.Fly.Build.Args
}

// buildFile is a file of [build], or its default. What is outside the repository
// is not read.
func (a *App) buildFile(key, fallback string) string {
	name := ""
	if a.Fly != nil && a.Fly.Build != nil {
		switch key {
		case "dockerfile":
			name = a.Fly.Build.Dockerfile
		case "ignorefile":
			name = a.Fly.Build.Ignorefile
		}
	}
	if name = path.Clean(name); name == "." {
		return fallback
	}
	return name
}

// loadLiteFS reads litefs.yml. Of its variables only the region is known, and that
// not here: values that use them are not judged.
func (a *App) loadLiteFS(read reader) {
	base, names := "litefs.yml", litefsNames
	if name := a.configFlag("litefs"); name != "" && path.Base(name) != base {
		base, names = path.Base(name), nil // another file would be taken for this one
	}
	f := a.first(read, a.copiedFirst(base, names))
	if f == nil {
		return
	}
	config, err := flyconf.ParseLiteFS(f.Name, f.Data, nil)
	if a.leftOver(config) {
		delete(a.sources, f.Name)
		return
	}
	problems := flyconf.Problems(err)
	a.Problems = append(a.Problems, problems...)
	if config == nil || slices.ContainsFunc(problems, func(p *flyconf.Problem) bool { return p.Rule != "FLY405" }) {
		return // what else there is to say would be about defaults
	}
	a.LiteFS = &LiteFSFile{*f, config}
	a.Problems = append(a.Problems, flyconf.Problems(config.Validate())...)
}

// leftOver tells of a litefs.yml that nothing uses any more: the Dockerfile does not
// mention LiteFS, nor do the commands, and no database is in its directory.
func (a *App) leftOver(config *flyconf.LiteFS) bool {
	if a.Docker == nil {
		return false
	}
	var texts []string
	for _, in := range a.Docker.Instructions() {
		texts = append(append(texts, in.Args), in.Flags...)
		for _, h := range in.Heredocs {
			texts = append(texts, h.Content)
		}
	}
	if a.Fly != nil {
		texts = slices.AppendSeq(slices.AppendSeq(texts, maps.Values(a.Fly.Env)), maps.Values(a.Fly.Processes))
	}
	return !slices.ContainsFunc(texts, func(text string) bool {
		return strings.Contains(text, "litefs") || config != nil && strings.Contains(text, config.FUSE.Dir+"/")
	})
}

// copiedFirst puts the files of that name that the image copies before names.
func (a *App) copiedFirst(base string, names []string) []string {
	if a.Docker == nil {
		return names
	}
	var out, renamed []string
	for _, c := range a.Docker.Image.Copies {
		for _, s := range c.Sources {
			name := path.Clean(strings.TrimPrefix(s.Value, "/"))
			switch {
			case c.From != "" || !s.Known:
			case path.Base(s.Value) == base:
				out = append(out, name)
			case len(c.Sources) == 1 && path.Base(c.Destination.Value) == base:
				renamed = append(renamed, name)
			}
		}
	}
	return slices.Concat(renamed, out, names)
}

// configFlag is the file that a tool is started with, by its -config; empty where it
// takes its own default.
func (a *App) configFlag(tool string) string {
	commands := []command{a.boot().command}
	for _, g := range a.groups() {
		commands = append(commands, g.command)
	}
	for _, cmd := range commands {
		if i := slices.IndexFunc(cmd.words, func(w string) bool { return path.Base(w) == tool }); i >= 0 {
			if value, ok := flagValue(cmd.words[i:], "config"); ok {
				return value
			}
		}
	}
	return ""
}

// first reads the first of the files that is there.
func (a *App) first(read reader, names []string) *TextFile {
	for _, name := range names {
		if !fs.ValidPath(name) {
			continue // outside
		}
		data, err := read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			a.Problems = append(a.Problems, &flyconf.Problem{File: name, Message: unreadable(err), Rule: "FLY001"})
			return nil
		}
		a.sources[name] = data
		return &TextFile{name, data}
	}
	return nil
}

// unreadable says why a file is not read. os.Root has no error of its own for what
// leads out of it.
func unreadable(err error) string {
	var in *fs.PathError
	switch {
	case !errors.As(err, &in):
		return err.Error()
	case strings.Contains(in.Err.Error(), "escapes"):
		return "is a link that leads out of the repository, which is not followed: put the file itself there"
	}
	return "cannot be read: " + in.Err.Error()
}
