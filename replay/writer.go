package replay

import (
	"bufio"
	"io"
	"math"
	"net"
	"net/http"
	"sync/atomic"
)

// A handle is an exchange in the hands of a handler, for one request. Exchanges are
// used again and handles never are: who has kept one, or is in the middle of a call when
// its request ends, does not meet the request of somebody else.
type handle struct {
	x    *exchange
	uses atomic.Int32 // how many calls are under way; far below zero when the request has ended
}

const (
	hasEnded = math.MinInt32 / 2
	// atATime is how many handles are made in one allocation.
	atATime = 64
)

// enter returns the exchange, until leave; nil where the request has ended.
func (h *handle) enter() *exchange {
	if h.uses.Add(1) > 0 {
		return h.x
	}
	h.leave()
	return nil
}

func (h *handle) leave() { h.uses.Add(-1) }

// end ends the use of the exchange, and tells whether nobody is in the middle of it.
func (h *handle) end() (free bool) { return h.uses.Add(hasEnded) == hasEnded }

// resume takes end back. Nobody gets the exchange then.
func (h *handle) resume() { h.uses.Add(-hasEnded) }

// nobody is written to after a request has ended.
type nobody struct{}

func (nobody) Header() http.Header       { return http.Header{} }
func (nobody) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }
func (nobody) WriteHeader(int)           {}

// Header is that of the response.
func (h *handle) Header() http.Header {
	x := h.enter()
	if x == nil {
		return nobody{}.Header()
	}
	defer h.leave()
	return x.w.Header()
}

// WriteHeader sets the status.
func (h *handle) WriteHeader(status int) {
	if x := h.enter(); x != nil {
		defer h.leave()
		x.setStatus(status)
	}
}

// Write holds what it gets, as long as that is little.
func (h *handle) Write(p []byte) (int, error) {
	x := h.enter()
	if x == nil {
		return nobody{}.Write(p)
	}
	defer h.leave()
	return x.write(p)
}

// WriteString is Write.
func (h *handle) WriteString(s string) (int, error) {
	x := h.enter()
	if x == nil {
		return nobody{}.Write(nil)
	}
	defer h.leave()
	return x.writeString(s)
}

// FlushError sends what there is.
func (h *handle) FlushError() error {
	x := h.enter()
	if x == nil {
		return http.ErrNotSupported
	}
	defer h.leave()
	return x.flush()
}

// Unwrap is for http.ResponseController. It asks the handle itself for what would send
// something.
func (h *handle) Unwrap() http.ResponseWriter {
	x := h.enter()
	if x == nil {
		return nobody{}
	}
	defer h.leave()
	return x.w
}

// What the handler gets has just the methods that the server's writer has.
type (
	plainWriter struct{ handle }
	flushWriter struct{ handle }
	http1Writer struct{ handle }
	http2Writer struct{ handle }
)

func (w *flushWriter) Flush() { _ = w.FlushError() }
func (w *http1Writer) Flush() { _ = w.FlushError() }
func (w *http2Writer) Flush() { _ = w.FlushError() }

func (w *http1Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x := w.enter()
	if x == nil {
		return nil, nil, http.ErrNotSupported
	}
	defer w.leave()
	return x.hijack()
}

func (w *http1Writer) ReadFrom(r io.Reader) (int64, error) {
	x := w.enter()
	if x == nil {
		return 0, http.ErrHandlerTimeout
	}
	defer w.leave()
	return x.readFrom(r)
}

func (w *http2Writer) Push(target string, o *http.PushOptions) error {
	if p, ok := w.Unwrap().(http.Pusher); ok {
		return p.Push(target, o)
	}
	return http.ErrNotSupported
}

// writer is what the handler gets.
func (x *exchange) writer() http.ResponseWriter {
	if len(x.handles) == 0 {
		x.handles = make([]plainWriter, atATime)
	}
	w := &x.handles[0]
	x.handles = x.handles[1:]
	w.x, x.held = x, &w.handle
	_, push := x.w.(http.Pusher)
	switch flush, hijack := can(x.w); {
	case flush && hijack:
		return (*http1Writer)(w)
	case flush && push:
		return (*http2Writer)(w)
	case flush:
		return (*flushWriter)(w)
	}
	return w
}

// can tells what a writer can do, or one under it that http.ResponseController would
// find.
func can(w http.ResponseWriter) (flush, hijack bool) {
	for range maxUnwrap {
		switch w.(type) {
		case http.Flusher, interface{ FlushError() error }:
			flush = true
		}
		if _, ok := w.(http.Hijacker); ok {
			hijack = true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	return flush, hijack
}

// maxUnwrap is how many writers around each other are looked through.
const maxUnwrap = 32
