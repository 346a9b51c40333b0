package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/replay"
)

const (
	pageSize  = 20  // messages on a page
	jsonLimit = 500 // messages in one answer of /messages.json
)

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	a.messagesPage(w, r, "home.html", "/", view{Title: "Guestbook"})
}

func (a *app) guest(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	path := "/guests/" + strconv.FormatInt(id, 10)
	if err != nil || path != r.URL.Path { // one page, one path: /guests/07 is not /guests/7
		a.problem(w, r, http.StatusNotFound, "")
		return
	}
	g, err := a.store.Guest(r.Context(), id)
	switch {
	case errors.Is(err, errNoGuest):
		a.problem(w, r, http.StatusNotFound, "There is no such guest.")
	case err != nil:
		a.fail(w, r, err)
	default:
		a.messagesPage(w, r, "guest.html", path, view{Title: g.Name, Guest: g})
	}
}

// messagesPage serves the page at path: what v holds, its messages, and its
// count of reads, which a GET raises and a HEAD does not. On a replica the router sends
// a request to the primary as soon as it writes. While nobody knows a primary nothing
// is counted: a page is better than a wait for one.
func (a *app) messagesPage(w http.ResponseWriter, r *http.Request, page, path string, v view) {
	sp, ok := parseSpan(r.URL.Query())
	if !ok {
		a.problem(w, r, http.StatusBadRequest, "This address names no page of messages.")
		return
	}
	sp.Guest = v.Guest.ID
	v.Paged = sp.Before != 0 || sp.After != 0
	var err error
	if stale := w.Header().Get(replay.StaleHeader) != ""; r.Method == http.MethodGet && !stale {
		v.Reads, err = a.store.CountRead(r.Context(), path)
	} else {
		v.Reads, err = a.store.Reads(r.Context(), path)
	}
	if err == nil {
		err = a.addMessages(r.Context(), &v, sp, path)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.show(w, r, http.StatusOK, page, v)
}

func (a *app) addMessages(ctx context.Context, v *view, sp span, path string) error {
	p, err := a.store.Page(ctx, sp, pageSize)
	if err != nil {
		return err
	}
	v.Messages = p.Messages
	if p.Newer {
		v.Newer = path + "?after=" + strconv.FormatInt(p.Messages[0].ID, 10)
	}
	if p.Older {
		v.Older = path + "?before=" + strconv.FormatInt(p.Messages[len(p.Messages)-1].ID, 10)
	}
	return nil
}

// parseSpan reads ?before=ID or ?after=ID, or neither.
func parseSpan(q url.Values) (sp span, ok bool) {
	before, after := q.Has("before"), q.Has("after")
	switch {
	case before && after:
		return span{}, false
	case before:
		sp.Before, ok = parseID(q.Get("before"))
		return sp, ok && sp.Before > 0
	case after:
		sp.After, ok = parseID(q.Get("after"))
		return sp, ok && sp.After > 0
	}
	return span{}, true
}

// parseID reads the id of a message; 0 stands before the first one.
func parseID(s string) (id int64, ok bool) {
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id >= 0
}

// sign takes a message from the form on the home page, or from a script that
// sends the same fields and asks for JSON.
func (a *app) sign(w http.ResponseWriter, r *http.Request) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		a.problem(w, r, http.StatusUnsupportedMediaType, "Send the fields name and message as application/x-www-form-urlencoded.")
		return
	}
	if err := r.ParseForm(); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			a.problem(w, r, http.StatusRequestEntityTooLarge, "")
			return
		}
		a.problem(w, r, http.StatusBadRequest, "The form could not be read.")
		return
	}
	f := newForm(r.PostForm.Get("name"), r.PostForm.Get("message"))
	if !f.valid() {
		a.signAgain(w, r, f)
		return
	}
	id, err := a.store.Sign(r.Context(), f.Name, f.Message)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if wantsJSON(r) {
		a.sendJSON(w, r, http.StatusCreated, map[string]int64{"id": id})
		return
	}
	http.Redirect(w, r, "/#m"+strconv.FormatInt(id, 10), http.StatusSeeOther)
}

// signAgain shows the form as it was filled in, with its errors.
func (a *app) signAgain(w http.ResponseWriter, r *http.Request, f form) {
	if wantsJSON(r) {
		fields := map[string]string{}
		if f.NameError != "" {
			fields["name"] = f.NameError
		}
		if f.MessageError != "" {
			fields["message"] = f.MessageError
		}
		a.sendJSON(w, r, http.StatusUnprocessableEntity, map[string]any{"errors": fields})
		return
	}
	v := view{Title: "Not signed yet", Form: f}
	var err error
	if v.Reads, err = a.store.Reads(r.Context(), "/"); err == nil {
		err = a.addMessages(r.Context(), &v, span{}, "/")
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.show(w, r, http.StatusUnprocessableEntity, "home.html", v)
}

// listJSON lists messages for scripts, oldest first. "more" tells that the
// list was cut: ask again after its last id.
func (a *app) listJSON(w http.ResponseWriter, r *http.Request) {
	after, ok := parseID(cmp.Or(r.URL.Query().Get("after"), "0"))
	if !ok {
		a.problem(w, r, http.StatusBadRequest, "after must be the id of a message, or 0")
		return
	}
	body, hit, err := a.list(r.Context(), after)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Status", "guestbook; "+hit)
	send(w, http.StatusOK, "application/json", body)
}

// list is the answer to /messages.json, from the cache (hit) or made and kept there.
func (a *app) list(ctx context.Context, after int64) (body []byte, hit string, err error) {
	newest, err := a.store.Newest(ctx)
	if err != nil {
		return nil, "", err
	}
	if body := a.cache.list(ctx, after, newest); body != nil {
		return body, "hit", nil
	}
	list, err := a.store.MessagesAfter(ctx, after, jsonLimit+1)
	if err != nil {
		return nil, "", err
	}
	shown := list[:min(len(list), jsonLimit)]
	body, err = json.Marshal(struct {
		Messages []message `json:"messages"`
		More     bool      `json:"more"`
	}{shown, len(shown) < len(list)})
	if err != nil {
		return nil, "", err
	}
	body = append(body, '\n')
	a.cache.keep(ctx, after, newest, body)
	return body, "fwd=miss", nil
}

// health answers 200 while the database can be read and, on a replica, has come far
// enough. It writes nothing, so that checks every few seconds cost nothing.
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

// fail answers a request that an error of the store has ended. The error goes
// to the log: it is not the reader's. A write that meets a replica is one that came
// while the primary changed: nothing of it was kept, and it can be sent again.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	if replay.Redirected(w, r, err) {
		w.WriteHeader(http.StatusMisdirectedRequest) // for the log alone: the primary answers
		return
	}
	if errors.Is(err, appdb.ErrReplica) { // it was the primary when it began to read
		a.log.Warn("not the primary", "method", r.Method, "path", r.URL.Path, "err", err)
		w.Header().Set("Retry-After", "1")
		a.problem(w, r, http.StatusServiceUnavailable, "")
		return
	}
	if r.Context().Err() != nil {
		a.log.Info("client gone", "method", r.Method, "path", r.URL.Path, "err", err)
	} else {
		a.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	a.problem(w, r, http.StatusInternalServerError, "")
}

// problem answers with a page, or JSON for a script, that says what is wrong;
// text may be "" where the status says it all.
func (a *app) problem(w http.ResponseWriter, r *http.Request, status int, text string) {
	title := http.StatusText(status)
	switch status {
	case http.StatusNotFound:
		title, text = "Page not found", cmp.Or(text, "Nothing is kept at this address.")
	case http.StatusMethodNotAllowed:
		text = cmp.Or(text, "This address does not take "+r.Method+" requests.")
	case http.StatusRequestEntityTooLarge:
		title, text = "That is too much", cmp.Or(text, "Please write a shorter message.")
	case http.StatusServiceUnavailable:
		title, text = "Not at the moment", cmp.Or(text, "Nothing was written. Please try again in a moment.")
	case http.StatusInternalServerError:
		title, text = "Something went wrong", cmp.Or(text, "The fault is ours, and it has been noted. Please try again in a moment.")
	}
	if wantsJSON(r) {
		a.sendJSON(w, r, status, map[string]string{"error": text})
		return
	}
	a.show(w, r, status, "problem.html", view{Title: title, Status: status, Problem: text})
}

func (a *app) show(w http.ResponseWriter, r *http.Request, status int, page string, v view) {
	body, err := a.views.render(page, v)
	if err != nil { // a fault in a template of ours
		a.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	send(w, status, "text/html; charset=utf-8", body)
}

func (a *app) sendJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	send(w, status, "application/json", append(body, '\n'))
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error here is a client that has gone
}

// wantsJSON tells scripts from browsers, which never ask for JSON by name
// when they follow a link or send a form.
func wantsJSON(r *http.Request) bool {
	if r.URL.Path == "/messages.json" {
		return true
	}
	for accept := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		if t, _, err := mime.ParseMediaType(accept); err == nil && t == "application/json" {
			return true
		}
	}
	return false
}
