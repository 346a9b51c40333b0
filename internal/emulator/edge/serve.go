package edge

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/emulator/latency"
	"github.com/flysql/flysql/internal/globe"
)

// trip is a request on its way. It is its handler's alone.
type trip struct {
	edge   *Edge
	region string // of the edge that it came in at
	client *http.Request
	body   *body
	header http.Header // for machines, transformations done
	target string      // path and query, where a transformation has replaced them
	at     taken       // the machine that has it
	event  Event
	told   bool // the event was sent
	detail bool // somebody listens
	bypass bool // a cached replay was there, and skipped
	ends   []func()
}

type tripKey struct{}

// tripOf is the trip of a request within the edge, nil outside.
func tripOf(ctx context.Context) *trip {
	t, _ := ctx.Value(tripKey{}).(*trip)
	return t
}

// ServeHTTP gives a request to a machine.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		http.Error(w, "edge: CONNECT is not for a proxy of this kind", http.StatusMethodNotAllowed)
		return
	}
	region, ok := e.regionOf(r)
	if !ok { // a misspelt one would be a test of another region
		http.Error(w, fmt.Sprintf("edge: %s: %q is no region", RegionHeader, r.Header.Get(RegionHeader)), http.StatusBadRequest)
		return
	}
	t := &trip{edge: e, region: region, client: r, detail: e.subscribers.some.Load()}
	t.event = Event{ID: rand.Text() + "-" + t.region, Time: time.Now(), Edge: t.region, Method: r.Method, Host: r.Host, Path: r.URL.Path}
	t.event.Client, _, _ = net.SplitHostPort(r.RemoteAddr) // "" where there is no network
	out := &writer{ResponseWriter: w, trip: t}
	defer t.end()
	// A response may begin before its request has been read.
	_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 does so anyway, and says that it cannot
	latency.Wait(r.Context(), e.opt.Latency.Between(t.region, t.region))
	if r.ProtoMajor == 1 && r.ProtoMinor >= 1 && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		// net/http would do so when the body is read, in the midst of an early hint.
		w.WriteHeader(http.StatusContinue)
	}
	t.body = newBody(r)
	e.proxy.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), tripKey{}, t)))
}

// end lets the machine go, and tells.
func (t *trip) end() {
	for _, end := range t.ends {
		end()
	}
	t.letGo()
	if !t.told {
		t.tell()
	}
}

func (t *trip) tell() {
	t.told = true
	if t.edge.subscribers.some.Load() {
		t.event.Duration = time.Since(t.event.Time)
		ev := t.event
		ev.Hops = slices.Clone(ev.Hops)
		t.edge.subscribers.send(ev)
	}
}

// regionOf is where a request comes from. It is not ok where the header says what is none;
// a host's first label may be the app's own.
func (e *Edge) regionOf(r *http.Request) (region string, ok bool) {
	label, _, _ := strings.Cut(hostOf(r), ".")
	header := strings.TrimSpace(r.Header.Get(RegionHeader))
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range []string{label, header} {
		name = strings.ToLower(name)
		if globe.Known(name) || slices.ContainsFunc(e.machines, func(m *machine) bool { return m.Region == name }) {
			return name, true
		}
	}
	if e.region == "" && len(e.machines) > 0 {
		return e.machines[0].Region, header == ""
	}
	return e.region, header == ""
}

// SetRegion says where those come from who do not say, as Options.Region did.
func (e *Edge) SetRegion(region string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.region = region
}

// rewrite makes of a client's request the one for machines.
func (e *Edge) rewrite(r *httputil.ProxyRequest) {
	t, in, out := tripOf(r.In.Context()), r.In, r.Out
	out.URL.Scheme, out.URL.Host = "http", "edge" // RoundTrip chooses; this one is never dialled
	out.Host = in.Host
	out.URL.RawQuery = in.URL.RawQuery // ReverseProxy drops what it cannot parse
	h := out.Header
	for _, name := range []string{"Forwarded", "X-Forwarded-Host"} { // no document has the proxy drop these
		if v, ok := in.Header[name]; ok {
			h[name] = v
		}
	}
	h.Del(RegionHeader)
	h.Del("Expect") // the client has been told to go on
	e.describe(t, in, h)
}

// describe adds what the proxy tells machines of a client.
// https://fly.io/docs/networking/request-headers/
func (e *Edge) describe(t *trip, in *http.Request, h http.Header) {
	address, port := "", ""
	if local, ok := in.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		address, port, _ = net.SplitHostPort(local.String())
	}
	proto, ssl := "http", "off"
	if in.TLS != nil || e.opt.HTTPS {
		proto, ssl = "https", "on"
	}
	h.Set("Fly-Client-Ip", t.event.Client)
	h.Set("Fly-Forwarded-Port", port)
	h.Set("Fly-Region", t.region)
	h.Set("Fly-Request-Id", t.event.ID)
	h.Set("X-Forwarded-Proto", proto)
	h.Set("X-Forwarded-Ssl", ssl)
	if h.Get("X-Forwarded-Port") == "" { // "may be set by the client"
		h.Set("X-Forwarded-Port", port)
	}
	// The client, whatever it says was before it, and last the app's own address.
	path := append(slices.Clone(in.Header["X-Forwarded-For"]), t.event.Client, address)
	h.Set("X-Forwarded-For", strings.Join(slices.DeleteFunc(path, func(s string) bool { return s == "" }), ", "))
	h.Add("Via", via(in))
}

func via(r *http.Request) string {
	if r.ProtoMajor >= 2 {
		return fmt.Sprintf("%d fly.io", r.ProtoMajor)
	}
	return fmt.Sprintf("%d.%d fly.io", r.ProtoMajor, r.ProtoMinor)
}

// finish does to a machine's response what fly.toml and the proxy do.
func (e *Edge) finish(res *http.Response) error {
	t := tripOf(res.Request.Context())
	for name, value := range e.opt.Service.Headers {
		set(res.Header, name, value)
	}
	if !e.opt.Service.Pristine {
		res.Header.Add("Via", via(t.client))
		res.Header.Set("Fly-Request-Id", t.event.ID)
		res.Header.Set(WayHeader, t.event.way())
	}
	if len(res.Trailer) > 0 {
		res.Header.Del("Content-Length") // HTTP/2 allows both, HTTP/1.1 does not
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")) // "" where it is none
	t.event.Open = media == "text/event-stream"
	if res.StatusCode == http.StatusSwitchingProtocols {
		t.event.Open = true
		t.begin(res.StatusCode) // ReverseProxy writes this one past the writer
		return nil
	}
	res.Body = &heard{res.Body, t, t.at.machine.ID}
	return nil
}

// heard is a response's body, which may break off. The client sees that it did, and the
// event tells why.
type heard struct {
	io.ReadCloser
	trip    *trip
	machine string
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if err != nil && err != io.EOF && h.trip.client.Context().Err() == nil {
		h.trip.event.Error = fmt.Sprintf("PU02: machine %s broke off its response: %v", h.machine, err)
	}
	return n, err
}

// set is a header as http_options.response.headers writes it: false removes it.
func set(h http.Header, name string, value any) {
	switch v := value.(type) {
	case bool:
		if !v {
			h.Del(name)
		}
	case string:
		h.Set(name, v)
	case []any:
		h.Del(name)
		for _, one := range v {
			h.Add(name, fmt.Sprint(one))
		}
	case []string:
		h[http.CanonicalHeaderKey(name)] = slices.Clone(v)
	}
}

// writer sees what the client gets.
type writer struct {
	http.ResponseWriter
	trip *trip
}

func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if status < 200 {
		if !w.trip.client.ProtoAtLeast(1, 1) {
			return // it would take it for the answer
		}
		// The machine may have written more than its hints by now.
		for _, name := range []string{replayHeader, cacheHeader, cacheTTLHeader, cacheBypassHeader} {
			w.Header().Del(name)
		}
	} else if w.trip.event.Status == 0 {
		if w.trip.client.ProtoMajor == 1 && w.trip.body.muchLeft() {
			w.Header().Set("Connection", "close") // as net/http will, without a word
		}
		w.trip.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// begin is when the response's head goes to the client.
func (t *trip) begin(status int) {
	t.event.Status = status
	latency.Wait(t.client.Context(), t.edge.opt.Latency.Between(t.region, t.region))
	if t.event.Open {
		t.tell()
	}
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.trip.event.Bytes += int64(n)
	return n, err
}
