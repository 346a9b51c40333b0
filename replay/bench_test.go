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

// BenchmarkOverhead is what a router costs a request, beside the bare handler.
func BenchmarkOverhead(b *testing.B) {
	body := []byte("hello")
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(body) })
	for _, tt := range []struct {
		name, method string
		role         engine.Role
		token, bare  bool
	}{
		{name: "bare", method: "GET", bare: true},
		{name: "read/primary", method: "GET", role: engine.RolePrimary},
		{name: "read/replica", method: "GET", role: engine.RoleReplica},
		{name: "read/primary/token", method: "GET", role: engine.RolePrimary, token: true},
		{name: "read/replica/token", method: "GET", role: engine.RoleReplica, token: true},
		{name: "write/primary", method: "POST", role: engine.RolePrimary},
	} {
		b.Run(tt.name, func(b *testing.B) {
			e := &still{st: engine.State{Role: tt.role, Primary: "m1", Ready: true, ClusterID: clusterA, Databases: []engine.Database{appAt(7, 7)}, Changed: make(chan struct{})}}
			e.commits.Count()
			rt := newRouter(b, Config{Engine: e})
			h := rt.Handler(next)
			if tt.bare {
				h = next
			}
			r, err := http.NewRequest(tt.method, "/", nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("User-Agent", "benchmark")
			r.Header.Set("Cookie", "session=0123456789abcdef")
			if tt.token {
				r.Header.Add("Cookie", "flysql="+rt.newToken(clusterA, 0, []engine.Database{appAt(5, 5)}))
			}
			w := &nowhere{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}
