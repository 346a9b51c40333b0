package edge_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
)

// say writes a request as it stands, and reads the answer to its end.
func say(t *testing.T, base, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("%s: %v", request, err)
	}
	return string(all)
}

// scripted is a machine that answers each connection's bytes by a function, with no
// HTTP of its own.
func scripted(t *testing.T, id, region string, do func(c *net.TCPConn, in *bufio.Reader)) edge.Machine {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				do(c.(*net.TCPConn), bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return edge.Machine{ID: id, Region: region, Address: netip.MustParseAddrPort(l.Addr().String())}
}

// A machine that dies in the midst of its response leaves the client a broken one, never
// one that looks whole; and the event says so.
func TestMachineDiesInItsResponse(t *testing.T) {
	for name, head := range map[string]string{
		"of a length": "Content-Length: 100\r\n",
		"chunked":     "Transfer-Encoding: chunked\r\n",
		"to its end":  "Connection: close\r\n",
	} {
		for way, delay := range map[string]latency.Matrix{"": nil, ", with latency": latency.Fixed(2 * time.Millisecond)} {
			t.Run(name+way, func(t *testing.T) {
				die := make(chan struct{})
				e := newEdge(t, edge.Options{Latency: delay}, scripted(t, "a1", "ams", func(c *net.TCPConn, in *bufio.Reader) {
					_, _ = http.ReadRequest(in)
					begin := "partial"
					if name == "chunked" {
						begin = "7\r\npartial\r\n"
					}
					fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s\r\n%s", head, begin)
					<-die
					_ = c.SetLinger(0) // a reset, as of a process that is killed with bytes unread
				}))
				base := serve(t, e)
				for proto, client := range map[string]*http.Client{"http/1.1": http.DefaultClient, "h2c": h2c(t)} {
					events := e.Subscribe(1)
					res, err := client.Do(request(t, "GET", base, nil))
					if err != nil {
						t.Fatal(proto, err)
					}
					buf := make([]byte, 7)
					if _, err := io.ReadFull(res.Body, buf); err != nil {
						t.Fatal(proto, err)
					}
					die <- struct{}{}
					if rest, err := io.ReadAll(res.Body); err == nil {
						t.Errorf("%s: a clean end after %q%q", proto, buf, rest)
					}
					res.Body.Close()
					if ev := <-events.C; ev.Status != 200 || !strings.Contains(ev.Error, "broke off") {
						t.Errorf("%s: status %d, error %q", proto, ev.Status, ev.Error)
					}
					events.Close()
				}
			})
		}
	}
}

// A connection that waits to be used again leads to a process that has gone: what has
// taken its place gets the request, once.
func TestRestartedMachine(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		for _, delay := range []latency.Matrix{nil, latency.Fixed(40 * time.Millisecond)} {
			var asked atomic.Int32
			// It dies of what follows the first request of a connection.
			a1 := scripted(t, "a1", "ams", func(c *net.TCPConn, in *bufio.Reader) {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				asked.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
				_, _ = in.ReadByte()
			})
			e := newEdge(t, edge.Options{Latency: delay, Service: edge.Service{Requests: true}}, a1)
			stopped := a1
			stopped.State = edge.Stopped
			for range 3 {
				if got := ask(e, method, "http://syd.localhost/", "body"); got != "204" {
					t.Errorf("%s, latency %v: %s", method, delay != nil, got)
				}
				e.Set([]edge.Machine{stopped})
				e.Set([]edge.Machine{a1})
			}
			if n := asked.Load(); n != 3 {
				t.Errorf("%s, latency %v: asked %d times, want 3", method, delay != nil, n)
			}
		}
	}
}

// A machine may end a connection that waits to be used again, and the news of it be on its
// way still: what is sent meanwhile goes by another one. What it says before it ends one
// arrives, whatever is still being sent.
func TestConnectionEndsFarAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
		served := 0
		dial := func(context.Context, string, edge.Machine) (net.Conn, error) {
			served++
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				in := bufio.NewReader(far)
				if r, err := http.ReadRequest(in); err == nil && r.URL.Path != "/early" {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				io.WriteString(far, answer)
			}()
			return near, nil
		}
		far := func(from, to string) time.Duration {
			if from == to {
				return 0
			}
			return time.Second
		}
		e := newEdge(t, edge.Options{Dial: dial, Latency: far, Service: edge.Service{Requests: true}}, edge.Machine{ID: "a1", Region: "ams"})
		for i := range 3 {
			if got := ask(e, "POST", "http://syd.localhost/", "body"); got != "200 one" || served != i+1 {
				t.Errorf("%d: %s, by %d connections", i, got, served)
			}
		}
		if got := ask(e, "POST", "http://syd.localhost/early", strings.Repeat("x", 8<<20)); got != "200 one" {
			t.Errorf("early: %s", got)
		}
		e.Close()
		time.Sleep(5 * time.Second) // until the last goodbye has arrived
	})
}

// A pooled connection breaks when the machine has read a request, the machine takes no new
// one, and another could have it: a GET, which may be sent again, goes there, a POST does not.
func TestPooledConnectionOfADeadMachine(t *testing.T) {
	for method, want := range map[string]string{"GET": "200 s1 GET / body", "POST": "502 edge: PU02: could not complete the request: machine a1: "} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			in := bufio.NewReader(c)
			for i := range 2 {
				if r, err := http.ReadRequest(in); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				if i == 0 {
					io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
					l.Close()
				}
			}
		}()
		a1 := edge.Machine{ID: "a1", Region: "ams", Address: netip.MustParseAddrPort(l.Addr().String())}
		e := newEdge(t, edge.Options{Service: edge.Service{Requests: true}}, a1, machine(t, "s1", "syd", nil))
		if got := ask(e, method, "http://ams.localhost/", "body"); got != "204" {
			t.Fatal(got)
		}
		if got := ask(e, method, "http://ams.localhost/", "body"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", method, got, want)
		}
	}
}

// What is cached of a replay leads where the replay did.
func TestReplayCacheOfAnyTarget(t *testing.T) {
	x1 := machine(t, "x1", "syd", nil)
	x1.App = "other"
	for to, want := range map[string]string{
		"app=guestbook;region=ord": "200 o1 GET /api cache:hit",
		"app=other":                "200 x1 GET /api cache:hit",
		"elsewhere=true":           "200 o1 GET /api cache:hit",
		"prefer_instance=o1":       "200 o1 GET /api cache:hit",
		"region=us":                "200 o1 GET /api cache:hit",
	} {
		e := newEdge(t, edge.Options{App: "guestbook"}, machine(t, "a1", "ams", director), machine(t, "o1", "ord", nil), x1)
		ask(e, "GET", "http://ams.localhost/api?cache=/api&ttl=60&to="+url.QueryEscape(to), "")
		if got := ask(e, "GET", "http://ams.localhost/api", ""); strings.ReplaceAll(got, "  ", " ") != want {
			t.Errorf("%s: got %q, want %q", to, got, want)
		}
	}
}

// A region that is forced is not left for a machine that is preferred.
func TestForcedRegionBeforePreferredInstance(t *testing.T) {
	e := newEdge(t, edge.Options{}, machine(t, "a1", "ams", nil), machine(t, "o1", "ord", nil))
	if got := ask(e, "GET", "http://ams.localhost/", "", "fly-force-region", "ord", "fly-prefer-instance-id", "a1"); got != "200 o1 GET /  missed:a1" {
		t.Error(got)
	}
}

// What a request line can be beside a path, from clients of other times: the machine gets
// it as a client of its own would have sent it.
func TestRequestLines(t *testing.T) {
	e := newEdge(t, edge.Options{Region: "ams"}, raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s at %s for %s %v %q", r.Method, r.RequestURI, r.Host, r.Header.Get("Fly-Region"), r.TransferEncoding, body)
	}))
	base := serve(t, e)
	for request, want := range map[string]string{
		"GET http://syd.localhost:80/x?y HTTP/1.1\nHost: ams.localhost\nConnection: close\n\n":                            `GET /x?y at syd.localhost:80 for syd [] ""`,
		"GET //x HTTP/1.1\nHost: [::1]:99\nConnection: close\n\n":                                                         `GET //x at [::1]:99 for ams [] ""`,
		"GET / HTTP/1.1\nHost: syd:8080\nConnection: close\n\n":                                                           `GET / at syd:8080 for syd [] ""`,
		"GET / HTTP/1.1\nHost: syd.staging.example.com\nConnection: close\n\n":                                            `GET / at syd.staging.example.com for syd [] ""`,
		"OPTIONS * HTTP/1.1\nHost: syd\nConnection: close\n\n":                                                            `OPTIONS * at syd for syd [] ""`,
		"POST / HTTP/1.0\nHost: syd\nContent-Length: 3\n\nabc":                                                            `POST / at syd for syd [] "abc"`,
		"POST / HTTP/1.1\nHost: syd\nConnection: close\nContent-Length: 3\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n": `POST / at syd for syd [chunked] "hello"`,
		"POST / HTTP/1.1\nHost: syd\nConnection: close\nContent-Length: 3\nContent-Length: 4\n\nabcd":                     "400 Bad Request",
		"GET / HTTP/1.1\nHost: syd\nConnection: close\nX: " + strings.Repeat("x", 100<<10) + "\n\n":                       `GET / at syd for syd [] ""`,
	} {
		if got := say(t, base, request); !strings.HasSuffix(got, want) {
			t.Errorf("%.80q: got\n%s\nwant %s", request, got, want)
		}
	}
}

// No header that a client names in Connection, or sends twice, or without its case, takes
// the place of what the edge says.
func TestForgedHeaders(t *testing.T) {
	e := newEdge(t, edge.Options{}, raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Fly-Client-Ip", "Fly-Region", "X-Forwarded-Proto", "Te", "Keep-Alive", "Proxy-Connection", "Expect", "Upgrade", "X-Hop"} {
			fmt.Fprintf(w, "%s%q ", name, r.Header[name])
		}
	}))
	got := say(t, serve(t, e), `GET / HTTP/1.1
Host: syd
Connection: close, fly-client-ip, FLY-REGION, x-forwarded-proto, x-hop
FLY-CLIENT-IP: 6.6.6.6
fly-client-ip: 6.6.6.7
Fly-Region: xxx
X-Forwarded-Proto: gopher
Keep-Alive: 1
Proxy-Connection: x
Expect: 100-continue
Upgrade: x
X-Hop: 1

`)
	if want := `Fly-Client-Ip["127.0.0.1"] Fly-Region["syd"] X-Forwarded-Proto["http"] Te[] Keep-Alive[] Proxy-Connection[] Expect[] Upgrade[] X-Hop[] `; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant %s", got, want)
	}
}

// A client of HTTP/1.0 knows no answer before the answer.
func TestInformationalForHTTP10(t *testing.T) {
	e := newEdge(t, edge.Options{}, raw(t, "a1", "ams", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
	}))
	if got := say(t, serve(t, e), "POST / HTTP/1.0\nExpect: 100-continue\nContent-Length: 2\n\nab"); !strings.HasPrefix(got, "HTTP/1.0 200 OK") {
		t.Error(got)
	}
}

// An early hint is no way for a machine's own headers to the client.
func TestReplayHints(t *testing.T) {
	for _, path := range []string{"/", "/hint"} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			e := newEdge(t, edge.Options{}, machine(t, "o1", "ord", nil), raw(t, "s1", "syd", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("fly-replay", "instance=o1;state=secret")
				w.Header().Set("fly-replay-cache", "/x")
				if path == "/hint" {
					w.WriteHeader(http.StatusEarlyHints)
				}
				w.WriteHeader(http.StatusNoContent)
			}))
			got := say(t, serve(t, e), method+" "+path+" HTTP/1.1\nHost: syd\nConnection: close\nContent-Length: 2\n\nab")
			if !strings.Contains(got, "200 OK") || strings.Contains(strings.ToLower(got), "fly-replay:") || strings.Contains(strings.ToLower(got), "fly-replay-cache:") {
				t.Errorf("%s %s: %s", method, path, got)
			}
		}
	}
}

// An answer may come before its request's body is there: the client has it at once, and
// goes on with the connection or does not.
func TestEarlyAnswer(t *testing.T) {
	e := newEdge(t, edge.Options{}, raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "no")
	}))
	c, err := net.Dial("tcp", strings.TrimPrefix(serve(t, e), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: ams\r\nContent-Length: 1000\r\n\r\nbegin")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "no" || res.StatusCode != 403 {
		t.Errorf("%s %q %v", res.Status, b, err)
	}
}

// A machine that answers a request before it has read its body, and ends the connection,
// is heard: it may give the request on.
func TestAnswerBeforeABrokenUpload(t *testing.T) {
	a1 := machine(t, "a1", "ams", nil)
	for name, delay := range map[string]latency.Matrix{"direct": nil, "with latency": latency.Fixed(2 * time.Millisecond)} {
		e := newEdge(t, edge.Options{Latency: delay}, a1, scripted(t, "s1", "syd", func(c *net.TCPConn, in *bufio.Reader) {
			_, _ = http.ReadRequest(in)
			io.WriteString(c, "HTTP/1.1 409 Conflict\r\nfly-replay: instance=a1\r\nContent-Length: 0\r\n\r\n")
			_ = c.SetLinger(0)
		}))
		for range 20 {
			if got := ask(e, "POST", "http://syd.localhost/", strings.Repeat("x", 900<<10)); !strings.HasPrefix(got, "200 a1 POST / xxxx") {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
}

// Where more of a request than the edge would read may be left when its answer begins, the
// client hears that the connection ends, and sends its next request by another one.
func TestConnectionEndsAfterAnEarlyAnswer(t *testing.T) {
	base := serve(t, newEdge(t, edge.Options{}, raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })))
	for _, tt := range []struct {
		length int64
		close  bool
	}{{1000, false}, {1 << 20, true}, {-1, true}} {
		for range 3 {
			body, in := io.Pipe()
			req := request(t, "POST", base, body)
			req.ContentLength = tt.length
			go io.WriteString(in, "begin")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(tt.length, err)
			}
			if res.StatusCode != http.StatusForbidden || res.Close != tt.close {
				t.Errorf("of %d bytes: %s, the connection ends: %v, want %v", tt.length, res.Status, res.Close, tt.close)
			}
			res.Body.Close()
			in.Close()
		}
	}
}
