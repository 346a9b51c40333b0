package inspect

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
)

// On LiteFS a replica is read and not written to, and nothing is put into the mount.
func TestOnLiteFS(t *testing.T) {
	for _, journal := range []string{"DELETE", "WAL"} {
		t.Run(journal, func(t *testing.T) {
			lease := testkit.NewLease(t)
			a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: lease})
			b := testkit.NewNode(t, "b", testkit.NodeOptions{Lease: lease, Replica: true})
			a.Start()
			b.Start()
			app := openApp(t, a.DB("app.db"), "PRAGMA journal_mode="+journal, table, rows("100"))
			for _, n := range []*testkit.Node{a, b} {
				testkit.Poll(t, "the replica", func() bool {
					at := a.Position("app.db")
					return at != "" && at == b.Position("app.db")
				})
				db, err := Find(t.Context(), Request{Name: n.DB("app.db"), Env: []string{"FLYSQL_LITEFS=" + n.Config}})
				if err != nil {
					t.Fatal(err)
				}
				lookOnLiteFS(t, n, db, journal)
			}
			if _, err := app.Exec("INSERT INTO t VALUES (1000, 1)"); err != nil {
				t.Errorf("the app's next write: %v", err)
			}
		})
	}
}

func lookOnLiteFS(t *testing.T, n *testkit.Node, db *Database, journal string) {
	t.Helper()
	primary := n.Name == "a"
	if l := db.LiteFS; l == nil || (l.Role == litefs.RolePrimary) != primary || l.Position == "" || !primary && l.Primary != "a" {
		t.Fatalf("%s: %+v", n.Name, l)
	}
	at := n.Position("app.db")
	if s, err := db.Size(t.Context()); err != nil || len(s.Objects) != 2 {
		t.Errorf("%s: size %+v, %v", n.Name, s, err)
	}
	if r, err := db.Check(t.Context(), false); err != nil || !r.OK() {
		t.Errorf("%s: check %+v, %v", n.Name, r, err)
	}
	if list, err := db.Pragmas(t.Context()); err != nil || list[0].Advised != "delete" || (list[0].Fix != "") != (journal == "WAL") {
		t.Errorf("%s: pragmas %+v, %v", n.Name, list, err)
	}
	if w, err := db.WAL(t.Context()); err != nil || (w.Mode == "wal") != (journal == "WAL") || w.Locks {
		t.Errorf("%s: wal %+v, %v", n.Name, w, err)
	}
	if _, err := db.Checkpoint(t.Context()); err == nil || !strings.Contains(err.Error(), "beside LiteFS") {
		t.Errorf("%s: checkpoint: %v", n.Name, err)
	}
	for _, vacuum := range []bool{false, true} {
		to := filepath.Join(t.TempDir(), "copy.db")
		if _, err := db.Copy(t.Context(), to, CopyOptions{Vacuum: vacuum}); err != nil {
			t.Errorf("%s: copy: %v", n.Name, err)
		} else if got := count(t, to); got != 100 {
			t.Errorf("%s: %d rows", n.Name, got)
		}
	}
	if _, err := db.Copy(t.Context(), filepath.Join(n.Mount, "copy.db"), CopyOptions{}); err == nil || !strings.Contains(err.Error(), "is in the LiteFS mount") {
		t.Errorf("%s: copy into the mount: %v", n.Name, err)
	}
	shell := func(sql string) (string, error) {
		var out bytes.Buffer
		err := db.Shell(t.Context(), ShellOptions{SQL: sql, Out: &out})
		return out.String(), err
	}
	if out, err := shell("SELECT count(*) FROM t"); err != nil || out != "100\n" {
		t.Errorf("%s: %q, %v", n.Name, out, err)
	}
	if _, err := shell("PRAGMA journal_mode=MEMORY"); err == nil || !strings.Contains(err.Error(), "on LiteFS") {
		t.Errorf("%s: journal mode: %v", n.Name, err)
	}
	if n.Position("app.db") != at {
		t.Errorf("%s: looking has moved %s to %s", n.Name, at, n.Position("app.db"))
	}
	_, err := shell("UPDATE t SET b = 2 WHERE id = 1")
	if primary && err != nil || !primary && (err == nil || !strings.Contains(err.Error(), "this machine has a replica, and only the primary, a, writes")) {
		t.Errorf("%s: update: %v", n.Name, err)
	}
	if p, why := db.Program(t.Context(), fakeSQLite3(t), "", false, false); p == nil || strings.Contains(strings.Join(p.Argv, " "), "-readonly") == primary {
		t.Errorf("%s: %+v, %s", n.Name, p, why)
	}
	if primary {
		testkit.Poll(t, "the update in the log", func() bool { return n.Position("app.db") != at })
	}
}

// A LiteFS that hangs is found out before its mount is touched, which could not be
// let go of.
func TestLiteFSHangs(t *testing.T) {
	t.Parallel() // it waits
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	n.Start()
	openApp(t, n.DB("app.db"), table).Close()
	n.Pause()
	defer n.Resume()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := Find(ctx, Request{Name: n.DB("app.db"), Env: []string{"FLYSQL_LITEFS=" + n.Config}})
	if err == nil || !strings.Contains(err.Error(), "LiteFS does not answer") {
		t.Errorf("%v", err)
	}
}

func TestLiteFSIsDead(t *testing.T) {
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	n.Start()
	openApp(t, n.DB("app.db"), table).Close()
	n.Kill()
	_, err := Find(t.Context(), Request{Name: n.DB("app.db"), Env: []string{"FLYSQL_LITEFS=" + n.Config}})
	if err == nil || !strings.Contains(err.Error(), "LiteFS does not answer") {
		t.Errorf("%v", err)
	}
}
