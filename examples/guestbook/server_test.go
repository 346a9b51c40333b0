package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	a.sign(t, "Ada", "Hello")
	tests := []struct {
		method, target string
		status         int
		allow, want    string
	}{
		{"GET", "/", 200, "", "Hello"},
		{"GET", "/guests/1", 200, "", "Hello"},
		{"GET", "/guests/2", 404, "", "There is no such guest."},
		{"GET", "/guests/0", 404, "", "There is no such guest."},
		{"GET", "/guests/01", 404, "", "Page not found"},
		{"GET", "/guests/+1", 404, "", "Page not found"},
		{"GET", "/guests/x", 404, "", "Page not found"},
		{"GET", "/guests/99999999999999999999", 404, "", "Page not found"},
		{"GET", "/guests/", 404, "", "Page not found"},
		{"GET", "/nothing", 404, "", "Page not found"},
		{"GET", "/static/", 404, "", "Page not found"},
		{"GET", "/static/nothing.css", 404, "", "Page not found"},
		{"POST", "/nothing", 404, "", "Page not found"},
		{"POST", "/", 405, "GET, HEAD", "does not take POST requests"},
		{"DELETE", "/messages", 405, "GET, HEAD, POST", "does not take DELETE requests"},
		{"PUT", "/guests/1", 405, "GET, HEAD", "does not take PUT requests"},
		{"GET", "/healthz", 200, "", `"healthy":true`},
	}
	for _, tt := range tests {
		w := a.do(t, tt.method, tt.target, "")
		if w.Code != tt.status || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: status %d, Allow %q; want %d, %q", tt.method, tt.target, w.Code, w.Header().Get("Allow"), tt.status, tt.allow)
		}
		wantContains(t, tt.method+" "+tt.target, w.Body.String(), tt.want)
	}
}

// Every answer carries the headers, and no page needs what they forbid.
func TestPagesStandAlone(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	a.sign(t, "Ada", "Hello")
	inline := regexp.MustCompile(`(?i)<script|<style|\sstyle=|\son[a-z]+=|(src|href|action)="?(https?:|//)`)
	for _, target := range []string{"/", "/guests/1", "/nothing", "/?before=x", "/messages.json", "/static/style.css", "/healthz"} {
		w := a.get(t, target)
		kept := "no-cache"
		if target == "/healthz" {
			kept = "no-store"
		}
		for name, want := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                kept,
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("GET %s: %s: %q, want %q", target, name, got, want)
			}
		}
		if found := inline.FindString(w.Body.String()); found != "" {
			t.Errorf("GET %s holds %q, which the policy forbids", target, found)
		}
	}
}

func TestCrossOriginPosts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		what   string
		header []string
		status int
	}{
		{"from another site", []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"from a sibling domain", []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		{"old browser, another origin", []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"old browser, sandboxed frame", []string{"Origin", "null"}, http.StatusForbidden},
		{"from this site", []string{"Sec-Fetch-Site", "same-origin"}, http.StatusSeeOther},
		{"old browser, this origin", []string{"Origin", "http://example.com"}, http.StatusSeeOther},
		{"script", nil, http.StatusSeeOther},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			a := newTestApp(t)
			w := a.post(t, "Ada", "Hello", tt.header...)
			wantStatus(t, w, tt.status)
			stored := len(a.all(t))
			if tt.status == http.StatusForbidden {
				wantContains(t, "page", w.Body.String(), "sent from another site")
				if stored != 0 {
					t.Error("the message was stored all the same")
				}
			} else if stored != 1 {
				t.Errorf("%d messages stored, want 1", stored)
			}
		})
	}
}

func TestStaticFilesAreCached(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	page := a.get(t, "/").Body.String()
	for file, contentType := range map[string]string{"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
		url := regexp.MustCompile(`/static/` + file + `\?v=[0-9a-f]{16}`).FindString(page)
		if url == "" {
			t.Fatalf("the page does not link a version of %s:\n%s", file, page)
		}
		w := a.get(t, url)
		wantStatus(t, w, http.StatusOK)
		if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", url, got)
		}
		if got := w.Header().Get("Content-Type"); got != contentType {
			t.Errorf("%s: Content-Type %q, want %q", url, got, contentType)
		}
		etag := w.Header().Get("ETag")
		for _, plain := range []string{"/static/" + file, "/static/" + file + "?v=old"} {
			w = a.do(t, http.MethodGet, plain, "", "If-None-Match", etag)
			wantStatus(t, w, http.StatusNotModified)
			if got := w.Header().Get("Cache-Control"); got != "no-cache" {
				t.Errorf("%s: Cache-Control %q, want no-cache", plain, got)
			}
			wantStatus(t, a.do(t, http.MethodGet, plain, "", "If-None-Match", `"other"`), http.StatusOK)
		}
	}
}

func TestFooterSaysWhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		site     site
		want     []string
		unwanted []string
	}{
		{site{"fra", "3d8d9014b32d89"}, []string{"region <b>fra</b>", "machine <b>3d8d9014b32d89</b>"}, nil},
		{site{"fra", ""}, []string{"region <b>fra</b>"}, []string{"by machine"}},
		{site{"", "<b>x"}, []string{"machine <b>&lt;b&gt;x</b>"}, []string{"from region"}},
		{site{}, nil, []string{"Served", "from region", "by machine"}},
	}
	for _, tt := range tests {
		a := newTestAppAt(t, tt.site)
		for _, target := range []string{"/", "/nothing"} {
			page := a.get(t, target).Body.String()
			wantContains(t, target, page, tt.want...)
			wantNotContains(t, target, page, tt.unwanted...)
		}
	}
}

func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	if err := a.store.db.Close(); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, a.get(t, "/healthz"), http.StatusServiceUnavailable)
	for _, w := range []*httptest.ResponseRecorder{a.get(t, "/"), a.get(t, "/guests/1"), a.post(t, "Ada", "Hello"), a.post(t, "", "")} {
		wantStatus(t, w, http.StatusInternalServerError)
		wantContains(t, "page", w.Body.String(), "Something went wrong", "Back to the guestbook")
		wantNotContains(t, "page", w.Body.String(), "sql", "closed")
	}
	w := a.get(t, "/messages.json")
	wantStatus(t, w, http.StatusInternalServerError)
	wantContains(t, "JSON", w.Body.String(), `{"error":"The fault is ours`)
	wantContains(t, "log", a.log.String(), "level=ERROR", "closed")
}

func TestPanicIsAnError500(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	a.Handler = a.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
	w := a.get(t, "/")
	wantStatus(t, w, http.StatusInternalServerError)
	wantContains(t, "page", w.Body.String(), "Something went wrong")
	wantNotContains(t, "page", w.Body.String(), "boom")
	wantContains(t, "log", a.log.String(), "panic=boom", "server_test.go", "status=500")
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	a.do(t, http.MethodGet, "/guests/7?token=hunter2", "", "Cookie", "session=hunter2", "Authorization", "Bearer hunter2")
	a.post(t, "hunter2", "hunter2")
	a.get(t, "/a%0Alevel=ERROR")
	a.get(t, "/healthz")
	lines := strings.Split(strings.TrimSpace(a.log.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d log lines, want 3, none of them for /healthz:\n%s", len(lines), a.log)
	}
	for i, want := range []string{
		"level=INFO msg=request method=GET path=/guests/7 status=404 duration=",
		"level=INFO msg=request method=POST path=/messages status=303 duration=",
		`level=INFO msg=request method=GET path="/a\nlevel=ERROR" status=404 duration=`,
	} {
		wantContains(t, "log line", lines[i], want)
	}
	wantNotContains(t, "log", a.log.String(), "hunter2")
}
