package edge_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/testkit"
)

// A machine gets requests as soon as its check passes, and none while it fails: "it won't
// be routed to until its checks start passing".
func TestChecksDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemory(t)
		var status atomic.Int64
		status.Store(http.StatusServiceUnavailable)
		s1 := w.machine("s1", "syd", func(out http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/up" {
				out.WriteHeader(int(status.Load()))
			}
			fmt.Fprint(out, "s1")
		})
		check := edge.Check{Path: "/up", Interval: 10 * time.Second, Timeout: time.Second, Grace: 5 * time.Second}
		e := newEdge(t, edge.Options{Dial: w.dial, Service: edge.Service{Checks: []edge.Check{check}}},
			w.machine("a1", "ams", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprint(out, "a1") }), s1)
		for _, tt := range []struct {
			after  time.Duration
			status int64 // of s1's check from then on
			want   string
		}{
			{0, 503, "503 edge: PR01: no machine takes requests for this: no known healthy machine\n"}, // nothing is known
			{6 * time.Second, 503, "a1"}, // the grace period is over
			{10 * time.Second, 200, "a1"},
			{10 * time.Second, 301, "s1"}, // it passes; redirects will be no answer
			{10 * time.Second, 204, "a1"},
			{10 * time.Second, 204, "s1"},
		} {
			time.Sleep(tt.after)
			if got := w.ask(e, httptest.NewRequest("GET", "http://syd.localhost/", nil)); got != tt.want {
				t.Errorf("then %q, want %q", got, tt.want)
			}
			status.Store(tt.status)
		}
		machines := e.Machines()
		c := machines[1].Checks[0]
		if c.Name != "http GET /up" || !c.Passing || c.Output != "204 No Content" || !machines[1].Healthy {
			t.Errorf("%+v", machines[1])
		}
		time.Sleep(10 * time.Second)
		if again := e.Machines()[1].Checks[0]; again != c {
			t.Errorf("nothing has changed from %+v to %+v", c, again)
		}
		status.Store(500)
		time.Sleep(10 * time.Second)
		if c := e.Machines()[1].Checks[0]; c.Passing || c.Output != "500 Internal Server Error: s1" {
			t.Errorf("%+v", c)
		}
		// What is started again has to pass again.
		status.Store(200)
		time.Sleep(10 * time.Second)
		stopped := s1
		stopped.State = edge.Stopped
		e.Set([]edge.Machine{stopped})
		e.Set([]edge.Machine{s1})
		if m := e.Machines()[0]; m.Healthy || m.Checks[0].Output != "" {
			t.Errorf("%+v", m)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		if err := e.WaitHealthy(ctx, "s1"); err != context.DeadlineExceeded {
			t.Errorf("before the grace period is over: %v", err)
		}
		if err := e.WaitHealthy(t.Context(), "s1"); err != nil {
			t.Error(err)
		}
	})
}

// Who does not want to wait for a check waits least for the first one that passes.
func TestChecksHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemory(t)
		begun := time.Now()
		var at []time.Duration
		var mu sync.Mutex
		a1 := w.machine("a1", "ams", func(out http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if at = append(at, time.Since(begun)); len(at) < 3 {
				out.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		newEdge(t, edge.Options{Dial: w.dial, MaxCheckWait: 10 * time.Second, Service: edge.Service{Checks: []edge.Check{{Grace: time.Hour, Interval: 12 * time.Second}}}}, a1)
		time.Sleep(25 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if got, want := fmt.Sprint(at), "[1s 2s 3s 13s 23s]"; got != want {
			t.Errorf("checked after %s, want %s", got, want)
		}
	})
}

// A check that gets no answer fails after its timeout, and says so.
func TestCheckTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemory(t)
		hang := w.machine("a1", "ams", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		e := newEdge(t, edge.Options{Dial: w.dial, MaxCheckWait: time.Second, Service: edge.Service{Checks: []edge.Check{{Grace: time.Hour, Timeout: 3 * time.Second}}}}, hang)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if c := e.Machines()[0].Checks[0]; c.Passing || !strings.HasSuffix(c.Output, "no answer within 3s") {
			t.Errorf("%+v", c)
		}
	})
}

// Who is gone, or stopped, is checked no more.
func TestChecksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, asked := newMemory(t), atomic.Int32{}
		a1 := w.machine("a1", "ams", func(http.ResponseWriter, *http.Request) { asked.Add(1) })
		e := newEdge(t, edge.Options{Dial: w.dial, Service: edge.Service{Checks: []edge.Check{{Interval: time.Second}}}})
		stopped := a1
		stopped.State = edge.Stopped
		for _, then := range [][]edge.Machine{nil, {stopped}} {
			e.Set([]edge.Machine{a1})
			time.Sleep(time.Minute)
			e.Set(then)
			synctest.Wait()
			before := asked.Load()
			time.Sleep(time.Minute)
			if now := asked.Load(); before < 60 || now != before {
				t.Errorf("then %v: checked %d times, and %d times after", then, before, now-before)
			}
		}
	})
}

// What fly.toml has for checks is nothing to another app's machines.
func TestNoChecksOfAnotherApp(t *testing.T) {
	other := gone(t, "x1", "syd")
	other.App = "other"
	e := newEdge(t, edge.Options{Service: edge.Service{Checks: []edge.Check{{TCP: true}}}}, other)
	if m := e.Machines()[0]; !m.Healthy || len(m.Checks) > 0 {
		t.Errorf("%+v", m)
	}
}

// Machines are told of again and again while they are checked.
func TestSetWhileChecked(t *testing.T) {
	a1 := machine(t, "a1", "ams", nil)
	e := newEdge(t, edge.Options{MaxCheckWait: time.Millisecond, Service: edge.Service{Checks: []edge.Check{{}, {TCP: true}}}})
	for i := range 50 {
		a1.State = edge.State(i % 2) // started, stopped
		e.Set([]edge.Machine{a1})
		e.Set([]edge.Machine{a1, machine(t, fmt.Sprint(i), "ord", nil)})
	}
	a1.State = edge.Started
	e.Set([]edge.Machine{a1})
	if err := e.WaitHealthy(t.Context(), "a1"); err != nil {
		t.Error(err)
	}
}

// The kinds of checks, with what they send.
func TestChecks(t *testing.T) {
	var last atomic.Pointer[http.Request]
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last.Store(r)
		if r.TLS != nil {
			fmt.Fprint(w, "tls")
		}
	})
	plain, secure := httptest.NewServer(app), httptest.NewTLSServer(app)
	defer plain.Close()
	defer secure.Close()
	for _, tt := range []struct {
		check edge.Check
		at    *httptest.Server
		name  string
		pass  bool
		see   string // method, path and X of the request
	}{
		{edge.Check{}, plain, "http GET /", true, "GET / "},
		{edge.Check{Method: "HEAD", Path: "/up?x=1", Headers: map[string]string{"X": "y"}}, plain, "http HEAD /up?x=1", true, "HEAD /up?x=1 y"},
		{edge.Check{TCP: true}, plain, "tcp", true, ""},
		{edge.Check{HTTPS: true, Insecure: true}, secure, "https GET /", true, "GET / "},
		{edge.Check{HTTPS: true}, secure, "https GET /", false, ""},
	} {
		last.Store(nil)
		e := newEdge(t, edge.Options{MaxCheckWait: time.Millisecond, Service: edge.Service{Checks: []edge.Check{tt.check}}},
			edge.Machine{ID: "a1", Region: "ams", Address: netip.MustParseAddrPort(tt.at.Listener.Addr().String())})
		var c edge.CheckStatus
		testkit.Poll(t, "a check", func() bool { c = e.Machines()[0].Checks[0]; return c.Output != "" })
		_ = e.Close() // before the next one asks the same server
		if c.Name != tt.name || c.Passing != tt.pass {
			t.Errorf("%+v, want %s %v", c, tt.name, tt.pass)
		}
		if r := last.Load(); tt.see != "" && fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, r.Header.Get("X")) != tt.see {
			t.Errorf("%s: %v", tt.name, r)
		}
	}
	refusing := newEdge(t, edge.Options{Service: edge.Service{Checks: []edge.Check{{TCP: true}}}}, gone(t, "g1", "ams"))
	testkit.Poll(t, "a check", func() bool { return strings.Contains(refusing.Machines()[0].Checks[0].Output, "refused") })
}
