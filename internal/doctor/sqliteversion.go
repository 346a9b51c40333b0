package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// sqliteDrivers are modules that carry SQLite, with the first version that has
// 3.51.3, as their change logs and sources say.
var sqliteDrivers = []struct {
	module, since string
	imports       []string // what an app that uses it imports
}{
	{"modernc.org/sqlite", "v1.46.2", []string{"modernc.org/sqlite", "github.com/glebarez/", "zombiezen.com/go/sqlite", "github.com/flysql/flysql/appdb"}},
	{"github.com/mattn/go-sqlite3", "v1.14.36", []string{"github.com/mattn/go-sqlite3", "gorm.io/driver/sqlite"}},
}

// systemSQLite are the versions that releases of distributions have.
var systemSQLite = []struct {
	base    *regexp.Regexp
	version string
}{
	{regexp.MustCompile(`bullseye|debian:11`), "3.34.1"},
	{regexp.MustCompile(`bookworm|debian:12`), "3.40.1"},
	{regexp.MustCompile(`trixie|debian:13`), "3.46.1"},
	{regexp.MustCompile(`ubuntu:(22\.04|jammy)`), "3.37.2"},
	{regexp.MustCompile(`ubuntu:(24\.04|noble)`), "3.45.1"},
}

const fixedSQLite = "3.51.3"

// checkSQLite reports an SQLite before 3.51.3.
func checkSQLite(c *checker) {
	c.checkDriver()
	c.checkSystemSQLite()
}

// checkDriver goes by go.mod, where it is known that an app uses the module.
func (c *checker) checkDriver() {
	mod := c.repoFile("go.mod")
	if mod == nil || c.Facts == nil {
		return
	}
	parsed, err := modfile.Parse("go.mod", mod.Data, nil)
	if err != nil {
		return // FLY001 is about it
	}
	for _, driver := range sqliteDrivers {
		if slices.ContainsFunc(parsed.Replace, func(r *modfile.Replace) bool { return r.Old.Path == driver.module }) || !c.imports(driver.imports) {
			continue
		}
		for _, r := range parsed.Require {
			if r.Mod.Path != driver.module || !semver.IsValid(r.Mod.Version) || semver.Compare(r.Mod.Version, driver.since) >= 0 {
				continue
			}
			c.report(c.at("go.mod", r.Syntax.Start.Line, r.Syntax.Start.LineRune, ""), "%s %s has an SQLite before %s, which can corrupt a database in WAL mode", r.Mod.Path, r.Mod.Version, fixedSQLite).
				hint(fmt.Sprintf("go get %s@%s, or a newer one", r.Mod.Path, driver.since))
		}
	}
}

// imports tells whether an app opens SQLite by one of the packages.
func (c *checker) imports(packages []string) bool {
	for _, m := range c.Facts.Mains {
		for _, p := range packages {
			if m.Driver == strings.TrimSuffix(p, "/") || strings.HasPrefix(m.Driver, strings.TrimSuffix(p, "/")+"/") {
				return true
			}
		}
	}
	return false
}

// checkSystemSQLite goes by the packages of the image, where something uses them:
// the library, or the program in a script.
func (c *checker) checkSystemSQLite() {
	if c.Docker == nil || !c.Docker.Image.Base.Known {
		return
	}
	version := ""
	for _, s := range systemSQLite {
		if s.base.MatchString(c.Docker.Image.Base.Value) {
			version = s.version
		}
	}
	if version == "" || c.Facts != nil && len(c.Facts.Mains) > 0 && !c.runsSQLite() {
		return // a Go program brings its own
	}
	for _, p := range c.Docker.Image.Packages {
		if slices.Contains([]string{"libsqlite3-0", "libsqlite3-dev"}, p.Value) || p.Value == "sqlite3" && c.runsSQLite() {
			c.report(c.inDocker(p.Instruction), "%s of %s is SQLite %s, and before %s a database in WAL mode can be corrupted", p.Value, c.Docker.Image.Base.Value, version, fixedSQLite).
				hint("let the app bring an SQLite of its own (most languages' drivers do), and use that for scripts too")
			return
		}
	}
}

var runsSQLite = regexp.MustCompile(`\bsqlite3\b`)

// runsSQLite tells whether a command or a script runs the program sqlite3.
func (c *checker) runsSQLite() bool {
	b := c.boot()
	if b.script != nil && runsSQLite.Match(b.script.Data) {
		return true
	}
	for _, g := range c.groups() {
		for _, cmd := range c.commands(g) {
			if runsSQLite.MatchString(cmd.text) {
				return true
			}
		}
	}
	return false
}

// checkGoLine reports a go.mod without a go line.
func checkGoLine(c *checker) {
	mod := c.repoFile("go.mod")
	if mod == nil {
		return
	}
	parsed, err := modfile.ParseLax("go.mod", mod.Data, nil)
	if err != nil || parsed.Module == nil || parsed.Go != nil {
		return
	}
	at := parsed.Module.Syntax.Start
	c.report(c.at("go.mod", at.Line, at.LineRune, ""), "go.mod names no version of Go").
		hint("go mod edit -go=1.25, or the version that the app is built with")
}
