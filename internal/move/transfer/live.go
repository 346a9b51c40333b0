package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/flysql/flysql/internal/move"
)

// Live is a PostgreSQL database as it was at one moment: in a transaction that lasts
// until Close, and that other connections share by its snapshot. CopyTable may be called
// concurrently; Import, Verify and Close of one Live must not.
type Live struct {
	schema   *move.Schema
	config   *pgx.ConnConfig
	conn     *pgx.Conn
	snapshot string
	taken    time.Time

	mu   sync.Mutex
	idle []*pgx.Conn // in the snapshot, for CopyTable
}

var _ move.Source = (*Live)(nil)

// Open connects to url, takes a snapshot and reads the catalog in it. No error has the
// password in it.
func Open(ctx context.Context, url string) (*Live, error) { return OpenAt(ctx, url, "") }

// OpenAt is Open in a snapshot that another session has exported, and holds: that which
// comes with a replication slot, for one.
func OpenAt(ctx context.Context, url, snapshot string) (*Live, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the address of PostgreSQL: %w", err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "flysql import"
	}
	l := &Live{config: config, snapshot: snapshot}
	conn, tx, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	l.conn = conn
	if err = tx.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot(), now()").Scan(&l.snapshot, &l.taken); err != nil {
		err = fmt.Errorf("export a snapshot: %w", err)
	} else {
		l.schema, err = move.ReadSchemaTx(ctx, tx)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Schema is what is in the database. Callers must not change it.
func (l *Live) Schema() *move.Schema { return l.schema }

// Snapshot says what moment the rows are of.
func (l *Live) Snapshot() string {
	return fmt.Sprintf("the database %s at %s", l.schema.Server.Database, l.taken.UTC().Format(time.RFC3339))
}

// Close ends the transaction and the connections.
func (l *Live) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.idle {
		conn.Close(ctx) // it has only read
	}
	l.idle = nil
	return l.conn.Close(ctx)
}

// begin opens a connection and a transaction in it that sees the snapshot, if there is
// one yet.
func (l *Live) begin(ctx context.Context) (*pgx.Conn, pgx.Tx, error) {
	conn, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err == nil && l.snapshot != "" {
		_, err = tx.Exec(ctx, "SET TRANSACTION SNAPSHOT "+quoted(l.snapshot))
	}
	if err == nil {
		err = move.PinSettings(ctx, tx)
	}
	if err == nil {
		// No time limit of an app's cuts a long copy. But who waits for a lock must not do so
		// for ever: a TRUNCATE may stand before it that waits for another connection of ours,
		// which PostgreSQL cannot know to be in want of this one. Rows that a policy hides are an error
		// and not missing in silence. To compile the sums of many columns takes longer than
		// to add them.
		_, err = tx.Exec(ctx, "SELECT set_config(name, value, true) FROM (VALUES ('statement_timeout', '0'), ('lock_timeout', '10s'), "+
			"('idle_in_transaction_session_timeout', '0'), ('row_security', 'off'), ('jit', 'off')) AS s(name, value)")
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("begin to read PostgreSQL: %w", err), conn.Close(ctx))
	}
	return conn, tx, nil
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// take returns a connection in the snapshot, for one COPY.
func (l *Live) take(ctx context.Context) (*pgx.Conn, error) {
	l.mu.Lock()
	if n := len(l.idle); n > 0 {
		conn := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		return conn, nil
	}
	l.mu.Unlock()
	conn, _, err := l.begin(ctx)
	return conn, err
}

// CopyTable writes the rows that the plan copies of a table, in COPY's text format, and
// returns how many they are.
func (l *Live) CopyTable(ctx context.Context, w io.Writer, t *move.TablePlan) (int64, error) {
	conn, err := l.take(ctx)
	if err != nil {
		return 0, err
	}
	tag, err := conn.PgConn().CopyTo(ctx, w, t.CopySQL())
	if err != nil {
		conn.Close(context.WithoutCancel(ctx)) // it has only read
		var row *RowError
		if errors.As(err, &row) || ctx.Err() != nil {
			return 0, err
		}
		return 0, fmt.Errorf("%w%s", err, hint(err))
	}
	l.mu.Lock()
	l.idle = append(l.idle, conn)
	l.mu.Unlock()
	return tag.RowsAffected(), nil
}

// readable finds out, before hours are spent, whether all tables can be read as planned.
func (l *Live) readable(ctx context.Context, tables []*move.TablePlan) error {
	conn, _, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) // it has only read
	for _, t := range tables {
		none := strings.TrimSuffix(t.CopySQL(), ") TO STDOUT") + " LIMIT 0) TO STDOUT"
		if _, err := conn.PgConn().CopyTo(ctx, io.Discard, none); err != nil {
			return fmt.Errorf("copy %s: %w%s", t.Source, err, hint(err))
		}
	}
	return nil
}

// hint says what to do about an error of PostgreSQL's.
func hint(err error) string {
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg):
		return "; the connection is lost: run the import again, nothing of it is left"
	case pg.Code == "42501" && strings.Contains(pg.Message, "row-level security"):
		return "; a policy hides rows from this user: take one that has BYPASSRLS"
	case pg.Code == "42501":
		return "; grant SELECT on it to the user, or leave the table out"
	case strings.Contains(pg.Message, "invalid memory alloc"), pg.Code == "54000":
		return "; a row is larger than the 1 GB that PostgreSQL prints (a bytea of 512 MB): leave the column or the row out"
	case pg.Code == "55P03":
		return "; another session locks the table, or waits to: a TRUNCATE, an ALTER TABLE, a VACUUM FULL; run it again when that is through"
	case pg.Code == "22021":
		return "; the next row has text that is not UTF-8: mend it, or make its column bytea, in PostgreSQL"
	case pg.Code == "57P01", pg.Code == "57P02", pg.Code == "57P03":
		return "; PostgreSQL has been stopped: run the import again, nothing of it is left"
	}
	return ""
}
