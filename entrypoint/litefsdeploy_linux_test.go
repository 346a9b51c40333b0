package entrypoint

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// deploysVariable is how many rolling deploys the tests make, where six do not do.
const deploysVariable = "FLYSQL_TEST_DEPLOYS"

func deploys(t *testing.T) int {
	t.Helper()
	text := os.Getenv(deploysVariable)
	if text == "" {
		return len(orders)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no number of deploys", deploysVariable, text)
	}
	return n
}

// orders are those in which a rolling deploy can reach three machines: 0 is the
// primary when it begins, 1 and 2 are the others.
var orders = [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}, {0, 2, 1}, {2, 1, 0}, {1, 0, 2}}

// fleet is three machines with one app: usually two candidates, and one that is none.
type fleet struct {
	t     *testing.T
	lease *testkit.Lease
	nodes []*testkit.Node
	apps  []string // addresses
	env   []string
	mode  string
	procs []*process
	down  int // apps that ended otherwise than they were asked to
}

func newFleet(t *testing.T, mode string, env ...string) *fleet {
	t.Helper()
	return newFleetOf(t, 2, mode, env...)
}

// newFleetOf is a fleet with that many candidates.
func newFleetOf(t *testing.T, candidates int, mode string, env ...string) *fleet {
	t.Helper()
	l := testkit.NewLease(t)
	f := &fleet{t: t, lease: l, mode: mode, env: env, procs: make([]*process, 3)}
	for i, name := range []string{"a", "b", "c"} {
		f.nodes = append(f.nodes, testkit.NewNode(t, name, testkit.NodeOptions{Lease: l, Replica: i >= candidates}))
		f.apps = append(f.apps, fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t)))
	}
	t.Cleanup(func() { // what a machine has said tells why another waited for it
		for i, p := range f.procs {
			if p != nil && t.Failed() {
				t.Logf("%s said:\n%s", f.nodes[i].Name, p.errs.text())
			}
		}
	})
	return f
}

// release is the image of a version: its migrations.
func (f *fleet) release(version int) []sqlStep {
	steps := []sqlStep{{name: "rows", up: []string{"CREATE TABLE rows(id INTEGER NOT NULL, at INTEGER);"}}}
	for v := 2; v <= version; v++ {
		steps = append(steps, sqlStep{name: fmt.Sprintf("v%d", v), up: []string{
			fmt.Sprintf("ALTER TABLE rows ADD COLUMN v%d INTEGER DEFAULT %d;", v, v),
			fmt.Sprintf("CREATE TABLE t%d(id);", v)}})
	}
	return steps
}

// boot is one of a machine with the image of a version.
func (f *fleet) boot(i, version int) entry {
	f.t.Helper()
	e := amongPeers(f.t, f.nodes[i], f.nodes, f.release(version)...)
	e.app = []string{executable}
	e.env = append(append(e.env, "FLYSQL_LITEFS_WAIT=45s", fmt.Sprintf("%s=%s %s %d", asApp, f.apps[i], f.nodes[i].DB("app.db"), version)), f.env...)
	return e
}

// start boots a machine, and returns when its app serves.
func (f *fleet) start(i, version int) {
	f.t.Helper()
	f.procs[i] = f.boot(i, version).start(f.t)
	f.procs[i].isServing()
}

// stop ends it in order.
func (f *fleet) stop(i int) result {
	f.t.Helper()
	p := f.procs[i]
	select {
	case <-p.exited: // Fly would have started it again
		f.down++
		f.t.Logf("%s ended by itself with %d:\n%s", f.nodes[i].Name, statusOf(p.cmd.ProcessState), p.errs.text())
	default:
		p.signal(syscall.SIGTERM)
	}
	r := p.wait()
	if f.nodes[i].Mounted() {
		f.t.Errorf("%s is still mounted", f.nodes[i].Mount)
	}
	return r
}

// Rolling deploys in all orders, each with a migration, under a steady load of
// writes: no machine waits for another that waits for it, no app starts on an old
// schema, and of all rows that were acknowledged none is lost and none is there twice.
// When a deploy is over, a candidate is the primary.
func TestLiteFSRollingDeploys(t *testing.T) {
	measured := os.Getenv(deploysVariable) != ""
	for _, tt := range []struct {
		mode       string
		candidates int
	}{{"DELETE", 2}, {"WAL", 2}, {"DELETE", 1}, {"DELETE", 3}} {
		if measured && tt.candidates != 2 {
			continue
		}
		t.Run(fmt.Sprintf("%s/candidates=%d", tt.mode, tt.candidates), func(t *testing.T) {
			if !measured {
				t.Parallel()
			}
			f := newFleetOf(t, tt.candidates, tt.mode, "FLYSQL_MIGRATE_FROM=any")
			withRows(t, f.nodes[0], f.mode, 10)
			for i := range f.nodes {
				f.start(i, 1)
			}
			l := newLoad(4, f.apps)
			var pauses []time.Duration
			for n := range deploys(t) {
				pauses = append(pauses, f.deploy(l, n)...)
				if at := f.primary(); at < 0 || at >= tt.candidates {
					t.Errorf("after deploy %d node %d is the primary, of %d candidates", n+1, at, tt.candidates)
				}
			}
			l.end()
			f.report(l, pauses)
			for i := range f.nodes {
				f.stop(i)
			}
			for _, n := range f.nodes {
				nothingLeft(t, n)
			}
		})
	}
}

// deploy rolls release n+2 out, in one of the orders, and returns for how long no row
// was written while each machine was away.
func (f *fleet) deploy(l *load, n int) (pauses []time.Duration) {
	f.t.Helper()
	var machines []int
	testkit.Poll(f.t, "a primary", func() bool { machines = f.byRole(); return len(machines) == len(f.nodes) })
	for _, role := range orders[n%len(orders)] {
		i, from := machines[role], time.Now()
		primary := f.primary()
		f.stop(i)
		f.start(i, n+2)
		l.settled(f.t, func() {})
		pauses = append(pauses, l.pause(from, time.Now()))
		if i == primary {
			f.t.Logf("deploy %d: the primary %s: no row for %v", n+1, f.nodes[i].Name, pauses[len(pauses)-1].Round(time.Millisecond))
		}
	}
	return pauses
}

// byRole lists the machines, the primary first.
func (f *fleet) byRole() []int {
	at := f.primary()
	if at < 0 {
		return nil
	}
	machines := []int{at}
	for i := range f.nodes {
		if i != at {
			machines = append(machines, i)
		}
	}
	return machines
}

// primary is the number of the node that is it, or -1.
func (f *fleet) primary() int {
	return slices.IndexFunc(f.nodes, func(n *testkit.Node) bool { info, _ := n.Info(); return info.IsPrimary })
}

// report compares, and fails where a row is missing, or there twice.
func (f *fleet) report(l *load, pauses []time.Duration) {
	f.t.Helper()
	if lost, twice := f.compare(l, pauses); lost+twice > 0 || len(l.acked) == 0 {
		f.t.Errorf("%d rows lost, %d twice, of %d", lost, twice, len(l.acked))
	}
}

// compare compares, and logs what it has cost.
func (f *fleet) compare(l *load, pauses []time.Duration) (lost, twice int) {
	f.t.Helper()
	var at int
	testkit.Poll(f.t, "a primary", func() bool { at = f.primary(); return at >= 0 })
	lost, twice = l.check(f.t, f.nodes[at].DB("app.db"))
	f.t.Logf("%s: %d rows acknowledged, %d lost, %d twice, %d unknown; %d machines stopped: longest pause p50 %v, p99 %v, max %v; %d apps died",
		f.mode, len(l.acked), lost, twice, len(l.unknown), len(pauses), quantile(pauses, 0.5), quantile(pauses, 0.99), quantile(pauses, 1), f.down)
	for _, why := range slices.Sorted(maps.Keys(l.reasons)) {
		if !strings.Contains(why, "no connection") {
			f.t.Logf("%6d times: %s", l.reasons[why], why)
		}
	}
	return lost, twice
}
