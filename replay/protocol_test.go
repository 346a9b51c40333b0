package replay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
)

// site is a server behind a router, as a replica and as the primary.
func site(t *testing.T, role engine.Role, http2 bool, next http.HandlerFunc) (*httptest.Server, *Router) {
	t.Helper()
	f := newFake(role, "m1", appAt(1, 1))
	f.commits.Count()
	rt := newRouter(t, Config{Engine: f, HoldBytes: 1000})
	s := httptest.NewUnstartedServer(rt.Handler(next))
	s.EnableHTTP2 = http2
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, rt
}

// everywhere runs a test on both roles, by both protocols.
func everywhere(t *testing.T, next http.HandlerFunc, test func(t *testing.T, s *httptest.Server)) {
	for _, role := range []engine.Role{engine.RolePrimary, engine.RoleReplica} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v http2=%v", role, h2), func(t *testing.T) {
				s, _ := site(t, role, h2, next)
				test(t, s)
			})
		}
	}
}

func do(t *testing.T, s *httptest.Server, method string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	c := s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// A response is what it would be without a router, however it is written.
func TestTransparent(t *testing.T) {
	content := strings.Repeat("0123456789", 50)
	large := strings.Repeat("0123456789", 5000)
	modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, next := range map[string]http.HandlerFunc{
		"nothing":      func(w http.ResponseWriter, r *http.Request) {},
		"status":       func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418) },
		"no content":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) },
		"not modified": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(304); io.WriteString(w, "x") },
		"text":         func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, content) },
		"pieces":       func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>"); w.Write([]byte(content)) },
		"large":        func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, large) },
		"large pieces": func(w http.ResponseWriter, r *http.Request) {
			for range 100 {
				io.WriteString(w, content)
			}
		},
		"header late": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200); w.Header().Set("X-Late", "1") },
		"file": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "a.txt", modified, strings.NewReader(content))
		},
		"large file": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "a.txt", modified, strings.NewReader(large))
		},
		"length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "12345")
		},
		"redirect":       func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusSeeOther) },
		"reader":         func(w http.ResponseWriter, r *http.Request) { io.Copy(w, io.MultiReader(strings.NewReader(large))) },
		"reader, little": func(w http.ResponseWriter, r *http.Request) { io.Copy(w, io.MultiReader(strings.NewReader("x"))) },
	} {
		everywhere(t, next, func(t *testing.T, s *httptest.Server) {
			bare := httptest.NewUnstartedServer(next)
			bare.EnableHTTP2 = s.EnableHTTP2
			bare.StartTLS()
			defer bare.Close()
			for _, method := range []string{"GET", "HEAD"} {
				for _, header := range [][]string{nil, {"Range", "bytes=10-19"}, {"If-Modified-Since", modified.Format(http.TimeFormat)}} {
					got, want := do(t, s, method, header...), do(t, bare, method, header...)
					gotText, wantText := textOf(t, got), textOf(t, want)
					if name == "header late" {
						delete(got.Header, "X-Late") // a held head takes it still
					}
					for _, res := range []*http.Response{got, want} {
						res.Header.Del("Date")
						// Held whole, a response's length is known more often.
						res.Header.Del("Content-Length")
						res.Header.Del("Set-Cookie") // of a large one on the primary
						res.Header.Del(HeaderName)
					}
					if got.StatusCode != want.StatusCode || gotText != wantText || fmt.Sprint(got.Header) != fmt.Sprint(want.Header) {
						t.Errorf("%s %s %v: %d %v, want %d %v (%d and %d bytes)", method, name, header, got.StatusCode, got.Header, want.StatusCode, want.Header, len(gotText), len(wantText))
					}
				}
			}
		})
	}
}

// Trailers are kept.
func TestTrailers(t *testing.T) {
	everywhere(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "4")
		w.Header().Set(http.TrailerPrefix+"X-More", "5")
	}, func(t *testing.T, s *httptest.Server) {
		res := do(t, s, "GET")
		if text := textOf(t, res); text != "body" || res.Trailer.Get("X-Sum") != "4" || res.Trailer.Get("X-More") != "5" || res.Header.Get("X-Sum") != "" {
			t.Errorf("%q, %v, header %v", text, res.Trailer, res.Header)
		}
	})
}

// Early hints go out where the answer is certain to follow.
func TestEarlyHints(t *testing.T) {
	for _, role := range []engine.Role{engine.RolePrimary, engine.RoleReplica} {
		s, _ := site(t, role, false, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			io.WriteString(w, "body")
		})
		hints := 0
		req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { hints++; return nil },
		}), "GET", s.URL, nil)
		res, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if text := textOf(t, res); text != "body" || res.StatusCode != 200 || (hints == 1) != (role == engine.RolePrimary) {
			t.Errorf("%v: %d hints, %d %q", role, hints, res.StatusCode, text)
		}
	}
}

// What http.ResponseController can do it can do through a router, and what it cannot
// it says.
func TestResponseController(t *testing.T) {
	everywhere(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		var errs []error
		errs = append(errs, rc.SetReadDeadline(time.Now().Add(time.Minute)), rc.SetWriteDeadline(time.Now().Add(time.Minute)), rc.EnableFullDuplex())
		if _, ok := w.(http.Flusher); !ok {
			errs = append(errs, errors.New("no Flusher"))
		}
		_, hijack := w.(http.Hijacker)
		_, push := w.(http.Pusher)
		if h2 := r.ProtoMajor == 2; hijack == h2 || push != h2 {
			errs = append(errs, fmt.Errorf("hijack %v, push %v by HTTP/%d", hijack, push, r.ProtoMajor))
		}
		io.WriteString(w, "a")
		errs = append(errs, rc.Flush())
		fmt.Fprint(w, errors.Join(errs...))
	}, func(t *testing.T, s *httptest.Server) {
		if text := textOf(t, do(t, s, "GET")); text != "a<nil>" {
			t.Error(text)
		}
	})
	// A middleware may be around the server's writer, or around ours.
	s, _ := site(t, engine.RoleReplica, false, func(w http.ResponseWriter, r *http.Request) {
		w = wrapped{w}
		if handleOf(w) == nil {
			t.Error("not found under a middleware")
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nme")
		conn.Close()
	})
	if text := textOf(t, do(t, s, "GET")); text != "me" {
		t.Error(text)
	}
}

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A token is for the connection that it came by: Secure on https, and not where a
// laptop's browser would throw it away.
func TestSecure(t *testing.T) {
	f := newFake(engine.RolePrimary, "m1", appAt(1, 1))
	f.commits.Count()
	rt := newRouter(t, Config{Engine: f, getenv: offFly})
	for _, tt := range []struct {
		tls    bool
		proto  string
		secure bool
	}{{false, "", false}, {true, "", true}, {false, "https", true}, {false, "http", false}} {
		r := httptest.NewRequest("POST", "/", nil)
		if tt.tls {
			r.TLS = &tls.ConnectionState{}
		}
		r.Header.Set("X-Forwarded-Proto", tt.proto)
		w := httptest.NewRecorder()
		rt.Handler(writes(f)).ServeHTTP(w, r)
		if c := w.Result().Cookies(); len(c) != 1 || c[0].Secure != tt.secure {
			t.Errorf("%+v: %v", tt, c)
		}
	}
}
