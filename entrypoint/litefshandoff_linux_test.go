package entrypoint

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// amongPeers is a boot of a node that knows where all of its cluster are.
func amongPeers(t *testing.T, n *testkit.Node, all []*testkit.Node, steps ...sqlStep) entry {
	t.Helper()
	e := besideLiteFS(t, n, steps...)
	var addrs []string
	for _, other := range all {
		addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", other.API))
	}
	e.env = append(e.env, "FLYSQL_LITEFS_PEERS="+strings.Join(addrs, ","))
	e.app = serving
	return e
}

// hasLease waits until a node is the primary.
func hasLease(t *testing.T, n *testkit.Node) {
	t.Helper()
	testkit.Poll(t, n.Name+" primary", func() bool { info, ok := n.Info(); return ok && info.IsPrimary })
}

// A primary that goes hands over to a candidate that has every row: one that is held
// up by its rows is waited for, one that is no candidate does not come into question.
func TestLiteFSHandoff(t *testing.T) {
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := testkit.NewLease(t)
			nodes := []*testkit.Node{
				testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l}),
				testkit.NewNode(t, "b", testkit.NodeOptions{Lease: l, Replica: true}),
				testkit.NewNode(t, "c", testkit.NodeOptions{Lease: l}),
			}
			withRows(t, nodes[0], mode, 50)
			a := amongPeers(t, nodes[0], nodes, createA).start(t)
			a.isServing()
			nodes[1].Start()
			nodes[2].Start()
			// While c's LiteFS is stopped, nothing comes to it.
			if err := syscall.Kill(nodes[2].Pid(), syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				run(t, nodes[0].DB("app.db"), "INSERT INTO a VALUES (NULL)")
			}
			a.signal(syscall.SIGTERM)
			a.waitFor(`"msg":"app","outcome":"ended"`)
			if err := syscall.Kill(nodes[2].Pid(), syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			r := a.wait().expect(t, 3)
			if r.outcome("handoff") != "ok" {
				t.Fatalf("handoff: %v\n%s", r.line("handoff"), r.stderr)
			}
			nothingLeft(t, nodes[0])
			hasLease(t, nodes[2])
			if got := query(t, nodes[2].DB("app.db"), "SELECT count(*) FROM a"); got != "20" {
				t.Errorf("the new primary has %s rows of 20", got)
			}
		})
	}
}

// Who cannot be handed over to is told, and costs no time, or what was allowed.
func TestLiteFSHandoffWithout(t *testing.T) {
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		_, nodes := cluster(t, "a")
		e := amongPeers(t, nodes[0], nodes, createA)
		e.app = []string{"true"}
		r := e.run(t).expect(t, 0)
		contains(t, r.text("handoff", "why"), "no other node that may be the primary")
		nothingLeft(t, nodes[0])
	})
	t.Run("a static lease", func(t *testing.T) {
		t.Parallel()
		n := testkit.NewNode(t, "a", testkit.NodeOptions{})
		e := amongPeers(t, n, nil, createA)
		e.app = []string{"true"}
		if r := e.run(t).expect(t, 0); r.line("handoff") != nil {
			t.Errorf("handoff: %v", r.line("handoff"))
		}
	})
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		_, nodes := cluster(t, "a", "b")
		e := amongPeers(t, nodes[0], nodes, createA)
		e.env = append(e.env, "FLYSQL_HANDOFF=0")
		a := e.start(t)
		a.isServing()
		nodes[1].Start()
		a.signal(syscall.SIGTERM)
		if r := a.wait().expect(t, 3); r.line("handoff") != nil {
			t.Errorf("handoff: %v", r.line("handoff"))
		}
	})
	t.Run("a candidate that hangs", func(t *testing.T) {
		t.Parallel()
		_, nodes := cluster(t, "a", "b")
		e := amongPeers(t, nodes[0], nodes, createA)
		e.env = append(e.env, "FLYSQL_HANDOFF=1s")
		a := e.start(t)
		a.isServing()
		nodes[1].Start()
		if err := syscall.Kill(nodes[1].Pid(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		a.signal(syscall.SIGTERM)
		began := time.Now()
		r := a.wait().expect(t, 3)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if r.outcome("handoff") != "failed" {
			t.Errorf("handoff: %v", r.line("handoff"))
		}
		contains(t, r.text("handoff", "why"), "no answer from 127.0.0.1:", "that took longer than 1s (FLYSQL_HANDOFF)")
		nothingLeft(t, nodes[0])
	})
	t.Run("a second signal", func(t *testing.T) {
		t.Parallel()
		_, nodes := cluster(t, "a", "b")
		e := amongPeers(t, nodes[0], nodes, createA)
		e.env = append(e.env, "FLYSQL_HANDOFF=1h")
		e.fault = "handoff.equal=stop"
		a := e.start(t)
		a.isServing()
		nodes[1].Start()
		a.signal(syscall.SIGTERM)
		a.poll("stop before the lease is given", func() bool { return stopped(a.cmd.Process.Pid) })
		if err := syscall.Kill(nodes[1].Pid(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		a.signal(syscall.SIGINT)
		a.signal(syscall.SIGCONT)
		a.wait().expect(t, 3)
		nothingLeft(t, nodes[0])
	})
}

// An app that does not end, and has started what does not end either, has one grace in
// all, and the lease is handed over after it.
func TestLiteFSHandoffAfterKill(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a", "b")
	e := amongPeers(t, nodes[0], nodes, createA)
	e.env = append(e.env, "FLYSQL_GRACE=6s")
	e.app = []string{"sh", "-c", "trap '' TERM; setsid sh -c \"trap '' TERM; while :; do sleep 0.1; done\" & echo serving; while :; do sleep 0.1; done"}
	a := e.start(t)
	a.isServing()
	nodes[1].Start()
	a.signal(syscall.SIGTERM)
	began := time.Now()
	a.waitFor(`"msg":"handoff","outcome":"ok"`)
	if took := time.Since(began); took > 11*time.Second {
		t.Errorf("%v until the lease was handed over, with a grace of 6s", took)
	}
	a.wait().expect(t, 137)
	nothingLeft(t, nodes[0])
	hasLease(t, nodes[1])
}

// A candidate that dies as it is given the lease: the node ends all the same, in time,
// and whoever of the two is there again has every row.
func TestLiteFSHandoffCandidateDies(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a", "b")
	e := amongPeers(t, nodes[0], nodes, createA)
	e.fault = "handoff.equal=stop"
	e.env = append(e.env, "FLYSQL_HANDOFF=3s")
	a := e.start(t)
	a.isServing()
	nodes[1].Start()
	run(t, nodes[0].DB("app.db"), "INSERT INTO a VALUES (1)")
	a.signal(syscall.SIGTERM)
	a.poll("stop before the lease is given", func() bool { return stopped(a.cmd.Process.Pid) })
	nodes[1].Pause() // it is connected, and will not take what it is given
	a.signal(syscall.SIGCONT)
	a.waitFor(`"msg":"handoff","outcome":"failed"`)
	nodes[1].Kill()
	a.wait().expect(t, 3)
	nothingLeft(t, nodes[0])
	e.fault = ""
	e.app = []string{"true"}
	e.run(t).expect(t, 0)
	nodes[1].Start()
	if got := readOnly(t, nodes[1].DB("app.db"), "SELECT id FROM a"); got != "1" {
		t.Errorf("a holds %q", got)
	}
}

// kill -9 of the entrypoint at each step on the way down: nothing is left of it, some
// node has the lease in the end, and every row is there.
func TestLiteFSHandoffKilled(t *testing.T) {
	for _, point := range []string{"handoff.equal", "handoff.asked", "handoff.done"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			l, nodes := cluster(t, "a", "b")
			e := amongPeers(t, nodes[0], nodes, createA)
			e.fault = point + "=kill"
			a := e.start(t)
			a.isServing()
			nodes[1].Start()
			for range 20 {
				run(t, nodes[0].DB("app.db"), "INSERT INTO a VALUES (NULL)")
			}
			a.signal(syscall.SIGTERM)
			a.wait().expect(t, 137)
			goneWith(t, nodes[0])
			if point == "handoff.equal" { // nobody else has the lease yet
				if _, err := l.Expire(testkit.Key); err != nil {
					t.Fatal(err)
				}
			}
			hasLease(t, nodes[1])
			if got := query(t, nodes[1].DB("app.db"), "SELECT count(*) FROM a"); got != "20" {
				t.Errorf("%s rows of 20", got)
			}
			e.fault = ""
			a = e.start(t)
			a.isServing()
			a.signal(syscall.SIGTERM)
			a.wait().expect(t, 3)
			nothingLeft(t, nodes[0])
		})
	}
}

// A console that writes while the lease moves is held up, not told that its row is
// safe: the candidate's position has been compared by then.
func TestLiteFSHandoffWriters(t *testing.T) {
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			_, nodes := cluster(t, "a", "b")
			withRows(t, nodes[0], mode, 10)
			e := amongPeers(t, nodes[0], nodes, sqlStep{name: "rows", up: []string{"CREATE TABLE rows(id INTEGER NOT NULL);"}})
			e.fault = "handoff.equal=stop"
			a := e.start(t)
			a.isServing()
			nodes[1].Start()
			ask := console(t, nodes[0])
			if answer := <-ask(1); answer != "ok" {
				t.Fatalf("a row beside the app: %q", answer)
			}
			a.signal(syscall.SIGTERM)
			a.poll("stop before the lease is given", func() bool { return stopped(a.cmd.Process.Pid) })
			late := ask(2)
			select {
			case answer := <-late:
				if answer == "ok" {
					t.Error("a row was taken after the positions had been compared")
				}
			case <-time.After(time.Second): // it waits, or tries again
			}
			a.signal(syscall.SIGCONT)
			if r := a.wait().expect(t, 3); r.outcome("handoff") != "ok" {
				t.Errorf("handoff: %v", r.line("handoff"))
			}
			hasLease(t, nodes[1])
			if got := query(t, nodes[1].DB("app.db"), "SELECT id FROM rows"); got != "1" {
				t.Errorf("rows holds %q", got)
			}
		})
	}
}

// console is a process beside the entrypoint that writes rows, and its answers.
func console(t *testing.T, n *testkit.Node) (ask func(id int64) <-chan string) {
	t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t))
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s 1", asApp, addr, n.DB("app.db")))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	testkit.Poll(t, "the console", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return func(id int64) <-chan string {
		answer := make(chan string, 1)
		go func() {
			var c *loadConn
			text, _ := c.ask(&c, addr, id)
			answer <- text
			c.close()
		}()
		return answer
	}
}

// A console that does not end its transaction does not keep the node from handing over.
func TestLiteFSHandoffOpenTransaction(t *testing.T) {
	t.Parallel()
	_, nodes := cluster(t, "a", "b")
	e := amongPeers(t, nodes[0], nodes, createA)
	e.env = append(e.env, "FLYSQL_HANDOFF=6s")
	a := e.start(t)
	a.isServing()
	nodes[1].Start()
	db, err := sql.Open("sqlite", dsn(nodes[0].DB("app.db"), "rw"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE; INSERT INTO a VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	a.signal(syscall.SIGTERM)
	a.waitFor(`"msg":"handoff","outcome":"ok"`)
	contains(t, a.errs.text(), "a process beside the app is in the middle of a transaction")
	hasLease(t, nodes[1])
	if _, err := db.Exec("COMMIT"); err == nil {
		t.Error("the transaction was committed where the node is the primary no more")
	}
	db.Close()
	a.wait().expect(t, 3)
	nothingLeft(t, nodes[0])
}
