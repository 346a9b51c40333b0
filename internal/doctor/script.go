package doctor

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

func itoa(n int) string { return strconv.Itoa(n) }

// shells are programs that run the script that they are given.
var shells = []string{"sh", "bash", "ash", "dash", "zsh"}

// script is the file of the repository that a command of the image runs, where it
// is a shell's script; nil where it is not, or cannot be found.
func (a *App) script(words []string) *TextFile {
	if a.Docker == nil || len(words) == 0 {
		return nil
	}
	if slices.Contains(shells, path.Base(words[0])) {
		words = words[1:]
		for len(words) > 0 && strings.HasPrefix(words[0], "-") {
			if strings.Contains(words[0], "c") {
				return nil // a command, no file
			}
			words = words[1:]
		}
	}
	if len(words) == 0 {
		return nil
	}
	f := &finder{app: a, steps: 500, stages: a.Docker.Stages(), images: map[int]*flyconf.Image{}}
	for _, name := range a.imagePaths(words[0]) {
		if t := f.find(a.Docker.Image, name); t != nil && isShellScript(t.Data) {
			return t
		}
	}
	return nil
}

// imagePaths are the places of the image where a program may be.
func (a *App) imagePaths(word string) []string {
	switch dir := a.Docker.Image.WorkDir; {
	case path.IsAbs(word):
		return []string{path.Clean(word)}
	case !strings.Contains(word, "/"):
		var out []string
		for _, dir := range []string{"/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/bin", "/"} {
			out = append(out, path.Join(dir, word))
		}
		return out
	case dir != nil && dir.Known:
		return []string{path.Join(dir.Value, word)}
	}
	return []string{path.Join("/", word)}
}

// isShellScript goes by the first line. Where that names nothing, Docker could not
// start it, but a shell can.
func isShellScript(data []byte) bool {
	line, _, _ := strings.Cut(string(data), "\n")
	if !strings.HasPrefix(line, "#!") {
		return true
	}
	for _, word := range strings.Fields(line[2:]) {
		if slices.Contains(shells, path.Base(word)) {
			return true
		}
	}
	return false
}

// finder looks for a file of the image in the repository, by way of COPY, from
// stage to stage. Its steps are bounded: stages can copy from each other in many
// ways.
type finder struct {
	app    *App
	stages []flyconf.Stage
	images map[int]*flyconf.Image
	steps  int
}

func (f *finder) find(img *flyconf.Image, name string) *TextFile {
	for _, c := range slices.Backward(img.Copies) {
		for _, s := range c.Sources {
			if f.steps--; f.steps < 0 {
				return nil
			}
			if !s.Known || !c.Destination.Known || strings.Contains(s.Value, "://") {
				continue
			}
			for _, from := range copiedFrom(s.Value, c.Destination.Value, name) {
				if t := f.read(c.From, from); t != nil {
					return t
				}
			}
		}
	}
	return nil
}

// read takes a path of the context, or of a stage.
func (f *finder) read(from, name string) *TextFile {
	if from == "" {
		return f.app.repoFile(strings.TrimPrefix(path.Clean("/"+name), "/"))
	}
	if !path.IsAbs(name) {
		name = "/" + name
	}
	for i, s := range f.stages {
		if s.Name != "" && strings.EqualFold(s.Name, from) || from == itoa(i) {
			if f.images[i] == nil {
				f.images[i] = s.Image(f.app.buildArgs())
			}
			return f.find(f.images[i], path.Clean(name))
		}
	}
	return nil
}

// copiedFrom lists what name, a path of the image, may be among what COPY took: the
// source itself, or a file in it.
func copiedFrom(source, destination, name string) []string {
	to := path.Clean(destination)
	if to == name {
		return []string{source}
	}
	if !below(name, to) {
		return nil
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(name, to), "/")
	out := []string{path.Join(source, rest)}
	if ok, err := path.Match(path.Base(source), rest); ok && err == nil {
		out = append(out, path.Join(path.Dir(source), rest))
	}
	return out
}

// repoFile reads a text file of the repository; nil where there is none. That it
// cannot be read is no problem of the app's.
func (a *App) repoFile(name string) *TextFile {
	if data, ok := a.sources[name]; ok {
		return &TextFile{name, data}
	}
	if a.read == nil || name == "" || !fs.ValidPath(name) {
		return nil
	}
	data, err := a.read(name)
	if err != nil {
		return nil
	}
	a.sources[name] = data
	return &TextFile{name, data}
}
