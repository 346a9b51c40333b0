package entrypoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
)

// snapshot makes a copy of the database to go back to, when something is about
// to migrate it.
func (b *boot) snapshot(ctx context.Context) (report, error) {
	if b.set != nil {
		var err error
		if b.pending, err = b.set.Status(ctx, b.path); err != nil {
			return report{}, failed("", "read which migrations are applied: %w", err)
		}
	}
	if len(b.MigrateCommand) == 0 && len(b.pending.Pending) == 0 {
		if b.DryRun {
			return skipped("nothing is pending"), nil
		}
		return skipped("nothing is pending"), b.lockUse(ctx, unix.LOCK_SH)
	}
	if b.DryRun {
		return skipped("dry run"), nil
	}
	if err := b.refuseVacuum(ctx); err != nil {
		return report{}, err
	}
	if b.exists {
		if err := b.judge(ctx); err != nil {
			return report{}, err
		}
	}
	if err := b.lockUse(ctx, unix.LOCK_EX); err != nil {
		return report{}, err
	}
	if b.node != nil { // before the copy: what comes in between is then seen as later
		var err error
		if b.from, err = positionOf(b.path); err != nil {
			return report{}, failed("", "read the database's position: %w", err)
		}
	}
	switch {
	case b.Snapshots < 0:
		return skipped("snapshots are off"), nil
	case !b.exists:
		return skipped("the database is new"), nil
	}
	size, err := b.copySize(ctx)
	if err != nil {
		return report{}, b.damaged(ctx, err)
	}
	room, err := spaceOf(b.dir)
	if err != nil {
		return report{}, failed("", "ask for the free space: %w", err)
	}
	if room.free < size+size/10+2*max(b.MinFree, 0) { // beyond the copy, the migration and the app need some too
		return b.withoutSnapshot(fmt.Sprintf("no room: a copy needs %s, %s are free", megabytes(size), megabytes(room.free)))
	}
	if b.Check == CheckAuto && size > smallDatabase {
		if err := b.quickCheck(ctx); err != nil {
			return report{}, b.damaged(ctx, err)
		}
	}
	name, err := b.takeSnapshot(ctx)
	if diskFull(err) {
		return b.withoutSnapshot("no room: the disk was full before the copy was complete")
	}
	if err != nil {
		return report{}, failed("", "copy the database: %w", err)
	}
	b.snap = name
	b.before = b.stamp()
	return ok(slog.String("file", filepath.Join(b.state.snapshots(), name)), slog.String("size", megabytes(size))), nil
}

// withoutSnapshot goes on without a way back, but not into a migration that
// SQLite cannot roll back by itself.
func (b *boot) withoutSnapshot(why string) (report, error) {
	for _, m := range b.pending.Pending {
		if m.NoTx {
			return report{}, failed("extend the volume (fly volumes extend ID --size GB), or set FLYSQL_SNAPSHOTS=0 to migrate without a way back",
				"no snapshot can be made (%s), and %s runs outside a transaction: if it failed, the database would be left half-migrated", why, b.shown(m.File))
		}
	}
	r := skipped(why)
	r.warn = true
	r.attrs = append(r.attrs, slog.String("warning", "the migrations run without a snapshot to go back to; extend the volume to have one"))
	return r, nil
}

// copySize is the size of a copy in bytes, what is still in the WAL included.
func (b *boot) copySize(ctx context.Context) (size int64, err error) {
	db, err := sql.Open("sqlite", dsn(b.path, "ro"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&size)
	return size, err
}

func (b *boot) quickCheck(ctx context.Context) (err error) {
	db, err := sql.Open("sqlite", dsn(b.path, "ro"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = integrity(ctx, db, "quick_check")
	return err
}

// takeSnapshot copies the database page by page with SQLite's backup API: what a
// plain copy of the file would miss is in the WAL. The copy has its name only
// once it is whole and on the disk.
func (b *boot) takeSnapshot(ctx context.Context) (name string, err error) {
	dir := b.state.snapshots()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	partial := b.state.partial()
	defer func() {
		if err != nil {
			err = errors.Join(err, b.dropPartial())
		}
	}()
	if err := b.fault("snapshot.copy"); err != nil {
		return "", err
	}
	if err := b.copyInto(ctx, partial); err != nil {
		return "", err
	}
	if err := b.fault("snapshot.copied"); err != nil {
		return "", err
	}
	name, err = freeName(dir, b.state.base+"."+time.Now().UTC().Format(stamp))
	if err != nil {
		return "", err
	}
	if err := os.Rename(partial, filepath.Join(dir, name)); err != nil {
		return "", err
	}
	return name, syncDir(dir)
}

// dropPartial removes what there is of a snapshot that was not completed.
func (b *boot) dropPartial() error {
	var errs []error
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(b.state.partial() + suffix); err != nil && !isNotExist(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// stamp is how a snapshot's name tells its time; names sort by it.
const stamp = "20060102T150405.000Z"

// ownName is what follows the database's name in those of snapshots and of what
// was set aside.
var ownName = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z(-\d{3})?$`)

func freeName(dir, base string) (string, error) {
	name := base
	for i := 2; i < 1000; i++ {
		taken := false
		for _, suffix := range journalSuffixes {
			if _, err := os.Lstat(filepath.Join(dir, name+suffix)); !isNotExist(err) {
				taken = true
			}
		}
		if !taken {
			return name, nil
		}
		name = fmt.Sprintf("%s-%03d", base, i)
	}
	return "", fmt.Errorf("no free name for %s in %s", base, dir)
}

// copyInto runs the backup and makes the copy durable.
func (b *boot) copyInto(ctx context.Context, dst string) (err error) {
	db, err := sql.Open("sqlite", dsn(b.path, "ro"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// The copy has no name yet that anybody would trust, so it needs no journal.
	to := dsn(dst, "rwc", "journal_mode(OFF)", "synchronous(OFF)")
	err = conn.Raw(func(c any) error {
		source, ok := c.(interface {
			NewBackup(string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("the driver's %T has no backup", c)
		}
		backup, err := source.NewBackup(to)
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if err = context.Cause(ctx); err == nil {
				more, err = backup.Step(2048)
			}
		}
		return errors.Join(err, backup.Finish())
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(b.path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(dst, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	// What is put back must be the same user's.
	var own error
	if st := info.Sys().(*syscall.Stat_t); os.Geteuid() == 0 {
		own = f.Chown(int(st.Uid), int(st.Gid))
	}
	return errors.Join(own, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close())
}

// contentStamp tells that a database's files have not been written in between.
type contentStamp struct {
	size, wal int64
	modified  time.Time
	position  position // LiteFS's
}

func (b *boot) stamp() contentStamp {
	var s contentStamp
	path := b.path
	if b.node != nil { // whose files have the time at which they are asked
		var err error
		if s.position, err = positionOf(path); err != nil {
			s.modified = time.Now() // like no other
		}
		return s
	}
	if info, err := os.Stat(path); err == nil {
		s.size, s.modified = info.Size(), info.ModTime()
	}
	if info, err := os.Stat(path + "-wal"); err == nil {
		s.wal = info.Size()
	}
	return s
}

// snapshotNames lists this database's snapshots, oldest first.
func (b *boot) snapshotNames() ([]string, error) { return b.namesIn(b.state.snapshots()) }

func (b *boot) namesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		rest, mine := strings.CutPrefix(e.Name(), b.state.base+".")
		if mine && ownName.MatchString(rest) { // anything else is somebody's own
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// prune removes the oldest files in dir, down to the number that is kept; never
// the one that is named, whatever the clock made of its name.
func (b *boot) prune(dir, never string) error {
	names, err := b.namesIn(dir)
	if err != nil {
		return err
	}
	keep := b.Snapshots
	if slices.Contains(names, never) {
		names = slices.DeleteFunc(names, func(n string) bool { return n == never })
		keep--
	}
	for _, name := range names[:max(0, len(names)-keep)] {
		for _, suffix := range journalSuffixes {
			if err := os.Remove(filepath.Join(dir, name+suffix)); err != nil && !isNotExist(err) {
				return err
			}
		}
	}
	return nil
}
