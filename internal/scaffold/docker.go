package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/flysql/flysql/flyconf"
)

// writtenMark is in the first lines of the Dockerfile and .dockerignore that init
// writes. A file without it is the user's.
const writtenMark = "Written by flysql init"

// Docker is what the repository's own Dockerfile says about its last stage, which
// is the image.
type Docker struct {
	Written bool   // by flysql init
	Ready   bool   // flysql-entrypoint starts the app already
	Command string // what is run, as the file has it; empty where it has neither ENTRYPOINT nor CMD
	User    string // of the last USER; empty for root and where there is none
	Port    int    // the one that is exposed; 0 for none or several
	Place   string // where the port is, "Dockerfile:12"

	Env    map[string]string // that is known
	LiteFS bool              // it has LiteFS
	Config string            // what is copied to where LiteFS looks for its configuration
	// Mounts: litefs mount starts the app, Mounted where it says which.
	Mounts  bool
	Mounted []string
}

// readDocker looks at the Dockerfile, if there is one.
func readDocker(root *os.Root, name string) (*Docker, error) {
	data, err := readSmall(root, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, errTooLarge), errors.Is(err, errBinary):
		return nil, fmt.Errorf("the Dockerfile, %s, %w", name, err)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	file, err := flyconf.ParseDockerfile(name, data)
	if err != nil {
		return nil, shown(err, data)
	}
	image := file.Final().Image(nil)
	d := &Docker{Written: byInit(data), Ready: ready(image), User: appUser(image)}
	d.Command = commandOf(image)
	d.Env = map[string]string{}
	for _, s := range image.Env {
		if s.Known {
			d.Env[s.Name] = s.Value
		}
	}
	d.readLiteFS(image)
	d.Port, d.Place = exposed(file, name)
	return d, nil
}

// fileError is what is wrong in a file, with the lines that it is about.
type fileError struct {
	err  error
	text string
}

func (e *fileError) Error() string { return e.text }
func (e *fileError) Unwrap() error { return e.err }

// shown adds to each problem of a file the line that it is about.
func shown(err error, data []byte) error {
	var list []string
	for _, p := range flyconf.Problems(err) {
		list = append(list, p.Error()+"\n"+p.Excerpt(data))
	}
	if len(list) == 0 {
		return err
	}
	return &fileError{err, strings.TrimRight(strings.Join(list, ""), "\n")}
}

// commandOf is what an image runs, for people.
func commandOf(image *flyconf.Image) string {
	var command []string
	for _, in := range []*flyconf.Instruction{image.Entrypoint, image.Cmd} {
		switch {
		case in == nil:
		case in.Exec == nil: // a shell takes no arguments
			return strings.Join(append(command, in.Args), " ")
		default:
			command = append(command, in.Exec...)
		}
	}
	return strings.Join(command, " ")
}

// readLiteFS looks for LiteFS in an image.
func (d *Docker) readLiteFS(image *flyconf.Image) {
	words, err := shellquote.Split(d.Command)
	if err == nil && len(words) > 0 && words[0] == "exec" {
		words = words[1:]
	}
	if err == nil && len(words) > 1 && path.Base(words[0]) == "litefs" && words[1] == "mount" {
		d.Mounts = true
		if i := slices.Index(words, "--"); i >= 0 {
			d.Mounted = words[i+1:]
		}
	}
	for _, c := range image.Copies {
		if c.From == "" && target(c) == litefsConfig && len(c.Sources) == 1 {
			if name := path.Clean(c.Sources[0].Value); plainPath.MatchString(name) && inside(name) {
				d.Config = name
			}
		}
	}
	d.LiteFS = d.Mounts || slices.ContainsFunc(image.Copies, func(c flyconf.Copy) bool {
		return path.Base(target(c)) == "litefs" && c.From != ""
	})
}

// exposed is the one port that the last stage exposes.
func exposed(file *flyconf.Dockerfile, name string) (port int, place string) {
	image := file.Final().Image(nil)
	if len(image.Ports) != 1 || !image.Ports[0].Known {
		return 0, ""
	}
	number, protocol, _ := strings.Cut(image.Ports[0].Value, "/")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 65535 || protocol != "" && protocol != "tcp" {
		return 0, ""
	}
	return n, fmt.Sprintf("%s:%d", name, image.Ports[0].Instruction.Line)
}

// ready tells whether an image starts by flysql-entrypoint.
func ready(image *flyconf.Image) bool {
	in := image.Entrypoint
	return in != nil && len(in.Exec) > 0 && path.Base(in.Exec[0]) == "flysql-entrypoint"
}

// appUser is what FLYSQL_USER is to be, for an image with a USER line: it takes a
// name, or numbers. It is empty for root.
func appUser(image *flyconf.Image) string {
	if image.User == nil {
		return ""
	}
	user := image.User.Instruction.Args // as written: a variable of the build is one of the image's ENV too
	if image.User.Known {
		user = image.User.Value
	}
	name, group, _ := strings.Cut(user, ":")
	if name == "root" || name == "0" || strings.ContainsAny(user, " \t\"'") {
		return ""
	}
	if group != "" && (number(name) && number(group) || strings.Contains(user, "$")) {
		return user
	}
	return name
}

func number(s string) bool {
	_, err := strconv.ParseUint(s, 10, 31)
	return err == nil
}

// byInit tells whether init wrote a Dockerfile or .dockerignore.
func byInit(data []byte) bool {
	head := string(data[:min(len(data), 400)])
	return strings.Contains(head, writtenMark)
}

// lineEnd is how the text ends its lines.
func lineEnd(text string) string {
	if i := strings.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// portOf is the port of an address such as ":8080"; 0 where it has none.
func portOf(addr string) int {
	n, err := strconv.Atoi(addr[strings.LastIndexByte(addr, ':')+1:])
	if err != nil || n < 1 || n > 65535 {
		return 0
	}
	return n
}
