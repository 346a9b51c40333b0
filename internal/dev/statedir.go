package dev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/flysql/flysql/internal/emulator/cluster"
)

// markFile tells a directory of flysql dev from others.
const (
	markFile = "flysql-dev"
	markText = "What flysql dev keeps between runs: machines, their logs and databases. flysql dev --fresh begins anew.\n"
)

// ErrInUse is in the error of a Start in a directory that another session has.
var ErrInUse = errors.New("is in use")

// stateDir is where all of a session is. It is this session's alone.
type stateDir struct {
	path   string
	lock   *os.File // nil where there are no locks
	killed bool     // the last session here did not end in order
}

// runningFile is there while a session is, with its process id.
const runningFile = "running"

// openState opens the directory, and makes it where it is not there.
func openState(path string) (_ *stateDir, err error) {
	defer func() {
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w\n%s is another user's: sudo leaves it to root; run it as that user again, or remove it", err, path)
		}
	}()
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s is a symbolic link: name the directory itself", path)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	s := &stateDir{path: path}
	if err := s.claim(); err != nil {
		return nil, err
	}
	if s.lock, err = lockState(filepath.Join(path, markFile)); err != nil {
		return nil, err
	}
	running := s.join(runningFile)
	_, err = os.Lstat(running)
	s.killed = err == nil
	if err := os.WriteFile(running, fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
		return nil, errors.Join(err, s.unlock())
	}
	return s, nil
}

// CleanUp ends what a session that was killed has left running or mounted in its directory.
// Its error is ErrInUse where a session is there.
func CleanUp(dir string) error {
	s, err := openState(dir)
	if err != nil {
		return err
	}
	return errors.Join(s.cleanUp(), s.close())
}

// claim refuses a directory that is somebody else's, and marks its own.
func (s *stateDir) claim() error {
	entries, err := os.ReadDir(s.path)
	if err != nil {
		return err
	}
	mark := filepath.Join(s.path, markFile)
	if info, err := os.Lstat(mark); err != nil || !info.Mode().IsRegular() {
		if len(entries) > 0 {
			return fmt.Errorf("%s has files that are not of flysql dev: name another directory", s.path)
		}
		if err := os.WriteFile(mark, []byte(markText), 0o644); err != nil { // before all else
			return err
		}
	}
	// git sees nothing of it.
	ignore := s.join(".gitignore")
	if _, err := os.Lstat(ignore); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(ignore, []byte("*\n"), 0o644)
}

// machines is where machines are. Those without LiteFS of an app that has it are apart: what
// the one form has on its volumes, the other refuses.
func (s *stateDir) machines(apart bool) string {
	if apart {
		return s.join("single")
	}
	return s.path
}

// sourceDir is how directories begin that a program is built in.
const sourceDir = "src"

// cleanUp ends what sessions of either form have left.
func (s *stateDir) cleanUp() error {
	errs := []error{cluster.CleanUp(s.machines(false)), cluster.CleanUp(s.machines(true))}
	sources, err := filepath.Glob(s.join(sourceDir + "*"))
	for _, dir := range sources {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(append(errs, err)...)
}

// drop removes all but the marks, and programs, which are built anew in any case. What is
// mounted or runs in it is ended before.
func (s *stateDir) drop() error {
	if err := s.cleanUp(); err != nil {
		return err
	}
	root, err := os.OpenRoot(s.path) // which no link leads out of
	if err != nil {
		return err
	}
	defer root.Close() // nothing was written by it
	entries, err := os.ReadDir(s.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if slices.Contains([]string{markFile, runningFile, ".gitignore", "bin"}, e.Name()) {
			continue
		}
		if err := root.RemoveAll(e.Name()); err != nil {
			return fmt.Errorf("begin anew: %w", err)
		}
	}
	return nil
}

// close lets others have the directory.
func (s *stateDir) close() error {
	return errors.Join(os.Remove(s.join(runningFile)), s.unlock())
}

func (s *stateDir) unlock() error {
	if s.lock == nil {
		return nil
	}
	return errors.Join(unlockState(s.lock), s.lock.Close())
}

// path of something in it.
func (s *stateDir) join(name ...string) string {
	return filepath.Join(append([]string{s.path}, name...)...)
}
