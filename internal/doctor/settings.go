package doctor

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/flysql/flysql/flyconf"
)

// bootSettings are those of flysql-entrypoint that rules ask for.
type bootSettings struct {
	grace, handoff time.Duration // handoff: 0 where it is off
	fence          bool
	migrateFrom    string // who migrates in a cluster
	migrations     bool   // it applies migration files
	importFrom     string // FLYSQL_LITEFS_IMPORT
	neverPrimary   bool   // FLYSQL_LITEFS_CANDIDATE is off
}

// settings are what flysql-entrypoint boots the app's machines with; false where it
// does not, or where the files do not say, or it would refuse them.
func (c *checker) settings() (bootSettings, bool) {
	args, ok := c.bootArgs()
	if !ok {
		return bootSettings{}, false
	}
	var environ []string
	for _, v := range c.env() {
		switch {
		case !isSetting(v.name):
		case !v.known && (v.name == "FLYSQL_GRACE" || v.name == "FLYSQL_HANDOFF" || v.name == "FLYSQL_LITEFS" || v.name == "FLYSQL_MIGRATE_FROM"):
			return bootSettings{}, false
		case v.known:
			environ = append(environ, v.name+"="+v.value)
		default:
			environ = append(environ, v.name+"=unknown") // it is set
		}
	}
	return readSettings(args, environ)
}

// bootArgs are the words behind flysql-entrypoint on the machines with the database.
func (c *checker) bootArgs() ([]string, bool) {
	b := c.boot()
	if !b.flysql {
		return nil, false
	}
	args := slices.Clone(b.words[1:])
	if groups := c.liteFSGroups(); len(groups) > 0 {
		args = append(args, groups[0].command.words...)
	}
	return args, true
}

// bootFlag tells whether the image gives flysql-entrypoint a flag, which goes before
// the variable.
func (c *checker) bootFlag(name string) bool {
	return slices.ContainsFunc(c.boot().words, func(w string) bool {
		w, _, _ = strings.Cut(strings.TrimLeft(w, "-"), "=")
		return w == name
	})
}

func isSetting(name string) bool { return strings.HasPrefix(name, "FLYSQL_") }

// bootsLiteFS tells whether flysql-entrypoint starts LiteFS.
func (c *checker) bootsLiteFS() bool { return c.boot().flysql && c.liteFS() != nil && c.startsLiteFS() }

// appVariables are those that flysql's packages read in the app: what the entrypoint
// tells it, and package replay's own.
func appVariables() []string {
	return append(outputNames(), "FLYSQL_REPLAY_KEY", "FLYSQL_REPLAY_PEERS")
}

// checkSettingNames: FLY107.
func checkSettingNames(c *checker) {
	names := settingNames()
	if !c.boot().flysql || len(names) == 0 {
		return
	}
	var short []string
	for _, n := range append(slices.Clone(names), appVariables()...) {
		short = append(short, strings.TrimPrefix(n, "FLYSQL_"))
	}
	for _, v := range c.env() {
		if !isSetting(v.name) || slices.Contains(names, v.name) || slices.Contains(appVariables(), v.name) {
			continue
		}
		f := c.report(c.inVariable(v), "flysql-entrypoint knows no variable %s: it does nothing", v.name)
		if near := flyconf.Nearest(strings.TrimPrefix(v.name, "FLYSQL_"), short); near != "" {
			f.hint("is FLYSQL_" + near + " meant?")
		} else {
			f.hint("flysql-entrypoint --help lists those that it knows")
		}
	}
}

// checkSettingValues: FLY108.
func checkSettingValues(c *checker) {
	if !c.boot().flysql {
		return
	}
	var all []string
	refused := false
	for _, v := range c.env() {
		if !isSetting(v.name) || !v.known || v.value == "" || v.name == "FLYSQL_DB" { // FLY301 and FLY302 are about that
			continue
		}
		one := v.name + "=" + v.value
		all = append(all, one)
		for _, why := range refusals([]string{one}) {
			if !strings.Contains(why, v.name) {
				why = v.name + ": " + why
			}
			c.report(c.inVariable(v), "flysql-entrypoint refuses it, and does not start the app: %s", why)
			refused = true
		}
	}
	if refused {
		return
	}
	for _, why := range refusals(all) { // of several together
		f := (*Finding)(nil)
		for _, v := range c.env() {
			switch named := slices.Contains(strings.FieldsFunc(why, notOfName), v.name); {
			case named && f == nil:
				f = c.report(c.inVariable(v), "flysql-entrypoint refuses it, and does not start the app: %s", why)
			case named:
				f.also(c.inVariable(v), "set too")
			}
		}
	}
}

func notOfName(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') }

// checkLiteFSAlone: FLY109.
func checkLiteFSAlone(c *checker) {
	b := c.boot()
	if c.Docker == nil || c.LiteFS == nil || len(c.LiteFS.Config.Exec) > 0 || b.shell || slices.Contains(b.words, "-config") {
		return
	}
	cmd, behind := b.command, c.Docker.Image.Cmd != nil
	switch {
	case b.litefs:
	case len(b.words) == 0 && len(c.groups()) == 1 && isLiteFSMount(c.groups()[0].command.words):
		cmd, behind = c.groups()[0].command, false
	default:
		return
	}
	for _, g := range c.groups() {
		behind = behind || b.litefs && strings.HasPrefix(g.command.key, "processes.")
	}
	if i := slices.Index(cmd.words, "--"); behind || i >= 0 && i+1 < len(cmd.words) {
		return // FLY105 may be about it
	}
	c.report(c.inCommand(cmd), "litefs mount is the whole command, and %s has no exec: LiteFS starts, and the app does not", c.LiteFS.Name).
		hint("end it in \"--\" and the app's command, or have exec in " + c.LiteFS.Name + " start the app")
}

// isLiteFSMount tells whether a command is litefs mount.
func isLiteFSMount(words []string) bool {
	words = unwrapped(words)
	return len(words) > 1 && path.Base(words[0]) == "litefs" && words[1] == "mount"
}
