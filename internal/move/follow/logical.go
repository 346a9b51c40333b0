package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
)

// logical is a session of logical replication.
type logical struct {
	*follower
	conn   *pgx.Conn // for questions
	stream *stream
	d      decoder

	now   begin // the transaction under way
	open  bool  // one is
	skip  bool  // the file has it
	rows  int   // changed in it
	end   LSN   // all before it has been applied, but for what is open
	dirty bool  // transactions have been applied that are not on disk
	since time.Time
	saved time.Time

	goal    LSN // 0 where there is none
	checked time.Time
}

// Pauses of a session.
const (
	idleFor    = 15 * time.Millisecond // without changes, those that are there are put on disk
	saveEvery  = 10 * time.Second      // the position, where nothing changes
	checkEvery = 30 * time.Second      // of the tables
	silenceFor = 5 * time.Minute       // PostgreSQL may decode a large transaction; then the network is cut
	batchRows  = 50_000                // that wait at most, but for those of one transaction
)

func (f *follower) logical(ctx context.Context, conn *pgx.Conn, to goal) error {
	position, err := f.slotGood(ctx, conn)
	if err != nil {
		return err
	}
	r, err := openReplication(ctx, f.source.URL)
	if err != nil {
		return err
	}
	l := &logical{follower: f, conn: conn, end: position, saved: time.Now(), checked: time.Now()}
	if err := f.sameServer(r, position); err != nil {
		return errors.Join(err, r.close())
	}
	if err := r.start(ctx, f.state.Name, position); err != nil {
		return errors.Join(err, r.close())
	}
	if to != nil {
		text, err := to(ctx, conn)
		if err == nil {
			l.goal, err = ParseLSN(text)
		}
		if err != nil {
			return errors.Join(err, r.close())
		}
	}
	l.lag.alive = time.Now()
	l.stream = newStream(ctx, r, position)
	defer l.stream.end()
	return l.loop(ctx)
}

// slotGood looks whether the slot has what the file is in want of, and returns where the
// file stands. That is read last: another follower may be at work yet.
func (f *follower) slotGood(ctx context.Context, conn *pgx.Conn) (position LSN, err error) {
	s, err := findSlot(ctx, conn, f.state.Name)
	switch {
	case err != nil:
		return 0, err
	case s == nil:
		return 0, fmt.Errorf("the slot %s is not there: %w", f.state.Name, ErrLost)
	case s.Status == "lost":
		return 0, fmt.Errorf("PostgreSQL has thrown away WAL that the slot %s was to keep, by max_slot_wal_keep_size = %s: %w; raise it first", f.state.Name, s.Limit, ErrLost)
	}
	var text string
	if err := conn.QueryRow(ctx, "SELECT coalesce(confirmed_flush_lsn::text, '0/0') FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", f.state.Name).Scan(&text); err != nil {
		return 0, err
	}
	f.o.at("looked")
	confirmed, err := ParseLSN(text)
	if err := errors.Join(err, f.a.reread()); err != nil {
		return 0, err
	}
	position, err = ParseLSN(f.state.Position)
	if err == nil && confirmed > position {
		err = fmt.Errorf("the file stands at %s, and PostgreSQL was told that it has all up to %s: it is an older copy of the file: %w", position, confirmed, ErrLost)
	}
	return position, err
}

func (f *follower) sameServer(r *replication, position LSN) error {
	if r.server != f.state.Server {
		return fmt.Errorf("%s follows another PostgreSQL than the one at this address (its system identifier is %s, and this one's %s)", f.source.Path, f.state.Server, r.server)
	}
	if r.end < position {
		return fmt.Errorf("the file stands at %s, and PostgreSQL's WAL ends at %s: it has lost what it had sent, by a failover or a restored backup: %w", position, r.end, ErrLost)
	}
	return nil
}

func (l *logical) loop(ctx context.Context) error {
	idle := time.NewTimer(idleFor)
	defer idle.Stop()
	for {
		select {
		case c, more := <-l.stream.chunks:
			if !more {
				return l.stream.err
			}
			if err := l.chunk(c); err != nil {
				return err
			}
			l.stream.done(c)
		case <-idle.C:
			if err := l.idle(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		idle.Reset(l.pause())
		if err := l.look(ctx); err != nil {
			return err
		}
	}
}

// pause is how long to wait for changes.
func (l *logical) pause() time.Duration {
	if l.dirty || l.goal != 0 {
		return idleFor
	}
	return 200 * time.Millisecond
}

// chunk takes a chunk's messages.
func (l *logical) chunk(c *chunk) error {
	from := 0
	for _, to := range c.ends {
		d, err := readData(c.data[from:to])
		if err != nil {
			return err
		}
		if from = to; d.message == nil {
			err = l.alive(d)
		} else {
			err = l.message(d.message)
		}
		if err != nil {
			return err
		}
	}
	l.lag.alive = time.Now()
	return nil
}

// alive takes a sign of life, with how far PostgreSQL has sent everything.
func (l *logical) alive(d data) error {
	if !l.open {
		l.end, l.lag.inStep = max(l.end, d.end), time.Now()
	}
	switch {
	case !d.reply:
		return nil
	case !l.open && l.end > LSN(l.stream.flushed.Load()): // a PostgreSQL that is being stopped waits for it
		return l.flush()
	}
	return l.stream.r.confirm(LSN(l.stream.flushed.Load()), false)
}

// idle is called where no changes come.
func (l *logical) idle() error {
	if silence := time.Since(l.lag.alive); silence > silenceFor {
		return fmt.Errorf("%w: nothing has come for %s", errEnded, silence.Round(time.Second))
	}
	if l.open {
		return nil
	}
	position := LSN(l.stream.flushed.Load())
	if l.dirty || l.end > position && (time.Since(l.saved) > saveEvery || l.goal != 0 && l.end >= l.goal) {
		if err := l.flush(); err != nil {
			return err
		}
	}
	switch {
	case l.goal != 0 && l.end >= l.goal:
		return errReached
	case l.goal != 0:
		return l.stream.r.confirm(LSN(l.stream.flushed.Load()), true) // how far are you?
	}
	return nil
}

// flush puts what has been applied on disk, then tells PostgreSQL.
func (l *logical) flush() error {
	l.o.at("flush")
	if err := l.a.commit(l.end.String()); err != nil {
		return l.atLSN(err)
	}
	l.o.at("flushed")
	l.dirty, l.saved = false, time.Now()
	l.stream.flushed.Store(uint64(l.end))
	return l.stream.r.confirm(l.end, false)
}

// atLSN says where in PostgreSQL's WAL an error is.
func (l *logical) atLSN(err error) error {
	var changed *ChangeError
	if errors.As(err, &changed) {
		return fmt.Errorf("the transaction %d at %s: %w", l.now.xid, l.now.commit, err)
	}
	return err
}

func (l *logical) message(b []byte) error {
	m, err := l.d.decode(b)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case begin:
		position := LSN(l.stream.flushed.Load())
		l.now, l.open, l.skip, l.rows = m, true, m.commit < position, 0
	case commit:
		return l.commit(m)
	case relation:
		return l.relation(m)
	case *change:
		if t := l.tables[m.relation]; t != nil && !l.skip {
			l.rows++
			return l.atLSN(l.a.apply(t, m))
		}
	case truncation:
		return l.truncate(m)
	}
	return nil
}

func (l *logical) commit(m commit) error {
	l.open = false
	if m.end > l.end {
		l.end = m.end
	}
	if l.skip || l.rows == 0 {
		return nil
	}
	if err := l.a.unpark(); err != nil {
		return l.atLSN(err)
	}
	l.changed = l.now.commit.String()
	l.lag.committed = epoch.Add(time.Duration(m.time) * time.Microsecond)
	if !l.dirty {
		l.dirty, l.since = true, time.Now()
	}
	if l.a.rows >= batchRows || time.Since(l.since) >= l.o.Batch {
		return l.flush()
	}
	return nil
}

func (l *logical) truncate(m truncation) error {
	if l.skip {
		return nil
	}
	for _, id := range m.relations {
		t := l.tables[id]
		if t == nil {
			continue
		}
		if slices.ContainsFunc(l.state.shape.Tables, func(s tableShape) bool { return s.ID == id }) {
			l.rows++
			if err := l.a.empty(t); err != nil {
				return l.atLSN(err)
			}
			continue
		}
		// A partition: its rows are not told apart in the file. That of the whole table names
		// the partitions only.
		whole, err := l.wholeTable(t.plan, m.relations)
		if err != nil {
			return err
		}
		if !whole {
			return l.atLSN(&ChangeError{Table: t.plan.Source.String(), Err: fmt.Errorf("a partition of it was emptied by TRUNCATE, and which rows those were is not said: %w", ErrChanged)})
		}
		l.rows++
		if err := l.a.empty(t); err != nil {
			return l.atLSN(err)
		}
	}
	return nil
}

// wholeTable reports whether all partitions of a table are among relations: those that
// were copied, and those that are there.
func (l *logical) wholeTable(plan *move.TablePlan, relations []uint32) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	now, err := readShape(ctx, l.conn, []move.Name{plan.Source.Name})
	if err != nil {
		return false, fmt.Errorf("look for the partitions of %s: %w", plan.Source, err)
	}
	all := now.Tables
	for _, s := range l.state.shape.Tables {
		if s.source() == plan.Source.String() {
			all = append(all, s)
		}
	}
	return !slices.ContainsFunc(all, func(s tableShape) bool {
		return slices.ContainsFunc(s.Partitions, func(p leaf) bool { return !slices.Contains(relations, p.ID) })
	}), nil
}

// relation learns what the changes of a table are made of.
func (l *logical) relation(m relation) error {
	if old := l.tables[m.id]; old != nil {
		if err := old.close(); err != nil {
			return err
		}
	}
	at, err := l.whichTable(m)
	if err != nil || at < 0 {
		l.tables[m.id] = nil
		return err
	}
	s := l.state.shape.Tables[at]
	var names, keys []string
	var columns []columnShape
	for _, c := range m.columns {
		names = append(names, c.name)
		columns = append(columns, columnShape{Name: c.name, Type: c.typ, Mod: c.mod})
		if c.key {
			keys = append(keys, c.name)
		}
	}
	sent := slices.DeleteFunc(slices.Clone(s.Columns), func(c columnShape) bool { return c.Generated })
	if what := columnsDiffer(s.source(), sent, columns); len(what) > 0 {
		return fmt.Errorf("at %s: %w: %s", l.now.commit, ErrChanged, what[0])
	}
	t, err := newTable(l.planOf(at), names, func(name string) bool { return slices.Contains(keys, name) }, m.identity == 'f')
	l.tables[m.id] = t
	return err
}

// whichTable is the place in the shape of the table that a relation is, or is a partition
// of; -1 where it is none of the plan's.
func (l *logical) whichTable(m relation) (int, error) {
	tables := l.state.shape.Tables
	for i, s := range tables {
		if s.ID == m.id || slices.ContainsFunc(s.Partitions, func(p leaf) bool { return p.ID == m.id }) {
			return i, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var root uint32 // of a partition that is new
	err := l.conn.QueryRow(ctx, "SELECT coalesce(pg_partition_root($1::oid::regclass)::oid, 0::oid)", m.id).Scan(&root)
	if err != nil {
		return 0, fmt.Errorf("look for the table of %s.%s: %w", m.schema, m.name, err)
	}
	return slices.IndexFunc(tables, func(s tableShape) bool { return s.ID == root && root != 0 }), nil
}

// look does now and then what is not about changes.
func (l *logical) look(ctx context.Context) error {
	l.follower.intruded()
	if time.Since(l.checked) > checkEvery {
		l.checked = time.Now()
		if err := l.unchanged(ctx, l.conn); err != nil {
			return err
		}
	}
	return l.lag.tell(ctx, l.follower, l.conn, l.end)
}
