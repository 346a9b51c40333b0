package load

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// regionHeader is by which flysql dev's edge is told where a client is; package edge has
// it as RegionHeader.
const regionHeader = "Flysql-Dev-Region"

// sender sends the requests of a plan. It is what vegeta takes for its transport: what that
// hands over is only the number of a request.
type sender struct {
	options   Options
	base      *url.URL
	transport *http.Transport
	jars      []*cookiejar.Jar // by visitor
	kinds     []Request
	underWay  atomic.Int64
	full      atomic.Bool // Max were under way since the pacer looked
}

func newSender(o Options) (*sender, error) {
	base, err := ParseURL(o.URL)
	if err != nil {
		return nil, err
	}
	s := &sender{options: o, base: base, kinds: append(append([]Request{}, o.Reads...), o.Write...)}
	s.jars = make([]*cookiejar.Jar, o.Visitors)
	for i := range s.jars {
		s.jars[i], _ = cookiejar.New(nil) // never an error
	}
	dialer := &net.Dialer{Timeout: o.Timeout, KeepAlive: 15 * time.Second}
	var p http.Protocols
	p.SetHTTP1(true) // by HTTP/2 all visitors would share a few connections
	s.transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, loopback(address))
		},
		Protocols:              &p,
		MaxIdleConnsPerHost:    o.Max,
		IdleConnTimeout:        time.Minute,
		TLSHandshakeTimeout:    o.Timeout,
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true, // it would be measured with the app
	}
	return s, nil
}

// loopback spares names under localhost a look-up, which not every system answers.
func loopback(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !isLocal(host) || net.ParseIP(host) != nil {
		return address
	}
	return net.JoinHostPort("localhost", port)
}

func (s *sender) close() { s.transport.CloseIdleConnections() }

// request is the one of these values.
func (s *sender) request(ctx context.Context, kind *Request, v *values) (*http.Request, error) {
	at, err := url.ParseRequestURI(kind.path.fill(v))
	if err != nil {
		return nil, err
	}
	to := *s.base
	to.Path = strings.TrimSuffix(s.base.Path, "/") + at.Path
	to.RawPath = ""
	if at.RawPath != "" || s.base.RawPath != "" {
		to.RawPath = strings.TrimSuffix(s.base.EscapedPath(), "/") + at.EscapedPath()
	}
	to.RawQuery, to.ForceQuery, to.User = at.RawQuery, at.ForceQuery, nil
	var body io.Reader
	if text := kind.body.fill(v); text != "" {
		body = strings.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, kind.method, to.String(), body)
	if err != nil {
		return nil, err
	}
	for name, values := range s.options.Header {
		r.Header[name] = append([]string(nil), values...)
	}
	if user := s.base.User; user != nil && r.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		r.SetBasicAuth(user.Username(), password)
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "flysql-load")
	}
	if kind.contentType != "" {
		r.Header.Set("Content-Type", kind.contentType)
	}
	if v.region != "" {
		r.Header.Set(s.regionHeader(), v.region)
	}
	for _, c := range s.jars[v.visitor].Cookies(s.secure(r.URL)) {
		r.AddCookie(c)
	}
	return r, nil
}

// regionHeader is what says to flysql dev where a client is. Fly's proxy finds that out by
// itself, and is told instead which region's machines to prefer.
func (s *sender) regionHeader() string {
	if isLocal(s.base.Hostname()) {
		return regionHeader
	}
	return "Fly-Prefer-Region"
}

// secure is a URL as browsers see it: what is on their own machine is as good as https, so
// that an app's secure cookies come back.
func (s *sender) secure(u *url.URL) *url.URL {
	if !isLocal(u.Hostname()) {
		return u
	}
	secure := *u
	secure.Scheme = "https"
	return &secure
}

// send sends one, and returns its answer as soon as its head is there.
func (s *sender) send(ctx context.Context, kind *Request, v *values) (*http.Response, error) {
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	r, err := s.request(limited, kind, v)
	if err != nil {
		cancel()
		return nil, err
	}
	res, err := s.transport.RoundTrip(r)
	if err != nil {
		err = s.reason(ctx, limited, err)
		cancel()
		return nil, err
	}
	if cookies := res.Cookies(); len(cookies) > 0 {
		s.jars[v.visitor].SetCookies(s.secure(r.URL), cookies)
	}
	res.Body = &body{ReadCloser: res.Body, reason: func(err error) error { return s.reason(ctx, limited, err) }, end: cancel}
	return res, nil
}

// flight is one run of a plan through the sender.
type flight struct {
	*sender
	plan *plan
	ctx  context.Context // of all its requests, which are cut off with it
}

// RoundTrip sends the request of a number.
func (f *flight) RoundTrip(stub *http.Request) (*http.Response, error) {
	if f.underWay.Add(1) >= int64(f.options.Max) {
		f.full.Store(true)
	}
	defer f.underWay.Add(-1)
	seq, err := strconv.ParseUint(stub.Header.Get("X-Vegeta-Seq"), 10, 64)
	if err != nil || seq >= uint64(len(f.plan.kinds)) {
		return nil, errStopped // one too many
	}
	v := f.plan.values(seq)
	res, err := f.send(f.ctx, &f.kinds[f.plan.kinds[seq]], &v)
	if err != nil {
		return nil, err
	}
	if to, ok := res.Header["Location"]; ok {
		// http.Client would look into it, and nothing is followed here.
		delete(res.Header, "Location")
		res.Header[locationHeader] = to
	}
	return res, nil
}

// locationHeader is where Location is kept.
const locationHeader = "load location" // no response has one of this name

// body is a response's, whose errors are told as those before are.
type body struct {
	io.ReadCloser
	reason func(error) error
	end    context.CancelFunc
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.reason(err)
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}
