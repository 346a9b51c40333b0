package entrypoint

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// replayVariable is for how long TestReplayHistory runs, where one round of its faults
// does not do: a duration.
const replayVariable = "FLYSQL_TEST_REPLAY"

// Clients write and read by way of all machines of a cluster, while its machines are
// killed, stopped and cut off: none reads less than it has written, each acknowledged
// write is there once, and none that was refused. What a killed primary alone had may be
// lost: what it acknowledged after all others were last seen to have everything.
func TestReplayHistory(t *testing.T) {
	for _, mode := range journalModes {
		t.Run(mode, func(t *testing.T) {
			soak := soaked(t)
			if soak == 0 {
				t.Parallel()
			}
			h := newHistory(t, mode)
			for begin := time.Now(); ; {
				for _, fault := range h.faults() {
					fault.at(fault.name)
					h.awaitWrites()
				}
				if time.Since(begin) >= soak {
					break
				}
			}
			h.judge()
			for i := range h.f.nodes {
				h.f.stop(i)
				nothingLeft(t, h.f.nodes[i])
			}
		})
	}
}

func soaked(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(replayVariable)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s=%q is no duration", replayVariable, text)
	}
	return d
}

// history is a cluster with clients, and what may have been lost there.
type history struct {
	t    *testing.T
	f    *fleet
	b    *browsers
	lost []safe // times in which a primary was killed, from when it was last followed on
}

func newHistory(t *testing.T, mode string) *history {
	t.Helper()
	f := newReplayFleet(t, mode)
	return &history{t: t, f: f, b: newBrowsers(6, f.names(), f.apps)}
}

// newReplayFleet is three machines that serve replayMain.
func newReplayFleet(t *testing.T, mode string, env ...string) *fleet {
	t.Helper()
	f := newFleet(t, mode, env...)
	var peers, own []string
	for i, n := range f.nodes {
		peers = append(peers, n.Name+"=http://"+f.apps[i])
		own = append(own, fmt.Sprintf("%s=%s=http://127.0.0.1:%d", n.Name, f.apps[i], n.API))
	}
	f.env = append(f.env, asReplay+"="+strings.Join(own, ","), "FLYSQL_REPLAY_PEERS="+strings.Join(peers, ","))
	withRows(t, f.nodes[0], mode, 10)
	for i := range f.nodes {
		f.start(i, 1)
	}
	return f
}

func (f *fleet) names() (names []string) {
	for _, n := range f.nodes {
		names = append(names, n.Name)
	}
	return names
}

// fault is what happens to a cluster.
type fault struct {
	name string
	at   func(name string)
}

func (h *history) faults() []fault {
	all := []fault{
		{"a replica is slow", func(string) { h.hold() }},
		{"a replica stands still", func(string) { h.pause(2, time.Second) }},
		{"the primary stands still", func(string) { h.pauseAt(h.primary(), time.Second) }},
		{"the primary is stopped", func(string) { h.handOff() }},
		{"the lease server is gone", func(string) { h.leaseGone() }},
		{"the primary is killed", func(string) { h.kill(h.primary(), 0) }},
		{"the primary's LiteFS is killed", func(string) { h.kill(h.primary(), 1) }},
		{"a replica is killed", func(string) { h.kill(2, 0) }},
	}
	if h.f.mode == "DELETE" || os.Getenv(replayVariable) != "" { // it takes long
		all = append(all, fault{"the primary is suspended while another takes over", func(string) { h.suspend() }})
	}
	return all
}

func (h *history) primary() (at int) {
	h.t.Helper()
	testkit.Poll(h.t, "a primary", func() bool { h.f.keepUp(1); at = h.f.primary(); return at >= 0 })
	return at
}

// awaitWrites returns when some rows were written.
func (h *history) awaitWrites() {
	h.t.Helper()
	since := time.Now()
	testkit.Poll(h.t, "writes", func() bool { h.f.keepUp(1); return h.b.since(since) >= 10 })
}

// hold makes a replica fall behind, by a read that takes long.
func (h *history) hold() {
	h.t.Helper()
	at := (h.primary() + 1) % len(h.f.apps)
	res, err := http.Post("http://"+h.f.apps[at]+"/hold", "", nil)
	if err != nil || res.StatusCode != http.StatusOK {
		h.t.Errorf("hold %s: %v, %v", h.f.nodes[at].Name, res, err)
		return
	}
	res.Body.Close()
}

// pause stops the LiteFS of a node for some time, or of the next one, where it is the
// primary.
func (h *history) pause(at int, d time.Duration) {
	h.t.Helper()
	if at == h.primary() {
		at = (at + 1) % len(h.f.nodes)
	}
	h.pauseAt(at, d)
}

func (h *history) pauseAt(at int, d time.Duration) {
	h.t.Helper()
	pid := litefsOf(h.t, h.f.nodes[at])
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		h.t.Fatal(err)
	}
	<-time.After(d)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		h.t.Fatal(err)
	}
}

// suspend stops all of the primary's machine, as its host may do, until another is the
// primary, and lets it go on. What clients have asked it meanwhile it answers before it
// has heard of that.
func (h *history) suspend() {
	h.t.Helper()
	from := h.f.followed(1)
	at := h.primary()
	pids := []int{h.f.procs[at].cmd.Process.Pid, litefsOf(h.t, h.f.nodes[at]), -h.f.app(at)}
	resume := func() (errs []error) {
		for _, pid := range pids {
			errs = append(errs, syscall.Kill(pid, syscall.SIGCONT))
		}
		return errs
	}
	defer resume() // where the test ends here
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			h.t.Fatal(err)
		}
	}
	if _, err := h.f.lease.Expire(testkit.Key); err != nil {
		h.t.Fatal(err)
	}
	other := (at + 1) % 2 // the candidates are 0 and 1
	h.f.cutOff(other, 0)  // connected to the primary, it would wait for that, not for the lease
	h.f.start(other, 1)
	testkit.Poll(h.t, "another primary", func() bool { info, _ := h.f.nodes[other].Info(); return info.IsPrimary })
	// Until clients have rows of it, or all wait for the machine that stands still.
	waitUntil(3*time.Second, func() bool { return h.b.since(from) >= 20 })
	h.lost = append(h.lost, safe{from, time.Now()})
	gone := h.f.procs[at].exited
	if err := errors.Join(resume()...); err != nil {
		h.t.Fatal(err)
	}
	// Its boot ends it, and until it is back the other has nobody to hand over to.
	testkit.Poll(h.t, "the end of what was suspended", func() bool {
		select {
		case <-gone:
			return true
		default:
			return false
		}
	})
	h.f.keepUp(1)
	h.f.followed(1)
}

func (h *history) handOff() {
	h.t.Helper()
	at := h.primary()
	h.f.stop(at)
	h.f.procs[at] = nil // not to be kept up
	h.awaitWrites()
	h.f.start(at, 1)
}

// leaseGone takes the lease server away, for less than a lease lasts.
func (h *history) leaseGone() {
	h.t.Helper()
	h.f.lease.Fail(true)
	<-time.After(2 * time.Second)
	h.f.lease.Fail(false)
}

// kill cuts a machine off in one of the ways of ends, and starts it again.
func (h *history) kill(at, way int) {
	h.t.Helper()
	from := h.f.followed(1)
	primary := at == h.f.primary()
	h.f.cutOff(at, way)
	if primary {
		h.lost = append(h.lost, safe{from, time.Now()})
		h.f.takenOver(at)
		h.awaitWrites()
	}
	h.f.start(at, 1)
}

// judge ends the clients and compares what they were told with what is there.
func (h *history) judge() {
	h.t.Helper()
	h.awaitWrites()
	h.b.end()
	h.f.followed(1)
	there := map[int64]int{}
	for text := range strings.SplitSeq(readOnly(h.t, h.f.nodes[h.primary()].DB("app.db"), "SELECT id FROM rows"), ",") {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			h.t.Fatal(err)
		}
		there[id]++
	}
	count := map[string]int{}
	for _, e := range h.b.events {
		count[e.What+" "+e.Outcome]++
		for _, wrong := range h.wrong(e, there, count) {
			h.t.Errorf("client %d by %s, %s %d (%v, %v later): %s", e.Client, e.By, e.What, e.ID, e.From.Format("15:04:05.000"), e.To.Sub(e.From).Round(time.Millisecond), wrong)
		}
	}
	h.t.Logf("%d rows; of the requests: %v", len(there), count)
	if count["read ok"] == 0 || count["write ok"] == 0 || count["visit ok"] == 0 {
		h.t.Error("too little was done to tell anything")
	}
	if h.t.Failed() {
		h.b.keep(h.t)
	}
}

// wrong is what contradicts an answer.
func (h *history) wrong(e event, there map[int64]int, count map[string]int) (wrong []string) {
	if e.What == "read" {
		for _, id := range e.Missing {
			if there[id] > 0 {
				wrong = append(wrong, fmt.Sprintf("row %d is not in it, which was acknowledged before, and is there: %s", id, e.Text))
			}
		}
		return wrong
	}
	switch n := there[e.ID]; {
	case n > 1:
		wrong = append(wrong, fmt.Sprintf("the row is there %d times", n))
	case n == 1 && e.Outcome == notDone:
		wrong = append(wrong, "the row is there, and was refused: "+e.Text)
	case n == 0 && e.Outcome == done && !h.mayBeLost(e):
		wrong = append(wrong, "the row was acknowledged, and is gone")
	case n == 0 && e.Outcome == done:
		count["lost with a killed primary"]++
	}
	return wrong
}

func (h *history) mayBeLost(e event) bool {
	for _, s := range h.lost {
		if e.To.After(s.from) && e.From.Before(s.to) {
			return true
		}
	}
	return false
}
