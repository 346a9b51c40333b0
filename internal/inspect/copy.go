package inspect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flysql/flysql/internal/sqlitefile"
)

// CopyOptions say how to copy.
type CopyOptions struct {
	Replace bool // a file that is there is kept beside, under another name
	Vacuum  bool // VACUUM INTO: without free pages, but rowids may change
	// Progress is told how much is done, if it is not nil; total is 0 where it is not known.
	Progress func(done, total int64)

	fault func(op string) error // of tests; nil means none
	step  int                   // and theirs; 0 means backupStep
}

// Copied is what a copy has come to.
type Copied struct {
	Path  string
	Bytes int64
	Kept  string // where the file is now that was replaced; "" where there was none
}

// partialSuffix ends the name of a copy under way. It is always the same, so that the
// next run takes over what a killed one has left.
const partialSuffix = ".flysql-partial"

// ErrExists says that there is a file already.
var ErrExists = fs.ErrExist

// Copy writes the database, as it is at one moment, to a file of its own: what is in
// its -wal included, and rowids kept. The file has its name only when it is whole and
// on the disk; until then it has another, and whatever ends the copy, that one is
// removed, by the next run where this one is killed.
//
// Readers and, in WAL mode, writers go on meanwhile. With a rollback journal a writer
// may come in between a few times, and then waits; on LiteFS all is read in one
// transaction.
func (d *Database) Copy(ctx context.Context, dest string, o CopyOptions) (_ *Copied, err error) {
	if o.fault == nil {
		o.fault = func(string) error { return nil }
	}
	if o.step == 0 {
		o.step = backupStep
	}
	dest, err = filepath.Abs(dest)
	if err != nil {
		return nil, err
	}
	if err := d.checkDest(dest, o); err != nil {
		return nil, err
	}
	source, err := os.Stat(d.Path)
	if err != nil {
		return nil, err
	}
	partial := dest + partialSuffix
	held, err := claim(partial)
	if err != nil {
		return nil, fmt.Errorf("copy to %s: %w", dest, err)
	}
	defer func() {
		err = errors.Join(err, held.Close())
	}()
	defer func() {
		if err != nil {
			err = errors.Join(err, dropPartial(partial))
		}
	}()
	if err := d.fill(ctx, partial, o); err != nil {
		return nil, d.copyError(ctx, dest, err)
	}
	if err := o.fault("copy.filled"); err != nil {
		return nil, err
	}
	c := &Copied{Path: dest}
	if c.Bytes, err = seal(partial, source); err != nil {
		return nil, d.copyError(ctx, dest, err)
	}
	if ctx.Err() != nil {
		return nil, d.copyError(ctx, dest, ctx.Err())
	}
	if c.Kept, err = d.give(dest, partial, o); err != nil {
		return nil, fmt.Errorf("copy to %s: %w", dest, err)
	}
	return c, nil
}

// checkDest refuses where a copy would do harm.
func (d *Database) checkDest(dest string, o CopyOptions) error {
	dir := filepath.Dir(dest)
	if d.inMount(dir) {
		return fmt.Errorf("%s is in the LiteFS mount, which takes databases that are written through SQLite only: give a path on the volume, such as /data/%s", dest, filepath.Base(dest))
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the directory %s does not exist: mkdir -p %s", dir, dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	}
	if err := d.checkNames(dest); err != nil {
		return err
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(dest + suffix); err == nil && info.Size() > 0 {
			return fmt.Errorf("%s is there, of a database that is in use or was not closed: SQLite would take it for part of the copy; give another name", dest+suffix)
		}
	}
	info, err = os.Lstat(dest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory: add the file's name, %s", dest, filepath.Join(dest, filepath.Base(d.Path)))
	}
	if real, err := os.Stat(dest); err == nil {
		if own, err := os.Stat(d.Path); err == nil && os.SameFile(real, own) {
			return fmt.Errorf("%s is the database itself: give another name", dest)
		}
	}
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file (%s): give another name", dest, info.Mode().Type())
	case !o.Replace:
		return fmt.Errorf("%s is there already (%w): give another name, or --replace, which keeps it beside", dest, ErrExists)
	}
	if locks, _ := locksOf(dest); len(locks) > 0 {
		return fmt.Errorf("%s is open (%s): stop that, or give another name", dest, locks[0])
	}
	return nil
}

// inMount tells whether a directory is in the LiteFS mount, also by a link.
func (d *Database) inMount(dir string) bool {
	if d.LiteFS == nil {
		return false
	}
	for _, path := range []func(string) (string, error){filepath.Abs, filepath.EvalSymlinks} {
		real, err := path(dir)
		mount, mountErr := path(d.LiteFS.Mount)
		if err == nil && mountErr == nil && (real == mount || strings.HasPrefix(real, mount+"/")) {
			return true
		}
	}
	return false
}

// checkNames refuses a name that makes the copy something else than a copy: one whose
// partial file is the database itself, which would be emptied, and one that SQLite takes
// for a part of another database.
func (d *Database) checkNames(dest string) error {
	own, err := os.Stat(d.Path)
	if err != nil {
		return err
	}
	if there, err := os.Stat(dest + partialSuffix); err == nil && os.SameFile(there, own) {
		return fmt.Errorf("%s is what a copy to %s would be written to: give another name", d.Path, dest)
	}
	for _, suffix := range []string{"-wal", "-journal", "-shm", partialSuffix} {
		base, found := strings.CutSuffix(dest, suffix)
		if !found {
			continue
		}
		if suffix == partialSuffix {
			return fmt.Errorf("%s is named as what a copy to %s is written to: give another name", dest, base)
		}
		if _, err := os.Stat(base); err == nil {
			return fmt.Errorf("%s is where SQLite keeps a part of %s: give another name", dest, base)
		}
	}
	return nil
}

// fill copies the content.
func (d *Database) fill(ctx context.Context, to string, o CopyOptions) error {
	return sqlitefile.Read(ctx, d.Path, d.LiteFS != nil, func(from sqlitefile.Opening) (err error) {
		if err := os.Truncate(to, 0); err != nil { // of what was read in vain
			return err
		}
		from.Params += "&" + busyWait
		db, err := sql.Open("sqlite", from.DSN())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, conn.Close()) }()
		if err := o.fault("copy.read"); err != nil {
			return err
		}
		if o.Vacuum {
			return vacuumInto(ctx, conn, to, o)
		}
		return d.backupFrom(ctx, conn, to, o)
	})
}

// backupFrom runs a backup in one transaction where that holds up nobody, in WAL mode,
// and where it must be, on LiteFS.
func (d *Database) backupFrom(ctx context.Context, conn *sql.Conn, to string, o CopyOptions) (err error) {
	wal, err := inWAL(ctx, conn)
	if err != nil {
		return err
	}
	if d.LiteFS == nil && !wal {
		return backup(ctx, conn, to, o)
	}
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, e)
	}()
	var n int // it begins with the first look
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil {
		return err
	}
	return backup(ctx, conn, to, o)
}

func inWAL(ctx context.Context, conn *sql.Conn) (bool, error) {
	var mode string
	err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode)
	return mode == "wal", err
}

// vacuumInto has SQLite write the copy. How far it is, the file's size tells.
func vacuumInto(ctx context.Context, conn *sql.Conn, to string, o CopyOptions) error {
	done := make(chan struct{})
	told := make(chan struct{})
	go func() {
		defer close(told)
		if o.Progress == nil {
			return
		}
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if info, err := os.Stat(to); err == nil {
					o.Progress(info.Size(), 0)
				}
			}
		}
	}()
	_, err := conn.ExecContext(ctx, "VACUUM INTO ?", to)
	close(done)
	<-told
	return err
}

const (
	backupStep = 2048 // pages between two looks at the context
	// A database with a rollback journal that is written to meanwhile is begun anew,
	// but not without an end: then it is read at once, and writers wait.
	maxRestarts = 3
	// lockPatience is how long a copy waits for a lock, in turns of busyTurn: SQLite
	// does not look at a context meanwhile, and refuses some locks without waiting.
	lockPatience = 30 * time.Second
	busyTurn     = 250 * time.Millisecond
	busyPause    = 5 * time.Millisecond
)

// backup copies page by page with SQLite's backup API, which keeps rowids.
func backup(ctx context.Context, conn *sql.Conn, to string, o CopyOptions) error {
	var pages, pageSize int64
	if err := conn.QueryRowContext(ctx, "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size").Scan(&pages, &pageSize); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout=%d", busyTurn.Milliseconds())); err != nil {
		return err
	}
	// The copy has no name yet that anybody would trust, so it needs no journal.
	target := dsn(to, "rwc", "_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)")
	return conn.Raw(func(c any) (err error) {
		source, ok := c.(interface {
			NewBackup(string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("the driver's %T has no backup", c)
		}
		b, err := source.NewBackup(target)
		if err != nil {
			return err
		}
		err = steps(ctx, b, pages, pageSize, o)
		if e := b.Finish(); err == nil { // which says the same again
			err = e
		}
		return err
	})
}

// steps runs the backup. The driver does not say how many pages are left: more steps
// than the database has pages for mean that it was begun anew.
func steps(ctx context.Context, b *sqlite.Backup, pages, pageSize int64, o CopyOptions) error {
	done, restarts := int64(0), 0
	var since time.Time // when the lock was first not to be had
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := o.fault("copy.step"); err != nil {
			return err
		}
		n := int32(o.step)
		if restarts >= maxRestarts {
			n = -1
		}
		more, err := b.Step(n)
		if code(err)&0xff == sqlite3.SQLITE_BUSY {
			if since.IsZero() {
				since = time.Now()
			}
			if time.Since(since) < lockPatience {
				pause(ctx, busyPause)
				continue
			}
		}
		since = time.Time{}
		if err != nil || !more {
			return err
		}
		if done += int64(o.step); done > pages+pages/4+int64(o.step) {
			done, restarts = 0, restarts+1
		}
		if o.Progress != nil {
			o.Progress(min(done, pages)*pageSize, pages*pageSize)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// copyError explains what ended a copy.
func (d *Database) copyError(ctx context.Context, dest string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w; nothing was left behind", context.Cause(ctx))
	}
	if errors.Is(err, syscall.ENOSPC) || code(err)&0xff == sqlite3.SQLITE_FULL {
		return fmt.Errorf("copy to %s: the disk is full: %w; nothing was left behind: give a path on another disk, or extend the volume (fly volumes extend)", dest, err)
	}
	return fmt.Errorf("copy to %s: %w", dest, d.explain(ctx, err))
}
