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

// Tests are skipped in one way, which `make test` counts.
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
		if err == nil && skips.Match(data) {
			t.Errorf("%s skips a test by itself: let testkit.NotRun do it", name)
		}
		return err
	})
	if err != nil || seen == 0 {
		t.Fatalf("%d files, %v", seen, err)
	}
}
