package appdb_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/engine"
)

// roles is an engine whose state a test sets.
type roles struct {
	mu sync.Mutex
	st engine.State
	ch chan struct{}
}

func newRoles(r engine.Role, primary string) *roles {
	e := &roles{}
	e.set(r, primary)
	return e
}

// set changes the role, as an engine tells it.
func (e *roles) set(r engine.Role, primary string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	was := e.ch
	e.ch = make(chan struct{})
	e.st = engine.State{Role: r, Primary: primary, Epoch: e.st.Epoch + 1, At: time.Now(), Changed: e.ch}
	if was != nil {
		close(was)
	}
}

func (e *roles) State() engine.State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.st
}

func (e *roles) WaitPosition(context.Context, string, engine.Pos) error {
	return errors.New("a DB waits for no position")
}

// openRole opens a new file with a table t and one row, on a machine with a role.
func openRole(t testing.TB, c appdb.Config, r engine.Role, primary string) (*appdb.DB, *roles) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	first := open(t, appdb.Config{}, path)
	exec(t, first.Writer(), "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL)")
	exec(t, first.Writer(), "INSERT INTO t (v) VALUES ('first')")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	e := newRoles(r, primary)
	c.Engine = e
	return open(t, c, path), e
}

// isReplica checks that err says that the primary is elsewhere, as each of those who
// may ask would find out.
func isReplica(t testing.TB, what string, err error, primary string) {
	t.Helper()
	var re *appdb.ReplicaError
	var behaves interface{ ReplicaWrite() bool }
	if !errors.Is(err, appdb.ErrReplica) || !errors.As(err, &re) || re.Primary != primary || !errors.As(err, &behaves) || !behaves.ReplicaWrite() {
		t.Errorf("%s: %v, want an ErrReplica that names %q", what, err, primary)
	}
}

// Every way to write is refused on a replica with the one error, before anything has
// happened; and taken as soon as this machine is the primary.
func TestReplicaWrites(t *testing.T) {
	db, e := openRole(t, appdb.Config{}, engine.RoleReplica, "b")
	ctx := t.Context()
	prepared, err := db.Writer().PrepareContext(ctx, "INSERT INTO t (v) VALUES (?)")
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	ways := map[string]func() error{
		"Update":   func() error { return db.Update(ctx, insert("update")) },
		"Exec":     func() error { _, err := db.Writer().ExecContext(ctx, "INSERT INTO t (v) VALUES ('exec')"); return err },
		"prepared": func() error { _, err := prepared.ExecContext(ctx, "prepared"); return err },
		"Query": func() error {
			return db.Writer().QueryRowContext(ctx, "INSERT INTO t (v) VALUES ('query') RETURNING id").Scan(new(int))
		},
		"TEMP": func() error {
			_, err := db.Writer().ExecContext(ctx, "CREATE TEMP TABLE x (v); DROP TABLE x")
			return err
		},
		"Tx": func() error {
			tx, err := db.Writer().BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			return tx.Rollback()
		},
		"Conn": func() error {
			conn, err := db.Writer().Conn(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE")
			return err
		},
	}
	before := read(t, db.Path())
	refused := func(primary string) {
		t.Helper()
		for name, write := range ways {
			isReplica(t, name, write(), primary)
		}
		if got := value[int](t, db.Writer(), "SELECT count(*) FROM t WHERE v = 'first'"); got != 1 {
			t.Errorf("the writer reads %d rows", got)
		}
		if got := rows(t, db); got != "first" && before != "" {
			t.Errorf("rows %q", got)
		}
	}
	refused("b")
	if read(t, db.Path()) != before {
		t.Error("the file has changed")
	}

	before = ""
	e.set(engine.RolePrimary, "a")
	for name, write := range ways {
		if err := write(); err != nil {
			t.Errorf("%s on the primary: %v", name, err)
		}
	}
	e.set(engine.RoleReplica, "c")
	refused("c")
}

// Who takes a connection after a role has changed gets one that works, also where
// the last user has left a transaction open on the one that there was.
func TestConnAfterDemotion(t *testing.T) {
	db, e := openRole(t, appdb.Config{}, engine.RolePrimary, "a")
	for range 50 {
		e.set(engine.RolePrimary, "a")
		exec(t, db.Writer(), "BEGIN IMMEDIATE")
		e.set(engine.RoleReplica, "b")
		conn, err := db.Writer().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
		isReplica(t, "BEGIN", err, "b")
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// read returns the file and its log.
func read(t testing.TB, path string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{path, path + "-wal"} {
		data, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// The role changes in the middle of a transaction.
func TestDemotedInTransaction(t *testing.T) {
	for _, tt := range []struct {
		name    string
		before  func(e *roles) // a second statement
		commit  func(e *roles) // before the commit
		primary string         // where it is refused
		want    string
	}{
		{"before a statement", func(e *roles) { e.set(engine.RoleReplica, "b") }, nil, "b", "first"},
		{"before the commit", nil, func(e *roles) { e.set(engine.RoleReplica, "b") }, "b", "first"},
		{"unknown, then back", func(e *roles) { e.set(engine.RoleUnknown, "") }, func(e *roles) { time.AfterFunc(50*time.Millisecond, func() { e.set(engine.RolePrimary, "a") }) }, "", "first x y"},
		{"unknown, then gone", func(e *roles) { e.set(engine.RoleUnknown, "") }, func(e *roles) { time.AfterFunc(50*time.Millisecond, func() { e.set(engine.RoleReplica, "b") }) }, "b", "first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db, e := openRole(t, appdb.Config{}, engine.RolePrimary, "a")
			err := db.Update(t.Context(), func(tx *sql.Tx) error {
				if err := insert("x")(tx); err != nil {
					return err
				}
				if tt.before != nil {
					tt.before(e)
				}
				if err := insert("y")(tx); err != nil {
					return err
				}
				if tt.commit != nil {
					tt.commit(e)
				}
				return nil
			})
			if tt.primary != "" {
				isReplica(t, "Update", err, tt.primary)
			} else if err != nil {
				t.Error(err)
			}
			if got := rows(t, db); got != tt.want {
				t.Errorf("rows %q, want %q", got, tt.want)
			}
			e.set(engine.RolePrimary, "a")
			if err := db.Update(t.Context(), insert("z")); err != nil {
				t.Errorf("the primary again: %v", err)
			}
		})
	}
}

// Who goes on after a refusal, and commits, keeps nothing, even on the primary again.
func TestDemotedForAMoment(t *testing.T) {
	db, e := openRole(t, appdb.Config{}, engine.RolePrimary, "a")
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		if err := insert("x")(tx); err != nil {
			return err
		}
		e.set(engine.RoleReplica, "b")
		isReplica(t, "insert", insert("y")(tx), "b")
		e.set(engine.RolePrimary, "a")
		isReplica(t, "insert", insert("z")(tx), "b")
		return nil
	})
	isReplica(t, "Update", err, "b")
	if got := rows(t, db); got != "first" {
		t.Errorf("rows %q", got)
	}
	usable(t, db)
}

// While the role is not known a write waits, but not for ever, and not anew each time.
func TestRoleUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, e := openRole(t, appdb.Config{}, engine.RolePrimary, "a")
		e.set(engine.RoleUnknown, "")
		done := make(chan error, 1)
		go func() { done <- db.Update(context.Background(), insert("x")) }()
		time.Sleep(500 * time.Millisecond) // the bubble's
		e.set(engine.RolePrimary, "a")
		if err := <-done; err != nil {
			t.Errorf("known in time: %v", err)
		}

		e.set(engine.RoleUnknown, "")
		synctest.Wait()
		start := time.Now()
		for range 20 {
			isReplica(t, "too long", db.Update(context.Background(), insert("y")), "")
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("twenty writes waited %v together, want 1s", took)
		}
		if got := rows(t, db); got != "first x" {
			t.Errorf("rows %q", got)
		}
	})
}

// Whose time is over while the role is unknown is told that, and nothing is changed by it.
func TestRoleUnknownGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, e := openRole(t, appdb.Config{}, engine.RolePrimary, "a")
		e.set(engine.RoleUnknown, "")
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		if err := db.Update(ctx, insert("x")); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, appdb.ErrReplica) {
			t.Errorf("given up: %v", err)
		}
		e.set(engine.RolePrimary, "a")
		usable(t, db)
	})
}

// Reads rest while the role changes: LiteFS waits for that. Where it leads to nothing
// they go on, and are left alone for a while.
func TestReadsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, e := openRole(t, appdb.Config{}, engine.RoleReplica, "b")
		reading := func() time.Duration {
			start := time.Now()
			if got := rows(t, db); got != "first" {
				t.Errorf("rows %q", got)
			}
			return time.Since(start)
		}
		lose := func() { e.set(engine.RoleUnknown, ""); synctest.Wait() }
		lose()
		time.AfterFunc(30*time.Millisecond, func() { e.set(engine.RolePrimary, "a") })
		if took := reading(); took != 30*time.Millisecond {
			t.Errorf("a read took %v, want until the role was known", took)
		}
		lose()
		if took := reading(); took != 250*time.Millisecond {
			t.Errorf("a read took %v, want until the limit", took)
		}
		e.set(engine.RoleReplica, "b")
		synctest.Wait()
		lose()
		if took := reading(); took != 0 {
			t.Errorf("a read took %v soon after holding back was in vain", took)
		}
		e.set(engine.RoleReplica, "b")
		time.Sleep(11 * time.Second)
		lose()
		ended, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := db.Reader().QueryRowContext(ended, "SELECT 1").Scan(new(int)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a read whose context ended: %v", err)
		}
	})
}

// Confirm tells of a change of the primary just after a commit, and costs the next
// write nothing.
func TestConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, e := openRole(t, appdb.Config{Confirm: 20 * time.Millisecond}, engine.RolePrimary, "a")
		start := time.Now()
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := db.Update(context.Background(), insert("x")); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if took := time.Since(start); took != 20*time.Millisecond {
			t.Errorf("two writes took %v, want 20ms together", took)
		}
		time.AfterFunc(10*time.Millisecond, func() { e.set(engine.RoleReplica, "b") })
		err := db.Update(context.Background(), insert("y"))
		if !errors.Is(err, appdb.ErrUnknown) || errors.Is(err, appdb.ErrReplica) {
			t.Errorf("the primary changed just after the commit: %v", err)
		}
		if got := rows(t, db); got != "first x x y" {
			t.Errorf("rows %q", got)
		}
	})
	if _, err := (appdb.Config{Confirm: -1}).Open(t.Context(), "app.db"); err == nil {
		t.Error("a negative Confirm was taken")
	}
}

// Only the primary can begin a database.
func TestReplicaWithoutFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	e := newRoles(engine.RoleReplica, "b")
	c := appdb.Config{Engine: e}
	if _, err := c.Open(t.Context(), path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "has not received it yet") {
		t.Errorf("Open: %v", err)
	}
	if got := files(t, filepath.Dir(path)); len(got) != 0 {
		t.Errorf("files %q", got)
	}
	e.set(engine.RolePrimary, "a")
	db := open(t, c, path)
	exec(t, db.Writer(), "CREATE TABLE t (v)")
}
