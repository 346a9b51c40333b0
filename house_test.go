package flysql_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/flysql/flysql"

// floors is the house of docs/ARCHITECTURE.md: a package imports only packages
// on lower floors. A package that is missing here has no place in the house yet.
var floors = map[string]int{
	"":                           0, // the module's own source, embedded
	"flyconf":                    0,
	"engine":                     0,
	"litefs":                     1,
	"replay":                     2,
	"internal/migrate":           1,
	"internal/lease":             1,
	"internal/flyapi":            1,
	"internal/fleet":             2,
	"internal/nodestatus":        0,
	"internal/testkit":           2,
	"internal/flyapi/fakefly":    2,
	"appdb":                      1,
	"appdb/appdbtest":            2,
	"entrypoint":                 2,
	"internal/scaffold":          2,
	"internal/doctor":            3,
	"cmd/flysql":                 6,
	"internal/dev":               4,
	"internal/dev/page":          5,
	"internal/dev/page/pagetest": 5,
	"internal/dev/watch":         0,
	"flydev":                     5,
	"internal/load":              1,
	"cmd/flysql-entrypoint":      4,
	"examples/guestbook":         4,
	"examples/from-postgres":     4,
	"internal/sqlitefile":        0,
	"internal/inspect":           3,
	"internal/pgfunc":            0,
	"internal/globe":             0,
	"internal/move":              2,
	"internal/move/convert":      0,
	"internal/move/pgexpr":       1,
	"internal/move/dump":         3,
	"internal/emulator/latency":  1,
	"internal/emulator/private":  1,
	"internal/emulator/edge":     2,
	"internal/emulator/cluster":  3,
	"internal/move/lite":         1,
	"internal/move/handover":     3,
	"internal/move/transfer":     3,
	"internal/move/follow":       4,
}

// forbidden says what a package must not draw in, however far down.
var forbidden = map[string][]string{
	// It reads other people's files; nothing it does needs a network.
	"flyconf": {"net", "net/http", "database/sql"},
	// Whoever takes an engine need not draw in how one is spoken to.
	"engine": {"net", "net/http", "database/sql", "log/slog"},
	// An app that follows its LiteFS node must not inherit a CLI's dependencies.
	"litefs": {"database/sql", "github.com/spf13/cobra", "gopkg.in/yaml.v3", "github.com/superfly/fly-go"},
	// The container's binary stays small. What it asks LiteFS and the lease server, it
	// asks by hand; crypto/tls is for a lease server's https.
	"cmd/flysql-entrypoint": {"net/http", "github.com/spf13/cobra", "github.com/superfly/fly-go"},
	"entrypoint":            {"net/http", "github.com/superfly/fly-go"},
	"appdb":                 {"net/http", "crypto/tls", "github.com/superfly/fly-go"},
	// What is made for tests is not in what users run.
	"cmd/flysql": {"testing", "net/http/httptest"},
	// Whoever wraps a handler gets no database driver and no CLI by it.
	"replay": {"database/sql", "github.com/spf13/cobra", "gopkg.in/yaml.v3", "modernc.org/sqlite", "github.com/superfly/fly-go"},
}

func TestImportsRunDownward(t *testing.T) {
	for _, line := range goList(t, "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...") {
		fields := strings.Fields(line)
		name := short(fields[0])
		floor, known := floors[name]
		if !known {
			t.Errorf("%s has no floor: give it one here and in docs/ARCHITECTURE.md", fields[0])
			continue
		}
		for _, imported := range fields[1:] {
			if imported != module && !strings.HasPrefix(imported, module+"/") {
				continue
			}
			if below, known := floors[short(imported)]; known && below >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports run downward only", name, floor, short(imported), below)
			}
		}
	}
}

func TestForbiddenImports(t *testing.T) {
	for name, no := range forbidden {
		deps := goList(t, "-deps", "./"+name)
		for _, dep := range no {
			if slices.ContainsFunc(deps, func(d string) bool { return d == dep || strings.HasPrefix(d, dep+"/") && strings.Contains(dep, ".") }) {
				t.Errorf("%s draws in %s", name, dep)
			}
		}
	}
}

// What an app draws in by its middleware: nothing but the standard library, what is
// written here, and Fly's own package for the HALT lock.
func TestFewDependencies(t *testing.T) {
	allowed := []string{module + "/engine", module + "/litefs", module + "/replay", "github.com/superfly/litefs-go"}
	for _, name := range []string{"engine", "litefs", "replay"} {
		for _, dep := range goList(t, "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./"+name) {
			if dep != "" && !slices.Contains(allowed, dep) {
				t.Errorf("%s draws in %s", name, dep)
			}
		}
	}
}

func short(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
