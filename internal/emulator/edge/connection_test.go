package edge_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
)

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
			for _, between := range [][]edge.Machine{{stopped}, nil, {}} {
				if got := ask(e, method, "http://syd.localhost/", "body"); got != "204" {
					t.Errorf("%s, latency %v: %s", method, delay != nil, got)
				}
				e.Set(between)
				e.Set([]edge.Machine{a1})
			}
			if n := asked.Load(); n != 3 {
				t.Errorf("%s, latency %v: asked %d times, want 3", method, delay != nil, n)
			}
		}
	}
}

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
		if got := ask(e, "GET", "http://ams.localhost/", ""); got != "204" {
			t.Fatal(got)
		}
		if got := ask(e, method, "http://ams.localhost/", "body"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", method, got, want)
		}
	}
}

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

// A connection waits "about 4 seconds when using type = requests" to be used again, and
// with connections not at all.
func TestPooling(t *testing.T) {
	for _, requests := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, dialled := newMemory(t), 0
			e := newEdge(t, edge.Options{Service: edge.Service{Requests: requests}, Dial: func(ctx context.Context, region string, m edge.Machine) (net.Conn, error) {
				dialled++
				return w.dial(ctx, region, m)
			}}, w.machine("a1", "ams", nil), w.machine("a2", "ord", nil))
			var got []int
			for _, pause := range []time.Duration{0, 3 * time.Second, 3 * time.Second, 5 * time.Second} {
				time.Sleep(pause)
				if got := ask(e, "GET", "http://ams.localhost/", ""); got != "200 a1" {
					t.Error(got)
				}
				got = append(got, dialled)
			}
			// Both machines have one address here: a connection is to a machine nevertheless.
			if got := ask(e, "GET", "http://ord.localhost/", ""); got != "200 a2" {
				t.Error(got)
			}
			want := "[1 1 1 2]"
			if !requests {
				want = "[1 2 3 4]"
			}
			if fmt.Sprint(got) != want {
				t.Errorf("requests %v: after each %v connections, want %s", requests, got, want)
			}
		})
	}
}
