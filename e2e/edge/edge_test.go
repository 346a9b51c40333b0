package edge_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flysql/flysql/e2e/edge"
)

// machine starts one that answers "NAME METHOD PATH BODY", after do has had a look.
func machine(t *testing.T, id, region string, do http.HandlerFunc) edge.Machine {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if do != nil {
			if do(w, r); w.Header().Get("fly-replay") != "" {
				return
			}
		}
		body, _ := io.ReadAll(r.Body) // what is missing is seen
		src, _, _ := strings.Cut(r.Header.Get("fly-replay-src"), ";t=")
		fmt.Fprintf(w, "%s %s %s %.20s [%s]%s", id, r.Method, r.URL.RequestURI(), body, src, r.Header.Get("fly-replay-failed"))
	}))
	t.Cleanup(s.Close)
	return edge.Machine{ID: id, Region: region, Addr: netip.MustParseAddrPort(s.Listener.Addr().String())}
}

// replay gives POSTs on.
func replay(header string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && (r.Header.Get("fly-replay-failed") == "" || strings.HasSuffix(header, "again")) {
			_, _ = io.Copy(io.Discard, r.Body) // a machine may have read it
			w.Header().Set("fly-replay", header)
			fmt.Fprint(w, "not for the client")
		}
	}
}

// gone is a machine that takes no connections.
func gone(t *testing.T, id, region string) edge.Machine {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return edge.Machine{ID: id, Region: region, Addr: netip.MustParseAddrPort(s.Listener.Addr().String())}
}

func ask(machines []edge.Machine, method, url, body string, header ...string) string {
	e := edge.New(func() []edge.Machine { return machines }, nil)
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Body))
}

func TestEdge(t *testing.T) {
	primary := machine(t, "a1", "ams", nil)
	ord := machine(t, "o1", "ord", replay("instance=a1;state=x"))
	syd := machine(t, "s1", "syd", replay("region=ams"))
	all := []edge.Machine{primary, ord, syd}
	loop := machine(t, "l1", "lhr", replay("instance=l1"))
	odd := machine(t, "d1", "dfw", replay("instance=a1;cheese=5s"))
	patient := machine(t, "p1", "cdg", replay("instance=a1;timeout=5s;fallback=force_self;state=x"))
	back := machine(t, "b1", "gig", replay("instance=g1;timeout=5s;fallback=force_self"))
	stubborn := machine(t, "t1", "nrt", replay("instance=g1;fallback=force_self;state=again"))
	off := gone(t, "g1", "ams")
	lost := machine(t, "f1", "fra", replay("instance=nobody"))
	nothing := machine(t, "n1", "nrt", replay("state=x"))
	large := strings.Repeat("x", 1<<20+1)
	for _, tt := range []struct {
		name, want string
		machines   []edge.Machine
		method     string
		url, body  string
		header     []string
	}{
		{"the first machine's region", "200 a1 GET /p?q=1  []", all, "GET", "http://localhost:1/p?q=1", "", nil},
		{"by the host", "200 s1 GET /  []", all, "GET", "http://syd.localhost:1/", "", nil},
		{"by the header", "200 o1 GET /  []", all, "GET", "http://localhost/", "", []string{"fly-prefer-region", "ord"}},
		{"a region that there is not", "200 a1 GET /  []", all, "GET", "http://gru.localhost/", "", []string{"fly-prefer-region", "gru"}},
		{"replayed by instance", "200 a1 POST /m body [instance=o1;region=ord]", all, "POST", "http://ord.localhost/m", "body", nil},
		{"replayed by region", "200 a1 POST /m body [instance=s1;region=syd]", all, "POST", "http://syd.localhost/m", "body", nil},
		{"not replayed", "200 a1 POST /m body []", all, "POST", "http://ams.localhost/m", "body", nil},
		{"a client's own word is overwritten", "200 a1 POST /m  [instance=o1;region=ord]", all, "POST", "http://ord.localhost/m", "", []string{"fly-replay-src", "instance=forged"}},
		{"a machine that is gone", "200 a1 POST /m body []", []edge.Machine{gone(t, "g1", "ams"), primary}, "POST", "http://ams.localhost/m", "body", nil},
		{"an instance that is gone", "503 edge: no machine takes requests for fly-replay: instance=nobody", []edge.Machine{lost, primary}, "POST", "http://localhost/", "", nil},
		{"with a fallback that is not needed", "200 a1 POST /m body [instance=p1;region=cdg]", []edge.Machine{patient, primary}, "POST", "http://localhost/m", "body", nil},
		{"back from one that is gone", "200 b1 POST /m body []instance=g1;region=;replay_source=b1;reason=retries_exhausted", []edge.Machine{back, off}, "POST", "http://localhost/m", "body", nil},
		{"back for want of it", "200 b1 POST /m body []instance=g1;region=;replay_source=b1;reason=no_candidate", []edge.Machine{back}, "POST", "http://localhost/m", "body", nil},
		{"back, and on again", "502 edge: a replay that failed is answered by fly-replay: instance=g1;fallback=force_self;state=again", []edge.Machine{stubborn}, "POST", "http://localhost/m", "body", nil},
		{"a field it does not know", `502 edge: fly-replay: instance=a1;cheese=5s: this edge knows no "cheese"`, []edge.Machine{odd, primary}, "POST", "http://localhost/", "", nil},
		{"to nobody", "502 edge: fly-replay: state=x: neither instance nor region", []edge.Machine{nothing}, "POST", "http://localhost/", "", nil},
		{"in a circle", "508 edge: replayed 5 times", []edge.Machine{loop}, "POST", "http://localhost/", "", nil},
		{"too large to be replayed", "413 edge: a request over 1 MB cannot be replayed", all, "POST", "http://ord.localhost/", large, nil},
		{"large", "200 a1 POST / xxxxxxxxxxxxxxxxxxxx []", all, "POST", "http://ams.localhost/", large, nil},
		{"no machine", "503 edge: no machine takes requests", nil, "GET", "http://localhost/", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ask(tt.machines, tt.method, tt.url, tt.body, tt.header...); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// What a machine may have done is not done again by another.
func TestEdgeSendsOnce(t *testing.T) {
	var asked atomic.Int32
	breaks := func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		panic(http.ErrAbortHandler)
	}
	got := ask([]edge.Machine{machine(t, "a1", "ams", breaks), machine(t, "a2", "ams", breaks)}, "POST", "http://localhost/", "body")
	if !strings.HasPrefix(got, "502 edge: machine a") || asked.Load() != 1 {
		t.Errorf("%q, asked %d times, want an error after one", got, asked.Load())
	}
}

// Machines of a region take turns.
func TestEdgeTakesTurns(t *testing.T) {
	machines := []edge.Machine{machine(t, "a1", "ams", nil), machine(t, "a2", "ams", nil), machine(t, "o1", "ord", nil)}
	e := edge.New(func() []edge.Machine { return machines }, nil)
	seen := map[string]int{}
	for range 10 {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		seen[w.Body.String()[:2]]++
	}
	if seen["a1"] != 5 || seen["a2"] != 5 {
		t.Errorf("asked %v, want a1 and a2 5 times each", seen)
	}
}
