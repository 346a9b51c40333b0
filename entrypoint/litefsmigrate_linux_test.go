package entrypoint

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// journalModes are those that an app may use on LiteFS.
var journalModes = []string{"DELETE", "WAL"}

// withRows starts a node by itself, gives it a database of about n rows, and stops
// it.
func withRows(t *testing.T, n *testkit.Node, mode string, rows int) (before string) {
	t.Helper()
	n.Start()
	defer n.Stop()
	makeRows(t, n, mode, rows)
	return fingerprint(t, n.DB("app.db"))
}

func makeRows(t *testing.T, n *testkit.Node, mode string, rows int) {
	t.Helper()
	run(t, n.DB("app.db"), "PRAGMA journal_mode="+mode, "CREATE TABLE kept(id INTEGER PRIMARY KEY, v TEXT)",
		fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) INSERT INTO kept SELECT i, hex(randomblob(50)) FROM n", rows))
}

func run(t *testing.T, db string, queries ...string) {
	t.Helper()
	h, err := sql.Open("sqlite", dsn(db, "rwc"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	h.SetMaxOpenConns(1)
	for _, q := range queries {
		if _, err := h.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// whatIs looks at a stopped node's database.
func whatIs(t *testing.T, n *testkit.Node, look func(db string)) {
	t.Helper()
	n.Start()
	defer n.Stop()
	look(n.DB("app.db"))
}

func tables(t *testing.T, db string) string {
	t.Helper()
	return query(t, db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
}

// A migration that fails leaves the database as it was, on every node, whichever
// way it fails: rolled back by SQLite, or written over with the snapshot.
func TestLiteFSBrokenMigration(t *testing.T) {
	broken := sqlStep{name: "broken", up: []string{"CREATE TABLE c(id INTEGER PRIMARY KEY);", "UPDATE kept SET v = 'x';", "CRATE TABLE d(id);"}}
	noTx := broken
	noTx.noTx = true
	// More than LiteFS can take back in WAL mode by making the file smaller.
	big := sqlStep{name: "big", up: []string{"CREATE TABLE big(v);", "INSERT INTO big SELECT randomblob(20000) FROM kept;"}}
	tests := []struct {
		name     string
		steps    []sqlStep
		restored bool
	}{
		{"the first", []sqlStep{broken}, false},
		{"after another", []sqlStep{createA, broken}, true},
		{"outside a transaction", []sqlStep{noTx}, true},
		{"after a large one", []sqlStep{createA, big, noTx}, true},
	}
	for _, mode := range journalModes {
		for _, tt := range tests {
			t.Run(mode+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				l := testkit.NewLease(t)
				n, replica := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l}), testkit.NewNode(t, "b", testkit.NodeOptions{Lease: l, Replica: true})
				before := withRows(t, n, mode, 300)
				e := besideLiteFS(t, n, tt.steps...)
				r := e.run(t).expect(t, 1)
				contains(t, r.stderr, `near \"CRATE\"`)
				if got := r.outcome("restore") == "ok"; got != tt.restored || r.stdout != "" {
					t.Errorf("restored %v, want %v; stdout %q\n%s", got, tt.restored, r.stdout, r.stderr)
				}
				nothingLeft(t, n)
				n.Start()
				replica.Start()
				testkit.Poll(t, "replica", func() bool { return n.Position("app.db") == replica.Position("app.db") })
				for _, db := range []string{n.DB("app.db"), replica.DB("app.db")} {
					if got := readFingerprint(t, db); got != before {
						t.Errorf("%s: the rows changed", db)
					}
				}
				if got := tables(t, n.DB("app.db")); strings.Contains(got, "c") || strings.Contains(got, "a,") || strings.Contains(got, "big") {
					t.Errorf("tables: %s", got)
				}
				replica.Stop()
				n.Stop()
				if got := asidesOf(t, n); (len(got) == 1) != tt.restored {
					t.Errorf("kept aside: %v", got)
				}
				if left := leftoversOf(t, n); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}

				e = besideLiteFS(t, n, createA, createB)
				e.run(t).expect(t, 0)
				whatIs(t, n, func(db string) {
					if got := query(t, db, "SELECT id FROM b"); got != "1" || fingerprint(t, db) != before {
						t.Errorf("mended: b holds %q", got)
					}
				})
			})
		}
	}
}

// readFingerprint is fingerprint for a replica, which cannot be opened to write.
func readFingerprint(t *testing.T, db string) string {
	t.Helper()
	h, err := sql.Open("sqlite", dsn(db, "ro"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var s string
	if err := h.QueryRow("SELECT count(*) || ':' || sum(id) || ':' || group_concat(v) FROM (SELECT * FROM kept ORDER BY id LIMIT 50)").Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// stateOn is the directory in which boots keep their files on a test's node.
func stateOn(n *testkit.Node) string {
	return filepath.Join(filepath.Dir(n.Data), stateDir, litefsMode)
}

func asidesOf(t *testing.T, n *testkit.Node) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(stateOn(n), "aside", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func leftoversOf(t *testing.T, n *testkit.Node) (left []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(stateOn(n), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if base := filepath.Base(f); base != "snapshots" && base != "aside" && base != watchFile && !strings.HasSuffix(base, ".lock") {
			left = append(left, base)
		}
	}
	return left
}

// A new database whose migrations fail is as good as none afterwards.
func TestLiteFSBrokenFirstBoot(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	e := besideLiteFS(t, n, createA, sqlStep{name: "broken", up: []string{"CRATE x;"}})
	for range 2 { // Fly starts it again
		r := e.run(t).expect(t, 1)
		contains(t, r.stderr, `near \"CRATE\"`)
	}
	whatIs(t, n, func(db string) {
		if got := tables(t, db); got != "" {
			t.Errorf("tables: %s", got)
		}
	})
	besideLiteFS(t, n, createA, createB).run(t).expect(t, 0)
}

// A migrate command runs on the primary as the app's user; what it breaks is put
// back.
func TestLiteFSMigrateCommand(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	before := withRows(t, n, "DELETE", 100)
	bin := files(t, map[string]string{
		"bad":  "#!/bin/sh\nsqlite3 \"$FLYSQL_DB\" 'CREATE TABLE b(id); DELETE FROM kept'\nexit 9\n",
		"same": "#!/bin/sh\n[ -z \"$" + stageVariable + "\" ]\n",
		"good": "#!/bin/sh\nid -u; sqlite3 \"$FLYSQL_DB\" 'CREATE TABLE a(id)'\n",
	})
	openPath(t, bin)
	os.Chmod(bin, 0o755)
	boot := func(command string, code int) result {
		t.Helper()
		e := besideLiteFS(t, n)
		e.env = append(e.env, "FLYSQL_MIGRATE="+filepath.Join(bin, command), "FLYSQL_USER=65534:65534")
		return e.run(t).expect(t, code)
	}
	r := boot("bad", 1)
	contains(t, r.stderr, "status 9")
	whatIs(t, n, func(db string) {
		if fingerprint(t, db) != before || tables(t, db) != "kept" {
			t.Errorf("it was not put back: %s", tables(t, db))
		}
	})
	snapshots := func() int {
		found, _ := filepath.Glob(filepath.Join(stateOn(n), "snapshots", "*"))
		return len(found)
	}
	had := snapshots()
	boot("same", 0)
	if got := snapshots(); got != had {
		t.Errorf("%d snapshots after a command that changed nothing, %d before", got, had)
	}
	r = boot("good", 0)
	contains(t, r.stderr, "\n65534\n")
	if got := snapshots(); got != had+1 {
		t.Errorf("%d snapshots after a command that changed something, %d before", got, had)
	}
}

// kill -9 of the process that migrates, in the middle of a migration that runs
// outside a transaction: the next boot puts the snapshot back, since LiteFS's files
// show that nobody else has written.
func TestLiteFSKilledMigration(t *testing.T) {
	for _, mode := range journalModes {
		for _, others := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/others=%v", mode, others), func(t *testing.T) {
				t.Parallel()
				n := testkit.NewNode(t, "a", testkit.NodeOptions{})
				before := withRows(t, n, mode, 300)
				busy := sqlStep{name: "busy", noTx: true, up: []string{"CREATE TABLE busy(i);", "UPDATE kept SET v = 'x';", slow}}
				e := besideLiteFS(t, n, busy)
				p := e.start(t)
				p.poll("the slow statement", func() bool {
					got, err := tryQuery(n.DB("app.db"), "SELECT count(*) FROM kept WHERE v = 'x'")
					return err == nil && got == "300"
				})
				p.signal(syscall.SIGKILL)
				p.wait().expect(t, 137)
				goneWith(t, n)
				if others {
					whatIs(t, n, func(db string) { run(t, db, "INSERT INTO kept VALUES (100000, 'of others')") })
				}
				r := besideLiteFS(t, n, createA, createB).run(t).expect(t, 0)
				whatIs(t, n, func(db string) {
					kept := query(t, db, "SELECT count(*) FROM kept WHERE id = 100000")
					switch {
					case others && (kept != "1" || r.outcome("settle") != "continues"):
						t.Errorf("a row of others: %s\n%s", kept, r.stderr)
					case others:
						contains(t, r.text("settle", "warning"), "rows of others could be lost", "The snapshot from before is")
					case fingerprint(t, db) != before || r.outcome("settle") != "restored":
						t.Errorf("it was not put back:\n%s", r.stderr)
					}
				})
			})
		}
	}
}

// goneWith waits until LiteFS and the app have followed a boot that was killed.
func goneWith(t *testing.T, n *testkit.Node) {
	t.Helper()
	testkit.Poll(t, "LiteFS's end", func() bool { return len(commandsWith(t, n.Config)) == 0 })
}

// A database that would become smaller by itself is warned of, in WAL mode.
func TestLiteFSAutoVacuum(t *testing.T) {
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			n := testkit.NewNode(t, "a", testkit.NodeOptions{})
			n.Start()
			run(t, n.DB("app.db"), "PRAGMA auto_vacuum=FULL", "PRAGMA journal_mode="+mode, "CREATE TABLE kept(v)")
			n.Stop()
			r := besideLiteFS(t, n).run(t).expect(t, 0)
			if got := strings.Contains(r.text("check", "warning"), "auto_vacuum is FULL"); got != (mode == "WAL") {
				t.Errorf("check: %v", r.line("check"))
			}
		})
	}
}

// LiteFS breaks off a transaction that makes a database in WAL mode much smaller,
// after SQLite has reported it as done. A migration that would is refused; where a
// command has, that is not taken for done.
func TestLiteFSVacuum(t *testing.T) {
	vacuum := sqlStep{name: "vacuum", noTx: true, up: []string{"VACUUM;"}}
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			n := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: testkit.NewLease(t)})
			n.Start()
			makeRows(t, n, mode, 300)
			run(t, n.DB("app.db"), "CREATE TABLE big AS SELECT randomblob(20000) AS v FROM kept", "DROP TABLE big")
			before := fingerprint(t, n.DB("app.db"))
			n.Stop()
			code := map[string]int{"DELETE": 0, "WAL": 1}[mode]
			r := besideLiteFS(t, n, vacuum).run(t).expect(t, code)
			if mode == "WAL" {
				contains(t, r.text("snapshot", "err"), "00001_vacuum.sql:", ": VACUUM, and LiteFS v0.5.14 loses track")
			}
			besideLiteFS(t, n, createA).run(t).expect(t, 0)
			whatIs(t, n, func(db string) {
				if fingerprint(t, db) != before {
					t.Error("the rows changed")
				}
			})
			e := besideLiteFS(t, n)
			e.env = append(e.env, `FLYSQL_MIGRATE=sh -c 'sqlite3 "$FLYSQL_DB" VACUUM'`)
			if mode == "WAL" {
				n.Start()
				run(t, n.DB("app.db"), "CREATE TABLE big AS SELECT randomblob(20000) AS v FROM kept", "DROP TABLE big")
				n.Stop()
			}
			r = e.run(t).expect(t, code)
			if (r.stdout == "ran\n") != (code == 0) {
				t.Errorf("stdout %q", r.stdout)
			}
			nothingLeft(t, n)
			if mode == "DELETE" {
				return
			}
			contains(t, r.stderr, "LiteFS has not taken the last transaction", "/snapshots/app.db.")

			// docs/litefs.md: "When a node does not start any more".
			e.run(t).expect(t, 1)
			bad := n.Data + ".bad"
			cluster, err := os.ReadFile(filepath.Join(n.Data, "clusterid"))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Rename(n.Data, bad), os.Mkdir(n.Data, 0o755), os.WriteFile(filepath.Join(n.Data, "clusterid"), cluster, 0o644)); err != nil {
				t.Fatal(err)
			}
			snapshots, err := filepath.Glob(filepath.Join(stateOn(n), "snapshots", "*"))
			if err != nil || len(snapshots) == 0 {
				t.Fatalf("snapshots: %v, %v", snapshots, err)
			}
			n.Start()
			out, err := exec.Command(testkit.LiteFS(t), "import", "-url", fmt.Sprintf("http://127.0.0.1:%d", n.API), "-name", "app.db", snapshots[len(snapshots)-1]).CombinedOutput()
			if err != nil {
				t.Fatalf("litefs import: %v\n%s", err, out)
			}
			n.Stop()
			besideLiteFS(t, n, createA, createB).run(t).expect(t, 0)
			whatIs(t, n, func(db string) {
				if fingerprint(t, db) != before {
					t.Error("the rows are not what they were")
				}
			})
		})
	}
}
