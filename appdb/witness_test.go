package appdb_test

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/engine"
)

// counting is an engine that counts commits.
type counting struct {
	role    atomic.Uint32
	commits engine.Commits
	changed chan struct{}
}

func (c *counting) State() engine.State {
	return engine.State{Role: engine.Role(c.role.Load()), Primary: "m1", Ready: true, Changed: c.changed}
}
func (c *counting) WaitPosition(context.Context, string, engine.Pos) error { return nil }
func (c *counting) Commits() *engine.Commits                               { return &c.commits }

type witness struct{ refused, committed atomic.Int64 }

func (w *witness) Refused(err error) {
	if !errors.Is(err, appdb.ErrReplica) {
		panic(err)
	}
	w.refused.Add(1)
}
func (w *witness) Committed() { w.committed.Add(1) }

// Whoever routes requests hears what became of their writes, however they are made.
func TestWitness(t *testing.T) {
	e := &counting{changed: make(chan struct{})}
	e.role.Store(uint32(engine.RolePrimary))
	db, err := appdb.Config{Engine: e}.Open(t.Context(), t.TempDir()+"/app.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, counted := e.commits.Load(); !counted {
		t.Fatal("nobody counts")
	}
	if _, err := db.Writer().Exec("CREATE TABLE t (x)"); err != nil {
		t.Fatal(err)
	}
	const insert = "INSERT INTO t VALUES (1)"
	ways := map[string]func(ctx context.Context) error{
		"update": func(ctx context.Context) error {
			return db.Update(ctx, func(tx *sql.Tx) error { _, err := tx.ExecContext(ctx, insert); return err })
		},
		"exec": func(ctx context.Context) error { _, err := db.Writer().ExecContext(ctx, insert); return err },
		"returning": func(ctx context.Context) error {
			var x int
			return db.Writer().QueryRowContext(ctx, insert+" RETURNING x").Scan(&x)
		},
		"prepared": func(ctx context.Context) error {
			stmt, err := db.Writer().PrepareContext(ctx, insert)
			if err != nil {
				return err
			}
			defer stmt.Close()
			_, err = stmt.ExecContext(ctx)
			return err
		},
	}
	for name, write := range ways {
		e.role.Store(uint32(engine.RolePrimary))
		var w witness
		before, _ := e.commits.Load()
		if err := write(engine.WithWitness(t.Context(), &w)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		after, _ := e.commits.Load()
		if w.committed.Load() != 1 || w.refused.Load() != 0 || after != before+1 {
			t.Errorf("%s: committed %d, refused %d, counted %d", name, w.committed.Load(), w.refused.Load(), after-before)
		}
		e.role.Store(uint32(engine.RoleReplica))
		var r witness
		err := write(engine.WithWitness(t.Context(), &r))
		last, _ := e.commits.Load()
		if !errors.Is(err, appdb.ErrReplica) || r.refused.Load() == 0 || r.committed.Load() != 0 || last != after {
			t.Errorf("%s on a replica: %v; refused %d, committed %d, counted %d", name, err, r.refused.Load(), r.committed.Load(), last-after)
		}
	}
	e.role.Store(uint32(engine.RolePrimary))
	var w witness
	before, _ := e.commits.Load()
	undone := errors.New("undone")
	if err := db.Update(engine.WithWitness(t.Context(), &w), func(tx *sql.Tx) error { tx.Exec(insert); return undone }); !errors.Is(err, undone) {
		t.Fatal(err)
	}
	var n int
	if err := db.Reader().QueryRowContext(engine.WithWitness(t.Context(), &w), "SELECT count(*) FROM t").Scan(&n); err != nil || n != len(ways) {
		t.Errorf("%d rows, %v", n, err)
	}
	if after, _ := e.commits.Load(); after != before || w.committed.Load() != 0 || w.refused.Load() != 0 {
		t.Errorf("nothing was kept: committed %d, refused %d, counted %d", w.committed.Load(), w.refused.Load(), after-before)
	}
}
