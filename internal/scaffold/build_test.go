package scaffold

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/flysql/flysql"
)

// The tests of this file build what init writes: the image must get
// flysql-entrypoint in each of the ways that there are.

// TestBuildWithoutFlysql builds the image of an app that does not import flysql.
func TestBuildWithoutFlysql(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/hello

go 1.25.0
-- main.go --
package main

import "fmt"

func main() { fmt.Println("hello") }
-- migrations/1_a.sql --
-- +goose Up
`)
	image := buildImage(t, dir)
	if got := runProgram(t, filepath.Join(image, "usr/local/bin/hello")); got != "hello\n" {
		t.Errorf("the app printed %q", got)
	}
	if got := runProgram(t, filepath.Join(image, "usr/local/bin/flysql-entrypoint"), "--help"); !strings.Contains(got, "FLYSQL_MIGRATIONS") {
		t.Errorf("flysql-entrypoint --help printed %q", got)
	}
	if _, err := os.Stat(filepath.Join(image, "app/migrations/1_a.sql")); err != nil {
		t.Error(err)
	}
}

// TestBuildWithReplace builds an app whose go.mod takes flysql from a directory
// that the image build does not see. It imports every public package.
func TestBuildWithReplace(t *testing.T) {
	clone, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := repo(t, `
-- main.go --
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/flysql/flysql/appdb"
	_ "github.com/flysql/flysql/entrypoint"
	_ "github.com/flysql/flysql/flyconf"
)

func main() {
	db, err := appdb.Open(context.Background(), os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("opened", db.Close())
}
-- main_test.go --
package main

import (
	"testing"

	_ "github.com/flysql/flysql/appdb/appdbtest"
)

func TestNothing(*testing.T) {}
`)
	// All that flysql requires, so that go.mod needs no update.
	mod := readMod(t, filepath.Join(clone, "go.mod"))
	for _, err := range []error{
		mod.AddModuleStmt("example.com/app"),
		mod.AddRequire(flysqlModule, "v0.0.0"),
		mod.AddReplace(flysqlModule, "", clone, ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := mod.Format()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.mod"), string(text))
	sums, err := os.ReadFile(filepath.Join(clone, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), string(sums))

	image := buildImage(t, dir, "go vet .")
	db := filepath.Join(t.TempDir(), "app.db")
	if got := runProgram(t, filepath.Join(image, "usr/local/bin/app"), db); got != "opened <nil>\n" {
		t.Errorf("the app printed %q", got)
	}
}

// TestBuildPublished builds the image of an app where flysql is a published
// version: served by a module proxy of the test's own, beside the modules that this
// machine has already, into a module cache that goes with the test.
func TestBuildPublished(t *testing.T) {
	const version = "v0.1.0"
	proxy := publish(t, version)
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := repo(t, `
-- go.mod --
module example.com/hello

go 1.25.0
-- main.go --
package main

func main() {}
`)
	image := buildImageOf(t, dir, Flysql{Version: version, Source: flysql.Source()}, []string{
		"GOPROXY=file://" + proxy + ",file://" + filepath.Join(strings.TrimSpace(string(cache)), "cache", "download"),
		"GOMODCACHE=" + filepath.Join(t.TempDir(), "modules"),
		"GOFLAGS=-modcacherw", // or the test could not remove it
		"GONOSUMDB=*",         // the checksum database does not know this version
	})
	if got := runProgram(t, filepath.Join(image, "usr/local/bin/flysql-entrypoint"), "--version"); got != "flysql-entrypoint "+version+"\n" {
		t.Errorf("flysql-entrypoint --version printed %q", got)
	}
}

// publish lays flysql's own source out as a module proxy serves a version:
// https://go.dev/ref/mod#goproxy-protocol
func publish(t *testing.T, version string) string {
	t.Helper()
	proxy := t.TempDir()
	at := func(suffix string) string { return filepath.Join(proxy, flysqlModule, "@v", version+suffix) }
	if err := os.MkdirAll(filepath.Dir(at("")), 0o755); err != nil {
		t.Fatal(err)
	}
	var files []zip.File
	err := fs.WalkDir(flysql.Source(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, sourceFile(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := os.Create(at(".zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(zip.Create(archive, module.Version{Path: flysqlModule, Version: version}, files), archive.Close()); err != nil {
		t.Fatal(err)
	}
	mod, err := fs.ReadFile(flysql.Source(), "go.mod")
	if err != nil {
		t.Fatal(err)
	}
	write(t, at(".mod"), string(mod))
	write(t, at(".info"), `{"Version":"`+version+`"}`)
	write(t, filepath.Join(filepath.Dir(at("")), "list"), version+"\n")
	return proxy
}

// sourceFile is a file of flysql's own source, for an archive.
type sourceFile string

func (f sourceFile) Path() string                 { return string(f) }
func (f sourceFile) Lstat() (fs.FileInfo, error)  { return fs.Stat(flysql.Source(), string(f)) }
func (f sourceFile) Open() (io.ReadCloser, error) { return flysql.Source().Open(string(f)) }

// TestSourceHasEveryPublicPackage: an app may import any of them. flydev alone only its
// tests may, which no image builds.
func TestSourceHasEveryPublicPackage(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Name}} {{.ImportPath}}", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(out)) {
		name, importPath, _ := strings.Cut(strings.TrimSpace(line), " ")
		dir, below := strings.CutPrefix(importPath, flysqlModule+"/")
		if !below || name == "main" || dir == "flydev" || strings.Contains("/"+dir+"/", "/internal/") {
			continue
		}
		found++
		if _, err := fs.Stat(flysql.Source(), dir); err != nil {
			t.Errorf("%s is not in the copied source (source.go at the module's root): %v", importPath, err)
		}
	}
	if found < 4 {
		t.Errorf("go list shows only %d public packages:\n%s", found, out)
	}
}

func readMod(t *testing.T, name string) *modfile.File {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse(name, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return mod
}

func runProgram(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// buildImage runs init in dir and carries out its Dockerfile: every COPY, and
// the RUN lines of the build stages, by a shell in a directory that stands for
// the stage's WORKDIR. Lines in extra run in the stage "build" at its end. It
// returns the root of the last stage.
func buildImage(t *testing.T, dir string, extra ...string) string {
	t.Helper()
	// No network: all modules were needed to build the test.
	return buildImageOf(t, dir, Flysql{Source: flysql.Source()}, []string{"GOPROXY=off", "GOFLAGS=-mod=readonly"}, extra...)
}

func buildImageOf(t *testing.T, dir string, fl Flysql, env []string, extra ...string) string {
	t.Helper()
	p := plan(t, dir, defaults(), fl)
	if err := compareWith(t, p).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	ignore, err := os.ReadFile(filepath.Join(dir, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	stages, root, workdir, name := map[string]string{}, "", "/", ""
	shell := func(line string) {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", line)
		cmd.Dir = filepath.Join(root, workdir)
		// No workspace of whoever runs the test.
		cmd.Env = append(append(os.Environ(), "GOWORK=off"), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("stage %s: RUN %s: %v\n%s", name, line, err, out)
		}
	}
	for _, line := range instructions(string(text)) {
		instruction, rest, _ := strings.Cut(line, " ")
		switch instruction {
		case "FROM":
			if name == "build" {
				for _, line := range extra {
					shell(line)
				}
			}
			_, name, _ = strings.Cut(rest, " AS ")
			root, workdir = t.TempDir(), "/"
			stages[name] = root
		case "WORKDIR":
			workdir = rest
			if err := os.MkdirAll(filepath.Join(root, workdir), 0o755); err != nil {
				t.Fatal(err)
			}
		case "COPY":
			from, ignored := dir, ignoredBy(ignore)
			words := strings.Fields(rest)
			if stage, ok := strings.CutPrefix(words[0], "--from="); ok {
				from, ignored, words = stages[stage], func(string) bool { return false }, words[1:]
			}
			to := words[len(words)-1]
			if !path.IsAbs(to) {
				to = path.Join(workdir, to) + "/"
			}
			for _, source := range words[:len(words)-1] {
				if err := copyInto(filepath.Join(root, to), from, source, strings.HasSuffix(to, "/"), ignored); err != nil {
					t.Fatalf("stage %s: %s: %v", name, line, err)
				}
			}
		case "RUN":
			if name != "" { // not in the last stage, which is Debian's
				shell(rest)
			}
		case "ENV", "EXPOSE", "ENTRYPOINT", "CMD":
		default:
			t.Fatalf("unexpected line in the Dockerfile: %s", line)
		}
	}
	return root
}

// instructions joins continued lines and drops comments.
func instructions(dockerfile string) []string {
	var list []string
	for line := range strings.Lines(strings.ReplaceAll(dockerfile, "\\\n", " ")) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
}

func ignoredBy(dockerignore []byte) func(string) bool {
	return func(name string) bool { return ignored(dockerignore, name) }
}

// copyInto copies as COPY does: a directory's content, or files by a pattern.
func copyInto(to, from, source string, toDirectory bool, ignored func(string) bool) error {
	matches, err := filepath.Glob(filepath.Join(from, source))
	if err != nil {
		return err
	}
	if len(matches) == 0 && !strings.Contains(source, "*") {
		return fmt.Errorf("%s: %w", source, fs.ErrNotExist)
	}
	for _, match := range matches {
		info, err := os.Stat(match)
		if err != nil {
			return err
		}
		target := to
		if !info.IsDir() && toDirectory {
			target = filepath.Join(to, filepath.Base(match))
		}
		err = filepath.WalkDir(match, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			inContext, err := filepath.Rel(from, name)
			if err != nil || ignored(filepath.ToSlash(inContext)) {
				return err
			}
			rel, err := filepath.Rel(match, name)
			if err != nil {
				return err
			}
			return copyFile(filepath.Join(target, rel), name)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode())
}
