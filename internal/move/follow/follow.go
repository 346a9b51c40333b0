package follow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
)

// Source is what is followed, and by what file.
type Source struct {
	URL  string // of PostgreSQL itself: a pooler passes no replication on
	Path string
	Plan Planner
}

// Planner makes the plan of a schema: the same for the same schema, whenever it is asked.
type Planner func(context.Context, *move.Schema) (*move.Plan, error)

// Options are how a database is followed. The zero value takes every default.
type Options struct {
	Mode   Mode   // Logical by default
	Name   string // of the slot and the publication, or of the schema; by default of the machine and the path
	Recall string // kept in the file, for who makes the plan again

	Transfer transfer.Options // of the copy

	// Import makes the file, with these statements behind; transfer.Import by default.
	Import func(ctx context.Context, source move.Source, plan *move.Plan, path string, o transfer.Options) (*transfer.Report, error)

	Progress func(Progress) // called from one goroutine at a time, about every Every
	Every    time.Duration  // 1 s by default
	Warn     func(string)   // what a person must hear of; called as Progress

	GiveUp  time.Duration // how long PostgreSQL may be out of reach; 15 minutes by default
	MaxWAL  int64         // bytes behind the slot that Warn speaks of; 1 GiB by default
	Batch   time.Duration // how long changes wait for others before they are on disk; 300 ms by default
	Settled time.Duration // how long Cutover looks for writers; 2 s by default

	at func(string) // a seam: called with the name of what has been done
}

func (o Options) defaults() Options {
	if o.Mode == "" {
		o.Mode = Logical
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Import == nil {
		o.Import = transfer.Import
	}
	if o.at == nil {
		o.at = func(string) {}
	}
	for d, otherwise := range map[*time.Duration]time.Duration{&o.Every: time.Second, &o.GiveUp: 15 * time.Minute, &o.Batch: 300 * time.Millisecond, &o.Settled: 2 * time.Second} {
		if *d <= 0 {
			*d = otherwise
		}
	}
	if o.MaxWAL <= 0 {
		o.MaxWAL = 1 << 30
	}
	return o
}

// Progress is how far behind the file is.
type Progress struct {
	State    string        // "following", "connecting" or "waiting"; of a cutover what it is at
	Position string        // applied, and on disk
	Lag      int64         // bytes of PostgreSQL's WAL; 0 by triggers, where nobody knows
	Behind   time.Duration // at most so old is what is missing; 0 where nothing is
	Rows     int64         // applied since the import
	Rate     float64       // of them a second, of late
	Kept     int64         // bytes in PostgreSQL, for the slot or the triggers
	Why      string        // it is not following
}

// ErrBusy is that another process follows with the same slot.
var ErrBusy = errors.New("another flysql follows with it")

// ErrLost is that what leads from the file's position to now is gone.
var ErrLost = errors.New("changes are lost that the file has not had: begin anew (flysql import abandon, then flysql import --follow --replace)")

// ErrChanged is that a table is not what it was when it was copied.
var ErrChanged = errors.New("a table has changed in PostgreSQL, and what that means for its rows is not in the changes: begin anew (flysql import abandon, then flysql import --follow --replace)")

// nameFor is the name of a file's slot.
func nameFor(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	host, err := os.Hostname()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(host + "\x00" + path))
	return "flysql_" + hex.EncodeToString(sum[:6]), nil
}

// whose is what a publication or a schema says of itself, for whoever finds it.
func whose(path, stage string) string {
	path, err := filepath.Abs(path)
	host, err2 := os.Hostname()
	if err != nil || err2 != nil {
		host = "a machine"
	}
	return fmt.Sprintf("flysql import --follow of %s on %s: %s", path, host, stage)
}

// The stages of whose.
const (
	stageCopying   = "copying"
	stageFollowing = "following"
)

// connect opens an ordinary connection.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the address of PostgreSQL: %w", err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = applicationName
	}
	// What flysql writes there is its own; an app's limits are not for it.
	config.RuntimeParams["default_transaction_read_only"] = "off"
	config.RuntimeParams["statement_timeout"] = "0"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return conn, nil
}

const applicationName = "flysql follow"

// closing closes a connection that a command has used.
func closing(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn.Close(ctx)
}
