package main

import (
	"cmp"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/flysql/flysql/replay"
)

const (
	readTimeout = 10 * time.Second // for a whole request, body and all
	maxBody     = 64 << 10         // bytes; a full form needs about 13 KB
)

// app holds what the handlers share. Nothing in it changes once it serves.
type app struct {
	store  *store
	cache  *cache
	router *replay.Router
	views  *views
	log    *slog.Logger
	mux    *http.ServeMux
}

func newApp(st *store, ca *cache, rt *replay.Router, here site, log *slog.Logger) (*app, error) {
	v, err := newViews(here)
	if err != nil {
		return nil, err
	}
	a := &app{store: st, cache: ca, router: rt, views: v, log: log, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /{$}", a.home)
	a.mux.HandleFunc("GET /guests/{id}", a.guest)
	a.mux.HandleFunc("POST /messages", a.sign)
	// Where a reload of the form shown again leads.
	a.mux.Handle("GET /messages", http.RedirectHandler("/", http.StatusSeeOther))
	a.mux.HandleFunc("GET /messages.json", a.listJSON)
	a.mux.HandleFunc("GET /healthz", a.health)
	a.mux.HandleFunc("GET /static/{file}", a.static)
	a.mux.HandleFunc("/", a.noRoute)
	return a, nil
}

// handler returns the pages with what every request passes through first. The router
// is the outermost: what it sends to another machine must not have begun here.
func (a *app) handler() http.Handler {
	// A browser says where a POST comes from; another site's is refused.
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(a.crossOrigin))
	return a.router.Handler(a.observe(secure(crossOrigin.Handler(a.mux))))
}

// secure sets the headers that keep a page to itself, and bounds the body.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		// Not no-referrer: with that, a browser sends forms with Origin: null.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// Every page shows a counter: it may be kept, but is asked for anew.
		h.Set("Cache-Control", "no-cache")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// observe writes one log line for each request and turns a panic into the
// 500 page. The line holds the path alone: a query or a header may carry what
// does not belong in a log.
func (a *app) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			p := recover()
			if p != nil {
				a.log.Error("panic", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					a.problem(rec, r, http.StatusInternalServerError, "")
				}
			}
			level := slog.LevelInfo
			if r.URL.Path == "/healthz" && rec.status == http.StatusOK {
				level = slog.LevelDebug // asked every few seconds; only a failure is news
			}
			a.log.Log(r.Context(), level, "request", "method", r.Method, "path", r.URL.Path,
				"status", cmp.Or(rec.status, http.StatusOK), "duration", time.Since(start))
		}()
		next.ServeHTTP(rec, r)
	})
}

// recorder remembers the status that was sent; 0 while none was.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// noRoute answers what no other pattern took: 405 where the path is known
// with other methods, else 404.
func (a *app) noRoute(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		probe := *r
		probe.Method = method
		if _, pattern := a.mux.Handler(&probe); pattern != "/" {
			allow = append(allow, method)
		}
	}
	if len(allow) == 0 {
		a.problem(w, r, http.StatusNotFound, "")
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	a.problem(w, r, http.StatusMethodNotAllowed, "")
}

func (a *app) crossOrigin(w http.ResponseWriter, r *http.Request) {
	a.problem(w, r, http.StatusForbidden, "This form was sent from another site. Please write your message here instead.")
}

// static serves the embedded files. A URL that carries the file's version may
// be kept for ever; any other is asked for anew and answered 304 while its
// ETag holds.
func (a *app) static(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(a.views.assets, func(as asset) bool { return as.name == r.PathValue("file") })
	if i < 0 {
		a.problem(w, r, http.StatusNotFound, "")
		return
	}
	as := a.views.assets[i]
	w.Header().Set("ETag", `"`+as.version+`"`)
	if r.URL.Query().Get("v") == as.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, as.name, time.Time{}, strings.NewReader(as.content))
}
