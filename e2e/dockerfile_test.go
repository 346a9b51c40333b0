package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/e2e/fly"
	"github.com/flysql/flysql/e2e/image"
)

// The repository's own Dockerfile builds from what git has of it, and nothing
// else that lies about in a checkout.
func TestTheRepositorysDockerfile(t *testing.T) {
	t.Parallel()
	dir := gitFiles(t, must(t, shop.clone))
	app, err := fly.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var ran []string
	img, err := image.Build(testContext(t), dir, image.Options{Progress: func(s image.Step) {
		if strings.HasPrefix(s.Text, "RUN ") && s.Skipped == "" {
			ran = append(ran, s.Text)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := img.Close(); err != nil {
			t.Error(err)
		}
	}()
	if !slices.ContainsFunc(ran, func(s string) bool { return strings.Contains(s, "./cmd/flysql-entrypoint") }) {
		t.Errorf("ran %q: nothing builds flysql-entrypoint", ran)
	}
	if diff := cmp.Diff([]string{"flysql-entrypoint"}, img.Entrypoint); diff != "" {
		t.Errorf("ENTRYPOINT (-want +got):\n%s", diff)
	}
	s := serve(t, built{img, app}, machine{volume: t.TempDir()})
	s.has(t, s.sign(t, 2))
	s.stop(t)
}

// gitFiles copies what a commit of the working tree would have: tracked files
// and new ones, without what .gitignore leaves out.
func gitFiles(t *testing.T, clone string) string {
	t.Helper()
	// The clone may be another user's: nothing of it is run here.
	list := exec.Command("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = clone
	out, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	dir := t.TempDir()
	for name := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		from, to := filepath.Join(clone, string(name)), filepath.Join(dir, string(name))
		data, err := os.ReadFile(from)
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
