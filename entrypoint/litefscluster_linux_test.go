package entrypoint

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// cluster is some nodes on one lease server.
func cluster(t *testing.T, names ...string) (*testkit.Lease, []*testkit.Node) {
	t.Helper()
	l := testkit.NewLease(t)
	var nodes []*testkit.Node
	for _, name := range names {
		nodes = append(nodes, testkit.NewNode(t, name, testkit.NodeOptions{Lease: l}))
	}
	return l, nodes
}

// A deploy that reaches the replica first: it waits, and says for what, while the
// primary serves on; when that is stopped for its own new image, the replica becomes
// primary, migrates and serves; the other then starts as a replica.
func TestLiteFSReplicaFirst(t *testing.T) {
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			_, nodes := cluster(t, "a", "b")
			withRows(t, nodes[0], mode, 50)
			start := func(n *testkit.Node, steps ...sqlStep) *process {
				t.Helper()
				e := besideLiteFS(t, n, steps...)
				e.app = serving
				return e.start(t)
			}
			a := start(nodes[0], createA)
			a.isServing()
			b := start(nodes[1], createA, createB)
			b.waitFor("this node is a replica, and the primary has not applied")
			if got := b.stdoutSoFar(); got != "" {
				t.Fatalf("the replica's app ran on the old schema: %q", got)
			}
			run(t, nodes[0].DB("app.db"), "INSERT INTO a VALUES (1)") // the primary serves on

			a.signal(syscall.SIGTERM)
			a.wait().expect(t, 3)
			b.isServing()
			contains(t, b.errs.text(), "this node was the replica, and is not any more", `"applied":1`)
			run(t, nodes[1].DB("app.db"), "INSERT INTO b VALUES (2)")

			a = start(nodes[0], createA, createB)
			a.isServing()
			if got := readOnly(t, nodes[0].DB("app.db"), "SELECT count(*) FROM a") + readOnly(t, nodes[0].DB("app.db"), "SELECT max(id) FROM b"); got != "12" {
				t.Errorf("on the replica: %q", got)
			}
			a.signal(syscall.SIGTERM)
			r := a.wait().expect(t, 3)
			if r.text("node", "outcome") != "stopped" || r.outcome("schema") != "ok" || r.outcome("check") != "" {
				t.Errorf("the replica's boot:\n%s", r.stderr)
			}
			b.signal(syscall.SIGTERM)
			b.wait().expect(t, 3)
			for _, n := range nodes {
				nothingLeft(t, n)
			}
		})
	}
}

// readOnly asks a replica.
func readOnly(t *testing.T, db, q string) string {
	t.Helper()
	s, err := tryQuery(db, q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return s
}

// A replica that waits starts as soon as the primary has migrated; one whose primary
// never does gives up with the reason, and its app is not run.
func TestLiteFSReplicaWaits(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a", "b", "c")
	withRows(t, nodes[0], "DELETE", 50)
	nodes[0].Start()
	e := besideLiteFS(t, nodes[1], createA, createB)
	e.app = serving
	b := e.start(t)
	b.waitFor("has not applied")

	late := besideLiteFS(t, nodes[2], createA, createB)
	late.env = append(late.env, "FLYSQL_LITEFS_WAIT=1s")
	r := late.run(t).expect(t, 1)
	contains(t, r.text("schema", "err"), "in 1s no primary has applied", "00001_a.sql and 1 more")
	contains(t, r.text("schema", "hint"), "deploy this image to the primary first")
	if r.stdout != "" {
		t.Errorf("the app ran: %q", r.stdout)
	}
	nothingLeft(t, nodes[2])

	// One migration is not all.
	set := &boot{Config: Config{MigrationsDir: migrationsOf(t, tools[0], createA)}}
	if err := set.openMigrations(); err != nil {
		t.Fatal(err)
	}
	if _, err := set.set.Up(t.Context(), nodes[0].DB("app.db")); err != nil {
		t.Fatal(err)
	}
	testkit.Poll(t, "b at a's position", func() bool { return nodes[0].Position("app.db") == nodes[1].Position("app.db") })
	b.waitFor("00002_b.sql")
	if got := b.stdoutSoFar(); got != "" {
		t.Fatalf("the app ran on half of the schema: %q", got)
	}
	set.MigrationsDir = migrationsOf(t, tools[0], createA, createB)
	set.Migrations = nil
	if err := set.openMigrations(); err != nil {
		t.Fatal(err)
	}
	if _, err := set.set.Up(t.Context(), nodes[0].DB("app.db")); err != nil {
		t.Fatal(err)
	}
	b.isServing()
	b.signal(syscall.SIGTERM)
	b.wait().expect(t, 3)
}

// A lease server that does not answer is waited for, and what it kept is there when
// it is back.
func TestLiteFSLeaseServerGone(t *testing.T) {
	t.Parallel()
	l, nodes := cluster(t, "a")
	l.Fail(true)
	e := besideLiteFS(t, nodes[0], createA)
	p := e.start(t)
	p.waitFor("no primary answers yet")
	l.Fail(false)
	if r := p.wait().expect(t, 0); r.stdout != "ran\n" {
		t.Errorf("stdout %q", r.stdout)
	}
	if id, _ := l.Get(testkit.Key + "/clusterid"); !strings.HasPrefix(string(id), "LFSC") {
		t.Errorf("the cluster's id is %q", id)
	}
	nothingLeft(t, nodes[0])
}

// A signal ends a replica that waits.
func TestLiteFSReplicaInterrupted(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a", "b")
	withRows(t, nodes[0], "WAL", 50)
	nodes[0].Start()
	p := besideLiteFS(t, nodes[1], createA).start(t)
	p.waitFor("has not applied")
	p.signal(syscall.SIGINT)
	r := p.wait().expect(t, 130)
	if r.outcome("schema") != "interrupted" || r.stdout != "" {
		t.Errorf("schema: %v", r.line("schema"))
	}
	nothingLeft(t, nodes[1])
}

// A migrate command is the primary's: a replica says that it was not run.
func TestLiteFSReplicaCommand(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a", "b")
	withRows(t, nodes[0], "DELETE", 50)
	nodes[0].Start()
	e := besideLiteFS(t, nodes[1])
	e.env = append(e.env, "FLYSQL_MIGRATE=false")
	r := e.run(t).expect(t, 0)
	contains(t, r.text("schema", "why"), "the migrate command is run by the primary")
	if r.stdout != "ran\n" {
		t.Errorf("stdout %q", r.stdout)
	}
}

// The reader of a replica may die of what LiteFS does to its pages; the boot goes on.
func TestLiteFSReaderDies(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a", "b")
	withRows(t, nodes[0], "DELETE", 50)
	nodes[0].Start()
	e := besideLiteFS(t, nodes[1], createA)
	p := e.start(t)
	for n := range 2 {
		p.poll("waiting", func() bool { return strings.Count(p.errs.text(), "has not applied") > n })
		for _, c := range commandsWith(t, "entrypoint") {
			var pid int
			if fmt.Sscanf(c, "/proc/%d ", &pid); pid != 0 && parentOf(t, pid) == p.cmd.Process.Pid {
				if err := syscall.Kill(pid, syscall.SIGBUS); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	p.waitFor("the process that reads the database ended with")
	run(t, nodes[0].DB("app.db"), "CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1)")
	r := p.wait().expect(t, 0)
	if r.stdout != "ran\n" {
		t.Errorf("stdout %q", r.stdout)
	}
}

func parentOf(t *testing.T, pid int) (parent int) {
	t.Helper()
	for _, line := range strings.Split(status(pid), "\n") {
		fmt.Sscanf(line, "PPid: %d", &parent)
	}
	return parent
}

// The lease goes to another node in the middle of a migration: what has not been committed is
// rolled back, the boot goes on as a replica, and starts once the new primary has
// migrated. Nothing that the new primary has is put back.
func TestLiteFSDemotedWhileMigrating(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a", "b")
	withRows(t, nodes[0], "DELETE", 50)
	e := besideLiteFS(t, nodes[0], createA, sqlStep{name: "busy", up: []string{"CREATE TABLE busy(i);", slow}})
	p := e.start(t)
	p.waitFor(`"msg":"snapshot","outcome":"ok"`)
	nodes[1].Start()
	testkit.Poll(t, "the first migration on b", func() bool {
		got, err := tryQuery(nodes[1].DB("app.db"), "SELECT count(*) FROM a")
		return err == nil && got == "0"
	})
	nodes[1].Post("/promote")
	testkit.Poll(t, "b primary", func() bool { info, _ := nodes[1].Info(); return info.IsPrimary })
	run(t, nodes[1].DB("app.db"), "INSERT INTO a VALUES (5)")
	p.waitFor("this node was the primary, and is not any more")
	p.waitFor("this node is a replica, and the primary has not applied")
	run(t, nodes[1].DB("app.db"), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, 1)")
	r := p.wait().expect(t, 0)
	if r.stdout != "ran\n" {
		t.Errorf("stdout %q", r.stdout)
	}
	if got := query(t, nodes[1].DB("app.db"), "SELECT id FROM a"); got != "5" {
		t.Errorf("a holds %q", got)
	}

	// As primary again, it finds its journal, and leaves b's row alone.
	nodes[1].Stop()
	r = besideLiteFS(t, nodes[0], createA, createB).run(t)
	whatIs(t, nodes[0], func(db string) {
		if got := query(t, db, "SELECT id FROM a"); got != "5" {
			t.Errorf("a holds %q after the next boot:\n%s", got, r.stderr)
		}
	})
}
