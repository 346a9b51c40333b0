package replay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
)

// pair is a replica that forwards to a primary, both served.
type pair struct {
	primary, replica             *fake
	rtPrimary, rtReplica         *Router
	primaryServer, replicaServer *httptest.Server
}

func newPair(t testing.TB, next http.Handler, c Config) *pair {
	t.Helper()
	p := &pair{primary: newFake(engine.RolePrimary, "m1", appAt(1, 1)), replica: newFake(engine.RoleReplica, "m1", appAt(1, 1))}
	p.primary.commits.Count()
	serve := func(f *fake, id string) (*Router, *httptest.Server) {
		c := c
		c.Engine = f
		if c.getenv == nil {
			c.getenv = func(name string) string {
				if name == "FLY_MACHINE_ID" {
					return id
				}
				return ""
			}
			c.NoReplay = true
		}
		c.Peer = func(host string) (string, error) {
			if host == "m1" {
				return p.primaryServer.URL, nil
			}
			if host == "m2" {
				return p.replicaServer.URL, nil
			}
			return "", fmt.Errorf("%s is not known", host)
		}
		rt := newRouter(t, c)
		return rt, httptest.NewServer(rt.Handler(next))
	}
	p.rtPrimary, p.primaryServer = serve(p.primary, "m1")
	p.rtReplica, p.replicaServer = serve(p.replica, "m2")
	t.Cleanup(p.replicaServer.Close)
	t.Cleanup(p.primaryServer.Close)
	return p
}

// Off Fly everything that is the primary's is forwarded, and a write is seen there.
func TestForward(t *testing.T) {
	p := newPair(t, nil, Config{})
	p.primaryServer.Config.Handler = p.rtPrimary.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-From", r.Header.Get("X-Forwarded-For")+" "+r.Host)
		w.Header().Add("Set-Cookie", "a=b")
		writes(p.primary)(w, r)
		io.Copy(w, r.Body)
	}))
	p.replicaServer.Config.Handler = p.rtReplica.Handler(writes(p.replica))
	for _, tt := range []struct{ method, body, want string }{
		{"POST", "x=1", "writtenx=1"},
		{"GET", "", "written"},             // refused here, and sent on
		{"GET", "a body", "writtena body"}, // which the handler could have read
	} {
		req, _ := http.NewRequest(tt.method, p.replicaServer.URL+"/p?q=1", strings.NewReader(tt.body))
		req.Host = "guestbook.example"
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := textOf(t, res); got != tt.want || !strings.HasSuffix(res.Header.Get("X-From"), " guestbook.example") || res.Header.Get(HeaderName) == "" || len(res.Cookies()) != 2 {
			t.Errorf("%s: %q, want %q; %v", tt.method, got, tt.want, res.Header)
		}
	}
	if n := p.rtReplica.metrics.forwarded.Load(); n != 3 {
		t.Errorf("%d forwarded", n)
	}
}

// What Fly's proxy cannot replay is forwarded before the handler runs.
func TestNotReplayable(t *testing.T) {
	env := func(name string) string {
		return map[string]string{"FLY_MACHINE_ID": "m2", "FLY_APP_NAME": "guestbook"}[name]
	}
	p := newPair(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
	}), Config{getenv: env})
	big := bytes.Repeat([]byte("0123456789abcdef"), 20<<16)
	want := fmt.Sprintf("%d %x", len(big), sha256.Sum256(big))
	for name, body := range map[string]io.Reader{
		"20 MB":              bytes.NewReader(big),
		"of unknown length":  io.MultiReader(bytes.NewReader(big)),
		"small, and chunked": io.MultiReader(strings.NewReader("x")),
	} {
		req, _ := http.NewRequest("POST", p.replicaServer.URL, body)
		req.Header.Set("Fly-Request-Id", "01")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := textOf(t, res); res.StatusCode != 200 || len(got) > 40 && name != "small, and chunked" && got != want {
			t.Errorf("%s: %d %q", name, res.StatusCode, got)
		}
	}
	// A request that comes from inside the network, or back from a replay, neither.
	for _, header := range [][2]string{{"X-None", "1"}, {"Fly-Replay-Failed", "instance=m1;reason=timeout"}} {
		req, _ := http.NewRequest("POST", p.replicaServer.URL, strings.NewReader("x"))
		if header[0] != "X-None" {
			req.Header.Set("Fly-Request-Id", "01")
		}
		req.Header.Set(header[0], header[1])
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != 200 || res.Header.Get("Fly-Replay") != "" {
			t.Errorf("%v: %v, %v", header, res, err)
		}
	}
	small, _ := http.NewRequest("POST", p.replicaServer.URL, strings.NewReader("x"))
	small.Header.Set("Fly-Request-Id", "01")
	if res, err := http.DefaultClient.Do(small); err != nil || res.Header.Get("Fly-Replay") == "" {
		t.Errorf("a small one is replayed: %v, %v", res, err)
	}
}

// A WebSocket, or whatever else a connection becomes, is the primary's.
func TestUpgrade(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		rw.Flush()
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(rw, "echo "+line)
			rw.Flush()
		}
	})
	p := newPair(t, echo, Config{})
	for _, server := range []*httptest.Server{p.replicaServer, p.primaryServer} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != 101 {
			t.Fatalf("%v, %v", res, err)
		}
		for _, word := range []string{"one", "two"} {
			io.WriteString(conn, word+"\n")
			if line, err := r.ReadString('\n'); line != "echo "+word+"\n" {
				t.Fatalf("%q, %v", line, err)
			}
		}
	}
}

// Events come one by one, from a replica and by way of it.
func TestEvents(t *testing.T) {
	next := make(chan string)
	sse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for event := range next {
			fmt.Fprintf(w, "data: %s\n\n", event)
			w.(http.Flusher).Flush()
			if event == "end" {
				return
			}
		}
	})
	for name, h := range map[string]http.Handler{"local": sse, "forwarded": Always(sse)} {
		mux := http.NewServeMux()
		mux.Handle("/", h)
		p := newPair(t, mux, Config{})
		go func() { next <- "1" }() // it flushes the head, too
		res, err := http.Get(p.replicaServer.URL)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(res.Body)
		for _, event := range []string{"1", "2", "end"} {
			if event != "1" {
				next <- event
			}
			if line, err := r.ReadString('\n'); line != "data: "+event+"\n" {
				t.Fatalf("%s: %q, %v", name, line, err)
			}
			r.ReadString('\n')
		}
		res.Body.Close()
	}
}

// Nothing goes round in a circle, and a machine that is taken for the primary waits.
func TestNoLoop(t *testing.T) {
	p := newPair(t, hello, Config{WriteWait: 100 * time.Millisecond})
	p.primary.set(engine.RoleReplica, "m2") // each takes the other for it
	res, err := http.Post(p.replicaServer.URL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	text := textOf(t, res)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(text, "Nothing was written") {
		t.Errorf("%d %q", res.StatusCode, text)
	}
	if n := p.rtReplica.metrics.forwarded.Load() + p.rtPrimary.metrics.forwarded.Load(); n > maxHops {
		t.Errorf("forwarded %d times", n)
	}
}

// A request that comes to a machine just before it is the primary is answered there.
func TestWaitsForPrimary(t *testing.T) {
	for name, header := range map[string][2]string{
		"unknown":   {},
		"replayed":  {"Fly-Replay-Src", "instance=m1;region=ams;t=1;state=4.m1"},
		"forwarded": {headerForwarded, "4.m1"},
	} {
		f := newFake(engine.RoleUnknown, "", appAt(1, 1))
		if name != "unknown" {
			f.set(engine.RoleReplica, "m1")
		}
		rt := newRouter(t, Config{Engine: f, WriteWait: time.Minute})
		var done sync.WaitGroup
		done.Go(func() {
			res := ask(rt.Handler(hello), "POST", "/", "x", append([]string{"X-A", "b"}, header[:]...)...)
			if got := textOf(t, res); got != "hello x" {
				t.Errorf("%s: %q", name, got)
			}
		})
		testkit.Poll(t, "it to wait", func() bool { return rt.metrics.sent[reasonWrite].Load() == 1 })
		f.set(engine.RolePrimary, "m2")
		done.Wait()
	}
}

// Without a primary a write is refused in the end, and one whose client goes is not
// run.
func TestNoPrimary(t *testing.T) {
	f := newFake(engine.RoleUnknown, "", appAt(1, 1))
	rt := newRouter(t, Config{Engine: f, WriteWait: time.Millisecond})
	if res := ask(rt.Handler(hello), "POST", "/", ""); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d", res.StatusCode)
	}
	rt = newRouter(t, Config{Engine: f, WriteWait: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rt.Handler(hello).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "POST", "/", nil))
	if rt.metrics.gone.Load() != 1 || rt.metrics.here.Load() != 0 {
		t.Error("a client that has gone was served")
	}
}

// A write that got no answer is not repeated; one that found nobody waits for the next
// primary.
func TestOutcome(t *testing.T) {
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	}))
	defer cut.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	f := newFake(engine.RoleReplica, "cut", appAt(1, 1))
	rt := newRouter(t, Config{Engine: f, NoReplay: true, WriteWait: time.Minute, Peer: func(host string) (string, error) {
		switch host {
		case "cut":
			return cut.URL, nil
		case "nobody":
			return "http://" + nobody.Addr().String(), nil
		}
		return "", errors.New("it is not known where " + host + " is")
	}})
	server := httptest.NewServer(rt.Handler(hello))
	defer server.Close()
	post := func(body string) *http.Response {
		res, err := http.Post(server.URL, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := post("x"); res.StatusCode != 502 || !strings.Contains(textOf(t, res), "not known whether") {
		t.Errorf("cut: %d", res.StatusCode)
	}
	f.set(engine.RoleReplica, "elsewhere")
	if res := post("x"); res.StatusCode != 503 {
		t.Errorf("a host that is not known: %d", res.StatusCode)
	}
	f.set(engine.RoleReplica, "nobody")
	done := make(chan string)
	go func() { done <- textOf(t, post("x")) }()
	testkit.Poll(t, "it to be tried", func() bool { return rt.metrics.forwarded.Load() == 2 })
	f.set(engine.RolePrimary, "m2")
	if got := <-done; got != "hello x" {
		t.Errorf("after nobody was there: %q", got)
	}
}
