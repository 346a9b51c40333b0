package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

var (
	// migrating are commands that change a schema, by the tools that apps use.
	migrating = regexp.MustCompile(`(?i)migrat|\bgoose\b|\bdbmate\b|\bdb:(prepare|setup|schema|seed)|\bprisma\s+db\b|\bdrizzle-kit\b|\balembic\b|\bsqlite3\b|\batlas\s+schema\b`)
	// consoles are commands that a person opens a database with.
	consoles = regexp.MustCompile(`(?i)\bsqlite3\b|\blitecli\b|\brails\s+(c|console|dbconsole|db|runner)\b|\bmanage\.py\s+(shell|dbshell)|\bprisma\s+studio\b|\bartisan\s+tinker\b`)
	// otherClients are packages of the clients of other databases.
	otherClients = []string{"postgresql-client", "libpq5", "libpq-dev", "libpq", "default-mysql-client", "mysql-client", "mariadb-client", "libmariadb3"}
	sqliteThings = []string{"sqlite3", "sqlite", "sqlite-libs", "libsqlite3-0", "libsqlite3-dev", "sqlite-dev"}
)

// usesSQLite tells whether the app has an SQLite database, as far as can be seen:
// not every app with a volume does.
func (c *checker) usesSQLite() bool {
	if len(c.databases()) > 0 || c.usesLiteFS() || c.usesLitestream() {
		return true
	}
	if c.Facts != nil {
		for _, m := range c.Facts.Mains {
			if m.Driver != "" {
				return true
			}
		}
	}
	if c.Docker == nil {
		return false
	}
	has := func(names []string) bool {
		return slices.ContainsFunc(c.Docker.Image.Packages, func(s flyconf.Setting) bool { return slices.Contains(names, s.Value) })
	}
	return has(sqliteThings) && !has(otherClients)
}

// names tells whether a command names a database, or a place on a volume.
func (c *checker) namesDatabase(cmd command) bool {
	for _, d := range c.databases() {
		if containsPath(cmd.text, d.path) {
			return true
		}
	}
	for _, m := range c.Fly.Mounts {
		if dir := strings.TrimSuffix(m.Destination, "/"); strings.HasPrefix(dir, "/") && strings.Contains(cmd.text, dir+"/") {
			return true
		}
	}
	return false
}

// checkRelease reports a release_command, or seed_command, that touches a database.
func checkRelease(c *checker) {
	if c.Fly == nil || c.Fly.Deploy == nil || len(c.Fly.Mounts) == 0 {
		return
	}
	for _, r := range []struct{ key, text string }{
		{"release_command", c.Fly.Deploy.ReleaseCommand}, {"seed_command", c.Fly.Deploy.SeedCommand},
	} {
		cmd := commandOf(r.text)
		if len(cmd.words) == 0 {
			continue
		}
		script, line := c.migratingLine(c.script(unwrapped(cmd.words)))
		names := c.namesDatabase(cmd)
		if !names && !(migrating.MatchString(cmd.text) || line > 0) || !names && !c.usesSQLite() {
			continue
		}
		f := c.report(c.inFly("deploy."+r.key), "%s = %q runs on a machine that has no volume: it changes an empty database, and the one on the volume stays as it is", r.key, r.text)
		f.also(c.inFly("mounts[0]"), fmt.Sprintf("the volume, %s, is not there", c.Fly.Mounts[0].Destination))
		if line > 0 {
			f.also(c.at(script.Name, line, 1, ""), "what it runs")
		}
		c.mendRelease(f, r.key, r.text)
	}
}

// mendRelease says where the command belongs. There is one place for it where
// flysql-entrypoint boots the app.
func (c *checker) mendRelease(f *Finding, key, text string) {
	_, command := c.variable("FLYSQL_MIGRATE")
	_, directory := c.variable("FLYSQL_MIGRATIONS")
	switch {
	case !c.boot().flysql:
		f.hint("remove it, and run the command when the app boots, on the machine that has the volume: flysql init puts flysql-entrypoint into the image, which does that with FLYSQL_MIGRATE")
	case key != "release_command":
		f.hint("remove it, and fill the database from the app, or with fly ssh console")
	case command || directory:
		f.hint("remove it: flysql-entrypoint migrates at boot already")
		f.mend(func(files *Files) error { return removeRelease(files) })
	default:
		f.hint(fmt.Sprintf("remove it, and have flysql-entrypoint run it at boot: FLYSQL_MIGRATE = %q in [env]", text))
		f.mend(func(files *Files) error {
			fly, err := files.Fly()
			if err != nil {
				return err
			}
			if err := fly.Set("env.FLYSQL_MIGRATE", text); err != nil {
				return err
			}
			return removeRelease(files)
		})
	}
}

func removeRelease(files *Files) error {
	fly, err := files.Fly()
	if err != nil {
		return err
	}
	return fly.Remove("deploy.release_command")
}

// migratingLine is the first line of a script that changes a database; 0 where none
// does.
func (c *checker) migratingLine(script *TextFile) (*TextFile, int) {
	if script == nil {
		return nil, 0
	}
	number := 0
	for line := range strings.Lines(string(script.Data)) {
		number++
		if text := strings.TrimSpace(line); !strings.HasPrefix(text, "#") && !strings.HasPrefix(text, "echo ") && migrating.MatchString(text) {
			return script, number
		}
	}
	return script, 0
}

// checkEntrypoint reports an ENTRYPOINT that touches the database wherever it is
// started, where Fly starts it without a volume too.
func checkEntrypoint(c *checker) {
	if c.Fly == nil || len(c.Fly.Mounts) == 0 {
		return
	}
	if c.boot().litefs {
		c.checkLiteFSEverywhere()
		return
	}
	script := c.boot().script
	if script == nil || guarded(script.Data) {
		return
	}
	without := c.withoutVolume()
	_, line := c.migratingLine(script)
	if len(without) == 0 || line == 0 || !c.usesSQLite() {
		return
	}
	f := c.report(c.at(script.Name, line, 1, ""), "the image's ENTRYPOINT runs this on machines that have no volume too, for %s", without[0].what)
	for _, w := range without {
		f.also(c.inFly(w.key), "started by way of the ENTRYPOINT, without a volume")
	}
	f.hint(`begin the script with: if [ -n "$RELEASE_COMMAND$FLY_TEST_COMMAND" ]; then exec "$@"; fi`)
}

// checkLiteFSEverywhere reports LiteFS on machines that have no volume.
func (c *checker) checkLiteFSEverywhere() {
	without := c.withoutVolume()
	if len(without) == 0 {
		return
	}
	f := c.report(c.inCommand(c.boot().command), "the ENTRYPOINT starts LiteFS on machines that have no volume too, for %s: a node with an empty disk joins the cluster", without[0].what)
	if without[0].key == "console_command" {
		f.Severity = Warning // nothing but a person starts it
	}
	for _, w := range without {
		f.also(c.inFly(w.key), "started by way of the ENTRYPOINT, without a volume")
	}
	f.hint("let flysql-entrypoint start LiteFS, which it does not on these machines, or a script that looks at RELEASE_COMMAND and FLY_TEST_COMMAND first")
}

type withoutVolume struct{ key, what string }

// withoutVolume lists for what Fly starts machines that have no volume.
func (c *checker) withoutVolume() []withoutVolume {
	var out []withoutVolume
	add := func(there bool, key, what string) {
		if there {
			out = append(out, withoutVolume{key, what})
		}
	}
	if d := c.Fly.Deploy; d != nil {
		add(d.ReleaseCommand != "", "deploy.release_command", "the release_command")
		add(d.SeedCommand != "", "deploy.seed_command", "the seed_command")
	}
	add(len(c.Fly.MachineChecks) > 0, "machine_checks", "each of the machine_checks")
	if s := c.Fly.HTTPService; s != nil {
		add(len(s.MachineChecks) > 0, "http_service.machine_checks", "each of the machine_checks")
	}
	for i, s := range c.Fly.Services {
		add(len(s.MachineChecks) > 0, fmt.Sprintf("services[%d].machine_checks", i), "each of the machine_checks")
	}
	add(c.Fly.ConsoleCommand != "", "console_command", "the console_command")
	return out
}

// guarded tells whether a script looks at where it runs, or at what it is to run,
// before it does anything: at Fly's variables, its arguments, or the volume.
func guarded(script []byte) bool {
	for line := range strings.Lines(string(script)) {
		text := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(text, "#"):
		case placeTest.MatchString(text):
			return true
		case condition.MatchString(text) && argument.MatchString(text):
			return true
		}
	}
	return false
}

var (
	placeTest = regexp.MustCompile(`RELEASE_COMMAND|FLY_[A-Z]|FLYSQL_|\bmountpoint\b|/proc/(self/)?mount`)
	condition = regexp.MustCompile(`(^|[;&|\s])(if|elif|case|while|test|\[\[?)\s|&&|\|\|`)
	argument  = regexp.MustCompile(`\$[1-9@*#]|\$\{[1-9@*#]|\s-[dfes]\s`)
)

// checkConsole reports a console_command that opens the database.
func checkConsole(c *checker) {
	if c.Fly == nil || len(c.Fly.Mounts) == 0 || c.Fly.ConsoleCommand == "" {
		return
	}
	cmd := commandOf(c.Fly.ConsoleCommand)
	names := c.namesDatabase(cmd)
	if !names && !(consoles.MatchString(cmd.text) && c.usesSQLite()) {
		return
	}
	c.report(c.inFly("console_command"), "console_command = %q opens the database, and fly console starts a new machine that has no volume", c.Fly.ConsoleCommand).
		also(c.inFly("mounts[0]"), fmt.Sprintf("the volume, %s, is not there", c.Fly.Mounts[0].Destination)).
		hint(fmt.Sprintf("remove it, and open the console on the app's own machine: fly ssh console --pty -C %q", c.Fly.ConsoleCommand))
}
