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
	if b.node != nil {
		return b.guardLiteFS()
	}
	path, err := b.Config.path()
	if err != nil {
		return report{}, refused("", "%w", err)
	}
	if path, err = resolve(path); err != nil {
		return report{}, refused("remove the link, or let it point into the volume", "%w", err)
	}
	b.path, b.dir = path, filepath.Dir(path)
	b.state = stateOf(path)

	mounts, err := readMounts(b.mountinfo)
	if err != nil {
		return report{}, failed("", "read the mounts: %w", err)
	}
	m := mountAt(mounts, existing(b.dir))
	b.mount = m.point
	if why := m.vanishes(); b.needsVolume(b.path) && why != "" {
		return report{}, notOnVolume(b.path, m, why, mounts)
	}
	stray, err := b.otherDatabase(mounts)
	if err != nil {
		return report{}, err
	}
	if err := b.leftInLiteFS(); err != nil {
		return report{}, err
	}
	switch info, err := os.Stat(b.dir); {
	case errors.Is(err, fs.ErrNotExist) && b.onFly() && !m.readOnly && !b.DryRun:
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
			"extend the volume (fly volumes extend ID --size GB), set auto_extend_size_threshold in [mounts], or remove files"+b.removable()+"; FLYSQL_MIN_FREE=MB lowers the limit",
			"%s is full: %s free of %s, and a boot demands %s", m.point, megabytes(room.free), megabytes(room.total), megabytes(b.MinFree))
	case room.noInodes:
		return report{}, refused("remove files from it", "%s has no inode left: no file can be made there", m.point)
	}
	r := ok(slog.String("db", b.path), slog.String("mount", m.point), slog.String("fs", m.fsType), slog.String("free", megabytes(room.free)))
	if stray != "" {
		r.warn = true
		r.attrs = append(r.attrs, slog.String("warning", "DATABASE_URL names another database, "+stray+": if the app opens that one, nothing here looked after it"))
	}
	return r, nil
}

// otherDatabase looks at DATABASE_URL where FLYSQL_DB or a flag names the database
// instead: the app may open that one, and on Fly it must not vanish either.
func (b *boot) otherDatabase(mounts []mount) (string, error) {
	path, err := Config{DB: b.getenv("DATABASE_URL")}.path()
	if err != nil {
		return "", nil // not set, or no SQLite file: none of this boot's business
	}
	if path, err = resolve(path); err != nil || path == b.path {
		return "", nil
	}
	m := mountAt(mounts, existing(filepath.Dir(path)))
	if why := m.vanishes(); b.needsVolume(path) && why != "" {
		return "", notOnVolume(path, m, why, mounts)
	}
	return path, nil
}

// existing is dir, or the nearest directory above it that there is.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// removable names the snapshots, where they take room.
func (b *boot) removable() string {
	var sum int64
	for _, dir := range []string{b.state.snapshots(), b.state.aside()} {
		entries, _ := os.ReadDir(dir) // one that cannot be read is not worth naming
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				sum += info.Size()
			}
		}
	}
	if sum == 0 {
		return ""
	}
	return fmt.Sprintf(" (the snapshots in %s take %s)", b.state.dir, megabytes(sum))
}

// notOnVolume names the path, the mount and the line to fix.
func notOnVolume(path string, m mount, why string, mounts []mount) error {
	dir, base := filepath.Dir(path), filepath.Base(path)
	hint := fmt.Sprintf("mount a volume in fly.toml ([[mounts]] with source = \"data\" and destination = \"/data\") and set DATABASE_URL = %q in [env]", "file:///data/"+base)
	for _, v := range mounts {
		if strings.HasPrefix(v.device, "/dev/") && v.vanishes() == "" {
			hint = fmt.Sprintf("a disk is mounted at %s: set DATABASE_URL = %q in fly.toml's [env]", v.point, "file://"+filepath.Join(v.point, base))
			break
		}
	}
	return refused(hint, "the database %s would be lost: %s is on %s (%s at %s), %s", path, dir, m.device, m.fsType, m.point, why)
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
	if i := strings.LastIndexByte(path, '/'); hasDotDot(path) {
		// The kernel follows a link before it goes up; cleaning the name would not.
		real, err := filepath.EvalSymlinks(path[:i+1])
		if err != nil {
			return "", fmt.Errorf("follow %s: %w", path[:i], err)
		}
		return filepath.Join(real, path[i+1:]), nil
	}
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

func hasDotDot(path string) bool { return slices.Contains(strings.Split(path, "/"), "..") }

func megabytes(n int64) string { return fmt.Sprintf("%.1fMB", float64(n)/(1<<20)) }

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
