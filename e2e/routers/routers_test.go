// Package routers_test shows package replay in front of, and inside, the routers that Go
// apps have: net/http, chi and echo.
package routers_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/replay"
)

// fixed is an engine with a role.
type fixed struct {
	role    engine.Role
	commits engine.Commits
}

func (f *fixed) State() engine.State {
	return engine.State{Role: f.role, Primary: "m1", Ready: true, ClusterID: "LFSC1", Changed: make(chan struct{}),
		Databases: []engine.Database{{Name: "app.db", Pos: engine.Pos{TXID: 7, PostApplyChecksum: 7}}}}
}

func (f *fixed) WaitPosition(context.Context, string, engine.Pos) error { return nil }
func (f *fixed) Commits() *engine.Commits                               { return &f.commits }

// errRefused is a driver's word of a write on a replica.
type errRefused struct{}

func (errRefused) Error() string      { return "only the primary writes" }
func (errRefused) ReplicaWrite() bool { return true }

// app is what the routes of all routers do on one machine.
type app struct {
	name    string
	primary bool
	commits *engine.Commits
}

// count is a write. told says that the router hears of it through the context, as by
// package appdb.
func (a *app) count(ctx context.Context, told bool) error {
	if a.primary {
		a.commits.Add()
		if w := engine.WitnessOf(ctx); w != nil {
			w.Committed()
		}
		return nil
	}
	if w := engine.WitnessOf(ctx); w != nil && told {
		w.Refused(errRefused{})
	}
	return errRefused{}
}

func (a *app) hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, a.name) }

// told counts with appdb, and shows the visitor an error page.
func (a *app) told(w http.ResponseWriter, r *http.Request) {
	if a.count(r.Context(), true) != nil {
		http.Error(w, "sorry", http.StatusInternalServerError)
		return
	}
	io.WriteString(w, a.name)
}

// redirected counts with another driver.
func (a *app) redirected(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "counted: ")
	if err := a.count(r.Context(), false); replay.Redirected(w, r, err) {
		return
	}
	io.WriteString(w, a.name)
}

// panics is for whom a refused write is a panic.
func (a *app) panics(w http.ResponseWriter, r *http.Request) {
	if a.count(r.Context(), true) != nil {
		panic("no rows")
	}
	io.WriteString(w, a.name)
}

// returned returns the error.
func (a *app) returned(w http.ResponseWriter, r *http.Request) error {
	if err := a.count(r.Context(), false); err != nil {
		return err
	}
	_, err := io.WriteString(w, a.name)
	return err
}

// events flushes.
func (a *app) events(w http.ResponseWriter, r *http.Request) {
	for i := range 2 {
		fmt.Fprintf(w, "%s %d;", a.name, i)
		if err := http.NewResponseController(w).Flush(); err != nil {
			io.WriteString(w, err.Error())
		}
	}
}

// socket takes the connection over.
func (a *app) socket(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: words\r\n\r\n%s: ", a.name)
	rw.Flush()
	if line, err := rw.ReadString('\n'); err == nil {
		io.WriteString(rw, line)
		rw.Flush()
	}
}

// routes by their patterns. A path is in net/http's form; each router has its own.
func (a *app) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /hello": a.hello, "GET /told": a.told, "GET /redirected": a.redirected, "GET /panics": a.panics,
		"GET /events": a.events, "GET /socket": a.socket, "GET /marked/{id}": a.hello, "POST /search": a.hello,
		"POST /rows/{id}": a.told, "GET /always": replay.Always(http.HandlerFunc(a.hello)).ServeHTTP,
	}
}

// silent is a log of chi's, which prints what is meant to go wrong.
type silent struct{}

func (s silent) NewLogEntry(*http.Request) chimiddleware.LogEntry      { return s }
func (silent) Write(int, int, http.Header, time.Duration, interface{}) {}
func (silent) Panic(interface{}, []byte)                               {}

// quiet is the same of net/http.
var quiet = log.New(io.Discard, "", 0)

func netHTTP(a *app, r *replay.Router) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range a.routes() {
		mux.HandleFunc(pattern, h)
	}
	mux.Handle("GET /returned", replay.HandlerFunc(a.returned))
	return r.Handler(mux)
}

// chiRoutes are behind chi's middlewares, which wrap the writer and recover.
func chiRoutes(a *app, use ...func(http.Handler) http.Handler) http.Handler {
	c := chi.NewRouter()
	c.Use(use...)
	c.Use(chimiddleware.RequestLogger(silent{}), chimiddleware.Recoverer, chimiddleware.Compress(5))
	for pattern, h := range a.routes() {
		method, path, _ := strings.Cut(pattern, " ")
		c.Method(method, path, h)
	}
	c.Method("GET", "/returned", replay.HandlerFunc(a.returned))
	return c
}

func chiInside(a *app, r *replay.Router) http.Handler { return chiRoutes(a, r.Handler) }
func chiAround(a *app, r *replay.Router) http.Handler { return r.Handler(chiRoutes(a)) }

func chiBetween(a *app, r *replay.Router) http.Handler {
	return chiRoutes(a, chimiddleware.Compress(5), chimiddleware.GetHead, r.Handler)
}

// echoRoutes is an echo whose error handler knows of replicas.
func echoRoutes(a *app, use ...echo.MiddlewareFunc) http.Handler {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if !replay.Redirected(c.Response(), c.Request(), err) {
			e.DefaultHTTPErrorHandler(err, c)
		}
	}
	e.Use(use...)
	e.Use(echomiddleware.Recover(), echomiddleware.Gzip())
	for pattern, h := range a.routes() {
		method, path, _ := strings.Cut(pattern, " ")
		e.Add(method, strings.NewReplacer("{", ":", "}", "").Replace(path), echo.WrapHandler(h))
	}
	e.GET("/returned", func(c echo.Context) error { return a.returned(c.Response(), c.Request()) })
	e.GET("/teapot", func(c echo.Context) error { return echo.NewHTTPError(http.StatusTeapot, "short and stout") })
	return e
}

func echoAround(a *app, r *replay.Router) http.Handler { return r.Handler(echoRoutes(a)) }

func echoInside(a *app, r *replay.Router) http.Handler {
	return echoRoutes(a, echo.WrapMiddleware(r.Handler))
}

// machines are a primary and a replica with the same app.
func machines(t *testing.T, build func(*app, *replay.Router) http.Handler) (primary, replica *httptest.Server) {
	t.Helper()
	serve := func(name string, role engine.Role) *httptest.Server {
		e := &fixed{role: role}
		e.commits.Count()
		r, err := replay.New(replay.Config{Engine: e, NoReplay: true, Logger: slog.New(slog.DiscardHandler),
			Always: []string{"GET /marked/{id}"}, Never: []string{"POST /search"},
			Peer: func(string) (string, error) { return primary.URL, nil }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		s := httptest.NewUnstartedServer(build(&app{name, role == engine.RolePrimary, &e.commits}, r))
		s.Config.ErrorLog = quiet
		s.Start()
		t.Cleanup(s.Close)
		return s
	}
	primary = serve("primary", engine.RolePrimary)
	return primary, serve("replica", engine.RoleReplica)
}

var builds = map[string]func(*app, *replay.Router) http.Handler{
	"net/http": netHTTP, "chi inside": chiInside, "chi around": chiAround, "chi between": chiBetween,
	"echo around": echoAround, "echo inside": echoInside,
}

// A replica answers what it can, and the primary the rest, whatever the router.
func TestRouters(t *testing.T) {
	for name, build := range builds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, replica := machines(t, build)
			for _, tt := range []struct{ method, path, want string }{
				{"GET", "/hello", "replica"},
				{"POST", "/rows/1", "primary"},
				{"GET", "/told", "primary"},
				{"GET", "/redirected", "counted: primary"},
				{"GET", "/panics", "primary"},
				{"GET", "/returned", "primary"},
				{"GET", "/always", "primary"},
				{"GET", "/marked/1", "primary"},
				{"POST", "/search", "replica"},
				{"GET", "/events", "replica 0;replica 1;"},
			} {
				if name == "echo inside" && tt.path == "/returned" {
					continue // see TestEchoInside
				}
				req, _ := http.NewRequest(tt.method, replica.URL+tt.path, nil)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK || string(text) != tt.want {
					t.Errorf("%s %s: %d %q, %v, want %q", tt.method, tt.path, res.StatusCode, text, err, tt.want)
				}
				wrote := strings.HasSuffix(tt.want, "primary") && tt.path != "/always" && tt.path != "/marked/1"
				if token := res.Header.Get(replay.HeaderName); (token != "") != wrote {
					t.Errorf("%s %s: token %q", tt.method, tt.path, token)
				}
			}
			talk(t, replica)
		})
	}
}

// talk takes a connection over by way of a replica.
func talk(t *testing.T, s *httptest.Server) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: words\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", res, err)
	}
	io.WriteString(conn, "words\n")
	if line, err := r.ReadString('\n'); line != "primary: words\n" {
		t.Errorf("%q, %v", line, err)
	}
}

// An echo that has the router among its middlewares answers errors outside of it, when
// the router is through. They arrive all the same, and a refused write that no
// context told of is an error like any other.
func TestEchoInside(t *testing.T) {
	for name, build := range map[string]func(*app, *replay.Router) http.Handler{"inside": echoInside, "around": echoAround} {
		primary, replica := machines(t, build)
		for _, s := range []*httptest.Server{primary, replica} {
			for path, want := range map[string]int{"/teapot": 418, "/nothing": 404} {
				res, err := http.Get(s.URL + path)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != want || len(text) == 0 {
					t.Errorf("%s, %s: %d %q, %v, want %d", name, path, res.StatusCode, text, err, want)
				}
			}
		}
		res, err := http.Get(replica.URL + "/returned")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if want := map[string]int{"inside": 500, "around": 200}[name]; res.StatusCode != want {
			t.Errorf("%s: a returned refusal is answered with %d, want %d", name, res.StatusCode, want)
		}
	}
}
