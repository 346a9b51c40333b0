package image

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// testContext ends with the test, and before go test would end it.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// contextDir makes a build context: files by their paths, with a directory where
// the path ends in a slash and a program where the content begins with #!.
func contextDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(file, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(file, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// build builds and closes with the test.
func build(t *testing.T, dir string, o Options) *Image {
	t.Helper()
	img, err := Build(testContext(t), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := img.Close(); err != nil {
			t.Errorf("close the image: %v", err)
		}
	})
	return img
}

// output collects what a machine prints.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// boot starts an image, waits for its end, and returns the exit code and what
// it printed.
func boot(t *testing.T, img *Image, b Boot) (int, string) {
	t.Helper()
	var out output
	b.Stdout, b.Stderr = &out, &out
	m, err := img.Start(testContext(t), b)
	if err != nil {
		t.Fatal(err)
	}
	code, err := m.Wait(testContext(t))
	if err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("close the machine: %v", err)
	}
	return code, out.String()
}

// listing lists the files below dir with what is in them.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			entries, err := os.ReadDir(filepath.Join(dir, name))
			if len(entries) == 0 && name != "." {
				found[name+"/"] = ""
			}
			return err
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(filepath.Join(dir, name))
			found[name] = "-> " + target
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		found[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func lines(s ...string) string { return strings.Join(s, "\n") + "\n" }
