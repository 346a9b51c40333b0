package flydev_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An app of whose packages only tests import flydev can build flysql-entrypoint after go
// mod tidy, which is what Start does.
func TestAppModule(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.sum":      string(sums), // so that nobody is asked for them
		"go.mod":      "module example.com/app\n\ngo 1.25.8\n\nrequire github.com/flysql/flysql v0.0.0\n\nreplace github.com/flysql/flysql => " + root + "\n",
		"main.go":     "package main\n\nfunc main() {}\n",
		"app_test.go": "package main\n\nimport (\n\t\"testing\"\n\n\t\"github.com/flysql/flysql/flydev\"\n)\n\nfunc Test(t *testing.T) { _ = flydev.Start }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range []string{"mod tidy", "vet ./...", "build -o " + filepath.Join(dir, "entrypoint") + " github.com/flysql/flysql/cmd/flysql-entrypoint"} {
		cmd := exec.Command("go", strings.Fields(args)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", args, err, out)
		}
	}
}
