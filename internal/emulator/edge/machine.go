package edge

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// State is what a machine is, as far as the edge goes.
type State int

const (
	Started   State = iota // it runs: it gets requests as soon as its checks pass
	Stopped                // it can be started
	Suspended              // as Stopped
	Away                   // it gets no requests and is not started: destroyed, replaced, or just being so
)

var stateNames = []string{"started", "stopped", "suspended", "away"}

func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return stateNames[s]
}

// Machine is one that an edge knows.
type Machine struct {
	ID     string
	Region string
	// Address is where its app listens, on the service's internal_port.
	Address netip.AddrPort
	State   State
	// App is another app's name, for machines that only fly-replay's app= leads to.
	// "" is the edge's own. Checks and limits of fly.toml are of its own machines.
	App string
}

// Status is a machine as its edge sees it.
type Status struct {
	Machine
	Healthy bool // it is started, and all of its checks pass
	Load    int  // requests that it is at
	Checks  []CheckStatus
}

// CheckStatus is what came of a check at last.
type CheckStatus struct {
	Name    string // "http GET /healthz"
	Passing bool
	Output  string    // why not, or what was answered; "" before the first
	Since   time.Time // when Passing or Output changed
}

// machine is a Machine and what the edge keeps of it. All is guarded by Edge.mu.
type machine struct {
	Machine
	load     int
	checks   []*check
	stop     func() // ends its checks
	starting chan struct{}
}

// healthy tells whether the machine gets requests.
func (m *machine) healthy() bool {
	return m.State == Started && !slices.ContainsFunc(m.checks, func(c *check) bool { return !c.Passing })
}

// startable tells whether the edge could start it.
func (m *machine) startable() bool { return m.State == Stopped || m.State == Suspended }

// Set says which machines there are. One that was there before, by its ID, keeps its
// load, and its checks' results unless it has been started anew or has moved. An ID must be
// there once: of several the last counts.
func (e *Edge) Set(machines []Machine) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	before := map[string]*machine{}
	for _, m := range e.machines {
		before[m.ID] = m
	}
	e.machines, e.near = nil, nil
	for i, given := range machines {
		if slices.ContainsFunc(machines[i+1:], func(m Machine) bool { return m.ID == given.ID }) {
			continue
		}
		m := before[given.ID]
		delete(before, given.ID)
		if m == nil {
			m = &machine{Machine: Machine{ID: given.ID, State: Away}}
		}
		if m.State != given.State || m.Address != given.Address || m.App != given.App {
			m.endChecks()
			e.carriers.drop(m.ID)
		}
		m.Machine = given
		if m.App == e.opt.App {
			m.App = ""
		}
		if m.State == Started && m.stop == nil {
			e.begin(m)
		}
		e.machines = append(e.machines, m)
	}
	for _, gone := range before {
		gone.endChecks()
		e.carriers.drop(gone.ID)
		gone.State = Away // whoever still holds it sees that
	}
	e.wake()
}

// Machines are the machines as the edge sees them, in the order of Set.
func (e *Edge) Machines() []Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []Status
	for _, m := range e.machines {
		s := Status{Machine: m.Machine, Healthy: m.healthy(), Load: m.load}
		for _, c := range m.checks {
			s.Checks = append(s.Checks, c.CheckStatus)
		}
		all = append(all, s)
	}
	return all
}

// Changed is closed when a machine's state or health has changed, or one is below its
// hard_limit again. Take it before Machines, and again after it was closed.
func (e *Edge) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

// wake tells who waits for a machine that something has changed. The caller has e.mu.
func (e *Edge) wake() {
	close(e.changed)
	e.changed = make(chan struct{})
}
