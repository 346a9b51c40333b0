package appdb_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	osexec "os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
)

// A place is a LiteFS node with an app beside it.
type place struct {
	*testkit.Node
	follower *litefs.Node
	app      *running
}

// A cluster is two places, over one lease; the first is the primary.
type cluster struct {
	t       testing.TB
	way     string
	places  [2]*place
	primary int

	acked  map[string]int64 // when each row was acknowledged
	said   map[string]int   // what else the apps had to say
	never  []string         // the rows of which they were told that nothing was kept
	deaths int              // of apps
	ends   int              // of LiteFS
}

func startNodes(t testing.TB, journal string) [2]*place {
	t.Helper()
	l := testkit.NewLease(t)
	var places [2]*place
	for i, name := range []string{"a", "b"} {
		n := testkit.NewNode(t, name, testkit.NodeOptions{Lease: l})
		n.Start()
		places[i] = &place{Node: n, follower: follower(t, n)}
	}
	db, err := sql.Open("sqlite", "file:"+places[0].DB("app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{"PRAGMA journal_mode=" + journal, "CREATE TABLE t (id TEXT PRIMARY KEY, v BLOB)"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	level(t, places)
	return places
}

// follower follows a node until the test ends.
func follower(t testing.TB, n *testkit.Node) *litefs.Node {
	t.Helper()
	f, err := litefs.Open(litefs.Config{Addr: fmt.Sprintf("127.0.0.1:%d", n.API), FUSEDir: n.Mount})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// level waits until both nodes are at one position.
func level(t testing.TB, places [2]*place) {
	t.Helper()
	testkit.Poll(t, "equal positions", func() bool {
		a, b := places[0].Position("app.db"), places[1].Position("app.db")
		return a != "" && a == b
	})
}

func startCluster(t testing.TB, journal, way string) *cluster {
	t.Helper()
	c := &cluster{t: t, way: way, places: startNodes(t, journal), acked: map[string]int64{}, said: map[string]int{}}
	for _, p := range c.places {
		p.app = startApp(t, way, p.Node)
	}
	return c
}

// writing waits until n more rows were acknowledged on the primary.
func (c *cluster) writing(n int64) {
	c.t.Helper()
	p := c.places[c.primary]
	before := p.app.acks.Load()
	testkit.Poll(c.t, "rows acknowledged on "+p.Name, func() bool {
		if c.revive(p) {
			before = 0
		}
		return p.app.acks.Load() >= before+n
	})
}

// promote makes the other node the primary, under load.
func (c *cluster) promote() {
	c.t.Helper()
	c.primary = 1 - c.primary
	if err := c.places[c.primary].follower.Promote(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	// LiteFS may end itself at a commit, a moment later: it follows the new primary, or
	// it is gone.
	old := c.places[1-c.primary]
	testkit.Poll(c.t, old.Name+" to follow", func() bool {
		info, ok := old.Info()
		return !ok || info.Primary.Hostname == c.places[c.primary].Name
	})
	for _, p := range c.places {
		c.revive(p)
		if _, ok := p.Info(); ok {
			continue
		}
		c.ends++
		_ = p.app.cmd.Process.Kill()
		<-p.app.done
		c.collect(p.app)
		p.Kill()
		for unix.Unmount(p.Mount, unix.MNT_FORCE|unix.MNT_DETACH) == nil {
		}
		p.Start()
		p.app = startApp(c.t, c.way, p.Node)
	}
}

// revive starts an app again that has died.
func (c *cluster) revive(p *place) bool {
	select {
	case err := <-p.app.done:
		text := p.app.stderr.String()
		c.t.Logf("the app on %s died: %v: %.200s", p.Name, err, text)
		c.deaths++
		c.collect(p.app)
		p.app = startApp(c.t, c.way, p.Node)
		return true
	default:
		return false
	}
}

// end stops the apps and returns the rows that the primary has.
func (c *cluster) end() (have map[string]bool) {
	c.t.Helper()
	for _, p := range c.places {
		_ = p.app.in.Close()
		if err := <-p.app.done; err != nil {
			c.t.Logf("the app on %s died at its end: %v: %.2000s", p.Name, err, p.app.stderr.String())
			c.deaths++
		}
		c.collect(p.app)
	}
	db, err := sql.Open("sqlite", "file:"+c.places[c.primary].DB("app.db"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT id FROM t")
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	have = map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			c.t.Fatal(err)
		}
		have[id] = true
	}
	return have
}

func (c *cluster) collect(r *running) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, at := range r.acked {
		c.acked[id] = at
	}
	for what, n := range r.said {
		c.said[what] += n
	}
	c.never = append(c.never, r.never...)
}

// lost are the acknowledged rows that are not there.
func (c *cluster) lost(have map[string]bool) (ids []string) {
	for id := range c.acked {
		if !have[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// A running app, and what it has said.
type running struct {
	cmd    *osexec.Cmd
	in     *os.File
	stderr strings.Builder
	done   chan error // holds its end
	acks   atomic.Int64
	did    chan string

	mu    sync.Mutex
	acked map[string]int64
	said  map[string]int
	never []string // of which it was said that nothing was kept
}

func startApp(t testing.TB, way string, n *testkit.Node) *running {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: osexec.Command(exe), acked: map[string]int64{}, said: map[string]int{}, done: make(chan error, 1), did: make(chan string, 8)}
	r.cmd.Env = append(os.Environ(), helperEnv+"=app", pathEnv+"="+n.DB("app.db"), wayEnv+"="+way,
		apiEnv+"="+strconv.Itoa(n.API), mountEnv+"="+n.Mount)
	r.cmd.Stderr = &r.stderr
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	child, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	r.cmd.Stdin, r.in = child, in
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() }) // it has ended unless the test failed
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.hear(lines.Text())
		}
		r.done <- r.cmd.Wait()
	}()
	return r
}

func (r *running) hear(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	word, rest, _ := strings.Cut(line, " ")
	id, rest, _ := strings.Cut(rest, " ")
	switch word {
	case "did":
		r.did <- id
	case "ack":
		at, _ := strconv.ParseInt(rest, 10, 64)
		r.acked[id] = at
		r.acks.Add(1)
	case "replica":
		r.never = append(r.never, id)
		r.said[word]++
	default:
		r.said[strings.TrimSpace(word+" "+rest)]++
	}
}

// tell makes the app do something, and waits until it has.
func (r *running) tell(t testing.TB, what string) {
	t.Helper()
	if _, err := fmt.Fprintln(r.in, what); err != nil {
		t.Fatal(err)
	}
	if got := <-r.did; got != what {
		t.Fatalf("the app did %q, not %q", got, what)
	}
}

// Somebody makes another node the primary while the app writes. It is not told
// before, and must not die; what it was told of each write must be true.
func TestPromotionUnderLoad(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			c := startCluster(t, journal, "appdb+sure")
			for range 5 {
				c.writing(20)
				c.promote()
			}
			c.writing(20)
			have := c.end()
			if c.deaths != 0 {
				t.Errorf("%d apps died", c.deaths)
			}
			for what, n := range c.said {
				if strings.HasPrefix(what, "error") && c.ends == 0 {
					t.Errorf("%d times: %s", n, what)
				}
			}
			for _, id := range c.never {
				if have[id] {
					t.Errorf("row %s is there, and its app was told that nothing was kept", id)
				}
			}
			if lost := c.lost(have); len(lost) != 0 {
				t.Errorf("lost %v", lost)
			}
			if c.said["replica"] == 0 {
				t.Error("no write was refused: the test proves nothing")
			}
			if journal == "delete" && c.ends != 0 {
				t.Errorf("LiteFS ended itself %d times", c.ends)
			}
			t.Logf("%d acknowledged, %d refused, %d unknown, LiteFS ended %d times", len(c.acked), c.said["replica"], c.said["unknown"], c.ends)
		})
	}
}

// When the writers rest, and the two nodes are level, the primary changes without
// anything lost. Handles stay open, and readers go on reading.
func TestHandover(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			c := startCluster(t, journal, "appdb")
			for range 8 {
				c.writing(20)
				old := c.places[c.primary].app
				old.tell(t, "pause")
				level(t, c.places)
				c.promote()
				c.writing(1)
				old.tell(t, "resume")
			}
			have := c.end()
			if lost := c.lost(have); len(lost) != 0 || c.deaths != 0 || c.ends != 0 {
				t.Errorf("lost %v of %d; %d apps and %d LiteFS died", lost, len(c.acked), c.deaths, c.ends)
			}
			for what, n := range c.said {
				if what != "replica" {
					t.Errorf("%d times: %s", n, what)
				}
			}
		})
	}
}

// BenchmarkPromotion is a promotion without warning, under load: what is lost, what
// dies, and how long nothing is acknowledged. Run it as -benchtime 40x.
func BenchmarkPromotion(b *testing.B) {
	for _, journal := range []string{"wal", "delete"} {
		for _, way := range []string{"kept", "closed", "appdb", "appdb+confirm"} {
			b.Run(journal+"/"+way, func(b *testing.B) {
				c := startCluster(b, journal, way)
				var at []int64
				for b.Loop() {
					c.writing(40)
					at = append(at, time.Now().UnixNano())
					c.promote()
				}
				c.writing(40)
				have := c.end()
				pauses := c.pauses(at)
				b.ReportMetric(float64(len(c.acked)), "rows")
				b.ReportMetric(float64(len(c.lost(have))), "lost")
				b.ReportMetric(float64(c.deaths), "app-deaths")
				b.ReportMetric(float64(c.ends), "litefs-deaths")
				b.ReportMetric(float64(c.said["unknown"]), "unknown")
				b.ReportMetric(pauses[len(pauses)/2], "p50-ms")
				b.ReportMetric(pauses[len(pauses)-1], "max-ms")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// pauses are the longest times without an acknowledged row that begin within a
// second of each promotion, in milliseconds and in order.
func (c *cluster) pauses(promotions []int64) (ms []float64) {
	var times []int64
	for _, at := range c.acked {
		times = append(times, at)
	}
	slices.Sort(times)
	for _, p := range promotions {
		var longest int64
		for i, at := range times[1:] {
			if times[i] > p-int64(time.Second)/10 && times[i] < p+int64(time.Second) {
				longest = max(longest, at-times[i])
			}
		}
		ms = append(ms, float64(longest)/1e6)
	}
	slices.Sort(ms)
	return ms
}
