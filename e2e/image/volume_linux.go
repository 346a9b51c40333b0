package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// NewVolume makes a file of size bytes with an empty ext4 file system in it, as
// Fly makes a new volume: its root directory belongs to root. Chroot mounts it.
func NewVolume(file string, size int64) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	out, err := exec.Command(mkfs(), "-q", "-F", "-E", "root_owner=0:0", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make a file system in %s: %w: %s", file, err, out)
	}
	return nil
}

// mkfs lies where a user's PATH may not look.
func mkfs() string {
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if p := filepath.Join(dir, "mkfs.ext4"); isFile(p) {
			return p
		}
	}
	return "mkfs.ext4"
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// mountVolume mounts the file system in a file at a path of the image. The loop
// device detaches itself when it is unmounted. It runs on a space's thread.
func mountVolume(st *stage, file, at string) error {
	if err := mkdir(st, at); err != nil {
		return err
	}
	out, err := exec.Command("mount", "-o", "loop", file, filepath.Join(st.root, at)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount the volume %s at %s: %w: %s", file, at, err, out)
	}
	return nil
}
