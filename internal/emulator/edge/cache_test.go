package edge_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/edge"
)

// director gives requests on as they tell it to, by a query that no cache knows of.
func director(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if to := q.Get("to"); to != "" {
		w.Header().Set("fly-replay", to)
	}
	for name, header := range map[string]string{"cache": "fly-replay-cache", "ttl": "fly-replay-cache-ttl-secs", "bypass": "fly-replay-cache-allow-bypass"} {
		if v := q.Get(name); v != "" {
			w.Header().Set(header, v)
		}
	}
	if form := q.Get("json"); form != "" {
		w.Header().Set("Content-Type", "application/vnd.fly.replay+json")
		fmt.Fprint(w, form)
		return
	}
	fmt.Fprintf(w, "director %s", r.Header.Get("fly-replay-cache-status"))
}

// cacheStep asks, after so long, and names the machine that answers and what it was told.
type cacheStep struct {
	says   string
	after  time.Duration
	url    string
	want   string
	header [2]string
}

func (w *memory) steps(e *edge.Edge, steps []cacheStep) {
	w.t.Helper()
	for _, s := range steps {
		time.Sleep(s.after)
		r := httptest.NewRequest("GET", "http://ams.localhost"+s.url, nil)
		if s.header[0] == "Host" {
			r.Host = s.header[1]
		} else if s.header[0] != "" {
			r.Header.Set(s.header[0], s.header[1])
		}
		if got := w.ask(e, r); got != s.want {
			w.t.Errorf("%s: %s: got %q, want %q", s.says, s.url, got, s.want)
		}
	}
}

const (
	hit, miss = "o1 hit", "o1 miss"
	origin    = "director "
)

func TestReplayCacheByPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemory(t)
		back := func(out http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("back") != "" {
				out.Header().Set("fly-replay", "instance=a1")
				out.Header().Set("fly-replay-cache", "invalidate")
				return
			}
			fmt.Fprintf(out, "o1 %s", r.Header.Get("fly-replay-cache-status"))
			if src := r.Header.Get("fly-replay-src"); r.Header.Get("fly-replay-cache-status") == "hit" && src != "" {
				t.Errorf("a request from the cache carries fly-replay-src: %s", src)
			}
		}
		e := newEdge(t, edge.Options{Dial: w.dial}, w.machine("a1", "ams", director), w.machine("o1", "ord", back))
		w.steps(e, []cacheStep{
			{"absent: the request was not replayed", 0, "/api/x", origin, [2]string{}},
			{"miss: it first hit another machine", 0, "/api/x?to=instance=o1&cache=/api/*&ttl=60", miss, [2]string{}},
			{"hit: it never reached the source", 0, "/api/x", hit, [2]string{}},
			{"the cached replay is applied to the pattern", 0, "/api", hit, [2]string{}},
			{"", 0, "/api/y/z", hit, [2]string{}},
			{"", 0, "/apiary", origin, [2]string{}},
			{"", 0, "/", origin, [2]string{}},
			{"unique to the request domain", 0, "/api/x", origin, [2]string{"Host", "example.com"}},
			{"domains without ports", 0, "/api/x", hit, [2]string{"Host", "ams.localhost:8080"}},
			{"in any case", 0, "/api/x", hit, [2]string{"Host", "AMS.LocalHost"}},
			{"opt-in", 0, "/api/x", hit, [2]string{"Fly-Replay-Cache-Control", "skip"}},
			{"force goes before it", 0, "/api/x", origin, [2]string{"Fly-Force-Instance-Id", "a1"}},
			{"ttl", 59 * time.Second, "/api/x", hit, [2]string{}},
			{"ttl", 2 * time.Second, "/api/x", origin, [2]string{}},

			{"the TTL needs to be a minimum of 10 seconds", 0, "/api/x?to=instance=o1&cache=/api/*&ttl=9", miss, [2]string{}},
			{"", 0, "/api/x", origin, [2]string{}},
			{"", 0, "/api/x?to=instance=o1&cache=/api/*", miss, [2]string{}},
			{"", 0, "/api/x", origin, [2]string{}},
			{"the pattern must also match the current request", 0, "/api/x?to=instance=o1&cache=/other/*&ttl=60", miss, [2]string{}},
			{"", 0, "/other/", origin, [2]string{}},
			{"the state field cannot be set", 0, "/api/x?to=instance=o1%3Bstate=s&cache=/api/*&ttl=60", miss, [2]string{}},
			{"timeout and fallback cannot be set", 0, "/api/x?to=instance=o1%3Btimeout=5s&cache=/api/*&ttl=60", miss, [2]string{}},
			{"", 0, "/api/x?to=instance=o1%3Bfallback=force_self&cache=/api/*&ttl=60", miss, [2]string{}},
			{"", 0, "/api/x", origin, [2]string{}},
			{"the domain may be set explicitly", 0, "/api/x?to=instance=o1&cache=AMS.localhost/api/*&ttl=60", miss, [2]string{}},
			{"", 0, "/api/x", hit, [2]string{}},
			{"invalidate", 0, "/api/x?back=1", origin + "miss", [2]string{}},
			{"", 0, "/api/x", origin, [2]string{}},

			{"allow-bypass", 0, "/b/x?to=instance=o1&cache=/b&ttl=60&bypass=yes", miss, [2]string{}},
			{"", 0, "/b/x", hit, [2]string{}},
			{"which says yes", 0, "/c/x?to=instance=o1&cache=/c&ttl=60&bypass=no", miss, [2]string{}},
			{"", 0, "/c/x", hit, [2]string{"Fly-Replay-Cache-Control", "skip"}},
			{"however many seconds", 0, "/d/x?to=instance=o1&cache=/d&ttl=99999999999", miss, [2]string{}},
			{"", 0, "/d/x", hit, [2]string{}},
			{"bypass: explicitly skipped", 0, "/b/x", origin + "bypass", [2]string{"Fly-Replay-Cache-Control", "skip"}},
			{"the target sees it", 0, "/b/x?to=instance=o1", "o1 bypass", [2]string{"Fly-Replay-Cache-Control", "skip"}},

			{"cache.prefix, cache.ttl", 0, `/j/x?json={"instance":"o1","cache":{"prefix":"/j/*","ttl":60,"allow_bypass":true}}`, miss, [2]string{}},
			{"", 0, "/j/x", hit, [2]string{}},
			{"", 0, "/j/x", origin + "bypass", [2]string{"Fly-Replay-Cache-Control", "skip"}},
			{"cache.invalidate", 0, `/j/x?json={"instance":"o1","cache":{"invalidate":true}}`, "o1 bypass", [2]string{"Fly-Replay-Cache-Control", "skip"}},
			{"", 0, "/j/x", origin, [2]string{}},
			{"transformations cannot be defined", 0, `/j/x?json={"instance":"o1","transform":{"delete_headers":["x"]},"cache":{"prefix":"/j/*","ttl":60}}`, miss, [2]string{}},
			{"", 0, "/j/x", origin, [2]string{}},
			{"the root", 0, "/?to=instance=o1&cache=/*&ttl=60", miss, [2]string{}},
			{"", 0, "/any/where", hit, [2]string{}},
		})
		// A machine that is gone is forgotten.
		all := []edge.Machine{e.Machines()[0].Machine, e.Machines()[1].Machine}
		for _, now := range [][]edge.Machine{all[:1], all} {
			e.Set(now)
			w.steps(e, []cacheStep{{"we may decide to consult that app at any moment", 0, "/any/where", origin, [2]string{}}})
		}
	})
}

func TestReplayCacheBySession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMemory(t)
		rules := []flyconf.ReplayCache{
			{PathPrefix: "/", TTLSeconds: 300, Type: "cookie", Name: "session_id"},
			{PathPrefix: "/api", TTLSeconds: 600, Type: "header", Name: "Authorization", AllowBypass: true},
			{PathPrefix: "elsewhere.localhost/", TTLSeconds: 600, Type: "header", Name: "X-Session"},
		}
		e := newEdge(t, edge.Options{Dial: w.dial, Region: "ams", Service: edge.Service{ReplayCache: rules}}, w.machine("a1", "ams", director), w.machine("o1", "ord", nil))
		cookie := func(v string) [2]string { return [2]string{"Cookie", "a=b; session_id=" + v} }
		auth := func(v string) [2]string { return [2]string{"Authorization", v} }
		w.steps(e, []cacheStep{
			{"caches that replay decision", 0, "/x?to=instance=o1", miss, cookie("1")},
			{"and automatically applies it to subsequent requests with the same session identifier", 0, "/y", hit, cookie("1")},
			{"the same identifier", 0, "/y", origin, cookie("2")},
			{"", 0, "/y", origin, [2]string{}},
			{"cached for 5 minutes", 299 * time.Second, "/y", hit, cookie("1")},
			{"", 2 * time.Second, "/y", origin, cookie("1")},
			{"the header's value", 0, "/api/x?to=instance=o1", miss, auth("t")},
			{"", 0, "/api", hit, auth("t")},
			{"of other paths", 0, "/x", origin, auth("t")},
			{"allow_bypass", 0, "/api?to=", hit, auth("t")},
			{"without a session nothing is kept", 0, "/z?to=instance=o1", miss, [2]string{}},
			{"", 0, "/z", origin, [2]string{}},
			{"state cannot be set", 0, "/z?to=instance=o1%3Bstate=s", miss, cookie("3")},
			{"", 0, "/z", origin, cookie("3")},
			{"a hostname in path_prefix", 0, "/z?to=instance=o1", miss, [2]string{"X-Session", "1"}},
			{"", 0, "/z", origin, [2]string{"X-Session", "1"}},
		})
	})
}

// What is not cached is said in the event.
func TestReplayCacheNotes(t *testing.T) {
	e := newEdge(t, edge.Options{}, machine(t, "a1", "ams", director), machine(t, "o1", "ord", nil))
	events := e.Subscribe(10)
	for query, want := range map[string]string{
		"cache=/api&ttl=60":            "",
		"cache=/api&ttl=5":             "not cached: 5 s is under the least, 10s",
		"cache=/b&ttl=60":              "not cached: /api is not under /b",
		"cache=/api&ttl=60%3Bstate=no": "not cached: 0 s is under the least, 10s",
	} {
		ask(e, "GET", "http://ams.localhost/api?to=instance=o1&"+query, "", "fly-force-instance-id", "a1")
		if ev := <-events.C; ev.Hops[0].Note != want {
			t.Errorf("%s: %q, want %q", query, ev.Hops[0].Note, want)
		}
	}
}

// "This works for invalidating both the path-based cache, and the session-based cache", and
// a client may skip either where that is allowed.
func TestReplayCacheBySessionEnds(t *testing.T) {
	rules := []flyconf.ReplayCache{
		{PathPrefix: "/free", TTLSeconds: 300, Type: "cookie", Name: "s", AllowBypass: true},
		{PathPrefix: "/", TTLSeconds: 300, Type: "cookie", Name: "s"},
		{PathPrefix: "/", TTLSeconds: 300, Type: "header", Name: "s"},
	}
	o1 := machine(t, "o1", "ord", func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("back"); to != "" {
			w.Header().Set("fly-replay", "instance="+to)
			w.Header().Set("fly-replay-cache", "invalidate")
		}
	})
	e := newEdge(t, edge.Options{Service: edge.Service{ReplayCache: rules}}, machine(t, "a1", "ams", director), o1, machine(t, "s1", "syd", nil))
	for _, tt := range []struct{ says, url, want, header, skip string }{
		{"", "/x?to=instance=o1", "nearest a1, replay o1", "Cookie", ""},
		{"", "/x", "cached o1", "Cookie", ""},
		{"opt-in", "/x", "cached o1", "Cookie", "skip"},
		{"a header of the same value is another session", "/x", "nearest a1", "s", ""},
		{"issuing a fly-replay back to the origin", "/x?back=a1", "cached o1, replay a1", "Cookie", ""},
		{"", "/x", "nearest a1", "Cookie", ""},
		{"at any step", "/x?to=instance=o1&back=s1", "nearest a1, replay o1, replay s1", "Cookie", ""},
		{"", "/x", "nearest a1", "Cookie", ""},
		{"set allow_bypass to true", "/free?to=instance=o1", "nearest a1, replay o1", "Cookie", ""},
		{"", "/free", "cached o1", "Cookie", ""},
		{"to skip any cached replay", "/free", "nearest a1", "Cookie", "skip"},
		{"", "/free", "cached o1", "Cookie", ""},
		{"the longest matching path takes precedence", "/x", "nearest a1", "Cookie", ""},
	} {
		events := e.Subscribe(1)
		value := "1"
		if tt.header == "Cookie" {
			value = "s=1"
		}
		ask(e, "GET", "http://ams.localhost"+tt.url, "", tt.header, value, "Fly-Replay-Cache-Control", tt.skip)
		var way []string
		for _, h := range (<-events.C).Hops {
			way = append(way, h.Why+" "+h.Machine)
		}
		events.Close()
		if got := strings.Join(way, ", "); got != tt.want {
			t.Errorf("%s: %s: %s, want %s", tt.says, tt.url, got, tt.want)
		}
	}
}
