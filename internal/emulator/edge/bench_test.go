package edge_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
)

// BenchmarkEdge is a small request and its answer: directly, through net/http's own
// reverse proxy, and through the edge; one at a time for the latency that each adds, and
// many at once for requests/s.
func BenchmarkEdge(b *testing.B) {
	app := raw(b, "a1", "ams", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.Header.Get("Fly-Replay-Src") == "" && r.Header.Get("Fly-Region") != "" {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("fly-replay", "instance=a1;state=1")
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "hello")
	})
	direct := "http://" + app.Address.String()
	target, err := url.Parse(direct)
	if err != nil {
		b.Fatal(err)
	}
	plain := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: &http.Transport{MaxIdleConnsPerHost: 1000}})
	b.Cleanup(plain.Close)
	through := func(o edge.Options) string { return serve(b, newEdge(b, o, app)) }
	pooled := through(edge.Options{Service: edge.Service{Requests: true}})
	for _, way := range []struct{ name, base, method string }{
		{"direct", direct, "GET"},
		{"reverseproxy", plain.URL, "GET"},
		{"edge", pooled, "GET"},
		{"edge-replay", pooled, "POST"},
		{"edge-connections", through(edge.Options{}), "GET"},
		{"edge-delayed", through(edge.Options{Service: edge.Service{Requests: true}, Latency: func(_, _ string) time.Duration { return 0 }}), "GET"},
	} {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
		ask := func() error {
			req, err := http.NewRequest(way.method, way.base, nil)
			if err != nil {
				return err
			}
			res, err := client.Do(req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if body, err := io.ReadAll(res.Body); err != nil || string(body) != "hello" {
				return fmt.Errorf("%s %q: %w", res.Status, body, err)
			}
			return nil
		}
		b.Run(way.name+"/one", func(b *testing.B) {
			for b.Loop() {
				if err := ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(way.name+"/many", func(b *testing.B) {
			b.SetParallelism(16)
			var failed atomic.Pointer[error]
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := ask(); err != nil {
						failed.Store(&err)
						return
					}
				}
			})
			if err := failed.Load(); err != nil {
				b.Fatal(*err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
		client.CloseIdleConnections()
	}
}
