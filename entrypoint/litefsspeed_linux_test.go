package entrypoint

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// measures is a fleet, and how a machine of it is killed and started again.
type measures struct {
	*fleet
	kill, stop, boot func(i int)
	revive           func(but int) // machines that have ended by themselves
}

// bothWays measures machines that flysql-entrypoint boots beside those of `litefs
// mount`.
func bothWays(t *testing.T, measure func(t *testing.T, m measures)) {
	if os.Getenv(deploysVariable) == "" {
		testkit.NotRun(t, "time", "make soak")
	}
	t.Run("flysql-entrypoint", func(t *testing.T) {
		f := newFleet(t, "WAL")
		withRows(t, f.nodes[0], f.mode, 10)
		for i := range f.nodes {
			f.start(i, 1)
		}
		measure(t, measures{f, func(i int) { f.procs[i].signal(syscall.SIGKILL); f.procs[i].wait(); goneWith(t, f.nodes[i]) },
			func(i int) { f.stop(i) }, func(i int) { f.start(i, 1) }, func(int) {}})
		for i := range f.nodes {
			f.stop(i)
		}
	})
	t.Run("litefs mount", func(t *testing.T) {
		f := newFleetByMount(t, "WAL")
		measure(t, measures{f, func(i int) { f.nodes[i].Kill() }, f.stopByMount, f.startByMount, f.reviveByMount})
	})
}

// How long nobody writes after the primary's machine was killed, with LiteFS's TTL of
// ten seconds, and what is lost.
func TestLiteFSFailoverTime(t *testing.T) {
	bothWays(t, func(t *testing.T, m measures) {
		l := newLoad(4, m.apps)
		var pauses []time.Duration
		for range 7 {
			l.settled(t, func() { m.revive(-1) })
			var at int
			testkit.Poll(t, "a primary", func() bool { at = m.primary(); return at >= 0 })
			killed := time.Now()
			m.kill(at)
			gone := time.Now()
			testkit.Poll(t, "a writer", func() bool { m.revive(at); return l.since(gone) })
			pauses = append(pauses, time.Since(killed))
			m.boot(at)
		}
		l.settled(t, func() { m.revive(-1) })
		l.end()
		lost, twice := l.check(t, m.nodes[m.primary()].DB("app.db"))
		t.Logf("a primary was killed %d times: no writer for p50 %v, max %v; %d of %d acknowledged rows lost, %d twice",
			len(pauses), quantile(pauses, 0.5), quantile(pauses, 1), lost, len(l.acked), twice)
	})
}

// From a machine's start to its app's, on a replica that has the database (20 MB), and
// on one whose volume is empty.
func TestLiteFSBootTime(t *testing.T) {
	bothWays(t, func(t *testing.T, m measures) {
		run(t, m.nodes[m.primary()].DB("app.db"), "CREATE TABLE big(b)", "INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20) SELECT randomblob(1000000) FROM n")
		for _, empty := range []bool{false, true} {
			var took []time.Duration
			for range 10 {
				m.stop(2)
				if empty {
					if err := os.RemoveAll(m.nodes[2].Data); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				m.boot(2)
				took = append(took, time.Since(began))
			}
			t.Logf("boot to app, empty %v: p50 %v, max %v", empty, quantile(took, 0.5), quantile(took, 1))
		}
	})
}
