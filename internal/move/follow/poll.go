package follow

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
)

// Changes that triggers have written down are taken by what became visible between two
// snapshots, one transaction of SQLite's for each. Nothing else would do: numbers of
// rows and of transactions are given out before anybody commits, so that a small one may
// become visible after a larger one; and a transaction with a small number may have
// changed a row after one with a larger number had committed. But whoever waits for
// another's row sees its commit first, and so does every snapshot.

// poller is a session of a follow by triggers.
type poller struct {
	*follower
	conn *pgx.Conn

	number   int64  // of polls that have brought something; in the position
	snapshot string // of the last one

	gone int // rows that were deleted since the table was tidied up

	old, new       []field
	oldBuf, newBuf []byte
	checked        time.Time
}

func (f *follower) pollTriggers(ctx context.Context, conn *pgx.Conn, to goal) error {
	p := &poller{follower: f, conn: conn, checked: time.Now()}
	if err := p.alone(ctx); err != nil {
		return err
	}
	if err := f.a.reread(); err != nil {
		return err
	}
	number, snapshot, ok := strings.Cut(f.state.Position, " ")
	var err error
	if p.number, err = strconv.ParseInt(number, 10, 64); err != nil || !ok {
		return fmt.Errorf("%q is no position of a follow by triggers", f.state.Position)
	}
	p.snapshot = snapshot
	if err := p.sound(ctx); err != nil {
		return err
	}
	for {
		f.lag.alive = time.Now()
		n, err := p.poll(ctx)
		if err != nil {
			return err
		}
		if to != nil { // a snapshot has what is committed by now
			return errReached
		}
		if err := p.look(ctx); err != nil {
			return err
		}
		if n == 0 {
			if err := wait(ctx, f.o.Batch); err != nil {
				return err
			}
		}
	}
}

// alone keeps other followers off.
func (p *poller) alone(ctx context.Context) error {
	var busy, there bool
	if err := p.conn.QueryRow(ctx, "SELECT NOT pg_catalog.pg_try_advisory_lock(hashtextextended($1, 0)), to_regclass($1 || '.about') IS NOT NULL", p.state.Name).Scan(&busy, &there); err != nil {
		return err
	}
	switch {
	case !there:
		return fmt.Errorf("the schema %s with the changes is not there: %w", p.state.Name, ErrLost)
	case busy:
		return fmt.Errorf("%s: %w", p.state.Name, ErrBusy)
	}
	return nil
}

// sound looks whether what the file is in want of is there.
func (p *poller) sound(ctx context.Context) error {
	var mark string
	var confirmed int64
	var future bool
	if err := p.conn.QueryRow(ctx, "SELECT mark, confirmed, pg_snapshot_xmin($1::text::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot()) FROM "+p.state.Name+".about", p.snapshot).Scan(&mark, &confirmed, &future); err != nil {
		return err
	}
	switch {
	case mark != p.state.Server:
		return fmt.Errorf("%s follows another database than the one at this address", p.source.Path)
	case confirmed > p.number:
		return fmt.Errorf("PostgreSQL was told that the file has more than it has: it is an older copy of the file: %w", ErrLost)
	case future:
		return fmt.Errorf("PostgreSQL has lost transactions that the file has, by a failover or a restored backup: %w", ErrLost)
	}
	return p.watched(ctx)
}

// watched looks whether the triggers are there: somebody who loads data may have switched
// off all of a table's, and a change that none has seen is in no snapshot.
func (p *poller) watched(ctx context.Context) error {
	ids := []uint32{}
	for _, t := range p.state.shape.Tables {
		ids = append(ids, t.ID)
		for _, l := range t.Partitions {
			ids = append(ids, l.ID)
		}
	}
	var off []string
	if err := each(ctx, p.conn, `SELECT coalesce(array_agg(c.oid::regclass::text ORDER BY c.oid), '{}') FROM pg_catalog.pg_class AS c
		LEFT JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = c.oid AND g.tgname = $2 WHERE c.oid = ANY ($1) AND (g.tgenabled IS NULL OR g.tgenabled = 'D')`,
		[]any{&off}, func() {}, ids, move.OwnTrigger); err != nil {
		return fmt.Errorf("look for the triggers: %w", err)
	}
	if len(off) > 0 {
		return fmt.Errorf("the trigger %s is off or gone on %s: %w", move.OwnTrigger, strings.Join(off, ", "), ErrLost)
	}
	return nil
}

// poll applies what has become visible, and returns how many changes.
func (p *poller) poll(ctx context.Context) (n int, err error) {
	tx, err := p.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return 0, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // it has only read
	var snapshot string
	var oldest time.Time
	if err := tx.QueryRow(ctx, "SELECT pg_catalog.pg_current_snapshot()::text, now()").Scan(&snapshot, &oldest); err != nil {
		return 0, err
	}
	if err := p.learn(ctx, tx); err != nil {
		return 0, err
	}
	if n, err = p.apply(ctx, tx); err != nil || n == 0 {
		return n, err
	}
	p.o.at("flush")
	position := fmt.Sprintf("%d %s", p.number+1, snapshot)
	if err := p.a.commit(position); err != nil {
		return n, err
	}
	p.o.at("flushed")
	p.number, p.snapshot, p.changed, p.lag.committed = p.number+1, snapshot, position, oldest
	if err := tx.Rollback(ctx); err != nil {
		return n, err
	}
	return n, p.tidy(ctx, n)
}

// tidyAfter is how many deleted rows are tidied up together: PostgreSQL by itself takes a
// minute or more, in which each poll would read them all.
const tidyAfter = 100_000

// tidy deletes what the file has, and tells PostgreSQL that it does.
func (p *poller) tidy(ctx context.Context, n int) error {
	_, err := p.conn.Exec(ctx, fmt.Sprintf("WITH done AS (DELETE FROM %[1]s.changes WHERE pg_visible_in_snapshot(xid, $1::text::pg_snapshot)) UPDATE %[1]s.about SET confirmed = $2", p.state.Name), p.snapshot, p.number)
	if p.gone += n; err == nil && p.gone > tidyAfter {
		p.gone = 0
		_, err = p.conn.Exec(ctx, "VACUUM (TRUNCATE off) "+p.state.Name+".changes")
	}
	return err
}

// apply applies the changes that are visible now and were not before.
func (p *poller) apply(ctx context.Context, tx pgx.Tx) (n int, err error) {
	rows, err := tx.Query(ctx, "SELECT relation::text, op::text, old, new FROM "+p.state.Name+".changes WHERE NOT pg_visible_in_snapshot(xid, "+quoted(p.snapshot)+") ORDER BY id", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := p.row(rows.RawValues()); err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}

func (p *poller) row(raw [][]byte) (err error) {
	id, err := strconv.ParseUint(string(raw[0]), 10, 32)
	if err != nil || len(raw[1]) != 1 {
		return errRecord
	}
	t := p.tables[uint32(id)]
	if t == nil {
		return fmt.Errorf("%w: a change is of a table that is not there (oid %d)", ErrChanged, id)
	}
	c := &change{op: op(raw[1][0])}
	if c.op == truncated {
		return p.a.empty(t)
	}
	if c.old, p.oldBuf, err = t.record(raw[2], p.old, p.oldBuf); err != nil {
		return t.explain(err, nil)
	}
	if c.new, p.newBuf, err = t.record(raw[3], p.new, p.newBuf); err != nil {
		return t.explain(err, nil)
	}
	if c.old != nil {
		p.old = c.old
	}
	if c.new != nil {
		p.new = c.new
	}
	return p.a.apply(t, c)
}

// record reads a row of a table; NULL is no row.
func (t *table) record(text []byte, list []field, buf []byte) ([]field, []byte, error) {
	if text == nil {
		return nil, buf, nil
	}
	fields, buf, err := readRecord(string(text), list[:0], buf)
	if err == nil && t.fields == 0 {
		fields = fields[:0]
	}
	return fields, buf, err
}

// learn learns which relations the changes may be of, where one is not known.
func (p *poller) learn(ctx context.Context, tx pgx.Tx) error {
	var unknown []uint32
	var id uint32
	known := []uint32{} // and not NULL
	for k := range p.tables {
		known = append(known, k)
	}
	if err := each(ctx, tx, "SELECT DISTINCT relation FROM "+p.state.Name+".changes WHERE relation <> ALL ($1)", []any{&id}, func() { unknown = append(unknown, id) }, known); err != nil {
		return err
	}
	for _, id := range unknown {
		var columns []columnShape
		var c columnShape
		var root uint32
		if err := each(ctx, tx, `SELECT coalesce(pg_partition_root(a.attrelid)::oid, a.attrelid), a.attname::text, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attgenerated <> ''
			FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
			[]any{&root, &c.Name, &c.Type, &c.Mod, &c.SQL, &c.Generated}, func() { columns = append(columns, c) }, id); err != nil {
			return err
		}
		if err := p.add(id, root, columns); err != nil {
			return err
		}
	}
	return nil
}

// add makes the table for a relation's changes.
func (p *poller) add(id, root uint32, columns []columnShape) (err error) {
	if root == 0 {
		root = id
	}
	at := slices.IndexFunc(p.state.shape.Tables, func(s tableShape) bool { return s.ID == root })
	if at < 0 {
		return nil // a change of it is an error
	}
	s := p.state.shape.Tables[at]
	if what := columnsDiffer(s.source(), s.Columns, columns); len(what) > 0 {
		return fmt.Errorf("%w: %s", ErrChanged, what[0])
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	p.tables[id], err = newExactTable(p.planOf(at), names)
	return err
}

// look does now and then what is not about changes.
func (p *poller) look(ctx context.Context) error {
	p.follower.intruded()
	if time.Since(p.checked) > checkEvery {
		p.checked = time.Now()
		if err := p.unchanged(ctx, p.conn); err != nil {
			return err
		}
		if err := p.watched(ctx); err != nil {
			return err
		}
	}
	return p.lag.tellTable(ctx, p.follower, p.conn)
}
