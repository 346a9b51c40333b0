package entrypoint

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// longRead begins a read transaction on a node in a process of its own, and returns
// what ends it.
func longRead(t *testing.T, n *testkit.Node) (end func()) {
	t.Helper()
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), asReader+"="+n.DB("app.db"), "GOCOVERDIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the reader: %q, %v", line, err)
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	t.Cleanup(end)
	return end
}

// A read transaction on a replica stalls what comes to it for as long as it lasts, and
// nothing else: rows are taken, a primary that goes hands over to another candidate.
// Where there is none but the stalled one, the hand-over waits for FLYSQL_HANDOFF, and
// says for what.
func TestFaultLongReadHandoff(t *testing.T) {
	for _, mode := range journalModes {
		for _, other := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/another=%v", mode, other), func(t *testing.T) {
				t.Parallel()
				l := testkit.NewLease(t)
				a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l})
				b := testkit.NewNode(t, "b", testkit.NodeOptions{Lease: l})
				c := testkit.NewNode(t, "c", testkit.NodeOptions{Lease: l, Replica: !other})
				nodes := []*testkit.Node{a, b, c}
				withRows(t, a, mode, 50)
				e := amongPeers(t, a, nodes, createA)
				e.env = append(e.env, "FLYSQL_HANDOFF=2s")
				p := e.start(t)
				p.isServing()
				b.Start()
				c.Start()
				testkit.Poll(t, "b at a's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
				end := longRead(t, b)
				for range 20 {
					run(t, a.DB("app.db"), "INSERT INTO a VALUES (NULL)")
				}
				testkit.Poll(t, "c at a's position", func() bool { return a.Position("app.db") == c.Position("app.db") })
				if tx(b) >= tx(a) {
					t.Fatalf("b is at %s, and a at %s: it is not stalled, the test proves nothing", tx(b), tx(a))
				}
				at := tx(a)
				p.signal(syscall.SIGTERM)
				r := p.wait().expect(t, 3)
				nothingLeft(t, a)
				if other {
					if want := fmt.Sprintf("127.0.0.1:%d", c.API); r.outcome("handoff") != "ok" || r.text("handoff", "to") != want {
						t.Errorf("handoff: %v, want to %s", r.line("handoff"), want)
					}
					hasLease(t, c)
				} else {
					contains(t, r.text("handoff", "why"), fmt.Sprintf("127.0.0.1:%d has app.db at", b.API), "that took longer than 2s (FLYSQL_HANDOFF)")
					if r.outcome("handoff") != "failed" {
						t.Errorf("handoff: %v", r.line("handoff"))
					}
				}
				end()
				primary := nodes[2]
				if !other {
					primary = b
				}
				hasLease(t, primary)
				if other { // the stall has ended with the reader
					testkit.Poll(t, "b at the position", func() bool { return tx(b) >= at })
					if got := readOnly(t, b.DB("app.db"), "SELECT count(*) FROM a"); got != "20" {
						t.Errorf("b has %s rows", got)
					}
					return
				}
				// What b lacked came to it before a had ended, or is in a's salvage.
				e.app = []string{"true"}
				run(t, b.DB("app.db"), "INSERT INTO a VALUES (1000)")
				e.run(t).expect(t, 0)
				rowsOfA(t, 20, b, a)
			})
		}
	}
}

// rowsOfA makes sure that rows 1 to n are on a node, or in the salvage of another.
func rowsOfA(t *testing.T, n int, on, salvaged *testkit.Node) {
	t.Helper()
	has := map[string]bool{}
	dbs := []string{on.DB("app.db")}
	for _, dir := range salvagesOf(t, salvaged) {
		dbs = append(dbs, filepath.Join(dir, "app.db", "app.db"))
	}
	for _, db := range dbs {
		for _, id := range strings.Split(readOnly(t, db, "SELECT id FROM a"), ",") {
			has[id] = true
		}
	}
	for id := 1; id <= n; id++ {
		if !has[strconv.Itoa(id)] {
			t.Errorf("row %d is nowhere", id)
		}
	}
}

// A primary that is killed while a candidate is stalled by a reader: another one takes
// over. Where there is none, nobody does until the reader ends: LiteFS waits for it
// with the transaction that it holds in its hand, and does not look at the lease.
func TestFaultLongReadFailover(t *testing.T) {
	for _, mode := range journalModes {
		for _, other := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/another=%v", mode, other), func(t *testing.T) {
				t.Parallel()
				l := testkit.NewLease(t)
				a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l})
				b := testkit.NewNode(t, "b", testkit.NodeOptions{Lease: l})
				c := testkit.NewNode(t, "c", testkit.NodeOptions{Lease: l, Replica: !other})
				withRows(t, a, mode, 50)
				e := besideLiteFS(t, a, createA)
				e.app = serving
				p := e.start(t)
				p.isServing()
				b.Start()
				c.Start()
				testkit.Poll(t, "b at a's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
				end := longRead(t, b)
				for range 20 {
					run(t, a.DB("app.db"), "INSERT INTO a VALUES (NULL)")
				}
				testkit.Poll(t, "c at a's position", func() bool { return a.Position("app.db") == c.Position("app.db") })
				p.signal(syscall.SIGKILL)
				p.wait().expect(t, 137)
				nothingRuns(t, a)
				if _, err := l.Expire(testkit.Key); err != nil {
					t.Fatal(err)
				}
				next := c
				if !other {
					next = b
					if waitUntil(3*time.Second, func() bool { info, ok := b.Info(); return ok && info.IsPrimary }) {
						t.Error("b is the primary: docs/litefs.md says that it is not")
					}
					end()
				}
				hasLease(t, next)
				run(t, next.DB("app.db"), "INSERT INTO a VALUES (1000)")
				end()
				testkit.Poll(t, "b level", func() bool { return b.Position("app.db") == next.Position("app.db") })
				e.app = []string{"true"}
				e.run(t).expect(t, 0)
				rowsOfA(t, 20, next, a)
				nothingLeft(t, a)
			})
		}
	}
}

// A rolling deploy while somebody outside the app reads on a replica: machine by
// machine goes on. The replica's own boot ends the reader's transaction with LiteFS.
func TestFaultLongReadDeploy(t *testing.T) {
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			f, l := loadedFleet(t, mode, "FLYSQL_MIGRATE_FROM=any")
			f.awaitPrimary(l, 1)
			longRead(t, f.nodes[2])
			from := time.Now()
			for _, i := range []int{0, 1, 2} { // c last
				f.stop(i)
				f.start(i, 2)
			}
			pause := l.pause(from, time.Now())
			f.awaitPrimary(l, 2)
			l.end()
			f.account(l, nil)
			t.Logf("longest pause %v", pause)
			for i := range f.nodes {
				f.stop(i)
				nothingLeft(t, f.nodes[i])
			}
		})
	}
}
