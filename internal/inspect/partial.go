package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// claim makes the partial file, or takes over one that a killed run has left.
func claim(partial string) (*os.File, error) {
	for range 100 {
		f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f); err != nil {
			f.Close()
			return nil, err
		}
		// Whoever held it may have given it its name, or removed it, meanwhile.
		mine, err := f.Stat()
		now, err2 := os.Lstat(partial)
		if err == nil && err2 == nil && os.SameFile(mine, now) {
			if err := f.Truncate(0); err != nil {
				f.Close()
				return nil, err
			}
			return f, nil
		}
		f.Close()
	}
	return nil, errBusyCopy
}

var errBusyCopy = errors.New("another flysql db copy is writing there: wait for it to end, or give another name")

// dropPartial removes what there is of a copy.
func dropPartial(partial string) error {
	var errs []error
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(partial + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// seal makes the copy durable, and whose the original is.
func seal(partial string, source fs.FileInfo) (size int64, err error) {
	f, err := os.OpenFile(partial, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := errors.Join(giveTo(f, source), f.Chmod(source.Mode().Perm()), f.Sync()); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// give gives the copy its name, and another to what has it now.
func (d *Database) give(dest, partial string, o CopyOptions) (kept string, err error) {
	if err := d.checkDest(dest, o); err != nil { // it may have come meanwhile
		return "", err
	}
	if _, err := os.Lstat(dest); err == nil {
		if kept, err = keep(dest); err != nil {
			return "", err
		}
	}
	if err := o.fault("copy.rename"); err != nil {
		return "", err
	}
	if err := os.Rename(partial, dest); err != nil {
		return "", err
	}
	return kept, syncDir(filepath.Dir(dest))
}

// keep gives a file a second name, so that it is there all the time.
func keep(dest string) (string, error) {
	for i := 1; i < 10_000; i++ {
		name := dest + ".old"
		if i > 1 {
			name = fmt.Sprintf("%s.old-%d", dest, i)
		}
		err := os.Link(dest, name)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("keep the file that is there: %w; move it away yourself", err)
		}
		return name, nil
	}
	return "", fmt.Errorf("there is no free name to keep %s under: remove some of %s.old-*", dest, dest)
}
