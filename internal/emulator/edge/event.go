package edge

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Event is one request and its whole way, as far as it is over: it is sent when the
// response has been sent, or for a response that goes on (an upgrade to WebSocket,
// text/event-stream) when that begins.
type Event struct {
	ID       string        // Fly-Request-Id
	Time     time.Time     // when it came in
	Duration time.Duration // until the response's end; where Open, its beginning
	Client   string        // its IP address
	Edge     string        // the region that it came in at
	Method   string
	Host     string
	Path     string // without the query, which may carry what is nobody's business
	Status   int    // of the response, 0 where the client went before
	Error    string // why the response is the edge's own, broke off, or is none
	Open     bool   // the response goes on
	Bytes    int64  // of the response's body
	Hops     []Hop
}

// Hop is one machine that a request was given to, or tried to be.
type Hop struct {
	Machine  string
	Region   string
	App      string // where it is not the edge's own
	Why      string // "nearest", "preferred", "forced", "replay", "cached", "fallback"
	After    time.Duration
	Duration time.Duration // until the head of its answer
	Status   int           // 0 where there was none
	Error    string        // why there was none
	Replay   string        // what it answered by fly-replay, if so
	Note     string        // what the edge did not do that was asked for, and why
	Request  http.Header   // as the machine got it, but for what is secret
	Response http.Header   // as it answered
}

// way is what WayHeader tells of the hops.
func (ev *Event) way() string {
	var b strings.Builder
	for _, h := range ev.Hops {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(h.Why + " " + h.Machine + " " + h.Region)
	}
	return b.String()
}

// secretWords are in the names of headers whose values no log shows.
var secretWords = []string{"authorization", "cookie", "token", "secret", "password", "credential", "api-key", "apikey", "csrf", "xsrf"}

// isSecret tells whether a header's value is not to be shown. Package replay's token is only a
// position.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	return name != "flysql-token" && slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// urlHeaders have URLs, whose queries are no more shown than the request's own.
var urlHeaders = []string{"Location", "Content-Location", "Referer", "Refresh"}

// shown is a copy of a header that may be shown.
func shown(h http.Header) http.Header {
	h = h.Clone()
	for name, values := range h {
		for i, value := range values {
			if isSecret(name) {
				values[i] = hidden(value)
			} else if before, query, ok := strings.Cut(value, "?"); ok && slices.Contains(urlHeaders, name) {
				values[i] = before + "?" + hidden(query)
			}
		}
	}
	return h
}

// hidden stands for a secret.
func hidden(value string) string { return fmt.Sprintf("(%d bytes)", len(value)) }

// Subscription is a listener to the edge's events.
type Subscription struct {
	C       <-chan Event // closed by Close, and when the edge is closed
	events  chan Event
	dropped atomic.Int64
	edge    *Edge
}

// Subscribe listens to the events from now on. No request waits for a listener: what
// finds size events waiting in C is dropped.
func (e *Edge) Subscribe(size int) *Subscription {
	events := make(chan Event, max(size, 1))
	s := &Subscription{C: events, events: events, edge: e}
	e.subscribers.Lock()
	defer e.subscribers.Unlock()
	if e.subscribers.all == nil {
		close(events)
		return s
	}
	e.subscribers.all[s] = struct{}{}
	e.subscribers.some.Store(true)
	return s
}

// Dropped is how many events found no room.
func (s *Subscription) Dropped() int { return int(s.dropped.Load()) }

// Close ends it. It may be called again.
func (s *Subscription) Close() {
	s.edge.subscribers.Lock()
	defer s.edge.subscribers.Unlock()
	if _, there := s.edge.subscribers.all[s]; there {
		delete(s.edge.subscribers.all, s)
		s.edge.subscribers.some.Store(len(s.edge.subscribers.all) > 0)
		close(s.events)
	}
}

type subscribers struct {
	sync.Mutex
	all  map[*Subscription]struct{} // nil once the edge is closed
	some atomic.Bool
}

func (s *subscribers) send(ev Event) {
	s.Lock()
	defer s.Unlock()
	for sub := range s.all {
		select {
		case sub.events <- ev:
		default:
			sub.dropped.Add(1)
		}
	}
}

func (s *subscribers) close() {
	s.Lock()
	defer s.Unlock()
	for sub := range s.all {
		close(sub.events)
	}
	s.all = nil
	s.some.Store(false)
}
