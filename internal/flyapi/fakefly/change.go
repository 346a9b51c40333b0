package fakefly

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	fly "github.com/superfly/fly-go"
)

// What changes machines.

func (f *Fake) launch(r *request) answer {
	a, no := f.app(r)
	if a == nil {
		return no
	}
	var in fly.LaunchMachineInput
	if no, ok := r.read(&in); !ok {
		return no
	}
	region := f.region(in.Region)
	switch {
	case in.Config == nil || in.Config.Image == "":
		return refuse(http.StatusUnprocessableEntity, "config.image is required")
	case region == nil:
		return refuse(http.StatusUnprocessableEntity, "region %s not found", in.Region)
	case region.closed:
		return refuse(http.StatusUnprocessableEntity, "region %s is deprecated and takes no new resources", in.Region)
	}
	for _, m := range a.machines {
		if in.Name != "" && m.Name == in.Name && m.State != "destroyed" {
			return refuse(http.StatusConflict, "already_exists: unique machine name violation, machine ID %s already exists with name %q", m.ID, in.Name)
		}
	}
	volumes, no := f.mounts(a, in)
	if no.status != 0 {
		return no
	}
	m := f.newMachine(a, fly.Machine{Name: in.Name, Region: in.Region, Config: in.Config})
	for _, v := range volumes {
		f.attach(m, v)
	}
	m.stuck = r.fault.kind == stuckCreated
	m.hidden = f.eventual
	if in.SkipLaunch {
		f.enter(m, "stopped")
	}
	m.cordoned = in.SkipServiceRegistration
	s := f.showOne(m)
	if in.LeaseTTL > 0 {
		m.lease = f.newLease(time.Duration(in.LeaseTTL) * time.Second)
		s.LeaseNonce = m.lease.nonce
	}
	return ok(s)
}

// mounts finds the volumes of a new machine: by id, or one of a name that is free.
func (f *Fake) mounts(a *app, in fly.LaunchMachineInput) ([]*volume, answer) {
	var found []*volume
	for i, mount := range in.Config.Mounts {
		v := a.volume(mount.Volume)
		if mount.Volume == "" {
			free := func(v *volume) bool {
				return v.Name == mount.Name && v.Region == in.Region && v.AttachedMachine == nil && !v.gone()
			}
			if j := slices.IndexFunc(a.volumes, free); j >= 0 {
				v = a.volumes[j]
				in.Config.Mounts[i].Volume = v.ID
			}
		}
		switch {
		case v == nil || v.gone():
			return nil, refuse(http.StatusUnprocessableEntity, "volume %s does not exist", mount.Volume+mount.Name)
		case v.Region != in.Region:
			return nil, refuse(http.StatusUnprocessableEntity, "Mounts source volume %q is in the wrong region (%q != %q)", v.ID, v.Region, in.Region)
		case v.AttachedMachine != nil:
			return nil, refuse(http.StatusUnprocessableEntity, "volume %s is attached to machine %s", v.ID, *v.AttachedMachine)
		case f.hostDown(v.Zone):
			return nil, refuseAs(http.StatusPreconditionFailed, "volume_placement_capacity", "insufficient resources to create new machine with existing volume '%s'", v.ID)
		}
		found = append(found, v)
	}
	return found, answer{}
}

func (f *Fake) updateMachine(r *request) answer {
	_, m, no := f.toChange(r)
	if m == nil {
		return no
	}
	var in fly.LaunchMachineInput
	if no, ok := r.read(&in); !ok {
		return no
	}
	if in.Config == nil || in.Config.Image == "" {
		return refuse(http.StatusBadRequest, "config.image is required")
	}
	if in.Region != "" && in.Region != m.Region {
		return refuse(http.StatusBadRequest, "the region of a machine cannot be changed")
	}
	for i, mount := range in.Config.Mounts {
		if i >= len(m.Config.Mounts) || m.Config.Mounts[i].Volume != mount.Volume {
			return refuse(http.StatusBadRequest, "the volume of a machine cannot be changed")
		}
	}
	if in.Name != "" {
		m.Name = in.Name
	}
	m.Config = in.Config
	f.version(m)
	m.cordoned = in.SkipServiceRegistration
	if in.SkipLaunch {
		f.enter(m, "stopped")
	} else {
		f.enter(m, "replacing")
	}
	return ok(f.showOne(m))
}

func (f *Fake) startMachine(r *request) answer {
	_, m, no := f.toChange(r)
	if m == nil {
		return no
	}
	before := m.State
	switch before {
	case "started", "starting", "created", "replacing":
	case "stopped", "suspended", "stopping":
		f.enter(m, "starting")
	default:
		return refuse(http.StatusPreconditionFailed, "failed_precondition: unable to start machine from current state: '%s'", before)
	}
	return ok(map[string]string{"previous_state": before})
}

func (f *Fake) stopMachine(r *request) answer {
	_, m, no := f.toChange(r)
	if m == nil {
		return no
	}
	switch m.State {
	case "stopped", "stopping":
	case "started", "starting", "replacing":
		f.enter(m, "stopping")
	default:
		return refuse(http.StatusPreconditionFailed, "failed_precondition: unable to stop machine from current state: '%s'", m.State)
	}
	return ok(map[string]bool{"ok": true})
}

func (f *Fake) destroyMachine(r *request) answer {
	a, m, no := f.toChange(r)
	if m == nil {
		return no
	}
	kill := r.URL.Query().Get("kill") == "true" || r.URL.Query().Get("force") == "true"
	switch m.State {
	case "stopped", "suspended":
	case "destroyed", "destroying":
		return refuse(http.StatusNotFound, "machine not found")
	default:
		if !kill {
			return refuse(http.StatusPreconditionFailed, "failed_precondition: unable to destroy machine, not currently stopped or suspended: '%s'", m.State)
		}
	}
	f.enter(m, "destroying")
	m.lease, m.stuck = nil, false
	for _, v := range a.volumes {
		if v.AttachedMachine != nil && *v.AttachedMachine == m.ID {
			v.AttachedMachine = nil
		}
	}
	return ok(map[string]bool{"ok": true})
}

func (f *Fake) cordon(r *request) answer   { return f.setCordon(r, true) }
func (f *Fake) uncordon(r *request) answer { return f.setCordon(r, false) }

func (f *Fake) setCordon(r *request, to bool) answer {
	_, m, no := f.toChange(r)
	if m == nil {
		return no
	}
	m.cordoned = to
	return ok(map[string]bool{"ok": true})
}

// waitMachine lets a machine go through the states that follow by themselves. Where the
// one that is waited for is not among them, the time is over at once: nothing would
// change it.
func (f *Fake) waitMachine(r *request) answer {
	_, m, no := f.machine(r)
	if m == nil {
		return no
	}
	q := r.URL.Query()
	states := q["state"]
	if len(states) == 0 {
		states = []string{"started"}
	}
	if seconds, err := strconv.Atoi(q.Get("timeout")); q.Has("timeout") && (err != nil || seconds < 1 || seconds > 60) {
		return refuse(http.StatusBadRequest, "timeout must be between 1 and 60 seconds")
	}
	for {
		if slices.Contains(states, m.State) {
			return ok(map[string]bool{"ok": true})
		}
		before := m.State
		if f.step(m); m.State == before {
			return refuse(http.StatusRequestTimeout, "deadline_exceeded: machine failed to reach desired state, %s, currently %s", states[0], m.State)
		}
	}
}

// OnExec says what commands in machines answer. Without it, as where the program is not
// in the image.
func (f *Fake) OnExec(do func(m *fly.Machine, command string) fly.MachineExecResponse) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exec = do
}

func (f *Fake) execMachine(r *request) answer {
	_, m, no := f.toChange(r)
	if m == nil {
		return no
	}
	var in fly.MachineExecRequest
	if no, ok := r.read(&in); !ok {
		return no
	}
	if m.State != "started" {
		return refuse(http.StatusPreconditionFailed, "failed_precondition: machine is not running: '%s'", m.State)
	}
	out := fly.MachineExecResponse{ExitCode: 127, StdErr: "no such file or directory\n"}
	if f.exec != nil {
		do := f.exec
		shown := f.showOne(m)
		f.mu.Unlock() // it may ask the fake
		out = do(shown, in.Cmd)
		f.mu.Lock()
	}
	return ok(out)
}

func (f *Fake) setMetadata(r *request) answer {
	_, m, no := f.toChange(r)
	if m == nil {
		return no
	}
	var in struct{ Value string }
	if no, ok := r.read(&in); !ok {
		return no
	}
	if m.Config.Metadata == nil {
		m.Config.Metadata = map[string]string{}
	}
	m.Config.Metadata[r.args[2]] = in.Value
	return answer{status: http.StatusNoContent}
}

func (f *Fake) deleteMetadata(r *request) answer {
	_, m, no := f.toChange(r)
	if m == nil {
		return no
	}
	delete(m.Config.Metadata, r.args[2])
	return answer{status: http.StatusNoContent}
}
