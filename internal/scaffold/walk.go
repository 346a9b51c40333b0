package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// How much of a repository is looked at. A Go module of an app is far below.
const (
	maxEntries  = 100_000
	maxDepth    = 64 // of directories; opening one walks down to it
	maxFileSize = 1 << 20
)

// errBinary is why a file was not read.
var errBinary = errors.New("is not text")

// errTooLarge is why a file was not read.
var errTooLarge = fmt.Errorf("is larger than %d bytes", maxFileSize)

// walk visits the regular files of the module in lexical order: not those of
// other modules inside it, of dependencies, of test data or in hidden
// directories. Links are not followed. It reports whether it stopped early.
func walk(root *os.Root, limit int, visit func(name string)) (truncated bool, err error) {
	seen := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if seen++; seen > limit {
			truncated = true
			return fs.SkipAll
		}
		if err != nil {
			if name == "." {
				return err
			}
			return nil // a directory that cannot be read is not part of a build either
		}
		if d.IsDir() {
			if name != "." && skipped(root, name) {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			visit(name)
		}
		return nil
	})
	return truncated, err
}

func skipped(root *os.Root, dir string) bool {
	base := path.Base(dir)
	switch {
	case strings.Count(dir, "/") >= maxDepth:
		return true
	case strings.HasPrefix(base, "."), strings.HasPrefix(base, "_"):
		return true // as the go command does; .git and .flysql are among them
	case base == "node_modules", base == "vendor", base == "testdata":
		return true
	}
	_, err := root.Lstat(path.Join(dir, "go.mod"))
	return err == nil // a module of its own
}

// readSmall reads a text file that is not a link out of the repository.
func readSmall(root *os.Root, name string) ([]byte, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	if info.Size() > maxFileSize {
		return nil, errTooLarge
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxFileSize {
		return nil, errTooLarge
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, errBinary
	}
	return data, nil
}

// regular tells whether name is a regular file.
func regular(root *os.Root, name string) (bool, error) {
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return info.Mode().IsRegular(), nil
}
