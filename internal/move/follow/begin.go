package follow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
)

// Begin makes what changes will be heard by, then the file, of the moment from which on
// they are. On an error nothing of it is left in PostgreSQL, or the error says what.
func Begin(ctx context.Context, source Source, o Options) (*transfer.Report, error) {
	o = o.defaults()
	if o.Name == "" {
		name, err := nameFor(source.Path)
		if err != nil {
			return nil, err
		}
		o.Name = name
	}
	if !ours(o.Name) || len(o.Name) > 50 {
		return nil, fmt.Errorf("%q: the slot's name begins with flysql_, so that it is found again, and is of a-z, 0-9 and _, 50 of them at most", o.Name)
	}
	// A schema of the app's own may be in the file that is there.
	if _, err := os.Lstat(source.Path); err == nil && !o.Transfer.Replace && o.Transfer.Base != source.Path {
		return nil, fmt.Errorf("%s: %w: move it away, or replace it, which keeps it beside", source.Path, transfer.ErrExists)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	conn, err := connect(ctx, source.URL)
	if err != nil {
		return nil, err
	}
	defer closing(conn)
	if err := alone(ctx, conn, o.Name); err != nil {
		return nil, err
	}
	plan, err := planNow(ctx, conn, source.Plan)
	if err != nil {
		return nil, err
	}
	b := &beginning{source: source, o: o, conn: conn, plan: plan}
	if o.Mode == Triggers {
		return b.triggers(ctx)
	}
	return b.logical(ctx)
}

// aloneWithin is how long what has just ended may hold a name.
const aloneWithin = 3 * time.Second

// alone keeps another Begin of the name out for as long as conn is there. What one that
// is under way has made looks as if it had been killed: while it copies, nobody uses its slot.
func alone(ctx context.Context, conn *pgx.Conn, name string) error {
	// PostgreSQL takes its time to notice that a session has ended: so long is waited.
	for end := time.Now().Add(aloneWithin); ; {
		var ok bool
		if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_try_advisory_lock(hashtextextended($1, 0))", name).Scan(&ok); err != nil || ok {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: another import begins with it: %w", name, ErrBusy)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// planNow plans what is there.
func planNow(ctx context.Context, conn *pgx.Conn, planner Planner) (*move.Plan, error) {
	schema, err := move.ReadSchema(ctx, conn)
	if err != nil {
		return nil, err
	}
	return planner(ctx, schema)
}

// beginning is a Begin under way.
type beginning struct {
	source Source
	o      Options
	conn   *pgx.Conn
	plan   *move.Plan // before there is a snapshot
}

func (b *beginning) logical(ctx context.Context) (report *transfer.Report, err error) {
	if err := b.clearSlot(ctx); err != nil {
		return nil, err
	}
	if err := fitLogical(ctx, b.conn, b.plan); err != nil {
		return nil, err
	}
	r, err := openReplication(ctx, b.source.URL) // before anything is made
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	made, err := publish(ctx, b.conn, b.o.Name, b.source.Path, b.plan)
	if err != nil {
		return nil, err
	}
	b.o.at("published")
	if report, err = b.copyAtSlot(ctx, r, made); err != nil {
		return nil, errors.Join(err, b.undo(ctx, r, made))
	}
	return report, nil
}

// clearSlot removes what a Begin that was killed has left under the name.
func (b *beginning) clearSlot(ctx context.Context) error {
	found, err := Find(ctx, b.conn)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Name != b.o.Name {
			continue
		}
		if f.Active {
			return fmt.Errorf("the slot %s: %w: it is PostgreSQL's process %d", f.Name, ErrBusy, f.PID)
		}
		if f.Whose != whose(b.source.Path, stageCopying) && !f.bare() {
			return fmt.Errorf("%s is there already (%s), and %s does not know of it: %s", f.Name, f.Whose, b.source.Path, f.Drop())
		}
		if f.bare() {
			return nil // a publication that somebody has made for us
		}
		b.o.Warn(fmt.Sprintf("an import that did not end has left %s: it is removed", f.Name))
		_, err := remove(ctx, b.conn, f.Name) // its publication may be another's, and is looked at then
		return err
	}
	return nil
}

// undo removes what has been made, in spite of whatever ended the beginning.
func (b *beginning) undo(ctx context.Context, r *replication, made bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*dropPatience)
	defer cancel()
	err := r.close()
	conn, connErr := connect(ctx, b.source.URL) // the other one may have been cut
	if connErr == nil {
		defer closing(conn)
		err = dropSlot(ctx, conn, b.o.Name)
		if made {
			_, dropErr := dropPublication(ctx, conn, b.o.Name)
			err = errors.Join(err, dropErr)
		}
	}
	if err = errors.Join(err, connErr); err != nil {
		return fmt.Errorf("the slot %s may be left in PostgreSQL, which keeps WAL for it: %w; run the command again, or SELECT pg_drop_replication_slot('%s')", b.o.Name, err, b.o.Name)
	}
	return nil
}

// copyAtSlot makes the slot, and the file of its snapshot.
func (b *beginning) copyAtSlot(ctx context.Context, r *replication, made bool) (*transfer.Report, error) {
	b.o.Progress(Progress{State: "waiting", Why: "the slot waits for transactions that have begun before it"})
	from, snapshot, err := r.createSlot(ctx, b.o.Name)
	if err != nil {
		return nil, err
	}
	b.o.at("slot")
	live, err := transfer.OpenAt(ctx, b.source.URL, snapshot)
	if err != nil {
		return nil, err
	}
	defer live.Close()
	state := &State{Mode: Logical, Name: b.o.Name, Server: r.server, Position: from.String()}
	report, err := b.copy(ctx, live, snapshot, state)
	if err != nil {
		return nil, err
	}
	b.o.at("copied")
	if made {
		_, err = b.conn.Exec(ctx, "COMMENT ON PUBLICATION "+b.o.Name+" IS "+quoted(whose(b.source.Path, stageFollowing)))
	}
	if err != nil { // the file has it all; the comment is for people
		b.o.Warn("write the publication's comment: " + err.Error())
	}
	return report, nil
}

// copy makes the file of a snapshot that somebody holds, with the state in it.
func (b *beginning) copy(ctx context.Context, live *transfer.Live, snapshot string, state *State) (*transfer.Report, error) {
	plan, err := b.source.Plan(ctx, live.Schema())
	if err != nil {
		return nil, err
	}
	if state.shape, err = shapeAt(ctx, b.source.URL, snapshot, plan); err != nil {
		return nil, err
	}
	before, err := shapeOf(ctx, b.conn, b.plan)
	if err != nil {
		return nil, err
	}
	if what := before.differs(state.shape); what != "" || len(plan.Tables) != len(b.plan.Tables) {
		return nil, fmt.Errorf("the tables have changed meanwhile: begin again: %s", what)
	}
	state.Database, state.Stage, state.Recall = live.Schema().Server.Database, Following, b.o.Recall
	t := b.o.Transfer
	t.Also = append(t.Also, state.statements()...)
	return b.o.Import(ctx, live, plan, b.source.Path, t)
}

// shapeAt reads the shape of a plan's tables in a snapshot.
func shapeAt(ctx context.Context, url, snapshot string, plan *move.Plan) (s shape, err error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return s, err
	}
	defer closing(conn)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err == nil {
		_, err = tx.Exec(ctx, "SET TRANSACTION SNAPSHOT "+quoted(snapshot))
	}
	if err == nil {
		s, err = shapeOf(ctx, tx, plan)
	}
	return s, err
}
