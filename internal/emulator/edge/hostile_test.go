package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
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

// A connection that waits to be used again leads to a process that has gone: what has

// A machine may end a connection that waits to be used again, and the news of it be on its

// way still: what is sent meanwhile goes by another one. What it says before it ends one

// A pooled connection breaks when the machine has read a request, the machine takes no new

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

// A machine that answers a request before it has read its body, and ends the connection,

// Where more of a request than the edge would read may be left when its answer begins, the
