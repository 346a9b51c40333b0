package replay

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is forwarded comes back as it would come from the primary itself: a range, a
// HEAD, trailers both ways, early hints, by HTTP/1 and 2.
func TestForwardedResponse(t *testing.T) {
	content := strings.Repeat("0123456789", 10_000)
	modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	next := Always(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/file":
			http.ServeContent(w, r, "a.txt", modified, strings.NewReader(content))
		case "/trailers":
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "body, and then "+r.Trailer.Get("X-Asked"))
			w.Header().Set("X-Sum", "4")
			w.Header().Set(http.TrailerPrefix+"X-More", "5")
		case "/hints":
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			io.WriteString(w, "body")
		case "/status":
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	mux := http.NewServeMux()
	mux.Handle("/", next)
	for _, h2 := range []bool{false, true} {
		p := newPair(t, mux, Config{})
		s := httptest.NewUnstartedServer(p.replicaServer.Config.Handler)
		s.EnableHTTP2 = h2
		s.StartTLS()
		defer s.Close()
		for _, tt := range []struct {
			method, path, rng string
			status            int
			body              string
		}{
			{"GET", "/file", "", 200, content},
			{"GET", "/file", "bytes=10-19", 206, "0123456789"},
			{"GET", "/file", "bytes=200000-", 416, "invalid range: failed to overlap\n"},
			{"HEAD", "/file", "", 200, ""},
			{"HEAD", "/file", "bytes=10-19", 206, ""},
			{"POST", "/trailers", "", 200, "body, and then this"},
			{"GET", "/hints", "", 200, "body"},
			{"DELETE", "/status", "", 418, ""},
		} {
			var hints []int
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { hints = append(hints, code); return nil },
			})
			req, _ := http.NewRequestWithContext(ctx, tt.method, s.URL+tt.path, nil)
			if tt.path == "/trailers" {
				req.Body, req.ContentLength = io.NopCloser(strings.NewReader("asked")), -1
				req.Trailer = http.Header{"X-Asked": {"this"}}
			}
			if tt.rng != "" {
				req.Header.Set("Range", tt.rng)
			}
			res, err := s.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s %s %s by HTTP/%d", tt.method, tt.path, tt.rng, res.ProtoMajor)
			if text := textOf(t, res); res.StatusCode != tt.status || text != tt.body || (res.ProtoMajor == 2) != h2 {
				t.Errorf("%s: %d, %d bytes, want %d, %d", name, res.StatusCode, len(text), tt.status, len(tt.body))
			}
			if want := map[string]int64{"200": 100_000, "206": 10}[fmt.Sprint(tt.status)]; tt.path == "/file" && want != 0 && res.ContentLength != want {
				t.Errorf("%s: its length is told as %d", name, res.ContentLength)
			}
			if tt.path == "/trailers" && (res.Trailer.Get("X-Sum") != "4" || res.Trailer.Get("X-More") != "5") {
				t.Errorf("%s: trailers %v", name, res.Trailer)
			}
			if got := slices.Contains(hints, http.StatusEarlyHints); got != (tt.path == "/hints") {
				t.Errorf("%s: early hints %v", name, hints)
			}
		}
	}
}

// A client may send and be sent at once, by way of a replica.
func TestForwardedBothWays(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := rc.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		rc.Flush()
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			fmt.Fprintf(w, "<%s>", buf[:n])
			rc.Flush()
			if err != nil {
				return
			}
		}
	}))
	for _, h2 := range []bool{false, true} {
		p := newPair(t, mux, Config{})
		s := httptest.NewUnstartedServer(p.replicaServer.Config.Handler)
		s.EnableHTTP2 = h2
		s.TLS = &tls.Config{}
		s.StartTLS()
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		r, w := io.Pipe()
		defer w.Close()
		req, _ := http.NewRequestWithContext(ctx, "POST", s.URL, r)
		res, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		for _, word := range []string{"one", "two"} {
			io.WriteString(w, word)
			got := make([]byte, len(word)+2)
			if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != "<"+word+">" || (res.ProtoMajor == 2) != h2 {
				t.Fatalf("by HTTP/%d: %q, %v", res.ProtoMajor, got, err)
			}
		}
	}
}

// An answer that does not wait for the body arrives, though the body cannot be sent to
// its end.
func TestForwardedEarlyAnswer(t *testing.T) {
	big := make([]byte, 20<<20)
	p := newPair(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}), Config{})
	for i := range 6 {
		var body io.Reader = bytes.NewReader(big)
		if i%2 == 0 {
			body = io.MultiReader(body) // of unknown length
		}
		res, err := http.Post(p.replicaServer.URL, "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		if text := textOf(t, res); res.StatusCode != http.StatusRequestEntityTooLarge || text != "too large\n" {
			t.Errorf("%d %q", res.StatusCode, text)
		}
	}
}
