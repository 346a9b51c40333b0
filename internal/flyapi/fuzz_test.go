package flyapi_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

// FuzzAnswer lets the API answer with anything: no panic, each error of a kind, on one
// line, without the token, and a write is sent once.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(`[{"id":"vol_1","size_gb":1,"attached_machine_id":null}]`), "")
	f.Add(200, []byte(`[{"id":"m1","checks":[null],"config":{"mounts":[{}]}}]`), "")
	f.Add(429, []byte(`{"error":"rate"}`), "99999999999999999999")
	f.Add(503, []byte(`{"error":"no capacity","status":"insufficient_capacity"}`), "-1")
	f.Add(400, []byte(fakefly.Token), "Fri, 02 Jan 2026 15:04:05 GMT")
	f.Add(404, []byte("{\"message\":\"\\u001b[2J\\n\"}"), "0")
	calls := everyCall()
	f.Fuzz(func(t *testing.T, status int, body []byte, after string) {
		if status < 100 || status > 599 || strings.TrimLeft(after, "0") != "" && status == 429 {
			return // net/http gives no others; and a wait would be a long one
		}
		sent := 0
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			sent++
			return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {after}}, Body: io.NopCloser(strings.NewReader(string(body))), Request: req}, nil
		})
		c, err := flyapi.NewOver(flyapi.Config{Token: flyapi.NewToken("test", fakefly.Token), App: "shop", Speed: 1e6}, base)
		if err != nil {
			t.Fatal(err)
		}
		on := things{"vol_1", "m1", "m2", "m3"}
		for _, call := range calls {
			if call.reads && after != "" {
				continue // it may be waited for
			}
			sent = 0
			err := call.make(t.Context(), c, on)
			if n := sent - c.Calls()["Apps"]; !call.reads && status != 429 && n > 1 {
				t.Errorf("%s was sent %d times", call.name, n)
			}
			if err == nil {
				continue
			}
			var e *flyapi.Error
			if !errors.As(err, &e) || kindsOf(err) == "" {
				t.Errorf("%s: an error of no kind: %v", call.name, err)
			}
			if text := err.Error(); strings.ContainsAny(text, "\n\x1b\x00") || strings.Contains(text, "secretONE") || len(text) > 2000 {
				t.Errorf("%s: %q", call.name, text)
			}
		}
	})
}
