package entrypoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/flysql/flysql/internal/migrate"
	"golang.org/x/sys/unix"
	sqlite3 "modernc.org/sqlite/lib"
)

// Putting a database back is a row of renames, so that it works on a full disk,
// and its first one states the intent, so that a kill at any point leaves enough
// for the next boot to finish:
//
//	snapshots/app.db.<time> -> app.db.restore      the intent
//	app.db, -wal, -journal  -> app.db.aside*       what it replaces, kept
//	app.db.restore          -> app.db              the deed
//	app.db.aside*           -> aside/app.db.<time> or removed
//
// An empty app.db.restore means that there was no database before.

var journalSuffixes = []string{"", "-wal", "-journal"}

// settle deals with what an earlier boot left when it was cut short.
func (b *boot) settle(ctx context.Context) ([]slog.Attr, error) {
	var attrs []slog.Attr
	if err := errors.Join(b.dropPartial(), b.dropRestoring()); err != nil {
		return nil, failed("", "remove an unfinished snapshot: %w", err)
	}
	_, err := os.Lstat(b.state.restore())
	switch {
	case err == nil:
		if err := b.lockUse(ctx, unix.LOCK_EX); err != nil {
			return nil, err
		}
		if err := b.refuseIfSkipped("the copy in " + b.state.restore()); err != nil {
			return nil, err
		}
		if err := b.finishRestore(); err != nil {
			return nil, failed("", "finish putting the database back as it was: %w", err)
		}
		if err := b.state.removeJournal(); err != nil {
			return nil, failed("", "remove the journal: %w", err)
		}
		attrs = append(attrs, slog.String("restored", "finished what an earlier boot began"))
	case !isNotExist(err):
		return nil, failed("", "look for an unfinished restore: %w", err)
	}
	if _, err := b.keepAside(); err != nil {
		return nil, failed("", "keep what a restore replaced: %w", err)
	}

	j, err := b.state.readJournal()
	if err != nil {
		return nil, failed("look at the file; remove it if the database is as it should be", "an earlier boot's journal: %w", err)
	}
	if j == nil {
		return attrs, b.state.forgetSkipped()
	}
	if err := b.lockUse(ctx, unix.LOCK_EX); err != nil {
		return nil, err
	}
	why, err := b.halfWay(ctx, j)
	if err != nil {
		return nil, failed("", "find out how far the last migration came: %w", err)
	}
	log := func(level slog.Level, outcome string, more ...slog.Attr) {
		b.Logger.LogAttrs(ctx, level, "settle", append([]slog.Attr{slog.String("outcome", outcome), slog.String("why", "the last boot was cut short while it migrated")}, more...)...)
	}
	switch {
	case why == "":
		// SQLite has rolled back what was under way; what was done stays done.
		log(slog.LevelInfo, "continues")
	case j.Existed && !b.hasSnapshot(j.Snapshot):
		log(slog.LevelWarn, "continues", slog.String("warning", why+", and there is no snapshot to go back to"))
	default:
		if err := b.refuseIfSkipped("the snapshot " + filepath.Join(b.state.snapshots(), j.Snapshot)); err != nil {
			return nil, err
		}
		err := b.putBack(ctx, j)
		var others *othersError
		if errors.As(err, &others) {
			log(slog.LevelWarn, "continues", slog.String("warning", why+", and "+err.Error()+". The snapshot from before is "+filepath.Join(b.state.snapshots(), j.Snapshot)))
			break
		}
		if err != nil {
			return nil, err
		}
		kept, err := b.keepAside()
		if err != nil {
			return nil, failed("", "keep what a restore replaced: %w", err)
		}
		log(slog.LevelWarn, "restored", slog.String("reason", why), slog.String("from", j.Snapshot), slog.String("kept", kept))
		attrs = append(attrs, slog.String("restored", why))
	}
	if err := errors.Join(b.state.removeJournal(), b.state.forgetSkipped()); err != nil {
		return nil, failed("", "remove the journal: %w", err)
	}
	return attrs, nil
}

// refuseIfSkipped stops a boot that would put the database back although an app
// was started on it, past the steps, since the migration was cut short. Which of
// the two states is wanted is a person's to say.
func (b *boot) refuseIfSkipped(older string) error {
	if _, err := os.Lstat(b.state.skipped()); err != nil {
		return nil
	}
	return failed(fmt.Sprintf("to keep the database as it is now: rm -f %s %s %s. To go back to the older state: rm %s, and boot again; what is there now is kept in %s",
		b.state.skipped(), b.state.journal(), b.state.restore(), b.state.skipped(), b.state.aside()),
		"a migration was cut short, and since then an app was started with FLYSQL_SKIP and may have written to %s: it is not replaced by %s", b.path, older)
}

func (b *boot) hasSnapshot(name string) bool {
	if name == "" || name != filepath.Base(name) {
		return false
	}
	info, err := os.Lstat(filepath.Join(b.state.snapshots(), name))
	return err == nil && info.Mode().IsRegular()
}

// halfWay says why the database may be between two states of its schema, or ""
// when the tool's table and SQLite's own recovery leave no doubt that it is not.
func (b *boot) halfWay(ctx context.Context, j *journal) (string, error) {
	switch {
	case j.Undo != "":
		return j.Undo, nil
	case j.Tool == commandTool:
		return "the migrate command did not finish", nil
	case b.set == nil || string(b.set.Tool()) != j.Tool:
		return "the tool that was migrating is no longer in this image", nil
	}
	st, err := b.set.Status(ctx, b.path)
	if err != nil {
		return "", err
	}
	if st.Dirty {
		return fmt.Sprintf("%s marks version %s as dirty", j.Tool, st.Version), nil
	}
	return interruptedIn(j.Pending, st), nil
}

// interruptedIn names the first migration of a run that is not recorded as
// applied, if it is one that can be left half-done.
func interruptedIn(run []pending, st migrate.Status) string {
	for _, p := range run {
		done := slices.Contains(st.Unknown, p.Version) ||
			slices.ContainsFunc(st.Applied, func(m migrate.Migration) bool { return m.Version == p.Version })
		if done {
			continue
		}
		if p.NoTx {
			return p.File + " runs outside a transaction and did not finish"
		}
		return ""
	}
	return ""
}

// putBack makes the database what it was before the run that j tells of. What it
// replaces is beside it as aside files afterwards.
func (b *boot) putBack(ctx context.Context, j *journal) error {
	if b.node != nil {
		return b.putBackThrough(ctx, j)
	}
	if err := b.alone(ctx); err != nil {
		return err
	}
	err := func() error {
		if err := b.fault("restore.begin"); err != nil {
			return err
		}
		if !j.Existed {
			f, err := os.OpenFile(b.state.restore(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			if err := errors.Join(f.Close(), syncDir(b.state.dir)); err != nil {
				return err
			}
		} else {
			if err := os.Rename(filepath.Join(b.state.snapshots(), j.Snapshot), b.state.restore()); err != nil {
				return err
			}
			if err := errors.Join(syncDir(b.state.dir), syncDir(b.state.snapshots())); err != nil {
				return err
			}
		}
		return b.finishRestore()
	}()
	if err != nil {
		return failed("boot again: the next boot finishes it", "put the database back as it was: %w", err)
	}
	return nil
}

// finishRestore does what an app.db.restore asks for. It can be cut short and
// begun again any number of times.
func (b *boot) finishRestore() error {
	if err := b.fault("restore.intent"); err != nil {
		return err
	}
	info, err := os.Lstat(b.state.restore())
	if err != nil {
		return err
	}
	for _, suffix := range journalSuffixes {
		err := os.Rename(b.path+suffix, b.asideFile(suffix))
		if err != nil && !isNotExist(err) {
			return err
		}
		if err := b.fault("restore.aside" + suffix); err != nil {
			return err
		}
	}
	// The index over the WAL: SQLite makes it anew.
	if err := os.Remove(b.path + "-shm"); err != nil && !isNotExist(err) {
		return err
	}
	if err := errors.Join(syncDir(b.dir), syncDir(b.state.dir)); err != nil {
		return err
	}
	if info.Size() == 0 {
		err = os.Remove(b.state.restore())
	} else {
		err = os.Rename(b.state.restore(), b.path)
	}
	if err != nil {
		return err
	}
	return errors.Join(syncDir(b.dir), syncDir(b.state.dir), b.fault("restore.done"))
}

func (b *boot) asideFile(suffix string) string {
	return filepath.Join(b.state.dir, b.state.base+".aside"+suffix)
}

// keepAside gives what a restore replaced a name of its own, and returns it: it
// may hold rows of somebody who used the database without flysql-entrypoint.
func (b *boot) keepAside() (string, error) {
	if b.node != nil {
		return b.kept, nil // putBack has
	}
	present := false
	for _, suffix := range journalSuffixes {
		if _, err := os.Lstat(b.asideFile(suffix)); err == nil {
			present = true
		}
	}
	if !present {
		return "", nil
	}
	dir := b.state.aside()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	// The database goes first. Where only its journals are left, a kill came in
	// between: they belong to the file that was moved last, and SQLite finds them
	// by its name.
	name, err := freeName(dir, b.state.base+"."+time.Now().UTC().Format(stamp))
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(b.asideFile("")); isNotExist(err) {
		if names, err := b.namesIn(dir); err == nil && len(names) > 0 && !b.hasJournals(dir, names[len(names)-1]) {
			name = names[len(names)-1]
		}
	}
	for _, suffix := range journalSuffixes {
		if err := os.Rename(b.asideFile(suffix), filepath.Join(dir, name+suffix)); err != nil && !isNotExist(err) {
			return "", err
		}
	}
	return filepath.Join(dir, name), syncDir(dir)
}

func (b *boot) hasJournals(dir, name string) bool {
	for _, suffix := range journalSuffixes[1:] {
		if _, err := os.Lstat(filepath.Join(dir, name+suffix)); err == nil {
			return true
		}
	}
	return false
}

// dropAside removes what a restore replaced: the way back on a full disk. The
// database goes last, for keepAside goes by it.
func (b *boot) dropAside() error {
	var errs []error
	for _, suffix := range slices.Backward(journalSuffixes) {
		if err := os.Remove(b.asideFile(suffix)); err != nil && !isNotExist(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// alone makes sure that no other process has the database open: its handle would
// go on writing to the file that is replaced. The use lock keeps away the apps
// that flysql-entrypoint started; SQLite's own lock tells of others, in WAL mode.
func (b *boot) alone(ctx context.Context) (err error) {
	if info, err := os.Stat(b.path); err != nil || info.Size() == 0 {
		return nil
	}
	db, err := sql.Open("sqlite", dsn(b.path, "rw", "busy_timeout(0)", "locking_mode(EXCLUSIVE)"))
	if err != nil {
		return failed("", "open the database: %w", err)
	}
	db.SetMaxOpenConns(1)
	defer func() {
		if cerr := db.Close(); cerr != nil && err == nil {
			err = failed("", "close the database: %w", cerr)
		}
	}()
	_, err = db.ExecContext(context.WithoutCancel(ctx), "BEGIN EXCLUSIVE; ROLLBACK")
	if code := sqliteCode(err) & 0xff; code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED {
		return failed("stop it, then boot again: the next boot puts the database back",
			"another process has the database open, so it was left as the migration left it: %w", err)
	}
	// Any other error is the half-done database's own: it is about to be replaced.
	return nil
}
