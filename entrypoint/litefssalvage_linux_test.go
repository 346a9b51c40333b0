package entrypoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// diverged is a node a that was the primary, was killed with seven rows that b has
// not, and has b as its primary now.
func diverged(t *testing.T, mode string, aOptions testkit.NodeOptions, rows int) (a, b *testkit.Node, e entry) {
	t.Helper()
	l := testkit.NewLease(t)
	aOptions.Lease = l
	a, b = testkit.NewNode(t, "a", aOptions), testkit.NewNode(t, "b", testkit.NodeOptions{Lease: l})
	e = besideLiteFS(t, a)
	e.app = serving
	p := e.start(t)
	p.isServing()
	makeRows(t, a, mode, rows)
	b.Start()
	testkit.Poll(t, "b at a's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
	b.Kill()
	for range 7 {
		run(t, a.DB("app.db"), "INSERT INTO kept (v) VALUES ('only a has it')")
	}
	p.signal(syscall.SIGKILL)
	p.wait().expect(t, 137)
	goneWith(t, a)
	if _, err := l.Expire(testkit.Key); err != nil {
		t.Fatal(err)
	}
	b.Start()
	testkit.Poll(t, "b primary", func() bool { info, _ := b.Info(); return info.IsPrimary })
	run(t, b.DB("app.db"), "INSERT INTO kept (v) VALUES ('b goes on')")
	e.app = []string{"true"}
	return a, b, e
}

func salvagesOf(t *testing.T, n *testkit.Node) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(stateOn(n), "salvage", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// noAside makes sure that nothing which was put aside is left.
func noAside(t *testing.T, n *testkit.Node) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(n.Data, asideDir+"*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

// aIsSalvaged makes sure that the seven rows are in a copy of a's database.
func aIsSalvaged(t *testing.T, a *testkit.Node) {
	t.Helper()
	found := salvagesOf(t, a)
	if len(found) != 1 {
		t.Fatalf("salvages: %v", found)
	}
	db := filepath.Join(found[0], "app.db", "app.db")
	if got := query(t, db, "SELECT count(*) FROM kept WHERE v = 'only a has it'"); got != "7" {
		t.Errorf("the copy has %s of 7 rows", got)
	}
	if got := query(t, db, "PRAGMA integrity_check"); got != "ok" {
		t.Error(got)
	}
	noAside(t, a)
}

// Rows that a killed primary has alone are put aside before LiteFS replaces its
// database, and told of once.
func TestSalvage(t *testing.T) {
	for _, mode := range journalModes {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/plain=%v", mode, plain), func(t *testing.T) {
				t.Parallel()
				a, _, e := diverged(t, mode, testkit.NodeOptions{Plain: plain}, 300)
				r := e.run(t).expect(t, 0)
				line := r.line("salvage")
				if line["outcome"] != "kept" || line["rows"] != 7.0 || line["tables"] != "kept: 7" || line["whole"] != true || line["problem"] != nil {
					t.Errorf("salvage: %v", line)
				}
				aIsSalvaged(t, a)
				r = e.run(t).expect(t, 0)
				if r.line("salvage") != nil {
					t.Errorf("told again: %v", r.line("salvage"))
				}
				aIsSalvaged(t, a)
			})
		}
	}
}

// kill -9 anywhere on the way: the next boot has the rows all the same, once.
func TestSalvageKilled(t *testing.T) {
	for _, point := range []string{"aside.copy", "aside.copied", "node.start", "salvage.keep", "node.ready"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			a, _, e := diverged(t, "WAL", testkit.NodeOptions{}, 300)
			e.fault = point + "=kill"
			e.run(t).expect(t, 137)
			e.fault = ""
			e.run(t).expect(t, 0)
			aIsSalvaged(t, a)
		})
	}
}

// Restarts and failovers that lose nothing leave nothing.
func TestSalvageNeedless(t *testing.T) {
	t.Parallel()
	l, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	e := besideLiteFS(t, a)
	e.app = serving
	clean := func(what string) {
		t.Helper()
		if found := salvagesOf(t, a); len(found) > 0 {
			t.Fatalf("%s: %v", what, found)
		}
		noAside(t, a)
	}
	p := e.start(t)
	p.isServing()
	makeRows(t, a, "WAL", 100)
	p.signal(syscall.SIGTERM)
	p.wait().expect(t, 3)
	p = e.start(t)
	p.isServing()
	clean("a restart")

	run(t, a.DB("app.db"), "INSERT INTO kept (v) VALUES ('x')")
	p.signal(syscall.SIGKILL)
	p.wait().expect(t, 137)
	goneWith(t, a)
	if _, err := l.Expire(testkit.Key); err != nil {
		t.Fatal(err)
	}
	p = e.start(t)
	p.isServing()
	clean("a killed primary that is primary again")

	b.Start()
	testkit.Poll(t, "b at a's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
	p.signal(syscall.SIGTERM)
	p.wait().expect(t, 3)
	testkit.Poll(t, "b primary", func() bool { info, _ := b.Info(); return info.IsPrimary })
	run(t, b.DB("app.db"), "INSERT INTO kept (v) VALUES ('y')")
	for _, what := range []string{"a clean failover", "a replica's restart"} {
		p = e.start(t)
		p.isServing()
		clean(what)
		if got := readOnly(t, a.DB("app.db"), "SELECT count(*) FROM kept"); got != "102" {
			t.Errorf("%s: %s rows", what, got)
		}
		p.signal(syscall.SIGTERM)
		p.wait().expect(t, 3)
	}
}

// Without room for a copy LiteFS is not started over the only one, unless it is said
// that it may.
func TestSalvageNoRoom(t *testing.T) {
	testkit.LiteFS(t)
	a, _, e := diverged(t, "WAL", testkit.NodeOptions{DataDir: filepath.Join(disk(t, "ext4", ""), "litefs")}, 20000)
	e.env = append(e.env, "FLYSQL_SALVAGE=1")
	r := e.run(t).expect(t, 1)
	contains(t, r.text("node", "err"), "b is now, and LiteFS replaces what only this node has", "more than FLYSQL_SALVAGE allows")
	contains(t, r.text("node", "hint"), "FLYSQL_SALVAGE=off")
	noAside(t, a)
	e.env = append(e.env, "FLYSQL_SALVAGE=off")
	e.run(t).expect(t, 0)
	if found := salvagesOf(t, a); len(found) > 0 {
		t.Errorf("salvages: %v", found)
	}
}

// Only so much is kept: the oldest goes first, and the newest stays whatever its size.
func TestSalvagePruned(t *testing.T) {
	dir := t.TempDir()
	names := []string{"20260101T000000.000Z", "20260102T000000.000Z", "20260103T000000.000Z"}
	b := &boot{Config: Config{Salvage: 150}.withDefaults(), state: state{dir: dir, base: "app.db"}}
	for _, name := range append(names, "other") {
		if err := os.MkdirAll(filepath.Join(b.state.salvageDir(), name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(b.state.salvageDir(), name, "app.db"), make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left := func() string {
		entries, err := os.ReadDir(b.state.salvageDir())
		if err != nil {
			t.Fatal(err)
		}
		var s []string
		for _, e := range entries {
			s = append(s, e.Name())
		}
		return strings.Join(s, " ")
	}
	for _, tt := range []struct {
		limit int64
		want  string
	}{{300, strings.Join(names, " ") + " other"}, {200, names[1] + " " + names[2] + " other"}, {10, names[2] + " other"}} {
		b.Salvage = tt.limit
		if err := b.pruneSalvage(t.Context(), names[2]); err != nil {
			t.Fatal(err)
		}
		if got := left(); got != tt.want {
			t.Errorf("limit %d: %s, want %s", tt.limit, got, tt.want)
		}
	}
}
