package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/flysql/flysql/internal/move"
)

// WritersError is that the app still writes to PostgreSQL.
type WritersError struct {
	Sessions []string // that have a transaction open which writes, or wait to
	Changed  string   // the position of a change that came while there should be none
}

func (e *WritersError) Error() string {
	var parts []string
	if e.Changed != "" {
		parts = append(parts, "a change came at "+e.Changed+", while there should be none")
	}
	parts = append(parts, e.Sessions...)
	return "PostgreSQL is still written to: " + strings.Join(parts, "; ") + ": stop what writes, and begin the cutover again"
}

// stopped looks twice for writers, and keeps them out from then on where it may. All that
// was committed is applied then.
func (c *cutover) stopped(ctx context.Context) error {
	if err := c.noWriters(ctx); err != nil {
		return err
	}
	c.o.Progress(Progress{State: "looking for writers", Position: c.f.state.Position, Rows: c.f.state.Rows})
	if err := wait(ctx, c.o.Settled); err != nil {
		return err
	}
	c.f.changed = ""
	if err := c.drained(ctx); err != nil {
		return err
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	return c.drained(ctx)
}

// drained applies what is left; a change is a writer's.
func (c *cutover) drained(ctx context.Context) error {
	if err := c.f.run(ctx, c.f.here()); err != nil {
		return err
	}
	if c.f.changed != "" {
		return &WritersError{Changed: c.f.changed}
	}
	return c.noWriters(ctx)
}

// stillStopped looks again, when the comparison is done.
func (c *cutover) stillStopped(ctx context.Context) error {
	if err := c.drained(ctx); err != nil {
		return err
	}
	var waiting []string
	if err := each(ctx, c.conn, sessionSQL+" WHERE pg_backend_pid() = ANY (pg_blocking_pids(a.pid))", []any{&waiting}, func() {}); err != nil {
		return err
	}
	if len(waiting) > 0 {
		return &WritersError{Sessions: waiting}
	}
	return nil
}

const sessionSQL = `SELECT coalesce(array_agg(format('process %s (%s, user %s, %s)', a.pid, coalesce(nullif(a.application_name, ''), 'no name'), a.usename, a.state) ORDER BY a.pid), '{}')
	FROM pg_catalog.pg_stat_activity AS a`

// noWriters looks for transactions that have written something and have not ended. Of what
// another user's session is, PostgreSQL tells not everybody: what it tells all is that it is
// some user's, which autovacuum is not.
func (c *cutover) noWriters(ctx context.Context) error {
	var sessions, prepared []string
	if err := each(ctx, c.conn, sessionSQL+` WHERE a.datname = current_database() AND a.usesysid IS NOT NULL AND a.backend_xid IS NOT NULL AND a.pid <> pg_backend_pid()`,
		[]any{&sessions}, func() {}); err != nil {
		return fmt.Errorf("look for writers: %w", err)
	}
	if err := each(ctx, c.conn, `SELECT coalesce(array_agg('the prepared transaction ' || gid || ' of ' || owner ORDER BY gid), '{}') FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()`,
		[]any{&prepared}, func() {}); err != nil {
		return fmt.Errorf("look for writers: %w", err)
	}
	if all := slices.Concat(sessions, prepared); len(all) > 0 {
		return &WritersError{Sessions: all}
	}
	return nil
}

// lock keeps writers from the tables until c.conn ends its transaction; readers are free.
// Without the right to, it goes without: then a change shows in the stream.
func (c *cutover) lock(ctx context.Context) error {
	if _, err := c.conn.Exec(ctx, "SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '5s'; BEGIN"); err != nil {
		return err
	}
	for _, t := range c.f.plan.Tables {
		only := "ONLY "
		if t.Source.Kind == move.PartitionedTable {
			only = ""
		}
		_, err := c.conn.Exec(ctx, "LOCK TABLE "+only+t.Source.String()+" IN SHARE MODE")
		var pg *pgconn.PgError
		switch {
		case err == nil:
			continue
		case !errors.As(err, &pg):
			return err
		case pg.Code == "55P03":
			return &WritersError{Sessions: []string{"a transaction that has written to " + t.Source.String() + " does not end"}}
		case pg.Code == "42501":
			c.result.Notes = append(c.result.Notes, fmt.Sprintf("this user may not lock %s: whether writers stay away was looked at, and not made sure of", t.Source))
			return rollback(ctx, c.conn)
		}
		return fmt.Errorf("lock %s: %w", t.Source, err)
	}
	return nil
}

func rollback(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "ROLLBACK")
	return err
}
