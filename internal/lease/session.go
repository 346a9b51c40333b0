package lease

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	maxLockDelay = time.Minute    // Consul's own, by which a longer one is cut
	maxTTL       = 24 * time.Hour // Consul's own
)

// serfHealth is the check of an agent's own node, of which a session is by default.
const serfHealth = "serfHealth"

// sessionJSON is a session as Consul shows it.
type sessionJSON struct {
	ID            string
	Name          string
	Node          string
	LockDelay     time.Duration // nanoseconds in JSON
	Behavior      string
	TTL           string
	NodeChecks    []string
	ServiceChecks []string
	CreateIndex   uint64
	ModifyIndex   uint64
}

func (ses session) json(id string) sessionJSON {
	j := sessionJSON{ID: id, Name: ses.Name, Node: ses.Node, LockDelay: ses.LockDelay, Behavior: "release", TTL: ses.TTL,
		NodeChecks: ses.NodeChecks, CreateIndex: ses.CreateIndex, ModifyIndex: ses.CreateIndex}
	if ses.Delete {
		j.Behavior = "delete"
	}
	if j.NodeChecks == nil {
		j.NodeChecks = []string{}
	}
	return j
}

func (s *Server) create(a call) (any, error) {
	asked := struct {
		Name, Node, Behavior, TTL string
		LockDelay                 any
		NodeChecks                []string
		ServiceChecks             []any
	}{Node: Node, NodeChecks: []string{serfHealth}}
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &asked); err != nil {
			return nil, refused(http.StatusBadRequest, "Request decode failed: %v", err)
		}
	}
	ses := session{Name: asked.Name, Node: asked.Node, NodeChecks: asked.NodeChecks, TTL: asked.TTL}
	var err error
	if ses.LockDelay, err = lockDelay(asked.LockDelay); err != nil {
		return nil, refused(http.StatusBadRequest, "Request decode failed: %v", err)
	}
	switch asked.Behavior {
	case "", "release":
	case "delete":
		ses.Delete = true
	default:
		return nil, refused(http.StatusInternalServerError, "Invalid Behavior setting %q", asked.Behavior)
	}
	if err := checkTTL(ses.TTL); err != nil {
		return nil, err
	}
	if err := s.checkNode(ses, len(asked.ServiceChecks) > 0); err != nil {
		return nil, err
	}
	id, next := newID(), s.state.clone()
	next.Index++
	ses.CreateIndex = next.Index
	next.Sessions[id] = ses
	if err := s.keep(next); err != nil {
		return nil, err
	}
	s.touch(id, ses)
	return map[string]string{"ID": id}, nil
}

// checkNode refuses a session of a node that was not registered, or with a check of
// which nothing is known.
func (s *Server) checkNode(ses session, services bool) error {
	if ses.Node == "" {
		return refused(http.StatusInternalServerError, "Must provide Node")
	}
	if _, ok := s.state.Nodes[ses.Node]; !ok && ses.Node != Node {
		return refused(http.StatusInternalServerError, "Missing node registration")
	}
	if services {
		return errors.New("this lease server has no checks of services")
	}
	for _, check := range ses.NodeChecks {
		if check != serfHealth || ses.Node != Node {
			return refused(http.StatusInternalServerError, "Missing check %q registration", check)
		}
	}
	return nil
}

// lockDelay reads what Consul takes: a duration, or a number of nanoseconds; below a
// thousand it is of seconds.
func lockDelay(v any) (d time.Duration, err error) {
	switch v := v.(type) {
	case nil:
		return 15 * time.Second, nil
	case string:
		if d, err = time.ParseDuration(v); err != nil {
			return 0, err
		}
	case float64:
		d = time.Duration(v)
	}
	if d < 1000 {
		d *= time.Second
	}
	return d, nil
}

// checkTTL refuses what Consul would, but for its lower limit of ten seconds.
func checkTTL(text string) error {
	if text == "" {
		return nil
	}
	ttl, err := time.ParseDuration(text)
	if err != nil {
		return refused(http.StatusInternalServerError, "Session TTL %q invalid", text)
	}
	if ttl < 0 || ttl > maxTTL {
		return refused(http.StatusInternalServerError, "Invalid Session TTL %q: more than %v, or below zero", text, maxTTL)
	}
	return nil
}

func idOf(a call) (string, error) {
	id := a.PathValue("id")
	if id == "" {
		return "", refused(http.StatusBadRequest, "Missing session")
	}
	return id, nil
}

func (s *Server) renew(a call) (any, error) {
	id, err := idOf(a)
	if err != nil {
		return nil, err
	}
	ses, ok := s.state.Sessions[id]
	if !ok {
		return nil, refused(http.StatusNotFound, "Session id '%s' not found", id)
	}
	s.touch(id, ses)
	return []sessionJSON{ses.json(id)}, nil
}

// destroy ends a session; one that is not there has been ended.
func (s *Server) destroy(a call) (any, error) {
	id, err := idOf(a)
	if err != nil {
		return nil, err
	}
	if _, ok := s.state.Sessions[id]; !ok {
		return true, nil
	}
	return true, s.end(id)
}

// register takes a node into the catalog, so that it may have sessions. LiteFS does
// so when its URL has a path, which is its keys' prefix.
func (s *Server) register(a call) (any, error) {
	var asked struct{ Node, Address string }
	if err := json.Unmarshal(a.body, &asked); err != nil {
		return nil, refused(http.StatusBadRequest, "Request decode failed: %v", err)
	}
	if asked.Node == "" {
		return nil, refused(http.StatusInternalServerError, "Must provide node")
	}
	if asked.Address == "" {
		return nil, refused(http.StatusInternalServerError, "Must provide address if SkipNodeUpdate is not set")
	}
	if s.state.Nodes[asked.Node] == asked.Address {
		return true, nil
	}
	next := s.state.clone()
	next.Index++
	next.Nodes[asked.Node] = asked.Address
	return true, s.keep(next)
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
