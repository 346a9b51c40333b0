package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// UnfitError is why a database cannot be followed as it is.
type UnfitError struct {
	Reasons []string // each says what to change
	Mode    Mode
}

func (e *UnfitError) Error() string {
	s := "it cannot be followed as it is: " + strings.Join(e.Reasons, "; ")
	if e.Mode == Logical {
		s += "; or use --follow=triggers, which asks for less"
	}
	return s
}

// fitServer says what the server lacks for logical replication.
func fitServer(ctx context.Context, tx queryer) (reasons []string, err error) {
	var level string
	var slots, slotsUsed, senders int
	if err := each(ctx, tx, `SELECT current_setting('wal_level'), current_setting('max_replication_slots')::int4,
		(SELECT count(*)::int4 FROM pg_catalog.pg_replication_slots), current_setting('max_wal_senders')::int4`,
		[]any{&level, &slots, &slotsUsed, &senders}, func() {}); err != nil {
		return nil, err
	}
	if level != "logical" {
		reasons = append(reasons, "wal_level is "+level+": ALTER SYSTEM SET wal_level = 'logical', then restart PostgreSQL (Amazon RDS: the parameter rds.logical_replication = 1; Google Cloud SQL: the flag cloudsql.logical_decoding = on)")
	}
	if slotsUsed >= slots {
		reasons = append(reasons, fmt.Sprintf("all %d replication slots are used: ALTER SYSTEM SET max_replication_slots = %d, then restart PostgreSQL, or drop one that nobody uses", slots, slots+1))
	}
	if senders == 0 {
		reasons = append(reasons, "max_wal_senders is 0: ALTER SYSTEM SET max_wal_senders = 10, then restart PostgreSQL")
	}
	return reasons, nil
}

// identity is how PostgreSQL says which row has changed.
type identity struct {
	table      string
	root       uint32 // the table of the plan that it is a partition of, or it itself
	leaf       bool
	kind       string   // "f" whole rows, "d" the primary key, "i" an index, "n" not at all
	columns    []string // of the index
	persistent bool     // not UNLOGGED
}

// identities reads those of tables and of their partitions.
func identities(ctx context.Context, tx queryer) (out []identity, err error) {
	var i identity
	var name move.Name
	err = each(ctx, tx, `SELECT n.nspname::text, c.relname::text, coalesce(pg_partition_root(c.oid)::oid, c.oid), c.relispartition, c.relreplident::text, c.relpersistence <> 'u',
		coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_index AS x
			JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1]) WHERE x.indexrelid = pg_get_replica_identity_index(c.oid)), '{}')
		FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`,
		[]any{&name.Schema, &name.Name, &i.root, &i.leaf, &i.kind, &i.persistent, &i.columns}, func() {
			i.table = name.String()
			out = append(out, i)
			i.columns = nil
		})
	return out, err
}

// fitTables says which tables cannot be replicated as they are. To publish one whose
// rows cannot be told would have the app's own updates fail.
func fitTables(plan *move.Plan, s shape, all []identity) (reasons []string) {
	for n, t := range plan.Tables {
		if t.Name == Table {
			reasons = append(reasons, fmt.Sprintf("%s is called %s, as flysql's own table in the file: give it another name", t.Source, Table))
		}
		if t.Where != "" && t.Source.Kind == move.PartitionedTable {
			reasons = append(reasons, fmt.Sprintf("%s: a condition on the rows of a partitioned table is not replicated: leave it out", t.Source))
		} else if t.Where != "" && plan.Source.Version < 150000 {
			reasons = append(reasons, fmt.Sprintf("%s: conditions on rows are replicated from PostgreSQL 15 on: leave it out", t.Source))
		}
		for _, c := range t.Copied() {
			if c.Source.Generated != "" {
				reasons = append(reasons, fmt.Sprintf("%s.%s is a generated column, which is not replicated, and SQLite cannot compute it: skip the column", t.Source, pgexpr.PgIdent(c.Source.Name)))
			}
		}
		for _, i := range all {
			if i.root == s.Tables[n].ID {
				reasons = append(reasons, i.fit(t)...)
			}
		}
	}
	return reasons
}

func (i identity) fit(t *move.TablePlan) (reasons []string) {
	if !i.persistent {
		return []string{i.table + " is UNLOGGED, and its changes are in no WAL: ALTER TABLE " + i.table + " SET LOGGED, or leave it out"}
	}
	if i.kind == "f" {
		return nil
	}
	if len(i.columns) == 0 {
		return []string{"nothing tells the rows of " + i.table + ", which has no primary key that PostgreSQL could use: ALTER TABLE " + i.table + " REPLICA IDENTITY FULL"}
	}
	for _, name := range i.columns {
		if !slices.ContainsFunc(t.Copied(), func(c *move.ColumnPlan) bool { return c.Source.Name == name }) {
			return []string{fmt.Sprintf("%s.%s tells the rows of the table, and is skipped: keep it, or ALTER TABLE %s REPLICA IDENTITY FULL", i.table, pgexpr.PgIdent(name), i.table)}
		}
	}
	return nil
}

// fitLogical returns an *UnfitError where a database cannot be followed by a slot.
func fitLogical(ctx context.Context, tx queryer, plan *move.Plan) error {
	reasons, err := fitServer(ctx, tx)
	if err != nil {
		return fmt.Errorf("look at PostgreSQL's settings: %w", err)
	}
	s, err := shapeOf(ctx, tx, plan)
	if err != nil {
		return fmt.Errorf("look at the tables: %w", err)
	}
	all, err := identities(ctx, tx)
	if err != nil {
		return fmt.Errorf("look at the tables: %w", err)
	}
	reasons = append(reasons, fitTables(plan, s, all)...)
	if len(plan.Tables) == 0 {
		return errors.New("there is no table to follow")
	}
	if len(reasons) > 0 {
		return &UnfitError{Reasons: reasons, Mode: Logical}
	}
	return nil
}
