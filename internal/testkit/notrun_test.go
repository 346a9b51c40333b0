package testkit

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var skips = regexp.MustCompile(`\b[tb]b?\.Skip(f|Now)?\(`)

// promised are the files of public packages that skip a user's test, and the option by which
// the user asks for that. Where a test of ours did so, `make test` would fail, as NotRun says.
var promised = map[string]string{"flydev/running.go": "SkipWithoutLiteFS"}

// Tests are skipped in one way, which `make test` counts; those of others only where they ask
// for it.
func TestSkippedByNotRunOnly(t *testing.T) {
	dir := root(t)
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (name == "bin" || name == ".git") {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || !strings.HasSuffix(name, ".go") || name == "internal/testkit/notrun.go" || name == "e2e/notrun/main_test.go" {
			return nil
		}
		seen++
		data, err := os.ReadFile(path)
		if option, ok := promised[name]; ok && err == nil {
			if len(skips.FindAll(data, -1)) != 1 || !strings.Contains(string(data), "o."+option+" && ") {
				t.Errorf("%s is to skip in one place, where %s is set", name, option)
			}
			return nil
		}
		if err == nil && skips.Match(data) {
			t.Errorf("%s skips a test by itself: let testkit.NotRun do it", name)
		}
		return err
	})
	if err != nil || seen == 0 {
		t.Fatalf("%d files, %v", seen, err)
	}
}
