package edge_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/emulator/edge"
)

// seen is a machine that keeps the last request's header and host.
func seen(t *testing.T, id, region string, header *http.Header) edge.Machine {
	return machine(t, id, region, func(_ http.ResponseWriter, r *http.Request) {
		*header = r.Header.Clone()
		header.Set("Host", r.Host)
	})
}

// get asks over a network.
func get(t *testing.T, base, host string, header map[string]string) *http.Response {
	t.Helper()
	req, err := http.NewRequest("GET", base+"/a%2Fb?x=1;y=2&z=%zz", nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// The proxy adds Fly-Client-IP, Fly-Region (edge), Fly-Request-Id, X-Forwarded-*, Via; and
// what it always sets, no client forges.
func TestRequestHeaders(t *testing.T) {
	var got http.Header
	base := serve(t, newEdge(t, edge.Options{}, seen(t, "a1", "ams", &got)))
	_, port, _ := strings.Cut(strings.TrimPrefix(base, "http://"), ":")
	plain := map[string]string{
		"Fly-Client-Ip": "127.0.0.1", "Fly-Forwarded-Port": port, "Fly-Region": "syd", "Host": "syd.localhost",
		"X-Forwarded-For": "127.0.0.1, 127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Ssl": "off", "X-Forwarded-Port": port, "Via": "1.1 fly.io",
		"X-Forwarded-Host": "", "Forwarded": "",
	}
	forged := map[string]string{}
	for name := range plain {
		if name != "Host" {
			forged[name] = "forged"
		}
	}
	forged["Fly-Request-Id"] = "forged"
	for _, tt := range []struct {
		name         string
		header, want map[string]string
	}{
		{"added", nil, plain},
		{"forged", forged, with(plain, map[string]string{
			"X-Forwarded-For":  "forged, 127.0.0.1, 127.0.0.1", // what was before is kept, and not to be trusted
			"X-Forwarded-Port": "forged",                       // "may be set by the client"
			"X-Forwarded-Host": "forged", "Forwarded": "forged",
			"Via": "forged|1.1 fly.io",
		})},
		{"a client's own", map[string]string{"X-App": "1"}, with(plain, map[string]string{"X-App": "1"})},
		{"the emulator's", map[string]string{edge.RegionHeader: "ord"}, with(plain, map[string]string{edge.RegionHeader: ""})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			get(t, base, "syd.localhost", tt.header)
			for name, want := range tt.want {
				if have := strings.Join(got[name], "|"); have != want {
					t.Errorf("%s: %q, want %q", name, have, want)
				}
			}
			if id := got.Get("Fly-Request-Id"); !matches(`^[A-Z2-7]{26}-syd$`, id) {
				t.Errorf("Fly-Request-Id: %q", id)
			}
		})
	}
}

func with(a, b map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// For apps that redirect to https, requests can look as if they came by it.
func TestHTTPS(t *testing.T) {
	var got http.Header
	e := newEdge(t, edge.Options{HTTPS: true}, seen(t, "a1", "ams", &got))
	ask(e, "GET", "http://localhost/", "")
	if got.Get("X-Forwarded-Proto") != "https" || got.Get("X-Forwarded-Ssl") != "on" {
		t.Errorf("%v", got)
	}
}

// A path and query arrive as they were, whatever a parser thinks of them.
func TestTarget(t *testing.T) {
	var target string
	e := newEdge(t, edge.Options{}, machine(t, "a1", "ams", func(_ http.ResponseWriter, r *http.Request) { target = r.RequestURI }))
	get(t, serve(t, e), "", nil)
	if target != "/a%2Fb?x=1;y=2&z=%zz" {
		t.Errorf("%s", target)
	}
}

// http_options.response: headers are set, added and removed; pristine adds none of the
// proxy's.
func TestResponseHeaders(t *testing.T) {
	app := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Out", "app")
		w.Header().Set("X-Set", "app")
		fmt.Fprint(w, "x")
	}
	s := edge.Service{Headers: map[string]any{"X-Out": false, "X-Set": "value", "X-Many": []any{"1", "2"}, "x-more": []string{"3", "4"}}}
	for _, pristine := range []bool{false, true} {
		s.Pristine = pristine
		e := newEdge(t, edge.Options{Service: s}, machine(t, "a1", "ams", app))
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		h := w.Header()
		if h.Get("X-Out") != "" || h.Get("X-Set") != "value" || fmt.Sprint(h["X-Many"], h["X-More"]) != "[1 2] [3 4]" {
			t.Errorf("pristine %v: %v", pristine, h)
		}
		if added := h.Get("Via") == "1.1 fly.io" && h.Get("Fly-Request-Id") != ""; added == pristine || pristine && len(h["Via"]) > 0 {
			t.Errorf("pristine %v: %v", pristine, h)
		}
	}
}

// The client's region is the host's first label, else the header, else the edge's own.
func TestRegion(t *testing.T) {
	var got http.Header
	a1, x1 := seen(t, "a1", "ams", &got), seen(t, "x1", "xyz", &got)
	for _, tt := range []struct{ own, host, header, want string }{
		{"", "localhost:8080", "", "ams"}, // the first machine's
		{"iad", "localhost", "", "iad"},
		{"iad", "syd.localhost", "ord", "syd"},
		{"iad", "SYD.localhost", "", "syd"},
		{"iad", "app.localhost", "ord", "ord"},
		{"iad", "localhost", "ORD", "ord"},
		{"iad", "xyz.localhost", "", "xyz"}, // a machine's is a region, whatever Fly has
	} {
		e := newEdge(t, edge.Options{Region: tt.own}, a1, x1)
		ask(e, "GET", "http://"+tt.host+"/", "", edge.RegionHeader, tt.header)
		if have := got.Get("Fly-Region"); have != tt.want {
			t.Errorf("%+v: %s", tt, have)
		}
	}
}

// A region that is none is not taken for the edge's own.
func TestRegionMisspelt(t *testing.T) {
	var got http.Header
	e := newEdge(t, edge.Options{Region: "iad"}, seen(t, "a1", "ams", &got))
	if res := ask(e, "GET", "http://sdy.localhost/", "", edge.RegionHeader, "sdy"); res != `400 edge: Flysql-Dev-Region: "sdy" is no region` || got != nil {
		t.Errorf("%s, %v", res, got)
	}
}

// Who does not say may be somewhere else from now on.
func TestSetRegion(t *testing.T) {
	var got http.Header
	e := newEdge(t, edge.Options{Region: "iad"}, seen(t, "a1", "ams", &got))
	for _, region := range []string{"syd", "gru"} {
		e.SetRegion(region)
		ask(e, "GET", "http://localhost/", "")
		if have := got.Get("Fly-Region"); have != region {
			t.Errorf("%s, want %s", have, region)
		}
	}
}

// Request headers for clients: fly-prefer-region, fly-force-region,
// fly-prefer-instance-id, fly-force-instance-id; fly-preferred-instance-unavailable tells
// of a miss.
func TestClientChooses(t *testing.T) {
	machines := []edge.Machine{machine(t, "a1", "ams", nil), machine(t, "o1", "ord", nil), machine(t, "s1", "syd", nil), gone(t, "g1", "gru")}
	for _, tt := range []struct {
		says, want string
		header     []string
	}{
		{"attempts to route directly to specific region(s)", "200 s1 GET /", []string{"fly-prefer-region", "syd"}},
		{"falls back to the next region in the list", "200 o1 GET /", []string{"fly-prefer-region", "jnb, us,syd"}},
		{"or to the nearest region if none of the specified regions are available", "200 a1 GET /", []string{"fly-prefer-region", "jnb"}},
		{"", "200 s1 GET /", []string{"fly-prefer-region", "gru,syd"}},
		{"a list without end", "200 a1 GET /", []string{"fly-prefer-region", strings.Repeat("jnb,", 50_000) + "syd"}},
		{"fly-force-region", "200 o1 GET /", []string{"fly-force-region", "iad,ord"}},
		{"will not fall back to requesting the nearest region", "503 edge: PR01: no machine takes requests for this: no known healthy machine", []string{"fly-force-region", "jnb"}},
		{"attempts to route to a specific Machine", "200 o1 GET /", []string{"fly-prefer-instance-id", "o1"}},
		{"falls back to any matching Machine if it cannot be found", "200 a1 GET /  missed:nobody", []string{"fly-prefer-instance-id", "nobody"}},
		{"or is unable to accept requests", "200 a1 GET /  missed:g1", []string{"fly-prefer-instance-id", "g1"}},
		{"any matching Machine", "200 s1 GET /  missed:g1", []string{"fly-prefer-instance-id", "g1", "fly-force-region", "syd"}},
		{"forces routing to a specific Machine", "200 s1 GET /", []string{"fly-force-instance-id", "s1"}},
		{"no fallback if Machine is ultimately unavailable", "503 edge: PR01: no machine takes requests for this: no known healthy machine", []string{"fly-force-instance-id", "nobody"}},
		{"force before prefer", "200 s1 GET /", []string{"fly-force-instance-id", "s1", "fly-prefer-region", "ord"}},
	} {
		e := newEdge(t, edge.Options{}, machines...)
		if got := ask(e, "GET", "http://ams.localhost/", "", tt.header...); got != tt.want {
			t.Errorf("%v (%s): got %q, want %q", tt.header, tt.says, got, tt.want)
		}
	}
	e := newEdge(t, edge.Options{}, machines...)
	if got := ask(e, "GET", "http://ams.localhost/", "", "fly-force-instance-id", "g1"); !strings.HasPrefix(got, "502 edge: PC07: no machine could be reached: machine g1: dial tcp") {
		t.Error(got)
	}
}

func TestConnectIsRefused(t *testing.T) {
	e := newEdge(t, edge.Options{}, machine(t, "a1", "ams", nil))
	if got := ask(e, "CONNECT", "http://localhost/", ""); !strings.HasPrefix(got, "405 ") {
		t.Error(got)
	}
}

// A response tells which machines its request was at; an app's own header of that name does not.
func TestWayHeader(t *testing.T) {
	forged := func(w http.ResponseWriter, r *http.Request) { w.Header().Set(edge.WayHeader, "forged") }
	e := newEdge(t, edge.Options{}, machine(t, "a1", "ams", forged), machine(t, "s1", "syd", gives("region=ams")))
	for host, want := range map[string]string{"ams.localhost": "nearest a1 ams", "syd.localhost": "nearest s1 syd, replay a1 ams"} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("POST", "http://"+host+"/", nil))
		if got := w.Header()[edge.WayHeader]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
