package page_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/dev/page"
	"github.com/flysql/flysql/internal/dev/page/pagetest"
)

const limit = 30 * time.Second

// sse is an event as a browser reads it.
type sse struct{ kind, id, data string }

// stream reads a page's events, from after an id.
type stream struct {
	t    *testing.T
	scan *bufio.Scanner
	end  context.CancelFunc
	id   string
}

func listen(t *testing.T, url, after string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "text/event-stream" {
		t.Fatalf("status %d, %s", res.StatusCode, got)
	}
	s := &stream{t: t, scan: bufio.NewScanner(res.Body), end: cancel, id: after}
	s.scan.Buffer(nil, 4<<20)
	return s
}

// next is the next event; false at the end.
func (s *stream) next() (sse, bool) {
	var e sse
	for s.scan.Scan() {
		line := s.scan.Text()
		if line == "" && e.kind != "" {
			return e, true
		}
		switch name, value, _ := strings.Cut(line, ": "); name {
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "id":
			e.id, s.id = value, value
		}
	}
	return e, false
}

// want wants these events in a row, by kind and by words in their data.
func (s *stream) want(want ...string) {
	s.t.Helper()
	for _, w := range want {
		e, ok := s.next()
		kind, words, _ := strings.Cut(w, " ")
		if !ok || e.kind != kind || !strings.Contains(e.data, words) {
			s.t.Fatalf("event %q with %.300q (%t, %v), want %q", e.kind, e.data, ok, s.scan.Err(), w)
		}
		if !json.Valid([]byte(e.data)) {
			s.t.Fatalf("%q is no JSON", e.data)
		}
	}
}

func serve(t *testing.T, s page.Source) (p *page.Page, url string) {
	t.Helper()
	p = page.Handler(s, "")
	server := httptest.NewServer(p)
	t.Cleanup(func() { p.Close(); server.Close() })
	return p, server.URL
}

func TestStream(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	_, url := serve(t, s)
	s.Emit(pagetest.Line("ord1", "before anybody looked"))
	a := listen(t, url, "")
	a.want(`hello "resumed":false`, `state "primary":"ord1"`, "log before anybody")
	s.Emit(pagetest.Request(1, "ams", "/sign"))
	a.want(`request edge ams -\u003e ams1 replica`)
	if err := s.HandOff(t.Context(), "ams1"); err != nil {
		t.Fatal(err)
	}
	a.want(`state "primary":"ams1"`, `action "handoff"`)
	a.end()

	// It goes on where it ended, with the state first.
	s.Emit(pagetest.Line("ams1", "meanwhile"))
	b := listen(t, url, a.id)
	b.want(`hello "resumed":true`, `state "primary":"ams1"`, "log meanwhile")
	s.Emit(pagetest.Line("ams1", "two\nlines \xff <b>"))
	b.want(`log two\nlines \ufffd \u003cb\u003e`)

	// Another session's numbers mean nothing.
	for _, id := range []string{"x", "OTHER-3", "-1", "OTHER-18446744073709551615", strings.Split(a.id, "-")[0] + "-999999", strings.Split(a.id, "-")[0] + "-18446744073709551615"} {
		listen(t, url, id).want(`hello "resumed":false`, "state ", "log before anybody")
	}
}

// A stream ends with the session, and with the page.
func TestStreamEnds(t *testing.T) {
	for name, end := range map[string]func(*pagetest.Source, *page.Page){
		"session": func(s *pagetest.Source, _ *page.Page) { s.End() },
		"page":    func(_ *pagetest.Source, p *page.Page) { p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s := pagetest.New(1, "ord")
			p, url := serve(t, s)
			a := listen(t, url, "")
			a.want("hello ", "state ")
			end(s, p)
			if e, ok := a.next(); ok {
				t.Errorf("event %v after the end", e)
			}
		})
	}
}

// Somebody who does not read delays nobody, and one who comes back late is told what is
// missing. What is kept is bounded.
func TestSlowReader(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	_, url := serve(t, s)
	first := listen(t, url, "")
	first.want("hello ", "state ")
	s.Emit(pagetest.Line("ord1", "first"))
	first.want("log first")
	first.end()

	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n") // and never reads

	done := make(chan struct{})
	go func() {
		defer close(done)
		line := strings.Repeat("x", 1000)
		for i := range 10000 {
			s.Emit(pagetest.Line("ams1", fmt.Sprint(i, line)))
		}
		s.Emit(pagetest.Line("ams1", "the last"))
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatal("the session waits for a reader")
	}
	late := listen(t, url, first.id)
	late.want(`hello "resumed":true`, "state ", `gap {"missed":`)
	n := 0
	for e, ok := late.next(); ; e, ok = late.next() {
		if !ok {
			t.Fatal("the stream ended")
		}
		if n++; strings.Contains(e.data, "the last") {
			break
		}
	}
	if n > 6000 || n < 3000 { // the session may have been ahead of the page still
		t.Errorf("%d of 10001 events came, want what is kept, 4000 or so", n)
	}
}

// What is large is cut down, and never left out.
func TestLargeEvents(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	_, url := serve(t, s)
	a := listen(t, url, "")
	a.want("hello ", "state ")
	s.Emit(pagetest.Line("ord1", strings.Repeat("é", 1<<20)))
	large := pagetest.Request(1, "ams", "/"+strings.Repeat("p", 1<<20))
	large.Request.Hops[0].Request = http.Header{"X-Large": slices.Repeat([]string{"v"}, 1<<13)}
	large.Request.Hops = slices.Repeat(large.Request.Hops, 50)
	s.Emit(large)
	e, _ := a.next()
	if !strings.HasSuffix(e.data, `… (2088960 bytes more)"}}`) || len(e.data) > 20<<10 {
		t.Errorf("a long line became %d bytes, ending in %q", len(e.data), e.data[len(e.data)-40:])
	}
	e, _ = a.next()
	var ev dev.Event
	if err := json.Unmarshal([]byte(e.data), &ev); err != nil || len(e.data) > 64<<10 {
		t.Fatalf("%d bytes, %v", len(e.data), err)
	}
	if hops := ev.Request.Hops; len(hops) != 16 || hops[0].Note == "" || hops[0].Request != nil {
		t.Errorf("%d hops, the first is %+v", len(hops), hops[0])
	}
}

func TestManyStreams(t *testing.T) {
	s := pagetest.New(1, "ord")
	_, url := serve(t, s)
	for range 64 {
		listen(t, url, "").want("hello ")
	}
	res, err := http.Get(url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d for one too many, want 503", res.StatusCode)
	}
}
