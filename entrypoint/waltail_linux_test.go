package entrypoint

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// toldAlone puts a row into the WAL of a node that was killed, as SQLite does before
// LiteFS takes it.
func toldAlone(t *testing.T, n *testkit.Node, id int) {
	t.Helper()
	dir, db := filepath.Join(n.Data, "dbs", "app.db"), filepath.Join(t.TempDir(), "app.db")
	for name, to := range map[string]string{"database": db, "wal": db + "-wal"} {
		if err := copyFile(t.Context(), filepath.Join(dir, name), to); err != nil {
			t.Fatal(err)
		}
	}
	h, err := sql.Open("sqlite", dsn(db, "rw", "wal_autocheckpoint(0)"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Exec("INSERT INTO w VALUES (?)", id); err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(db + "-wal")
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "wal"), wal, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// In WAL mode a row can be acknowledged that LiteFS, killed in that moment, has not
// taken. It is in the salvage, also where this node becomes the primary again, and
// wherever a boot is killed that looks for it.
func TestSalvageTail(t *testing.T) {
	for _, point := range []string{"", "aside.copied", "salvage.keep", "node.ready"} {
		t.Run("killed at "+point, func(t *testing.T) {
			t.Parallel()
			l, nodes := cluster(t, "a")
			n := nodes[0]
			e := besideLiteFS(t, n)
			e.app = serving
			p := e.start(t)
			p.isServing()
			makeRows(t, n, "WAL", 100)
			run(t, n.DB("app.db"), "CREATE TABLE w (id INTEGER PRIMARY KEY)")
			rows := startWriter(t, n.DB("app.db"))
			testkit.Poll(t, "rows", func() bool { return rows.count() > 10 })
			p.signal(syscall.SIGKILL)
			p.wait().expect(t, 137)
			nothingRuns(t, n)
			rows.end()
			toldAlone(t, n, 1_000_000)
			rows.acked = append(rows.acked, 1_000_000)
			if _, err := l.Expire(testkit.Key); err != nil {
				t.Fatal(err)
			}
			e.app = []string{"true"}
			if point != "" {
				e.fault = point + "=kill"
				e.run(t).expect(t, 137)
				nothingRuns(t, n)
				if _, err := l.Expire(testkit.Key); err != nil {
					t.Fatal(err)
				}
				e.fault = ""
			}
			r := e.run(t).expect(t, 0)
			found := salvagesOf(t, n)
			if len(found) != 1 {
				t.Fatalf("salvages: %v\n%s", found, r.stderr)
			}
			if point == "" {
				if line := r.line("salvage"); line["whole"] != true || !strings.HasPrefix(r.text("salvage", "tables"), "w: ") {
					t.Errorf("salvage: %v", line)
				}
			}
			copied := filepath.Join(found[0], "app.db", "app.db")
			if got := query(t, copied, "PRAGMA integrity_check"); got != "ok" {
				t.Error(got)
			}
			whatIs(t, n, func(db string) {
				if missing := rows.missing(t, db); len(missing) == 0 {
					t.Error("LiteFS has the row: the test proves nothing")
				}
				if missing := rows.missing(t, db, copied); len(missing) > 0 {
					t.Errorf("lost: %v", missing)
				}
			})
			noAside(t, n)
			// Once, not at each boot.
			if r := e.run(t).expect(t, 0); r.line("salvage") != nil || len(salvagesOf(t, n)) != 1 {
				t.Errorf("again: %v", r.line("salvage"))
			}
		})
	}
}
