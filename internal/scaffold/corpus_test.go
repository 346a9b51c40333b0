package scaffold

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// wanted is the file of an archive that holds what Detect finds in the others.
const wanted = "want"

// TestCorpus looks at repositories in the shapes of real apps. Each archive says in
// its first lines what is special about it, and in its last file what is found.
func TestCorpus(t *testing.T) {
	names, err := filepath.Glob("testdata/repos/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 40 {
		t.Errorf("there are only %d repositories", len(names))
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want, files := "", archive.Files[:0:0]
			for _, f := range archive.Files {
				if f.Name == wanted {
					want = string(f.Data)
					continue
				}
				files = append(files, f)
			}
			dir := filepath.Join(t.TempDir(), "app") // the name of an app without a module
			if err := txtar.Write(&txtar.Archive{Files: files}, dir); err != nil {
				t.Fatal(err)
			}
			got := describe(t, detect(t, dir))
			if *update {
				archive.Files = append(files, txtar.File{Name: wanted, Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got; -update rewrites it):\n%s", diff)
			}
		})
	}
}

// describe writes down what was found, in a line each, and what fly.toml would tell
// the app about its database.
func describe(t *testing.T, f *Facts) string {
	t.Helper()
	var b strings.Builder
	line := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(&b, "%-12s%s\n", name, text)
		}
	}
	if f.Module != "" {
		line("module", "%s, go %s", f.Module, cmp.Or(f.GoVersion, "unknown"))
	}
	mains := f.Mains
	if f.Foreign != nil {
		mains = []Main{*f.Foreign}
	}
	if len(mains) == 0 {
		line("programs", "none")
	}
	for _, m := range mains {
		b.WriteString("\n")
		if f.Foreign == nil {
			line("program", "%s", m.Package())
			line("driver", "%s", cmp.Or(m.Driver, "none"))
			line("cgo", "%v", m.Cgo)
		} else {
			line("framework", "%s", cmp.Or(m.Framework, "none"))
			line("command", "%s", f.Docker.Command)
			line("user", "%s", f.Docker.User)
		}
		line("port", "%d: %s", m.Port, cmp.Or(m.PortReason, "assumed"))
		line("port in", "%s", strings.Join(m.PortVars, ", "))
		if m.Loopback {
			line("loopback", "yes")
		}
		line("health", "%s", m.Health)
		for _, dir := range m.Migrations {
			line("migrations", "%s (%s)", dir, f.Tools[dir])
		}
		line("migrates", "%s", m.Migrates)

		a := defaults()
		a.App, a.Main, a.Migrations = "app", m.Package(), NoMigrations
		if f.Foreign != nil {
			a.Main = ""
		}
		a, err := f.Complete(a)
		if err != nil {
			t.Fatal(err)
		}
		line("database", "%s", m.describeDatabase(a))
		line("sets", "%s=%s", m.Database.variable(), m.Database.value(a.DB))
		for _, note := range slices.Concat(m.Database.notes(a, m), m.Notes) {
			line("note", "%s", note)
		}
	}
	return b.String()
}
