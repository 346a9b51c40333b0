package doctor

import (
	"bytes"
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/fleet"
	"github.com/flysql/flysql/internal/scaffold"
)

// What several rules ask of the app as a whole. All of it is read from the files;
// where they leave something open, the answer says so, and a rule does not judge.

// variable is an environment variable as a machine of the app has it. Secrets,
// which win over both files, are not known here.
type variable struct {
	name, value string
	known       bool                // false: the value depends on something that is not in the files
	docker      flyconf.Instruction // the ENV that sets it; its zero value: fly.toml does
}

// memo keeps what was read once.
type memo struct {
	env    []variable
	boot   *boot
	groups []group
	builds map[string]string // the package's directory, by the name of the program
	liteFS *flyconf.LiteFS

	databases []database
	looked    bool // databases has been filled
	document  *flyconf.Document
	lines     map[string][]string // of the sources

	differences []fleet.Cause
}

// maxGroups bounds the process groups that are looked at, far above any app's.
const maxGroups = 50

// env lists the variables by name: those of [env] of fly.toml win over those of the
// image.
func (a *App) env() []variable {
	if a.memo.env != nil {
		return a.memo.env
	}
	all := map[string]variable{}
	for _, v := range a.imageEnv() {
		all[v.name] = v
	}
	if a.Fly != nil {
		for name, value := range a.Fly.Env {
			all[name] = variable{name: name, value: value, known: true}
		}
	}
	a.memo.env = slices.SortedFunc(maps.Values(all), func(x, y variable) int { return cmp.Compare(x.name, y.name) })
	return a.memo.env
}

// imageEnv lists the variables of the image, in the order of the Dockerfile.
func (a *App) imageEnv() []variable {
	var out []variable
	if a.Docker != nil {
		for _, s := range a.Docker.Image.Env {
			out = append(out, variable{s.Name, s.Value, s.Known, s.Instruction})
		}
	}
	return out
}

// variable finds one by its name.
func (a *App) variable(name string) (variable, bool) {
	for _, v := range a.env() {
		if v.name == name {
			return v, true
		}
	}
	return variable{}, false
}

// inVariable is where a variable is set.
func (c *checker) inVariable(v variable) Place {
	if v.docker.Name != "" {
		return c.inDocker(v.docker)
	}
	return c.inFly("env." + v.name)
}

// group is a process group: machines that run one command, behind the ENTRYPOINT.
type group struct {
	name    string
	command command
	mount   int // its volume's index in Fly.Mounts; -1 where it has none
}

// command is something that is run, and where it is written.
type command struct {
	text  string
	words []string // as a shell splits them; nil where it cannot be split
	key   string   // in fly.toml; empty elsewhere
	lite  string   // in litefs.yml; empty elsewhere
	in    *flyconf.Instruction
}

func commandOf(text string) command {
	words, err := shellquote.Split(text)
	if err != nil {
		words = strings.Fields(text)
	}
	return command{text: text, words: words}
}

func (a *App) instructionCommand(in *flyconf.Instruction) command {
	if in == nil {
		return command{}
	}
	if in.Exec != nil {
		return command{text: shellquote.Join(in.Exec...), words: in.Exec, in: in}
	}
	c := commandOf(in.Args)
	c.in = in
	return c
}

// inCommand is where a command is written; the zero Place where it is nowhere.
func (c *checker) inCommand(cmd command) Place {
	switch {
	case cmd.key != "":
		return c.inFly(cmd.key)
	case cmd.lite != "":
		return c.inLiteFS(cmd.lite)
	case cmd.in != nil:
		return c.inDocker(*cmd.in)
	}
	return Place{}
}

// groups lists the process groups in order. [processes] replaces CMD.
func (a *App) groups() []group {
	if a.Fly == nil || a.memo.groups != nil {
		return a.memo.groups
	}
	names := a.Fly.Groups()
	var out []group
	for _, name := range names[:min(len(names), maxGroups)] {
		g := group{name: name, mount: a.mountOf(name)}
		switch e := a.Fly.Experimental; {
		case a.Fly.Processes[name] != "":
			g.command = commandOf(a.Fly.Processes[name])
			g.command.key = "processes." + name
		case e != nil && len(e.Exec) > 0:
			g.command = command{text: shellquote.Join(e.Exec...), words: e.Exec, key: "experimental.exec"}
		case e != nil && len(e.Cmd) > 0:
			g.command = command{text: shellquote.Join(e.Cmd...), words: e.Cmd, key: "experimental.cmd"}
		case a.Docker != nil:
			g.command = a.instructionCommand(a.Docker.Image.Cmd)
		}
		out = append(out, g)
	}
	a.memo.groups = out
	return out
}

// mountOf is the index of a group's mount; -1 where it has none.
func (a *App) mountOf(name string) int {
	for i, m := range a.Fly.Mounts {
		if slices.Contains(m.Processes, name) || len(m.Processes) == 0 && name == a.Fly.DefaultGroup() {
			return i
		}
	}
	return -1
}

// commands lists everything that a group's machines run, as far as it is written
// down: ENTRYPOINT, the group's command, and what LiteFS starts.
func (a *App) commands(g group) []command {
	list := []command{a.boot().command, g.command}
	if a.LiteFS != nil && a.boot().litefs {
		for i, e := range a.LiteFS.Config.Exec {
			cmd := commandOf(e.Cmd)
			cmd.lite = "exec"
			if key := "exec[" + itoa(i) + "].cmd"; a.LiteFS.Config.Has(key) {
				cmd.lite = key
			}
			list = append(list, cmd)
		}
	}
	return slices.DeleteFunc(list, func(c command) bool { return strings.TrimSpace(c.text) == "" })
}

// boot is how the image starts.
type boot struct {
	command command
	words   []string  // of the command, without what only reaps or forwards (tini)
	flysql  bool      // flysql-entrypoint starts the app
	litefs  bool      // litefs mount does
	shell   bool      // a shell takes it as text
	script  *TextFile // it is this script of the repository
	unknown bool      // no file says: nothing is built here
}

// wrappers are programs that only start another one.
var wrappers = []string{"tini", "dumb-init", "catatonit", "gosu", "su-exec", "setpriv", "doppler", "exec"}

func (a *App) boot() boot {
	if a.memo.boot == nil {
		b := a.readBoot()
		a.memo.boot = &b
	}
	return *a.memo.boot
}

func (a *App) readBoot() boot {
	b := boot{unknown: a.Docker == nil}
	switch e := a.experimental(); {
	case len(e.Exec) > 0:
		b = boot{command: command{text: shellquote.Join(e.Exec...), words: e.Exec, key: "experimental.exec"}}
	case len(e.Entrypoint) > 0:
		b = boot{command: command{text: shellquote.Join(e.Entrypoint...), words: e.Entrypoint, key: "experimental.entrypoint"}}
	case a.Docker != nil:
		in := a.Docker.Image.Entrypoint
		b.command = a.instructionCommand(in)
		b.shell = in != nil && in.Exec == nil && strings.TrimSpace(in.Args) != ""
	}
	b.words = unwrapped(b.command.words)
	if len(b.words) == 0 {
		return b
	}
	switch path.Base(b.words[0]) {
	case "flysql-entrypoint":
		b.flysql = true
	case "litefs":
		b.litefs = slices.Contains(b.words, "mount")
	default:
		b.script = a.script(b.words)
	}
	return b
}

func (a *App) experimental() flyconf.Experimental {
	if a.Fly == nil || a.Fly.Experimental == nil {
		return flyconf.Experimental{}
	}
	return *a.Fly.Experimental
}

// unwrapped leaves out what stands before the program that does the work.
func unwrapped(words []string) []string {
	for len(words) > 0 && slices.Contains(wrappers, path.Base(words[0])) {
		base := path.Base(words[0])
		if i := slices.Index(words, "--"); i > 0 {
			words = words[i+1:]
			continue
		}
		words = words[1:]
		for len(words) > 0 && strings.HasPrefix(words[0], "-") {
			words = words[1:]
		}
		if (base == "gosu" || base == "su-exec") && len(words) > 0 {
			words = words[1:] // the user
		}
	}
	return words
}

// program is the Go program, or the other app, that a group's machines run; nil
// where that is not to be seen.
func (a *App) program(g group) *scaffold.Main {
	if a.Facts == nil {
		return nil
	}
	if a.Facts.Foreign != nil {
		return a.Facts.Foreign
	}
	for _, cmd := range a.commands(g) {
		for _, word := range cmd.words {
			for _, part := range strings.Fields(word) { // -exec "app -flag" is one word
				if m := a.mainNamed(path.Base(part)); m != nil {
					return m
				}
			}
		}
	}
	// The one program that the image builds, or that a builder finds.
	if len(a.Facts.Mains) == 1 && a.Fly != nil && len(a.Fly.Groups()) == 1 && (a.Docker == nil || a.mentions("go build") || a.mentions("go install")) {
		return &a.Facts.Mains[0]
	}
	return nil
}

// mainNamed is the main package behind a program's name: what the Dockerfile builds
// under it, or else what the go command calls so.
func (a *App) mainNamed(name string) *scaffold.Main {
	dir, built := a.goBuilds()[name]
	for i := range a.Facts.Mains {
		if m := &a.Facts.Mains[i]; built && m.Dir == dir || !built && m.Binary == name {
			return m
		}
	}
	return nil
}

// goBuild is go build -o PROGRAM PACKAGE.
var goBuild = regexp.MustCompile(`\bgo build ([^&|;\n]*)`)

func (a *App) goBuilds() map[string]string {
	if a.memo.builds != nil || a.Docker == nil {
		return a.memo.builds
	}
	a.memo.builds = map[string]string{}
	for _, in := range a.Docker.Instructions() {
		text := in.Args
		for _, h := range in.Heredocs {
			text += "\n" + h.Content
		}
		for _, m := range goBuild.FindAllStringSubmatch(text, -1) {
			words := commandOf(m[1]).words
			program, dir := "", "."
			for i, w := range words {
				switch {
				case w == "-o" && i+1 < len(words):
					program = path.Base(words[i+1])
				case strings.HasPrefix(w, "-o="):
					program = path.Base(w[3:])
				case i == len(words)-1 && (w == "." || strings.HasPrefix(w, "./")):
					dir = path.Clean(w)
				}
			}
			if program != "" {
				a.memo.builds[program] = dir
			}
		}
	}
	return a.memo.builds
}

// usesLiteFS tells whether the app runs on LiteFS, or is meant to: litefs.yml is
// there, readable or not, or the image has LiteFS.
func (a *App) usesLiteFS() bool {
	if a.LiteFS != nil || a.boot().litefs {
		return true
	}
	for name := range a.sources {
		if slices.Contains(litefsNames, name) {
			return true
		}
	}
	return a.hasLiteFS()
}

// usesLitestream tells whether Litestream copies the database, as far as can be
// seen.
func (a *App) usesLitestream() bool { return a.Litestream != nil || a.mentions("litestream") }

// mentions looks for a tool's name in what says how the app is built and started.
func (a *App) mentions(tool string) bool {
	if a.Docker != nil {
		for _, in := range a.Docker.Instructions() {
			if strings.Contains(in.Args, tool) || slices.ContainsFunc(in.Flags, func(f string) bool { return strings.Contains(f, tool) }) ||
				slices.ContainsFunc(in.Heredocs, func(h flyconf.Heredoc) bool { return strings.Contains(h.Content, tool) }) {
				return true
			}
		}
	}
	for _, g := range a.groups() {
		if strings.Contains(g.command.text, tool) {
			return true
		}
	}
	b := a.boot()
	return strings.Contains(b.command.text, tool) || b.script != nil && bytes.Contains(b.script.Data, []byte(tool))
}

// below tells whether a clean path is a directory or in it.
func below(name, dir string) bool {
	dir = path.Clean(dir)
	return name == dir || dir == "/" || strings.HasPrefix(name, dir+"/")
}
