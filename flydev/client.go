package flydev

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
)

// URL is where clients in a region reach the app, "http://127.0.0.1:34567"; "" is where
// those do who do not say, and who use Client.
func (c *Cluster) URL(region string) string {
	c.t.Helper()
	u, err := c.on.url(region)
	must(c.t, "the URL of "+region, err)
	return u
}

// Client is a new visitor in a region: an HTTP client with cookies of its own. It asks at
// c.URL(""), and follows redirects as http.Client does; a request ends after Options.Patience.
// As browsers do on localhost, it takes and sends cookies that are Secure.
func (c *Cluster) Client(region string) *http.Client {
	c.t.Helper()
	if region != "" {
		c.URL(region) // which says when there is none such
	}
	jar, err := cookiejar.New(nil)
	must(c.t, "make a cookie jar", err)
	base := &http.Transport{}
	c.t.Cleanup(base.CloseIdleConnections)
	return &http.Client{Transport: inRegion{base, region, c.on.record}, Jar: secureJar{jar}, Timeout: c.on.options.patience()}
}

// inRegion says where requests come from.
type inRegion struct {
	base   *http.Transport
	region string
	record *record
}

func (t inRegion) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.region != "" {
		r = r.Clone(r.Context())
		r.Header.Set(edge.RegionHeader, t.region)
	}
	res, err := t.base.RoundTrip(r)
	if err == nil {
		t.record.expect(requestID(res))
	}
	return res, err
}

// requestID is what the proxy has called a response's request; "" where it was another's.
func requestID(res *http.Response) string { return res.Header.Get("Fly-Request-Id") }

// secureJar has Secure cookies too.
type secureJar struct{ jar *cookiejar.Jar }

func (j secureJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.jar.SetCookies(secure(u), cookies)
}
func (j secureJar) Cookies(u *url.URL) []*http.Cookie { return j.jar.Cookies(secure(u)) }

func secure(u *url.URL) *url.URL {
	s := *u
	s.Scheme = "https"
	return &s
}

// Request is one request that came to the app, and its way.
type Request struct {
	ID     string // Fly-Request-Id
	Time   time.Time
	Took   time.Duration // until the response was whole
	Region string        // of the edge that it came to
	Method string
	Path   string // without the query
	Status int    // 0 where the client went before
	Error  string // why the proxy answered itself, "" where the app did
	Hops   []Hop
	// Way is it in a line, "edge ams -> ams1 replica -> replay -> ord1 primary, 18 ms", for
	// people to read: tests compare Hops.
	Way string
}

// Hop is a machine that a request was given to.
type Hop struct {
	Machine string
	Region  string
	Role    string // as it was then
	Why     string // "nearest", "replay", ...
	Status  int    // 0 where it did not answer
	Error   string // why it did not
	Took    time.Duration
}

// Requests are those that have ended since the test has its cluster, in that order. One
// whose response was read just now may be missing: RequestOf waits for it. Of very many,
// the first are forgotten.
func (c *Cluster) Requests() []Request { return c.on.record.requestsSince(c.from) }

// RequestOf is how a response came about. Its body must have been read to the end, or
// closed.
func (c *Cluster) RequestOf(res *http.Response) Request {
	c.t.Helper()
	id := requestID(res)
	if id == "" {
		c.t.Fatalf("flydev: a response without Fly-Request-Id is none of the app's in this cluster")
	}
	var found Request
	c.WaitFor("request "+id+" to end", func() (ok bool) {
		found, ok = c.on.record.request(id)
		return ok
	})
	return found
}
