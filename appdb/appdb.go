package appdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/flysql/flysql/engine"
)

// DefaultBusyTimeout is how long a write waits for another process.
const DefaultBusyTimeout = 5 * time.Second

// A Config says how to open a database. Its zero value is right for a web app.
type Config struct {
	// Readers is the most connections that [DB.Reader] has open at a time;
	// a query beyond them waits for one, until its context ends. 0 means
	// twice GOMAXPROCS, and at least 8. Each connection may hold 2 MB of
	// cache. Connections idle for five minutes are closed.
	Readers int

	// BusyTimeout is how long SQLite waits for a lock held by another
	// process, or by another DB on the same file, before the statement fails
	// with SQLITE_BUSY. It is rounded up to a millisecond. 0 means
	// [DefaultBusyTimeout]. A busy_timeout in the URL wins over it.
	//
	// It does not limit the wait for this DB's own writer: callers queue for
	// that until their context ends.
	BusyTimeout time.Duration

	// Engine is what copies the database to other machines, such as a
	// litefs.Node; it stays the caller's to close, after the DB. nil means that
	// nothing does, or that nobody is to be asked.
	//
	// With it a write on a machine that is not the primary is an [ErrReplica]
	// before SQLite is asked. The DB follows the role by itself: there is no need
	// to open it again.
	Engine engine.Engine

	// Confirm is how long [DB.Update] watches after its commit whether this
	// machine stays the primary. Whoever takes its place without a handover, in
	// that time, may lack what was committed last, and Update is an [ErrUnknown]
	// then instead of nil. The next Update does not wait for it: it costs each
	// write this time, and all of them together nothing. 0 means not to; 20 ms
	// covers what LiteFS needs to tell on a busy machine.
	Confirm time.Duration
}

// A DB is one SQLite file, opened with one connection that writes and several
// that read. Its methods may be called from several goroutines at once.
//
// Open a file once in a process and share the DB: two DBs on one file work,
// but their writers wait for each other as two processes do, not in the queue.
type DB struct {
	path   string
	reader *sql.DB
	writer *sql.DB
	node   *node // nil where the file is this machine's alone

	// turn is held by the Update whose turn it is. database/sql hands a
	// connection to a waiter picked at random; a channel keeps the order, so
	// the unlucky do not wait many times longer than the rest.
	turn   chan struct{}
	holder atomic.Pointer[holder]

	confirm time.Duration
}

// Open opens the database that urlOrPath names with the zero [Config].
func Open(ctx context.Context, urlOrPath string) (*DB, error) {
	return Config{}.Open(ctx, urlOrPath)
}

// Open opens the database that urlOrPath names, creating the file if it does
// not exist, and puts it in WAL mode, but on LiteFS. What [Path] says about urlOrPath holds
// here, and a relative path is taken from the current working directory, once.
//
// It connects before it returns, so that a file that cannot be used is found
// at once: one that is no database, is damaged, cannot be written, or lies in
// a directory that does not exist. Such a file is left as it is. The error
// wraps a [*URLError], an error of package io/fs, or the driver's
// *sqlite.Error, and says what to do.
//
// With the URL parameter mode=rw the file must exist. With mode=ro nothing is
// written to it, its journal mode is left alone, and Writer cannot write
// either. ctx bounds opening only.
func (c Config) Open(ctx context.Context, urlOrPath string) (*DB, error) {
	t, err := parse(urlOrPath)
	if err != nil {
		return nil, err
	}
	if c.Readers < 0 {
		return nil, fmt.Errorf("appdb: Config.Readers is %d: use 0 for the default", c.Readers)
	}
	if c.Confirm < 0 {
		return nil, fmt.Errorf("appdb: Config.Confirm is %v: use 0 not to confirm", c.Confirm)
	}
	timeout, err := c.busyTimeout(t)
	if err != nil {
		return nil, err
	}
	// Connections are made as they are needed, and all of them must find the
	// same file, whatever the working directory is by then.
	path, err := filepath.Abs(t.path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", t.path, err)
	}
	t.path = path
	if err := checkFile(path, t.mode); err != nil {
		return nil, fmt.Errorf("open %w", newFault(path, err))
	}

	drv, err := sqliteDriver()
	if err != nil {
		return nil, err
	}
	node := newNode(path, c.Engine)
	writer := newConnector(drv, t, timeout, roleWriter, node)
	reader := newConnector(drv, t, timeout, roleReader, node)
	db := &DB{
		path:   path,
		node:   node,
		writer: sql.OpenDB(writer),
		reader: sql.OpenDB(reader),
		turn:   make(chan struct{}, 1),
	}
	if c.Engine != nil {
		db.confirm = c.Confirm
	}
	db.writer.SetMaxOpenConns(1)
	db.writer.SetMaxIdleConns(1) // and never expires: no write pays for connecting

	readers := c.readers()
	db.reader.SetMaxOpenConns(readers)
	db.reader.SetMaxIdleConns(readers) // database/sql's default of 2 reconnects under load
	db.reader.SetConnMaxIdleTime(5 * time.Minute)

	if node != nil {
		node.start(func() {
			db.writer.SetMaxIdleConns(0) // closes it
			db.writer.SetMaxIdleConns(1)
			db.reader.SetMaxIdleConns(0)
			db.reader.SetMaxIdleConns(readers)
		}, func() (driver.Conn, error) { return drv.Open(reader.dsn(false)) })
	}
	// The writer first: it creates the file, recovers it and makes it WAL.
	for _, pool := range []*sql.DB{db.writer, db.reader} {
		if err := pool.PingContext(ctx); err != nil {
			return nil, errors.Join(openError(path, err), db.Close())
		}
	}
	return db, nil
}

// openError names the file in err, unless the connector has done so already.
func openError(path string, err error) error {
	if !errors.As(err, new(*fault)) {
		err = newFault(path, err)
	}
	return fmt.Errorf("open %w", err)
}

func (c Config) readers() int {
	if c.Readers > 0 {
		return c.Readers
	}
	return max(8, 2*runtime.GOMAXPROCS(0))
}

func (c Config) busyTimeout(t *target) (time.Duration, error) {
	switch d := c.BusyTimeout; {
	case t.busyTimeout != nil:
		return *t.busyTimeout, nil
	case d < 0 || d > math.MaxInt32*time.Millisecond:
		return 0, fmt.Errorf("appdb: Config.BusyTimeout is %v: use 0 for the default of %v", d, DefaultBusyTimeout)
	case d == 0:
		return DefaultBusyTimeout, nil
	default:
		return d, nil
	}
}

// Reader returns the pool of connections that read. They see every committed
// transaction, and neither wait for the writer nor hold it up. A statement
// that would write, to a TEMP table too, fails with code 8 (SQLITE_READONLY)
// before it does anything.
//
// The value stays the same for the life of the DB.
func (db *DB) Reader() *sql.DB { return db.reader }

// Writer returns the pool of the one connection that writes. Callers queue for
// it, as long as their context allows. A transaction begun on it takes the
// write lock at once (BEGIN IMMEDIATE), so it cannot fail half-way for want of
// it. The sql.TxOptions ReadOnly makes it deferred: use [DB.View] to read.
//
// Whoever holds the connection (an open Tx, unclosed Rows, a Conn) and asks
// Writer or [DB.Update] for another waits for itself, for ever if its context
// never ends.
//
// The value stays the same for the life of the DB.
func (db *DB) Writer() *sql.DB { return db.writer }

// Path returns the absolute path of the file.
func (db *DB) Path() string { return db.path }

// Close closes the readers, then the writer, and joins their errors. A second
// Close does nothing.
//
// It does not wait. New calls fail; transactions that are running carry on to
// their end, and each gives up its connection there. When the last connection
// closes SQLite moves the write-ahead log into the database file and removes
// it. That is the writer's, unless a reader is still busy or another process
// has the file open: then the log stays beside the file, and the next to open
// it picks it up. So stop the work first (http.Server.Shutdown), then Close.
func (db *DB) Close() error {
	err := errors.Join(db.reader.Close(), db.writer.Close())
	db.node.close()
	return err
}
