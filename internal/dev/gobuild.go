package dev

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/flysql/flysql/flyconf"
)

// goBuild is how the app's program is made.
type goBuild struct {
	dir   string   // where the go command runs
	pkg   string   // "./cmd/web"
	out   string   // the program's path in its image, or only its name
	flags []string // -tags and such
	env   []string // CGO_ENABLED=0
}

// pathDirs is where an image's program is that is named alone.
var pathDirs = []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/go/bin", "/"}

// buildOf is the go build of the Dockerfile that makes a program of its image; nil where
// there is none.
func (d *docker) buildOf(program string) *goBuild {
	work := "/"
	if w := d.image.WorkDir; w != nil && w.Known {
		work = w.Value
	}
	places := []string{path.Join(work, program)}
	if !strings.Contains(program, "/") {
		places = nil
		for _, dir := range pathDirs {
			places = append(places, path.Join(dir, program))
		}
	} else if path.IsAbs(program) {
		places = []string{path.Clean(program)}
	}
	byStage := map[int][]*goBuild{} // by the line of FROM
	var all []*goBuild
	for _, s := range d.file.Stages() {
		list := d.builds(s)
		byStage[s.Instructions[0].Line] = list
		all = append(all, list...)
	}
	if len(all) == 0 {
		return nil
	}
	var found *goBuild
	for _, place := range places {
		if d.trace(d.stage, place, func(s *flyconf.Stage, p string) bool {
			if s == nil {
				return false
			}
			for _, b := range byStage[s.Instructions[0].Line] {
				if b.out == p || !path.IsAbs(b.out) && b.out == path.Base(p) {
					found = b
				}
			}
			return found != nil
		}) {
			return found
		}
	}
	// Else by the name, or the only one that is not the entrypoint.
	all = slices.DeleteFunc(all, func(b *goBuild) bool { return path.Base(b.out) == "flysql-entrypoint" })
	if i := slices.IndexFunc(all, func(b *goBuild) bool { return path.Base(b.out) == path.Base(program) }); i >= 0 {
		return all[i]
	}
	return nil
}

// builtByGo tells whether a stage is made of Go's image: whatever its script builds there is
// a Go program.
func (d *docker) builtByGo() bool {
	return slices.ContainsFunc(d.file.Stages(), func(s flyconf.Stage) bool { return strings.HasPrefix(path.Base(s.Base), "golang") })
}

// builds are the go build lines of a stage.
func (d *docker) builds(s flyconf.Stage) (all []*goBuild) {
	work := "/"
	image := d.imageOf(s)
	if image.WorkDir != nil && image.WorkDir.Known {
		work = image.WorkDir.Value
	}
	vars := d.variables(s, image)
	for _, in := range s.Instructions {
		if in.Name != "RUN" {
			continue
		}
		texts := []string{in.Args}
		for _, h := range in.Heredocs {
			texts = append(texts, strings.Split(h.Content, "\n")...)
		}
		for _, text := range texts {
			at := work
			for _, command := range commands(text) {
				for i := range command {
					command[i] = os.Expand(command[i], vars)
				}
				if len(command) == 2 && command[0] == "cd" {
					at = path.Join(at, command[1])
					if path.IsAbs(command[1]) {
						at = path.Clean(command[1])
					}
					continue
				}
				if b := d.goBuild(s, at, command); b != nil {
					all = append(all, b)
				}
			}
		}
	}
	for _, b := range all {
		for _, v := range image.Env {
			switch v.Name {
			case "CGO_ENABLED", "GOFLAGS", "GOEXPERIMENT", "GOAMD64", "GOARM64":
				if v.Known {
					b.env = append([]string{v.Name + "=" + v.Value}, b.env...)
				}
			}
		}
	}
	return all
}

// variables are those that a stage's RUN has, as far as the file says. Others stay as they
// are written.
func (d *docker) variables(s flyconf.Stage, image *flyconf.Image) func(string) string {
	known := map[string]string{}
	for _, list := range [][]flyconf.Instruction{d.file.GlobalArgs(), s.Instructions} {
		for _, in := range list {
			if in.Name != "ARG" {
				continue
			}
			for _, word := range in.Words() {
				if name, value, ok := strings.Cut(word, "="); ok {
					known[name] = strings.Trim(value, `"'`)
				}
			}
		}
	}
	maps.Copy(known, d.args)
	for _, v := range image.Env {
		if v.Known {
			known[v.Name] = v.Value
		}
	}
	return func(name string) string {
		if value, ok := known[name]; ok {
			return value
		}
		return "${" + name + "}"
	}
}

// commands splits a line of a shell into commands, and these into words. What it does not
// understand is left out.
func commands(text string) (all [][]string) {
	for _, sep := range []string{"&&", "||", ";"} {
		text = strings.ReplaceAll(text, sep, "\n")
	}
	for line := range strings.SplitSeq(text, "\n") {
		if words, err := shellquote.Split(line); err == nil && len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}

// goBuild reads one command; nil where it is not go build or go install of a directory.
func (d *docker) goBuild(s flyconf.Stage, at string, words []string) *goBuild {
	b := &goBuild{}
	for len(words) > 0 && strings.Contains(words[0], "=") && !strings.HasPrefix(words[0], "-") {
		if name, _, _ := strings.Cut(words[0], "="); name == "CGO_ENABLED" || name == "GOEXPERIMENT" || name == "GOFLAGS" {
			b.env = append(b.env, words[0])
		}
		words = words[1:]
	}
	if len(words) < 2 || path.Base(words[0]) != "go" || words[1] != "build" && words[1] != "install" {
		return nil
	}
	install := words[1] == "install"
	b.pkg = "."
	for words = words[2:]; len(words) > 0; words = words[1:] {
		if !strings.HasPrefix(words[0], "-") {
			b.pkg = words[0]
			continue
		}
		name, value, given := strings.Cut(strings.TrimLeft(words[0], "-"), "=")
		switch name {
		case "o", "tags", "ldflags", "mod", "p", "gcflags", "asmflags", "pgo", "overlay", "pkgdir", "installsuffix", "modfile", "C":
			if !given && len(words) > 1 {
				words = words[1:]
				value = words[0]
			}
		}
		b.flag(name, value, &at)
	}
	if strings.ContainsAny(b.pkg, "$@*") || strings.HasSuffix(b.pkg, "...") {
		return nil
	}
	b.pkg = strings.TrimSuffix(b.pkg, "/")
	dir, ok := d.stageInRepo(s, at)
	if !ok {
		dir = d.context
	}
	b.dir = dir
	switch name := path.Base(path.Join(filepath.ToSlash(dir), b.pkg)); {
	case b.out == "" && install:
		b.out = path.Join("/go/bin", name)
	case b.out == "" || strings.HasSuffix(b.out, "/"):
		b.out = path.Join(at, b.out, name)
	case !path.IsAbs(b.out):
		b.out = path.Join(at, b.out)
	}
	return b
}

// flag keeps what makes another program here too. A value that has a variable in it is
// not known.
func (b *goBuild) flag(name, value string, at *string) {
	switch {
	case name == "o":
		b.out = value
	case name == "C":
		*at = path.Join(*at, value)
	case strings.Contains(value, "$"):
	case name == "tags" || name == "mod":
		b.flags = append(b.flags, "-"+name+"="+value)
	case name == "ldflags":
		// Who debugs wants the symbols.
		words := slices.DeleteFunc(strings.Fields(value), func(w string) bool { return w == "-s" || w == "-w" })
		if len(words) > 0 {
			b.flags = append(b.flags, "-ldflags="+strings.Join(words, " "))
		}
	}
}

// stageInRepo is a directory of a stage in the repository.
func (d *docker) stageInRepo(s flyconf.Stage, dir string) (found string, ok bool) {
	d.trace(s, path.Clean(dir), func(s *flyconf.Stage, p string) bool {
		if s == nil && isDir(p) {
			found = p
		}
		return found != ""
	})
	return found, found != ""
}
