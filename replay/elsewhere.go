package replay

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/flysql/flysql/engine"
)

// maxHops is how often a request is sent on. More than one is needed only while the
// primary changes.
const maxHops = 4

// settling is how long a machine that was taken for the primary waits before it sends
// a request on, for the first time; then twice as long. The two may each take the
// other for it, until both have heard.
const settling = 50 * time.Millisecond

// retryEvery is how often a primary is looked for that took no connection.
const retryEvery = 250 * time.Millisecond

// What machines tell each other of a request.
const (
	headerForwarded = "Flysql-Forwarded" // the state of a request that another machine has forwarded
	headerSource    = "Fly-Replay-Src"   // the same, in the field state, by Fly's proxy
	headerFailed    = "Fly-Replay-Failed"
)

// elsewhere sends a request to the primary, or waits until this machine is it. x is
// the exchange that the handler has been at already; nil where it has not.
func (h *handler) elsewhere(w http.ResponseWriter, r *http.Request, why reason, x *exchange) {
	rt := h.router
	if x != nil {
		x.drop()
	}
	rt.metrics.sent[why].Add(1)
	from := rt.sourceOf(r)
	limit := time.NewTimer(rt.cfg.WriteWait)
	defer limit.Stop()
	var tried place // the primary that could not be reached
	var settled, again <-chan time.Time
	if from.hops > 0 {
		pause := time.NewTimer(settling << from.hops)
		defer pause.Stop()
		settled = pause.C
	}
	for {
		st := rt.engine.State()
		switch {
		case st.Role == engine.RolePrimary && x != nil && x.primary && st.Epoch == x.epoch:
			// It was refused as if this machine were none: what has changed is not heard yet.
		case st.Role == engine.RolePrimary && x == nil:
			h.onPrimary(w, r, &st)
			return
		case st.Role == engine.RolePrimary && x.again(r):
			h.onPrimary(w, r, &st)
			return
		case st.Role == engine.RolePrimary:
			rt.refuse(w, r, "this machine became the primary while it dealt with this request, whose body it has read")
			return
		case st.Role == engine.RoleReplica && placeOf(&st) != place{} && placeOf(&st) != tried && settled == nil && from.hops < maxHops:
			if rt.sendTo(placeOf(&st), w, r, x, from, why) {
				return
			}
			tried = placeOf(&st) // it was not there; perhaps it or another is soon
			again = time.After(retryEvery)
			continue
		}
		if st.Changed == nil {
			rt.refuse(w, r, "the router is closed")
			return
		}
		select {
		case <-st.Changed:
			tried = place{}
		case <-again:
			tried = place{} // its app may have been started again
		case <-settled:
			settled = nil
		case <-r.Context().Done():
			rt.gone(w, http.StatusServiceUnavailable)
			return
		case <-limit.C:
			if st.Err != nil { // which is not for the client
				rt.log(r, "no primary is known: "+st.Err.Error())
			}
			rt.refuse(w, r, fmt.Sprintf("no primary could be reached within %v", rt.cfg.WriteWait))
			return
		}
	}
}

// again makes a request ready for a second run, and tells whether that is possible.
func (x *exchange) again(r *http.Request) bool {
	switch {
	case x.body != nil:
		x.body.Seek(0, 0)
		r.Body = http.NoBody
		if x.bodySize > 0 {
			r.Body = readCloser{x.body}
		}
		return true
	case r.ContentLength == 0:
		return true
	}
	return false
}

type readCloser struct {
	reader interface{ Read([]byte) (int, error) }
}

func (r readCloser) Read(p []byte) (int, error) { return r.reader.Read(p) }
func (r readCloser) Close() error               { return nil }

// sendTo replays a request to a machine, or forwards it. It is false where the machine
// was not there: the request has not been there either then.
func (rt *Router) sendTo(primary place, w http.ResponseWriter, r *http.Request, x *exchange, from source, why reason) (sent bool) {
	if rt.canReplay(r, from) && isHostname(primary.name) {
		rt.metrics.replayed.Add(1)
		h := w.Header()
		h.Set("Fly-Replay", primary.field()+"="+primary.name+";timeout=5s;fallback=force_self;state="+rt.state(from.hops+1))
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusConflict)
		// Only someone without Fly's proxy reads this.
		fmt.Fprintf(w, "The primary is %s; Fly's proxy sends this request there.\n", primary)
		rt.debug(r, "replayed", primary, why)
		return true
	}
	if x != nil && !x.again(r) {
		rt.refuse(w, r, "its body has been read already")
		return true
	}
	return rt.forward(primary, w, r, from, why)
}

// canReplay tells whether Fly's proxy sends a request on: it must have come by it,
// and not back from where it could not be sent to.
func (rt *Router) canReplay(r *http.Request, from source) bool {
	if !rt.onFly || from.forwarded || isUpgrade(r) {
		return false
	}
	if _, ok := r.Header["Fly-Request-Id"]; !ok {
		return false // from another machine of the app
	}
	if _, failed := r.Header[headerFailed]; failed {
		return false
	}
	if r.ContentLength < 0 || r.ContentLength > maxReplay || len(r.TransferEncoding) > 0 {
		return false
	}
	return true
}

// isUpgrade tells whether a request is to become another protocol's connection.
func isUpgrade(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 || r.Method == http.MethodConnect
}

// source says where a request has been.
type source struct {
	hops      int
	forwarded bool
}

// sourceOf reads what the machines before have told. Where there is a key, what a
// client makes up counts for nothing; without, it can have its own request refused.
//
// A client's own header may stand beside the proxy's; the one with more hops counts,
// so that none hides another.
func (rt *Router) sourceOf(r *http.Request) (from source) {
	for _, text := range r.Header[headerForwarded] {
		if hops, ok := rt.hopsIn(text); ok {
			from.forwarded, from.hops = true, max(from.hops, hops)
		}
	}
	for _, text := range r.Header[headerSource] {
		for field := range strings.SplitSeq(text, ";") {
			state, _ := strings.CutPrefix(strings.TrimSpace(field), "state=")
			if hops, ok := rt.hopsIn(state); ok {
				from.hops = max(from.hops, hops)
			}
		}
	}
	return from
}

// hopsIn reads what state writes. More than maxHops say no more than maxHops.
func (rt *Router) hopsIn(text string) (hops int, ok bool) {
	if len(text) > 200 {
		return 0, false
	}
	text, mac, _ := strings.Cut(text, "~")
	count, host, _ := strings.Cut(text, ".")
	n, err := strconv.ParseUint(count, 10, 8)
	if err != nil || !isHostname(host) || rt.cfg.Key != nil && !rt.signed(text, mac) {
		return 0, false
	}
	return min(int(n), maxHops), true
}

// state is what hopsIn reads: <hops>.<this machine>[~<mac>].
func (rt *Router) state(hops int) string {
	text := strconv.Itoa(hops) + "." + rt.self()
	if rt.cfg.Key != nil {
		text += "~" + rt.mac(text)
	}
	return text
}

// self is this machine's name, as the engine of others has it.
func (rt *Router) self() string {
	if id := rt.cfg.getenv("FLY_MACHINE_ID"); isHostname(id) {
		return id
	}
	return "unknown"
}

// gone answers a client that nobody listens for any more; unless it was a middleware
// that ended the request, which must not be taken for a success then.
func (rt *Router) gone(w http.ResponseWriter, status int) {
	rt.metrics.gone.Add(1)
	rt.answer(w, status, "The request was given up.")
}

// refuse answers what was not done, and can be tried again.
func (rt *Router) refuse(w http.ResponseWriter, r *http.Request, why string) {
	rt.metrics.refused.Add(1)
	rt.log(r, "503: "+why)
	w.Header().Set("Retry-After", "2")
	rt.answer(w, http.StatusServiceUnavailable, "Nothing was written: "+why+". Try again in a moment.")
}

// unknown answers what may have been done.
func (rt *Router) unknown(w http.ResponseWriter, r *http.Request, why string) {
	rt.metrics.unknown.Add(1)
	rt.log(r, "502: "+why)
	rt.answer(w, http.StatusBadGateway, "It is not known whether this was done: "+why+". Look before you do it again.")
}

func (rt *Router) answer(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}

// log tells of a request that was not answered. The path alone: a query may carry what
// does not belong in a log.
func (rt *Router) log(r *http.Request, why string) {
	rt.cfg.Logger.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelInfo, "replay", slog.String("why", why), slog.String("method", r.Method), slog.String("path", r.URL.Path))
}

func (rt *Router) debug(r *http.Request, outcome string, primary place, why reason) {
	if !rt.cfg.Logger.Enabled(r.Context(), slog.LevelDebug) {
		return
	}
	rt.cfg.Logger.LogAttrs(r.Context(), slog.LevelDebug, "replay", slog.String("outcome", outcome), slog.String("to", primary.String()), slog.String("why", why.String()), slog.String("method", r.Method), slog.String("path", r.URL.Path))
}
