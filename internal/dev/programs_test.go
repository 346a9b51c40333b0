package dev

import (
	"os"
	"path/filepath"
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
