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
	"":                      0, // the module's own source, embedded
	"flyconf":               0,
	"engine":                0,
	"litefs":                1,
	"replay":                2,
	"internal/migrate":      1,
	"internal/lease":        1,
	"internal/testkit":      2,
	"internal/pgfunc":       0,
	"internal/move":         2,
	"internal/move/convert": 0,
	"internal/move/dump":    3,
	"internal/move/pgexpr":  1,
	"appdb":                 1,
	"appdb/appdbtest":       2,
	"entrypoint":            2,
	"internal/scaffold":     2,
	"internal/doctor":       3,
	"cmd/flysql":            4,
	"cmd/flysql-entrypoint": 4,
	"examples/guestbook":    4,
}

// forbidden says what a package must not draw in, however far down.
var forbidden = map[string][]string{
	// It reads other people's files; nothing it does needs a network.
	"flyconf": {"net", "net/http", "database/sql"},
	// Whoever takes an engine need not draw in how one is spoken to.
	"engine": {"net", "net/http", "database/sql", "log/slog"},
	// An app that follows its LiteFS node must not inherit a CLI's dependencies.
	"litefs": {"database/sql", "github.com/spf13/cobra", "gopkg.in/yaml.v3"},
	// The container's binary stays small. What it asks LiteFS and the lease server, it
	// asks by hand; crypto/tls is for a lease server's https.
	"cmd/flysql-entrypoint": {"net/http", "github.com/spf13/cobra"},
	"entrypoint":            {"net/http"},
	"appdb":                 {"net/http", "crypto/tls"},
	// Whoever wraps a handler gets no database driver and no CLI by it.
	"replay": {"database/sql", "github.com/spf13/cobra", "gopkg.in/yaml.v3", "modernc.org/sqlite"},
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

func short(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
