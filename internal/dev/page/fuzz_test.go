package page

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/dev"
)

// Whatever path one sends a request to, it is to the session's edge, and to that path.
func FuzzTarget(f *testing.F) {
	for _, path := range []string{"/", "/a?b=c", "//evil.example/", "/\\evil.example", "/%2f%2fevil.example", "http://evil.example/", "/@evil.example:80/", "/a#b", "/\r\nHost: evil", "/..//..//x", "*", ""} {
		f.Add(path)
	}
	st := dev.State{URL: "http://localhost:8080"}
	f.Fuzz(func(t *testing.T, path string) {
		u, why := target(st, sending{Path: path})
		if why != "" {
			return
		}
		r, err := http.NewRequest(http.MethodGet, u.String(), nil)
		if err != nil {
			t.Fatalf("%q became %q: %v", path, u, err)
		}
		if r.URL.Host != "localhost:8080" || r.URL.User != nil || !strings.HasPrefix(r.URL.Path, "/") {
			t.Errorf("%q leads to %q", path, r.URL)
		}
	})
}

// Whatever a Host is, it is local only where its name says so.
func FuzzIsLocal(f *testing.F) {
	for _, host := range []string{"localhost", "localhost:8080", "ams.localhost:1", "[::1]:2", "127.0.0.1", "evil.example", "localhost.evil.example", "[::ffff:127.0.0.1]:1", "::1", "[::1%25eth0]"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !isLocal(host) {
			return
		}
		lower := strings.ToLower(host)
		if !strings.Contains(lower, "localhost") && !strings.Contains(lower, "127.") && !strings.Contains(lower, ":") {
			t.Errorf("%q is local", host)
		}
	})
}
