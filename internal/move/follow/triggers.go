package follow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/pgexpr"
	"github.com/flysql/flysql/internal/move/transfer"
)

// triggerSettings are what a change is written down with, whatever the app's session has.
const triggerSettings = `SET search_path = '' SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET timezone = 'UTC' SET bytea_output = 'hex' SET extra_float_digits = 1 SET lc_monetary = 'C'`

// triggerSchema is the schema of the triggers' table; %[1]s is its name. A partition has
// columns in its own order, so a change says which relation its rows are of. The rows of
// a partition that a TRUNCATE empties are written down one by one, for nothing else would
// tell which they were; t.* is the row, whatever a column is called.
const triggerSchema = `CREATE SCHEMA %[1]s;
CREATE TABLE %[1]s.changes (id bigserial PRIMARY KEY, xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), relation oid NOT NULL, op "char" NOT NULL, old text, new text);
CREATE TABLE %[1]s.about (mark text NOT NULL, confirmed bigint NOT NULL);
INSERT INTO %[1]s.about VALUES (pg_catalog.gen_random_uuid()::text, 0);
CREATE FUNCTION %[1]s.changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER ` + triggerSettings + ` AS $flysql$
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO %[1]s.changes (relation, op, new) VALUES (TG_RELID, 'I', NEW::text);
	ELSIF TG_OP = 'UPDATE' THEN
		INSERT INTO %[1]s.changes (relation, op, old, new) VALUES (TG_RELID, 'U', OLD::text, NEW::text);
	ELSIF TG_OP = 'DELETE' THEN
		INSERT INTO %[1]s.changes (relation, op, old) VALUES (TG_RELID, 'D', OLD::text);
	ELSE
		INSERT INTO %[1]s.changes (relation, op) VALUES (TG_RELID, 'T');
	END IF;
	RETURN NULL;
END $flysql$;
CREATE FUNCTION %[1]s.emptied() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER ` + triggerSettings + ` AS $flysql$
BEGIN
	EXECUTE pg_catalog.format('INSERT INTO %[1]s.changes (relation, op, old) SELECT %%s, ''D'', (t.*)::text FROM ONLY %%I.%%I AS t', TG_RELID, TG_TABLE_SCHEMA, TG_TABLE_NAME);
	RETURN NULL;
END $flysql$;
REVOKE ALL ON FUNCTION %[1]s.changed(), %[1]s.emptied() FROM PUBLIC;
`

// triggers begins by way of triggers: they are there, and have seen every transaction
// that they could miss end, before the snapshot is taken.
func (b *beginning) triggers(ctx context.Context) (report *transfer.Report, err error) {
	if b.o.Name, err = triggerName(b.o.Name); err != nil {
		return nil, err
	}
	if err := b.clearSlot(ctx); err != nil {
		return nil, err
	}
	if reasons := fitForTriggers(b.plan); len(reasons) > 0 {
		return nil, &UnfitError{Reasons: reasons, Mode: Triggers}
	}
	if err := b.makeTriggers(ctx); err != nil {
		return nil, errors.Join(err, b.undoTriggers(ctx))
	}
	b.o.at("published")
	if report, err = b.copyBehindTriggers(ctx); err != nil {
		return nil, errors.Join(err, b.undoTriggers(ctx))
	}
	return report, nil
}

// triggerName is the schema's name.
func triggerName(name string) (string, error) {
	if !strings.HasPrefix(name, move.OwnSchema) {
		name = move.OwnSchema + strings.TrimPrefix(name, move.OwnName)
	}
	if len(name) > 63 {
		return "", fmt.Errorf("%q: the name is too long", name)
	}
	return name, nil
}

func fitForTriggers(plan *move.Plan) (reasons []string) {
	for _, t := range plan.Tables {
		if t.Where != "" {
			reasons = append(reasons, fmt.Sprintf("%s: triggers know no condition on rows: leave it out, or follow by logical replication", t.Source))
		}
		if t.Name == Table {
			reasons = append(reasons, fmt.Sprintf("%s is called %s, as flysql's own table in the file: give it another name", t.Source, Table))
		}
	}
	return reasons
}

func (b *beginning) makeTriggers(ctx context.Context) error {
	script := fmt.Sprintf(triggerSchema, b.o.Name) + "COMMENT ON SCHEMA " + b.o.Name + " IS " + quoted(whose(b.source.Path, stageCopying))
	if _, err := b.conn.Exec(ctx, script); err != nil {
		return fmt.Errorf("make the schema %s: %w%s", b.o.Name, err, triggerHint(err))
	}
	s, err := shapeOf(ctx, b.conn, b.plan)
	if err != nil {
		return err
	}
	for i, t := range b.plan.Tables {
		b.o.Progress(Progress{State: "waiting", Why: "triggers on " + t.Source.String()})
		if err := b.patiently(ctx, t.Source.String(), triggerSQL(b.o.Name, t, s.Tables[i])); err != nil {
			return err
		}
	}
	return nil
}

// triggerSQL makes a table's triggers. They fire in sessions of replication, too.
func triggerSQL(name string, t *move.TablePlan, s tableShape) string {
	trigger := pgexpr.PgIdent(move.OwnTrigger)
	truncate := pgexpr.PgIdent(move.OwnTrigger + "_truncate")
	table := t.Source.String()
	out := fmt.Sprintf("CREATE TRIGGER %[1]s AFTER INSERT OR UPDATE OR DELETE ON %[3]s FOR EACH ROW EXECUTE FUNCTION %[4]s.changed(); CREATE TRIGGER %[2]s AFTER TRUNCATE ON %[3]s FOR EACH STATEMENT EXECUTE FUNCTION %[4]s.changed(); "+
		"ALTER TABLE %[3]s ENABLE ALWAYS TRIGGER %[1]s; ALTER TABLE %[3]s ENABLE ALWAYS TRIGGER %[2]s;", trigger, truncate, table, name)
	for _, p := range s.Partitions {
		leaf := move.Name{Schema: p.Schema, Name: p.Name}.String()
		out += fmt.Sprintf(" CREATE TRIGGER %[2]s BEFORE TRUNCATE ON %[3]s FOR EACH STATEMENT EXECUTE FUNCTION %[4]s.emptied(); ALTER TABLE %[3]s ENABLE ALWAYS TRIGGER %[1]s; ALTER TABLE %[3]s ENABLE ALWAYS TRIGGER %[2]s;", trigger, truncate, leaf, name)
	}
	return out
}

// lockPatience is how long a table's lock is tried for, a few seconds at a time: whoever
// waits for one holds up the app's writers behind it.
const lockPatience = 2 * time.Minute

// patiently runs a script that needs a lock on a table.
func (b *beginning) patiently(ctx context.Context, table, script string) error {
	return patiently(ctx, b.conn, table, script)
}

func patiently(ctx context.Context, conn *pgx.Conn, table, script string) error {
	return retry(ctx, lockPatience, func() (again bool, err error) {
		_, err = conn.Exec(ctx, "BEGIN; SET LOCAL lock_timeout = '2s'; "+script+"; COMMIT")
		if err == nil {
			return false, nil
		}
		_, rolled := conn.Exec(ctx, "ROLLBACK")
		var pg *pgconn.PgError
		if errors.As(err, &pg) && (pg.Code == "55P03" || pg.Code == "40P01") && rolled == nil {
			return true, fmt.Errorf("%s: a transaction that lasts holds the table: wait for it, or end it, and begin again: %w", table, err)
		}
		return false, fmt.Errorf("%s: %w%s", table, err, triggerHint(err))
	})
}

func triggerHint(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42501" {
		return "; it takes CREATE on the database, and the tables' owner: GRANT CREATE ON DATABASE ... TO ..., or run it as the owner"
	}
	return ""
}

// undoTriggers removes what has been made, in spite of whatever ended the beginning.
func (b *beginning) undoTriggers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockPatience)
	defer cancel()
	conn, err := connect(ctx, b.source.URL) // the other one may have been cut
	if err == nil {
		defer closing(conn)
		err = dropTriggers(ctx, conn, b.o.Name)
	}
	if err != nil {
		return fmt.Errorf("triggers may be left in PostgreSQL, which write down every change: %w; run the command again, or DROP SCHEMA %s CASCADE", err, b.o.Name)
	}
	return nil
}

// dropTriggers removes the schema, and with it the triggers.
func dropTriggers(ctx context.Context, conn *pgx.Conn, name string) error {
	return patiently(ctx, conn, "drop the triggers", "DROP SCHEMA IF EXISTS "+name+" CASCADE")
}

// copyBehindTriggers makes the file at a snapshot, whose position goes into it.
func (b *beginning) copyBehindTriggers(ctx context.Context) (*transfer.Report, error) {
	conn, err := connect(ctx, b.source.URL)
	if err != nil {
		return nil, err
	}
	defer closing(conn)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	var snapshot string
	state := &State{Mode: Triggers, Name: b.o.Name}
	if err := tx.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot(), '0 ' || pg_catalog.pg_current_snapshot()::text, (SELECT mark FROM "+b.o.Name+".about)").Scan(&snapshot, &state.Position, &state.Server); err != nil {
		return nil, err
	}
	live, err := transfer.OpenAt(ctx, b.source.URL, snapshot)
	if err != nil {
		return nil, err
	}
	defer live.Close()
	report, err := b.copy(ctx, live, snapshot, state)
	if err != nil {
		return nil, err
	}
	b.o.at("copied")
	if _, err := b.conn.Exec(ctx, "COMMENT ON SCHEMA "+b.o.Name+" IS "+quoted(whose(b.source.Path, stageFollowing))); err != nil {
		b.o.Warn("write the schema's comment: " + err.Error()) // the file has it all; the comment is for people
	}
	return report, nil
}

// findTriggers finds the schemas of triggers.
func findTriggers(ctx context.Context, tx queryer, by map[string]*Found) error {
	var name, comment, database string
	var kept int64
	err := each(ctx, tx, `SELECT n.nspname::text, coalesce(obj_description(n.oid, 'pg_namespace'), ''), current_database()::text,
		coalesce((SELECT pg_total_relation_size(c.oid) FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = 'changes'), 0)
		FROM pg_catalog.pg_namespace AS n WHERE n.nspname LIKE 'flysql\_follow\_%'`, []any{&name, &comment, &database, &kept}, func() {
		by[name] = &Found{Mode: Triggers, Name: name, Database: database, Whose: comment, Kept: kept}
	})
	if err != nil {
		return fmt.Errorf("look for flysql's triggers: %w", err)
	}
	return nil
}
