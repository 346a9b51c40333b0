package page

import (
	"context"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flysql/flysql/internal/dev"
)

// Source is what the page shows and acts on: a *dev.Session. It may also have
//
//	SetRegion(region string) error
//
// to say where those come from who do not say; then the page lets one choose.
type Source interface {
	State() dev.State
	Subscribe(size int) (c <-chan dev.Event, stop func())
	Kill(id string) error
	Stop(ctx context.Context, id string) error
	StartMachine(ctx context.Context, id string) error
	Restart(ctx context.Context, id string) error
	HandOff(ctx context.Context, id string) error
	Cut(region string, cut bool) error
	Slow(region string, by time.Duration) error
	Deploy(ctx context.Context) error
}

var _ Source = (*dev.Session)(nil)

// chooser is a Source that can say where those come from who do not.
type chooser interface{ SetRegion(region string) error }

//go:embed static
var embedded embed.FS

// Page serves a session's page. It is made by Handler.
type Page struct {
	source Source
	prefix string
	hub    *hub
	mux    *http.ServeMux
	index  *template.Template

	streams atomic.Int64
}

// Handler is the page of a session, at a prefix such as "/_flysql", or "" where it has a
// port of its own. It keeps what happens from now on, for those who look later, until
// Close, or until the session ends.
func Handler(s Source, prefix string) *Page {
	p := &Page{source: s, prefix: strings.TrimSuffix(prefix, "/"), mux: http.NewServeMux()}
	p.index = template.Must(template.ParseFS(embedded, "static/page.html"))
	p.hub = listen(s)
	p.mux.HandleFunc("GET "+p.prefix+"/{$}", p.serveIndex)
	if p.prefix != "" {
		p.mux.HandleFunc("GET "+p.prefix, p.serveIndex)
	}
	p.mux.HandleFunc("GET "+p.prefix+"/static/{name}", serveStatic)
	p.mux.HandleFunc("GET "+p.prefix+"/events", p.serveEvents)
	p.routeAPI()
	return p
}

// Close ends the page's streams, and listens to the session no more.
func (p *Page) Close() { p.hub.close() }

// ServeHTTP serves the page, and all that is under its prefix.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	if status, why := refused(r, p.prefix); why != "" {
		writeJSON(w, status, answer{Error: why})
		return
	}
	p.mux.ServeHTTP(w, r)
}

func (p *Page) serveIndex(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, chooses := p.source.(chooser)
	// The client may be gone, and nobody else would want to know.
	_ = p.index.Execute(w, map[string]any{
		"Prefix": p.prefix, "App": p.source.State().App, "Chooses": chooses,
		"Land": land(), "LandWidth": landWidth, "LandHeight": landHeight(),
	})
}

// types are of the files that are served; others are not.
var types = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func serveStatic(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	data, err := fs.ReadFile(embedded, "static/"+name) // refuses ".." by itself
	media := types[path.Ext(name)]
	if err != nil || media == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", media)
	_, _ = w.Write(data)
}
