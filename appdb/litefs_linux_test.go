package appdb_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
)

// openPlace opens the database of a node, with its engine.
func openPlace(t testing.TB, p *place) *appdb.DB {
	t.Helper()
	if _, err := p.follower.WaitPrimary(t.Context()); err != nil {
		t.Fatal(err)
	}
	return open(t, appdb.Config{Engine: p.follower}, p.DB("app.db"))
}

func put(id string, size int) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO t VALUES (?, randomblob(?))", id, size)
		return err
	}
}

// On real nodes, in both journal modes: a replica reads and refuses, a promotion is
// followed without opening anything again, and nobody changes the journal mode.
func TestOnLiteFS(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			places := startNodes(t, journal)
			a, b := openPlace(t, places[0]), openPlace(t, places[1])
			dbs := []*appdb.DB{a, b}
			for round := range 4 {
				primary, replica := round%2, 1-round%2
				if err := dbs[primary].Update(t.Context(), put(fmt.Sprint(round), 10)); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				at := places[replica].Position("app.db")
				isReplica(t, "Update", dbs[replica].Update(t.Context(), put("refused", 10)), places[primary].Name)
				_, err := dbs[replica].Writer().ExecContext(t.Context(), "INSERT INTO t VALUES ('refused', 1)")
				isReplica(t, "Exec", err, places[primary].Name)
				level(t, places)
				if now := places[replica].Position("app.db"); round > 0 && at == "" || strings.Contains(now, "refused") {
					t.Errorf("positions %s and %s", at, now)
				}
				for i, db := range dbs {
					if got := value[int](t, db.Reader(), "SELECT count(*) FROM t"); got != round+1 {
						t.Errorf("round %d: %d rows on %s, want %d", round, got, places[i].Name, round+1)
					}
					if got := value[string](t, db.Writer(), "PRAGMA journal_mode"); got != journal {
						t.Errorf("round %d: journal mode %s on %s", round, got, places[i].Name)
					}
				}
				if err := places[replica].follower.Promote(t.Context()); err != nil {
					t.Fatal(err)
				}
				// The old one learns of it a little later.
				if _, err := litefs.Wait(t.Context(), places[primary].follower, func(st litefs.State) bool { return st.Role == litefs.RoleReplica }); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// An engine that is late to tell does not make a disk fault of a replica's refusal, and
// without one the mount says who is the primary.
func TestReplicaByItsErrors(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			places := startNodes(t, journal)
			e := newRoles(engine.RolePrimary, "b")
			for name, c := range map[string]appdb.Config{"late engine": {Engine: e}, "no engine": {}} {
				db := open(t, c, places[1].DB("app.db"))
				err := db.Update(t.Context(), func(tx *sql.Tx) error {
					// Told while appdb wonders about the error.
					time.AfterFunc(20*time.Millisecond, func() { e.set(engine.RoleReplica, "a") })
					return put("refused", 10)(tx)
				})
				isReplica(t, name, err, "a")
				if got := code(err); c.Engine == nil && got != 0 {
					t.Errorf("%s: code %d, though the mount names the primary", name, got)
				}
			}
		})
	}
}

// An app that is not root opens its file on a replica, where LiteFS lets nobody write,
// and writes when its machine has become the primary; without an engine as well.
func TestPromotedWithoutRights(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		for _, followed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/engine=%v", journal, followed), func(t *testing.T) {
				places := startNodes(t, journal)
				b := places[1]
				if err := os.Chmod(filepath.Dir(b.Mount), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(filepath.Dir(filepath.Dir(b.Mount)), 0o755); err != nil {
					t.Fatal(err)
				}
				var env []string
				if followed {
					env = []string{apiEnv + "=" + strconv.Itoa(b.API), mountEnv + "=" + b.Mount}
				}
				h := start(t, "promoted", b.DB("app.db"), env...)
				write := func(id string) string {
					t.Helper()
					if _, err := fmt.Fprintln(h.stdin, id); err != nil {
						t.Fatal(err)
					}
					return h.line(t)
				}
				if got := write("refused"); got != appdb.ErrReplica.Error() {
					t.Errorf("on a replica: %s", got)
				}
				if err := b.follower.Promote(t.Context()); err != nil {
					t.Fatal(err)
				}
				testkit.Poll(t, "the app to know of it", func() bool { return write("taken") != appdb.ErrReplica.Error() })
				if got := write("more"); got != "<nil>" {
					t.Errorf("on the primary: %s", got)
				}
				if err := h.wait(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A new database on LiteFS gets a rollback journal, or WAL where the URL says so. One
// that is there keeps what it has.
func TestJournalOnLiteFS(t *testing.T) {
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	n.Start()
	mode := func(url string) (string, error) {
		db, err := appdb.Open(t.Context(), url)
		if err != nil {
			return "", err
		}
		defer db.Close()
		exec(t, db.Writer(), "CREATE TABLE IF NOT EXISTS t (v)")
		got := value[string](t, db.Writer(), "PRAGMA journal_mode") + value[string](t, db.Writer(), "PRAGMA synchronous")
		return got, nil
	}
	file := func(name string) string { return "file://" + n.DB(name) }
	for _, tt := range []struct{ url, want, err string }{
		{file("new.db"), "delete2", ""},
		{file("wal.db") + "?_journal_mode=wal", "wal1", ""},
		{file("wal.db"), "wal1", ""},
		{file("new.db") + "?_synchronous=normal", "delete1", ""},
		{file("new.db") + "?_journal_mode=wal", "", "does not bear a change"},
		{file("new.db"), "delete2", ""},
		{file("new.db") + "?_journal_mode=memory", "", "memory"},
		{file("new.db") + "?_journal_mode=off", "", "off"},
	} {
		got, err := mode(tt.url)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %s, %v, want %s, %s", strings.TrimPrefix(tt.url, "file://"+n.Mount), got, err, tt.want, tt.err)
		}
	}
}

// LiteFS shortens the index of the log to its first part when the role changes. Who
// had more of it mapped must not come back to what is gone.
func TestLongLog(t *testing.T) {
	places := startNodes(t, "wal")
	dbs := []*appdb.DB{openPlace(t, places[0]), openPlace(t, places[1])}
	// 4,096 pages are in the index's first part.
	long := func(db *appdb.DB, id string) {
		t.Helper()
		err := db.Update(t.Context(), func(tx *sql.Tx) error {
			for i := range 5 {
				if _, err := tx.Exec("INSERT INTO t VALUES (?, zeroblob(?))", fmt.Sprint(id, i), 4<<20); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		primary, replica := round%2, 1-round%2
		long(dbs[primary], fmt.Sprint(round, "-"))
		if info, err := os.Stat(places[primary].DB("app.db") + "-shm"); err != nil || info.Size() <= 32<<10 {
			t.Errorf("the index has %v bytes (%v): the test proves nothing", info.Size(), err)
		}
		level(t, places)
		if err := places[replica].follower.Promote(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := value[int](t, dbs[replica].Reader(), "SELECT count(*) FROM t"); got != 5*(round+1) {
			t.Errorf("%d rows, want %d", got, 5*(round+1))
		}
	}
}

// A SIGBUS in SQLite's shared memory costs a connection, and not the process.
func TestSharedMemoryTakenAway(t *testing.T) {
	db, _ := openRole(t, appdb.Config{}, engine.RolePrimary, "a")
	shm := db.Path() + "-shm"
	// calm waits until what a fault has begun is over, and has both pools connected.
	calm := func() {
		t.Helper()
		testkit.Poll(t, "the connections to be renewed", func() bool { return !appdb.Renewing(db) })
		usable(t, db)
		rows(t, db)
	}
	// cut takes the memory away until somebody has met with that.
	cut := func() (restored func()) {
		t.Helper()
		was, err := os.ReadFile(shm)
		if err != nil {
			t.Fatal(err)
		}
		before := appdb.Faults(db)
		if err := os.Truncate(shm, 0); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			testkit.Poll(t, "a fault", func() bool { return appdb.Faults(db) > before })
			f, err := os.OpenFile(shm, os.O_RDWR, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if _, err := f.WriteAt(was, 0); err != nil {
				t.Error(err)
			}
		})
		return wg.Wait
	}
	want := "first"
	for range 5 {
		calm()
		restored := cut()
		if got := rows(t, db); got != want {
			t.Errorf("rows %q, want %q", got, want)
		}
		restored()
		calm()
		restored = cut()
		if err := db.Update(t.Context(), insert("x")); err != nil {
			t.Errorf("Update: %v", err)
		}
		restored()
		want += " x"
	}
	// In the middle of a transaction it fails.
	calm()
	var restored func()
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		if err := insert("y")(tx); err != nil {
			return err
		}
		restored = cut()
		return nil
	})
	restored()
	if !errors.Is(err, appdb.ErrUnknown) {
		t.Errorf("Update: %v, want an ErrUnknown", err)
	}
	calm()
	err = db.View(t.Context(), func(tx *sql.Tx) error {
		restored = cut()
		return tx.QueryRow("SELECT count(*) FROM t").Scan(new(int))
	})
	restored()
	if err == nil || !strings.Contains(err.Error(), "shared memory") {
		t.Errorf("View: %v", err)
	}
	calm()
	intact(t, db)
}
