package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// guard makes sure that the database's directory is on a disk that stays, can be
// written, and has room.
func (b *boot) guard(context.Context) (report, error) {
	path, err := b.Config.path()
	if err != nil {
		return report{}, refused("", "%w", err)
	}
	if path, err = resolve(path); err != nil {
		return report{}, refused("remove the link, or let it point into the volume", "%w", err)
	}
	b.path, b.dir = path, filepath.Dir(path)

	mounts, err := readMounts(b.mountinfo)
	if err != nil {
		return report{}, failed("", "read the mounts: %w", err)
	}
	m := mountOf(mounts, b.dir)
	if b.onFly() {
		if why := m.vanishes(); why != "" {
			return report{}, b.notOnVolume(m, why, mounts)
		}
	}
	switch info, err := os.Stat(b.dir); {
	case errors.Is(err, fs.ErrNotExist) && b.onFly() && !m.readOnly:
		// On the volume, a directory that is not there yet is a first boot.
		if err := os.MkdirAll(b.dir, 0o755); err != nil {
			return report{}, b.noRoomOr(err, "make the database's directory")
		}
	case errors.Is(err, fs.ErrNotExist):
		return report{}, refused("mkdir -p "+b.dir+", or mount a volume there", "the database's directory %s does not exist", b.dir)
	case err != nil:
		return report{}, refused("", "look at the database's directory: %w", err)
	case !info.IsDir():
		return report{}, refused("let DATABASE_URL name a file in a directory of the volume", "%s is not a directory, so it cannot hold the database", b.dir)
	}

	room, err := spaceOf(b.dir)
	switch {
	case err != nil:
		return report{}, failed("", "ask for the free space of %s: %w", b.dir, err)
	case m.readOnly || room.readOnly:
		return report{}, refused("mount it for writing", "%s cannot be written: %s is mounted read-only", b.dir, m.point)
	case room.free < b.MinFree:
		return report{}, refused(
			"extend the volume (fly volumes extend ID --size GB), set auto_extend_size_threshold in [mounts], or remove old files; FLYSQL_MIN_FREE=MB lowers the limit",
			"%s is full: %s free of %s, and a boot demands %s", m.point, megabytes(room.free), megabytes(room.total), megabytes(b.MinFree))
	case room.noInodes:
		return report{}, refused("remove files from it", "%s has no inode left: no file can be made there", m.point)
	}
	return ok(slog.String("db", b.path), slog.String("mount", m.point), slog.String("fs", m.fsType), slog.String("free", megabytes(room.free))), nil
}

// notOnVolume names the path, the mount and the line to fix.
func (b *boot) notOnVolume(m mount, why string, mounts []mount) error {
	hint := fmt.Sprintf("add to fly.toml: [[mounts]] with source = %q and destination = %q", "data", b.dir)
	var volumes []string
	for _, v := range mounts {
		if strings.HasPrefix(v.device, "/dev/") && v.vanishes() == "" && !slices.Contains(volumes, v.point) {
			volumes = append(volumes, v.point)
		}
	}
	if len(volumes) > 0 {
		hint = fmt.Sprintf("a disk is mounted at %s: set DATABASE_URL = %q in fly.toml's [env], or change the destination in [[mounts]] to %q",
			strings.Join(volumes, ", "), "file://"+filepath.Join(volumes[0], filepath.Base(b.path)), b.dir)
	}
	return refused(hint, "the database %s would be lost: %s is on %s (%s at %s), %s", b.path, b.dir, m.device, m.fsType, m.point, why)
}

// noRoomOr explains an error of making a file.
func (b *boot) noRoomOr(err error, doing string) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return failed("extend the volume: fly volumes extend ID --size GB", "%s: the disk is full: %w", doing, err)
	}
	return failed("", "%s: %w", doing, err)
}

// resolve follows the links in path's existing part, so that the mount is that
// of the place where the bytes go.
func resolve(path string) (string, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		target, err := filepath.EvalSymlinks(path)
		if err != nil {
			return "", fmt.Errorf("%s is a link to nowhere: %w", path, err)
		}
		return target, nil
	}
	dir, rest := filepath.Dir(path), filepath.Base(path)
	for {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return filepath.Join(real, rest), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return "", fmt.Errorf("follow %s: %w", dir, err)
		}
		if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return "", fmt.Errorf("%s is a link to nowhere", dir)
		}
		dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest)
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1fMB", float64(n)/(1<<20)) }

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
