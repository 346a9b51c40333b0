package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// system mounts what every container has.
func system(root string) error {
	if err := mount("/dev", filepath.Join(root, "dev"), "bind", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	// By a process of the space, so that it shows the space's processes.
	out, err := exec.Command("mount", "-t", "proc", "proc", filepath.Join(root, "proc")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount proc: %w: %s", err, out)
	}
	return nil
}

var (
	// seen are the top directories of the host that stages have too. All others
	// are hidden: nothing of the host's may be what makes an image work.
	seen = []string{"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "usr", "var"}
	// empty are those of an image that have nothing in them.
	empty = []string{"home", "media", "mnt", "opt", "root", "srv", "tmp", "usr/local", "var/tmp"}
)

// hideHost prepares the lowest layer: a whiteout for what an image does not
// have, and an opaque directory for what is empty there.
// https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories
func hideHost(upper string) error {
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if slices.Contains(seen, e.Name()) || slices.Contains(empty, e.Name()) {
			continue
		}
		if err := unix.Mknod(filepath.Join(upper, e.Name()), unix.S_IFCHR, 0); err != nil {
			return fmt.Errorf("hide /%s: %w", e.Name(), err)
		}
	}
	for _, name := range empty {
		dir := filepath.Join(upper, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Setxattr(dir, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			return fmt.Errorf("hide /%s: %w", name, err)
		}
		if filepath.Base(name) == "tmp" {
			if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
				return err
			}
		}
	}
	return os.MkdirAll(filepath.Join(upper, "usr/local/bin"), 0o755)
}

// likeDebian undoes what the host has and the public images have not: package
// sources of third parties, and a resolv.conf that is a link or a mount.
func likeDebian(st *stage) error {
	sources := filepath.Join(st.root, "etc/apt/sources.list.d")
	entries, err := os.ReadDir(sources)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Name() != "debian.sources" && e.Name() != "ubuntu.sources" {
			if err := os.RemoveAll(filepath.Join(sources, e.Name())); err != nil {
				return err
			}
		}
	}
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a host without one has no names to resolve
	}
	if err != nil {
		return err
	}
	return st.write("/etc/resolv.conf", string(resolv))
}
