package replay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// forwarder sends requests to other machines over the private network.
type forwarder struct {
	transport *http.Transport
	proxy     *httputil.ReverseProxy
}

// dialLimit is how long a machine may take to take a connection.
const dialLimit = 3 * time.Second

// passage is one request on its way, by which Rewrite and ErrorHandler know it.
type passage struct {
	to    *url.URL
	state string
	body  *countedBody
	err   error // nil where the machine has answered
}

type passageKey struct{}

func newForwarder(rt *Router) forwarder {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialLimit, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true, // what the client gets is what the primary has sent
		WriteBufferSize:     32 << 10,
		ReadBufferSize:      32 << 10,
	}
	return forwarder{transport: t, proxy: &httputil.ReverseProxy{
		Transport:     t,
		FlushInterval: -1, // an event must not wait for the next
		ErrorLog:      nil,
		Rewrite: func(pr *httputil.ProxyRequest) {
			p := pr.In.Context().Value(passageKey{}).(*passage)
			pr.SetURL(p.to)
			pr.Out.Host = pr.In.Host
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
func (rt *Router) forward(primary string, w http.ResponseWriter, r *http.Request, from source, why reason) (sent bool) {
	addr, err := rt.cfg.Peer(primary)
	if err != nil {
		rt.refuse(w, r, err.Error())
		return true
	}
	to, err := url.Parse(addr)
	if err != nil || to.Host == "" {
		rt.refuse(w, r, "Config.Peer has no URL for "+primary)
		return true
	}
	p := &passage{to: to, state: rt.state(from.hops + 1)}
	out := r.WithContext(context.WithValue(r.Context(), passageKey{}, p))
	if r.Body != nil && r.Body != http.NoBody {
		p.body = &countedBody{ReadCloser: r.Body}
		out.Body = p.body
	}
	rt.metrics.forwarded.Add(1)
	rt.debug(r, "forwarded", primary, why)
	rt.proxy.proxy.ServeHTTP(w, out)
	switch {
	case p.err == nil:
		return true
	case r.Context().Err() != nil:
		rt.metrics.gone.Add(1)
		return true
	case notThere(p.err) && (p.body == nil || !p.body.touched.Load()):
		return false
	case safe(r.Method):
		rt.refuse(w, r, "the primary did not answer: "+p.err.Error())
		return true
	}
	rt.unknown(w, r, "the primary "+primary+" did not answer: "+p.err.Error())
	return true
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
