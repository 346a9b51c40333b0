package dev

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A program that is named is taken, by its directory too; one that is none is refused.
func TestProgram(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"bin/litefs": "#!/bin/sh\n", "text": "x"})
	if err := os.Chmod(filepath.Join(dir, "bin/litefs"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin", "bin/litefs"} {
		if got, err := program(filepath.Join(dir, name), "litefs"); err != nil || got != filepath.Join(dir, "bin/litefs") {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	for _, name := range []string{"text", "missing", "."} {
		_, err := program(filepath.Join(dir, name), "litefs")
		wantError(t, err, "is no program: it was named as litefs")
	}
}

func TestModuleOf(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"go.mod": goMod + "require " + flysqlModule + " v0.1.0\n", "bad/go.mod": "<<<"})
	if got := moduleOf(dir); got != "example.com/shop" || !requires(dir, flysqlModule) || requires(dir, "example.com/x") {
		t.Errorf("%s %v", got, requires(dir, flysqlModule))
	}
	for _, name := range []string{"bad", "none"} {
		if got := moduleOf(filepath.Join(dir, name)); got != "" || requires(filepath.Join(dir, name), flysqlModule) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What the go command says is in the error, and told line by line.
func TestGoTool(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"go.mod": goMod, "main.go": "package main\n\nfunc main() { a(); b() }\n"})
	var said []string
	err := goTool(t.Context(), dir, nil, func(line string) { said = append(said, line) }, "build", "-o", filepath.Join(dir, "out"), ".")
	wantError(t, err, "go build: exit status 1\n# example.com/shop\n./main.go:3:15: undefined: a\n./main.go:3:20: undefined: b")
	if len(said) != 3 {
		t.Errorf("%q", said)
	}
}

// What keeps LiteFS from running is said with what mends it.
func TestNoLiteFS(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	t.Setenv(LiteFSVariable, "")
	if _, why, err := findLiteFS(Options{}); err != nil || !strings.HasPrefix(why, "no ") && !strings.HasPrefix(why, "LiteFS runs on Linux only") || !strings.Contains(why, ": ") {
		t.Errorf("%q, %v", why, err)
	}
	if err := goTool(t.Context(), empty, nil, nil, "version"); err == nil || !strings.HasPrefix(err.Error(), "no program go: ") || !strings.HasSuffix(err.Error(), ", or give the command that runs the app: flysql dev -- COMMAND") {
		t.Errorf("%v", err)
	}
	// With all that LiteFS needs but itself, that is what is missing.
	if why := noFUSE(); !strings.HasPrefix(why, "no program fusermount3") {
		return // there is more that is
	}
	if err := os.WriteFile(filepath.Join(empty, "fusermount3"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, why, err := findLiteFS(Options{}); err != nil || os.Geteuid() == 0 && !strings.HasPrefix(why, "no program litefs: ") || os.Geteuid() != 0 && !strings.HasPrefix(why, "not root") {
		t.Errorf("%q, %v", why, err)
	}
}
