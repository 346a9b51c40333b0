package entrypoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stateDir is the directory beside the database that holds what a boot keeps.
const stateDir = ".flysql"

// state names the files in it. One directory serves all databases beside it, so
// each name starts with the database's.
type state struct {
	dir  string // .flysql
	base string // the database's file name
}

func (s state) bootLock() string  { return filepath.Join(s.dir, s.base+".boot.lock") }
func (s state) useLock() string   { return filepath.Join(s.dir, s.base+".use.lock") }
func (s state) journal() string   { return filepath.Join(s.dir, s.base+".migrating.json") }
func (s state) skipped() string   { return filepath.Join(s.dir, s.base+".skipped") }
func (s state) restore() string   { return filepath.Join(s.dir, s.base+".restore") }
func (s state) snapshots() string { return filepath.Join(s.dir, "snapshots") }
func (s state) partial() string   { return filepath.Join(s.snapshots(), s.base+".partial") }
func (s state) aside() string     { return filepath.Join(s.dir, "aside") }

// stateOf names the files of a database.
func stateOf(db string) state {
	return state{dir: filepath.Join(filepath.Dir(db), stateDir), base: filepath.Base(db)}
}

// A lock is an flock(2). It ends with the last process that holds the
// descriptor, so a kill cannot leave one behind.
type lock struct{ file *os.File }

func (l *lock) release() {
	if l != nil && l.file != nil {
		l.file.Close() // closing cannot fail in a way that keeps the lock
		l.file = nil
	}
}

// acquire takes an flock on path, polling: a blocked flock could not be given up
// when ctx ends. waiting is called once, when somebody else holds it.
func acquire(ctx context.Context, path string, how int, limit time.Duration, waiting func(holder string)) (*lock, error) {
	// No link is followed: beside LiteFS this is root, in a directory of the app's.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(limit)
	pause := time.Millisecond
	for first := true; ; first = false {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err == nil {
			if how == unix.LOCK_EX {
				// Who holds it, for the message of whoever waits. Not a fact to act on.
				if f.Truncate(0) == nil {
					fmt.Fprintf(f, "%d\n", os.Getpid())
				}
			}
			return &lock{f}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if first {
			waiting(holder(path))
		}
		if time.Now().After(deadline) {
			f.Close()
			return nil, &busyError{path: path, holder: holder(path), waited: limit}
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(pause):
			pause = min(2*pause, 100*time.Millisecond)
		}
	}
}

// share turns the lock into a shared one that a command keeps across exec.
func (l *lock) share() error {
	if err := unix.Flock(int(l.file.Fd()), unix.LOCK_SH); err != nil {
		return err
	}
	_, err := unix.FcntlInt(l.file.Fd(), unix.F_SETFD, 0) // without FD_CLOEXEC
	return err
}

// holder is the pid that last wrote itself into the lock file; "" when unknown.
func holder(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// busyError is a lock that was not to be had in time.
type busyError struct {
	path, holder string
	waited       time.Duration
}

func (e *busyError) Error() string {
	who := "another process"
	if e.holder != "" {
		who += " (last: pid " + e.holder + ")"
	}
	return fmt.Sprintf("%s has held %s for %v", who, e.path, e.waited)
}

// lockBoots makes the steps from check to migrate run in one boot at a time.
func (b *boot) lockBoots(ctx context.Context) (*lock, error) {
	// Others of the machine have no business in it.
	if err := os.MkdirAll(b.state.dir, 0o700); err != nil {
		return nil, b.noRoomOr(err, "make the directory for locks and snapshots")
	}
	l, err := acquire(ctx, b.state.bootLock(), unix.LOCK_EX, b.LockTimeout, func(pid string) {
		b.Logger.LogAttrs(ctx, slog.LevelInfo, "lock", slog.String("outcome", "waiting"), slog.String("why", "another boot works on this database"), slog.String("pid", pid))
	})
	return l, b.explainLock(err, "wait until the other boot has ended, or raise FLYSQL_LOCK_TIMEOUT")
}

// lockUse says that this process uses the database: with others when shared,
// alone when a migration is to run, since putting the database back as it was
// would take away what an app wrote meanwhile.
func (b *boot) lockUse(ctx context.Context, how int) error {
	b.use.release()
	var err error
	b.use, err = acquire(ctx, b.state.useLock(), how, b.LockTimeout, func(pid string) {
		b.Logger.LogAttrs(ctx, slog.LevelInfo, "lock", slog.String("outcome", "waiting"), slog.String("why", "an app still uses this database"), slog.String("pid", pid))
	})
	return b.explainLock(err, "stop the app that an earlier boot started on this database, then boot again: migrations run while nothing else writes")
}

func (b *boot) explainLock(err error, hint string) error {
	var busy *busyError
	if errors.As(err, &busy) {
		return failed(hint, "%w", err)
	}
	if err != nil {
		return b.noRoomOr(err, "lock the database")
	}
	return nil
}

// journal is what stays on the disk while migrations run. Finding one at boot
// means that the last run was cut short.
type journal struct {
	Tool     string    `json:"tool"`               // "command" for a migrate command
	Snapshot string    `json:"snapshot,omitempty"` // file name in snapshots; "" when none was taken
	Existed  bool      `json:"existed"`            // the database was there before
	Pending  []pending `json:"pending,omitempty"`  // what the tool had to do, in order
	Undo     string    `json:"undo,omitempty"`     // why the run must be undone, once that is known

	// With LiteFS: where the database stood before, and which run of LiteFS, by the
	// id that it signs transactions with, was to take the migrations.
	Position string `json:"position,omitempty"`
	Run      string `json:"run,omitempty"`
}

type pending struct {
	Version string `json:"version"`
	File    string `json:"file"`
	NoTx    bool   `json:"no_tx,omitempty"` // outside a transaction: can be left half-done
}

func (s state) readJournal() (*journal, error) {
	data, err := os.ReadFile(s.journal())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	j := &journal{}
	if err := json.Unmarshal(data, j); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.journal(), err)
	}
	return j, nil
}

func (s state) writeJournal(j *journal) error {
	data, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	return writeDurably(s.journal(), append(data, '\n'))
}

func (s state) removeJournal() error {
	err := os.Remove(s.journal())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(s.dir))
}

// forgetSkipped ends what FLYSQL_SKIP noted, once it no longer matters.
func (s state) forgetSkipped() error {
	if err := os.Remove(s.skipped()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeDurably replaces path as a whole: after a crash it has the old content or
// the new. The temporary file has one name, so that a killed boot's is taken over
// by the next; the boot lock keeps others away.
func writeDurably(path string, data []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
