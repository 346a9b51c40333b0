// Package pagetest is a session of flysql dev that is made up, for tests of its page: its
// machines are there and obey at once, and nothing runs.
package pagetest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/globe"
)

// Source is such a session. It may be used by several goroutines.
type Source struct {
	mu    sync.Mutex
	state dev.State
	subs  map[chan dev.Event]struct{}
	did   []string
	fail  map[string]error
	hold  map[string]chan struct{}
}

// New has machines in these regions, so many in each. The first machine is the primary.
func New(perRegion int, regions ...string) *Source {
	s := &Source{subs: map[chan dev.Event]struct{}{}, fail: map[string]error{}, hold: map[string]chan struct{}{}}
	s.state = dev.State{App: "guestbook", URL: "http://localhost:8080", Region: regions[0], Engine: "litefs", Latency: "real", Ready: true, Primary: regions[0] + "1"}
	for _, code := range regions {
		at, _ := globe.Of(code) // nowhere, for one that is none
		s.state.Regions = append(s.state.Regions, dev.Region{Code: code, Name: city(code), Lat: at.Lat, Lon: at.Lon, URL: "http://" + code + ".localhost:8080"})
		for n := range perRegion {
			s.state.Machines = append(s.state.Machines, machine(code, n+1, s.state.Primary))
		}
	}
	return s
}

func city(code string) string {
	for _, r := range flyconf.KnownRegions() {
		if r.Code == code {
			return r.City
		}
	}
	return code
}

func machine(region string, n int, primary string) dev.Machine {
	lag, behind := int64(40), int64(0)
	m := dev.Machine{ID: fmt.Sprintf("%s%d", region, n), Region: region, State: "started", Healthy: true, Role: "replica", LagMS: &lag, PID: 100 + n, Memory: 41 << 20}
	m.Databases = []dev.Database{{Name: "app.db", Position: "000000000000001f/8f3c21aa90d1b7e4", Behind: &behind}}
	m.Checks = []dev.Check{{Name: "GET /healthz", Passing: true, Output: "200"}}
	if m.ID == primary {
		m.Role, m.LagMS, m.Databases[0].Behind = "primary", nil, nil
	}
	return m
}

// State is a copy that may be kept.
func (s *Source) State() dev.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copy()
}

func (s *Source) copy() dev.State {
	st := s.state
	st.Regions, st.Machines = slices.Clone(st.Regions), slices.Clone(st.Machines)
	return st
}

// Subscribe tells what happens from now on.
func (s *Source) Subscribe(size int) (<-chan dev.Event, func()) {
	c := make(chan dev.Event, size)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, there := s.subs[c]; there {
			delete(s.subs, c)
			close(c)
		}
	}
}

// End is the session's.
func (s *Source) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.subs {
		delete(s.subs, c)
		close(c)
	}
}

// Emit has something happen. It waits until all have it, as no session would.
func (s *Source) Emit(ev dev.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(ev)
}

func (s *Source) emit(ev dev.Event) {
	for c := range s.subs {
		c <- ev
	}
}

// Change changes the state, and tells.
func (s *Source) Change(how func(*dev.State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how(&s.state)
	st := s.copy()
	s.emit(dev.Event{Time: time.Now(), Type: dev.TypeState, State: &st})
}

// Machine changes one machine, and tells.
func (s *Source) Machine(id string, how func(*dev.Machine)) {
	s.Change(func(st *dev.State) {
		for i := range st.Machines {
			if st.Machines[i].ID == id {
				how(&st.Machines[i])
			}
		}
	})
}

// Fail has an action end with an error from now on: "handoff ams1".
func (s *Source) Fail(action string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[action] = err
}

// Hold has an action last until the channel is closed.
func (s *Source) Hold(action string, until chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold[action] = until
}

// Did is what was done, in order: "kill ams1", "slow ord 500ms".
func (s *Source) Did() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.did)
}
