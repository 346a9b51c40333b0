package dev

import (
	"slices"
	"sync"
	"time"
)

// hub tells everybody what happens.
type hub struct {
	watch []func(Event)

	telling sync.Mutex // one event after the other
	mu      sync.Mutex
	all     map[*subscriber]struct{}
	closed  bool
}

// subscriber has its events in a queue, so that nobody waits for it.
type subscriber struct {
	size int

	mu     sync.Mutex
	queue  []Event
	some   chan struct{} // has one where the queue may
	end    chan struct{}
	ending sync.Once
}

// tell tells an event to all.
func (h *hub) tell(ev Event) {
	if ev.Time.IsZero() {
		ev.Time = time.Now()
	}
	h.telling.Lock()
	defer h.telling.Unlock()
	for _, w := range h.watch {
		w(ev)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.all {
		s.put(ev)
	}
}

// subscribe begins with what first returns. Nothing is lost between that and what
// follows.
func (h *hub) subscribe(size int, first func() Event) (<-chan Event, func()) {
	s := &subscriber{size: max(size, 1), some: make(chan struct{}, 1), end: make(chan struct{})}
	c := make(chan Event)
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		close(c)
		return c, func() {}
	}
	if h.all == nil {
		h.all = map[*subscriber]struct{}{}
	}
	h.all[s] = struct{}{}
	h.mu.Unlock()
	ev := first()
	ev.Time = time.Now()
	s.mu.Lock()
	if i := slices.IndexFunc(s.queue, isState); i >= 0 { // told since: it is newer
		ev = s.queue[i]
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	s.queue = append([]Event{ev}, s.queue...)
	s.mu.Unlock()
	s.wake()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(c)
		s.pump(c)
	}()
	return c, func() {
		h.mu.Lock()
		delete(h.all, s)
		h.mu.Unlock()
		s.stop()
		<-done
	}
}

// close ends what all get, after what they have not taken yet; those who take nothing
// end by their own stop.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.all {
		s.put(Event{})
	}
	h.all = nil
}

func isState(ev Event) bool { return ev.Type == TypeState }

func (s *subscriber) stop() { s.ending.Do(func() { close(s.end) }) }

func (s *subscriber) wake() {
	select {
	case s.some <- struct{}{}:
	default:
	}
}

// put adds an event. Of states only the last one counts; of others, one for which there is no
// room is dropped. The zero Event is the end.
func (s *subscriber) put(ev Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ev.Type == TypeState {
		s.queue = slices.DeleteFunc(s.queue, isState)
	} else if len(s.queue) >= s.size && ev.Type != "" {
		return
	}
	s.queue = append(s.queue, ev)
	s.wake()
}

// take takes the first of the queue.
func (s *subscriber) take() (ev Event, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return Event{}, false
	}
	ev = s.queue[0]
	s.queue[0] = Event{}
	s.queue = s.queue[1:]
	return ev, true
}

// pump hands the queue out.
func (s *subscriber) pump(c chan<- Event) {
	for {
		ev, ok := s.take()
		if !ok {
			select {
			case <-s.some:
				continue
			case <-s.end:
				return
			}
		}
		if ev.Type == "" {
			return
		}
		select {
		case c <- ev:
		case <-s.end:
			return
		}
	}
}
