package follow

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// replication is a connection that PostgreSQL's changes come by.
type replication struct {
	conn   *pgconn.PgConn
	server string // the system's identifier
	end    LSN    // of the WAL, when it was asked

	mu sync.Mutex // of writes
}

// openReplication connects, with values printed in the way that package convert reads.
func openReplication(ctx context.Context, url string) (*replication, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the address of PostgreSQL: %w", err)
	}
	for name, value := range map[string]string{"replication": "database", "application_name": applicationName, "datestyle": "ISO, MDY", "intervalstyle": "postgres",
		"timezone": "UTC", "bytea_output": "hex", "extra_float_digits": "1", "lc_monetary": "C", "client_encoding": "UTF8", "statement_timeout": "0"} {
		config.RuntimeParams[name] = value
	}
	conn, err := pgconn.ConnectConfig(ctx, &config.Config)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL for replication: %w%s", err, hint(err))
	}
	r := &replication{conn: conn}
	if _, err := r.ask(ctx, "SET search_path = ''"); err != nil {
		return nil, errors.Join(err, r.close())
	}
	rows, err := r.ask(ctx, "IDENTIFY_SYSTEM")
	if err == nil && (len(rows) != 1 || len(rows[0]) < 3) {
		err = errors.New("IDENTIFY_SYSTEM: an answer of another form")
	}
	if err == nil {
		r.server = string(rows[0][0])
		r.end, err = ParseLSN(string(rows[0][2]))
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *replication) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return r.conn.Close(ctx)
}

// ask runs a command and returns its rows.
func (r *replication) ask(ctx context.Context, command string) ([][][]byte, error) {
	results, err := r.conn.Exec(ctx, command).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w%s", strings.SplitN(command, " ", 2)[0], err, hint(err))
	}
	if len(results) == 0 {
		return nil, nil
	}
	return results[0].Rows, nil
}

// createSlot makes a slot. Whoever imports the snapshot sees what was committed before
// from; the slot has what is committed from there on. The snapshot lasts until the next
// command.
func (r *replication) createSlot(ctx context.Context, name string) (from LSN, snapshot string, err error) {
	rows, err := r.ask(ctx, "CREATE_REPLICATION_SLOT "+name+" LOGICAL pgoutput EXPORT_SNAPSHOT")
	if err != nil {
		return 0, "", err
	}
	if len(rows) != 1 || len(rows[0]) < 3 {
		return 0, "", errors.New("CREATE_REPLICATION_SLOT: an answer of another form")
	}
	from, err = ParseLSN(string(rows[0][1]))
	return from, string(rows[0][2]), err
}

// start has changes sent from a position on.
func (r *replication) start(ctx context.Context, name string, from LSN) error {
	// pgx has no word for the answer, which opens a COPY in both directions.
	frontend := r.conn.Frontend()
	frontend.SendQuery(&pgproto3.Query{String: fmt.Sprintf("START_REPLICATION SLOT %s LOGICAL %s (proto_version '1', publication_names '%s')", name, from, name)})
	if err := frontend.Flush(); err != nil {
		return err
	}
	for {
		message, err := r.conn.ReceiveMessage(ctx)
		if err != nil {
			return fmt.Errorf("START_REPLICATION: %w%s", err, hint(err))
		}
		switch m := message.(type) {
		case *pgproto3.CopyBothResponse:
			return nil
		case *pgproto3.ErrorResponse:
			err := pgconn.ErrorResponseToPgError(m)
			return fmt.Errorf("START_REPLICATION: %w%s", err, hint(err))
		}
	}
}

// confirm tells PostgreSQL what it may forget; with reply, it answers at once.
func (r *replication) confirm(position LSN, reply bool) error {
	b := make([]byte, 0, 34)
	b = append(b, 'r')
	for range 3 { // written, flushed, applied
		b = binary.BigEndian.AppendUint64(b, uint64(position))
	}
	b = binary.BigEndian.AppendUint64(b, uint64(time.Since(epoch).Microseconds()))
	if reply {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	frontend := r.conn.Frontend()
	frontend.Send(&pgproto3.CopyData{Data: b})
	return frontend.Flush()
}

// epoch is what PostgreSQL counts from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// hint says what to do about an error of PostgreSQL's.
func hint(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ""
	}
	text := strings.ToLower(pg.Message)
	switch {
	case pg.Code == "42501" && (strings.Contains(text, "replication") || strings.Contains(text, "walsender")):
		return "; ALTER ROLE ... REPLICATION gives the right (Amazon RDS: GRANT rds_replication TO ...), or use --follow=triggers"
	case pg.Code == "42501":
		return "; the user has not the rights for it"
	case pg.Code == "53400" || pg.Code == "53300" && strings.Contains(text, "wal"):
		return "; raise max_replication_slots and max_wal_senders in PostgreSQL's settings and restart it, or drop a slot that nobody uses, or use --follow=triggers"
	case pg.Code == "28000" && strings.Contains(text, "pg_hba"):
		return "; let this user connect in pg_hba.conf, for replication, too"
	}
	return ""
}
