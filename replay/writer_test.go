package replay

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flysql/flysql/engine"
)

// A writer that a handler has kept does nothing after the request, and no harm.
func TestWriterKept(t *testing.T) {
	for _, role := range []engine.Role{engine.RolePrimary, engine.RoleReplica} {
		var kept http.ResponseWriter
		var request *http.Request
		s, _ := site(t, role, false, func(w http.ResponseWriter, r *http.Request) {
			kept, request = w, r
			io.WriteString(w, "whole")
		})
		router, ended := s.Config.Handler, make(chan bool, 1)
		s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			router.ServeHTTP(w, r)
			ended <- true
		})
		if text := textOf(t, do(t, s, "GET")); text != "whole" {
			t.Errorf("%q", text)
		}
		<-ended
		kept.Header().Set("X-Late", "1")
		kept.WriteHeader(500)
		if _, err := io.WriteString(kept, "late"); err == nil {
			t.Error("a late write has succeeded")
		}
		if _, err := io.Copy(kept, strings.NewReader("late")); err == nil {
			t.Error("a late copy has succeeded")
		}
		rc := http.NewResponseController(kept)
		if err := rc.Flush(); err == nil {
			t.Error("a late flush has succeeded")
		}
		if _, _, err := rc.Hijack(); err == nil {
			t.Error("a late hijack has succeeded")
		}
		Redirected(kept, request, errRefused)
		EnsurePrimary(kept, request)
	}
}

// Who has kept the writer or the request of an earlier request does not meet a later
// one with them, though that has the same exchange.
func TestKeptMeetsNobody(t *testing.T) {
	for _, o := range overheads {
		t.Run(o.name, func(t *testing.T) {
			var kept []http.ResponseWriter
			var requests []*http.Request
			var used []*exchange
			h, r := routed(t, o.role, o.method, o.token)
			h.(*handler).next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "mine ")
				for i, k := range kept {
					k.Header().Set("X-Other", "1")
					k.WriteHeader(500 + i)
					if _, err := io.WriteString(k, "other"); err == nil {
						t.Error("a write to a request that has ended has succeeded")
					}
					http.NewResponseController(k).Flush()
					http.NewResponseController(k).Hijack()
					Redirected(k, requests[i], errRefused)
					if wit := engine.WitnessOf(requests[i].Context()); wit != nil {
						wit.Refused(errRefused)
					}
				}
				io.WriteString(w, "alone")
				kept, requests, used = append(kept, w), append(requests, r), append(used, handleOf(w).x)
			})
			for range 2*atATime + 2 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if got := w.Result(); w.Code != 200 || w.Body.String() != "mine alone" || got.Header.Get("X-Other") != "" || w.Flushed {
					t.Fatalf("%d %q %v", w.Code, w.Body, got.Header)
				}
			}
			if n := len(distinct(used)); n == len(used) {
				t.Errorf("%d exchanges for %d requests: it proves nothing", n, len(used))
			}
		})
	}
}

func distinct(list []*exchange) map[*exchange]bool {
	m := map[*exchange]bool{}
	for _, x := range list {
		m[x] = true
	}
	return m
}

// Nobody gets an exchange while a goroutine of its last request is in the middle of
// a call to it.
func TestKeptInTheMiddle(t *testing.T) {
	var busy *exchange
	h, r := routed(t, engine.RoleReplica, "GET", false)
	h.(*handler).next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch x := handleOf(w).enter(); {
		case busy == nil:
			busy = x // and does not leave
		case x == busy:
			t.Fatal("another request has the exchange")
		default:
			handleOf(w).leave()
		}
	})
	for range 100 {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// A handler that returns without a word may leave the answer to a router that is around
// this one, and has but the handler's writer, as echo does with an error. It is the
// server's by then: too late for another machine.
func TestAnsweredOutside(t *testing.T) {
	for _, role := range []engine.Role{engine.RolePrimary, engine.RoleReplica} {
		for _, method := range []string{"GET", "POST"} {
			f := newFake(role, "m1", appAt(1, 1))
			f.commits.Count()
			rt := newRouter(t, Config{Engine: f, Never: []string{"/"}})
			if method == "GET" {
				rt = newRouter(t, Config{Engine: f})
			}
			var kept http.ResponseWriter
			var request *http.Request
			inside := rt.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { kept, request = w, r }))
			w := httptest.NewRecorder()
			inside.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
			f.set(engine.RoleReplica, "m3")
			if Redirected(kept, request, errRefused) {
				t.Errorf("%v %s: what was answered is sent on", role, method)
			}
			kept.Header().Set("X-Outside", "1")
			http.Error(kept, "short and stout", http.StatusTeapot)
			if res := w.Result(); res.StatusCode != http.StatusTeapot || res.Header.Get("X-Outside") == "" || textOf(t, res) != "short and stout\n" {
				t.Errorf("%v %s: %d %q", role, method, w.Code, w.Body)
			}
		}
	}
}

// A status that is none is the handler's fault, and found there.
func TestInvalidStatus(t *testing.T) {
	for _, status := range []int{0, 42, -1, 1000} {
		_, rt := site(t, engine.RoleReplica, false, func(w http.ResponseWriter, r *http.Request) {})
		found := false
		ask(rt.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { found = recover() != nil }()
			w.WriteHeader(status)
		})), "GET", "/", "")
		if !found {
			t.Errorf("%d went by", status)
		}
	}
}

// When a response is dropped, what middlewares around the router have set is not.
func TestHeaderKept(t *testing.T) {
	f := newFake(engine.RoleUnknown, "", appAt(1, 1))
	rt := newRouter(t, Config{Engine: f, WriteWait: 1})
	h := rt.Handler(writes(f))
	r := httptest.NewRequest("GET", "/", nil)
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "7")
	h.ServeHTTP(w, r)
	if got := w.Result().Header; w.Code != 503 || got.Get("X-Request-Id") != "7" || got.Get("X-Counter") != "" || got.Get(StaleHeader) != "" {
		t.Errorf("%d %v", w.Code, got)
	}
}

// A read on the primary whose write is refused, since another has become it, is sent
// on by Redirected.
func TestReadDemoted(t *testing.T) {
	f := newFake(engine.RolePrimary, "m2", appAt(1, 1))
	f.commits.Count()
	rt := newRouter(t, Config{Engine: f})
	res := ask(rt.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.set(engine.RoleReplica, "m1")
		if !Redirected(w, r, errRefused) {
			http.Error(w, "sorry", 500)
		}
	})), "GET", "/", "")
	if res.Header.Get("Fly-Replay") == "" {
		t.Errorf("%d", res.StatusCode)
	}
}

// So it is where nobody calls Redirected, if the handler answers that it has failed, and
// it is known that nothing was written.
func TestReadFailedDemoted(t *testing.T) {
	for name, tt := range map[string]struct {
		demoted, commits, flush bool
		status                  int
		sent                    bool
	}{
		"failed":                {demoted: true, status: 500, sent: true},
		"not found":             {demoted: true, status: 404},
		"the primary as before": {status: 500},
		"somebody wrote":        {demoted: true, commits: true, status: 500},
		"flushed":               {demoted: true, flush: true, status: 500},
	} {
		f := newFake(engine.RolePrimary, "m2", appAt(1, 1))
		f.commits.Count()
		rt := newRouter(t, Config{Engine: f})
		res := ask(rt.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tt.commits {
				f.commits.Add()
			}
			if tt.demoted {
				f.set(engine.RoleReplica, "m1")
			}
			http.Error(w, "sorry", tt.status)
			if tt.flush {
				w.(http.Flusher).Flush()
			}
		})), "GET", "/", "")
		if sent := res.Header.Get("Fly-Replay") != ""; sent != tt.sent || !sent && (res.StatusCode != tt.status || textOf(t, res) != "sorry\n") {
			t.Errorf("%s: %d, sent on %v", name, res.StatusCode, sent)
		}
	}
}

// A write that is refused on a machine which is the primary for all that is known waits
// for what is not known yet, and is not tried again and again.
func TestRefusedByPrimary(t *testing.T) {
	f := newFake(engine.RolePrimary, "m2", appAt(1, 1))
	f.commits.Count()
	runs := 0
	h := func(w http.ResponseWriter, r *http.Request) error { runs++; return errRefused }
	rt := newRouter(t, Config{Engine: f, WriteWait: 1})
	if res := ask(rt.Handler(HandlerFunc(h)), "POST", "/", ""); res.StatusCode != 503 || runs != 1 {
		t.Errorf("%d after %d runs", res.StatusCode, runs)
	}
}
