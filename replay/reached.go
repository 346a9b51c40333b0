package replay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/flysql/flysql/engine"
)

// StaleHeader is in a response that may lack the client's own last write. Its value is
// "no-primary" where none is known, and "superseded" where this machine is the primary
// for all that it has heard, and the client's token is of a later one.
const StaleHeader = "Flysql-Stale"

// WayHeader is in a response whose request was not simply answered where it arrived:
// "waited" for the client's own last write, "replayed" to the primary by Fly's proxy, or
// "forwarded" to it.
const WayHeader = "Flysql-Way"

// reached tells whether a replica has all that a client has seen, and waits for it.
// Otherwise the read is the primary's, for the reason that it returns.
func (rt *Router) reached(w http.ResponseWriter, r *http.Request, t *token, st *engine.State) (why reason, ok bool) {
	switch {
	case st.ClusterID == "":
		return 0, true // nothing is known to compare with
	case t.cluster != st.ClusterID:
		rt.setToken(w, r, "")
		return 0, true
	case t.nonce != 0:
		return reasonOpen, rt.staleFor(st)
	}
	for rest := t.at; rest != ""; {
		db, pos, more, _ := nextPosition(rest)
		rest = more
		if rt.cfg.DB != "" && db != rt.cfg.DB {
			continue // of an earlier release, say
		}
		if at, ok := st.Position(db); ok && at == pos {
			continue
		}
		if why, ok := rt.wait(w, r, db, pos); !ok {
			return why, rt.staleFor(st)
		}
	}
	return 0, true
}

// staleFor tells whether a read that should go to the primary is answered here all
// the same, since there is none.
func (rt *Router) staleFor(was *engine.State) bool {
	return was.Role == engine.RoleUnknown && rt.engine.State().Role == engine.RoleUnknown
}

// atOnce is a context for whoever does not wait.
var atOnce = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// wait waits until this machine has come so far.
func (rt *Router) wait(w http.ResponseWriter, r *http.Request, db string, pos engine.Pos) (why reason, ok bool) {
	// What is there already costs nobody anything.
	err := rt.engine.WaitPosition(atOnce, db, pos)
	if err == nil {
		return 0, true
	}
	if errors.Is(err, engine.ErrDiverged) {
		return reasonBehind, false // who has lost what, the primary knows
	}
	client := rt.clientOf(r)
	if rt.cfg.Key == nil {
		if !rt.waiting.enter(client) {
			return reasonCrowd, false
		}
		defer rt.waiting.leave(client)
	}
	rt.metrics.waiting.Add(1)
	defer rt.metrics.waiting.Add(-1)
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(r.Context(), rt.cfg.ReadWait, fmt.Errorf("not within %v", rt.cfg.ReadWait))
	defer cancel()
	err = rt.engine.WaitPosition(ctx, db, pos)
	rt.metrics.waited(time.Since(start), err == nil)
	if err == nil {
		w.Header().Set(WayHeader, "waited")
	}
	return reasonBehind, err == nil
}

// clientOf is who asks: by Fly's proxy the client, else whoever has connected.
func (rt *Router) clientOf(r *http.Request) string {
	if ip := r.Header["Fly-Client-Ip"]; rt.cfg.onFly() && len(ip) == 1 && len(ip[0]) < 50 {
		return ip[0]
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// waitLimit bounds how many requests of a client wait at a time, since one that makes
// its tokens up could let as many wait as it likes.
type waitLimit struct {
	mu sync.Mutex
	by map[string]int
}

// maxWaiting is far more than a person's browser has under way, and room for an
// office behind one address.
const maxWaiting = 256

func (l *waitLimit) enter(client string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string]int{}
	}
	if l.by[client] >= maxWaiting {
		return false
	}
	l.by[client]++
	return true
}

func (l *waitLimit) leave(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[client]--; l.by[client] == 0 {
		delete(l.by, client)
	}
}
