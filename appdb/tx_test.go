package appdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
)

func insert(v string) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO t (v) VALUES (?)", v)
		return err
	}
}

// rows returns the values in t, in order.
func rows(t *testing.T, db *appdb.DB) string {
	t.Helper()
	return value[string](t, db.Reader(), "SELECT coalesce(group_concat(v, ' ' ORDER BY id), '') FROM t")
}

// usable proves that the writer is free and clean.
func usable(t *testing.T, db *appdb.DB) {
	t.Helper()
	if err := db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM t WHERE v = 'none'")
		return err
	}); err != nil {
		t.Errorf("the writer is unusable afterwards: %v", err)
	}
}

func TestUpdate(t *testing.T) {
	errMine := errors.New("mine")
	for _, c := range []struct {
		name string
		fn   func(*sql.Tx) error
		want string // rows
		is   error
		code int
		text string
	}{
		{name: "commit", fn: insert("a"), want: "a"},
		{name: "nothing", fn: func(*sql.Tx) error { return nil }},
		{name: "error", is: errMine, fn: func(tx *sql.Tx) error {
			return errors.Join(insert("a")(tx), errMine)
		}},
		{name: "constraint", code: 1299, fn: func(tx *sql.Tx) error {
			if err := insert("a")(tx); err != nil {
				return err
			}
			_, err := tx.Exec("INSERT INTO t (v) VALUES (NULL)")
			return err
		}},
		{name: "commit fails", code: 787, text: "commit: ", fn: func(tx *sql.Tx) error {
			if err := insert("a")(tx); err != nil {
				return err
			}
			_, err := tx.Exec("INSERT INTO child (parent) VALUES (99)")
			return err
		}},
		{name: "ends itself", text: "ended the transaction itself", want: "a", fn: func(tx *sql.Tx) error {
			return errors.Join(insert("a")(tx), tx.Commit())
		}},
		{name: "rolls back itself", is: errMine, fn: func(tx *sql.Tx) error {
			return errors.Join(insert("a")(tx), tx.Rollback(), errMine)
		}},
		{name: "leaves rows open", want: "a", fn: func(tx *sql.Tx) error { // nobody closes them
			rows, err := tx.Query("SELECT 1 UNION SELECT 2")
			if err != nil || !rows.Next() {
				return errors.New("no rows")
			}
			return insert("a")(tx)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := openNew(t)
			exec(t, db.Writer(), "CREATE TABLE child (parent INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)")
			err := db.Update(t.Context(), c.fn)
			if (err != nil) != (c.is != nil || c.code != 0 || c.text != "") {
				t.Errorf("Update = %v", err)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("Update = %v, want %v", err, c.is)
			}
			if c.code != 0 && code(err) != c.code {
				t.Errorf("Update = %v, want code %d", err, c.code)
			}
			if c.text != "" && !strings.Contains(err.Error(), c.text) {
				t.Errorf("Update = %v, want %q", err, c.text)
			}
			if got := rows(t, db); got != c.want {
				t.Errorf("rows %q, want %q", got, c.want)
			}
			usable(t, db)
		})
	}
}

// A caller's own error comes back as the same value.
func TestUpdateReturnsTheSameError(t *testing.T) {
	db := openNew(t)
	for name, run := range map[string]func(context.Context, func(*sql.Tx) error) error{"View": db.View, "Update": db.Update} {
		if err := run(t.Context(), func(*sql.Tx) error { return sql.ErrNoRows }); err != sql.ErrNoRows {
			t.Errorf("%s = %v, want sql.ErrNoRows itself", name, err)
		}
	}
}

func TestUpdatePanic(t *testing.T) {
	db := openNew(t)
	for name, run := range map[string]func(context.Context, func(*sql.Tx) error) error{"View": db.View, "Update": db.Update} {
		func() {
			defer func() {
				if got := recover(); got != "boom" {
					t.Errorf("%s: recovered %v, want boom", name, got)
				}
			}()
			_ = run(t.Context(), func(tx *sql.Tx) error {
				if name == "Update" {
					exec(t, tx, "INSERT INTO t (v) VALUES ('a')")
				}
				panic("boom")
			})
		}()
	}
	if got := rows(t, db); got != "" {
		t.Errorf("rows %q, want none", got)
	}
	usable(t, db)
	if n := db.Reader().Stats().InUse; n != 0 {
		t.Errorf("%d readers are still in use", n)
	}
}

// t.FailNow inside fn ends the goroutine without a panic.
func TestUpdateGoexit(t *testing.T) {
	db := openNew(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.Update(context.Background(), func(tx *sql.Tx) error {
			exec(t, tx, "INSERT INTO t (v) VALUES ('a')")
			runtime.Goexit()
			return nil
		})
	})
	wg.Wait()
	if got := rows(t, db); got != "" {
		t.Errorf("rows %q, want none", got)
	}
	usable(t, db)
}

// When the context ends while fn runs, nothing is committed, whether fn
// notices or not.
func TestUpdateContextEndsInside(t *testing.T) {
	for name, after := range map[string]func(context.Context, *sql.Tx) error{
		"noticed": func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO t (v) VALUES ('b')")
			return err
		},
		"overlooked": func(context.Context, *sql.Tx) error { return nil },
		"overlooked after the rollback": func(_ context.Context, tx *sql.Tx) error {
			for {
				if _, err := tx.Exec("SELECT 1"); errors.Is(err, sql.ErrTxDone) {
					return nil
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := openNew(t)
			ctx, cancel := context.WithCancel(t.Context())
			err := db.Update(ctx, func(tx *sql.Tx) error {
				if _, err := tx.ExecContext(ctx, "INSERT INTO t (v) VALUES ('a')"); err != nil {
					return err
				}
				cancel()
				return after(ctx, tx)
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Update = %v, want context.Canceled", err)
			}
			usable(t, db)
			if got := rows(t, db); got != "" {
				t.Errorf("rows %q, want none", got)
			}
		})
	}
}

// SQLite ends a transaction by itself in some cases. That there is nothing left
// to roll back is no error beside the one that led to it.
func TestUpdateRolledBackBySQLite(t *testing.T) {
	db := openNew(t)
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		if err := insert("a")(tx); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT OR ROLLBACK INTO t (v) VALUES (NULL)")
		return err
	})
	if code(err) != 1299 || strings.Contains(err.Error(), "roll back") {
		t.Errorf("Update = %v, want the constraint's error alone", err)
	}
	usable(t, db)
	if got := rows(t, db); got != "" {
		t.Errorf("rows %q, want none", got)
	}
}

// A long statement stops when its context ends, and the writer goes on.
func TestContextInterruptsAStatement(t *testing.T) {
	db := openNew(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO t (v) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n WHERE i < 0")
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Update = %v, want context.DeadlineExceeded", err)
	}
	usable(t, db)
	if got := rows(t, db); got != "" {
		t.Errorf("rows %q, want none", got)
	}
}

// Waiting for the writer ends with the context, and the error says who holds
// it: that is what finds an Update called inside an Update.
func TestQueueObeysContext(t *testing.T) {
	db := openNew(t)
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := db.Update(ctx, func(*sql.Tx) error {
			t.Error("the inner Update ran")
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("inner Update = %v, want context.DeadlineExceeded", err)
		}
		for _, want := range []string{"wait for the writer", "the Update called at tx_test.go:"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v\nwant it to contain %q", err, want)
			}
		}
		if _, err := db.Writer().ExecContext(ctx, "DELETE FROM t"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Writer = %v, want context.DeadlineExceeded", err)
		}
		return insert("a")(tx)
	})
	if err != nil {
		t.Error(err)
	}

	// Behind a transaction on Writer itself.
	tx, err := db.Writer().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := db.Update(ctx, insert("b")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Update = %v, want context.DeadlineExceeded", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}

	// An ended context gets nowhere, even when the writer is free.
	for range 50 { // select picks at random
		if err := db.Update(ctx, insert("c")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Update = %v, want context.DeadlineExceeded", err)
		}
	}
	usable(t, db)
	if got := rows(t, db); got != "a" {
		t.Errorf("rows %q, want a", got)
	}
}

func TestViewSeesOneMoment(t *testing.T) {
	db := openNew(t)
	if err := db.Update(t.Context(), insert("a")); err != nil {
		t.Fatal(err)
	}
	err := db.View(t.Context(), func(tx *sql.Tx) error {
		before := value[int](t, tx, "SELECT count(*) FROM t")
		// The writer does not wait for a reader.
		if err := db.Update(t.Context(), insert("b")); err != nil {
			return err
		}
		if after := value[int](t, tx, "SELECT count(*) FROM t"); before != 1 || after != 1 {
			return fmt.Errorf("saw %d rows and then %d, want 1 and 1", before, after)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if got := rows(t, db); got != "a b" {
		t.Errorf("rows %q, want a b", got)
	}
}

// A View whose context has ended did not see everything, even if fn overlooked
// that.
func TestViewContextEndsInside(t *testing.T) {
	db := openNew(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.View(ctx, func(*sql.Tx) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("View = %v, want context.Canceled", err)
	}
}

// A transaction on Writer has the write lock from its start.
func TestWriterTransactionsAreImmediate(t *testing.T) {
	db := openNew(t)
	other := open(t, appdb.Config{}, "file://"+db.Path()+"?_busy_timeout=0")
	for _, connection := range []string{"first", "second"} {
		tx, err := db.Writer().BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = other.Update(t.Context(), insert("b"))
		if code(err)&0xff != 5 || !strings.Contains(err.Error(), "another process") {
			t.Errorf("%s connection: Update beside a write transaction = %v, want SQLITE_BUSY", connection, err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		if err := other.Update(t.Context(), insert("b")); err != nil {
			t.Errorf("%s connection: Update after it: %v", connection, err)
		}
		db.Writer().SetMaxIdleConns(-1) // connect anew
	}
}

// Read, then write, from many goroutines: with deferred transactions this is
// what fails with "database is locked" and loses updates.
func TestConcurrentWritersNeverSeeBusy(t *testing.T) {
	// No busy timeout: within the process nothing may depend on it.
	db := open(t, appdb.Config{}, "file://"+t.TempDir()+"/app.db?_busy_timeout=0")
	exec(t, db.Writer(), "CREATE TABLE counter (n INTEGER NOT NULL)")
	exec(t, db.Writer(), "INSERT INTO counter VALUES (0)")
	increment := func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRow("SELECT n FROM counter").Scan(&n); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE counter SET n = ?", n+1)
		return err
	}
	const writers, each = 64, 10
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for range each {
				var err error
				switch i % 3 {
				case 0:
					err = db.Update(context.Background(), increment)
				case 1:
					var tx *sql.Tx
					if tx, err = db.Writer().Begin(); err == nil {
						err = errors.Join(increment(tx), tx.Commit())
					}
				case 2:
					_, err = db.Writer().Exec("UPDATE counter SET n = n + 1")
				}
				if err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
				var n int
				if err := db.Reader().QueryRow("SELECT n FROM counter").Scan(&n); err != nil {
					t.Errorf("reader %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	if got, want := value[int](t, db.Reader(), "SELECT n FROM counter"), writers*each; got != want {
		t.Errorf("counter = %d, want %d", got, want)
	}
}

func TestLastInsertIDAndReturning(t *testing.T) {
	db := openNew(t)
	res := exec(t, db.Writer(), "INSERT INTO t (v) VALUES ('a')")
	if id, err := res.LastInsertId(); id != 1 || err != nil {
		t.Errorf("LastInsertId = %d, %v; want 1", id, err)
	}
	if n, err := res.RowsAffected(); n != 1 || err != nil {
		t.Errorf("RowsAffected = %d, %v; want 1", n, err)
	}
	if id := value[int](t, db.Writer(), "INSERT INTO t (v) VALUES ($1) RETURNING id", "b"); id != 2 {
		t.Errorf("RETURNING id = %d, want 2", id)
	}
	if got := rows(t, db); got != "a b" {
		t.Errorf("rows %q, want a b", got)
	}
}
