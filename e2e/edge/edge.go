// Package edge stands for Fly's proxy in front of an app's machines: it chooses a
// machine for each request, and obeys fly-replay, by which a machine gives a
// request on to another. https://fly.io/docs/networking/dynamic-request-routing/
//
// Fly's proxy is in every region, and takes the machine that is nearest to whoever
// asks. Here everybody is in the same place, so a request says where it comes from:
// by the first label of its host (http://syd.localhost:8080), or as on Fly by the
// header fly-prefer-region. Otherwise it comes from the first machine's region.
//
// Of fly-replay it knows instance, region, state, timeout and fallback=force_self. It is
// a stand-in for tests and the demo, with no cache and no TLS.
package edge

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Machine is one that takes requests.
type Machine struct {
	ID     string
	Region string
	Addr   netip.AddrPort
}

// Edge is an http.Handler. Make one with New.
type Edge struct {
	proxy    http.Handler
	carry    http.RoundTripper
	machines func() []Machine
	turn     atomic.Uint64 // machines of a region take turns
}

// New makes an edge. machines returns those that take requests at the moment, the
// primary region's first; dial connects to one, nil as usual.
func New(machines func() []Machine, dial func(ctx context.Context, network, address string) (net.Conn, error)) *Edge {
	e := &Edge{machines: machines}
	// No connection is kept: one that waits would hold up a machine's orderly end.
	e.carry = &http.Transport{DialContext: dial, DisableKeepAlives: true, ResponseHeaderTimeout: time.Minute}
	e.proxy = &httputil.ReverseProxy{
		Transport:    e,
		ErrorLog:     log.New(io.Discard, "", 0), // who asked is told
		Rewrite:      rewrite,
		ErrorHandler: refuse,
	}
	return e
}

func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.proxy.ServeHTTP(w, r) }

// rewrite adds what Fly's proxy does.
func rewrite(r *httputil.ProxyRequest) {
	r.SetXForwarded()
	r.Out.Host = r.In.Host
	r.Out.URL.Scheme = "http"
	r.Out.URL.Host = r.In.Host // RoundTrip chooses; this one is never dialled
	r.Out.Header.Set("Fly-Request-Id", rand.Text())
	if client, _, err := net.SplitHostPort(r.In.RemoteAddr); err == nil {
		r.Out.Header.Set("Fly-Client-IP", client)
	}
}

// refusal is an answer of the edge itself.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusBadGateway
	var r *refusal
	if errors.As(err, &r) {
		status = r.status
	}
	http.Error(w, "edge: "+err.Error(), status)
}

const (
	// maxReplayed is the body that can be sent a second time.
	maxReplayed = 1 << 20
	// maxReplays bounds machines that give a request on to each other.
	maxReplays = 5
)

// RoundTrip sends a request to a machine, and to the next one where that says so.
func (e *Edge) RoundTrip(req *http.Request) (*http.Response, error) {
	all := e.machines()
	if len(all) == 0 {
		return nil, &refusal{http.StatusServiceUnavailable, "no machine takes requests"}
	}
	body, whole, err := begin(req)
	if err != nil {
		return nil, err
	}
	from := region(req, all)
	req.Header.Set("Fly-Region", from)
	candidates := e.nearest(all, from)
	var to target  // of the replay that is under way
	var by Machine // who asked for it
	failed := false
	for range maxReplays {
		res, m, err := e.first(req, body, candidates, to.timeout)
		var gone *unreachable
		if errors.As(err, &gone) && to.fallback {
			// Whoever gave the request on gets it back, and must answer it.
			req.Header.Del("fly-replay-src")
			req.Header.Set("fly-replay-failed", "instance="+to.instance+";region="+to.region+";replay_source="+by.ID+";reason="+gone.reason)
			to, candidates, failed = target{}, []Machine{by}, true
			continue
		}
		if err != nil {
			return nil, err
		}
		replay := res.Header.Get("fly-replay")
		if replay == "" {
			return res, nil
		}
		res.Body.Close()
		switch {
		case failed:
			return nil, &refusal{http.StatusBadGateway, "a replay that failed is answered by fly-replay: " + replay}
		case !whole:
			return nil, &refusal{http.StatusRequestEntityTooLarge, "a request over 1 MB cannot be replayed"}
		}
		if to, err = parse(replay); err != nil {
			return nil, err
		}
		by = m
		candidates = to.among(e.machines())
		if len(candidates) == 0 && !to.fallback {
			return nil, &refusal{http.StatusServiceUnavailable, "no machine takes requests for fly-replay: " + replay}
		}
		req.Header.Set("fly-replay-src", src(by, to.state))
	}
	return nil, &refusal{http.StatusLoopDetected, fmt.Sprintf("replayed %d times", maxReplays)}
}

// begin reads the body as far as it can be replayed, and says whether that is all.
func begin(req *http.Request) (body func() io.ReadCloser, whole bool, err error) {
	if req.Body == nil {
		return func() io.ReadCloser { return http.NoBody }, true, nil
	}
	read, err := io.ReadAll(io.LimitReader(req.Body, maxReplayed+1))
	if err != nil {
		return nil, false, fmt.Errorf("read the request: %w", err)
	}
	if len(read) <= maxReplayed {
		return func() io.ReadCloser { return io.NopCloser(bytes.NewReader(read)) }, true, nil
	}
	rest := req.Body
	return func() io.ReadCloser { return io.NopCloser(io.MultiReader(bytes.NewReader(read), rest)) }, false, nil
}

// unreachable is when no machine got a request.
type unreachable struct {
	reason string // as in fly-replay-failed
	err    error
}

func (u *unreachable) Error() string {
	if u.err == nil {
		return "no machine takes requests"
	}
	return u.err.Error()
}

// first sends the request to the first of machines that can be reached, within limit
// where there is one. Once one has it, it is never sent to another unasked: that could
// do it twice.
func (e *Edge) first(req *http.Request, body func() io.ReadCloser, machines []Machine, limit time.Duration) (*http.Response, Machine, error) {
	reason := "retries_exhausted"
	if len(machines) == 0 {
		reason = "no_candidate"
	}
	ctx, connected := until(req.Context(), limit)
	var errs []error
	for _, m := range machines {
		out := req.Clone(ctx)
		out.URL.Host = m.Addr.String()
		out.Body = body()
		res, err := e.carry.RoundTrip(out)
		if err == nil {
			return res, m, nil
		}
		errs = append(errs, fmt.Errorf("machine %s: %w", m.ID, err))
		if connected() {
			return nil, Machine{}, errors.Join(errs...)
		}
		if errors.Is(context.Cause(ctx), errLate) {
			reason = "timeout"
			break
		}
	}
	return nil, Machine{}, &unreachable{reason, errors.Join(errs...)}
}

var errLate = errors.New("no machine could be reached in time")

// until is a context that ends when there is no connection after the limit; 0 is none.
func until(parent context.Context, limit time.Duration) (ctx context.Context, connected func() bool) {
	ctx, cancel := context.WithCancelCause(parent)
	var done atomic.Bool
	late := func() {
		if !done.Load() {
			cancel(errLate)
		}
	}
	if limit > 0 {
		time.AfterFunc(limit, late)
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { done.Store(true) }}), done.Load
}

// region is where a request comes from.
func region(req *http.Request, all []Machine) string {
	label, _, _ := strings.Cut(req.Host, ".")
	for _, name := range []string{label, req.Header.Get("fly-prefer-region")} {
		if slices.ContainsFunc(all, func(m Machine) bool { return m.Region == name }) {
			return name
		}
	}
	return all[0].Region
}

// nearest orders the machines: those of the region, in turns, then all others.
func (e *Edge) nearest(all []Machine, region string) []Machine {
	var here, elsewhere []Machine
	for _, m := range all {
		if m.Region == region {
			here = append(here, m)
		} else {
			elsewhere = append(elsewhere, m)
		}
	}
	n := 0
	if len(here) > 0 {
		n = int(e.turn.Add(1) % uint64(len(here)))
	}
	return slices.Concat(here[n:], here[:n], elsewhere)
}

// target is what a fly-replay header asks for.
type target struct {
	instance, region, state string
	timeout                 time.Duration // to reach a machine; 0 is any
	fallback                bool          // otherwise the request goes back
}

func parse(header string) (t target, err error) {
	for field := range strings.SplitSeq(header, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		value = strings.Trim(value, `"`)
		switch key {
		case "":
		case "instance":
			t.instance = value
		case "region":
			t.region = value
		case "state":
			t.state = value
		case "timeout":
			if t.timeout, err = time.ParseDuration(value); err != nil || t.timeout <= 0 {
				return t, &refusal{http.StatusBadGateway, fmt.Sprintf("fly-replay: %s: no timeout", header)}
			}
		case "fallback":
			if t.fallback = value == "force_self"; !t.fallback {
				return t, &refusal{http.StatusBadGateway, fmt.Sprintf("fly-replay: %s: this edge knows no fallback but force_self", header)}
			}
		default:
			return t, &refusal{http.StatusBadGateway, fmt.Sprintf("fly-replay: %s: this edge knows no %q", header, key)}
		}
	}
	if t.instance == "" && t.region == "" {
		return t, &refusal{http.StatusBadGateway, fmt.Sprintf("fly-replay: %s: neither instance nor region", header)}
	}
	return t, nil
}

// among are the machines that t means, in the order of its regions.
func (t target) among(all []Machine) (found []Machine) {
	if t.instance != "" {
		return slices.DeleteFunc(slices.Clone(all), func(m Machine) bool { return m.ID != t.instance })
	}
	for name := range strings.SplitSeq(t.region, ",") {
		for _, m := range all {
			if name == m.Region || name == "any" {
				found = append(found, m)
			}
		}
	}
	return found
}

// src tells the next machine who gave the request on.
func src(by Machine, state string) string {
	fields := []string{"instance=" + by.ID, "region=" + by.Region, "t=" + strconv.FormatInt(time.Now().UnixMicro(), 10)}
	if state != "" {
		fields = append(fields, "state="+state)
	}
	return strings.Join(fields, ";")
}
