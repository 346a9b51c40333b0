package edge

import (
	"net/http"
	"testing"
)

// What may be secret is not shown: in headers by their names, and in the queries of URLs.
func TestShown(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"Authorization", "Bearer s", "(8 bytes)"},
		{"Proxy-Authorization", "Basic s", "(7 bytes)"},
		{"Cookie", "a=s", "(3 bytes)"},
		{"Set-Cookie", "a=s", "(3 bytes)"},
		{"X-Api-Key", "s", "(1 bytes)"},
		{"X-Auth-Token", "s", "(1 bytes)"},
		{"X-Csrf-Token", "s", "(1 bytes)"},
		{"X-Amz-Security-Token", "s", "(1 bytes)"},
		{"Location", "/login?code=s#here", "/login?(11 bytes)"},
		{"Referer", "http://localhost/reset?key=s", "http://localhost/reset?(5 bytes)"},
		{"Location", "/login", "/login"},
		{"Flysql-Token", "what-is-a-position", "what-is-a-position"},
		{"Accept", "text/html?", "text/html?"},
	} {
		h := http.Header{tt.name: {tt.value}}
		if got := shown(h).Get(tt.name); got != tt.want {
			t.Errorf("%s: %s is shown as %q, want %q", tt.name, tt.value, got, tt.want)
		}
		if h.Get(tt.name) != tt.value {
			t.Errorf("%s: what was sent is changed", tt.name)
		}
	}
	if shown(nil) != nil {
		t.Error("no header is shown as one")
	}
}
