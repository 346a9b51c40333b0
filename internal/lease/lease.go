// Package lease is a lease server for LiteFS in development and tests: the part
// of Consul's HTTP API that LiteFS v0.5 uses to choose its primary, with Consul's
// semantics, in one process.
//
//	s, err := lease.Open(lease.Options{Dir: dir})
//	if err != nil {
//		return err
//	}
//	http.Serve(listener, s)
//
// It is no Consul: there is one server and no replica of it, no ACL, no blocking
// query, no check-and-set, and whoever reaches its port may do anything. In
// production use Consul, which `fly consul attach` gives an app on Fly.
//
// What LiteFS asks for is a session with a TTL, a key that one session at a time
// holds, and plain keys. https://developer.hashicorp.com/consul/api-docs/session
package lease

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// DefaultExpiryFactor is how many TTLs an unrenewed session lives. Consul promises
// at least one and takes up to two.
const DefaultExpiryFactor = 2

// Options say how a Server behaves; the zero value is in memory and like Consul,
// but for TTLs below 10 seconds, which it takes.
type Options struct {
	// Dir keeps the state (lease.json) over a restart; it must exist. "" keeps none.
	Dir string
	// ExpiryFactor replaces DefaultExpiryFactor where it is above zero.
	ExpiryFactor float64
}

// Server is a lease server, an http.Handler. It may be used by several goroutines
// at once, and starts none: sessions that are overdue are ended by the next request.
type Server struct {
	options Options

	mu      sync.Mutex
	state   state
	delayed map[string]time.Time // keys that nobody may acquire before; as in Consul, not kept on disk
	due     map[string]time.Time // when sessions end, by id
}

// state is what is kept on disk.
type state struct {
	Index    uint64             `json:"index"` // of the last change
	Keys     map[string]entry   `json:"keys"`
	Sessions map[string]session `json:"sessions"`
}

type entry struct {
	Value       []byte `json:"value,omitempty"`
	Session     string `json:"session,omitempty"`
	LockIndex   uint64 `json:"lock_index,omitempty"`
	CreateIndex uint64 `json:"create_index"`
	ModifyIndex uint64 `json:"modify_index"`
}

type session struct {
	Name        string        `json:"name,omitempty"`
	Node        string        `json:"node,omitempty"`
	Delete      bool          `json:"delete,omitempty"` // the keys it holds go with it; otherwise they stay, unheld
	TTL         time.Duration `json:"ttl"`              // 0 never ends
	LockDelay   time.Duration `json:"lock_delay,omitempty"`
	CreateIndex uint64        `json:"create_index"`
}

// Open makes a server with the state in o.Dir. Sessions of before begin their TTL
// anew, as they do when Consul changes its leader.
func Open(o Options) (*Server, error) {
	if o.ExpiryFactor <= 0 {
		o.ExpiryFactor = DefaultExpiryFactor
	}
	s := &Server{options: o, delayed: map[string]time.Time{}, due: map[string]time.Time{},
		state: state{Keys: map[string]entry{}, Sessions: map[string]session{}}}
	if o.Dir == "" {
		return s, nil
	}
	data, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return s, s.save() // that it cannot be written is told now
	}
	if err != nil {
		return nil, err
	}
	s.state = state{}
	if err := json.Unmarshal(data, &s.state); err != nil {
		return nil, fmt.Errorf("read the lease server's state %s: %w", s.file(), err)
	}
	if s.state.Keys == nil || s.state.Sessions == nil {
		return nil, fmt.Errorf("read the lease server's state %s: it lacks keys or sessions; remove it to begin anew", s.file())
	}
	for id, ses := range s.state.Sessions {
		s.touch(id, ses)
	}
	return s, nil
}

func (s *Server) file() string { return filepath.Join(s.options.Dir, "lease.json") }

// save writes the state, so that whatever has been answered outlives a kill.
func (s *Server) save() error {
	if s.options.Dir == "" {
		return nil
	}
	data, err := json.MarshalIndent(s.state, "", "  ")
	if err != nil {
		return err
	}
	tmp := s.file() + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, s.file()); err != nil {
		return err
	}
	d, err := os.Open(s.options.Dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get returns the value of a key, and whether a session holds it.
func (s *Server) Get(key string) (value []byte, held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	e := s.state.Keys[key]
	return e.Value, e.Session != ""
}

// Expire ends the session that holds key, as if its TTL had passed, and tells
// whether there was one. It is for tests that kill a node and would wait.
func (s *Server) Expire(key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	id := s.state.Keys[key].Session
	if id == "" {
		return false, nil
	}
	s.invalidate(id)
	return true, s.save()
}

// touch begins a session's TTL anew.
func (s *Server) touch(id string, ses session) {
	if ses.TTL > 0 {
		s.due[id] = time.Now().Add(time.Duration(float64(ses.TTL) * s.options.ExpiryFactor))
	}
}

// expire ends the sessions that are overdue. Whoever changes something afterwards
// saves; until then a restart would only give them more time.
func (s *Server) expire() {
	now := time.Now()
	for id, at := range s.due {
		if now.After(at) {
			s.invalidate(id)
		}
	}
	for key, until := range s.delayed {
		if now.After(until) {
			delete(s.delayed, key)
		}
	}
}

// invalidate ends a session. Only here does a lock-delay begin: a holder that
// releases by itself is known to have stopped.
func (s *Server) invalidate(id string) {
	ses, ok := s.state.Sessions[id]
	if !ok {
		return
	}
	delete(s.state.Sessions, id)
	delete(s.due, id)
	s.state.Index++
	for key, e := range s.state.Keys {
		if e.Session != id {
			continue
		}
		if ses.LockDelay > 0 {
			s.delayed[key] = time.Now().Add(ses.LockDelay)
		}
		if ses.Delete {
			delete(s.state.Keys, key)
			continue
		}
		e.Session, e.ModifyIndex = "", s.state.Index
		s.state.Keys[key] = e
	}
}

// put writes a key; hold and unhold are the ids of ?acquire= and ?release=.
func (s *Server) put(key string, value []byte, hold, unhold string) (bool, error) {
	e, exists := s.state.Keys[key]
	switch {
	case hold != "":
		if _, ok := s.state.Sessions[hold]; !ok {
			return false, errNoSession
		}
		if e.Session != "" && e.Session != hold {
			return false, nil
		}
		if _, waits := s.delayed[key]; waits && e.Session == "" {
			return false, nil
		}
		if e.Session == "" {
			e.LockIndex++
		}
		e.Session = hold
	case unhold != "":
		if !exists || e.Session != unhold {
			return false, nil
		}
		e.Session = ""
	}
	s.state.Index++
	if e.ModifyIndex = s.state.Index; !exists {
		e.CreateIndex = s.state.Index
	}
	e.Value = value
	s.state.Keys[key] = e
	return true, s.save()
}

// errNoSession is Consul's own wording.
var errNoSession = errors.New("invalid session")

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
