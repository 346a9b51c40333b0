package page

import (
	"bytes"
	"fmt"
	"net/http"
	"time"
)

const (
	streamMost    = 64                    // streams at once
	streamPortion = 500                   // events written at once
	streamPace    = 50 * time.Millisecond // between two portions: a busy session's events go together
	streamBeat    = 15 * time.Second      // so that a connection that is gone is found
	streamPatient = 10 * time.Second      // with one that does not read
)

// serveEvents is the stream of what happens.
func (p *Page) serveEvents(w http.ResponseWriter, r *http.Request) {
	if n := p.streams.Add(1); n > streamMost {
		p.streams.Add(-1)
		writeJSON(w, http.StatusServiceUnavailable, answer{Error: "too many pages are open: close some"})
		return
	}
	defer p.streams.Add(-1)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	at, goesOn := p.hub.at(r.Header.Get("Last-Event-ID"))
	var out bytes.Buffer
	fmt.Fprintf(&out, "retry: 1000\nevent: hello\nid: %s\ndata: {\"resumed\":%t}\n\n", p.hub.id(at.next), goesOn)
	rc := http.NewResponseController(w)
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		b := p.hub.after(&at, streamPortion)
		p.write(&out, b)
		if out.Len() > 0 {
			_ = rc.SetWriteDeadline(time.Now().Add(streamPatient)) // where it cannot be set, the server's own holds
			if _, err := w.Write(out.Bytes()); err != nil || rc.Flush() != nil {
				return
			}
			out.Reset()
			if !rest(r, streamPace) {
				return
			}
		}
		if b.closed && b.changed != nil {
			return
		}
		if b.changed == nil {
			continue
		}
		select {
		case <-b.changed:
		case <-beat.C:
			out.WriteString(": \n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// write is a portion as server-sent events: the state first.
func (p *Page) write(out *bytes.Buffer, b batch) {
	if b.state != nil {
		fmt.Fprintf(out, "event: state\ndata: %s\n\n", b.state)
	}
	if b.missed > 0 {
		fmt.Fprintf(out, "event: gap\ndata: {\"missed\":%d}\n\n", b.missed)
	}
	for i, e := range b.entries {
		fmt.Fprintf(out, "event: %s\nid: %s\ndata: %s\n\n", e.kind, p.hub.id(b.from+uint64(i)+1), e.data)
	}
}

// rest waits, unless the client goes.
func rest(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
