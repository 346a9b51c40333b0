package page_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/dev/page"
	"github.com/flysql/flysql/internal/dev/page/pagetest"
)

// Other sites that are open in the developer's browser can do nothing, and read nothing.
func TestWhoMayAsk(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	p := page.Handler(s, "/_flysql")
	defer p.Close()
	const kill = "POST /_flysql/api/machines/ams1/kill"
	tests := []struct {
		name, request, host string
		header              string // "Name: value; Name: value"
		want                int
	}{
		{"the page", "GET /_flysql", "localhost:8080", "Sec-Fetch-Site: none; Sec-Fetch-Mode: navigate", 200},
		{"in a region", "GET /_flysql", "ams.localhost:8080", "", 200},
		{"by address", "GET /_flysql", "127.0.0.1:8080", "", 200},
		{"by another address of loopback", "GET /_flysql", "127.1.2.3", "", 200},
		{"by IPv6", "GET /_flysql", "[::1]:8080", "", 200},
		{"with a dot", "GET /_flysql", "LOCALHOST.:8080", "", 200},
		{"a link from elsewhere", "GET /_flysql", "localhost:8080", "Sec-Fetch-Site: cross-site; Sec-Fetch-Mode: navigate", 200},
		{"curl", "GET /_flysql/api/state", "localhost:8080", "", 200},
		{"curl that acts", kill, "localhost:8080", "Flysql-Page: 1", 200},
		{"the page acts", kill, "localhost:8080", "Flysql-Page: 1; Origin: http://localhost:8080; Sec-Fetch-Site: same-origin", 200},

		{"a name made to lead here", "GET /_flysql", "evil.example:8080", "", 403},
		{"such a name acts", kill, "evil.example:8080", "Flysql-Page: 1; Origin: http://evil.example:8080; Sec-Fetch-Site: same-origin", 403},
		{"a name that begins like ours", "GET /_flysql", "localhost.evil.example", "", 403},
		{"a name that ends like ours", "GET /_flysql", "evillocalhost", "", 403},
		{"another machine's address", "GET /_flysql", "192.168.1.4:8080", "", 403},
		{"any address", "GET /_flysql", "0.0.0.0:8080", "", 403},
		{"no host", "GET /_flysql", "", "", 403},
		{"a form elsewhere", kill, "localhost:8080", "Origin: http://evil.example; Sec-Fetch-Site: cross-site", 403},
		{"a form in an old browser", kill, "localhost:8080", "Content-Type: text/plain", 403},
		{"another origin with our header", kill, "localhost:8080", "Flysql-Page: 1; Origin: http://evil.example", 403},
		{"an origin that is none", kill, "localhost:8080", "Flysql-Page: 1; Origin: null", 403},
		{"another port", kill, "localhost:8080", "Flysql-Page: 1; Origin: http://localhost:9999; Sec-Fetch-Site: same-site", 403},
		{"another region's name", kill, "localhost:8080", "Flysql-Page: 1; Origin: http://ams.localhost:8080; Sec-Fetch-Site: same-site", 403},
		{"events for another site", "GET /_flysql/events", "localhost:8080", "Sec-Fetch-Site: cross-site; Sec-Fetch-Mode: cors", 403},
		{"events as a document", "GET /_flysql/events", "localhost:8080", "Sec-Fetch-Site: cross-site; Sec-Fetch-Mode: navigate", 403},
		{"the state as a script", "GET /_flysql/api/state", "localhost:8080", "Sec-Fetch-Site: cross-site; Sec-Fetch-Mode: no-cors", 403},
		{"the page in a frame elsewhere", "GET /_flysql", "localhost:8080", "Sec-Fetch-Site: cross-site; Sec-Fetch-Mode: no-cors", 403},
		{"a preflight", "OPTIONS /_flysql/api/machines/ams1/kill", "localhost:8080", "Origin: http://evil.example; Access-Control-Request-Headers: flysql-page", 403},
		{"to act by GET", "GET /_flysql/api/machines/ams1/kill", "localhost:8080", "", 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method, target, _ := strings.Cut(tt.request, " ")
			r := httptest.NewRequest(method, target, nil)
			r.Host = tt.host
			for _, h := range strings.Split(tt.header, "; ") {
				if name, value, ok := strings.Cut(h, ": "); ok {
					r.Header.Set(name, value)
				}
			}
			before := len(s.Did())
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
			if done := len(s.Did()) > before; done != (tt.want == 200 && method == "POST") {
				t.Errorf("something was done: %t", done)
			}
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("the answer has %s: nobody else may read it", name)
				}
			}
		})
	}
}

// Whatever is answered, it runs no script but the page's own, and is in no frame.
func TestProtected(t *testing.T) {
	p := page.Handler(pagetest.New(1, "ord"), "/_flysql")
	defer p.Close()
	for _, target := range []string{"/_flysql", "/_flysql/static/main.js", "/_flysql/api/state", "/_flysql/nothing"} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Host = "localhost:8080"
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self';", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := w.Header().Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
		for _, no := range []string{"unsafe-", "http:", "https:", "data:", "*"} {
			if csp := w.Header().Get("Content-Security-Policy"); strings.Contains(csp, no) {
				t.Errorf("%s: the policy allows %q: %s", target, no, csp)
			}
		}
	}
}
