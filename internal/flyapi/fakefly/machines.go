package fakefly

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	fly "github.com/superfly/fly-go"
)

// machine is a machine and what the API keeps of it beside.
type machine struct {
	fly.Machine
	lease    *lease
	stuck    bool
	cordoned bool
	hidden   int
	zone     string
}

// stamp is how a machine's times are written.
const stamp = "2006-01-02T15:04:05.000Z07:00"

// next is the state that follows, once a state has been seen.
var next = map[string]string{
	"created": "starting", "starting": "started", "replacing": "starting", "restarting": "started", "stopping": "stopped", "destroying": "destroyed",
}

// AddMachine makes a machine of an app: with what of m is set, started where it has no
// state, and its mounts' volumes attached. It returns what the API shows of it.
func (f *Fake) AddMachine(appName string, m fly.Machine) *fly.Machine {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.mustApp(appName)
	f.mustRegion(m.Region)
	made := f.newMachine(a, m)
	if m.State == "" {
		f.enter(made, "started")
	}
	for _, mount := range made.Config.Mounts {
		if v := a.volume(mount.Volume); v != nil {
			f.attach(made, v)
		}
	}
	return f.showOne(made)
}

// Cordoned tells whether a machine is kept from requests.
func (f *Fake) Cordoned(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mustMachine(id).cordoned
}

// SetMachine changes a machine by the test's own function, as Fly would: its checks, its
// state, its image.
func (f *Fake) SetMachine(id string, change func(*fly.Machine)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.mustMachine(id).Machine)
}

// AppMachines are an app's machines as they are, whatever lists show.
func (f *Fake) AppMachines(appName string) []*fly.Machine {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*fly.Machine
	for _, m := range f.mustApp(appName).machines {
		if m.State != "destroyed" {
			out = append(out, f.showOne(m))
		}
	}
	return out
}

func (f *Fake) mustMachine(id string) *machine {
	for _, a := range f.apps {
		if m := a.machine(id); m != nil {
			return m
		}
	}
	panic("fakefly: no machine " + id)
}

func (a *app) machine(id string) *machine {
	i := slices.IndexFunc(a.machines, func(m *machine) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return a.machines[i]
}

func (f *Fake) newMachine(a *app, m fly.Machine) *machine {
	m = *copyOf(&m)
	if id := f.id("machine"); m.ID == "" {
		m.ID = id
	}
	n := f.made["machine"]
	if m.Name == "" {
		m.Name = fmt.Sprintf("calm-water-%d", n)
	}
	if m.PrivateIP == "" {
		m.PrivateIP = fmt.Sprintf("fdaa:0:1:a7b:%x:%x:0:2", n, n)
	}
	if m.CreatedAt == "" {
		m.CreatedAt = f.tick().Format(stamp)
	}
	if m.Config == nil {
		m.Config = &fly.MachineConfig{}
	}
	if m.Config.Guest == nil {
		m.Config.Guest = &fly.MachineGuest{CPUKind: "shared", CPUs: 1, MemoryMB: 256}
	}
	made := &machine{Machine: m, zone: f.region(m.Region).hosts[0].zone}
	made.HostStatus = ""
	f.version(made)
	if m.State == "" {
		f.enter(made, "created")
	}
	a.machines = append(a.machines, made)
	return made
}

// version gives a machine a new instance, and the image of its configuration.
func (f *Fake) version(m *machine) {
	m.InstanceID = f.id("instance")
	m.Version = m.InstanceID
	m.UpdatedAt = f.now.Format(stamp)
	if image := m.Config.Image; image != "" {
		name, digest, _ := strings.Cut(image, "@")
		registry, repository, _ := strings.Cut(name, "/")
		repository, tag, _ := strings.Cut(repository, ":")
		m.ImageRef = fly.MachineImageRef{Registry: registry, Repository: repository, Tag: tag, Digest: digest}
	}
}

// enter changes a machine's state, which is an event. A machine that starts has its
// checks, passing.
func (f *Fake) enter(m *machine, state string) {
	m.State = state
	m.Events = append([]*fly.MachineEvent{{Type: eventOf(state), Status: state, Source: "flyd", Timestamp: f.now.UnixMilli()}}, m.Events...)
	switch state {
	case "started":
		m.Checks = f.checksOf(m)
	case "stopped", "destroyed", "created":
		m.Checks = nil
	}
}

func eventOf(state string) string {
	switch state {
	case "created":
		return "launch"
	case "started", "starting":
		return "start"
	case "stopped", "stopping":
		return "exit"
	case "replacing":
		return "update"
	}
	return "destroy"
}

func (f *Fake) checksOf(m *machine) []*fly.MachineCheckStatus {
	var names []string
	for i, s := range m.Config.Services {
		for j := range s.Checks {
			names = append(names, fmt.Sprintf("servicecheck-%02d-http-%d", i+j, s.InternalPort))
		}
	}
	names = append(names, slices.Sorted(maps.Keys(m.Config.Checks))...)
	var checks []*fly.MachineCheckStatus
	for _, name := range names {
		at := f.now
		checks = append(checks, &fly.MachineCheckStatus{Name: name, Status: fly.Passing, Output: "200 OK", UpdatedAt: &at})
	}
	return checks
}

// attach puts a machine on a volume, and on its host.
func (f *Fake) attach(m *machine, v *volume) {
	id := m.ID
	v.AttachedMachine = &id
	m.zone = v.Zone
}

// showOne is a machine as the API shows it: of one whose host is down, only a part.
func (f *Fake) showOne(m *machine) *fly.Machine {
	s := copyOf(&m.Machine)
	s.HostStatus = fly.HostStatus(f.hostStatus(m.zone))
	if f.hostDown(m.zone) {
		s.IncompleteConfig, s.Config = s.Config, nil
	}
	return s
}

// look is showOne, after which a machine goes on to its next state.
func (f *Fake) look(m *machine) *fly.Machine {
	s := f.showOne(m)
	f.step(m)
	return s
}

func (f *Fake) step(m *machine) {
	if state := next[m.State]; state != "" && !m.stuck && !f.hostDown(m.zone) {
		f.enter(m, state)
	}
}

// machine is the one that a request names.
func (f *Fake) machine(r *request) (*app, *machine, answer) {
	a, no := f.app(r)
	if a == nil {
		return nil, nil, no
	}
	m := a.machine(r.args[1])
	if m == nil {
		return nil, nil, refuse(http.StatusNotFound, "machine not found")
	}
	return a, m, answer{}
}

// toChange is machine, for a request that changes it: not where somebody else has its
// lease, or its host is down.
func (f *Fake) toChange(r *request) (*app, *machine, answer) {
	a, m, no := f.machine(r)
	if m == nil {
		return nil, nil, no
	}
	if l := f.leaseOf(m); l != nil && l.nonce != r.nonce() {
		return nil, nil, l.refuse(m)
	}
	if f.hostDown(m.zone) {
		return nil, nil, refuse(http.StatusPreconditionFailed, "failed_precondition: the machine's host is unreachable")
	}
	return a, m, answer{}
}

func (f *Fake) listMachines(r *request) answer {
	a, no := f.app(r)
	if a == nil {
		return no
	}
	list := []*fly.Machine{}
	for _, m := range a.machines {
		switch {
		case m.hidden > 0:
			m.hidden--
		case m.State != "destroyed":
			list = append(list, f.look(m))
		}
	}
	return ok(list)
}

func (f *Fake) showMachine(r *request) answer {
	_, m, no := f.machine(r)
	if m == nil {
		return no
	}
	return ok(f.look(m))
}
