package appdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flysql/flysql/internal/pgfunc"
)

type role int

const (
	roleReader role = iota
	roleWriter
)

// A connector makes the connections of one pool. The pool's users hold on to
// the *sql.DB; how its connections are made is decided here, each time.
type connector struct {
	drv     driver.Driver
	target  *target
	timeout time.Duration
	role    role
	node    *node // nil where the file is this machine's alone

	// create is true until the file has been opened once. After that a file
	// that has gone is an error: a new, empty one in its place would take
	// writes as if nothing had happened.
	create atomic.Bool
}

func newConnector(drv driver.Driver, t *target, timeout time.Duration, r role, n *node) *connector {
	c := &connector{drv: drv, target: t, timeout: timeout, role: r, node: n}
	c.create.Store(r == roleWriter && t.mode == "rwc")
	return c
}

// sqliteDriver returns the registered driver: functions, collations and hooks
// that the program registers with package sqlite are known to that one only.
func sqliteDriver() (driver.Driver, error) {
	if err := pgfunc.Register(); err != nil { // a database that came from PostgreSQL may call them
		return nil, err
	}
	db, err := sql.Open("sqlite", "") // connects to nothing
	if err != nil {
		return nil, err
	}
	return db.Driver(), db.Close()
}

// Driver implements [driver.Connector].
func (c *connector) Driver() driver.Driver { return c.drv }

// Connect implements [driver.Connector].
//
// It tries again while another process holds a lock. SQLite's own busy timeout
// does not cover every lock taken here: of two processes that turn a new file
// to WAL at the same moment, one gets SQLITE_BUSY at once, since neither could
// go on if both waited.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	deadline := time.Now().Add(c.timeout)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		conn, err := c.connect(ctx)
		if err == nil {
			c.create.Store(false)
			return conn, nil
		}
		if !c.again(err) || !time.Now().Before(deadline) {
			return nil, newFault(c.target.path, err)
		}
		// Half of the pause is random, or the same two would meet again.
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, newFault(c.target.path, fmt.Errorf("%w while waiting for another process: %w", ctx.Err(), err))
		}
	}
}

// again reports whether another attempt may fare better.
func (c *connector) again(err error) bool {
	if c.node != nil && errors.Is(err, errReadOnlyFile) {
		// LiteFS lets only the primary open it for writing: this machine may have been it
		// until now.
		_, not := c.node.notPrimary()
		return not
	}
	return isBusy(err) || errors.Is(err, errShared)
}

func (c *connector) connect(ctx context.Context) (driver.Conn, error) {
	if c.node != nil {
		return c.connectNode(ctx)
	}
	return c.open(func(conn driver.Conn) (driver.Conn, error) {
		return conn, c.prepare(ctx, conn, c.writes())
	}, c.writes())
}

// connectNode connects to a file that an engine copies.
func (c *connector) connectNode(ctx context.Context) (driver.Conn, error) {
	// On a replica the writer's connection is one more reader, until that changes.
	var queryOnly error
	if c.writes() {
		if queryOnly = c.node.await(ctx); queryOnly != nil && ctx.Err() != nil {
			return nil, queryOnly
		}
	}
	writing := c.writes() && queryOnly == nil
	if !writing {
		if err := c.node.waitHeld(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(c.target.path); c.writes() && !writing && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: only the primary can create it, and this machine has not received it yet", err)
	}
	c.node.connecting.RLock()
	defer c.node.connecting.RUnlock()
	born := c.node.generation.Load()
	return c.open(func(conn driver.Conn) (driver.Conn, error) {
		node, err := newNodeConn(conn, c.node, born, c.writes(), queryOnly)
		if err != nil {
			return conn, err
		}
		err = guard(func() error {
			// Of all statements this one cannot leave anything behind where it is the
			// first to look into the file, and meets a fault: it needs no schema.
			if _, err := queryText(ctx, conn, "PRAGMA user_version"); err != nil {
				return err
			}
			return c.prepare(ctx, conn, writing)
		})
		if errors.Is(err, errShared) {
			c.node.renewSoon()
		}
		return node, err
	}, writing)
}

// open opens a connection, and closes it where it cannot be made ready for use.
func (c *connector) open(ready func(driver.Conn) (driver.Conn, error), writing bool) (driver.Conn, error) {
	conn, err := c.drv.Open(c.dsn(writing))
	if err != nil {
		return nil, err
	}
	conn, err = ready(conn)
	if err == nil && c.role == roleWriter {
		var writer driver.Conn
		if writer, err = newWriterConn(conn); err == nil {
			return writer, nil
		}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// prepare checks a new connection, applies the settings, and sees to WAL if it
// is to write. A file that cannot be used is found out here, and not in the
// middle of a request, and stays as it is.
func (c *connector) prepare(ctx context.Context, conn driver.Conn, writing bool) error {
	if writing {
		// First of all: some settings read the file, and would leave a -wal
		// and a -shm beside one that cannot be written.
		if err := checkWritable(conn); err != nil {
			return err
		}
	}
	if err := execPragmas(ctx, conn, c.settings()); err != nil {
		return err
	}
	if c.writes() {
		if err := c.setJournal(ctx, conn, writing); err != nil {
			return err
		}
	}
	// SQLite opens lazily, and the log last of all. Only a connection that
	// has the log open clears it away when it closes.
	_, err := queryText(ctx, conn, "SELECT count(*) FROM sqlite_schema")
	return err
}

// settings returns the pragmas that are set after the connection is made.
func (c *connector) settings() map[string]string {
	settings := map[string]string{}
	if c.writes() {
		// In WAL mode NORMAL cannot damage the file. After a power failure
		// the last transactions may be missing, as a whole.
		settings["synchronous"] = "normal"
	}
	maps.Copy(settings, c.target.pragmas)
	return settings
}

// checkWritable finds out what SQLite says nothing of until the first write:
// that the file may only be read.
func checkWritable(conn driver.Conn) error {
	ro, ok := conn.(interface {
		IsReadOnly(schema string) (bool, error)
	})
	if !ok {
		return fmt.Errorf("driver connection %T cannot tell whether it is read-only", conn)
	}
	readOnly, err := ro.IsReadOnly("main")
	if err != nil {
		return err
	}
	if readOnly {
		return errReadOnlyFile
	}
	return nil
}

// setJournal sees to the journal mode.
func (c *connector) setJournal(ctx context.Context, conn driver.Conn, writing bool) error {
	if c.node == nil {
		return setWAL(ctx, conn)
	}
	if c.node.litefs {
		return c.keepJournal(ctx, conn, writing)
	}
	c.node.wal.Store(true) // or will be
	if writing {
		return setWAL(ctx, conn)
	}
	return nil
}

// setWAL sets the journal mode, which the file keeps. It does nothing where it
// is set already.
func setWAL(ctx context.Context, conn driver.Conn) error {
	mode, err := queryText(ctx, conn, "PRAGMA journal_mode=WAL")
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the journal mode stays %q and cannot be set to WAL: does its file system support shared memory and locks?", mode)
	}
	return nil
}

// writes reports whether the connections write.
func (c *connector) writes() bool { return c.role == roleWriter && c.target.mode != "ro" }

// dsn returns the driver's name for the file, with the settings that must hold
// from the first statement on.
func (c *connector) dsn(writing bool) string {
	q := url.Values{
		"_time_format": {"sqlite"}, // 2006-01-02 15:04:05.999999999+00:00
		"_timezone":    {"UTC"},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", (c.timeout+time.Millisecond-1)/time.Millisecond),
			"foreign_keys(on)",
		},
	}
	for key, value := range c.target.reading {
		q.Set(key, value)
	}
	switch {
	case c.writes() && !writing:
		// The file must be there; it may be written when the role has changed.
		q.Set("mode", "rw")
		q.Set("_txlock", "immediate")
		q.Add("_pragma", "query_only(on)")
	case !writing:
		// mode=ro guards the file even from a reader that lifts query_only;
		// query_only guards TEMP tables and attached files too.
		q.Set("mode", "ro")
		q.Add("_pragma", "query_only(on)")
	case c.create.Load():
		q.Set("mode", "rwc")
		q.Set("_txlock", "immediate")
	default:
		q.Set("mode", "rw")
		q.Set("_txlock", "immediate")
	}
	return fileURL("file", c.target.path) + "?" + q.Encode()
}

// execPragmas sets pragmas, in a fixed order.
func execPragmas(ctx context.Context, conn driver.Conn, pragmas map[string]string) error {
	e, ok := conn.(driver.ExecerContext)
	if !ok {
		return fmt.Errorf("driver connection %T cannot run a statement", conn)
	}
	for _, name := range slices.Sorted(maps.Keys(pragmas)) {
		if _, err := e.ExecContext(ctx, "PRAGMA "+name+"="+pragmas[name], nil); err != nil {
			return err
		}
	}
	return nil
}

// queryText runs a statement that yields one value, and returns it as text. The
// statement is closed whatever happens, a panic too: see guard.
func queryText(ctx context.Context, conn driver.Conn, query string) (_ string, err error) {
	p, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return "", fmt.Errorf("driver connection %T cannot prepare a statement", conn)
	}
	stmt, err := p.PrepareContext(ctx, query)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	q, ok := stmt.(driver.StmtQueryContext)
	if !ok {
		return "", fmt.Errorf("driver statement %T cannot run a query", stmt)
	}
	rows, err := q.QueryContext(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	dest := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(dest); err == io.EOF || len(dest) == 0 {
		return "", fmt.Errorf("%s: no result", query)
	} else if err != nil {
		return "", err
	}
	return fmt.Sprint(dest[0]), nil
}

// isBusy reports whether err is any kind of SQLITE_BUSY.
func isBusy(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code()&0xff == sqlite3.SQLITE_BUSY
}
