package dev

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestStateDir(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"precious": "", "outside/kept": ""})
	path := filepath.Join(dir, ".flysql", "dev")
	s, err := openState(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.killed {
		t.Error("a new directory has had a session")
	}
	if text, err := os.ReadFile(s.join(".gitignore")); err != nil || string(text) != "*\n" {
		t.Errorf("%q, %v", text, err)
	}
	_, err = openState(path)
	wantError(t, err, fmt.Sprintf("%s is in use by another flysql dev (pid %d): end that one first", path, os.Getpid()))
	if err := os.MkdirAll(s.join("machines", "ord1"), 0o755); err != nil {
		t.Fatal(err)
	}
	// What leads out is only a link.
	if err := os.Symlink(filepath.Join(dir, "outside"), s.join("link")); err != nil {
		t.Fatal(err)
	}
	if err := s.unlock(); err != nil { // as a kill does
		t.Fatal(err)
	}

	if s, err = openState(path); err != nil {
		t.Fatal(err)
	}
	if !s.killed || !isDir(s.join("machines", "ord1")) {
		t.Errorf("after a kill: %+v", s)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if s, err = openState(path); err != nil {
		t.Fatal(err)
	}
	if err := s.drop(); err != nil {
		t.Fatal(err)
	}
	if s.killed || isDir(s.join("machines")) || !isFile(s.join(".gitignore")) || !isFile(filepath.Join(dir, "outside", "kept")) {
		t.Errorf("begun anew: %+v", s)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// Whatever a kill has interrupted is gone on with, and what it has left is removed.
func TestStateDirInterrupted(t *testing.T) {
	t.Parallel()
	s := &stateDir{path: write(t, map[string]string{markFile: "", "src4711/go.mod": "", "bin/1/app": ""})}
	if err := CleanUp(s.path); err != nil {
		t.Fatal(err)
	}
	if !isFile(s.join(".gitignore")) || isDir(s.join("src4711")) || !isFile(s.join("bin", "1", "app")) {
		t.Errorf("after the clean-up: .gitignore %v, src4711 %v, bin/1/app %v", isFile(s.join(".gitignore")), isDir(s.join("src4711")), isFile(s.join("bin", "1", "app")))
	}
}

// Nothing of somebody else's is touched, whatever is asked.
func TestStateDirOfOthers(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"theirs/precious": "", "ours/" + markFile: markText})
	theirs := filepath.Join(dir, "theirs")
	_, err := openState(theirs)
	wantError(t, err, "has files that are not of flysql dev")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "ours"), link); err != nil {
		t.Fatal(err)
	}
	_, err = openState(link)
	wantError(t, err, "is a symbolic link")
	if entries, err := os.ReadDir(theirs); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}
