package scaffold

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// DefaultPort is assumed where the code does not say what the app listens on,
// or leaves it to PORT. It is flyctl's default too.
const DefaultPort = 8080

// Detect looks at the app in dir: a Go module, or anything that has a Dockerfile.
// It reads go.mod, go.work, the Dockerfile, and the Go and SQL files as far as they are text of a usual size; it follows no link out
// of dir and runs nothing.
func Detect(ctx context.Context, dir string) (*Facts, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("look at the repository: %w", err)
	}
	defer root.Close() // it was only read

	f := &Facts{Dir: abs}
	f.Fly = readFly(root)
	f.Litestream = present(root, litestreamFiles)
	// What is wrong with the Dockerfile matters only where there is nothing else
	// to go by; Compare looks at it too.
	var dockerErr error
	f.Docker, dockerErr = readDocker(root, f.dockerPath())
	f.LiteFS = readLiteFS(root, f.Docker, f.machineEnv)
	requires, err := f.readModule(root)
	if errors.Is(err, errNoModule) && dockerErr != nil {
		return nil, dockerErr
	}
	if err != nil {
		return nil, err
	}
	f.App = cmp.Or(appNameFrom(f.moduleName()), appNameFrom(filepath.Base(abs)), "app")

	packages := map[string]*goPackage{}
	migrations := map[string]string{} // directory: tool
	var scripts []string              // SQL
	build := buildContext(root)
	f.Truncated, err = walk(root, maxEntries, func(name string) {
		if ctx.Err() != nil {
			return
		}
		switch dir := path.Dir(name); path.Ext(name) {
		case ".go":
			readGo(root, build, name, packages)
		case ".sql":
			if len(scripts) < maxScripts {
				scripts = append(scripts, name)
			}
			if migrations[dir] == "" && plainPath.MatchString(dir) {
				if tool := migrationTool(root, name); tool != "" {
					migrations[dir] = tool
				}
			}
		}
	})
	if err := cmp.Or(context.Cause(ctx), err); err != nil {
		return nil, fmt.Errorf("look at the repository: %w", err)
	}

	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		// A directory that is no import path cannot be built by its path.
		if packages[dir].main && module.CheckImportPath(path.Join(f.Module, dir)) == nil {
			f.Mains = append(f.Mains, Main{Dir: dir, Binary: f.binary(dir)})
		}
	}
	sortMains(f.Mains)
	dirs := slices.Sorted(maps.Keys(migrations))
	if len(migrations) > 0 {
		f.Tools = migrations
	}
	f.Migrations = slices.DeleteFunc(scripts, func(name string) bool {
		return migrations[path.Dir(name)] == "" && !migrationsDir.MatchString(path.Dir(name)) || serverName.MatchString(path.Dir(name))
	})
	for i := range f.Mains {
		m := &f.Mains[i]
		m.read(closure(m.Dir, f.Module, packages), requires)
		m.Migrations = migrationsFor(m.Dir, dirs, f.Mains)
	}
	if len(f.Mains) == 0 && f.Docker != nil && !f.Docker.Written {
		f.readForeign(root)
		f.Foreign.Migrations = migrationsFor(".", dirs, nil)
	}
	return f, nil
}

// moduleName is the module's own name; empty where there is no module.
func (f *Facts) moduleName() string {
	if f.Module == "" {
		return ""
	}
	return moduleBase(f.Module)
}

// binary is the name that the go command gives the program.
func (f *Facts) binary(dir string) string {
	if dir == "." {
		return moduleBase(f.Module)
	}
	return moduleBase(path.Join(f.Module, dir))
}

// closure is a package and those of the same module that it imports, however
// indirectly, in the order of their directories.
func closure(dir, modulePath string, packages map[string]*goPackage) []*goPackage {
	found := map[string]*goPackage{}
	queue := []string{dir}
	for len(queue) > 0 {
		dir := queue[0]
		queue = queue[1:]
		pkg := packages[dir]
		if pkg == nil || found[dir] != nil {
			continue
		}
		found[dir] = pkg
		for imported := range pkg.imports {
			if imported == modulePath {
				queue = append(queue, ".")
			} else if rel, ok := strings.CutPrefix(imported, modulePath+"/"); ok {
				queue = append(queue, rel)
			}
		}
	}
	var list []*goPackage
	for _, dir := range slices.Sorted(maps.Keys(found)) {
		list = append(list, found[dir])
	}
	return list
}

// read draws the conclusions from the app's packages and the modules that go.mod
// requires.
func (m *Main) read(packages []*goPackage, requires map[string]bool) {
	m.Cgo, m.CgoReason = needsCgo(packages, requires)
	code := joinCode(packages)
	l := code.port()
	m.Port, m.PortReason, m.Loopback, m.PortVars, m.Notes = l.port, l.reason, l.loopback, l.vars, l.notes
	m.ReadsPort = l.fromEnv
	m.Driver = driver(packages)
	m.Replay = routes(packages)
	if m.Database = code.findDatabase(); m.Driver == "" {
		if s := server(packages); s != "" {
			m.Database = Database{Server: s}
		}
	}
	m.Database.Path = m.Driver != "" && m.Driver != flysqlModule+"/appdb"
	if code.fts5 != "" && needsTags(m.CgoReason) {
		m.Notes = append(m.Notes, fts5Note(code.fts5))
	}
	m.Migrates = selfMigration(packages)
	m.PortPlace, m.ToHTTPS = portPlace(packages, code), redirects(packages)
	m.Health = "/"
	for _, route := range []string{"/healthz", "/health", "/up"} {
		if slices.ContainsFunc(packages, func(p *goPackage) bool { return p.health[route] }) {
			m.Health = route
			break
		}
	}
}

// cgoDrivers and pureDrivers are import paths, of packages or of what lies above
// them, that decide whether an app's SQLite is C code.
var (
	cgoDrivers = []string{
		"github.com/mattn/go-sqlite3",
		"github.com/mutecomm/go-sqlcipher",
		"github.com/tailscale/sqlite",
		"github.com/tursodatabase/go-libsql",
		"crawshaw.io/sqlite",
		// They import mattn/go-sqlite3:
		"gorm.io/driver/sqlite",
		"github.com/amacneil/dbmate/v2/pkg/driver/sqlite",
		"github.com/golang-migrate/migrate/v4/database/sqlite3",
	}
	pureDrivers = []string{
		flysqlModule + "/appdb",
		"modernc.org/sqlite",
		"github.com/ncruces/go-sqlite3",
		"zombiezen.com/go/sqlite",
		"github.com/glebarez/sqlite",
		"github.com/glebarez/go-sqlite",
		"github.com/uptrace/bun/driver/sqliteshim", // modernc.org/sqlite, on Linux
		"github.com/pocketbase/pocketbase",
	}
)

// needsCgo decides by what the app imports itself. Only where it imports no
// driver that is known here, perhaps by way of an ORM, go.mod decides: an image
// built with cgo runs either kind, one built without it not mattn/go-sqlite3.
func needsCgo(packages []*goPackage, requires map[string]bool) (bool, string) {
	imports := map[string]bool{}
	for _, p := range packages {
		maps.Copy(imports, p.imports)
	}
	sorted := slices.Sorted(maps.Keys(imports))
	for _, list := range [][]string{{"C"}, cgoDrivers} {
		if found := firstBelow(sorted, list); found != "" {
			return true, found
		}
	}
	if found := firstBelow(sorted, pureDrivers); found != "" {
		return false, found
	}
	if requires["github.com/mattn/go-sqlite3"] {
		return true, "github.com/mattn/go-sqlite3"
	}
	return false, ""
}

// driver is the import that opens SQLite: appdb where there are several, since
// it is what the app's own code calls.
func driver(packages []*goPackage) string {
	imports := map[string]bool{}
	for _, p := range packages {
		maps.Copy(imports, p.imports)
	}
	if appdb := flysqlModule + "/appdb"; imports[appdb] {
		return appdb
	}
	return firstBelow(slices.Sorted(maps.Keys(imports)), slices.Concat(cgoDrivers, pureDrivers))
}

// routes tells whether the app itself sends requests that write to the primary.
func routes(packages []*goPackage) bool {
	return slices.ContainsFunc(packages, func(p *goPackage) bool { return p.imports[flysqlModule+"/replay"] })
}

// firstBelow returns the first of paths that is one of parents or lies below it.
func firstBelow(paths, parents []string) string {
	for _, p := range paths {
		if slices.ContainsFunc(parents, func(parent string) bool { return within(p, parent) }) {
			return p
		}
	}
	return ""
}
