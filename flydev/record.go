package flydev

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/flysql/flysql/internal/dev"
)

// How much is remembered.
const (
	maxEntries = 20_000
	maxText    = 300 // lines, when a test has failed
	maxLine    = 4 << 10
)

// record is what has happened.
type record struct {
	began time.Time

	mu      sync.Mutex
	entries []entry
	dropped int // of the first
	ids     map[string]Request
	primary string
	ended   bool // only requests are of interest
	// expected are requests whose responses have begun.
	expected map[string]struct{}
}

// entry is a line, and perhaps the request that it tells of.
type entry struct {
	at      time.Time
	line    string
	request *Request
}

func newRecord() *record {
	return &record{began: time.Now(), ids: map[string]Request{}, expected: map[string]struct{}{}}
}

// expect has a request be waited for that a client had a response to.
func (r *record) expect(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, told := r.ids[id]; !told && id != "" && len(r.expected) < maxEntries {
		r.expected[id] = struct{}{}
	}
}

// complete waits until all is told of what clients had responses to, and not for long: a
// response that nobody reads never ends.
func (r *record) complete() {
	all := func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.expected) == 0
	}
	every := time.NewTicker(time.Millisecond)
	defer every.Stop()
	for end := time.After(time.Second); !all(); {
		select {
		case <-end:
			return
		case <-every.C:
		}
	}
}

// add takes an event of the session's.
func (r *record) add(e dev.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := entry{at: e.Time}
	switch {
	case r.ended && e.Request == nil:
		return
	case e.Request != nil && !e.Request.Open:
		q := requestOf(e.Request)
		n.request, n.line = &q, fmt.Sprintf("%s %s %d  %s", q.Method, q.Path, q.Status, q.Way)
		r.ids[q.ID] = q
		delete(r.expected, q.ID)
	case e.Log != nil:
		who := e.Log.Machine
		if who == "" {
			who = "build"
		}
		n.line = who + " | " + e.Log.Line
	case e.Action != nil:
		n.line = action(e.Action)
	case e.State != nil && e.State.Primary != r.primary:
		r.primary = e.State.Primary
		n.line = "the primary is " + r.primary
		if r.primary == "" {
			n.line = "there is no primary"
		}
	default:
		return
	}
	r.put(n)
}

// note adds a line of the test's.
func (r *record) note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(entry{at: time.Now(), line: line})
}

// end has only requests be added that are still to come.
func (r *record) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

func (r *record) put(n entry) {
	if len(n.line) > maxLine {
		n.line = strings.ToValidUTF8(n.line[:maxLine], "") + "…"
	}
	r.entries = append(r.entries, n)
	if len(r.entries) > 2*maxEntries {
		r.forget(len(r.entries) - maxEntries)
	}
}

func action(a *dev.Action) string {
	line := strings.TrimSpace(a.Name + " " + a.Target)
	switch {
	case !a.Done:
		return line
	case a.Error != "":
		return line + " has failed: " + a.Error
	}
	return line + " is done"
}

// forget drops the first entries.
func (r *record) forget(n int) {
	for _, e := range r.entries[:n] {
		if e.request != nil {
			delete(r.ids, e.request.ID)
		}
	}
	r.entries = append([]entry(nil), r.entries[n:]...)
	r.dropped += n
}

// place is where what happens from now on will be.
func (r *record) place() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped + len(r.entries)
}

// since are the entries from a place on. It is called with the lock held.
func (r *record) since(from int) []entry { return r.entries[max(0, from-r.dropped):] }

func (r *record) requestsSince(from int) []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Request
	for _, e := range r.since(from) {
		if e.request != nil {
			all = append(all, *e.request)
		}
	}
	return all
}

func (r *record) request(id string) (Request, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q, ok := r.ids[id]
	return q, ok
}

// text is the last of what happened, a line each, with the seconds since the start.
func (r *record) text(from int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	entries := r.since(from)
	var b strings.Builder
	if n := len(entries) - maxText; n > 0 {
		fmt.Fprintf(&b, "(%d lines before)\n", n)
		entries = entries[n:]
	}
	for _, e := range entries {
		fmt.Fprintf(&b, "%8.3fs %s\n", e.at.Sub(r.began).Seconds(), e.line)
	}
	return b.String()
}

func requestOf(q *dev.Request) Request {
	out := Request{
		ID: q.ID, Time: q.Time, Took: duration(q.MS), Region: q.Edge, Method: q.Method, Path: q.Path, Status: q.Status, Error: q.Error, Way: q.Way,
	}
	for _, h := range q.Hops {
		out.Hops = append(out.Hops, Hop{Machine: h.Machine, Region: h.Region, Role: h.Role, Why: h.Why, Status: h.Status, Error: h.Error, Took: duration(h.MS)})
	}
	return out
}

func duration(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
