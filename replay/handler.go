package replay

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/flysql/flysql/engine"
)

// handler is what Router.Handler returns.
type handler struct {
	router *Router
	next   http.Handler
	mux    *http.ServeMux // next, where it is one
}

// reason is why a request is not answered where it arrived.
type reason uint8

const (
	reasonWrite   reason = iota // its method or its mark says that it writes
	reasonRefused               // a write in it was refused
	reasonBehind                // its token is ahead of this machine
	reasonOpen                  // the client's last write may still go on
	reasonCrowd                 // too many wait here already
	reasonUpgrade               // it becomes a connection, of which nobody knows what it will do
	reasons
)

var reasonNames = [reasons]string{"write", "refused", "behind", "open", "crowd", "upgrade"}

func (r reason) String() string { return reasonNames[r] }

// safe tells whether a method only reads, as RFC 9110, 9.2.1 has it.
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, "":
		return true
	}
	return false
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt := h.router
	st := rt.engine.State()
	if st.Role == engine.RolePrimary {
		h.onPrimary(w, r, &st)
		return
	}
	m := h.markOf(r)
	switch {
	case m == here:
		// As it is: what this machine lacks nobody asks.
		rt.metrics.here.Add(1)
		h.next.ServeHTTP(w, r)
	case m == onPrimary || !safe(r.Method):
		h.elsewhere(w, r, reasonWrite, nil)
	case isUpgrade(r):
		h.elsewhere(w, r, reasonUpgrade, nil)
	default:
		h.onReplica(w, r, &st)
	}
}

// onPrimary runs a request where the writes are.
func (h *handler) onPrimary(w http.ResponseWriter, r *http.Request, st *engine.State) {
	rt := h.router
	rt.metrics.here.Add(1)
	if _, sent := r.Header[headerSource]; sent && rt.sourceOf(r).hops > 0 {
		w.Header().Set(WayHeader, "replayed")
	}
	x := newExchange(rt, w, r, st)
	x.primary = true
	if !safe(r.Method) {
		x.keepHeader()
		r = x.watched(r)
		x.witness.primary = true
	}
	if t, found := rt.tokenOf(r); found {
		x.settle(t, st)
	}
	if again := x.run(h.next, r); again {
		h.demoted(x, r)
		return
	}
	x.recycle()
}

// demoted is for a request whose write was refused on a machine that was the primary
// when it began.
func (h *handler) demoted(x *exchange, r *http.Request) {
	w := x.w
	wrote, known := x.wrote()
	if !known {
		_, moved, sure := x.standing()
		wrote = moved || !sure
	}
	if wrote {
		// What it wrote before may be kept. To run it again would write that twice.
		h.router.unknown(w, r, "another machine became the primary in the middle of this request, and part of it may have been done")
	} else {
		h.elsewhere(w, r, reasonRefused, x)
	}
	x.recycle()
}

// onReplica runs a read, if this machine has come far enough.
func (h *handler) onReplica(w http.ResponseWriter, r *http.Request, st *engine.State) {
	rt := h.router
	if t, found := rt.tokenOf(r); found {
		switch why, ok := rt.reached(w, r, &t, st); {
		case ok:
		case r.Context().Err() != nil:
			rt.gone(w, http.StatusServiceUnavailable)
			return
		default:
			h.elsewhere(w, r, why, nil)
			return
		}
	}
	h.read(w, r, st)
}

// read runs a read here.
func (h *handler) read(w http.ResponseWriter, r *http.Request, st *engine.State) {
	h.router.metrics.here.Add(1)
	x := newExchange(h.router, w, r, st)
	x.keepHeader()
	if st.Role == engine.RoleUnknown {
		// Nobody can tell how old this is.
		w.Header().Set(StaleHeader, "no-primary")
		h.router.metrics.stale.Add(1)
	}
	if !x.keepBody(r) {
		h.elsewhere(w, r, reasonWrite, nil) // too large to be sent on later
		return
	}
	r = x.watched(r)
	if again := x.run(h.next, r); again {
		h.elsewhere(w, r, reasonRefused, x)
	}
	x.recycle()
}

// witness hears from whoever opens the database. It outlives the request where the
// handler leaves something behind.
type witness struct {
	primary   bool // the request runs on the primary
	refused   atomic.Bool
	committed atomic.Bool
	asked     atomic.Bool // the handler has asked for the primary
	over      atomic.Bool // the request was answered here
}

func (w *witness) Refused(error) { w.refused.Store(true) }
func (w *witness) Committed()    { w.committed.Store(true) }

// watched is a request in whose context there is the exchange's witness: all that in one
// allocation, which is never used again. The handler may keep the request.
func (x *exchange) watched(r *http.Request) *http.Request {
	g := &struct {
		request http.Request
		ctx     engine.WitnessContext
		witness witness
	}{}
	g.ctx = engine.WitnessContext{Context: r.Context(), Witness: &g.witness}
	g.request = *r.WithContext(&g.ctx)
	x.witness = &g.witness
	return &g.request
}

// again tells whether the request belongs elsewhere.
func (w *witness) again() bool { return w != nil && (w.refused.Load() || w.asked.Load()) }

var _ engine.Witness = (*witness)(nil)

// witnessOf finds the witness of a request in its context.
func witnessOf(ctx context.Context) *witness {
	w, _ := engine.WitnessOf(ctx).(*witness)
	return w
}

// EnsurePrimary tells whether this machine may write. Where it may not, the request
// goes to the primary as soon as the handler has returned, which it must do at once;
// what it has written to w until then is dropped. It is for a GET that writes.
//
// It is true where no Router is in front, where one has found no engine, and in a
// route of [Never], which the router leaves alone. When the response has been flushed
// already, or is larger than Config.HoldBytes, nothing can be sent on any more: the
// connection is broken off instead.
func EnsurePrimary(w http.ResponseWriter, r *http.Request) bool {
	wit := witnessOf(r.Context())
	if wit == nil {
		return true // a read on the primary, or no router
	}
	if wit.again() {
		return false
	}
	if wit.primary {
		return true
	}
	wit.asked.Store(true)
	return false
}
