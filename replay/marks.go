package replay

import (
	"fmt"
	"net/http"
	"sync/atomic"
)

// mark says where a route runs, whatever the method.
type mark uint8

const (
	byMethod mark = iota
	onPrimary
	here
)

// marked is a handler with a mark.
type marked struct {
	http.Handler
	mark mark
}

// anyMarked spares programs without marks the looking for them.
var anyMarked atomic.Bool

// Always returns h as a route that runs on the primary, whatever the method: a GET
// that writes. Inside a router of another package than net/http it works too.
func Always(h http.Handler) http.Handler {
	anyMarked.Store(true)
	return marked{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if EnsurePrimary(w, r) {
			h.ServeHTTP(w, r)
		}
	}), onPrimary}
}

// Never returns h as a route that runs where its request arrives, whatever the
// method: a POST that only reads, or an upgrade to WebSocket that does. It must be a
// handler of the http.ServeMux that [Router.Handler] gets, since it is looked up there
// beforehand; for other routers there is Config.Never.
func Never(h http.Handler) http.Handler {
	anyMarked.Store(true)
	return marked{h, here}
}

// marks are Config's patterns.
type marks struct{ always, never *http.ServeMux }

func newMarks(always, never []string) (m marks, err error) {
	if m.always, err = markMux(always, onPrimary); err != nil {
		return marks{}, err
	}
	m.never, err = markMux(never, here)
	return m, err
}

// markMux is nil where there are no patterns.
func markMux(patterns []string, mk mark) (mux *http.ServeMux, err error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	mux = http.NewServeMux()
	for _, p := range patterns {
		if err := addPattern(mux, p, mk); err != nil {
			return nil, err
		}
	}
	return mux, nil
}

func addPattern(mux *http.ServeMux, pattern string, mk mark) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("replay: pattern %.100q: %v", pattern, p)
		}
	}()
	mux.Handle(pattern, marked{http.NotFoundHandler(), mk})
	return nil
}

func markIn(mux *http.ServeMux, r *http.Request) mark {
	if mux == nil {
		return byMethod
	}
	h, _ := mux.Handler(r)
	if m, ok := h.(marked); ok {
		return m.mark
	}
	return byMethod
}

// markOf is the mark of a request's route.
func (h *handler) markOf(r *http.Request) mark {
	if m := markIn(h.router.marks.always, r); m != byMethod {
		return m
	}
	if m := markIn(h.router.marks.never, r); m != byMethod {
		return m
	}
	if h.mux != nil && anyMarked.Load() {
		return markIn(h.mux, r)
	}
	return byMethod
}
