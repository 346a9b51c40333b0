package entrypoint

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// load is clients that write one row after the other, each to any node that takes
// it. They try a row again only where it was refused; where a connection breaks
// before the answer, nobody knows, and the next row has its turn.
type load struct {
	addrs   []string
	stop    chan struct{}
	running sync.WaitGroup
	next    atomic.Int64

	mu      sync.Mutex
	acked   []ack
	unknown map[int64]bool
	reasons map[string]int
}

type ack struct {
	id int64
	at time.Time
}

func newLoad(clients int, addrs []string) *load {
	l := &load{addrs: addrs, stop: make(chan struct{}), unknown: map[int64]bool{}, reasons: map[string]int{}}
	for i := range clients {
		l.running.Go(func() { l.client(i) })
	}
	return l
}

func (l *load) end() {
	close(l.stop)
	l.running.Wait()
}

func (l *load) client(at int) {
	conns := make([]*loadConn, len(l.addrs))
	defer func() {
		for _, c := range conns {
			c.close()
		}
	}()
	for id := l.next.Add(1); ; {
		select {
		case <-l.stop:
			return
		default:
		}
		at %= len(l.addrs)
		answer, known := conns[at].ask(&conns[at], l.addrs[at], id)
		switch {
		case answer == "ok":
			l.mu.Lock()
			l.acked = append(l.acked, ack{id, time.Now()})
			l.mu.Unlock()
			id = l.next.Add(1)
			continue
		case !known:
			l.mu.Lock()
			l.unknown[id] = true
			l.mu.Unlock()
			id = l.next.Add(1)
		default:
			l.mu.Lock()
			l.reasons[answer]++
			l.mu.Unlock()
		}
		at++
		<-time.After(time.Millisecond)
	}
}

type loadConn struct {
	net.Conn
	answers *bufio.Reader
}

func (c *loadConn) close() {
	if c != nil {
		c.Conn.Close()
	}
}

// ask sends one row. known is false where it was sent and not answered.
func (c *loadConn) ask(kept **loadConn, addr string, id int64) (answer string, known bool) {
	if c == nil {
		conn, err := net.DialTimeout("tcp", addr, 2*time.Second)
		if err != nil {
			return "no connection", true
		}
		c = &loadConn{conn, bufio.NewReader(conn)}
		*kept = c
	}
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	_, err := fmt.Fprintln(c, id)
	if err == nil {
		if answer, err = c.answers.ReadString('\n'); err == nil {
			return strings.TrimSpace(answer), true
		}
	}
	c.close()
	*kept = nil
	return "", false
}

// since tells whether a row came after that.
func (l *load) since(when time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked) > 0 && l.acked[len(l.acked)-1].at.After(when)
}

// settled waits until some rows have come from now on: only then is it known how
// long there was none. meanwhile is called again and again.
func (l *load) settled(t *testing.T, meanwhile func()) {
	t.Helper()
	acked := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.acked)
	}
	enough := acked() + 5
	if os.Getenv(deploysVariable) != "" { // it measures
		enough += 35
	}
	testkit.Poll(t, "rows", func() bool { meanwhile(); return acked() >= enough })
}

// pause is the longest time without a row between two moments.
func (l *load) pause(from, to time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	longest, last := time.Duration(0), from
	for _, a := range l.acked {
		if a.at.Before(from) || a.at.After(to) {
			continue
		}
		longest, last = max(longest, a.at.Sub(last)), a.at
	}
	return max(longest, to.Sub(last))
}

// check compares what was acknowledged with what is there.
func (l *load) check(t *testing.T, db string) (lost, twice int) {
	t.Helper()
	there := map[string]int{}
	for _, id := range strings.Split(query(t, db, "SELECT id FROM rows"), ",") {
		there[id]++
	}
	for _, a := range l.acked {
		if there[fmt.Sprint(a.id)] == 0 {
			lost++
		}
	}
	for _, n := range there {
		if n > 1 {
			twice++
		}
	}
	return lost, twice
}

// quantile of durations; they are sorted by it.
func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))].Round(time.Millisecond)
}
