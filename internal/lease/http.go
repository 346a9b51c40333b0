package lease

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxBody is Consul's own limit of a value.
const maxBody = 512 << 10

// ServeHTTP answers the requests that LiteFS makes; any other path is 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /v1/kv/{key...}", s.answer(s.getKey))
	mux.Handle("PUT /v1/kv/{key...}", s.answer(s.putKey, "acquire", "release", "flags"))
	mux.Handle("PUT /v1/session/create", s.answer(s.create))
	mux.Handle("PUT /v1/session/renew/{id...}", s.answer(s.renew))
	mux.Handle("PUT /v1/session/destroy/{id...}", s.answer(s.destroy))
	mux.Handle("PUT /v1/catalog/register", s.answer(s.register))
	mux.HandleFunc("/v1/kv/", notAllowed("GET,PUT"))
	mux.HandleFunc("/v1/session/", notAllowed("PUT"))
	mux.HandleFunc("/v1/catalog/register", notAllowed("PUT"))
	mux.HandleFunc("/", notFound)
	return mux
}

func notFound(w http.ResponseWriter, r *http.Request) {
	refuse(w, refused(http.StatusNotFound, "%s is none of the paths of Consul that this lease server has", r.URL.Path))
}

// notAllowed answers what no handler of a method has taken.
func notAllowed(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(methods, r.Method) {
			notFound(w, r)
			return
		}
		w.Header().Set("Allow", methods)
		refuse(w, refused(http.StatusMethodNotAllowed, "method %s not allowed", r.Method))
	}
}

// call is a request whose body has been read.
type call struct {
	*http.Request
	query  url.Values
	body   []byte
	header http.Header // of the answer
}

// refusal is an error with a status, in the words of Consul where they are known. Any
// other error is 500.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refused(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// harmless are queries that change nothing here: whoever asks the only server has a
// consistent answer, and there are no ACLs.
var harmless = []string{"consistent", "pretty", "stale", "token"}

// answer makes a handler of do, which is called with the lock held. Its answer is
// shown as JSON.
func (s *Server) answer(do func(call) (any, error), queries ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, err := s.serve(do, w, r, queries)
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(shown) // to a client that has gone there is nothing to say
	})
}

func (s *Server) serve(do func(call) (any, error), w http.ResponseWriter, r *http.Request, queries []string) (any, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refused(http.StatusBadRequest, "the query cannot be read")
	}
	for name := range query {
		if !slices.Contains(queries, name) && !slices.Contains(harmless, name) {
			return nil, refused(http.StatusBadRequest, "this lease server has no ?%s=", name)
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)) // before the lock: a client may be slow
	if err != nil {
		return nil, refused(http.StatusRequestEntityTooLarge, "request body: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if err := s.expire(); err != nil {
		return nil, err
	}
	return do(call{r, query, body, w.Header()})
}

// refuse answers with an error's text, without a line's end, as Consul does.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if r := (*refusal)(nil); errors.As(err, &r) {
		status = r.status
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, err.Error())
}

// keyJSON is a key as Consul shows it. Value is base64, null when empty.
type keyJSON struct {
	LockIndex   uint64
	Key         string
	Flags       uint64
	Value       []byte
	Session     string `json:",omitempty"`
	CreateIndex uint64
	ModifyIndex uint64
}

func (s *Server) getKey(a call) (any, error) {
	key, err := keyOf(a)
	if err != nil {
		return nil, err
	}
	e, ok := s.state.Keys[key]
	index := s.state.KeysIndex
	if ok {
		index = e.ModifyIndex
	}
	a.header.Set("X-Consul-Index", strconv.FormatUint(index, 10))
	a.header.Set("X-Consul-KnownLeader", "true")
	a.header.Set("X-Consul-LastContact", "0")
	if !ok {
		return nil, &refusal{status: http.StatusNotFound}
	}
	shown := keyJSON{LockIndex: e.LockIndex, Key: key, Flags: e.Flags, Session: e.Session, CreateIndex: e.CreateIndex, ModifyIndex: e.ModifyIndex}
	if len(e.Value) > 0 {
		shown.Value = e.Value
	}
	return []keyJSON{shown}, nil
}

func keyOf(a call) (string, error) {
	key := a.PathValue("key")
	if key == "" {
		return "", refused(http.StatusBadRequest, "Missing key name")
	}
	return key, nil
}

// putKey writes a key; with ?acquire= or ?release= only where that session may.
func (s *Server) putKey(a call) (any, error) {
	key, err := keyOf(a)
	if err != nil {
		return nil, err
	}
	if a.query.Has("acquire") && a.query.Has("release") {
		return nil, refused(http.StatusBadRequest, "Conflicting flags: acquire, release")
	}
	e := s.state.Keys[key]
	e.Value, e.Flags = a.body, 0
	if a.query.Has("flags") {
		if e.Flags, err = strconv.ParseUint(a.query.Get("flags"), 10, 64); err != nil {
			return nil, err
		}
	}
	done := true
	switch {
	case a.query.Has("acquire"):
		done, err = s.acquire(key, &e, a.query.Get("acquire"))
	case a.query.Has("release"):
		done, err = s.release(&e, a.query.Get("release"))
	default:
		e.LockIndex = 0 // as in Consul, whoever holds it
	}
	if err != nil || !done {
		return false, err
	}
	next := s.state.clone()
	next.set(key, e)
	return true, s.keep(next)
}

// acquire tells whether a session may have a key, and makes it the holder. The
// lock-delay is looked at before the session, as Consul does.
func (s *Server) acquire(key string, e *entry, id string) (bool, error) {
	if _, waits := s.delayed[key]; waits {
		return false, nil
	}
	if err := needSession(id); err != nil {
		return false, err
	}
	if _, ok := s.state.Sessions[id]; !ok {
		return false, fmt.Errorf("invalid session %q", id)
	}
	if e.Session != "" && e.Session != id {
		return false, nil
	}
	if e.Session == "" {
		e.LockIndex++
	}
	e.Session = id
	return true, nil
}

// release tells whether a session holds a key, and lets go of it.
func (s *Server) release(e *entry, id string) (bool, error) {
	if err := needSession(id); err != nil {
		return false, err
	}
	if e.Session != id { // which is so too where there is no such key
		return false, nil
	}
	e.Session = ""
	return true, nil
}

func needSession(id string) error {
	if strings.TrimSpace(id) == "" {
		return errors.New("missing session")
	}
	return nil
}
