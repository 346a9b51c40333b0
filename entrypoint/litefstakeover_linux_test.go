package entrypoint

import (
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// kill -9 of a replica at each step of taking over, under load: writers go on after
// what LiteFS's own limits take, no row is lost, and the next boot gets there.
func TestLiteFSTakeoverKilled(t *testing.T) {
	points := []string{"takeover.halted", "takeover.equal", "takeover.asked", "takeover.done", "migrate.journal", "handoff.equal", "handoff.done"}
	for i, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, journalModes[i%2], "FLYSQL_MIGRATE_FROM=any")
			withRows(t, f.nodes[0], f.mode, 10)
			for i := range f.nodes {
				f.start(i, 1)
			}
			l := newLoad(2, f.apps)
			f.stop(2)
			e := f.boot(2, 2)
			e.fault = point + "=kill"
			r := e.run(t)
			if r.code == 0 || strings.Contains(r.stdout, "serving") {
				t.Fatalf("exit code %d\n%s", r.code, r.stderr)
			}
			killed := time.Now()
			testkit.Poll(t, "rows after that", func() bool { return l.since(killed) })
			f.start(2, 2)
			l.end()
			f.report(l, []time.Duration{l.pause(killed, time.Now())})
			for i := range f.nodes {
				f.stop(i)
				nothingLeft(t, f.nodes[i])
			}
		})
	}
}

// Two replicas that are behind at once, and a primary that boots with the same image:
// one of them migrates, all get there.
func TestLiteFSTakeoverRace(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "DELETE", "FLYSQL_MIGRATE_FROM=any")
	withRows(t, f.nodes[0], f.mode, 10)
	f.start(0, 1)
	l := newLoad(2, f.apps)
	var racing []*process
	for i := 1; i < 3; i++ {
		f.procs[i] = f.boot(i, 2).start(t)
		racing = append(racing, f.procs[i])
	}
	for _, p := range racing {
		p.isServing()
	}
	l.end()
	f.report(l, []time.Duration{0})
	for i := range f.nodes {
		f.stop(i)
		nothingLeft(t, f.nodes[i])
	}
}

// A candidate alone may take over where that is what is configured; who may not, or
// finds nobody, waits and says why.
func TestLiteFSTakeoverNot(t *testing.T) {
	for _, tt := range []struct {
		name, from string
		node       int
		peers      bool
		want       string
	}{
		{"primary", "primary", 1, true, "this node is a replica, and the primary has not applied"},
		{"candidate, of one that is none", "candidate", 2, true, "this node is a replica, and the primary has not applied"},
		{"without peers", "any", 1, false, "the primary was not found among 0 other nodes: FLYSQL_LITEFS_PEERS names them"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "DELETE")
			withRows(t, f.nodes[0], f.mode, 10)
			f.start(0, 1)
			e := f.boot(tt.node, 2)
			e.env = append(e.env, "FLYSQL_LITEFS_WAIT=5s", "FLYSQL_MIGRATE_FROM="+tt.from)
			if !tt.peers {
				e.env = append(e.env, "FLYSQL_LITEFS_PEERS=")
			}
			r := e.run(t).expect(t, 1)
			contains(t, r.stderr, tt.want)
			if got := f.primary(); got != 0 {
				t.Errorf("the primary is node %d", got)
			}
			f.stop(0)
			nothingLeft(t, f.nodes[tt.node])
		})
	}
}

// A candidate that took over stays the primary, with its app on the new schema.
func TestLiteFSTakeoverCandidate(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "WAL", "FLYSQL_MIGRATE_FROM=candidate")
	withRows(t, f.nodes[0], f.mode, 10)
	f.start(0, 1)
	f.start(1, 2)
	if got := f.primary(); got != 1 {
		t.Errorf("the primary is node %d", got)
	}
	contains(t, f.procs[1].errs.text(), `"msg":"takeover","outcome":"ok"`, `"applied":1,"version":"2"`)
	for i := range 2 {
		f.stop(i)
		nothingLeft(t, f.nodes[i])
	}
}

// A migration that fails on a node that took over is undone; the lease goes back to a
// node whose app runs, and the next boots of that image leave it there.
func TestLiteFSTakeoverFails(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "DELETE", "FLYSQL_MIGRATE_FROM=any")
	withRows(t, f.nodes[0], f.mode, 10)
	f.start(0, 1)
	l := newLoad(2, f.apps)
	for _, node := range []int{1, 2} {
		for boot := range 2 {
			e := amongPeers(t, f.nodes[node], f.nodes, append(f.release(1), broken)...)
			// The first one has time to take over on a machine under load; the other one
			// must not, and waits in vain.
			wait := []string{"45s", "4s"}[boot]
			e.env = append(e.env, "FLYSQL_MIGRATE_FROM=any", "FLYSQL_LITEFS_WAIT="+wait)
			r := e.run(t).expect(t, 1)
			took := strings.Contains(r.stderr, `"msg":"takeover"`)
			if took != (boot == 0) {
				t.Errorf("node %d, boot %d took over: %v\n%s", node, boot, took, r.stderr)
			}
			if boot == 1 {
				contains(t, r.stderr, "which has failed here before: it is not tried again")
			}
			nothingLeft(t, f.nodes[node])
			hasLease(t, f.nodes[0])
		}
	}
	since := time.Now()
	testkit.Poll(t, "rows after that", func() bool { return l.since(since) })
	l.end()
	f.report(l, []time.Duration{0})
	if got := query(t, f.nodes[0].DB("app.db"), "SELECT count(*) > 0 FROM kept"); got != "1" {
		t.Errorf("kept: %s", got)
	}
	f.stop(0)
}

// A node that took over and migrates, in a migration without a transaction, is left
// to it by the next node of the same image: else the migration was begun twice.
func TestLiteFSTakeoverOfMigrating(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "DELETE", "FLYSQL_MIGRATE_FROM=any")
	withRows(t, f.nodes[0], f.mode, 10)
	f.start(0, 1)
	long := sqlStep{name: "long", noTx: true, up: []string{"CREATE TABLE busy(i);"}}
	for range 8 {
		long.up = append(long.up, strings.Replace(slow, "100000000", "700000", 1))
	}
	boot := func(i int) *process {
		e := amongPeers(t, f.nodes[i], f.nodes, append(f.release(1), long)...)
		e.env = append(e.env, "FLYSQL_MIGRATE_FROM=any", "FLYSQL_LITEFS_WAIT=120s")
		return e.start(t)
	}
	b := boot(1)
	b.poll("the migration", func() bool {
		got, err := tryQuery(f.nodes[1].DB("app.db"), "SELECT count(*) FROM busy")
		return err == nil && got != "0"
	})
	c := boot(2)
	c.waitFor("is migrating itself")
	b.isServing()
	c.isServing()
	took := strings.Count(b.errs.text()+c.errs.text(), `"msg":"takeover","outcome":"ok"`)
	if got := query(t, f.nodes[1].DB("app.db"), "SELECT count(*) FROM busy"); took != 1 || got != "5600" {
		t.Errorf("%d took over; %s rows of 5600", took, got)
	}
	f.procs[1], f.procs[2] = b, c
	for i := range f.nodes {
		f.stop(i)
		nothingLeft(t, f.nodes[i])
	}
}
