package replay

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
)

// Where a request runs, by method, mark and role.
func TestWhere(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/", hello)
	mux.Handle("/always", Always(hello))
	mux.Handle("/never", Never(hello))
	for _, tt := range []struct {
		role         engine.Role
		method, path string
		here         bool
	}{
		{engine.RolePrimary, "GET", "/", true},
		{engine.RolePrimary, "POST", "/", true},
		{engine.RolePrimary, "DELETE", "/always", true},
		{engine.RoleReplica, "GET", "/", true},
		{engine.RoleReplica, "HEAD", "/", true},
		{engine.RoleReplica, "OPTIONS", "/", true},
		{engine.RoleReplica, "TRACE", "/", true},
		{engine.RoleReplica, "POST", "/", false},
		{engine.RoleReplica, "PUT", "/", false},
		{engine.RoleReplica, "PATCH", "/", false},
		{engine.RoleReplica, "DELETE", "/", false},
		{engine.RoleReplica, "PROPFIND", "/", false},
		{engine.RoleReplica, "get", "/", false}, // methods have case
		{engine.RoleReplica, "GET", "/always", false},
		{engine.RoleReplica, "POST", "/never", true},
		{engine.RoleReplica, "GET", "/pattern/1/edit", false},
		{engine.RoleReplica, "POST", "/search", true},
		{engine.RoleReplica, "PUT", "/search", false},
	} {
		f := newFake(tt.role, "m1", appAt(1, 1))
		rt := newRouter(t, Config{Engine: f, Always: []string{"GET /pattern/{id}/edit"}, Never: []string{"POST /search", "/pattern/"}})
		res := ask(rt.Handler(mux), tt.method, tt.path, "")
		replay := res.Header.Get("Fly-Replay")
		if ran := res.Header.Get("X-Ran") != ""; ran != tt.here || (replay == "") != tt.here {
			t.Errorf("%v %s %s: ran here is %v, want %v; fly-replay is %q", tt.role, tt.method, tt.path, ran, tt.here, replay)
		}
		if !tt.here {
			if want := "instance=m1;timeout=5s;fallback=force_self;state=1.m2"; replay != want || res.StatusCode != http.StatusConflict {
				t.Errorf("%s %s: %d, %q, want 409, %q", tt.method, tt.path, res.StatusCode, replay, want)
			}
		}
	}
}

// Off LiteFS nothing is touched.
func TestNoEngine(t *testing.T) {
	rt, err := New(Config{getenv: offFly})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	if rt.Engine() != nil {
		testkit.NotRun(t, "a machine without LiteFS", "/litefs is mounted")
	}
	h := rt.Handler(hello)
	if res := ask(h, "POST", "/", "x"); textOf(t, res) != "hello x" || len(res.Cookies()) > 0 {
		t.Errorf("got %v", res)
	}
}

// A write in a GET sends it to the primary, and nothing of its response goes out.
func TestRefusedRead(t *testing.T) {
	f := newFake(engine.RoleReplica, "m1", appAt(1, 1))
	rt := newRouter(t, Config{Engine: f})
	by := map[string]http.Handler{
		"witness": writes(f),
		"redirected": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Counter", "raised")
			w.WriteHeader(500)
			w.Write([]byte("half"))
			if !Redirected(w, r, errRefused) {
				t.Error("not recognised")
			}
		}),
		"returned": HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("X-Counter", "raised")
			return errRefused
		}),
		"ensure": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Counter", "raised")
			for range 2 { // asking again changes nothing
				if EnsurePrimary(w, r) {
					t.Error("a replica is the primary")
				}
			}
		}),
		"panic": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			engine.WitnessOf(r.Context()).Refused(errRefused)
			panic("no rows")
		}),
	}
	for name, next := range by {
		res := ask(rt.Handler(next), "GET", "/", "")
		if res.Header.Get("Fly-Replay") == "" || res.Header.Get("X-Counter") != "" || strings.Contains(textOf(t, res), "half") {
			t.Errorf("%s: %v", name, res)
		}
	}
	if n := rt.metrics.sent[reasonRefused].Load(); n != uint64(len(by)) {
		t.Errorf("%d sent for refused writes, want %d", n, len(by))
	}
}

// What is not a refusal is answered, and a panic goes on.
func TestNotRefused(t *testing.T) {
	f := newFake(engine.RoleReplica, "m1", appAt(1, 1))
	rt := newRouter(t, Config{Engine: f})
	res := ask(rt.Handler(HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return http.ErrNoCookie })), "GET", "/", "")
	if res.StatusCode != 500 || strings.Contains(textOf(t, res), "cookie") {
		t.Errorf("%d", res.StatusCode)
	}
	for _, p := range []any{"mine", http.ErrAbortHandler} {
		func() {
			defer func() {
				if got := recover(); got != p {
					t.Errorf("recovered %v, want %v", got, p)
				}
			}()
			ask(rt.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if p == http.ErrAbortHandler {
					engine.WitnessOf(r.Context()).Refused(errRefused)
				}
				panic(p)
			})), "GET", "/", "")
		}()
	}
}

// After a flush the connection is broken off: half a page must not look whole.
func TestRefusedTooLate(t *testing.T) {
	f := newFake(engine.RoleReplica, "m1", appAt(1, 1))
	rt := newRouter(t, Config{Engine: f, HoldBytes: 100})
	for name, begin := range map[string]func(w http.ResponseWriter){
		"flushed": func(w http.ResponseWriter) { w.Write([]byte("half")); w.(http.Flusher).Flush() },
		"large":   func(w http.ResponseWriter) { w.Write(make([]byte, 101)) },
	} {
		func() {
			defer func() {
				if got := recover(); got != http.ErrAbortHandler {
					t.Errorf("%s: recovered %v", name, got)
				}
			}()
			ask(rt.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				Redirected(w, r, errRefused)
			})), "GET", "/", "")
		}()
	}
}

// Errors of drivers are a refusal on a replica, and a fault on the primary.
func TestRedirectedOnPrimary(t *testing.T) {
	f := newFake(engine.RolePrimary, "m2", appAt(1, 1))
	rt := newRouter(t, Config{Engine: f})
	res := ask(rt.Handler(HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if !EnsurePrimary(w, r) {
			t.Error("the primary is none")
		}
		return errRefused
	})), "GET", "/", "")
	if res.StatusCode != 500 {
		t.Errorf("GET on the primary: %d", res.StatusCode)
	}
}

// A primary that is demoted while a write runs sends it on, unless part of it is done.
func TestDemoted(t *testing.T) {
	for _, committed := range []bool{false, true} {
		f := newFake(engine.RolePrimary, "m2", appAt(1, 1))
		f.commits.Count()
		rt := newRouter(t, Config{Engine: f})
		res := ask(rt.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wit := engine.WitnessOf(r.Context())
			if committed {
				f.commits.Add()
				wit.Committed()
			}
			f.set(engine.RoleReplica, "m1")
			wit.Refused(errRefused)
			w.WriteHeader(500)
		})), "POST", "/", "body")
		if got, want := res.Header.Get("Fly-Replay") != "", !committed; got != want {
			t.Errorf("committed %v: replayed is %v", committed, got)
		}
		if committed && res.StatusCode != http.StatusBadGateway {
			t.Errorf("part of it done: %d, want 502", res.StatusCode)
		}
	}
}

// An app whose PORT is 0 takes any free one, as in a test. That is no reason to refuse
// it where nothing is forwarded.
func TestAnyPort(t *testing.T) {
	t.Parallel()
	rt, err := New(Config{Port: "0", Engine: newFake(engine.RolePrimary, "")})
	if err != nil {
		t.Fatal(err)
	}
	if err := rt.Close(); err != nil {
		t.Error(err)
	}
	c, err := Config{Port: "0", getenv: func(name string) string { return map[string]string{"FLY_APP_NAME": "shop"}[name] }}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if addr, err := c.Peer("a"); err == nil {
		t.Errorf("the app of another machine is taken to be at %s", addr)
	}
}
