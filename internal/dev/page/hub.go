package page

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/flysql/flysql/internal/dev"
)

// What is kept for those who come later, or read slowly.
const (
	keepEvents = 4000
	keepBytes  = 16 << 20
	maxEvent   = 64 << 10 // one with more loses its headers
	maxLine    = 8 << 10  // of a log
)

// hub keeps a session's last events, written as JSON once for all who listen. Those read
// at their own pace: the session waits for none of them.
type hub struct {
	epoch string // of its numbers: another hub's mean nothing here
	stop  func()
	ended chan struct{} // its goroutine has

	mu      sync.Mutex
	kept    []entry
	first   uint64 // number of kept[0]
	bytes   int
	state   []byte
	version uint64 // of state
	changed chan struct{}
	awaited bool // somebody has changed
	closed  bool
}

type entry struct {
	kind string
	data []byte
}

// listen keeps what happens to s from now on.
func listen(s Source) *hub {
	h := &hub{epoch: rand.Text()[:8], first: 1, changed: make(chan struct{}), ended: make(chan struct{})}
	c, stop := s.Subscribe(1024)
	h.stop = stop
	first := s.State()
	h.add(dev.Event{Type: dev.TypeState, State: &first})
	go func() {
		defer close(h.ended)
		for ev := range c {
			h.add(ev)
		}
		h.end()
	}()
	return h
}

func (h *hub) close() {
	h.end()
	h.stop()
	<-h.ended
}

func (h *hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.tell()
}

// add keeps an event, and tells those who wait.
func (h *hub) add(ev dev.Event) {
	data := encode(ev)
	if data == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if ev.Type == dev.TypeState {
		h.state = data
		h.version++
	} else {
		h.kept = append(h.kept, entry{ev.Type, data})
		h.bytes += len(data)
		for len(h.kept) > keepEvents || h.bytes > keepBytes {
			h.bytes -= len(h.kept[0].data)
			h.kept[0] = entry{}
			h.kept = h.kept[1:]
			h.first++
		}
	}
	h.tell()
}

// tell wakes who waits; h.mu is held.
func (h *hub) tell() {
	if h.awaited {
		close(h.changed)
		h.changed, h.awaited = make(chan struct{}), false
	}
}

// encode is an event as JSON, of bounded size; nil where it has nothing.
func encode(ev dev.Event) []byte {
	switch {
	case ev.Type == dev.TypeState && ev.State == nil, ev.Type == dev.TypeRequest && ev.Request == nil,
		ev.Type == dev.TypeLog && ev.Log == nil, ev.Type == dev.TypeAction && ev.Action == nil:
		return nil
	case ev.Log != nil && len(ev.Log.Line) > maxLine:
		cut := *ev.Log
		cut.Line = fmt.Sprintf("%s… (%d bytes more)", strings.ToValidUTF8(cut.Line[:maxLine], ""), len(cut.Line)-maxLine)
		ev.Log = &cut
	}
	data, err := json.Marshal(ev)
	if err == nil && ev.Request != nil && len(data) > maxEvent {
		data, err = json.Marshal(without(ev))
	}
	if err != nil || len(data) > 1<<20 { // nothing in an Event fails; a state of that size is none
		return nil
	}
	return data
}

// without is a request's event without what makes it large.
func without(ev dev.Event) dev.Event {
	r := *ev.Request
	short := func(s string) string {
		if len(s) <= maxLine {
			return s
		}
		return strings.ToValidUTF8(s[:maxLine], "") + "…"
	}
	r.Path, r.Host, r.Way, r.Error = short(r.Path), short(r.Host), short(r.Way), short(r.Error)
	r.Hops = append([]dev.Hop(nil), r.Hops[:min(len(r.Hops), 16)]...)
	for i := range r.Hops {
		hop := &r.Hops[i]
		hop.Request, hop.Response = nil, nil
		hop.Replay, hop.Error = short(hop.Replay), short(hop.Error)
		hop.Note = "the headers are too large to be shown"
	}
	ev.Request = &r
	return ev
}

// cursor is where a listener is.
type cursor struct {
	next    uint64
	version uint64
}

// at is where a stream goes on after the event of this id, and whether it does so: else
// it begins anew.
func (h *hub) at(id string) (c cursor, goesOn bool) {
	epoch, number, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	h.mu.Lock()
	defer h.mu.Unlock()
	if epoch != h.epoch || err != nil || n >= h.first+uint64(len(h.kept)) {
		return cursor{next: h.first}, false
	}
	return cursor{next: n + 1}, true
}

// id names the last event before a cursor.
func (h *hub) id(next uint64) string { return h.epoch + "-" + strconv.FormatUint(next-1, 10) }

// batch is what a listener gets at once.
type batch struct {
	state   []byte
	missed  uint64
	entries []entry
	from    uint64        // number of entries[0]
	changed chan struct{} // closed when there is more; nil where there is already
	closed  bool
}

// after is what has happened since, in portions.
func (h *hub) after(c *cursor, most int) batch {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := batch{closed: h.closed}
	if c.version != h.version {
		b.state, c.version = h.state, h.version
	}
	if c.next < h.first {
		b.missed, c.next = h.first-c.next, h.first
	}
	b.from = c.next
	waiting := h.kept[c.next-h.first:]
	b.entries = append(b.entries, waiting[:min(len(waiting), most)]...)
	c.next += uint64(len(b.entries))
	if len(waiting) <= most {
		b.changed, h.awaited = h.changed, true
	}
	return b
}
