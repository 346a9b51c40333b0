package appdb_test

import (
	"database/sql"
	"database/sql/driver"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"modernc.org/sqlite"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
)

// writing are statements that write, or would if there were anything to do.
var writing = []string{
	"INSERT INTO t VALUES ('x', 1)",
	"INSERT INTO t VALUES ('x', 1) RETURNING id",
	"WITH v(i) AS (VALUES ('x')) INSERT INTO t SELECT i, 1 FROM v",
	"UPDATE t SET v = 1 WHERE 0",
	"SELECT 1; DELETE FROM t",
	"CREATE TABLE x (v)",
	"CREATE TEMP TABLE x (v)",
	"VACUUM",
	"REINDEX",
	"ANALYZE",
	"PRAGMA optimize",
	"PRAGMA user_version = 7",
	"PRAGMA incremental_vacuum",
	"BEGIN IMMEDIATE",
	"BEGIN EXCLUSIVE",
}

// Every statement that writes is an ErrReplica on a replica, whichever way it is sent,
// and neither the database nor its LiteFS notices anything of it.
func TestWaysToWrite(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			places := startNodes(t, journal)
			a := openPlace(t, places[0])
			if err := a.Update(t.Context(), put("first", 10)); err != nil {
				t.Fatal(err)
			}
			level(t, places)
			for name, db := range map[string]*appdb.DB{
				"engine": openPlace(t, places[1]), "no engine": open(t, appdb.Config{}, places[1].DB("app.db")),
				// It says that this machine is the primary, for its own is.
				"another's engine": open(t, appdb.Config{Engine: newRoles(engine.RolePrimary, "a")}, places[1].DB("app.db")),
			} {
				at := places[1].Position("app.db")
				for _, q := range writing {
					if name == "another's engine" && !strings.HasPrefix(q, "INSERT INTO t VALUES ('x', 1)") {
						continue // what writes nothing is let go there
					}
					everyWay(t, name+": "+q, db.Writer(), q)
				}
				if now := places[1].Position("app.db"); now != at {
					t.Errorf("%s: the replica went from %s to %s", name, at, now)
				}
				if got := value[string](t, db.Reader(), "SELECT group_concat(id) || (SELECT count(*) FROM sqlite_schema WHERE name = 'x') FROM t"); got != "first0" {
					t.Errorf("%s: rows and tables %s", name, got)
				}
			}
			if err := a.Update(t.Context(), put("after", 10)); err != nil {
				t.Error(err)
			}
			level(t, places)
		})
	}
}

// everyWay sends a statement in each way that database/sql and its driver have.
func everyWay(t *testing.T, name string, w *sql.DB, q string) {
	t.Helper()
	ctx := t.Context()
	_, err := w.ExecContext(ctx, q)
	isReplica(t, name+": Exec", err, "a")
	isReplica(t, name+": Query", w.QueryRowContext(ctx, q).Scan(new(any)), "a")
	p, err := w.PrepareContext(ctx, q)
	if err == nil {
		_, err = p.ExecContext(ctx)
		p.Close()
	}
	isReplica(t, name+": Prepare", err, "a")
	if strings.HasPrefix(q, "BEGIN") {
		return // an open transaction of the driver's own is nobody's to end
	}
	onRaw(t, w, func(c driver.Conn) {
		_, err := c.(driver.ExecerContext).ExecContext(ctx, q, nil)
		isReplica(t, name+": Raw", err, "a")
	})
	onRaw(t, w, func(c driver.Conn) {
		s, err := c.Prepare(q)
		if err == nil {
			_, err = s.(interface {
				Exec([]driver.Value) (driver.Result, error)
			}).Exec(nil)
			s.Close()
		}
		isReplica(t, name+": Raw, Prepare", err, "a")
	})
}

// onRaw does something with the driver's connection.
func onRaw(t *testing.T, w *sql.DB, do func(driver.Conn)) {
	t.Helper()
	c, err := w.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Raw(func(dc any) error { do(dc.(driver.Conn)); return nil }); err != nil && err != driver.ErrBadConn {
		t.Error(err)
	}
}

// beginner is what drivers did before contexts.
type beginner interface{ Begin() (driver.Tx, error) }

// Who has the driver's connection begins nothing on a replica either.
func TestRawOnReplica(t *testing.T) {
	db, e := openRole(t, appdb.Config{}, engine.RoleReplica, "b")
	src := filepath.Join(t.TempDir(), "src.db")
	other := open(t, appdb.Config{}, src)
	exec(t, other.Writer(), "CREATE TABLE restored (v)")
	restore := func(c driver.Conn) error {
		b, err := c.(interface {
			NewRestore(string) (*sqlite.Backup, error)
		}).NewRestore(src)
		if err != nil {
			return err
		}
		_, err = b.Step(-1)
		if ferr := b.Finish(); err == nil {
			err = ferr
		}
		return err
	}
	onRaw(t, db.Writer(), func(c driver.Conn) {
		_, err := c.(beginner).Begin()
		isReplica(t, "Begin", err, "b")
		isReplica(t, "NewRestore", restore(c), "b")
		data, err := c.(interface{ Serialize() ([]byte, error) }).Serialize()
		if err != nil || !strings.HasPrefix(string(data), "SQLite format 3") {
			t.Errorf("Serialize: %.20q, %v", data, err)
		}
	})
	e.set(engine.RolePrimary, "a")
	onRaw(t, db.Writer(), func(c driver.Conn) {
		tx, err := c.(beginner).Begin()
		if err == nil {
			err = tx.Rollback()
		}
		if err != nil {
			t.Errorf("Begin on the primary: %v", err)
		}
		if err := restore(c); err != nil {
			t.Errorf("NewRestore on the primary: %v", err)
		}
	})
	if got := value[int](t, db.Reader(), "SELECT count(*) FROM restored"); got != 0 {
		t.Errorf("%d rows", got)
	}
}

// A transaction that was begun as SQL text is not committed on a replica: in WAL mode
// LiteFS ends itself at that.
func TestTextTransactionDemoted(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			places := startNodes(t, journal)
			db := openPlace(t, places[0])
			level(t, places)
			for _, last := range []string{"COMMIT", "INSERT INTO t VALUES ('y', 1)", "SELECT 1"} {
				c, err := db.Writer().Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				exec(t, c, "BEGIN IMMEDIATE")
				exec(t, c, "INSERT INTO t VALUES ('x', 1)")
				if err := places[1].follower.Promote(t.Context()); err != nil {
					t.Fatal(err)
				}
				// It is a replica only when nobody is in the middle of anything.
				testkit.Poll(t, "the primary to be no longer it", func() bool { return places[0].follower.State().Role != litefs.RolePrimary })
				_, err = c.ExecContext(t.Context(), last)
				isReplica(t, last, err, "")
				if _, err := c.ExecContext(t.Context(), "COMMIT"); err == nil {
					t.Errorf("COMMIT after %s: it was taken", last)
				}
				c.Close()
				testkit.Poll(t, "it to follow", func() bool { return places[0].follower.State().Role == litefs.RoleReplica })
				if err := places[0].follower.Promote(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := db.Update(t.Context(), func(tx *sql.Tx) error { return nil }); err != nil {
					t.Errorf("the primary again: %v", err)
				}
				if got := value[int](t, db.Reader(), "SELECT count(*) FROM t"); got != 0 {
					t.Errorf("after %s: %d rows", last, got)
				}
				level(t, places)
			}
		})
	}
}

// No statement changes the journal mode on LiteFS: what is written in one that LiteFS
// does not see would be lost.
func TestJournalStatement(t *testing.T) {
	places := startNodes(t, "delete")
	db := openPlace(t, places[0])
	for _, q := range []string{
		"PRAGMA journal_mode = memory", "pragma main.Journal_Mode=OFF", "SELECT 1; PRAGMA journal_mode(wal)", "PRAGMA\n\tjournal_mode = truncate",
	} {
		if _, err := db.Writer().ExecContext(t.Context(), q); err == nil || !strings.Contains(err.Error(), "cannot be changed") {
			t.Errorf("%s: %v", q, err)
		}
	}
	if got := value[string](t, db.Writer(), "PRAGMA journal_mode"); got != "delete" {
		t.Errorf("journal mode %s", got)
	}
	exec(t, db.Writer(), "INSERT INTO t VALUES ('PRAGMA journal_mode: see the manual', 1)")
	level(t, places)
}

// Whatever the roles do, nothing piles up, and Close leaves nothing.
func TestRolesLeaveNothing(t *testing.T) {
	descriptors := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	var first int
	for round := range 3 {
		db, e := openRole(t, appdb.Config{}, engine.RolePrimary, "a")
		for range 100 {
			e.set(engine.RoleReplica, "b")
			isReplica(t, "Update", db.Update(t.Context(), insert("x")), "b")
			e.set(engine.RolePrimary, "a")
			if err := db.Update(t.Context(), insert("x")); err != nil {
				t.Fatal(err)
			}
			value[int](t, db.Reader(), "SELECT count(*) FROM t")
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if round == 0 {
			first = descriptors()
		} else if now := descriptors(); now > first {
			t.Errorf("%d descriptors, %d after the first round", now, first)
		}
	}
}
