package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
)

// Source is a PostgreSQL database as it was at one moment: in a transaction that lasts
// until Close, and that other connections share by its snapshot. Its methods must not be
// called concurrently.
type Source struct {
	Schema *move.Schema

	config   *pgx.ConnConfig
	conn     *pgx.Conn
	snapshot string
}

// Open connects to url, takes a snapshot and reads the catalog in it. No error has the
// password in it.
func Open(ctx context.Context, url string) (*Source, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the address of PostgreSQL: %w", err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "flysql import"
	}
	s := &Source{config: config}
	conn, tx, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	if err = tx.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot()").Scan(&s.snapshot); err != nil {
		err = fmt.Errorf("export a snapshot: %w", err)
	} else {
		s.Schema, err = move.ReadSchemaTx(ctx, tx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

// Close ends the transaction and the connection.
func (s *Source) Close(ctx context.Context) error { return s.conn.Close(ctx) }

// begin opens a connection and a transaction in it that sees the snapshot, if there is
// one yet.
func (s *Source) begin(ctx context.Context) (*pgx.Conn, pgx.Tx, error) {
	conn, err := pgx.ConnectConfig(ctx, s.config)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err == nil && s.snapshot != "" {
		_, err = tx.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+s.snapshot+"'")
	}
	if err == nil {
		err = move.PinSettings(ctx, tx)
	}
	if err == nil {
		// No time limit of an app's cuts a long copy. Rows that a policy hides are an error
		// and not missing in silence. To compile the sums of many columns takes longer than
		// to add them.
		_, err = tx.Exec(ctx, "SELECT set_config(name, value, true) FROM (VALUES ('statement_timeout', '0'), ('lock_timeout', '0'), "+
			"('idle_in_transaction_session_timeout', '0'), ('row_security', 'off'), ('jit', 'off')) AS s(name, value)")
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("begin to read PostgreSQL: %w", err), conn.Close(ctx))
	}
	return conn, tx, nil
}
