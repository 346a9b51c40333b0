package scaffold

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestReadText(t *testing.T) {
	dir := t.TempDir()
	repo := filepath.Join(dir, "repo")
	if err := errors.Join(
		os.Mkdir(repo, 0o755),
		os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o644),
		os.WriteFile(filepath.Join(repo, "file"), []byte("text"), 0o644),
		os.WriteFile(filepath.Join(repo, "binary"), []byte("a\x00b"), 0o644),
		os.Symlink("../secret", filepath.Join(repo, "out")),
		os.Symlink("file", filepath.Join(repo, "in")),
		os.Symlink("nowhere", filepath.Join(repo, "dangling")),
		os.Symlink("loop", filepath.Join(repo, "loop")),
	); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(repo)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	const link = "is a link that leads to no file in the repository, and is not followed: put the file itself here"
	for _, tt := range []struct{ name, want, err string }{
		{"file", "text", ""},
		{"in", "text", ""},
		{"out", "", link},
		{"dangling", "", link},
		{"loop", "", link},
		{"binary", "", "is not text"},
		{".", "", "is not a regular file"},
	} {
		got, err := ReadText(root, tt.name)
		message := ""
		if err != nil {
			message = err.Error()
		}
		if string(got) != tt.want || message != tt.err {
			t.Errorf("%s: %q, %q, want %q, %q", tt.name, got, message, tt.want, tt.err)
		}
	}
	if _, err := ReadText(root, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
