package follow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

// quick are options for a test's cutover.
var quick = Options{Batch: 10 * time.Millisecond, Settled: 10 * time.Millisecond}

// nothingLeft looks whether PostgreSQL and the file are rid of what a follow makes.
func nothingLeft(t testing.TB, db *testkit.PostgresDB, source Source) {
	t.Helper()
	found, err := Find(context.Background(), db.Conn())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Database == db.Name {
			t.Errorf("left in PostgreSQL: %s", f)
		}
	}
	if got := query(t, source.Path, "SELECT name FROM sqlite_schema WHERE name LIKE '%flysql%'"); got != "" {
		t.Errorf("left in the file: %s", got)
	}
	entries, err := os.ReadDir(filepath.Dir(source.Path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files, want 1: %v, %v", len(entries), entries, err)
	}
}

// A cutover ends with a file that has everything, counts on, and is alone.
func TestCutover(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec(things)
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})
			db.Exec(changes + "INSERT INTO parent (name) VALUES ('p4'), ('p5'); DELETE FROM parent WHERE name = 'p5'; CREATE INDEX late ON t (v)")
			r, err := Cutover(context.Background(), source, quick)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Verification.Equal() || r.Rows == 0 || !strings.Contains(strings.Join(r.Notes, "\n"), "the index late has come since the copy") {
				t.Errorf("%+v", r)
			}
			nothingLeft(t, db, source)
			verified(t, source)
			if got := query(t, source.Path, "SELECT seq FROM sqlite_sequence WHERE name = 'parent'"); got != "5\n" {
				t.Errorf("parent counts from %s", got)
			}
			if _, err := Cutover(context.Background(), source, quick); !errors.Is(err, ErrNotFollowing) {
				t.Errorf("again: %v", err)
			}
			db.Exec("INSERT INTO t (id) VALUES (77777); UPDATE t SET v = 'x' WHERE id = 77777; TRUNCATE log") // nobody is in the way
		})
	}
}

// While somebody writes, or the file is not the same, nothing is removed, and the file is
// followed on.
func TestCutoverRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})

			ctx, writer := context.Background(), db.Conn()
			var busy *WritersError
			for _, statement := range []string{"BEGIN; INSERT INTO t VALUES (3, 'c')", "COMMIT; BEGIN; INSERT INTO t VALUES (4, 'd'); PREPARE TRANSACTION 'cutover " + string(mode) + "'"} {
				if _, err := writer.Exec(ctx, statement); err != nil {
					t.Fatal(err)
				}
				if _, err := Cutover(ctx, source, quick); !errors.As(err, &busy) || len(busy.Sessions) != 1 {
					t.Errorf("%s: %v", statement, err)
				}
			}
			if _, err := writer.Exec(ctx, "COMMIT PREPARED 'cutover "+string(mode)+"'"); err != nil {
				t.Fatal(err)
			}
			// One that writes now and then is seen by what it has written.
			o := quick
			n := 100
			o.Progress = func(p Progress) {
				if p.State == "looking for writers" {
					if n++; n < 110 {
						_, err := writer.Exec(ctx, "INSERT INTO t VALUES ($1, 'now and then')", n)
						if err != nil {
							t.Error(err)
						}
					}
				}
			}
			if _, err := Cutover(ctx, source, o); !errors.As(err, &busy) || busy.Changed == "" {
				t.Errorf("a write now and then: %v", err)
			}
			// One that comes while the tables are compared waits for it.
			o.Progress = func(p Progress) {
				if p.State == "comparing" {
					go writer.Exec(ctx, "UPDATE t SET v = 'late' WHERE id = 1") // it ends with the lock, or the test
					testkit.Poll(t, "the writer waits", func() bool {
						var waits bool
						err := db.Conn().QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)").Scan(&waits)
						return err == nil && waits
					})
				}
			}
			if _, err := Cutover(ctx, source, o); !errors.As(err, &busy) || len(busy.Sessions) != 1 {
				t.Errorf("a write while it compares: %v", err)
			}
			testkit.Poll(t, "the writer has written", func() bool {
				var v string
				return db.Conn().QueryRow(ctx, "SELECT v FROM t WHERE id = 1").Scan(&v) == nil && v == "late"
			})

			write(t, source.Path, "UPDATE t SET v = 'of somebody' WHERE id = 2")
			var differs *transfer.DifferenceError
			if _, err := Cutover(ctx, source, quick); !errors.As(err, &differs) || !strings.Contains(err.Error(), "row 2 has changed in v") {
				t.Errorf("another's write: %v", err)
			}
			write(t, source.Path, "UPDATE t SET v = 'b' WHERE id = 2")
			if _, err := Cutover(ctx, source, quick); err != nil {
				t.Fatal(err)
			}
			nothingLeft(t, db, source)
			verified(t, source)
		})
	}
}

// write writes to a file as another program.
func write(t testing.TB, path, statement string) {
	t.Helper()
	db, err := lite.Open(context.Background(), path, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Exec(statement), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// A cutover that is killed at any step is ended by another, and one that is to be
// forgotten is.
func TestCutoverKilled(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			for _, at := range []string{"flush", "verified", "dropped"} {
				db := testkit.Postgres(t)
				db.Exec("CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('a'), ('b')")
				source := sourceOf(t, db, move.Options{})
				begun(t, source, Options{Mode: mode})
				db.Exec("UPDATE t SET v = 'c'; INSERT INTO t (v) VALUES ('d')")
				killed(t, job{URL: db.URL, Path: source.Path, Mode: mode, Do: "cutover", KillAt: at})
				r, err := Cutover(context.Background(), source, quick)
				if err != nil {
					t.Fatalf("after a kill at %s: %v", at, err)
				}
				if r.Resumed != (at == "dropped") {
					t.Errorf("after a kill at %s: %+v", at, r)
				}
				nothingLeft(t, db, source)
				verified(t, source)
			}
		})
	}
}

// A cutover begins while the follower is at work yet: what the one applies, the other
// neither takes for lost nor applies again, wherever it is at.
func TestTwoFollowers(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			db := testkit.Postgres(t)
			db.Exec("CREATE TABLE t (v int); ALTER TABLE t REPLICA IDENTITY FULL")
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})
			other := func(v int) {
				db.Exec(fmt.Sprintf("INSERT INTO t VALUES (%d)", v))
				if err := drain(t, source); err != nil {
					t.Error(err)
				}
			}
			slow := source
			slow.Plan = func(ctx context.Context, s *move.Schema) (*move.Plan, error) {
				other(1)
				return source.Plan(ctx, s)
			}
			o, v := quick, 2
			o.at = func(at string) { // of the slot's: the triggers' followers exclude each other by then
				if at == "looked" && v == 3 {
					v++
					other(3)
				}
			}
			f, err := open(ctx, slow, o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := f.close(); err != nil {
					t.Error(err)
				}
			}()
			other(2)
			if err := f.a.begin(); !errors.Is(err, ErrBusy) {
				t.Errorf("a transaction behind the back of another follower's: %v", err)
			}
			if err := f.a.rollback(); err != nil {
				t.Fatal(err)
			}
			v++
			db.Exec("INSERT INTO t VALUES (5)")
			if err := f.run(ctx, f.here()); err != nil {
				t.Fatal(err)
			}
			verified(t, source)
		})
	}
}

// Another follower's progress is none of a cutover's, which gives up.
func TestCutoverBusy(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Logical, Triggers} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			db := testkit.Postgres(t)
			db.Exec("CREATE TABLE t (id serial PRIMARY KEY)")
			source := sourceOf(t, db, move.Options{})
			begun(t, source, Options{Mode: mode})
			ctx, stop := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer stop()
			writer := db.Conn()
			wg.Go(func() {
				if err := Run(ctx, source, quick); ctx.Err() == nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				for ctx.Err() == nil {
					writer.Exec(ctx, "INSERT INTO t DEFAULT VALUES")
				}
			})
			testkit.Poll(t, "it follows", func() bool { return query(t, source.Path, "SELECT id FROM t LIMIT 1") != "" })
			o := quick
			o.GiveUp = time.Second
			if _, err := Cutover(context.Background(), source, o); !errors.Is(err, ErrBusy) {
				t.Errorf("error: %v", err)
			}
		})
	}
}
