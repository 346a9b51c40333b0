package image

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Usable says why images cannot be built and booted by Chroot here, with a FUSE
// file system inside, as LiteFS needs it. It tries what a build and a boot do, in
// a mount namespace that ends with it; a file of a megabyte is in dir meanwhile.
func Usable(dir string) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("root is needed")
	}
	for _, program := range []string{"apt-get", "fusermount3"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	dir, err = os.MkdirTemp(dir, "flysql-usable-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	volume := filepath.Join(dir, "volume")
	if err := NewVolume(volume, 1<<20); err != nil {
		return err
	}
	s, err := newSpace(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.kill()); s.close() }()
	return s.do(func() error { return tryMounts(dir, volume) })
}

// tryMounts mounts what machines do. It runs on a space's thread, and leaves the
// mounts to the end of that.
func tryMounts(dir, volume string) error {
	at := filepath.Join(dir, "mounts")
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	if err := mount("tmpfs", at, "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	for _, sub := range []string{"upper", "work", "root", "fuse"} {
		if err := os.Mkdir(filepath.Join(at, sub), 0o755); err != nil {
			return err
		}
	}
	st, err := overlay(at, nil)
	if err != nil {
		return err
	}
	if err := mountVolume(st, volume, "/data"); err != nil {
		return err
	}
	return tryFUSE(filepath.Join(at, "fuse"))
}

// tryFUSE mounts a FUSE file system that nobody serves. Closing the device ends it.
func tryFUSE(at string) error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", f.Fd())
	return errors.Join(mount("fuse", at, "fuse", 0, options), f.Close())
}
