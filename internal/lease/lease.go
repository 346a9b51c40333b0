// Package lease is a lease server for LiteFS in development and tests: the part
// of Consul's HTTP API that LiteFS v0.5 uses to choose its primary, with Consul's
// semantics, in one process.
//
//	s, err := lease.Open(lease.Options{Dir: dir})
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	http.Serve(listener, s)
//
// It is no Consul: there is one server and no replica of it, no ACL (a token is
// taken and not looked at), no health check, no blocking query, no check-and-set, no
// list, and whoever reaches its port may do anything. A query that it does not have
// is refused, never answered as if it were another. In production use Consul, which
// `fly consul attach` gives an app on Fly.
//
// What LiteFS asks for is a session with a TTL, a key that one session at a time
// holds, and plain keys. https://developer.hashicorp.com/consul/api-docs/session
// A test of this package asks a real Consul the same, and compares: `make consul`.
package lease

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// DefaultExpiryFactor is how many TTLs an unrenewed session lives. Consul promises
// at least one and takes up to two.
const DefaultExpiryFactor = 2

// Node is the name of the node that a session is of when it names none: in Consul,
// that of the agent.
const Node = "lease"

// Options say how a Server behaves; the zero value is in memory and like Consul,
// but for TTLs below 10 seconds, which it takes.
type Options struct {
	// Dir keeps the state (lease.json) over a restart; it must exist, and one server
	// at a time may have it. "" keeps none.
	Dir string
	// ExpiryFactor replaces DefaultExpiryFactor where it is above zero.
	ExpiryFactor float64
}

// Server is a lease server, an http.Handler. It may be used by several goroutines
// at once, and starts none: sessions that are overdue are ended by the next request.
type Server struct {
	options Options
	mux     *http.ServeMux
	unlock  func() error

	mu      sync.Mutex
	closed  bool
	state   state
	delayed map[string]time.Time // keys that nobody may acquire before; as in Consul, not kept on disk
	due     map[string]time.Time // when sessions end, by id
}

// Open makes a server with the state in o.Dir. Sessions of before begin their TTL
// anew, as they do when Consul changes its leader. A state that cannot be read, or
// that another server has, is an error.
func Open(o Options) (*Server, error) {
	if o.ExpiryFactor <= 0 {
		o.ExpiryFactor = DefaultExpiryFactor
	}
	s := &Server{options: o, state: newState(), delayed: map[string]time.Time{}, due: map[string]time.Time{},
		unlock: func() error { return nil }}
	s.mux = s.routes()
	if o.Dir == "" {
		return s, nil
	}
	var err error
	if s.unlock, err = lock(o.Dir); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.unlock())
	}
	for id, ses := range s.state.Sessions {
		s.touch(id, ses)
	}
	return s, nil
}

// load reads the state, and writes it where there is none: that it cannot be written
// is told now.
func (s *Server) load() error {
	found, err := read(s.options.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return s.state.write(s.options.Dir)
	}
	if err != nil {
		return err
	}
	s.state = found
	return nil
}

// Close gives the state to whoever opens it next. Requests are refused from then on.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.unlock()
}

// errClosed is what a request of a closed server gets.
var errClosed = errors.New("the lease server is closed")

// keep makes next the state, once it is written: whatever has been answered outlives
// a kill, and what could not be written has not happened.
func (s *Server) keep(next state) error {
	if s.closed {
		return errClosed
	}
	if s.options.Dir != "" {
		if err := next.write(s.options.Dir); err != nil {
			return fmt.Errorf("keep the lease server's state: %w", err)
		}
	}
	s.state = next
	return nil
}

// Get returns the value of a key, and whether a session holds it.
func (s *Server) Get(key string) (value []byte, held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.expire() // a session whose end cannot be written has not ended
	e := s.state.Keys[key]
	return e.Value, e.Session != ""
}

// Expire ends the session that holds key, as if its TTL had passed, and tells
// whether there was one. It is for tests that kill a node and would wait.
func (s *Server) Expire(key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.expire(); err != nil {
		return false, err
	}
	id := s.state.Keys[key].Session
	if id == "" {
		return false, nil
	}
	return true, s.end(id)
}

// touch begins a session's TTL anew.
func (s *Server) touch(id string, ses session) {
	if ttl := ses.ttl(); ttl > 0 {
		s.due[id] = time.Now().Add(time.Duration(float64(ttl) * s.options.ExpiryFactor))
	}
}

// expire ends the sessions that are overdue.
func (s *Server) expire() error {
	now := time.Now()
	for key, until := range s.delayed {
		if now.After(until) {
			delete(s.delayed, key)
		}
	}
	var overdue []string
	for id, at := range s.due {
		if now.After(at) {
			overdue = append(overdue, id)
		}
	}
	if len(overdue) == 0 {
		return nil
	}
	return s.end(overdue...)
}

// end ends sessions. Only here does a lock-delay begin: a holder that releases by
// itself is known to have stopped.
func (s *Server) end(ids ...string) error {
	next := s.state.clone()
	delays := map[string]time.Duration{}
	for _, id := range ids {
		next.end(id, delays)
	}
	if err := s.keep(next); err != nil {
		return err
	}
	for _, id := range ids {
		delete(s.due, id)
	}
	for key, d := range delays {
		if d > 0 {
			s.delayed[key] = time.Now().Add(min(d, maxLockDelay))
		}
	}
	return nil
}
