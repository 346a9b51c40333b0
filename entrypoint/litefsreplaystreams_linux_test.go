package entrypoint

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
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// What Fly's proxy could not replay arrives whole.
func (c *replayCases) uploads(t *testing.T) {
	big := make([]byte, 20<<20)
	for i := range big {
		big[i] = byte(i % 251)
	}
	want := fmt.Sprintf("%d %x", len(big), sha256.Sum256(big))
	for proto := range c.clients {
		for name, header := range map[string][]string{"its length told": nil, "chunked": nil, "asked beforehand": {"Expect", "100-continue"}} {
			var body io.Reader = bytes.NewReader(big)
			if name == "chunked" {
				body = io.MultiReader(body)
			}
			a := c.ask(t, proto, "POST", c.replica+"/sum", body, append(header, "Fly-Request-Id", "01")...)
			if a.text != want {
				t.Errorf("%s by %s: %d %.100q, want %q", name, proto, a.StatusCode, a.text, want)
			}
		}
	}
}

// A connection that becomes a WebSocket is the primary's, and writes there.
func (c *replayCases) socket(t *testing.T) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.replica, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /socket HTTP/1.1\r\nHost: x\r\nFly-Request-Id: 01\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", res, err)
	}
	for range 3 {
		row := c.row()
		fmt.Fprintln(conn, row[1:])
		if line, err := r.ReadString('\n'); line != row[1:]+": <nil>\n" {
			t.Fatalf("%q, %v", line, err)
		}
		if n := c.count(t, row); n != 1 {
			t.Errorf("the row is there %d times", n)
		}
	}
}

// Events come one by one, from a replica and by way of it.
func (c *replayCases) events(t *testing.T) {
	for proto, client := range c.clients {
		for path, from := range map[string]string{"/events": c.replica, "/primary/events": c.primary} {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "GET", c.replica+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			for r, n := bufio.NewReader(res.Body), 0; n < 3; n++ {
				c.ask(t, "HTTP/1", "POST", fmt.Sprint(from, "/emit/", n), nil)
				if line, err := r.ReadString('\n'); line != fmt.Sprintf("data: %d\n", n) {
					t.Fatalf("%s by %s: %q, %v", path, proto, line, err)
				}
			}
			cancel()
			res.Body.Close()
		}
	}
}

// A client and a handler may talk in turns.
func (c *replayCases) bothWays(t *testing.T) {
	for proto, client := range c.clients {
		body, w := io.Pipe()
		defer w.Close()
		req, err := http.NewRequestWithContext(t.Context(), "POST", c.replica+"/echo", body)
		if err != nil {
			t.Fatal(err)
		}
		go fmt.Fprintln(w, "0") // the head of the answer may come with the first line only
		res, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", proto, err)
		}
		for r, n := bufio.NewReader(res.Body), 0; n < 3; n++ {
			if n > 0 {
				fmt.Fprintln(w, n)
			}
			if line, err := r.ReadString('\n'); line != fmt.Sprintf("echo %d\n", n) {
				t.Fatalf("%s: %q, %v", proto, line, err)
			}
		}
		res.Body.Close()
	}
}

// Responses are as they would be without a router.
func (c *replayCases) responses(t *testing.T) {
	const anyLength = -2 // one server tells it beside trailers, another does not
	for _, tt := range []struct {
		method, path, rng string
		status            int
		length            int64
		text              string
	}{
		{"GET", "/file", "", 200, int64(len(fileText)), fileText},
		{"HEAD", "/file", "", 200, int64(len(fileText)), ""},
		{"GET", "/file", "bytes=15-24", 206, 10, "5678901234"},
		{"HEAD", "/file", "bytes=15-24", 206, 10, ""},
		{"GET", "/file", "bytes=900000-", 416, 33, "invalid range: failed to overlap\n"},
		{"GET", "/trailers", "", 200, anyLength, "body, and then "},
		{"POST", "/trailers", "", 200, anyLength, "body, and then this"},
		{"GET", "/deadlines", "", 200, 17, "<nil> <nil> <nil>"},
	} {
		for proto := range c.clients {
			for _, path := range []string{tt.path, "/primary" + tt.path} {
				name := fmt.Sprintf("%s %s %s by %s", tt.method, path, tt.rng, proto)
				req, err := http.NewRequestWithContext(t.Context(), tt.method, c.replica+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if tt.method == "POST" {
					req.Body, req.ContentLength = io.NopCloser(strings.NewReader("asked")), -1
					req.Trailer = http.Header{"X-Asked": {"this"}}
				}
				if tt.rng != "" {
					req.Header.Set("Range", tt.rng)
				}
				res, err := c.clients[proto].Do(req)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != tt.status || string(text) != tt.text || tt.length != anyLength && res.ContentLength != tt.length {
					t.Errorf("%s: %d, a length of %d, %d bytes %.30q, %v; want %d, %d, %d bytes", name, res.StatusCode, res.ContentLength, len(text), text, err, tt.status, tt.length, len(tt.text))
				}
				if tt.path == "/trailers" && (res.Trailer.Get("X-Sum") != "4" || res.Trailer.Get("X-More") != "5") {
					t.Errorf("%s: trailers %v", name, res.Trailer)
				}
			}
			// What is over when it begins is no answer, from wherever.
			if a, err := c.try(t.Context(), proto, "GET", c.replica+"/late", nil); err == nil && a.err == nil {
				t.Errorf("late, by %s: %d, %d bytes", proto, a.StatusCode, len(a.text))
			}
			if a, err := c.try(t.Context(), proto, "GET", c.replica+"/primary/late", nil); err == nil && a.err == nil && a.StatusCode != http.StatusBadGateway {
				t.Errorf("late on the primary, by %s: %d, %d bytes", proto, a.StatusCode, len(a.text))
			}
		}
	}
}

// Early hints of the primary arrive. Those of a replica's read do not: it may yet be
// answered elsewhere.
func (c *replayCases) earlyHints(t *testing.T) {
	for proto := range c.clients {
		for path, want := range map[string]bool{"/hints": false, "/primary/hints": true} {
			var got []int
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { got = append(got, code); return nil },
			})
			a, err := c.try(ctx, proto, "GET", c.replica+path, nil)
			if err != nil || a.text != "body" || slices.Contains(got, http.StatusEarlyHints) != want {
				t.Errorf("%s by %s: %q, %v, hints %v", path, proto, a.text, err, got)
			}
		}
	}
}

// After many clients that went in the middle of whatever they did, machines have what
// they had before.
func (c *replayCases) storm(t *testing.T) {
	const each = 20
	urls := []string{c.replica, c.primary}
	var before []held
	for _, url := range urls {
		before = append(before, c.level(t, url))
	}
	var all sync.WaitGroup
	for _, path := range []string{"/half", "/primary/half", "/events", "/primary/events", "/panic" + c.row(), "/give-up" + c.row(), "/late", "/primary/late"} {
		for range each {
			all.Go(func() { goes(t, c.replica, "GET "+path, "") })
		}
	}
	for _, path := range []string{"/sum", "/echo"} {
		for range each {
			all.Go(func() { goes(t, c.replica, "POST "+path, "Transfer-Encoding: chunked\r\n\r\n4\r\nabc\n\r\n") })
		}
	}
	for range each {
		all.Go(func() { goes(t, c.replica, "GET /socket", "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n") })
	}
	all.Wait()
	for i, url := range urls {
		// A few connections between the machines stay for what comes next.
		var now held
		testkit.Poll(t, fmt.Sprintf("%s to have what it had, %v", url, before[i]), func() bool { now = c.level(t, url); return now.within(before[i], each/2) })
		t.Logf("%v before, %v after", before[i], now)
	}
}

// goes sends a request, and goes away when there is something of an answer, or is none
// to be had without sending the rest.
func goes(t *testing.T, url, request, rest string) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	if rest == "" {
		rest = "\r\n"
	}
	fmt.Fprint(conn, request+" HTTP/1.1\r\nHost: x\r\n"+rest)
	if strings.HasPrefix(request, "POST /sum") {
		return
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Error(err)
		return
	}
	var netErr net.Error
	if _, err := conn.Read(make([]byte, 1)); errors.As(err, &netErr) && netErr.Timeout() {
		t.Errorf("%s: no answer", request)
	}
}
