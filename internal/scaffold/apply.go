package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Apply writes all changes, or none: each file is first written in full beside its
// place, then all are renamed, and an error on the way puts back what was there.
// When Apply returns nil, the files are on disk, not only in memory.
//
// A process killed during Apply leaves every file either as it was or as planned,
// perhaps with temporary files, which the next Apply removes, even when it has
// nothing to write. Once the renames have begun, ctx is no longer looked at.
//
// The repository must be as Compare saw it.
func (c *Changes) Apply(ctx context.Context) error {
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return err
	}
	defer root.Close() // every file written through it was closed and synced
	unlock, err := lock(root)
	if err != nil {
		return err
	}
	defer unlock()
	a := applier{root: root, fault: func(string, string) error { return nil }}
	return a.apply(ctx, c.Files)
}

// applier writes changes. fault is a seam for tests: it is called before every
// operation, with its name and the file, and its error is the operation's.
type applier struct {
	root  *os.Root
	fault func(op, name string) error

	made  []string // directories
	steps []step
}

// step is one change on its way.
type step struct {
	Change
	temp   string // holds the new content until it is renamed
	backup string // holds the old content until all is done
	done   bool
}

func (a *applier) apply(ctx context.Context, changes []Change) error {
	err := a.clean(changes)
	if err == nil {
		err = a.prepare(ctx, changes)
	}
	if err == nil {
		err = a.commit()
	}
	if err != nil {
		err = errors.Join(err, a.rollback())
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
			return fmt.Errorf("nothing was changed: %s cannot be written to: %w", a.root.Name(), err)
		}
		return fmt.Errorf("nothing was changed: %w", err)
	}
	// All is written; what remains is to tidy up.
	var errs []error
	for _, s := range a.steps {
		if s.backup != "" {
			errs = append(errs, a.remove(s.backup))
		}
	}
	return errors.Join(errs...)
}

// clean removes what a killed run left behind.
func (a *applier) clean(changes []Change) error {
	for _, dir := range directories(changes) {
		f, err := a.root.Open(filepath.FromSlash(dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		entries, err := f.ReadDir(-1)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		for _, e := range entries {
			if isTemp(e.Name()) && e.Type().IsRegular() {
				if err := a.remove(path.Join(dir, e.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// prepare does everything that can fail for want of space or permission.
func (a *applier) prepare(ctx context.Context, changes []Change) error {
	for _, c := range changes {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if c.Action == Unchanged || c.Action == Keep {
			continue
		}
		if err := a.stillAsCompared(c); err != nil {
			return err
		}
		a.steps = append(a.steps, step{Change: c})
		s := &a.steps[len(a.steps)-1]
		mode := fs.FileMode(0o644)
		if c.info != nil {
			mode = c.info.Mode().Perm()
			if err := a.backup(s); err != nil {
				return err
			}
		}
		if c.Action == Remove {
			continue
		}
		if err := a.mkdirs(path.Dir(c.Path)); err != nil {
			return err
		}
		s.temp = tempName(c.Path, "new")
		if err := a.write(s.temp, mode, c.info != nil, strings.NewReader(string(c.New))); err != nil {
			return fmt.Errorf("write %s: %w", c.Path, err)
		}
	}
	return nil
}

// stillAsCompared guards what was shown to the user against an editor that saved
// the file meanwhile.
func (a *applier) stillAsCompared(c Change) error {
	info, err := a.root.Lstat(filepath.FromSlash(c.Path))
	if errors.Is(err, fs.ErrNotExist) && c.info == nil {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && c.info != nil && os.SameFile(info, c.info) && info.Size() == c.info.Size() && info.ModTime().Equal(c.info.ModTime()) {
		return nil
	}
	return fmt.Errorf("%s was changed by something else meanwhile: run the command again", c.Path)
}

func (a *applier) mkdirs(dir string) error {
	for _, d := range append(parents(dir), dir) {
		if d == "." {
			continue
		}
		if err := a.fault("mkdir", d); err != nil {
			return err
		}
		err := a.root.Mkdir(filepath.FromSlash(d), 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("make directory %s: %w", d, err)
		}
		a.made = append(a.made, d)
	}
	return nil
}

func (a *applier) backup(s *step) error {
	old, err := a.root.Open(filepath.FromSlash(s.Path))
	if err != nil {
		return err
	}
	s.backup = tempName(s.Path, "old")
	err = a.write(s.backup, s.info.Mode().Perm(), true, old)
	if err := errors.Join(err, old.Close()); err != nil {
		return fmt.Errorf("keep a copy of %s: %w", s.Path, err)
	}
	return nil
}

// write makes a new file and has it on disk before it returns. A mode that is
// exact is not cut by the umask.
func (a *applier) write(name string, mode fs.FileMode, exact bool, content io.Reader) (err error) {
	if err := a.fault("create", name); err != nil {
		return err
	}
	f, err := a.root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := a.fault("write", name); err != nil {
		return err
	}
	if _, err := io.Copy(f, content); err != nil {
		return err
	}
	if exact {
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	if err := a.fault("sync", name); err != nil {
		return err
	}
	return f.Sync()
}

// commit makes the prepared files the real ones.
func (a *applier) commit() error {
	for i := range a.steps {
		s := &a.steps[i]
		if err := a.fault("rename", s.Path); err != nil {
			return err
		}
		var err error
		if s.Action == Remove {
			err = a.root.Remove(filepath.FromSlash(s.Path))
		} else {
			err = a.root.Rename(filepath.FromSlash(s.temp), filepath.FromSlash(s.Path))
		}
		if err != nil {
			return err
		}
		s.done = true
	}
	return a.syncDirectories()
}

// syncDirectories has the renames, and the directories made for them, on disk.
func (a *applier) syncDirectories() error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	var changes []Change
	for _, s := range a.steps {
		changes = append(changes, s.Change)
	}
	for _, dir := range directories(changes) {
		if err := a.fault("syncdir", dir); err != nil {
			return err
		}
		f, err := a.root.Open(filepath.FromSlash(dir))
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("sync directory %s: %w", dir, err)
		}
	}
	return nil
}

// rollback puts everything back, newest first. It goes on after an error, and
// names each file that it could not restore.
func (a *applier) rollback() error {
	var errs []error
	for _, s := range slices.Backward(a.steps) {
		switch {
		case s.done && s.backup != "":
			if err := a.root.Rename(filepath.FromSlash(s.backup), filepath.FromSlash(s.Path)); err != nil {
				errs = append(errs, fmt.Errorf("except that %s could not be restored; its old content is in %s: %w", s.Path, s.backup, err))
			}
			continue
		case s.done:
			errs = append(errs, a.remove(s.Path))
		case s.temp != "":
			errs = append(errs, a.remove(s.temp))
		}
		if s.backup != "" {
			errs = append(errs, a.remove(s.backup))
		}
	}
	for _, dir := range slices.Backward(a.made) {
		if err := a.root.Remove(filepath.FromSlash(dir)); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// remove removes a file that may be gone already.
func (a *applier) remove(name string) error {
	if err := a.fault("remove", name); err != nil {
		return err
	}
	if err := a.root.Remove(filepath.FromSlash(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// directories lists the directories of the files and those above them, sorted.
func directories(changes []Change) []string {
	seen := map[string]bool{".": true}
	list := []string{"."}
	for _, c := range changes {
		for _, dir := range parents(c.Path) {
			if !seen[dir] {
				seen[dir] = true
				list = append(list, dir)
			}
		}
	}
	slices.Sort(list)
	return list
}

const (
	tempPrefix = ".flysql-init-"
	tempSuffix = ".tmp"
)

// tempName names the file beside name that holds its new or its old content.
// A fixed name will do: the lock keeps other runs away, and a killed run's
// files are removed first.
func tempName(name, what string) string {
	return path.Join(path.Dir(name), tempPrefix+path.Base(name)+"."+what+tempSuffix)
}

func isTemp(base string) bool {
	return strings.HasPrefix(base, tempPrefix) && strings.HasSuffix(base, tempSuffix)
}
