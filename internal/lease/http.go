package lease

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxBody is Consul's own limit of a value.
const maxBody = 512 << 10

// ServeHTTP answers the requests that LiteFS makes; any other path is 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	answer, status, err := s.serve(r, body)
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Consul-Index", fmt.Sprint(s.state.Index))
	if answer == nil {
		w.WriteHeader(status)
		return
	}
	json.NewEncoder(w).Encode(answer) // to a client that has gone there is nothing to say
}

func (s *Server) serve(r *http.Request, body []byte) (answer any, status int, err error) {
	path := r.URL.Path
	key, isKey := strings.CutPrefix(path, "/v1/kv/")
	id, isRenew := strings.CutPrefix(path, "/v1/session/renew/")
	if !isRenew {
		id, _ = strings.CutPrefix(path, "/v1/session/destroy/")
	}
	switch {
	case isKey && r.Method == http.MethodGet:
		return s.getKey(key)
	case isKey && r.Method == http.MethodPut:
		q := r.URL.Query()
		done, err := s.put(key, body, q.Get("acquire"), q.Get("release"))
		if err != nil {
			return nil, http.StatusInternalServerError, err
		}
		return done, http.StatusOK, nil
	case isKey, r.Method != http.MethodPut && strings.HasPrefix(path, "/v1/session/"):
		return nil, http.StatusMethodNotAllowed, errors.New("method not allowed")
	case path == "/v1/catalog/register":
		return true, http.StatusOK, nil
	case path == "/v1/session/create":
		return s.create(body)
	case isRenew:
		ses, ok := s.state.Sessions[id]
		if !ok {
			return nil, http.StatusNotFound, fmt.Errorf("session id %q not found", id)
		}
		s.touch(id, ses)
		return []sessionJSON{ses.json(id)}, http.StatusOK, nil
	case strings.HasPrefix(path, "/v1/session/destroy/"):
		s.invalidate(id)
		if err := s.save(); err != nil {
			return nil, http.StatusInternalServerError, err
		}
		return true, http.StatusOK, nil
	}
	return nil, http.StatusNotFound, fmt.Errorf("%s is none of the paths of Consul that this lease server has", path)
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

func (s *Server) getKey(key string) (any, int, error) {
	e, ok := s.state.Keys[key]
	if !ok {
		return nil, http.StatusNotFound, nil
	}
	shown := keyJSON{LockIndex: e.LockIndex, Key: key, Session: e.Session, CreateIndex: e.CreateIndex, ModifyIndex: e.ModifyIndex}
	if len(e.Value) > 0 {
		shown.Value = e.Value
	}
	return []keyJSON{shown}, http.StatusOK, nil
}

// sessionJSON is a session as Consul shows it.
type sessionJSON struct {
	ID          string
	Name        string
	Node        string
	LockDelay   time.Duration // nanoseconds in JSON
	Behavior    string
	TTL         string
	CreateIndex uint64
	ModifyIndex uint64
}

func (ses session) json(id string) sessionJSON {
	j := sessionJSON{ID: id, Name: ses.Name, Node: ses.Node, LockDelay: ses.LockDelay, Behavior: "release",
		CreateIndex: ses.CreateIndex, ModifyIndex: ses.CreateIndex}
	if ses.Delete {
		j.Behavior = "delete"
	}
	if ses.TTL > 0 {
		j.TTL = ses.TTL.String()
	}
	return j
}

// maxLockDelay is Consul's own.
const maxLockDelay = time.Minute

func (s *Server) create(body []byte) (any, int, error) {
	var asked struct{ Name, Node, Behavior, TTL, LockDelay string }
	if err := json.Unmarshal(body, &asked); err != nil {
		return nil, http.StatusBadRequest, fmt.Errorf("request decode failed: %w", err)
	}
	ses := session{Name: asked.Name, Node: asked.Node, LockDelay: 15 * time.Second, CreateIndex: s.state.Index + 1}
	switch asked.Behavior {
	case "", "release":
	case "delete":
		ses.Delete = true
	default:
		return nil, http.StatusBadRequest, fmt.Errorf("invalid Behavior setting %q", asked.Behavior)
	}
	var err error
	if asked.TTL != "" {
		if ses.TTL, err = time.ParseDuration(asked.TTL); err != nil || ses.TTL < 0 {
			return nil, http.StatusBadRequest, fmt.Errorf("invalid session TTL %q", asked.TTL)
		}
	}
	if asked.LockDelay != "" {
		if ses.LockDelay, err = time.ParseDuration(asked.LockDelay); err != nil || ses.LockDelay < 0 || ses.LockDelay > maxLockDelay {
			return nil, http.StatusBadRequest, fmt.Errorf("invalid LockDelay %q", asked.LockDelay)
		}
	}
	id := newID()
	s.state.Index++
	s.state.Sessions[id] = ses
	s.touch(id, ses)
	if err := s.save(); err != nil {
		return nil, http.StatusInternalServerError, err
	}
	return map[string]string{"ID": id}, http.StatusOK, nil
}
