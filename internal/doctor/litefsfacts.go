package doctor

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// runsLiteFS tells whether the app's machines run LiteFS. A litefs.yml that an image
// has nothing to do with is only left over.
func (a *App) runsLiteFS() bool {
	return a.usesLiteFS() && (a.Docker == nil || a.hasLiteFS())
}

var (
	// litefsText tells of LiteFS itself: where it is fetched from, its program, its
	// configuration. A directory that is called so is none of them.
	litefsText = regexp.MustCompile(`\b(flyio|superfly)/litefs\b|\bbin/litefs\b|\blitefs\.ya?ml\b|\blitefs-v?\d|\blitefs[\s"',]+(mount|run|export|import|version)\b|\b(add|install)\b[^;&|\n]*\slitefs\b`)
	// litefsStage is a stage, or an image, that is called so.
	litefsStage = regexp.MustCompile(`^--from=(\S*/)?[a-z0-9_.-]*litefs`)
)

// hasLiteFS tells whether the image has LiteFS, by what builds and starts it.
func (a *App) hasLiteFS() bool {
	if a.Docker != nil && slices.ContainsFunc(a.Docker.Instructions(), putsLiteFS) {
		return true
	}
	for _, g := range a.groups() {
		if litefsText.MatchString(g.command.text) {
			return true
		}
	}
	b := a.boot()
	return b.litefs || litefsText.MatchString(b.command.text) || b.script != nil && litefsText.Match(b.script.Data)
}

// putsLiteFS tells whether an instruction puts LiteFS into a stage, or starts it.
func putsLiteFS(in flyconf.Instruction) bool {
	text := textOf(in)
	switch in.Name {
	case "FROM":
		return strings.Contains(text, "litefs")
	case "COPY", "ADD":
		if slices.ContainsFunc(in.Flags, litefsStage.MatchString) {
			return true
		}
		words := in.Words() // the last one is where it goes, which may be a directory
		if n := len(words) - 1; n > 0 && slices.ContainsFunc(words[:n], func(w string) bool { return path.Base(w) == "litefs" }) {
			return true
		}
	case "RUN", "ENTRYPOINT", "CMD":
	default:
		return false
	}
	return litefsText.MatchString(text)
}

// liteFS is litefs.yml as a machine in the primary region reads it: with the
// variables of fly.toml and the image in place. It is nil where the app does not run
// LiteFS.
func (a *App) liteFS() *flyconf.LiteFS {
	if a.LiteFS == nil || !a.runsLiteFS() {
		return nil
	}
	if a.memo.liteFS == nil {
		config, err := flyconf.ParseLiteFS(a.LiteFS.Name, a.LiteFS.Data, a.machineVariable)
		if config == nil || err != nil {
			config = a.LiteFS.Config
		}
		a.memo.liteFS = config
	}
	return a.memo.liteFS
}

// machineVariable is a variable as a machine in the primary region has it, where
// the files say what it is.
func (a *App) machineVariable(name string) (string, bool) {
	if a.Fly != nil {
		switch name {
		case "FLY_REGION", "PRIMARY_REGION":
			if a.Fly.PrimaryRegion != "" || name == "FLY_REGION" {
				return a.Fly.PrimaryRegion, a.Fly.PrimaryRegion != ""
			}
		case "FLY_APP_NAME":
			return a.Fly.App, a.Fly.App != ""
		}
	}
	v, ok := a.variable(name)
	return v.value, ok && v.known && !secretName.MatchString(name) // a message may show what it is part of
}

// written is a value of litefs.yml as it is written, with its variables.
func (a *App) written(key string) (string, bool) {
	d, err := flyconf.ParseLiteFSDocument(a.LiteFS.Name, a.LiteFS.Data)
	if err != nil {
		return "", false
	}
	return d.Get(key)
}

// setLiteFS is the repair that sets a key of litefs.yml.
func setLiteFS(key string, value any) func(*Files) error {
	return func(f *Files) error {
		d, err := f.LiteFS()
		if err != nil {
			return err
		}
		return d.Set(key, value)
	}
}

// liteFSGroups are the process groups whose machines run LiteFS: those that have a
// volume, where any has.
func (a *App) liteFSGroups() []group {
	groups := a.groups()
	with := slices.DeleteFunc(slices.Clone(groups), func(g group) bool { return g.mount < 0 })
	if len(with) > 0 {
		return with
	}
	return groups
}

// mustNotStop tells whether a machine of the service that is stopped can come back
// and take an old database for the newest: see FLY401.
func (c *checker) mustNotStop(s service) bool {
	config := c.liteFS()
	return config != nil && config.Lease.Type == "consul" && s.serves(c.liteFSGroups())
}

// allCommands lists what a group's machines run: what LiteFS starts is among it
// wherever LiteFS runs.
func (a *App) allCommands(g group) []command {
	list := a.commands(g)
	if a.LiteFS != nil && a.runsLiteFS() && !a.boot().litefs {
		for i, e := range a.LiteFS.Config.Exec {
			cmd := commandOf(e.Cmd)
			cmd.lite = "exec"
			if key := "exec[" + itoa(i) + "].cmd"; a.LiteFS.Config.Has(key) {
				cmd.lite = key
			}
			list = append(list, cmd)
		}
	}
	return list
}

// litestreamCommand is the command that has Litestream run beside the app, and where
// it stands.
func (c *checker) litestreamCommand() (command, Place, bool) {
	for _, g := range c.groups() {
		for _, cmd := range c.allCommands(g) {
			if replicates(cmd.words) {
				return cmd, c.inCommand(cmd), true
			}
		}
	}
	b := c.boot()
	if b.script == nil {
		return command{}, Place{}, false
	}
	number := 0
	for line := range strings.Lines(string(b.script.Data)) {
		number++
		line = strings.TrimSpace(line)
		if words := strings.Fields(line); !strings.HasPrefix(line, "#") && replicates(words) {
			return command{text: line, words: words}, c.at(b.script.Name, number, 1, ""), true
		}
	}
	return command{}, Place{}, false
}

// replicates looks for litestream replicate among words, one of which may be a
// command by itself.
func replicates(words []string) bool {
	for i, w := range words {
		if strings.Contains(w, " ") && replicates(strings.Fields(w)) {
			return true
		}
		if path.Base(w) == "litestream" && slices.Contains(words[i+1:], "replicate") {
			return true
		}
	}
	return false
}

// portOf is the port of an address; 0 where it has none.
func portOf(addr string) int {
	_, after, _ := cutLast(addr, ":")
	n := 0
	for _, r := range after {
		if r < '0' || r > '9' || n > 65535 {
			return 0
		}
		n = n*10 + int(r-'0')
	}
	return n
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// apiPort is the port of LiteFS's API; 0 where it is not known.
func apiPort(config *flyconf.LiteFS) int {
	if !config.Resolved("http.addr") {
		return 0
	}
	return cmp.Or(portOf(config.HTTP.Addr), 20202)
}
