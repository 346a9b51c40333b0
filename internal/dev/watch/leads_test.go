package watch

import (
	"os"
	"testing"
)

// What a //go:embed names is part of a build, also where git leaves it out, as what a
// frontend's build made.
func TestEmbed(t *testing.T) {
	a := newApp(t, map[string]string{
		".gitignore":        "dist/\n*.css\n",
		"go.mod":            "module example.com/app\n",
		"main.go":           "package main\n\n//go:embed VERSION 'x' \"quoted.txt\" `raw.txt`\n//go:embed web/*/page.txt\nvar files embed.FS\n",
		"ui/ui.go":          "package ui\n\n//go:embed dist\n//go:embed all:everything\n//go:embed ../main.txt /etc/passwd [ \"open\nvar files embed.FS\n",
		"ui/dist/app.js":    "1",
		"ui/dist/.hidden":   "1",
		"ui/dist/_hidden":   "1",
		"ui/everything/.in": "1",
		"main.txt":          "1",
		"VERSION":           "1",
		"web/a/page.txt":    "1",
	}, Options{})
	for _, name := range []string{"VERSION", "quoted.txt", "raw.txt", "web/a/page.txt", "web/new/page.txt", "ui/dist/app.js", "ui/dist/a/b/c.css", "ui/everything/.in"} {
		a.want(a.next(func() { a.write(name, "changed") }), name)
	}
	a.want(a.next(func() {
		for _, name := range []string{"ui/dist/.hidden", "ui/dist/_hidden", "ui/dist/app.js~", "main.txt", "web/page.txt", "web/a/other.txt"} {
			a.write(name, "changed")
		}
		a.write("go.sum", "")
	}), "go.sum")

	// A directory that a build removes and makes again.
	a.want(a.next(func() { a.remove("ui/dist") }), "ui/dist/a/b/c.css ui/dist/app.js")
	a.want(a.next(func() { a.write("ui/dist/app.js", "new") }), "ui/dist/app.js")

	// One that is embedded from now on.
	a.want(a.next(func() { a.write("main.go", "package main\n\n//go:embed main.txt\n") }), "VERSION main.go main.txt quoted.txt raw.txt web/a/page.txt web/new/page.txt")
	a.want(a.next(func() { a.write("main.txt", "again") }), "main.txt")
}

// What git leaves out is looked into only where the app imports it.
func TestLeftOut(t *testing.T) {
	a := newApp(t, map[string]string{
		".gitignore":     "/bin\ngen/\n",
		"go.mod":         "module example.com/app\n",
		"main.go":        "package main\n\nimport (\n\t\"example.com/app/gen/api\"\n\t_ \"example.com/apple\"\n)\n",
		"bin/a.go":       "package a\n",
		"gen/api/a.go":   "package api\n\nimport \"example.com/app/gen/deep\"\n",
		"gen/deep/a.go":  "package deep\n",
		"gen/other/a.go": "package other\n",
		"tools/bin/a.go": "package a\n",
	}, Options{})
	for _, name := range []string{"gen/api/a.go", "gen/deep/b.go", "tools/bin/a.go"} {
		a.want(a.next(func() { a.write(name, "package changed\n\nimport \"example.com/app/gen/deep\"\n") }), name)
	}
	a.want(a.next(func() {
		a.write("bin/a.go", "package changed\n")
		a.write("gen/other/a.go", "package changed\n")
		a.write("go.sum", "")
	}), "go.sum")
	a.want(a.next(func() { a.write(".gitignore", "tools\n") }), "bin/a.go gen/other/a.go tools/bin/a.go")
	a.want(a.next(func() { a.write("bin/b.go", "package changed\n") }), "bin/b.go")
}

// Links lead nowhere out of the app's directory; that they lead elsewhere is a change.
func TestLinks(t *testing.T) {
	outside := t.TempDir()
	for _, name := range []string{"/out.go", "/other.go"} {
		if err := os.WriteFile(outside+name, []byte("package out\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	a := newApp(t, small, Options{})
	link := func(to, name string) {
		t.Helper()
		_ = os.Remove(a.path(name))
		if err := os.Symlink(to, a.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	link(outside, "outside")
	link(".", "round")
	link(outside+"/out.go", "out.go")
	link("store/store.go", "in.go")
	link("nowhere.go", "nowhere.go")
	a.watch(Options{})
	a.want(a.next(func() {
		if err := os.WriteFile(outside+"/out.go", []byte("package changed\n"), 0o666); err != nil {
			t.Error(err)
		}
		a.write("go.sum", "")
	}), "go.sum")
	a.want(a.next(func() { link(outside+"/other.go", "out.go") }), "out.go")
	a.want(a.next(func() { a.write("store/store.go", "package changed\n") }), "in.go store/store.go")
}
