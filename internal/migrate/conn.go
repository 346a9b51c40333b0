package migrate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"

	"github.com/flysql/flysql/internal/pgfunc"
)

// lockWait is how long a statement waits for another process to let go of the database.
const lockWait = 10 * time.Second

// session is one run over one database: a driver.Connector, its open connections and what they have seen.
//
// It holds a context, against the custom, because two of the three libraries call the driver without
// one: only through the connection can their statements be made to stop when the caller wants to.
// A session lives no longer than the call that was given the context.
type session struct {
	ctx    context.Context
	path   string
	dsn    string
	driver driver.Driver

	mu        sync.Mutex
	open      map[*conn]struct{}
	closeErr  error
	shielded  bool     // the tool is recording what has happened; see shield
	impatient bool     // a wait for a lock has already lasted lockWait
	queries   []string // scripts run since the tool last recorded a version
	failure   *failure
}

// failure is what went wrong: a statement of a script, or something beside it.
type failure struct {
	queries   []string // as session.queries, the failing script last; nil when no script failed
	offset    int      // in that script, bytes: of the token at fault, else of the statement
	statement string
	err       error
}

// newSession prepares connections to the file at path. query holds SQLite's own URI parameters.
func newSession(ctx context.Context, path string, query string) (*session, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// The registered driver rather than a new one: it carries the functions, collations and hooks that
	// the app has added, and which its migrations may call. sql.Open opens nothing.
	if err := pgfunc.Register(); err != nil { // and those that appdb gives it
		return nil, err
	}
	db, err := sql.Open("sqlite", "")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: query}
	return &session{
		ctx: ctx, path: path, dsn: dsn.String(), driver: db.Driver(),
		open: make(map[*conn]struct{}),
	}, nil
}

// db returns a new pool over the session. No tool needs two connections at a time. Two are allowed: if
// one ever does, its second write ends after lockWait with "database is locked", where a pool of one
// would hang for good.
func (s *session) db() *sql.DB {
	db := sql.OpenDB(s)
	db.SetMaxOpenConns(2)
	return db
}

// close ends every connection, also those that a library has lost (golang-migrate leaves its
// transaction open when the first statement in it fails), so that no lock outlives the run.
func (s *session) close() error {
	s.mu.Lock()
	left := make([]*conn, 0, len(s.open))
	for c := range s.open {
		left = append(left, c)
	}
	s.mu.Unlock()
	for _, c := range left {
		c.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeErr
}

// shield lets statements run to their end although the context is done, until the returned function is
// called. It is for recording a migration that has been committed.
func (s *session) shield() func() {
	set := func(on bool) {
		s.mu.Lock()
		s.shielded = on
		s.mu.Unlock()
	}
	set(true)
	return func() { set(false) }
}

// context chooses between the context a library passes on and the session's. A library that passes on
// the caller's is obeyed; one that passes none gets the session's.
func (s *session) context(ctx context.Context) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.shielded:
		return context.WithoutCancel(s.ctx)
	case ctx == nil || ctx.Done() == nil:
		return s.ctx
	}
	return ctx
}

// Connect implements [driver.Connector].
func (s *session) Connect(context.Context) (driver.Conn, error) {
	raw, err := s.driver.Open(s.dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.path, err)
	}
	inner, ok := raw.(sqliteConn)
	if !ok {
		raw.Close()
		return nil, fmt.Errorf("open %s: the database/sql driver \"sqlite\" is %T, not that of modernc.org/sqlite", s.path, s.driver)
	}
	c := &conn{sqliteConn: inner, session: s}
	// Set after the driver's own connection hooks have run, so that the last word is ours. With foreign
	// keys on, the DROP TABLE of a table rebuild deletes the rows that refer to it.
	for _, pragma := range []string{"PRAGMA foreign_keys=OFF", shortWait} {
		if _, err := inner.ExecContext(context.Background(), pragma, nil); err != nil {
			inner.Close()
			return nil, fmt.Errorf("open %s: %w", s.path, err)
		}
	}
	s.mu.Lock()
	s.open[c] = struct{}{}
	s.mu.Unlock()
	return c, nil
}

// Driver implements [driver.Connector].
func (s *session) Driver() driver.Driver { return s.driver }

// sqliteConn is what a connection of modernc.org/sqlite can do and this package passes on.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// conn runs scripts statement by statement, so that the one which fails is known, and makes every
// statement obey the session's context.
type conn struct {
	sqliteConn
	session *session
	inTx    bool // a library's transaction is open; database/sql uses a conn from one goroutine at a time
}

// Close never fails: dbmate panics when it does. The error is kept for session.close.
func (c *conn) Close() error {
	s := c.session
	s.mu.Lock()
	_, open := s.open[c]
	delete(s.open, c)
	s.mu.Unlock()
	if !open {
		return nil
	}
	if err := c.sqliteConn.Close(); err != nil {
		s.mu.Lock()
		s.closeErr = errors.Join(s.closeErr, err)
		s.mu.Unlock()
	}
	return nil
}

// ExecContext runs query. A query with arguments is the tool recording a version; it runs to its end
// even when the context is done, for what has been done must be recorded. One without is a script.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 0 {
		return c.run(c.session.context(ctx), query)
	}
	res, err := c.exec(context.WithoutCancel(c.session.ctx), query, args)
	if err != nil {
		c.session.broke(err)
		return nil, err
	}
	c.session.recorded()
	return res, nil
}

func (c *conn) exec(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	err = c.session.patiently(ctx, func() error {
		res, err = c.sqliteConn.ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

// run executes a script and notes the statement that fails.
func (c *conn) run(ctx context.Context, script string) (driver.Result, error) {
	if c.session.begun(script) && !c.inTx {
		// The first script of a migration that runs outside a transaction.
		if err := c.foreignKeysOff(); err != nil {
			return nil, err
		}
	}
	// SQLite reads no further than a NUL and reports success: half a migration would count as applied.
	if i := strings.IndexByte(script, 0); i >= 0 {
		return nil, c.session.failed(i, "", errNUL)
	}
	var res driver.Result = driver.ResultNoRows
	for _, p := range split(script) {
		if p.start < 0 {
			continue
		}
		r, err := c.exec(ctx, p.text, nil)
		if err != nil {
			at := p.start
			if ctx.Err() == nil {
				at = c.faultIn(p, err)
			}
			return nil, c.session.failed(p.off+at, strings.TrimSpace(p.text[p.start:]), err)
		}
		if r != nil {
			res = r
		}
	}
	return res, nil
}

// QueryContext serves the tools' own look-ups.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	ctx = c.session.context(ctx)
	err = c.session.patiently(ctx, func() error {
		rows, err = c.sqliteConn.QueryContext(ctx, query, args)
		return err
	})
	return rows, err
}

// foreignKeysOff undoes what an earlier migration on this connection has set: one
// that rebuilds a table the way SQLite documents ends with the keys on, and in the
// next the DROP TABLE of a rebuild would delete the rows that refer to it.
func (c *conn) foreignKeysOff() error {
	_, err := c.sqliteConn.ExecContext(context.Background(), "PRAGMA foreign_keys=OFF", nil)
	return err
}

// BeginTx starts a transaction that may write at once (the session's DSN says so): one that only asks
// for the write lock later cannot wait for it, and fails.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (tx driver.Tx, err error) {
	ctx = c.session.context(ctx)
	if err := ctx.Err(); err != nil {
		c.session.broke(err)
		return nil, err
	}
	if err := c.foreignKeysOff(); err != nil { // inside a transaction it would do nothing
		c.session.broke(err)
		return nil, err
	}
	err = c.session.patiently(ctx, func() error {
		tx, err = c.sqliteConn.BeginTx(ctx, opts)
		return err
	})
	if err != nil {
		c.session.broke(err)
		return nil, err
	}
	c.inTx = true
	return &transaction{Tx: tx, conn: c}, nil
}

// transaction corrects two endings of the driver's own.
type transaction struct {
	driver.Tx
	conn *conn
}

// Commit waits for readers inside SQLite: the driver rolls back when a commit meets a lock, so it
// cannot be tried again from outside.
func (t *transaction) Commit() error {
	t.conn.inTx = false
	c := t.conn.sqliteConn
	if _, err := c.ExecContext(context.Background(), longWait, nil); err != nil {
		return errors.Join(err, t.Rollback())
	}
	err := t.Tx.Commit()
	if err != nil {
		t.conn.session.broke(err)
	}
	_, e := c.ExecContext(context.Background(), shortWait, nil)
	return errors.Join(err, e)
}

// Rollback succeeds when SQLite has already rolled back by itself, as it does after an interrupt or on
// a full disk. The libraries would report that in place of the cause.
func (t *transaction) Rollback() error {
	t.conn.inTx = false
	err := t.Tx.Rollback()
	var e *sqlite.Error
	if errors.As(err, &e) && strings.Contains(e.Error(), "no transaction is active") {
		return nil
	}
	return err
}
