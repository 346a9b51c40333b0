package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// account is who the app runs as.
type account struct {
	name     string // may be empty for a bare uid
	home     string
	uid, gid int
	groups   []int
}

// own gives the database and what is beside it to the app's user, and becomes
// that user. Fly mounts a new volume as root's.
func (b *boot) own(context.Context) (report, error) {
	if b.node != nil {
		return b.ownLiteFS()
	}
	self := os.Geteuid()
	if b.User == "" {
		if err := b.accessible(fmt.Sprintf("uid %d", self)); err != nil {
			return report{}, err
		}
		return report{outcome: "skipped", attrs: []slog.Attr{slog.String("why", "FLYSQL_USER is not set"), slog.Int("uid", self)}}, nil
	}
	who, err := findAccount(b.User)
	if err != nil {
		return report{}, refused("add the user in the Dockerfile (RUN useradd --system "+b.User+") or change FLYSQL_USER", "the user %q: %w", b.User, err)
	}
	if b.DryRun {
		return report{outcome: "skipped", attrs: []slog.Attr{slog.String("why", "dry run"), slog.Int("uid", who.uid)}}, nil
	}
	changed := 0
	if self != who.uid {
		if self != 0 {
			return report{}, refused("remove USER from the Dockerfile: the entrypoint needs root to give the volume to FLYSQL_USER, and then becomes that user itself",
				"cannot become %s (uid %d): running as uid %d, not root", b.User, who.uid, self)
		}
		if changed, err = b.giveTo(who); err != nil {
			return report{}, err
		}
		if err := who.become(); err != nil {
			return report{}, failed("", "become %s (uid %d): %w", b.User, who.uid, err)
		}
	}
	b.Env = who.environ(b.Env)
	if self != who.uid && len(b.Command) > 0 {
		// The first look was root's.
		if _, err := b.find(b.Command); err != nil {
			return report{}, err
		}
	}
	if err := b.accessible(b.User); err != nil {
		return report{}, err
	}
	return ok(slog.String("user", b.User), slog.Int("uid", who.uid), slog.Int("gid", who.gid), slog.Int("changed", changed)), nil
}

// ownLiteFS gives the app's user what is not LiteFS's own: the place for snapshots,
// and on Fly's first boot all else on the volume. This process stays root.
func (b *boot) ownLiteFS() (report, error) {
	if !b.DryRun {
		if err := os.MkdirAll(b.state.dir, 0o700); err != nil {
			return report{}, b.noRoomOr(err, "make the directory for locks and snapshots")
		}
		if err := os.Mkdir(b.localDir(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return report{}, b.noRoomOr(err, "make the directory for the app's local files")
		}
		for _, dir := range []string{filepath.Dir(b.state.dir), b.state.dir, b.localDir()} {
			if info, err := os.Lstat(dir); err != nil || !info.IsDir() { // the app could have made it a link
				return report{}, refused("remove it", "%s is not a directory", dir)
			}
		}
		// Made here, so that nothing in it is root's afterwards.
		f, err := os.OpenFile(b.state.nodeLock(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return report{}, b.noRoomOr(err, "make the lock of the data directory")
		}
		f.Close()
	}
	if b.User == "" {
		return report{outcome: "skipped", attrs: []slog.Attr{slog.String("why", "FLYSQL_USER is not set"), slog.Int("uid", os.Geteuid())}}, nil
	}
	who, err := findAccount(b.User)
	if err != nil {
		return report{}, refused("add the user in the Dockerfile (RUN useradd --system "+b.User+") or change FLYSQL_USER", "the user %q: %w", b.User, err)
	}
	if b.DryRun {
		return report{outcome: "skipped", attrs: []slog.Attr{slog.String("why", "dry run"), slog.Int("uid", who.uid)}}, nil
	}
	changed, err := b.giveTo(who)
	if err != nil {
		return report{}, err
	}
	b.who = &who
	return ok(slog.String("user", b.User), slog.Int("uid", who.uid), slog.Int("gid", who.gid), slog.Int("changed", changed)), nil
}

// giveTo changes the owner of what the app must be able to write: the database's
// directory, its files, and .flysql. On Fly's first boot, when the volume is
// still root's, everything on it.
func (b *boot) giveTo(who account) (changed int, err error) {
	give := func(path string) error {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if st := info.Sys().(*syscall.Stat_t); int(st.Uid) == who.uid {
			return nil
		}
		changed++
		return os.Lchown(path, who.uid, who.gid)
	}
	// The root of a walk is given last: that it still is root's says that a walk
	// which was cut short must be done again.
	walk := func(root string) error {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist), path == root && err == nil:
				return nil
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "lost+found": // fsck's, and root's
				return fs.SkipDir
			case b.node != nil && path == b.node.data: // LiteFS's, which stays root
				return fs.SkipDir
			}
			return give(path)
		})
		if err != nil {
			return err
		}
		return give(root)
	}
	err = func() error {
		if b.needsVolume(b.data()) {
			info, err := os.Stat(b.mount)
			if err != nil {
				return err
			}
			whole := info.Sys().(*syscall.Stat_t).Uid == 0 && (b.node == nil || b.node.data != b.mount)
			if whole {
				return walk(b.mount)
			}
		}
		if b.node != nil {
			return walk(filepath.Dir(b.state.dir))
		}
		own := []string{b.path, b.path + "-wal", b.path + "-shm", b.path + "-journal"}
		if info, err := os.Stat(b.dir); err != nil {
			return err
		} else if info.Mode()&(os.ModeSticky|0o002) == 0 { // a directory for everybody, such as /tmp, stays so
			own = append(own, b.dir)
		}
		for _, path := range own {
			if err := give(path); err != nil {
				return err
			}
		}
		return walk(filepath.Join(b.dir, stateDir))
	}()
	if err != nil {
		return changed, failed("", "give %s to %s: %w", b.dir, b.User, err)
	}
	return changed, nil
}

// accessible makes sure that this process can use the database's files as the
// user it now is.
func (b *boot) accessible(who string) error {
	for _, path := range []string{b.dir, b.path, b.path + "-wal", b.path + "-journal"} {
		mode := uint32(unix.R_OK | unix.W_OK)
		if path == b.dir {
			mode |= unix.X_OK
		}
		err := unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS)
		if err != nil && !(path != b.dir && errors.Is(err, fs.ErrNotExist)) {
			return refused("start the image as root with FLYSQL_USER set, so that the entrypoint can give the volume's files to that user; or chown them",
				"%s cannot be written by %s: %w", path, who, err)
		}
	}
	return nil
}

// findAccount resolves a user's name, or uid[:gid].
func findAccount(s string) (account, error) {
	name, group, _ := strings.Cut(s, ":")
	if uid, err := strconv.Atoi(name); err == nil {
		a := account{uid: uid, gid: uid}
		if u, err := user.LookupId(name); err == nil {
			a = accountOf(u)
		}
		if group != "" {
			if a.gid, err = strconv.Atoi(group); err != nil {
				return account{}, fmt.Errorf("the group in %q is not a number", s)
			}
			a.groups = []int{a.gid}
		}
		if a.uid < 0 || a.gid < 0 {
			return account{}, fmt.Errorf("%q is negative", s)
		}
		return a, nil
	}
	if group != "" {
		return account{}, fmt.Errorf("%q: give a name, or uid:gid as numbers", s)
	}
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, err
	}
	return accountOf(u), nil
}

func accountOf(u *user.User) account {
	a := account{name: u.Username, home: u.HomeDir}
	a.uid, _ = strconv.Atoi(u.Uid) // numbers on every Unix
	a.gid, _ = strconv.Atoi(u.Gid)
	ids, _ := u.GroupIds() // none when /etc/group cannot be read: the own group remains
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			a.groups = append(a.groups, n)
		}
	}
	return a
}

// allGroups are the account's groups, its own at least.
func (a account) allGroups() []int {
	if len(a.groups) == 0 {
		return []int{a.gid}
	}
	return a.groups
}

// credential is the account for a child that is to be started as it.
func (a account) credential() *syscall.Credential {
	c := &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	for _, g := range a.allGroups() {
		c.Groups = append(c.Groups, uint32(g))
	}
	return c
}

// become drops to the account, in every thread of the process, for good.
func (a account) become() error {
	if err := syscall.Setgroups(a.allGroups()); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setgid(a.gid); err != nil {
		return fmt.Errorf("set gid: %w", err)
	}
	if err := syscall.Setuid(a.uid); err != nil {
		return fmt.Errorf("set uid: %w", err)
	}
	if a.uid != 0 && syscall.Setuid(0) == nil {
		return errors.New("root could be taken back")
	}
	return nil
}

// environ is env as the account would have it after a login.
func (a account) environ(env []string) []string {
	env = append([]string{}, env...)
	if a.home != "" {
		env = append(env, "HOME="+a.home)
	}
	if a.name != "" {
		env = append(env, "USER="+a.name, "LOGNAME="+a.name)
	}
	return dedupe(env)
}

// dedupe keeps the last value of each variable: some programs read the first.
func dedupe(env []string) []string {
	last := map[string]int{}
	for i, kv := range env {
		key, _, _ := strings.Cut(kv, "=")
		last[key] = i
	}
	out := env[:0:0]
	for i, kv := range env {
		if key, _, _ := strings.Cut(kv, "="); last[key] == i {
			out = append(out, kv)
		}
	}
	return out
}
