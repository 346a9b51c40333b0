package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrExists is that there is a file of the target's name, and nobody said Replace.
var ErrExists = errors.New("the file is there already")

// ErrBusy is that another import into the same file is under way.
var ErrBusy = errors.New("another import into it is under way")

// target is the file that an import makes, under another name until it is whole.
type target struct {
	path string
	temp string   // beside path; what a killed run has left there is removed
	file *os.File // of temp, and its lock
	left int64    // bytes of what a killed run had left
}

// companions are the files that SQLite has beside a database in use.
var companions = []string{"-wal", "-journal", "-shm"}

// newTarget makes and locks the file to write to.
func newTarget(path string, replace bool) (*target, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	t := &target{path: path, temp: filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".flysql-import")}
	if err := t.refuse(replace); err != nil {
		return nil, err
	}
	for range 10 { // another import may end, and take the file away, meanwhile
		f, err := os.OpenFile(t.temp, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("make a file beside %s: %w", path, err)
		}
		locked, err := lock(f)
		if err != nil || !locked {
			return nil, errors.Join(fmt.Errorf("import into %s: %w", path, errors.Join(err, busy(locked))), f.Close())
		}
		if same(f, t.temp) {
			t.file = f
			if info, err := f.Stat(); err == nil {
				t.left = info.Size()
			}
			return t, t.clean()
		}
		f.Close() // nothing has been written to it
	}
	return nil, fmt.Errorf("import into %s: %w", path, ErrBusy)
}

func busy(locked bool) error {
	if locked {
		return nil
	}
	return ErrBusy
}

// same reports whether a name is still that of an open file.
func same(f *os.File, name string) bool {
	a, err := f.Stat()
	b, err2 := os.Stat(name)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

// refuse returns why the target may not be written.
func (t *target) refuse(replace bool) error {
	info, err := os.Lstat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", t.path)
	case !replace:
		return fmt.Errorf("%s: %w: move it away, or replace it, which keeps it beside", t.path, ErrExists)
	}
	// SQLite would apply another database's WAL or journal to the new one.
	return noCompanions(t.path)
}

// noCompanions returns an error where a database has files beside it.
func noCompanions(path string) error {
	for _, suffix := range companions {
		if _, err := os.Lstat(path + suffix); err == nil {
			return fmt.Errorf("%s is there: a program has %s open, or was killed; stop it, and open and close the database once", path+suffix, filepath.Base(path))
		}
	}
	return nil
}

// clean empties the file: of a killed run.
func (t *target) clean() error {
	err := t.file.Truncate(0)
	for _, suffix := range companions {
		if e := os.Remove(t.temp + suffix); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return errors.Join(err, t.discard())
	}
	return nil
}

// discard removes the file; the lock goes after it.
func (t *target) discard() error {
	if t.file == nil {
		return nil
	}
	err := errors.Join(os.Remove(t.temp), t.file.Close())
	t.file = nil
	return err
}

// sync has the file on disk, with the mode of the one that it replaces, and whose that
// is; a new one belongs to its directory's owner, for a session on Fly is root's.
func (t *target) sync() error {
	mode, like := fs.FileMode(0o644), filepath.Dir(t.path)
	if info, err := os.Lstat(t.path); err == nil {
		mode, like = info.Mode().Perm(), t.path
	}
	if err := errors.Join(giveTo(t.file, like), t.file.Chmod(mode), t.file.Sync()); err != nil {
		return fmt.Errorf("write %s to disk: %w", t.temp, err)
	}
	return nil
}

// place gives the file its name, and returns the name that the one before it is kept
// under. From one moment to the next the target is the old file, whole, or the new one.
func (t *target) place(replace bool) (kept string, err error) {
	if err := t.refuse(replace); err != nil { // it may have come meanwhile
		return "", err
	}
	if _, err := os.Lstat(t.path); err == nil {
		if kept, err = keep(t.path); err != nil {
			return "", err
		}
		if err := os.Rename(t.temp, t.path); err != nil {
			return "", errors.Join(err, os.Remove(kept))
		}
	} else if err := os.Link(t.temp, t.path); err == nil { // unlike a rename, it overwrites nothing
		if err := os.Remove(t.temp); err != nil {
			return "", err
		}
	} else if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("%s: %w: it has come while the import ran", t.path, ErrExists)
	} else if err := os.Rename(t.temp, t.path); err != nil { // a file system without links
		return "", err
	}
	err = errors.Join(syncDir(filepath.Dir(t.path)), t.file.Close())
	t.file = nil
	return kept, err
}

// keep gives a file a second name, the first that is free.
func keep(path string) (string, error) {
	for i := 1; i < 10_000; i++ {
		name := path + ".before-import"
		if i > 1 {
			name += fmt.Sprintf("-%d", i)
		}
		err := os.Link(path, name)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
	return "", fmt.Errorf("keep %s: 9999 files of its name are kept already", path)
}
