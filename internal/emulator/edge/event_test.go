package edge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
	"github.com/flysql/flysql/internal/testkit"
)

// A request's event is its whole way: edge, machine, replay, machine, each with the time
// that it took. Latency is added to each leg, there and back.
func TestEventTellsTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemory(t)
		apart := func(from, to string) time.Duration {
			switch from + " " + to {
			case "syd syd":
				return 2 * time.Millisecond
			case "syd ams", "ams syd":
				return 120 * time.Millisecond
			case "syd sin", "sin syd":
				return 40 * time.Millisecond
			}
			t.Errorf("nothing goes from %s to %s", from, to)
			return 0
		}
		replica := w.machine("n1", "sin", func(out http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			out.Header().Set("fly-replay", "region=ams;state=s")
			out.WriteHeader(http.StatusConflict)
		})
		primary := w.machine("a1", "ams", func(out http.ResponseWriter, r *http.Request) {
			time.Sleep(5 * time.Millisecond)
			http.SetCookie(out, &http.Cookie{Name: "session", Value: "secret"})
			out.WriteHeader(http.StatusCreated)
			fmt.Fprint(out, "done")
		})
		e := newEdge(t, edge.Options{App: "guestbook", Dial: w.dial, Latency: apart}, primary, replica)
		events := e.Subscribe(1)
		r := httptest.NewRequest("POST", "http://syd.localhost/notes?token=secret", strings.NewReader("text"))
		r.Header.Set("Authorization", "Bearer secret")
		start := time.Now()
		e.ServeHTTP(httptest.NewRecorder(), r)
		// The client's way twice, each machine's twice, and what the primary took.
		const want = (2 + 40 + 40 + 120 + 5 + 120 + 2) * time.Millisecond
		if took := time.Since(start); took != want {
			t.Errorf("it took %v, want %v", took, want)
		}
		ev := <-events.C
		if ev.Duration != want || ev.Edge != "syd" || ev.Method != "POST" || ev.Path != "/notes" || ev.Status != 201 || ev.Bytes != 4 || ev.Open || ev.Client != "192.0.2.1" {
			t.Errorf("%+v", ev)
		}
		var way []string
		for _, h := range ev.Hops {
			way = append(way, fmt.Sprintf("%s %s %s at %v for %v: %d %s", h.Why, h.Machine, h.Region, h.After, h.Duration, h.Status, h.Replay))
		}
		if got := strings.Join(way, "\n"); got != "nearest n1 sin at 2ms for 80ms: 409 region=ams;state=s\nreplay a1 ams at 82ms for 245ms: 201 " {
			t.Errorf("got\n%s", got)
		}
		if src := ev.Hops[1].Request.Get("Fly-Replay-Src"); !strings.HasPrefix(src, "instance=n1;region=sin;") {
			t.Errorf("its header is %v", ev.Hops[1].Request)
		}
		if ev.Hops[1].Response.Get("Set-Cookie") != "(14 bytes)" || strings.Contains(fmt.Sprintf("%+v", ev), "secret") {
			t.Errorf("a secret is in the event: %+v", ev)
		}
		time.Sleep(time.Second) // until the last goodbye has arrived
	})
}

// The edge's own answers tell why, and what was tried.
func TestEventOfAnError(t *testing.T) {
	e := newEdge(t, edge.Options{}, gone(t, "g1", "ams"), machine(t, "s1", "syd", gives("instance=nobody")))
	events := e.Subscribe(10)
	ask(e, "GET", "http://ams.localhost/", "", "fly-force-instance-id", "g1")
	ev := <-events.C
	if ev.Status != 502 || !strings.HasPrefix(ev.Error, "PC07: no machine could be reached: machine g1: ") || len(ev.Hops) != 3 || !strings.Contains(ev.Hops[2].Error, "refused") || ev.Hops[2].Why != "forced" {
		t.Errorf("%+v", ev)
	}
	ask(e, "POST", "http://syd.localhost/", "")
	ev = <-events.C
	if ev.Status != 503 || len(ev.Hops) != 2 || ev.Hops[1].Machine != "nobody" || ev.Hops[1].Why != "replay" || ev.Hops[1].Error != "no known healthy machine" {
		t.Errorf("%+v", ev)
	}
	e.Set([]edge.Machine{machine(t, "s1", "syd", gives("instance=s1"))})
	ask(e, "POST", "http://syd.localhost/", "")
	if ev = <-events.C; ev.Status != 508 || len(ev.Hops) != 6 { // and five replays
		t.Errorf("in a circle: %d, %d hops", ev.Status, len(ev.Hops))
	}
}

// Nobody who does not listen holds a request up.
func TestEventsNeverBlock(t *testing.T) {
	e := newEdge(t, edge.Options{}, machine(t, "a1", "ams", nil))
	slow, quick := e.Subscribe(2), e.Subscribe(10)
	for range 5 {
		if got := ask(e, "GET", "http://localhost/", ""); got != "200 a1 GET /" {
			t.Fatal(got)
		}
	}
	if len(slow.C) != 2 || slow.Dropped() != 3 || len(quick.C) != 5 || quick.Dropped() != 0 {
		t.Errorf("%d and %d dropped, %d and %d dropped", len(slow.C), slow.Dropped(), len(quick.C), quick.Dropped())
	}
	slow.Close()
	slow.Close()
	e.Close()
	for range 5 {
		<-quick.C
	}
	if _, open := <-quick.C; open {
		t.Error("the edge is closed, and its events are not")
	}
	if err := e.WaitHealthy(t.Context(), "a1"); !errors.Is(err, context.Canceled) {
		t.Errorf("a closed edge waits: %v", err)
	}
	if got := ask(e, "GET", "http://localhost/", ""); !strings.HasPrefix(got, "503 edge: PR01") {
		t.Errorf("a closed edge answers %s", got)
	}
	if _, open := <-e.Subscribe(1).C; open {
		t.Error("a closed edge takes listeners")
	}
}

// fly-replay's timeout is how long the proxy tries to reach a machine; once one is
// reached, it may take its time.
func TestReplayTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemory(t)
		giving := func(header string) http.HandlerFunc {
			return func(out http.ResponseWriter, r *http.Request) {
				if failed := r.Header.Get("fly-replay-failed"); failed != "" {
					fmt.Fprint(out, failed)
					return
				}
				out.Header().Set("fly-replay", header)
			}
		}
		slow := w.machine("o1", "ord", func(out http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Minute)
			fmt.Fprint(out, "at last")
		})
		// It exists, and its network is gone: a connection takes for ever.
		lost := edge.Machine{ID: "l1", Region: "lhr", Address: slow.Address}
		w.at["l1"] = &pipes{}
		ask := func(header string) (string, time.Duration) {
			e := newEdge(t, edge.Options{App: "guestbook", Dial: w.dial}, w.machine("a1", "ams", giving(header)), slow, lost)
			start := time.Now()
			return w.ask(e, httptest.NewRequest("GET", "http://ams.localhost/", nil)), time.Since(start)
		}
		for _, tt := range []struct {
			header, want string
			after        time.Duration
		}{
			{"instance=o1;timeout=800ms", "at last", time.Minute},
			{"instance=l1;timeout=800ms", "502 edge: PC07: no machine could be reached: no machine could be reached in time\n", 800 * time.Millisecond},
			{"instance=l1;timeout=3s;fallback=force_self", "instance=l1;app=guestbook;region=;replay_source=a1;reason=timeout;elapsed_ms=3000", 3 * time.Second},
		} {
			if got, after := ask(tt.header); got != tt.want || after != tt.after {
				t.Errorf("%s: %q after %v, want %q after %v", tt.header, got, after, tt.want, tt.after)
			}
		}
	})
}

// What is replaced or taken away while it is in use hurts nobody.
func TestSetWhileInUse(t *testing.T) {
	e := newEdge(t, edge.Options{})
	release, entered := make(chan struct{}), make(chan struct{})
	busy := machine(t, "a1", "ams", func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-release
	})
	e.Set([]edge.Machine{busy})
	answer := make(chan string)
	go func() { answer <- ask(e, "GET", "http://localhost/", "") }()
	<-entered
	changed := e.Changed()
	other := machine(t, "a2", "ams", nil)
	e.Set([]edge.Machine{other, busy, other})
	<-changed
	var loads []string
	for _, m := range e.Machines() {
		loads = append(loads, fmt.Sprint(m.ID, m.Load, m.Healthy))
	}
	if got := fmt.Sprint(loads); got != "[a11 true a20 true]" {
		t.Error(got)
	}
	e.Set([]edge.Machine{other})
	if got := ask(e, "GET", "http://localhost/", ""); got != "200 a2 GET /" {
		t.Error(got)
	}
	close(release)
	if got := <-answer; got != "200 a1 GET /" {
		t.Error(got)
	}
}

// Machines are told of again and again while requests go to them, are given on, come
// back.
func TestSetWhileAsked(t *testing.T) {
	a1 := machine(t, "a1", "ams", gives("instance=b1;fallback=force_self"))
	b1 := machine(t, "b1", "ord", nil)
	e := newEdge(t, edge.Options{}, a1, b1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 30 {
			if got := ask(e, "POST", "http://ams.localhost/", "body"); !strings.HasPrefix(got, "200 ") {
				t.Error(got)
			}
		}
	}()
	for i := 0; ; i++ {
		e.Set([]edge.Machine{a1, b1}[:1+i%2])
		select {
		case <-done:
			return
		default:
			runtime.Gosched()
		}
	}
}

// A client that goes away is no error of anybody's, and its machine hears of it.
func TestClientGoes(t *testing.T) {
	entered, left := make(chan struct{}), make(chan struct{})
	e := newEdge(t, edge.Options{Latency: latency.Fixed(time.Millisecond)}, machine(t, "a1", "ams", func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(left)
	}))
	base := serve(t, e)
	c := dialAsk(t, base)
	<-entered
	c.Close()
	<-left
	testkit.Poll(t, "its load to be gone", func() bool { return e.Machines()[0].Load == 0 })
}

// When all is over, nothing is left running.
func TestGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, o := range []edge.Options{{}, {Latency: latency.Fixed(2 * time.Millisecond), Service: edge.Service{Requests: true, Checks: []edge.Check{{}}}, MaxCheckWait: time.Millisecond}} {
		t.Run("", func(t *testing.T) {
			e := newEdge(t, o, machine(t, "a1", "ams", nil), machine(t, "o1", "ord", gives("instance=a1")))
			for _, id := range []string{"a1", "o1"} {
				if err := e.WaitHealthy(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			for range 10 {
				if got := ask(e, "POST", "http://ord.localhost/", "body"); !strings.HasPrefix(got, "200 a1 POST / body") {
					t.Fatal(got)
				}
			}
		})
	}
	testkit.Poll(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestServiceOf(t *testing.T) {
	read := func(toml string) (edge.Service, error) {
		t.Helper()
		c, err := flyconf.Parse("fly.toml", []byte(toml))
		if err != nil {
			t.Fatal(err)
		}
		return edge.ServiceOf(c)
	}
	got, err := read(`
app = "guestbook"
primary_region = "ord"
[http_service]
  internal_port = 3000
  auto_stop_machines = "suspend"
  auto_start_machines = true
  min_machines_running = 2
  [http_service.concurrency]
    type = "requests"
    soft_limit = 5
    hard_limit = 9
  [http_service.http_options]
    h2_backend = true
    idle_timeout = 90
    [[http_service.http_options.replay_cache]]
      path_prefix = "/"
      ttl_seconds = 30
      type = "cookie"
      name = "s"
    [http_service.http_options.response]
      pristine = true
  [[http_service.checks]]
    path = "/up"
    method = "head"
    interval = "3s"
    timeout = "1s"
    grace_period = "9s"
`)
	want := edge.Service{
		InternalPort: 3000, Requests: true, SoftLimit: 5, HardLimit: 9, AutoStop: "suspend", AutoStart: true, MinRunning: 2, PrimaryRegion: "ord",
		H2Backend: true, IdleTimeout: 90 * time.Second, Pristine: true, ReplayCache: []flyconf.ReplayCache{{PathPrefix: "/", TTLSeconds: 30, Type: "cookie", Name: "s"}},
		Checks: []edge.Check{{Method: "HEAD", Path: "/up", Interval: 3 * time.Second, Timeout: time.Second, Grace: 9 * time.Second}},
	}
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	got, err = read(`
app = "guestbook"
[[services]]
  internal_port = 5000
  protocol = "udp"
  [[services.ports]]
    port = 5000
[[services]]
  internal_port = 3000
  protocol = "tcp"
  auto_start_machines = false
  [[services.ports]]
    port = 443
    handlers = ["tls", "http"]
  [[services.tcp_checks]]
    interval = 10000
`)
	want = edge.Service{InternalPort: 3000, Checks: []edge.Check{{TCP: true, Interval: 10 * time.Second}}}
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	if _, err := read("app = \"guestbook\"\n"); err == nil || !strings.Contains(err.Error(), "add [http_service]") {
		t.Errorf("%v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := edge.New(edge.Options{Service: edge.Service{
		AutoStop: "sometimes", SoftLimit: -1, Checks: []edge.Check{{Path: "up"}},
		ReplayCache: []flyconf.ReplayCache{{PathPrefix: "/", Type: "url", TTLSeconds: 5}},
	}})
	for _, want := range []string{`auto_stop_machines "sometimes"`, "soft_limit -1", `check path "up"`, `type "url"`, "replay_cache for / has no name", "ttl_seconds 5: the least is 10"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s in it", err, want)
		}
	}
}
