package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// maxReplays bounds machines that give a request on to each other. The proxy has such
// a limit, PA02, and does not say which.
const maxReplays = 5

// step is one way of a request to a machine.
type step struct {
	wish     wish
	why      string // as in Hop
	timeout  time.Duration
	header   map[string]string // what the machine is told beside the request
	replay   *replay           // what led here, nil for nothing
	by       Machine           // who asked for it
	original bool              // the request as it came in, without transformations
	cached   *cacheKey         // the entry of the cache that led here
}

// RoundTrip sends a request to a machine, and to the next one where that says so. It is
// for the edge's own ReverseProxy.
func (e *Edge) RoundTrip(req *http.Request) (*http.Response, error) {
	t := tripOf(req.Context())
	t.header = req.Header
	s := t.first(req)
	for replays := 0; ; {
		began := time.Now()
		res, err := t.give(req, s)
		var nobody *unreachable
		switch {
		case errors.As(err, &nobody) && s.cached != nil:
			e.cache.drop(*s.cached)
			s = t.uncached(req)
			continue
		case errors.As(err, &nobody) && s.replay != nil && s.replay.fallback != noFallback:
			s = t.back(s, nobody.reason, time.Since(began))
			continue
		case errors.As(err, &nobody):
			return nil, nobody.refusal()
		case err != nil:
			return nil, err
		}
		r, err := replayOf(res)
		if r == nil && err == nil {
			return res, nil
		}
		upgraded := res.StatusCode == http.StatusSwitchingProtocols
		_ = res.Body.Close() // it is for nobody
		by := t.at.machine
		t.letGo()
		if err != nil {
			return nil, err
		}
		t.hop().Replay = r.text
		if err := t.mayReplay(s, r, upgraded); err != nil {
			return nil, err
		}
		if replays++; replays > maxReplays {
			return nil, &refusal{http.StatusLoopDetected, fmt.Sprintf("PA02: replayed %d times", maxReplays)}
		}
		t.edge.place(r, by)
		if replays == 1 || r.cache != nil && r.cache.Invalidate {
			t.hop().Note = e.cache.remember(t.client, r, e.opt.Service.ReplayCache)
		}
		s = t.replayed(r, by)
	}
}

// first is where a request goes that no machine has seen: where a cached replay leads,
// or where the client or else the proxy wants it to.
func (t *trip) first(req *http.Request) step {
	s := t.uncached(req)
	if s.why == "forced" {
		return s
	}
	k, c, ok := t.edge.cache.find(t.client, t.edge.opt.Service.ReplayCache)
	if !ok {
		return s
	}
	if c.bypass && strings.EqualFold(t.client.Header.Get(cacheControlHeader), "skip") {
		t.bypass = true
		s.header = map[string]string{cacheStatusHeader: "bypass"}
		return s
	}
	// "The fly-replay-src header will not be set for requests replayed through the cache."
	return step{wish: c.wish, why: "cached", cached: &k, header: map[string]string{cacheStatusHeader: "hit"}}
}

// uncached is where a client wants its request to go.
func (t *trip) uncached(req *http.Request) step {
	h := req.Header
	s := step{why: "nearest"}
	if regions := list(h, "Fly-Prefer-Region"); regions != nil {
		s.why, s.wish.regions = "preferred", append(regions, "any")
	}
	if id := h.Get("Fly-Prefer-Instance-Id"); id != "" {
		s.why, s.wish.prefer = "preferred", id
	}
	if regions := list(h, "Fly-Force-Region"); regions != nil {
		s.why, s.wish.regions, s.wish.within = "forced", regions, true
	}
	if id := h.Get("Fly-Force-Instance-Id"); id != "" {
		s.why, s.wish = "forced", wish{instance: id, forced: true}
	}
	return s
}

// list is a client's list of regions, nil where there is none.
func list(h http.Header, name string) []string {
	if v := h.Get(name); v != "" {
		return regionList(v)
	}
	return nil
}

var tooLarge = &refusal{http.StatusRequestEntityTooLarge, "PA01: a request over 1 MB cannot be replayed"}

// mayReplay finds what cannot be replayed.
func (t *trip) mayReplay(s step, r *replay, upgraded bool) error {
	switch {
	case s.why == "fallback":
		// "Fallback requests cannot themselves issue fly-replay responses."
		return &refusal{http.StatusBadGateway, "a replay that failed is answered by fly-replay: " + r.text}
	case upgraded:
		// "An application returning fly-replay headers should not negotiate a web socket
		// upgrade itself."
		return &refusal{http.StatusBadGateway, "an upgrade that the machine has negotiated itself is answered by fly-replay: " + r.text}
	case !t.body.again():
		return tooLarge
	}
	if app := r.wish.app; app != "" && app != t.edge.opt.App && !t.edge.knows(app) {
		return &refusal{http.StatusBadGateway, fmt.Sprintf("PA04: fly-replay to the app %q, which this edge does not have", app)}
	}
	return nil
}

// knows tells whether there are machines of another app.
func (e *Edge) knows(app string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.machines {
		if m.App == app {
			return true
		}
	}
	return false
}

// place completes a replay's wish by which machine asks for it.
func (e *Edge) place(r *replay, by Machine) {
	if r.wish.app == e.opt.App {
		r.wish.app = ""
	} else if r.wish.app == "" {
		r.wish.app = by.App
	}
	if r.elsewhere {
		r.wish.not = by.ID
	}
}

// replayed is where a replay leads.
func (t *trip) replayed(r *replay, by Machine) step {
	t.apply(r.transform)
	s := step{wish: r.wish, why: "replay", timeout: r.timeout, replay: r, by: by}
	status := "miss"
	if t.bypass {
		status = "bypass"
	}
	s.header = map[string]string{"Fly-Replay-Src": r.source(by), cacheStatusHeader: status}
	return s
}

// back is the way back to the machine whose replay failed.
func (t *trip) back(s step, reason string, took time.Duration) step {
	b := step{why: "fallback", original: true, by: s.by}
	b.header = map[string]string{"Fly-Replay-Failed": s.replay.failed(s.by, reason, took, t.edge.opt.App)}
	b.wish = wish{app: s.by.App, instance: s.by.ID}
	if s.replay.fallback == preferSelf {
		b.wish = wish{app: s.by.App, prefer: s.by.ID}
	}
	return b
}

// apply transforms the request for this machine and those after it.
func (t *trip) apply(how *transform) {
	if how == nil {
		return
	}
	t.header = t.header.Clone()
	for _, name := range how.DeleteHeaders {
		t.header.Del(name)
	}
	for _, h := range how.SetHeaders {
		t.header.Set(h.Name, h.Value)
	}
	if how.Path != "" {
		t.target = how.Path
	}
}

// unreachable is when no machine got a request.
type unreachable struct {
	reason string // as in fly-replay-failed
	err    error
}

func (u *unreachable) Error() string { return u.err.Error() }
func (u *unreachable) Unwrap() error { return u.err }

func (u *unreachable) refusal() error {
	if u.reason == failedNobody {
		return &refusal{http.StatusServiceUnavailable, "PR01: no machine takes requests for this: " + u.err.Error()}
	}
	if errors.Is(u.err, errFull) {
		return &refusal{http.StatusServiceUnavailable, "PR03: " + u.err.Error()}
	}
	return &refusal{http.StatusBadGateway, "PC07: no machine could be reached: " + u.err.Error()}
}

// give sends the request to the first machine that can be reached, within the step's
// timeout where there is one. Once one has it, it is never sent to another unasked: that
// could do it twice.
func (t *trip) give(req *http.Request, s step) (*http.Response, error) {
	ctx, reached, done := t.until(req.Context(), s.timeout)
	defer done()
	tried := map[string]bool{}
	var last error
	for round := 0; ; {
		got, err := t.edge.take(ctx, &s.wish, t.region, tried)
		if errors.Is(err, errNobody) && len(tried) > 0 && nextRound(ctx, &round) {
			clear(tried)
			continue
		}
		if err != nil {
			return nil, t.nobody(ctx, s, err, last)
		}
		t.at = got
		res, err := t.send(ctx, req, s)
		if err == nil {
			return res, nil
		}
		t.letGo()
		id := got.machine.ID
		if cause := context.Cause(ctx); cause != nil && !reached() {
			return nil, t.nobody(ctx, s, cause, err)
		}
		var not *notReached
		if errors.Is(err, errLost) {
			return nil, tooLarge
		}
		if !errors.As(err, &not) || reached() {
			return nil, fmt.Errorf("machine %s: %w", id, err)
		}
		tried[id], last = true, fmt.Errorf("machine %s: %w", id, err)
	}
}

// nobody says why no machine got the request; last is of the machine that was tried last.
func (t *trip) nobody(ctx context.Context, s step, err, last error) error {
	u := &unreachable{failedRetries, err}
	switch {
	case errors.Is(context.Cause(ctx), errLate):
		u.reason, u.err = failedTimeout, errLate
	case ctx.Err() != nil:
		return context.Cause(ctx) // the client has gone
	case last != nil:
		u.err = last
	case errors.Is(err, errNobody):
		u.reason = failedNobody
	}
	if last == nil {
		t.event.Hops = append(t.event.Hops, Hop{Machine: s.wish.instance, Region: strings.Join(s.wish.regions, ","), App: s.wish.app, Why: s.why, After: time.Since(t.event.Time), Error: u.err.Error()})
	}
	return u
}

var errLate = errors.New("no machine could be reached in time")

// until is a context that ends when there is no connection after the limit; 0 is none.
// done is called when an answer is there, or none will be. The answer needs the context,
// which lasts as long as the trip.
func (t *trip) until(parent context.Context, limit time.Duration) (_ context.Context, reached func() bool, done func()) {
	ctx, cancel := context.WithCancelCause(parent)
	t.ends = append(t.ends, func() { cancel(nil) })
	var got atomic.Bool
	done = func() {}
	if limit > 0 {
		late := time.AfterFunc(limit, func() {
			if !got.Load() {
				cancel(errLate)
			}
		})
		done = func() { late.Stop() }
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// A connection that waited to be used again may be to nobody. Where net/http then
		// looks for another one, it knows that nothing has been done.
		GetConn: func(string) { got.Store(false) },
		GotConn: func(info httptrace.GotConnInfo) {
			if c, ok := info.Conn.(*patient); ok {
				c.begin()
			}
			got.Store(true)
		},
	}), got.Load, done
}

// hop is the last one.
func (t *trip) hop() *Hop { return &t.event.Hops[len(t.event.Hops)-1] }

// send gives the request to the machine that has been taken.
func (t *trip) send(ctx context.Context, req *http.Request, s step) (*http.Response, error) {
	to := t.at.machine
	out, err := t.request(context.WithValue(ctx, machineKey{}, to), req, s)
	if err != nil {
		return nil, err
	}
	out.URL.Host = to.Address.String()
	if t.at.missed && s.why != "fallback" {
		out.Header.Set("Fly-Preferred-Instance-Unavailable", s.wish.prefer)
	}
	h := Hop{Machine: to.ID, Region: to.Region, App: to.App, Why: s.why, After: time.Since(t.event.Time)}
	if t.detail {
		h.Request = shown(out.Header)
	}
	_, upgrade := out.Header["Upgrade"]
	began := time.Now()
	res, err := t.edge.carriers.of(carrierKey{t.region, to.ID, upgrade}).RoundTrip(out)
	h.Duration = time.Since(began)
	if err != nil {
		h.Error = err.Error()
	} else if h.Status = res.StatusCode; t.detail {
		h.Response = shown(res.Header)
	}
	t.event.Hops = append(t.event.Hops, h)
	return res, err
}

// request is the one for the next machine.
func (t *trip) request(ctx context.Context, req *http.Request, s step) (*http.Request, error) {
	out := req.WithContext(ctx)
	header, target := t.header, t.target
	if s.original {
		header, target = req.Header, ""
	}
	out.Header = header.Clone()
	for name, value := range s.header {
		out.Header.Set(name, value)
	}
	at := *req.URL
	if target != "" {
		path, err := url.ParseRequestURI(target)
		if err != nil {
			return nil, unparsed("transform.path: %v", err)
		}
		at.Path, at.RawPath, at.RawQuery, at.ForceQuery = path.Path, path.RawPath, path.RawQuery, path.ForceQuery
	}
	out.URL = &at
	if host := out.Header.Get("Host"); host != "" { // by a transformation
		out.Host = host
		out.Header.Del("Host")
	}
	if req.ContentLength == 0 {
		out.Body = nil
		return out, nil
	}
	out.Body, out.Trailer = t.body.open()
	// A machine may answer before it has been sent all of a body: what is on its way still
	// must not be taken for the next request.
	out.Close = true
	out.GetBody = nil
	if out.Trailer == nil { // which nobody else may fill in
		out.GetBody = t.body.reopen
	}
	return out, nil
}
