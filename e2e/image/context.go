package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// tree is a place that COPY reads from.
type tree struct {
	dir string // as seen inside backend.do
	// kept are the paths, relative and with slashes, that .dockerignore leaves;
	// nil means all.
	kept map[string]bool
}

func (t *tree) keeps(rel string) bool { return t.kept == nil || rel == "." || t.kept[rel] }

// buildContext reads which files of dir the build may see.
func buildContext(dir, dockerfile string) (*tree, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	// A Dockerfile's own ignore file goes before the general one.
	var patterns []string
	for _, name := range []string{dockerfile + ".dockerignore", ".dockerignore"} {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		patterns, err = ignorefile.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		break
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, fmt.Errorf(".dockerignore: %w", err)
	}
	t := &tree{dir: dir, kept: map[string]bool{}}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil || rel == "." {
			return err
		}
		rel = filepath.ToSlash(rel)
		ignored, err := matcher.MatchesOrParentMatches(rel)
		if err != nil {
			return fmt.Errorf(".dockerignore: %w", err)
		}
		if ignored {
			// With exceptions (!name) something below may come back.
			if d.IsDir() && !matcher.Exclusions() {
				return fs.SkipDir
			}
			return nil
		}
		for p := rel; p != "." && !t.kept[p]; p = path.Dir(p) {
			t.kept[p] = true
		}
		return nil
	})
	return t, err
}

// match returns the paths of t that a COPY source names, and whether it is a
// pattern. Every source lies inside t, whatever it begins with.
func (t *tree) match(root *os.Root, source string) (found []string, pattern bool, err error) {
	clean := strings.TrimPrefix(path.Clean("/"+source), "/")
	if clean == "" {
		clean = "."
	}
	if !strings.ContainsAny(clean, `*?[\`) {
		if _, err := root.Stat(filepath.FromSlash(clean)); err != nil || !t.keeps(clean) {
			return nil, false, nil
		}
		return []string{clean}, false, nil
	}
	all, err := fs.Glob(root.FS(), clean)
	for _, name := range all {
		if t.keeps(name) {
			found = append(found, name)
		}
	}
	return found, true, err
}
