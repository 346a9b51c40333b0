package replay

import (
	"context"
	"net/http"
	"testing"

	"github.com/flysql/flysql/engine"
)

// still is an engine in which nothing changes, as cheap to ask as litefs.Node.
type still struct {
	st      engine.State
	commits engine.Commits
}

func (s *still) State() engine.State                                             { return s.st }
func (s *still) WaitPosition(_ context.Context, db string, pos engine.Pos) error { return nil }
func (s *still) Commits() *engine.Commits                                        { return &s.commits }

// nowhere is a ResponseWriter that costs nothing.
type nowhere struct{ h http.Header }

func (n *nowhere) Header() http.Header         { return n.h }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}
func (n *nowhere) Flush()                      {}

// overheads are what a router has to do most.
var overheads = []struct {
	name, method string
	role         engine.Role
	token        bool // the client has one, and this machine has come so far
	allocs       float64
}{
	{"read/primary", "GET", engine.RolePrimary, false, 0},
	{"read/primary/token", "GET", engine.RolePrimary, true, 0},
	// The request with its context, which the handler may keep.
	{"read/replica", "GET", engine.RoleReplica, false, 1},
	{"read/replica/token", "GET", engine.RoleReplica, true, 1},
	{"write/primary", "POST", engine.RolePrimary, false, 1},
}

// five is a handler that costs nothing.
var five = func() http.HandlerFunc {
	body := []byte("hello")
	return func(w http.ResponseWriter, r *http.Request) { w.Write(body) }
}()

// routed is five behind a router on a machine with that role, and a request for it.
func routed(t testing.TB, role engine.Role, method string, token bool) (http.Handler, *http.Request) {
	t.Helper()
	e := &still{st: engine.State{Role: role, Primary: "m1", Ready: true, ClusterID: clusterA, Databases: []engine.Database{appAt(7, 7)}, Changed: make(chan struct{})}}
	e.commits.Count()
	rt := newRouter(t, Config{Engine: e})
	r, err := http.NewRequest(method, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "benchmark")
	r.Header.Set("Cookie", "session=0123456789abcdef")
	if token {
		r.Header.Add("Cookie", "flysql="+rt.newToken(clusterA, 0, []engine.Database{appAt(5, 5)}))
	}
	return rt.Handler(five), r
}

// BenchmarkOverhead is what a router costs a request, beside the bare handler.
func BenchmarkOverhead(b *testing.B) {
	run := func(name string, h http.Handler, r *http.Request) {
		b.Run(name, func(b *testing.B) {
			w := &nowhere{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
	_, r := routed(b, engine.RolePrimary, "GET", false)
	run("bare", five, r)
	for _, o := range overheads {
		h, r := routed(b, o.role, o.method, o.token)
		run(o.name, h, r)
	}
}

// What a router allocates for a request is no more than what a handler may keep.
func TestAllocations(t *testing.T) {
	for _, o := range overheads {
		h, r := routed(t, o.role, o.method, o.token)
		w := &nowhere{http.Header{}}
		if got := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); got > o.allocs {
			t.Errorf("%s: %v allocations, want %v", o.name, got, o.allocs)
		}
	}
}
