package edge

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// Edge is the proxy, an http.Handler. Make one with New. Its methods may be called by
// several goroutines at once.
type Edge struct {
	opt         Options
	proxy       *httputil.ReverseProxy
	carriers    carriers
	cache       replayCache
	subscribers subscribers

	ctx     context.Context // of checks, and of machines' starts and stops
	end     context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	machines []*machine
	near     map[string][]*machine // see nearest
	changed  chan struct{}
	closed   bool
	region   string // where those come from who do not say
}

// New makes an edge that has no machines yet.
func New(o Options) (*Edge, error) {
	if err := o.Service.validate(); err != nil {
		return nil, err
	}
	o.Service.SoftLimit = cmp.Or(o.Service.SoftLimit, defaultSoftLimit)
	o.Patience = cmp.Or(o.Patience, 30*time.Second)
	o.StopEvery = cmp.Or(o.StopEvery, 5*time.Minute)
	if o.pick == nil {
		o.pick = rand.IntN
	}
	e := &Edge{opt: o, region: o.Region, changed: make(chan struct{})}
	e.ctx, e.end = context.WithCancel(context.Background())
	e.subscribers.all = map[*Subscription]struct{}{}
	e.carriers.edge = e
	e.proxy = &httputil.ReverseProxy{
		Transport:      e,
		ErrorLog:       log.New(io.Discard, "", 0), // events tell
		Rewrite:        e.rewrite,
		ModifyResponse: e.finish,
		ErrorHandler:   refuse,
		FlushInterval:  -1, // as it comes
		BufferPool:     &buffers{},
	}
	if o.Power != nil && (o.Service.AutoStop == "stop" || o.Service.AutoStop == "suspend") {
		e.running.Go(e.stopIdle)
	}
	return e, nil
}

// Close ends the checks, what waits for a machine, and the connections to machines that
// are not in use, and waits for them. Requests that a machine has go on.
func (e *Edge) Close() error {
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		for _, m := range e.machines {
			m.endChecks()
			m.State = Away
		}
		e.wake()
	}
	e.mu.Unlock()
	e.end()
	e.running.Wait()
	e.carriers.close()
	e.subscribers.close()
	return nil
}

// Server is an HTTP server that is set up as Fly's proxy is: HTTP/1.1, and HTTP/2
// without TLS in place of the one with.
func (e *Edge) Server() *http.Server {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           e,
		Protocols:         &p,
		ReadHeaderTimeout: cmp.Or(e.opt.Service.HeaderTimeout, time.Minute),
		ErrorLog:          log.New(io.Discard, "", 0),
		// OPTIONS * is the app's to answer.
		DisableGeneralOptionsHandler: true,
	}
}

// refusal is an answer of the edge itself. Its text begins with the code that Fly's
// proxy logs. https://fly.io/docs/reference/error-codes/
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// refuse answers for a machine that did not, unless nobody listens any more.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusBadGateway, err.Error()
	if own := (*refusal)(nil); errors.As(err, &own) {
		status = own.status
	} else {
		text = "PU02: could not complete the request: " + text
	}
	if t := tripOf(r.Context()); t != nil {
		if t.client.Context().Err() != nil {
			t.event.Error = "the client has gone"
			return
		}
		t.event.Error = text
		w.Header().Set("Fly-Request-Id", t.event.ID)
	}
	http.Error(w, "edge: "+text, status)
}

// buffers lends what responses are copied through.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
