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
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// publicationSQL is the statement that makes the publication. Partitions are published
// as themselves: published by their root, a TRUNCATE of one would not come at all.
func publicationSQL(name string, plan *move.Plan) string {
	var tables []string
	for _, t := range plan.Tables {
		table := "ONLY " + t.Source.String() // a child by inheritance is a table of its own in the plan
		if t.Source.Kind == move.PartitionedTable {
			table = t.Source.String()
		}
		if t.Where != "" {
			table += " WHERE (" + t.Where + ")"
		}
		tables = append(tables, table)
	}
	return "CREATE PUBLICATION " + name + " FOR TABLE " + strings.Join(tables, ", ") + " WITH (publish = 'insert, update, delete, truncate')"
}

// publish makes the publication, or looks at the one that somebody has made.
func publish(ctx context.Context, conn *pgx.Conn, name, path string, plan *move.Plan) (made bool, err error) {
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = $1)", name).Scan(&there); err != nil {
		return false, err
	}
	if there {
		return false, published(ctx, conn, name, plan)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // of a transaction that has ended it is none
	if err := move.PinSettings(ctx, tx); err != nil {
		return false, err
	}
	statement := publicationSQL(name, plan)
	if _, err := tx.Exec(ctx, statement); err != nil {
		return false, refusedPublication(err, statement)
	}
	if err := filtersTold(ctx, tx, name); err != nil {
		return false, err
	}
	if _, err := tx.Exec(ctx, "COMMENT ON PUBLICATION "+name+" IS "+quoted(whose(path, stageCopying))); err != nil {
		return false, err
	}
	return true, tx.Commit(ctx)
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func refusedPublication(err error, statement string) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42501" || pg.Code == "0LP01") {
		return &UnfitError{Mode: Logical, Reasons: []string{fmt.Sprintf("this user may not make a publication (%s): have the tables' owner, who has CREATE on the database, or a superuser run %q, and begin again", pg.Message, statement)}}
	}
	return fmt.Errorf("%s: %w", statement, err)
}

// published looks whether a publication that somebody has made has all of the plan.
func published(ctx context.Context, tx queryer, name string, plan *move.Plan) error {
	whole, by := false, map[move.Name]bool{}
	if err := each(ctx, tx, "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT pubviaroot FROM pg_catalog.pg_publication WHERE pubname = $1", []any{&whole}, func() {}, name); err != nil {
		return err
	}
	var n move.Name
	if err := each(ctx, tx, `SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_publication AS p JOIN pg_catalog.pg_publication_rel AS r ON r.prpubid = p.oid
		JOIN pg_catalog.pg_class AS c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE p.pubname = $1`,
		[]any{&n.Schema, &n.Name}, func() { by[n] = true }, name); err != nil {
		return err
	}
	missing := slices.ContainsFunc(plan.Tables, func(t *move.TablePlan) bool { return !by[t.Source.Name] })
	if !whole || missing || len(by) != len(plan.Tables) {
		return fmt.Errorf("the publication %s is there and is not of what is to be followed: DROP PUBLICATION %s, or make it anew by %q", name, name, publicationSQL(name, plan))
	}
	return nil
}

// filtersTold looks whether the columns of conditions are in the replica identity: where
// they are not, PostgreSQL would refuse the app's own updates.
func filtersTold(ctx context.Context, tx queryer, name string) error {
	var table move.Name
	var column string
	var reasons []string
	err := each(ctx, tx, `SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_catalog.pg_publication AS p
		JOIN pg_catalog.pg_publication_rel AS r ON r.prpubid = p.oid JOIN pg_catalog.pg_class AS c ON c.oid = r.prrelid
		JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_publication_rel'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0
		JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
		WHERE p.pubname = $1 AND c.relreplident <> 'f'
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS x WHERE x.indexrelid = pg_get_replica_identity_index(c.oid) AND a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1]))
		ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", a.attname COLLATE "C"`, []any{&table.Schema, &table.Name, &column}, func() {
		reasons = append(reasons, fmt.Sprintf("the condition on %s reads %s, which is not in its key: ALTER TABLE %s REPLICA IDENTITY FULL, or leave the condition out", table, pgexpr.PgIdent(column), table))
	}, name)
	if err == nil && len(reasons) > 0 {
		return &UnfitError{Reasons: reasons, Mode: Logical}
	}
	return err
}

// dropPublication drops it, if it is there. One that another user has made for this one
// stays, and costs nothing: note says so.
func dropPublication(ctx context.Context, conn *pgx.Conn, name string) (note string, err error) {
	_, err = conn.Exec(ctx, "DROP PUBLICATION IF EXISTS "+name)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42501" {
		return "the publication is another user's, and stays: DROP PUBLICATION " + name, nil
	}
	return "", err
}

// slot is a replication slot as the server sees it.
type slot struct {
	Name, Database string
	Active         bool
	PID            int32
	Kept           int64  // bytes of WAL that are kept for it
	Status         string // "reserved", "extended", "unreserved" or "lost"
	Limit          string // max_slot_wal_keep_size
	plugin         string
}

const slotSQL = `SELECT slot_name::text, coalesce(database::text, ''), active, coalesce(active_pid, 0), coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::int8,
	coalesce(wal_status, ''), current_setting('max_slot_wal_keep_size'), coalesce(plugin::text, '') FROM pg_catalog.pg_replication_slots `

// slots reads those that a condition is true of.
func slots(ctx context.Context, tx queryer, where string, args ...any) (out []slot, err error) {
	var s slot
	err = each(ctx, tx, slotSQL+where+" ORDER BY 1", []any{&s.Name, &s.Database, &s.Active, &s.PID, &s.Kept, &s.Status, &s.Limit, &s.plugin}, func() { out = append(out, s) }, args...)
	return out, err
}

// findSlot returns the slot of a name, or nil.
func findSlot(ctx context.Context, tx queryer, name string) (*slot, error) {
	all, err := slots(ctx, tx, "WHERE slot_name = $1", name)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// dropSlot drops the slot, if it is there. What uses it must have ended, or end soon.
func dropSlot(ctx context.Context, conn *pgx.Conn, name string) error {
	return retry(ctx, dropPatience, func() (again bool, err error) {
		s, err := findSlot(ctx, conn, name)
		if err != nil || s == nil {
			return false, err
		}
		_, err = conn.Exec(ctx, "SELECT pg_catalog.pg_drop_replication_slot($1)", name)
		if inUse(err) {
			return true, fmt.Errorf("drop the slot %s: %w: %w; it is PostgreSQL's process %d", name, ErrBusy, err, s.PID)
		}
		return false, err
	})
}

// inUse reports whether PostgreSQL says that somebody has the slot.
func inUse(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55006"
}
