package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
)

// Run applies changes to the file until ctx is done, whose error it returns then. Where
// PostgreSQL is out of reach it tries again, for Options.GiveUp. A file that Run has
// left, however that came, is followed on by another Run.
func Run(ctx context.Context, source Source, o Options) error {
	f, err := open(ctx, source, o)
	if err != nil {
		return err
	}
	if f.state.Stage == Verified { // a cutover was killed, and is not to be
		if err := setStage(f.db, Following); err != nil {
			return errors.Join(err, f.close())
		}
	}
	return errors.Join(f.run(ctx, nil), f.close())
}

// follower follows: one file, in one goroutine.
type follower struct {
	source Source
	o      Options
	state  *State
	plan   *move.Plan
	db     *lite.Conn
	a      *applier
	tables map[uint32]*table // by the oid of a table or a partition; nil is not the plan's
	lag    lag

	changed string // position of the last change of a row; "" where there was none
}

// openPatience is how long PostgreSQL may be out of reach at the beginning, where its
// address may be wrong.
const openPatience = 30 * time.Second

// open opens a file, and plans what is there now.
func open(ctx context.Context, source Source, o Options) (f *follower, err error) {
	err = retry(ctx, openPatience, func() (again bool, err error) {
		f, err = openOnce(ctx, source, o)
		return err != nil && ctx.Err() == nil && passing(err), err
	})
	return f, err
}

func openOnce(ctx context.Context, source Source, o Options) (f *follower, err error) {
	state, err := Load(ctx, source.Path)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, source.URL)
	if err != nil {
		return nil, err
	}
	defer closing(conn)
	f = &follower{source: source, o: o.defaults(), state: state, tables: map[uint32]*table{}}
	if err := f.unchanged(ctx, conn); err != nil { // before a plan is asked for what is gone
		return nil, err
	}
	if f.plan, err = planNow(ctx, conn, source.Plan); err != nil {
		return nil, err
	}
	if err := f.samePlan(); err != nil {
		return nil, err
	}
	if f.db, err = openFile(ctx, source.Path); err != nil {
		return nil, err
	}
	if f.a, err = newApplier(f.db, state); err != nil {
		return nil, errors.Join(err, f.db.Close())
	}
	return f, nil
}

func (f *follower) close() error { return errors.Join(f.a.close(), f.forget(), f.db.Close()) }

// forget closes the statements of all tables.
func (f *follower) forget() (err error) {
	for id, t := range f.tables {
		if t != nil {
			err = errors.Join(err, t.close())
		}
		delete(f.tables, id)
	}
	return err
}

// unchanged looks whether the tables are what they were.
func (f *follower) unchanged(ctx context.Context, conn *pgx.Conn) error {
	now, err := readShape(ctx, conn, f.state.shape.names())
	if err != nil {
		return fmt.Errorf("look at the tables: %w", err)
	}
	if what := f.state.shape.differs(now); what != "" {
		return fmt.Errorf("%w: %s", ErrChanged, what)
	}
	return nil
}

// samePlan looks whether rows become what they became in the copy.
func (f *follower) samePlan() error {
	for i, s := range f.state.shape.Tables {
		if t := f.planOf(i); t == nil || digest(t) != s.Plan {
			return fmt.Errorf("%s would be kept otherwise than it was copied: give the choices that the import was begun with", s.source())
		}
	}
	return nil
}

// newcomers are tables that have come since the copy, and are in neither.
func (f *follower) newcomers() (out []string) {
	known := map[string]bool{}
	for _, t := range f.state.shape.Tables {
		known[t.source()] = true
	}
	for _, t := range f.plan.Tables {
		if !known[t.Source.String()] {
			out = append(out, t.Source.String())
		}
	}
	return out
}

// planOf is what becomes of the table at a place of the shape.
func (f *follower) planOf(i int) *move.TablePlan {
	name := f.state.shape.names()[i]
	for _, t := range f.plan.Tables {
		if t.Source.Name == name {
			return t
		}
	}
	return nil
}

// errReached is that a session has come to its goal.
var errReached = errors.New("the goal is reached")

// goal is what a session ends at: it returns what it is, as the session's mode has it.
type goal func(ctx context.Context, conn *pgx.Conn) (string, error)

// run follows until a goal is reached, or for ever.
func (f *follower) run(ctx context.Context, to goal) error {
	for _, name := range f.newcomers() {
		f.o.Warn(name + " has come since the copy: it is not followed, and not in the file")
	}
	last, pause := time.Now(), 100*time.Millisecond
	for {
		before := f.state.Position
		err := f.session(ctx, to)
		if rolled := errors.Join(f.a.rollback(), f.forget()); rolled != nil && ctx.Err() == nil {
			return errors.Join(err, rolled)
		}
		busy := inUse(err) || errors.Is(err, ErrBusy)
		switch {
		case errors.Is(err, errReached):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !passing(err):
			return err
		case f.state.Position != before && !busy || f.lag.alive.After(last):
			last, pause = time.Now(), 100*time.Millisecond
		case busy && time.Since(last) > min(f.o.GiveUp, inUsePatience):
			return fmt.Errorf("%w: %w", ErrBusy, err)
		case time.Since(last) > f.o.GiveUp:
			return fmt.Errorf("PostgreSQL has been out of reach for %s; the same command goes on from here: %w", f.o.GiveUp, err)
		}
		f.o.Progress(f.lag.out(f.state, err))
		if err := wait(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// inUsePatience is how long a slot may be in use by a connection of ours that PostgreSQL
// does not know to be cut: more than its wal_sender_timeout.
const inUsePatience = 90 * time.Second

// session follows by one connection.
func (f *follower) session(ctx context.Context, to goal) error {
	conn, err := connect(ctx, f.source.URL)
	if err != nil {
		return err
	}
	defer closing(conn)
	if err := f.unchanged(ctx, conn); err != nil {
		return err
	}
	if f.state.Mode == Triggers {
		err = f.pollTriggers(ctx, conn, to)
	} else {
		err = f.logical(ctx, conn, to)
	}
	if conn.IsClosed() && !errors.Is(err, errReached) { // not by us: pgx has several words for it
		return fmt.Errorf("%w: %w", errEnded, err)
	}
	return err
}

// intruded warns, once for each time, of another's write to the file.
func (f *follower) intruded() {
	if f.a.intruded {
		f.a.intruded = false
		f.o.Warn(f.source.Path + ": another program has written to the file, which holds what is in PostgreSQL until the cutover: its verification will say what differs")
	}
}
