package replay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flysql/flysql/engine"
)

// forwarder sends requests to other machines over the private network.
type forwarder struct {
	transport *http.Transport
	proxy     *httputil.ReverseProxy
}

// once is a transport that never sends a request twice. http.Transport sends what it
// takes for a read again when the connection breaks; here a GET may write.
type once struct{ *http.Transport }

func (t once) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		if again := safe(r.Method) || len(r.Header["Idempotency-Key"])+len(r.Header["X-Idempotency-Key"]) > 0; again {
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(eof{}) // it does not know that nothing is in there
		}
	}
	return t.Transport.RoundTrip(r)
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// dialLimit is how long a machine may take to take a connection.
const dialLimit = 3 * time.Second

// passage is one request on its way, by which Rewrite and ErrorHandler know it.
type passage struct {
	to       *url.URL
	state    string
	w        http.ResponseWriter
	body     *countedBody
	answered func() // is called when its head is there
	err      error  // nil where the machine has answered
}

type passageKey struct{}

func newForwarder(rt *Router) forwarder {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialLimit, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     20 * time.Second, // before a server closes it, just as a request is sent
		DisableCompression:  true,             // what the client gets is what the primary has sent
		WriteBufferSize:     32 << 10,
		ReadBufferSize:      32 << 10,
	}
	return forwarder{transport: t, proxy: &httputil.ReverseProxy{
		Transport:     once{t},
		FlushInterval: -1, // an event must not wait for the next
		ErrorLog:      slog.NewLogLogger(rt.cfg.Logger.Handler(), slog.LevelInfo),
		Rewrite: func(pr *httputil.ProxyRequest) {
			p := pr.In.Context().Value(passageKey{}).(*passage)
			pr.SetURL(p.to)
			pr.Out.Host = pr.In.Host
			pr.Out.URL.RawQuery = pr.In.URL.RawQuery // also what this proxy does not understand
			pr.Out.Trailer = pr.In.Trailer           // whose values are there when the body has been read
			// Fly's proxy has set these, or nobody has.
			forwarded := false
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if v, ok := pr.In.Header[name]; ok {
					pr.Out.Header[name], forwarded = v, true
				}
			}
			if !forwarded {
				pr.SetXForwarded()
			}
			pr.Out.Header.Set(headerForwarded, p.state)
			pr.Out.Header.Del(headerSource)
			pr.Out.Header.Del(headerFailed)
		},
		ModifyResponse: func(res *http.Response) error {
			p := res.Request.Context().Value(passageKey{}).(*passage)
			p.answered()
			// What a middleware has set here it has set there, too.
			for name := range res.Header {
				p.w.Header().Del(name)
			}
			p.w.Header().Del(WayHeader)
			res.Header.Set(WayHeader, "forwarded")
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			r.Context().Value(passageKey{}).(*passage).err = err
		},
	}}
}

// countedBody is a request's body that knows whether any of it was sent, and does not
// close what may be sent again.
type countedBody struct {
	io.ReadCloser
	touched atomic.Bool
}

func (b *countedBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	return b.ReadCloser.Read(p)
}

func (b *countedBody) Close() error { return nil } // the server does

// forward sends a request to the primary and its answer to the client. It is false
// where the primary was not there.
func (rt *Router) forward(primary place, w http.ResponseWriter, r *http.Request, from source, why reason) (sent bool) {
	peer := rt.cfg.Peer
	if primary.region {
		peer = rt.cfg.peerIn
	}
	addr, err := peer(primary.name)
	if err != nil {
		rt.refuse(w, r, err.Error())
		return true
	}
	to, err := url.Parse(addr)
	if err != nil || to.Host == "" {
		rt.refuse(w, r, "Config.Peer has no URL for "+primary.String())
		return true
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	answered := make(chan struct{})
	p := &passage{to: to, state: rt.state(from.hops + 1), w: w, answered: sync.OnceFunc(func() { close(answered) })}
	defer p.answered()
	go rt.watch(primary, answered, cancel)
	out := r.WithContext(context.WithValue(ctx, passageKey{}, p))
	if r.Body != nil && r.Body != http.NoBody {
		p.body = &countedBody{ReadCloser: r.Body}
		out.Body = p.body
		// What the primary answers to half a body goes out before the rest has come. A
		// server that cannot do that waits.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	rt.metrics.forwarded.Add(1)
	rt.debug(r, "forwarded", primary, why)
	rt.proxy.proxy.ServeHTTP(w, out)
	switch {
	case p.err == nil:
		return true
	case r.Context().Err() != nil:
		rt.gone(w, http.StatusBadGateway)
		return true
	case notThere(p.err) && (p.body == nil || !p.body.touched.Load()):
		return false
	case ctx.Err() != nil:
		p.err = context.Cause(ctx)
	}
	// Also of a read: here it was sent on, and there it may write.
	rt.unknown(w, r, "the primary "+primary.String()+" did not answer: "+p.err.Error())
	return true
}

// errReplaced is why a machine is not listened to any more.
var errReplaced = errors.New("it has not been the primary for some time")

// watch gives up on a machine that has not answered, when it has not been the primary
// for as long as one may be missing: a machine that has vanished closes no connection.
func (rt *Router) watch(primary place, answered <-chan struct{}, cancel context.CancelCauseFunc) {
	var late <-chan time.Time
	for {
		st := rt.engine.State()
		switch is := st.Role == engine.RoleReplica && placeOf(&st) == primary; {
		case is:
			late = nil
		case late == nil:
			late = time.After(rt.cfg.WriteWait)
		}
		select {
		case <-st.Changed: // nil, where nothing changes any more, is never
		case <-late:
			cancel(errReplaced)
			return
		case <-answered:
			return
		}
	}
}

// notThere tells whether err means that no connection was made, so that the request
// has been nowhere.
func notThere(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	var dns *net.DNSError
	return errors.As(err, &dns)
}
