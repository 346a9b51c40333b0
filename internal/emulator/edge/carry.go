package edge

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flysql/flysql/internal/emulator/latency"
)

// pooled is how long a connection to a machine waits to be used again: "about 4
// seconds when using type = requests".
const pooled = 4 * time.Second

// dialTimeout bounds how long a machine may take to take a connection.
const dialTimeout = 5 * time.Second

// carriers are the connections to machines, apart for each machine, and for each region
// that requests come in at, as the way from there has its own length.
type carriers struct {
	edge *Edge
	mu   sync.Mutex
	all  map[carrierKey]*http.Transport
}

type carrierKey struct {
	region  string
	machine string
	upgrade bool // HTTP/2 cannot be upgraded to another protocol
}

func (c *carriers) of(k carrierKey) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[carrierKey]*http.Transport{}
	}
	t := c.all[k]
	if t == nil {
		t = c.edge.transport(k)
		c.all[k] = t
	}
	return t
}

// drop ends the connections to a machine that nobody uses: what listens there from now
// on is another process, or will be.
func (c *carriers) drop(machine string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, t := range c.all {
		if k.machine == machine {
			t.CloseIdleConnections()
			delete(c.all, k)
		}
	}
}

func (c *carriers) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.all {
		t.CloseIdleConnections()
	}
}

func (e *Edge) transport(k carrierKey) *http.Transport {
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return e.dial(ctx, k.region, address)
		},
		DisableCompression:  true,
		IdleConnTimeout:     pooled,
		MaxIdleConnsPerHost: 1000,
		// "If you use connections, then the proxy opens a new connection for each HTTP
		// request."
		DisableKeepAlives: !e.opt.Service.Requests,
	}
	var p http.Protocols
	if e.opt.Service.H2Backend && !k.upgrade {
		p.SetUnencryptedHTTP2(true)
	} else {
		p.SetHTTP1(true)
	}
	t.Protocols = &p
	return t
}

// notReached is when a machine took no connection: it has seen nothing of the request.
type notReached struct{ error }

func (n *notReached) Unwrap() error { return n.error }

type machineKey struct{}

// dial connects to the machine that ctx names, with what lies between.
func (e *Edge) dial(ctx context.Context, region, address string) (net.Conn, error) {
	m, _ := ctx.Value(machineKey{}).(Machine)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var c net.Conn
	var err error
	if e.opt.Dial != nil {
		c, err = e.opt.Dial(ctx, region, m)
	} else {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, &notReached{err}
	}
	if e.opt.Service.IdleTimeout > 0 {
		c = &idling{Conn: c, limit: e.opt.Service.IdleTimeout}
	}
	if delay := e.opt.Latency; delay != nil {
		near, far := net.Pipe()
		there := func() time.Duration { return delay(region, m.Region) }
		back := func() time.Duration { return delay(m.Region, region) }
		machine := &breaking{Conn: c}
		go latency.Join(far, machine, there, back) // until either of its connections ends
		late := &delayed{Conn: near, far: machine}
		return &patient{Conn: late, gone: late.gone}, nil
	}
	return &patient{Conn: c}, nil
}

// patient is a connection to a machine that may answer, and go, before it has been sent
// all of a request: to replay it, say. What cannot be written any more is not missed, or
// net/http would give up before it reads the answer.
type patient struct {
	net.Conn
	gone  func() bool // nil where writing tells
	begun atomic.Bool // something of the request was written
}

// begin is when a request gets the connection. One of which nothing could be written has
// not reached the machine.
func (c *patient) begin() { c.begun.Store(false) }

func (c *patient) Write(p []byte) (int, error) {
	if c.gone != nil && !c.begun.Load() && c.gone() {
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Write(p)
	if err != nil && c.begun.Load() {
		return len(p), nil
	}
	if n > 0 {
		c.begun.Store(true)
	}
	return n, err
}

// breaking is a connection that remembers how it ended.
type breaking struct {
	net.Conn
	sent atomic.Int64 // by the machine
	why  atomic.Pointer[error]
}

func (c *breaking) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.sent.Add(int64(n))
	if err != nil {
		c.why.Store(&err)
	}
	return n, err
}

// delayed is the near end of a line. It ends as the connection at the far end did: a
// response that goes on until its connection ends must not look whole.
type delayed struct {
	net.Conn
	far  *breaking
	seen atomic.Int64 // of what the machine sent
}

func (c *delayed) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.seen.Add(int64(n))
	if why := c.far.why.Load(); err == io.EOF && why != nil {
		err = *why
	}
	return n, err
}

// gone tells whether the machine has ended the connection, and nothing more is to come but
// the news of that. On Fly a proxy stands beside the machine, and knows.
func (c *delayed) gone() bool {
	return c.far.why.Load() != nil && c.far.sent.Load() == c.seen.Load()
}

// idling is a connection that is closed when nothing moves on it.
type idling struct {
	net.Conn
	limit time.Duration
}

func (c *idling) Read(p []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(c.limit)) // a connection that is closed says so next
	return c.Conn.Read(p)
}

func (c *idling) Write(p []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(c.limit))
	return c.Conn.Write(p)
}

func (c *idling) CloseWrite() error  { return closeWrite(c.Conn) }
func (c *patient) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite ends one direction of a connection, or where it cannot, both.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
