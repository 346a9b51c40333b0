package scaffold

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const openShop = "package main\n\nimport (\n\t\"database/sql\"\n\t\"net/http\"\n\t\"os\"\n\n\t_ \"modernc.org/sqlite\"\n)\n\nfunc main() {\n\tsql.Open(\"sqlite\", os.Getenv(\"SHOP_DB\"))\n\thttp.ListenAndServe(\":3000\", nil)\n}\n"

// TestDetectOddFiles: beside whatever else there is, the app is found.
func TestDetectOddFiles(t *testing.T) {
	tests := []struct {
		name string
		add  func(t *testing.T, dir string)
	}{
		{"CRLF", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "go.mod"), "module m\r\n\r\ngo 1.25\r\n")
			write(t, filepath.Join(dir, "main.go"), strings.ReplaceAll(openShop, "\n", "\r\n"))
		}},
		{"a byte order mark", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "main.go"), "\ufeff"+openShop) }},
		{"huge code", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "big.go"), "package main\n\nvar big = `"+strings.Repeat("x", maxFileSize)+"`\n")
		}},
		{"binary code", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "a.go"), "package main\n\x00\x01\x02") }},
		{"no text", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "a.go"), "package main\n\nconst a = \"\xff\xfe\"\n")
		}},
		{"a directory named as code", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "dir.go/x.txt"), "") }},
		{"a link out", func(t *testing.T, dir string) {
			outside := repo(t, "-- a.go --\npackage main\n\nimport \"C\"\n")
			link(t, filepath.Join(outside, "a.go"), filepath.Join(dir, "a.go"))
			link(t, outside, filepath.Join(dir, "lib"))
		}},
		{"links in a circle", func(t *testing.T, dir string) {
			link(t, "b.go", filepath.Join(dir, "a.go"))
			link(t, "a.go", filepath.Join(dir, "b.go"))
			link(t, ".", filepath.Join(dir, "self"))
		}},
		{"a directory that may not be read", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "secret/a.go"), "package main\n\nimport \"C\"\n")
			if err := os.Chmod(filepath.Join(dir, "secret"), 0); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(filepath.Join(dir, "secret"), 0o755) }) // or it could not be removed
		}},
		{"deep directories", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, strings.Repeat("d/", 500), "a.go"), "package d\n")
		}},
	}
	want := detect(t, repo(t, "-- go.mod --\nmodule m\n\ngo 1.25\n-- main.go --\n"+openShop)).Mains
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := repo(t, "-- go.mod --\nmodule m\n\ngo 1.25\n-- main.go --\n"+openShop)
			tt.add(t, dir)
			got := detect(t, dir).Mains
			if tt.name == "a directory that may not be read" && os.Geteuid() == 0 && len(got) > 1 {
				got = got[:1] // root reads it all the same
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}

// TestDetectNestedCode: code that is made to be slow is looked at in bounded time
// and memory. Every call in a call would be taken apart once for each level, which
// takes more memory than there is. What is nested too deep for go/parser is a
// program all the same.
func TestDetectNestedCode(t *testing.T) {
	const depth, deeper = 15_000, 90_000
	nested := func(open, inner, end string) string {
		return strings.Repeat(open, depth) + inner + strings.Repeat(end, depth)
	}
	tests := map[string]string{
		"calls":       "x := " + nested("f(", "1", ")"),
		"parentheses": "x := " + nested("(", "1", ")"),
		"sums":        "x := " + strings.Repeat("a+", deeper) + "a",
		"joins":       "x := " + nested(`(`, `"a"`, `+"/a.db")`),
		"selectors":   "x := a" + strings.Repeat(".b", deeper),
		"literals":    "x := " + nested("T{a: ", "1", "}"),
		"functions":   nested("x = func() {", "", "}"),
		"opened":      nested(`sql.Open("sqlite",`, `""`, ")"),
		"listening":   nested(`f(Listen(`, `""`, "))"),
		"blocks":      nested("{", "", "}"),
		"one value":   "a" + strings.Repeat(",a", 2*deeper) + " = " + strings.Repeat("b+", deeper/2) + "b",
		"names": func() string {
			var b strings.Builder
			for i := range depth {
				b.WriteString("a" + string(rune('a'+i%26)) + " = aa+ab+ac\n")
			}
			return b.String()
		}() + `sql.Open("sqlite", aa)`,
		"too deep":  "x := " + strings.Repeat("f(", deeper),
		"all wrong": strings.Repeat("x := := )\n", deeper),
	}
	for name, code := range tests {
		t.Run(name, func(t *testing.T) {
			dir := repo(t, "-- go.mod --\nmodule m\n")
			write(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() {\n"+code+"\n}\n")
			if mains := detect(t, dir).Mains; len(mains) != 1 {
				t.Errorf("found %d programs", len(mains))
			}
		})
	}
}

// FuzzDetect: no content of the files that Detect reads makes it panic, or hang, or
// name a directory outside.
func FuzzDetect(f *testing.F) {
	const mod, code = "module m\n\ngo 1.25\n", openShop
	f.Add(mod, code, "-- +goose Up\n", "FROM a\nCMD x\n", "app = \"a\"\n", "go 1.25\nuse .\n", "{}")
	f.Add(mod, "package main\nvar x = "+strings.Repeat("((", 1000), "-- migrate:up", "FROM a AS b\nFROM b\nENTRYPOINT [\"x\"", "[[mounts]]\n", "use (\n", "")
	f.Add("module m\nreplace x => ../x\n", "package main\ntype a struct { b a `envPrefix:\"X_\" env:\"DSN\"` }\n", "", "# escape=`\nFROM a\nRUN <<E\n", "mounts = 1", "", "")
	f.Add("", "", "", "FROM a\nEXPOSE 1-2\nCMD [\"thrust\", \"--port 99999\"]\n", "", "", "{\"a\":")
	names, err := filepath.Glob("testdata/repos/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		_, rest, _ := bytes.Cut(data, []byte("main.go --\n"))
		code, _, _ := bytes.Cut(rest, []byte("\n-- "))
		if len(code) > 0 {
			f.Add(mod, string(code), "", "", "", "", "")
		}
	}
	f.Fuzz(func(t *testing.T, mod, code, sql, docker, fly, work, pkg string) {
		dir := t.TempDir()
		for name, content := range map[string]string{"go.mod": mod, "main.go": code, "migrations/1_a.sql": sql, "Dockerfile": docker, "fly.toml": fly, "go.work": work, "package.json": pkg} {
			if content != "" {
				write(t, filepath.Join(dir, name), content)
			}
		}
		facts, err := Detect(t.Context(), dir)
		if err != nil {
			return
		}
		mains := facts.Mains
		if facts.Foreign != nil {
			mains = append(mains, *facts.Foreign)
		}
		for _, m := range mains {
			if m.Port < 1 || m.Port > 65535 {
				t.Errorf("port %d", m.Port)
			}
			if v := m.Database.variable(); v != "FLYSQL_DB" && (!envVariable.MatchString(v) || !usable(v)) {
				t.Errorf("variable %q", v)
			}
			for _, dir := range m.Migrations {
				if !filepath.IsLocal(dir) {
					t.Errorf("migrations in %s", dir)
				}
			}
		}
	})
}
