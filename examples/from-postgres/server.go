package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/replay"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 64 << 10

// app holds what the handlers share. Nothing in it changes once it serves.
type app struct {
	store  *store
	router *replay.Router
	log    *slog.Logger
}

// handler is the API. The router is the outermost: what it sends to the primary must not
// have begun here.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /posts", a.json(a.search))
	mux.HandleFunc("POST /posts", a.json(a.addPost))
	mux.HandleFunc("GET /posts/{slug}", a.json(a.post))
	mux.HandleFunc("DELETE /posts/{slug}", a.json(a.deletePost))
	mux.HandleFunc("POST /posts/{slug}/tags", a.json(a.addTag))
	mux.HandleFunc("POST /posts/{slug}/reads", a.json(a.addRead))
	mux.HandleFunc("POST /posts/{slug}/purchases", a.json(a.buy))
	mux.HandleFunc("GET /titles/{title}", a.json(a.titled))
	mux.HandleFunc("PUT /featured", a.json(a.feature))
	mux.HandleFunc("POST /readers", a.json(a.addReader))
	mux.HandleFunc("GET /readers/{email}", a.json(a.reader))
	mux.HandleFunc("PUT /readers/{email}/theme", a.json(a.setTheme))
	mux.HandleFunc("GET /desk", a.json(func(r *http.Request) (any, error) { return a.store.Desk(r.Context()) }))
	mux.HandleFunc("GET /tags", a.json(func(r *http.Request) (any, error) { return a.store.Tags(r.Context()) }))
	mux.HandleFunc("GET /stats", a.json(func(r *http.Request) (any, error) { return a.store.Stats(r.Context()) }))
	mux.HandleFunc("GET /revenue", a.json(func(r *http.Request) (any, error) { return a.store.Revenue(r.Context()) }))
	mux.HandleFunc("GET /reads/lately", a.json(a.readsLately))
	return a.router.Handler(http.NewCrossOriginProtection().Handler(mux))
}

// health answers 200 while the database can be read and, on a replica, has come far
// enough.
func (a *app) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := a.store.Ping(ctx); err != nil {
		a.log.Error("health check", "err", err)
		http.Error(w, "the database cannot be read", http.StatusServiceUnavailable)
		return
	}
	a.router.HealthHandler().ServeHTTP(w, r)
}

// problem is an error that is whoever asks's.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

// json answers with what a function returns.
func (a *app) json(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		v, err := answer(r)
		if replay.Redirected(w, r, err) {
			return // the primary answers
		}
		status := http.StatusOK
		if r.Method == http.MethodPost {
			status = http.StatusCreated
		}
		if err != nil {
			p := a.judge(r, err)
			if status, v = p.status, map[string]string{"error": p.text}; status == http.StatusServiceUnavailable {
				w.Header().Set("Retry-After", "1")
			}
		}
		body, err := json.Marshal(v)
		if err != nil {
			a.log.Error("request failed", "path", r.URL.Path, "err", err)
			status, body = http.StatusInternalServerError, []byte(`{"error":"the fault is ours"}`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(append(body, '\n')) // an error here is a client that has gone
	}
}

// constraints are SQLite's extended codes for what the schema refuses.
var constraints = map[int]string{
	275:  "a value is outside what is allowed",
	787:  "something still refers to it",
	1299: "a value is missing",
	1555: "it is there already",
	1811: "something still refers to it",
	2067: "it is there already",
}

// judge says whose fault an error is. What is ours goes to the log.
func (a *app) judge(r *http.Request, err error) *problem {
	var p *problem
	var refused *sqlite.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, sql.ErrNoRows):
		return &problem{http.StatusNotFound, "there is nothing like it"}
	case errors.Is(err, appdb.ErrReplica): // the primary changed meanwhile, and nothing was kept
		return &problem{http.StatusServiceUnavailable, "nothing was written: try again in a moment"}
	case errors.As(err, &refused) && constraints[refused.Code()] != "":
		return &problem{http.StatusConflict, constraints[refused.Code()]}
	}
	a.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	return &problem{http.StatusInternalServerError, "the fault is ours"}
}

// read reads a request's JSON.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &problem{http.StatusBadRequest, fmt.Sprintf("the body is not what is wanted here: %v", strings.TrimPrefix(err.Error(), "json: "))}
	}
	return nil
}

func (a *app) search(r *http.Request) (any, error) {
	q := r.URL.Query()
	return a.store.Search(r.Context(), q.Get("q"), q.Get("tag"))
}

func (a *app) post(r *http.Request) (any, error) {
	return a.store.Post(r.Context(), r.PathValue("slug"))
}

func (a *app) titled(r *http.Request) (any, error) {
	return a.store.Titled(r.Context(), r.PathValue("title"))
}

func (a *app) addPost(r *http.Request) (any, error) {
	p := post{Status: "draft"}
	if err := read(r, &p); err != nil {
		return nil, err
	}
	id, err := a.store.AddPost(r.Context(), p)
	return map[string]int64{"id": id}, err
}

func (a *app) deletePost(r *http.Request) (any, error) {
	return map[string]bool{"deleted": true}, a.store.DeletePost(r.Context(), r.PathValue("slug"))
}

func (a *app) addTag(r *http.Request) (any, error) {
	var in struct {
		Tag string `json:"tag"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	all, err := a.store.AddTag(r.Context(), r.PathValue("slug"), in.Tag)
	return map[string]tags{"tags": all}, err
}

func (a *app) feature(r *http.Request) (any, error) {
	var in struct {
		Slug string `json:"slug"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return in, a.store.Feature(r.Context(), in.Slug)
}

func (a *app) addRead(r *http.Request) (any, error) {
	var in struct {
		Reader   string `json:"reader"` // the email
		Seconds  int    `json:"seconds"`
		Finished bool   `json:"finished"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	id, seconds, err := a.store.AddRead(r.Context(), r.PathValue("slug"), in.Reader, in.Seconds, in.Finished)
	return map[string]any{"id": id, "seconds": seconds}, err
}

func (a *app) buy(r *http.Request) (any, error) {
	var in struct {
		Reader string `json:"reader"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	paid, err := a.store.Buy(r.Context(), r.PathValue("slug"), in.Reader)
	return map[string]cents{"paid": paid}, err
}

func (a *app) reader(r *http.Request) (any, error) {
	return a.store.Reader(r.Context(), r.PathValue("email"))
}

func (a *app) addReader(r *http.Request) (any, error) {
	var in struct {
		Email string `json:"email"`
		Name  string `json:"name"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	id, err := a.store.AddReader(r.Context(), in.Email, in.Name)
	return map[string]string{"id": id}, err
}

func (a *app) setTheme(r *http.Request) (any, error) {
	var in struct {
		Theme string `json:"theme"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	theme, err := a.store.SetTheme(r.Context(), r.PathValue("email"), in.Theme)
	return map[string]string{"theme": theme}, err
}

func (a *app) readsLately(r *http.Request) (any, error) {
	n, err := a.store.ReadsSince(r.Context(), time.Now().AddDate(0, 0, -30))
	return map[string]int{"reads": n}, err
}
