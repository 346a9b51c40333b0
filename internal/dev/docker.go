package dev

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/flysql/flysql/entrypoint"
	"github.com/flysql/flysql/flyconf"
)

// docker is what a Dockerfile says of the image. nil is none.
type docker struct {
	context string // the directory that COPY takes files from, absolute
	name    string
	file    *flyconf.Dockerfile
	stage   flyconf.Stage
	image   *flyconf.Image // of that stage
	args    map[string]string
	mounted []string // what litefs mount starts, by litefs.yml

	images map[int]*flyconf.Image // by the line of a stage's FROM
	steps  int                    // of a trace
}

// readDocker reads the Dockerfile that fly.toml builds: nil where there is none.
func (a *app) readDocker() (*docker, error) {
	beside := filepath.Dir(a.path)
	paths := []string{filepath.Join(beside, "Dockerfile"), filepath.Join(a.dir, "Dockerfile")}
	build := a.config.Build
	if build == nil {
		build = &flyconf.Build{}
	}
	switch {
	case build.Image != "" || build.Builder != "" || build.Builtin != "":
		return nil, nil // what is run is made elsewhere
	case build.Dockerfile != "":
		paths = []string{filepath.Join(beside, build.Dockerfile)}
	}
	var data []byte
	err := fs.ErrNotExist
	name := ""
	for _, p := range paths {
		if data, err = readSmall(p); !errors.Is(err, fs.ErrNotExist) {
			name = a.relative(p)
			break
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		if build.Dockerfile == "" {
			return nil, nil
		}
		line, col := a.config.Position("build.dockerfile")
		return nil, &flyconf.Problem{File: a.name, Line: line, Col: col, Key: "build.dockerfile", Message: fmt.Sprintf("%q is not there: it is looked for from the directory of %s", build.Dockerfile, a.name)}
	}
	if err != nil {
		return nil, err
	}
	file, err := flyconf.ParseDockerfile(name, data)
	if err != nil {
		return nil, shown(err, data)
	}
	d := &docker{context: a.dir, name: name, file: file, stage: file.Final(), args: build.Args}
	if build.BuildTarget != "" {
		s, ok := d.named(build.BuildTarget)
		if !ok {
			line, col := a.config.Position("build.build-target")
			return nil, &flyconf.Problem{File: a.name, Line: line, Col: col, Key: "build.build-target", Message: fmt.Sprintf("%s has no stage %q", name, build.BuildTarget)}
		}
		d.stage = s
	}
	d.image = d.imageOf(d.stage)
	return d, nil
}

func (d *docker) named(name string) (flyconf.Stage, bool) {
	for _, s := range slices.Backward(d.file.Stages()) {
		if strings.EqualFold(s.Name, name) {
			return s, true
		}
	}
	return flyconf.Stage{}, false
}

// mentions tells whether any instruction has a word.
func (d *docker) mentions(word string) bool {
	return slices.ContainsFunc(d.file.Instructions(), func(in flyconf.Instruction) bool {
		return strings.Contains(in.Args, word) || slices.ContainsFunc(in.Heredocs, func(h flyconf.Heredoc) bool { return strings.Contains(h.Content, word) })
	})
}

// env are the image's variables that mean the same here.
func (d *docker) env() map[string]string {
	env := map[string]string{}
	if d == nil {
		return env
	}
	for _, s := range d.image.Env {
		if s.Known && s.Name != "PATH" && s.Name != "HOME" && !strings.HasPrefix(s.Name, "FLY_") {
			env[s.Name] = s.Value
		}
	}
	return env
}

// maxDepth bounds how far a file is followed through stages, and maxSteps in how many ways.
const (
	maxDepth = 8
	maxSteps = 1000
)

// imageOf is a stage's image.
func (d *docker) imageOf(s flyconf.Stage) *flyconf.Image {
	line := s.Instructions[0].Line
	if d.images[line] == nil {
		if d.images == nil {
			d.images = map[int]*flyconf.Image{}
		}
		d.images[line] = s.Image(d.args)
	}
	return d.images[line]
}

// inRepo is where a file or directory of the image comes from, absolute.
func (d *docker) inRepo(name string) (string, bool) {
	if d == nil || !path.IsAbs(name) {
		return "", false
	}
	var found string
	d.trace(d.stage, path.Clean(name), func(s *flyconf.Stage, p string) bool {
		if s == nil {
			found = p
		}
		return s == nil
	})
	return found, found != ""
}

// trace follows a path of a stage's image to where it may come from, and says each place:
// a path of a stage, or with nil one of the repository, that is there. It ends when say is
// true.
func (d *docker) trace(s flyconf.Stage, p string, say func(s *flyconf.Stage, p string) bool) bool {
	d.steps = maxSteps
	return d.step(s, p, maxDepth, say)
}

func (d *docker) step(s flyconf.Stage, p string, depth int, say func(s *flyconf.Stage, p string) bool) bool {
	if say(&s, p) {
		return true
	}
	if d.steps--; depth == 0 || d.steps < 0 {
		return false
	}
	for _, c := range slices.Backward(d.imageOf(s).Copies) {
		for _, source := range c.Sources {
			if !source.Known || !c.Destination.Known {
				continue
			}
			for _, from := range origins(p, source.Value, c) {
				if d.follow(c.From, from, depth, say) {
					return true
				}
			}
		}
	}
	return false
}

// follow is step from the other side of a COPY.
func (d *docker) follow(stage, p string, depth int, say func(s *flyconf.Stage, p string) bool) bool {
	if stage != "" {
		s, ok := d.named(stage)
		return ok && d.step(s, path.Join("/", p), depth-1, say)
	}
	local := filepath.FromSlash(strings.TrimPrefix(path.Clean("/"+p), "/"))
	if local == "" {
		local = "."
	}
	full := filepath.Join(d.context, local)
	return filepath.IsLocal(local) && (isFile(full) || isDir(full)) && say(nil, full)
}

// origins are the paths that a COPY may have made p of: its source is a directory, whose
// content it copies, or a file.
func origins(p, source string, c flyconf.Copy) (from []string) {
	to := path.Clean(c.Destination.Value)
	if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(to, "/")); ok && (rest == "" || rest[0] == '/') {
		from = append(from, path.Join(source, rest))
	}
	if strings.HasSuffix(c.Destination.Value, "/") || len(c.Sources) > 1 {
		if p == path.Join(to, path.Base(source)) {
			from = append([]string{source}, from...)
		}
	}
	return from
}

// command is what the image runs: process, fly.toml's, takes CMD's place.
func (d *docker) command(process string) ([]string, error) {
	var argv []string
	words := func(in *flyconf.Instruction) error {
		if in.Exec != nil {
			argv = append(argv, in.Exec...)
			return nil
		}
		return d.shell(in.Name, fmt.Sprintf("%s:%d", d.name, in.Line), in.Args, &argv)
	}
	if in := d.image.Entrypoint; in != nil {
		if err := words(in); err != nil {
			return nil, err
		}
	}
	if process != "" {
		return argv, d.shell("[processes]", "fly.toml", process, &argv)
	}
	if in := d.image.Cmd; in != nil {
		return argv, words(in)
	}
	return argv, nil
}

// shell splits a command line that needs no shell.
func (d *docker) shell(what, place, text string, argv *[]string) error {
	list, err := shellquote.Split(text)
	if err != nil || len(list) == 0 || strings.ContainsAny(text, "|&;<>()`$*?\n") {
		return fmt.Errorf("%s: %s needs a shell: give the command that runs the app here: flysql dev -- COMMAND", place, what)
	}
	if list[0] == "exec" {
		list = list[1:]
	}
	*argv = append(*argv, list...)
	return nil
}

// withoutEntrypoint takes flysql-entrypoint from a command: its flags become variables.
func (a *app) withoutEntrypoint(d *docker, argv []string) ([]string, error) {
	if len(argv) == 0 || path.Base(argv[0]) != "flysql-entrypoint" {
		return argv, nil
	}
	inv, err := entrypoint.FromEnv(argv[1:], nil)
	flags := argv[1 : len(argv)-len(inv.Command)]
	if err != nil && len(flags) > 0 {
		return nil, err
	}
	for i := 0; i < len(flags) && flags[i] != "--"; i++ {
		name, value, given := strings.Cut(strings.TrimLeft(flags[i], "-"), "=")
		switch name {
		case "skip", "supervise", "strict-migrations":
			if !given {
				value = "1"
			}
		default:
			if !given && i+1 < len(flags) {
				i++
				value = flags[i]
			}
		}
		if path, ok := d.inRepo(value); ok {
			value = path
		}
		if name != "user" {
			a.config.Env["FLYSQL_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = value
		}
	}
	return inv.Command, nil
}
