package entrypoint

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// guardLiteFS makes sure that LiteFS's data is on a disk that stays and has room,
// and that the database is one that LiteFS copies.
func (b *boot) guardLiteFS() (report, error) {
	n := b.node
	path, err := b.Config.path()
	if err != nil {
		return report{}, refused("", "%w", err)
	}
	if err := b.placesOf(n, path); err != nil {
		return report{}, err
	}
	mounts, err := readMounts(b.mountinfo)
	if err != nil {
		return report{}, failed("", "read the mounts: %w", err)
	}
	m := mountAt(mounts, existing(n.data))
	b.mount = m.point
	if why := m.vanishes(); b.needsVolume(n.data) && why != "" {
		return report{}, dataNotOnVolume(n, m, why, mounts)
	}
	b.path, b.dir = filepath.Join(n.mount, filepath.Base(path)), n.mount
	b.state = stateOfNode(n.data, b.path, mounts)
	warning, err := b.strayURL(mounts)
	if err != nil {
		return report{}, err
	}
	room, err := spaceOf(existing(n.data))
	switch {
	case err != nil:
		return report{}, failed("", "ask for the free space of %s: %w", n.data, err)
	case m.readOnly || room.readOnly:
		return report{}, refused("mount it for writing", "%s cannot be written: %s is mounted read-only", n.data, m.point)
	case room.free < b.MinFree:
		return report{}, refused("extend the volume (fly volumes extend ID --size GB), or remove files"+b.removable()+"; FLYSQL_MIN_FREE=MB lowers the limit",
			"%s is full: %s free of %s, and a boot demands %s", m.point, megabytes(room.free), megabytes(room.total), megabytes(b.MinFree))
	case room.noInodes:
		return report{}, refused("remove files from it", "%s has no inode left: no file can be made there", m.point)
	}
	r := ok(slog.String("db", b.path), slog.String("data", n.data), slog.String("mount", m.point), slog.String("fs", m.fsType), slog.String("free", megabytes(room.free)))
	if p := n.conf.Proxy; p.Target != "" && p.DB != filepath.Base(b.path) {
		warning = append(warning, fmt.Sprintf("proxy.db is %s, so LiteFS's proxy waits for another database's position", p.DB))
	}
	if len(warning) > 0 {
		r.warn = true
		r.attrs = append(r.attrs, slog.String("warning", strings.Join(warning, "; ")))
	}
	return r, nil
}

// placesOf resolves the two directories, and refuses a database that is in
// neither or in the wrong one.
func (b *boot) placesOf(n *node, path string) (err error) {
	if n.data, err = resolve(n.conf.Data.Dir); err != nil {
		return refused("remove the link, or let data.dir name a directory of the volume", "%s: data.dir: %w", n.file, err)
	}
	if n.mount, err = resolveMount(n.conf.FUSE.Dir); err != nil {
		return refused("remove the link, or let fuse.dir name another directory", "%s: fuse.dir: %w", n.file, err)
	}
	switch {
	case below(n.mount, n.data):
		return refused("let fuse.dir be another directory, such as /litefs", "%s: fuse.dir %s is in data.dir %s", n.file, n.mount, n.data)
	case below(n.data, n.mount):
		return refused("let data.dir be a directory of the volume, such as /data/litefs", "%s: data.dir %s is in fuse.dir %s, which is mounted over it", n.file, n.data, n.mount)
	}
	dir, err := resolveMount(filepath.Dir(path))
	if err != nil {
		return refused("", "follow the database's directory: %w", err)
	}
	if dir != n.mount {
		return refused(fmt.Sprintf("set FLYSQL_DB=%s; LiteFS has no sub-directories", filepath.Join(n.mount, filepath.Base(path))),
			"the database %s is not in %s, fuse.dir of %s: LiteFS would not copy it", path, n.mount, n.file)
	}
	if base := filepath.Base(path); strings.HasPrefix(base, ".") || hasAnySuffix(base, "-wal", "-shm", "-journal", "-pos", "-lock") {
		return refused("give the database another name", "%s is a name that LiteFS has for itself", path)
	}
	return nil
}

func hasAnySuffix(s string, suffixes ...string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}

// resolveMount is resolve for the mount point. What is mounted there is not asked:
// it may be what a LiteFS that was killed, or is being killed, has left.
func resolveMount(dir string) (string, error) {
	dir = filepath.Clean(dir)
	parent, err := resolve(filepath.Join(filepath.Dir(dir), "x"))
	if err != nil {
		return "", err
	}
	real := filepath.Join(filepath.Dir(parent), filepath.Base(dir))
	if m, err := mountedAt(real); err != nil || m.point != "" {
		return real, err
	}
	info, err := os.Lstat(real)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return resolve(real)
	}
	return real, nil
}

// dataNotOnVolume names data.dir, the mount and the line to change.
func dataNotOnVolume(n *node, m mount, why string, mounts []mount) error {
	hint := "mount a volume in fly.toml ([[mounts]] with source = \"data\" and destination = \"/data\") and set data.dir: \"/data/litefs\""
	for _, v := range mounts {
		if strings.HasPrefix(v.device, "/dev/") && v.vanishes() == "" {
			hint = fmt.Sprintf("a disk is mounted at %s: set data.dir: %q", v.point, filepath.Join(v.point, "litefs"))
			break
		}
	}
	return refused(hint, "%s: data.dir %s would be lost: it is on %s (%s at %s), %s", n.file, n.data, m.device, m.fsType, m.point, why)
}

// strayURL looks at DATABASE_URL where FLYSQL_DB names the database instead.
func (b *boot) strayURL(mounts []mount) ([]string, error) {
	path, err := Config{DB: b.getenv("DATABASE_URL")}.path()
	if err != nil {
		return nil, nil // not set, or no SQLite file
	}
	if dir, err := resolveMount(filepath.Dir(path)); err == nil && dir == b.dir {
		if filepath.Base(path) == filepath.Base(b.path) {
			return nil, nil
		}
		return []string{"DATABASE_URL names another database, " + path + ": nothing here migrates that one"}, nil
	}
	stray, err := b.otherDatabase(mounts)
	if err != nil || stray == "" {
		return nil, err
	}
	return []string{"DATABASE_URL names another database, " + stray + ": if the app opens that one, LiteFS does not copy it"}, nil
}
