package scaffold

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
)

// migrateFunc names what goose, golang-migrate and dbmate call to migrate. It
// counts only in an app that imports one of them.
var migrateFunc = regexp.MustCompile(`^(Up|UpContext|UpTo|UpByOne|Migrate|CreateAndMigrate|RunMigrations?)$`)

// migrationLibraries by what their import paths begin with.
var migrationLibraries = []struct{ path, name string }{
	{"github.com/pressly/goose", "goose"},
	{"github.com/golang-migrate/migrate", "golang-migrate"},
	{"github.com/amacneil/dbmate", "dbmate"},
}

// readEmbeds notes go:embed lines for SQL files.
func (p *goFile) readEmbeds(file *ast.File) {
	for _, group := range file.Comments {
		for _, c := range group.List {
			patterns, ok := strings.CutPrefix(c.Text, "//go:embed ")
			if ok && (strings.Contains(patterns, ".sql") || strings.Contains(path.Base(strings.TrimSpace(patterns)), "migrations")) {
				p.embeds = append(p.embeds, p.place(c))
			}
		}
	}
}

// selfMigration says by what and where the app migrates by itself; empty where it
// does not.
func selfMigration(packages []*goPackage) string {
	library, call, embed := "", "", ""
	for _, p := range packages {
		for _, l := range migrationLibraries {
			for imported := range p.imports {
				if within(imported, l.path) {
					library = l.name
				}
			}
		}
		if len(p.migrates) > 0 && call == "" {
			call = p.migrates[0]
		}
		if len(p.embeds) > 0 && embed == "" {
			embed = p.embeds[0]
		}
	}
	switch {
	case library == "" || call == "":
		return ""
	case embed != "":
		return library + ", " + call + "; the files are embedded, " + embed
	}
	return library + ", " + call
}
