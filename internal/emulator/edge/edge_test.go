package edge_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/emulator/edge"
)

// machine starts one. Where do answers by fly-replay or a status, that is the answer;
// else it is "ID METHOD PATH BODY" and what Fly's proxy tells of a replay.
func machine(t *testing.T, id, region string, do http.HandlerFunc) edge.Machine {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if do != nil {
			seen := &answered{ResponseWriter: w}
			if do(seen, r); seen.done || w.Header().Get("fly-replay") != "" {
				return
			}
		}
		body, _ := io.ReadAll(r.Body) // what is missing is seen
		fmt.Fprintf(w, "%s %s %s %.20s", id, r.Method, r.URL.RequestURI(), body)
		for _, name := range []string{"Fly-Replay-Src", "Fly-Replay-Failed", "Fly-Replay-Cache-Status", "Fly-Preferred-Instance-Unavailable"} {
			if v := r.Header.Get(name); v != "" {
				fmt.Fprintf(w, " %s:%s", short[name], untimed(v))
			}
		}
	}))
	t.Cleanup(s.Close)
	return edge.Machine{ID: id, Region: region, Address: netip.MustParseAddrPort(s.Listener.Addr().String())}
}

var short = map[string]string{"Fly-Replay-Src": "src", "Fly-Replay-Failed": "failed", "Fly-Replay-Cache-Status": "cache", "Fly-Preferred-Instance-Unavailable": "missed"}

// untimed takes away what differs from run to run.
func untimed(fields string) string {
	var kept []string
	for f := range strings.SplitSeq(fields, ";") {
		if !strings.HasPrefix(f, "t=") && !strings.HasPrefix(f, "elapsed_ms=") {
			kept = append(kept, f)
		}
	}
	return strings.Join(kept, ";")
}

func matches(pattern, s string) bool { return regexp.MustCompile(pattern).MatchString(s) }

type answered struct {
	http.ResponseWriter
	done bool
}

func (a *answered) WriteHeader(status int) { a.done = true; a.ResponseWriter.WriteHeader(status) }
func (a *answered) Write(p []byte) (int, error) {
	a.done = true
	return a.ResponseWriter.Write(p)
}
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// gives gives on what is not a GET. header is fly-replay's value and then others.
func gives(header string, more ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Header.Get("fly-replay-failed") != "" && !strings.Contains(header, "again") {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body) // a machine may have read it
		for i := 0; i < len(more); i += 2 {
			w.Header().Set(more[i], more[i+1])
		}
		w.Header().Set("fly-replay", header)
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, "not for the client")
	}
}

// givesJSON is gives in the other form.
func givesJSON(form string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Header.Get("fly-replay-failed") != "" {
			return
		}
		w.Header().Set("Content-Type", "application/vnd.fly.replay+json; charset=utf-8")
		fmt.Fprint(w, form)
	}
}

// gone is a machine that takes no connections.
func gone(t *testing.T, id, region string) edge.Machine {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return edge.Machine{ID: id, Region: region, Address: netip.MustParseAddrPort(s.Listener.Addr().String())}
}

// newEdge makes one for a test.
func newEdge(t testing.TB, o edge.Options, machines ...edge.Machine) *edge.Edge {
	t.Helper()
	e, err := edge.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	e.Set(machines)
	return e
}

// ask asks without a network before the edge.
func ask(e *edge.Edge, method, url, body string, header ...string) string {
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Body))
}

// serve puts an edge on a port.
func serve(t testing.TB, e *edge.Edge) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := e.Server()
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String()
}

func Example() {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "from %s's edge", r.Header.Get("Fly-Region"))
	}))
	defer app.Close()
	e, err := edge.New(edge.Options{App: "guestbook"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	e.Set([]edge.Machine{{ID: "1", Region: "ams", Address: netip.MustParseAddrPort(app.Listener.Addr().String())}})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("GET", "http://syd.localhost:8080/", nil))
	fmt.Println(w.Body)
	// Output: from syd's edge
}
