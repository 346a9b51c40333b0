package edge_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
	"github.com/flysql/flysql/internal/testkit"
)

// ways are the edges that streams are tested through: as they are, with connections that
// are used again, over connections with a delay, with HTTP/2 to the app.
func ways(t *testing.T, test func(t *testing.T, o edge.Options)) {
	for name, o := range map[string]edge.Options{
		"connections": {},
		"requests":    {Service: edge.Service{Requests: true}},
		"latency":     {Latency: latency.Fixed(4 * time.Millisecond)},
		"idle":        {Service: edge.Service{IdleTimeout: time.Minute}},
		"h2":          {Service: edge.Service{H2Backend: true, Requests: true}},
	} {
		t.Run(name, func(t *testing.T) { test(t, o) })
	}
}

// raw is a machine that speaks HTTP/1.1 and HTTP/2 without TLS.
func raw(t testing.TB, id, region string, do http.HandlerFunc) edge.Machine {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: do, Protocols: &p, DisableGeneralOptionsHandler: true}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return edge.Machine{ID: id, Region: region, Address: netip.MustParseAddrPort(l.Addr().String())}
}

// h2c is a client that speaks HTTP/2 without TLS.
func h2c(t *testing.T) *http.Client {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &p}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// request makes one that comes in at syd.
func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(edge.RegionHeader, "syd")
	return req
}

// An event stream arrives event by event; the edge tells of it when it begins.
func TestServerSentEvents(t *testing.T) {
	ways(t, func(t *testing.T, o edge.Options) {
		next := make(chan string)
		e := newEdge(t, o, raw(t, "a1", "ams", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			for text := range next {
				fmt.Fprintf(w, "data: %s\n\n", text)
				w.(http.Flusher).Flush()
			}
		}))
		events := e.Subscribe(1)
		res, err := http.DefaultClient.Do(request(t, "GET", serve(t, e), nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if ev := <-events.C; !ev.Open || ev.Status != 200 || ev.Hops[0].Machine != "a1" {
			t.Errorf("%+v", ev)
		}
		lines := bufio.NewReader(res.Body)
		for _, text := range []string{"one", "two"} {
			next <- text
			if got, err := lines.ReadString('\n'); err != nil || got != "data: "+text+"\n" {
				t.Errorf("%q, %v", got, err)
			}
			_, _ = lines.ReadString('\n')
		}
		close(next)
		if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
			t.Errorf("%q, %v", rest, err)
		}
	})
}

// A response begins before its request has ended, and each answers the other.
func TestBothWays(t *testing.T) {
	ways(t, func(t *testing.T, o edge.Options) {
		e := newEdge(t, o, raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 does so anyway
			w.(http.Flusher).Flush()
			in := bufio.NewScanner(r.Body)
			for in.Scan() {
				fmt.Fprintf(w, "%s!\n", in.Text())
				w.(http.Flusher).Flush()
			}
		}))
		base := serve(t, e)
		for name, client := range map[string]*http.Client{"http/1.1": http.DefaultClient, "h2c": h2c(t)} {
			pr, pw := io.Pipe()
			res, err := client.Do(request(t, "POST", base, pr))
			if err != nil {
				t.Fatal(name, err)
			}
			lines := bufio.NewReader(res.Body)
			for _, text := range []string{"one", "two"} {
				fmt.Fprintln(pw, text)
				if got, err := lines.ReadString('\n'); err != nil || got != text+"!\n" {
					t.Errorf("%s: %q, %v", name, got, err)
				}
			}
			pw.Close()
			if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
				t.Errorf("%s: %q, %v", name, rest, err)
			}
			res.Body.Close()
		}
	})
}

// Trailers go both ways, after a replay too.
func TestTrailers(t *testing.T) {
	ways(t, func(t *testing.T, o edge.Options) {
		echo := raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.Copy(w, r.Body)
			w.Header().Set("X-Sum", r.Trailer.Get("X-Sum"))
			w.Header().Set(http.TrailerPrefix+"X-More", "more")
		})
		e := newEdge(t, o, echo, raw(t, "s1", "syd", gives("instance=a1")))
		base := serve(t, e)
		for _, region := range []string{"ams", "syd"} {
			req := request(t, "POST", base, io.MultiReader(strings.NewReader("body")))
			req.Header.Set(edge.RegionHeader, region)
			req.Trailer = http.Header{"X-Sum": {"42"}}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || string(body) != "body" || res.Trailer.Get("X-Sum") != "42" || res.Trailer.Get("X-More") != "more" {
				t.Errorf("%s: %q, %v, trailers %v", region, body, err, res.Trailer)
			}
		}
	})
}

// Early hints pass, and a client that waits for 100 is told to go on.
func TestInformational(t *testing.T) {
	ways(t, func(t *testing.T, o edge.Options) {
		e := newEdge(t, o, raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.Copy(w, r.Body)
		}))
		var got []string
		req := request(t, "POST", serve(t, e), strings.NewReader("body"))
		req.Header.Set("Expect", "100-continue")
		client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute, DisableKeepAlives: true}}
		res, err := client.Do(req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				got = append(got, fmt.Sprint(code, h.Get("Link")))
				return nil
			},
			Got100Continue: func() { got = append(got, "go on") },
		})))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if all := fmt.Sprint(got); err != nil || string(body) != "body" || !strings.Contains(all, "103</a.css>; rel=preload") || !strings.Contains(all, "100") {
			t.Errorf("%q, %v, before it %v", body, err, got)
		}
	})
}

// HTTP/2 without TLS comes in, and with h2_backend goes on; fly-replay included.
func TestHTTP2(t *testing.T) {
	for _, backend := range []bool{false, true} {
		proto := make(chan string, 1)
		e := newEdge(t, edge.Options{Service: edge.Service{H2Backend: backend}},
			raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) { proto <- r.Proto + " via " + r.Header.Get("Via") }),
			raw(t, "s1", "syd", gives("instance=a1")))
		res, err := h2c(t).Do(request(t, "POST", serve(t, e), strings.NewReader("body")))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		want := "HTTP/1.1 via 2 fly.io"
		if backend {
			want = "HTTP/2.0 via 2 fly.io"
		}
		if got := <-proto; got != want || res.StatusCode != 200 || res.Proto != "HTTP/2.0" {
			t.Errorf("%s, %s: want %s", got, res.Status, want)
		}
	}
}

// upgrader takes a connection over and echoes lines.
func upgrader(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(w, "no upgrade", http.StatusBadRequest)
		return
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	replay := ""
	if to := r.Header.Get("Replay-Too"); to != "" {
		replay = "fly-replay: " + to + "\r\n"
	}
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s\r\n", replay)
	rw.Flush()
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprint(rw, strings.ToUpper(line))
		rw.Flush()
	}
}

// upgrade asks for another protocol, and returns the connection and the answer.
func upgrade(t *testing.T, base, header string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: syd.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s\r\n", header)
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, in, res
}

// dialAsk sends a plain request, and returns before there is an answer.
func dialAsk(t *testing.T, base string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: syd.localhost\r\n\r\n")
	return c
}

// A WebSocket goes to the nearest machine, or where that gives the request on to; it is
// its machine's load as long as it lasts.
func TestWebSocket(t *testing.T) {
	ways(t, func(t *testing.T, o edge.Options) {
		on := raw(t, "s1", "syd", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("fly-replay", "instance=a1")
		})
		e := newEdge(t, o, raw(t, "a1", "ams", upgrader), on)
		events := e.Subscribe(1)
		c, in, res := upgrade(t, serve(t, e), "")
		if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Via") == "" {
			t.Fatalf("%v", res)
		}
		for _, text := range []string{"one", "two"} {
			fmt.Fprintln(c, text)
			if got, err := in.ReadString('\n'); err != nil || got != strings.ToUpper(text)+"\n" {
				t.Errorf("%q, %v", got, err)
			}
		}
		if ev := <-events.C; !ev.Open || ev.Status != 101 || len(ev.Hops) != 2 || ev.Hops[1].Why != "replay" {
			t.Errorf("%+v", ev)
		}
		if load := e.Machines()[0].Load; load != 1 {
			t.Errorf("its machine's load is %d", load)
		}
		changed := func() bool { return e.Machines()[0].Load == 0 }
		c.Close()
		testkit.Poll(t, "the connection to be no load", changed)
	})
}

// "WebSocket upgrades must not be negotiated by the machine that replays."
func TestWebSocketThatIsReplayed(t *testing.T) {
	e := newEdge(t, edge.Options{}, raw(t, "a1", "ams", upgrader), raw(t, "s1", "syd", upgrader))
	_, _, res := upgrade(t, serve(t, e), "Replay-Too: instance=a1\r\n")
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), "an upgrade that the machine has negotiated itself is answered by fly-replay: instance=a1") {
		t.Errorf("%s %s", res.Status, body)
	}
}

// A client that has said all, of a protocol of its own, hears the rest.
func TestUpgradeEndsOneWayFirst(t *testing.T) {
	for name, o := range map[string]edge.Options{"plain": {}, "idle": {Service: edge.Service{IdleTimeout: time.Minute}}} {
		c, in, res := upgrade(t, serve(t, newEdge(t, o, raw(t, "a1", "ams", func(w http.ResponseWriter, _ *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			rw.Flush()
			said, err := io.ReadAll(rw)
			fmt.Fprintf(rw, "%s? %v", said, err)
			rw.Flush()
		}))), "")
		if res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(name, res.Status)
		}
		fmt.Fprint(c, "all")
		_ = c.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(in); err != nil || string(got) != "all? <nil>" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// An upload of any size goes through as it comes, and does not stay in memory.
func TestLargeUpload(t *testing.T) {
	e := newEdge(t, edge.Options{}, raw(t, "a1", "ams", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	}))
	res, err := http.DefaultClient.Do(request(t, "PUT", serve(t, e), bytes.NewReader(make([]byte, 20<<20))))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, _ := io.ReadAll(res.Body); string(got) != fmt.Sprint(20<<20, " <nil>") {
		t.Errorf("%s", got)
	}
}

// idle_timeout: a connection to the app on which nothing comes is closed.
func TestIdleTimeout(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	e := newEdge(t, edge.Options{Service: edge.Service{IdleTimeout: 20 * time.Millisecond}}, raw(t, "a1", "ams", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	if got := ask(e, "GET", "http://localhost/", ""); !strings.HasPrefix(got, "502 edge: PU02: ") {
		t.Error(got)
	}
}
