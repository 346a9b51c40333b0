package replay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
)

// replicaOf is a server of a replica that forwards to where the machines are.
func replicaOf(t *testing.T, c Config, next http.Handler, machines map[string]string) (*httptest.Server, *fake, *Router) {
	t.Helper()
	f := newFake(engine.RoleReplica, "m1", appAt(1, 1))
	c.Engine, c.NoReplay = f, true
	c.Peer = func(host string) (string, error) { return machines[host], nil }
	rt := newRouter(t, c)
	s := httptest.NewServer(rt.Handler(next))
	t.Cleanup(s.Close)
	return s, f, rt
}

// What was sent on is not sent again when the connection breaks, whatever its method:
// a GET may have written. It is the same connection as before, on which the transport
// would try it again.
func TestSentOnce(t *testing.T) {
	var runs atomic.Int64
	primary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			return
		}
		runs.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}))
	defer primary.Close()
	s, _, _ := replicaOf(t, Config{WriteWait: time.Minute}, Always(hello), map[string]string{"m1": primary.URL})
	for _, tt := range []struct{ method, key string }{{"GET", ""}, {"HEAD", ""}, {"DELETE", ""}, {"POST", "1"}} {
		runs.Store(0)
		for _, path := range []string{"/first", "/second"} {
			req, _ := http.NewRequest(tt.method, s.URL+path, nil)
			if tt.key != "" {
				req.Header.Set("Idempotency-Key", tt.key)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]int{"/first": 200, "/second": 502}[path]; res.StatusCode != want {
				t.Errorf("%s %s: %d, want %d", tt.method, path, res.StatusCode, want)
			}
			textOf(t, res)
		}
		if n := runs.Load(); n != 1 {
			t.Errorf("%s ran %d times", tt.method, n)
		}
	}
}

// A primary whose app is just being started is looked for again, though it is the
// primary as before.
func TestPrimaryRestarts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s, _, rt := replicaOf(t, Config{WriteWait: time.Minute}, hello, map[string]string{"m1": "http://" + addr})
	got := make(chan string)
	go func() {
		res, err := http.Post(s.URL, "text/plain", strings.NewReader("x"))
		if err != nil {
			got <- err.Error()
			return
		}
		text, _ := io.ReadAll(res.Body)
		got <- string(text)
	}()
	testkit.Poll(t, "it to be tried", func() bool { return rt.metrics.forwarded.Load() > 0 })
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	primary := httptest.NewUnstartedServer(hello)
	primary.Listener.Close()
	primary.Listener = l
	primary.Start()
	defer primary.Close()
	if text := <-got; text != "hello x" {
		t.Error(text)
	}
}

// A machine that vanished answers nothing and closes nothing. It is given up when
// another has been the primary for long enough, and what it did is not known.
func TestPrimaryVanishes(t *testing.T) {
	came, release := make(chan bool), make(chan bool)
	primary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- true
		<-release
	}))
	defer primary.Close()
	defer close(release)
	s, f, _ := replicaOf(t, Config{WriteWait: time.Millisecond}, hello, map[string]string{"m1": primary.URL})
	status := make(chan int)
	go func() {
		res, err := http.Post(s.URL, "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Error(err)
			close(status)
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-came
	f.set(engine.RoleReplica, "m3")
	if got := <-status; got != http.StatusBadGateway {
		t.Errorf("%d", got)
	}
}

// What is sent on arrives as it was, and what a middleware around the router sets is
// there once.
func TestForwardedAsItWas(t *testing.T) {
	middleware := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "https://app.example")
			next.ServeHTTP(w, r)
		})
	}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })
	primary := httptest.NewServer(middleware(echo))
	defer primary.Close()
	s, _, _ := replicaOf(t, Config{}, hello, map[string]string{"m1": primary.URL})
	s.Config.Handler = middleware(s.Config.Handler)
	const target = "/a%2Fb//c?q=1;2&x=%zz&y=+"
	res, err := http.Post(s.URL+target, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := textOf(t, res); got != target {
		t.Errorf("%q, want %q", got, target)
	}
	if got := res.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 {
		t.Errorf("the header is there %d times", len(got))
	}
}

// A body that its sender wants to be asked for is asked for.
func TestExpectContinue(t *testing.T) {
	p := newPair(t, hello, Config{})
	req, _ := http.NewRequest("POST", p.replicaServer.URL, strings.NewReader("body"))
	req.Header.Set("Expect", "100-continue")
	c := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	defer c.CloseIdleConnections()
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := textOf(t, res); got != "hello body" {
		t.Errorf("%q", got)
	}
}

// No header hides from where a request comes.
func TestSource(t *testing.T) {
	open := newRouter(t, Config{Engine: newFake(engine.RoleReplica, "m1")})
	keyed := newRouter(t, Config{Engine: newFake(engine.RoleReplica, "m1"), Key: []byte("0123456789abcdef")})
	for name, tt := range map[string]struct {
		rt        *Router
		forwarded []string
		src       []string
		want      source
	}{
		"none":             {open, nil, nil, source{}},
		"replayed":         {open, nil, []string{"instance=a;state=2.m2;t=1"}, source{hops: 2}},
		"forwarded":        {open, []string{"1.m2"}, nil, source{hops: 1, forwarded: true}},
		"hidden":           {open, []string{"nonsense"}, []string{"state=2.m2"}, source{hops: 2}},
		"two":              {open, nil, []string{"state=0.a", "state=3.m2"}, source{hops: 3}},
		"no end":           {open, nil, []string{"state=255.m2"}, source{hops: maxHops}},
		"too many":         {open, nil, []string{"state=256.m2"}, source{}},
		"signed":           {keyed, nil, []string{"state=" + keyed.state(2)}, source{hops: 2}},
		"made up":          {keyed, []string{"4.m2"}, []string{"state=4.m2~x"}, source{}},
		"made up in front": {keyed, []string{"4.m2"}, []string{"state=" + keyed.state(1)}, source{hops: 1}},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header[headerForwarded], r.Header[headerSource] = tt.forwarded, tt.src
		if got := tt.rt.sourceOf(r); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// A request that a middleware has given up is no success.
func TestGivenUp(t *testing.T) {
	f := newFake(engine.RoleReplica, "m1", appAt(1, 1))
	rt := newRouter(t, Config{Engine: f, NoReplay: true, WriteWait: time.Minute, ReadWait: time.Minute, Peer: func(string) (string, error) { return "http://127.0.0.1:1", nil }})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, method := range []string{"GET", "POST"} {
		r := httptest.NewRequestWithContext(ctx, method, "/", nil)
		r.Header.Set(HeaderName, rt.newToken(clusterA, 0, []engine.Database{appAt(8, 8)}))
		w := httptest.NewRecorder()
		rt.Handler(hello).ServeHTTP(w, r)
		if w.Code < 500 {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

// deaf is an engine whose position cannot be read.
type deaf struct{ *fake }

func (deaf) ReadPosition(context.Context, string) (engine.Pos, error) {
	return engine.Pos{}, errors.New("the mount is gone")
}

// stuck is an engine whose mount does not answer.
type stuck struct {
	*fake
	asked chan bool
}

func (s stuck) ReadPosition(ctx context.Context, _ string) (engine.Pos, error) {
	s.asked <- true
	<-ctx.Done()
	return engine.Pos{}, context.Cause(ctx)
}

// A request whose client has gone waits for no mount.
func TestPositionStuck(t *testing.T) {
	f := newFake(engine.RolePrimary, "m1", appAt(6, 6))
	e := stuck{f, make(chan bool)}
	rt := newRouter(t, Config{Engine: e})
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "POST", "/", nil)
	r.Header.Set(HeaderName, rt.newToken(clusterA, 0, []engine.Database{appAt(8, 8)}))
	done := make(chan bool)
	go func() {
		rt.Handler(hello).ServeHTTP(httptest.NewRecorder(), r)
		close(done)
	}()
	<-e.asked // for the token
	cancel()
	<-e.asked // for the answer
	<-done
}

// A write after which the position cannot be read gives a token that sends the client's
// next read to the primary.
func TestPositionUnknown(t *testing.T) {
	for _, db := range []string{"", "app.db"} {
		f := newFake(engine.RolePrimary, "m1", appAt(6, 6))
		f.commits.Count()
		rt := newRouter(t, Config{Engine: deaf{f}, DB: db})
		text, _ := cookieOf(t, ask(rt.Handler(writes(f)), "POST", "/", ""))
		if tok, ok := rt.parseToken(text); !ok || tok.nonce == 0 {
			t.Errorf("%q", text)
		}
		if len(rt.open.m) != 0 {
			t.Errorf("%d open requests are left", len(rt.open.m))
		}
	}
}
