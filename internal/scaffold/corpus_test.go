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
	eachRepo(t, func(t *testing.T, name, dir, want string, archive *txtar.Archive) {
		got := describe(t, detect(t, dir))
		if *update {
			archive.Files = append(archive.Files, txtar.File{Name: wanted, Data: []byte(got)})
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

// TestCorpusTwice sets up each of the repositories: what init writes is what it
// finds and leaves alone when it is run again.
func TestCorpusTwice(t *testing.T) {
	eachRepo(t, func(t *testing.T, _, dir, _ string, _ *txtar.Archive) {
		f := detect(t, dir)
		a := defaults()
		a.Migrations = NoMigrations
		if len(f.Mains) > 0 {
			a.Main = f.Mains[0].Package()
		}
		if err := compareWith(t, plan(t, dir, a, fakeFlysql("v1.0.0"))).Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		if err := compareWith(t, plan(t, dir, a, fakeFlysql("v1.0.0"))).Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("the second run (-before +after):\n%s", diff)
		}
	})
}

// eachRepo writes each archive's files, but for what is wanted, to a directory of
// its own.
func eachRepo(t *testing.T, do func(t *testing.T, name, dir, want string, archive *txtar.Archive)) {
	t.Helper()
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
			want := ""
			archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool {
				if f.Name == wanted {
					want = string(f.Data)
				}
				return f.Name == wanted
			})
			dir := filepath.Join(t.TempDir(), "app") // the name of an app without a module
			if err := txtar.Write(archive, dir); err != nil {
				t.Fatal(err)
			}
			do(t, name, dir, want, archive)
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
