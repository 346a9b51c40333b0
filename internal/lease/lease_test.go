package lease

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ask makes a request and returns "STATUS BODY" without the body's line end.
func ask(t *testing.T, s *Server, method, path, body string) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return strings.TrimSpace(fmt.Sprintf("%d %s", w.Code, w.Body))
}

func newSession(t *testing.T, s *Server, ttl string) string {
	t.Helper()
	got := ask(t, s, "PUT", "/v1/session/create", `{"Behavior":"delete","LockDelay":"1000ms","Name":"litefs","NodeChecks":[],"TTL":"`+ttl+`"}`)
	var answer struct{ ID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(got, "200 ")), &answer); err != nil || answer.ID == "" {
		t.Fatalf("create a session: %s, %v", got, err)
	}
	return answer.ID
}

func open(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// One session at a time holds a key, may write it again, and gives it back at once.
func TestHold(t *testing.T) {
	s := open(t, Options{})
	a, b := newSession(t, s, "10s"), newSession(t, s, "10s")
	const key = "/v1/kv/app/primary"
	for i, tt := range []struct{ method, path, body, want string }{
		{"GET", key, "", "404"},
		{"PUT", key + "?acquire=" + a, "one", "200 true"},
		{"PUT", key + "?acquire=" + b, "two", "200 false"},
		{"PUT", key + "?acquire=" + a, "one again", "200 true"},
		{"PUT", key + "?release=" + b, "", "200 false"},
		{"PUT", key + "?release=" + a, "", "200 true"},
		{"PUT", key + "?acquire=" + b, "two", "200 true"},
		{"PUT", key + "?acquire=nobody", "x", `500 invalid session "nobody"`},
		{"PUT", "/v1/session/destroy/" + b, "", "200 true"},
		{"PUT", "/v1/session/renew/" + b, "", "404 Session id '" + b + "' not found"},
		{"GET", key, "", "404"}, // Behavior delete
	} {
		if got := ask(t, s, tt.method, tt.path, tt.body); got != tt.want {
			t.Errorf("%d: %s %s: %s, want %s", i, tt.method, tt.path, got, tt.want)
		}
	}
}

// A released key stays, with no value, as LiteFS reads "no primary".
func TestReleasedValueIsNull(t *testing.T) {
	s := open(t, Options{})
	id := newSession(t, s, "10s")
	ask(t, s, "PUT", "/v1/kv/k?acquire="+id, "v")
	if got := ask(t, s, "GET", "/v1/kv/k", ""); !strings.Contains(got, `"Value":"dg=="`) || !strings.Contains(got, `"Session":"`+id+`"`) {
		t.Errorf("held: %s", got)
	}
	ask(t, s, "PUT", "/v1/kv/k?release="+id, "")
	if got := ask(t, s, "GET", "/v1/kv/k", ""); !strings.Contains(got, `"Value":null`) || strings.Contains(got, "Session") {
		t.Errorf("released: %s", got)
	}
}

// A session that is not renewed ends after its TTL and before twice that and some;
// its key goes, and cannot be had until the lock-delay has passed.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		a, b := newSession(t, s, "10s"), newSession(t, s, "60s")
		ask(t, s, "PUT", "/v1/kv/k?acquire="+a, "v")
		for range 3 {
			time.Sleep(15 * time.Second) // of the bubble's clock
			if got := ask(t, s, "PUT", "/v1/session/renew/"+a, ""); !strings.HasPrefix(got, "200 [") {
				t.Fatalf("renew: %s", got)
			}
		}
		if got := ask(t, s, "PUT", "/v1/kv/k?acquire="+b, "w"); got != "200 false" {
			t.Errorf("acquired while held: %s", got)
		}
		time.Sleep(20*time.Second + time.Millisecond)
		if got := ask(t, s, "GET", "/v1/kv/k", ""); got != "404" {
			t.Errorf("after the TTL: %s", got)
		}
		if got := ask(t, s, "PUT", "/v1/kv/k?acquire="+b, "w"); got != "200 false" {
			t.Errorf("acquired within the lock-delay: %s", got)
		}
		time.Sleep(time.Second + time.Millisecond)
		if got := ask(t, s, "PUT", "/v1/kv/k?acquire="+b, "w"); got != "200 true" {
			t.Errorf("after the lock-delay: %s", got)
		}
		if got := ask(t, s, "PUT", "/v1/session/renew/"+a, ""); !strings.HasPrefix(got, "404") {
			t.Errorf("renewed an ended session: %s", got)
		}
	})
}

// What was answered is there after a restart, and sessions get their TTL anew.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, Options{Dir: dir, ExpiryFactor: 1})
		a := newSession(t, s, "10s")
		ask(t, s, "PUT", "/v1/kv/k?acquire="+a, "v")
		ask(t, s, "PUT", "/v1/kv/k/clusterid", "LFSC1")
		time.Sleep(9 * time.Second)
		shut(t, s)
		s = open(t, Options{Dir: dir, ExpiryFactor: 1})
		time.Sleep(9 * time.Second)
		if value, held := s.Get("k"); string(value) != "v" || !held {
			t.Errorf("k is %q, held %v", value, held)
		}
		time.Sleep(2 * time.Second)
		if value, held := s.Get("k"); value != nil || held {
			t.Errorf("after the TTL k is %q, held %v", value, held)
		}
		if value, _ := s.Get("k/clusterid"); string(value) != "LFSC1" {
			t.Errorf("the cluster's id is %q", value)
		}
	})
}

func TestExpire(t *testing.T) {
	s := open(t, Options{})
	a := newSession(t, s, "10s")
	ask(t, s, "PUT", "/v1/kv/k?acquire="+a, "v")
	for _, want := range []bool{true, false} {
		if got, err := s.Expire("k"); got != want || err != nil {
			t.Errorf("Expire: %v, %v, want %v", got, err, want)
		}
	}
	if got := ask(t, s, "PUT", "/v1/session/renew/"+a, ""); !strings.HasPrefix(got, "404") {
		t.Errorf("renewed an ended session: %s", got)
	}
}

func TestRefused(t *testing.T) {
	s := open(t, Options{})
	for _, tt := range []struct{ method, path, body, want string }{
		{"PUT", "/v1/session/create", "{", "400 Request decode failed"},
		{"PUT", "/v1/session/create", `{"TTL":"soon"}`, `500 Session TTL "soon" invalid`},
		{"PUT", "/v1/session/create", `{"TTL":"25h"}`, `500 Invalid Session TTL "25h"`},
		{"PUT", "/v1/session/create", `{"LockDelay":"soon"}`, "400 Request decode failed"},
		{"PUT", "/v1/session/create", `{"Behavior":"keep"}`, `500 Invalid Behavior setting "keep"`},
		{"PUT", "/v1/session/create", `{"Node":"a/litefs"}`, "500 Missing node registration"},
		{"GET", "/v1/session/create", "", "405"},
		{"DELETE", "/v1/kv/k", "", "405"},
		{"PUT", "/v1/agent/leave", "", "404 /v1/agent/leave is none of the paths"},
		{"PUT", "/v1/session/info", "", "404"},
		{"PUT", "/v1/kv/k", strings.Repeat("x", maxBody+1), "413"},
		{"PUT", "/v1/catalog/register", "{}", "500 Must provide node"},
		// What Consul has and this has not is never taken for something else.
		{"PUT", "/v1/kv/k?cas=0", "", "400 this lease server has no ?cas="},
		{"GET", "/v1/kv/k?recurse", "", "400 this lease server has no ?recurse="},
		{"GET", "/v1/kv/k?index=1", "", "400 this lease server has no ?index="},
		{"GET", "/v1/kv/k?%zz", "", "400 the query cannot be read"},
		{"GET", "/v1/kv/k", "", "404"},
	} {
		if got := ask(t, s, tt.method, tt.path, tt.body); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s %s %.20q: %s, want %s", tt.method, tt.path, tt.body, got, tt.want)
		}
	}
}

// Two nodes on one server: see LiteFS's own requests in entrypoint's tests.
func ExampleServer() {
	s, err := Open(Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	web := httptest.NewServer(s)
	defer web.Close()
	put := func(path, body string) *http.Response {
		req, _ := http.NewRequest("PUT", web.URL+path, strings.NewReader(body))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			panic(err)
		}
		return res
	}
	var made struct{ ID string }
	json.NewDecoder(put("/v1/session/create", `{"TTL":"10s","Behavior":"delete"}`).Body).Decode(&made)
	put("/v1/kv/litefs/primary?acquire="+made.ID, `{"hostname":"node1"}`)
	value, held := s.Get("litefs/primary")
	fmt.Println(string(value), held)
	// Output: {"hostname":"node1"} true
}
