package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/flysql/flysql/internal/migrate"
	"golang.org/x/sys/unix"
)

// commandTool is what the journal calls a migrate command.
const commandTool = "command"

// migrate brings the schema to what this image needs. When it fails, the
// database is as it was before, where a snapshot or SQLite's own rollback allows.
func (b *boot) migrate(ctx context.Context) (report, error) {
	if len(b.MigrateCommand) == 0 && len(b.pending.Pending) == 0 {
		return b.nothingPending(), nil
	}
	if b.DryRun {
		return b.wouldMigrate(), nil
	}
	j := &journal{Tool: commandTool, Snapshot: b.snap, Existed: b.exists}
	if b.set != nil {
		j.Tool = string(b.set.Tool())
		for _, m := range b.pending.Pending {
			j.Pending = append(j.Pending, pending{Version: m.Version, File: m.File, NoTx: m.NoTx})
		}
	}
	if err := b.noteNode(ctx, j); err != nil {
		return report{}, err
	}
	if err := b.state.writeJournal(j); err != nil {
		return report{}, b.noRoomOr(err, "write the journal of the migration")
	}
	if err := b.fault("migrate.journal"); err != nil {
		return report{}, err
	}

	applied, err := b.runMigrations(ctx)
	if err == nil && b.node != nil {
		err = b.taken(ctx)
	}
	if err == nil {
		err = b.fault("migrate.done")
	}
	if err != nil {
		return report{}, b.undo(ctx, j, applied, err)
	}
	if err := b.state.removeJournal(); err != nil {
		return report{}, failed("", "remove the journal of the migration: %w", err)
	}
	if err := b.tidy(); err != nil {
		return report{}, failed("", "remove old snapshots: %w", err)
	}
	// From here on the database is the app's.
	if err := unix.Flock(int(b.use.file.Fd()), unix.LOCK_SH); err != nil {
		return report{}, failed("", "share the database's lock: %w", err)
	}
	attrs := []slog.Attr{slog.String("tool", j.Tool)}
	if b.set != nil && len(applied) > 0 {
		attrs = append(attrs, slog.Int("applied", len(applied)), slog.String("version", applied[len(applied)-1].Version))
	}
	return ok(attrs...), nil
}

// noteNode notes what shows later that nobody else has written: the position that
// the snapshot was taken at, and who takes the migrations.
func (b *boot) noteNode(ctx context.Context, j *journal) error {
	if b.node == nil {
		return nil
	}
	info, err := b.node.info(ctx)
	if err != nil {
		return failed("", "ask LiteFS who it is: %w", err)
	}
	if !info.IsPrimary {
		return failed("boot again", "this node is not the primary any more")
	}
	j.Position, j.Run = b.from.String(), info.id
	return nil
}

// tidy removes what is no longer needed once all went well: of snapshots and of
// what restores kept, all but the last few; and the new snapshot, if a migrate
// command found nothing to do.
func (b *boot) tidy() error {
	if b.snap != "" && b.before == b.stamp() {
		if err := b.dropSnapshot(); err != nil {
			return err
		}
	}
	if b.Snapshots < 0 {
		return nil
	}
	return errors.Join(b.prune(b.state.snapshots(), b.snap), b.prune(b.state.aside(), ""))
}

func (b *boot) dropSnapshot() error {
	err := os.Remove(filepath.Join(b.state.snapshots(), b.snap))
	b.snap = ""
	return err
}

func (b *boot) nothingPending() report {
	if b.set == nil {
		return skipped("there are no migrations")
	}
	r := ok(slog.String("tool", string(b.set.Tool())), slog.Int("applied", 0), slog.String("version", b.pending.Version))
	if n := len(b.pending.Unknown); n > 0 {
		r.warn = true
		r.attrs = append(r.attrs, slog.String("warning", fmt.Sprintf("the database is newer than this image: it has %d migrations that the image does not know (%s)",
			n, strings.Join(b.pending.Unknown, ", "))))
	}
	return r
}

func (b *boot) wouldMigrate() report {
	if len(b.MigrateCommand) > 0 {
		return report{outcome: "would run", attrs: []slog.Attr{slog.String("command", b.MigrateCommand[0])}}
	}
	var files []string
	for _, m := range b.pending.Pending {
		files = append(files, b.shown(m.File))
	}
	return report{outcome: "would run", attrs: []slog.Attr{slog.String("tool", string(b.set.Tool())), slog.String("pending", strings.Join(files, ", "))}}
}

func (b *boot) runMigrations(ctx context.Context) ([]migrate.Migration, error) {
	if b.set != nil {
		return b.set.Up(ctx, b.path)
	}
	env := append(append([]string{}, b.Env...), "FLYSQL_DB="+b.path)
	path, err := b.find(b.MigrateCommand)
	if err != nil {
		return nil, err
	}
	state, err := b.runChild(ctx, child{path: path, argv: b.MigrateCommand, env: env, stdout: b.Stderr, dies: b.stage != nil})
	if err != nil {
		return nil, err
	}
	if statusOf(state) != 0 {
		return nil, fmt.Errorf("%s ended with %s", b.MigrateCommand[0], statusText(state))
	}
	return nil, nil
}

// undo decides what a failed run left, puts the database back where that is
// needed and possible, and explains.
func (b *boot) undo(ctx context.Context, j *journal, applied []migrate.Migration, cause error) error {
	// The boot is over; what follows must be finished even if a signal came.
	ctx = context.WithoutCancel(ctx)
	var me *migrate.Error
	if errors.As(cause, &me) {
		shown := *me
		shown.File = b.shown(me.File)
		cause = &shown
	}

	left := b.left(ctx, j, applied, me)
	switch {
	case left == "":
		err := b.state.removeJournal()
		if b.snap != "" && err == nil {
			err = b.dropSnapshot() // nobody needs it, and it would push out an older one
		}
		return failed("nothing was migrated: the database has the schema and the rows that it had. Mend the migration and deploy again", "%w", join(cause, err))
	case j.Existed && !b.hasSnapshot(j.Snapshot):
		// The journal stays: it says which migration was under way.
		return failed("the database is left as the tool left it: "+left+", and there is no snapshot to go back to. Older copies: "+b.copies(), "%w", cause)
	}
	// From here on the next boot does it, if this one cannot. A disk too full for
	// that leaves the journal as it was.
	j.Undo = left
	if err := b.state.writeJournal(j); err != nil && !diskFull(err) {
		return b.noRoomOr(errors.Join(cause, err), "note that the migration must be undone")
	}
	if errors.Is(cause, errNotTaken) {
		return failed("LiteFS may not start again on this node's data; the other nodes, and "+b.copies()+", have the database as it was. docs/litefs.md says how to begin anew", "%w", cause)
	}
	if err := b.putBack(ctx, j); err != nil {
		var others *othersError
		if errors.As(err, &others) {
			return failed("the database is left as the tool left it: "+left+". The snapshot from before is "+filepath.Join(b.state.snapshots(), j.Snapshot), "%w; %w", cause, err)
		}
		var e *Error
		if errors.As(err, &e) {
			return failed(e.Hint, "%w; then %w", cause, e.Err)
		}
		return errors.Join(cause, err)
	}
	kept, err := b.keepReplaced(cause)
	err = errors.Join(err, b.state.removeJournal())
	b.Logger.LogAttrs(ctx, slog.LevelWarn, "restore", slog.String("outcome", "ok"), slog.String("why", left), slog.String("from", orNew(j.Snapshot)), slog.String("kept", kept))
	return failed("the database was put back as it was before. Mend the migration and deploy again", "%w", join(cause, err))
}

// keepReplaced keeps the half-migrated database that was put aside: another
// process may have written to it meanwhile. Of a row of failing boots the first
// and the last few are kept. On a full disk nothing is: the app needs the room.
func (b *boot) keepReplaced(cause error) (string, error) {
	if b.node == nil && diskFull(cause) {
		return "nothing: the disk is full", b.dropAside()
	}
	kept, err := b.keepAside()
	if err != nil || kept == "" || b.Snapshots < 0 {
		return kept, err
	}
	names, err := b.namesIn(b.state.aside())
	if err != nil || len(names) == 0 {
		return kept, err
	}
	return kept, b.prune(b.state.aside(), names[0])
}

// join adds what else went wrong to the cause, where anything did.
func join(cause, err error) error {
	if err == nil {
		return cause
	}
	return errors.Join(cause, err)
}

func orNew(snapshot string) string {
	if snapshot == "" {
		return "nothing: the database was new"
	}
	return snapshot
}

// left says why the database is not what it was before the run, or "" when the
// tool left no trace. One boot's migrations are applied all or none, so that the
// release before, whose schema it was, can be started again.
func (b *boot) left(ctx context.Context, j *journal, applied []migrate.Migration, failing *migrate.Error) string {
	switch {
	case j.Tool == commandTool:
		return "the migrate command failed, and may have done a part"
	case len(applied) > 0:
		return fmt.Sprintf("%d of %d migrations were applied before one failed", len(applied), len(j.Pending))
	case failing != nil && failing.NoTx:
		return "the migration runs outside a transaction, and may have done a part"
	case !j.Existed:
		// Only the tool's own table is in it; the next boot finds it as it was: new.
		if info, err := os.Stat(b.path); err == nil && info.Size() > 0 {
			return "the database was new"
		}
		return ""
	}
	st, err := b.set.Status(ctx, b.path)
	switch {
	case err != nil:
		return "the state of the migrations cannot be read"
	case st.Dirty:
		return fmt.Sprintf("%s marks version %s as dirty", j.Tool, st.Version)
	case len(st.Pending) != len(j.Pending):
		return "some of the migrations were applied"
	}
	return ""
}
