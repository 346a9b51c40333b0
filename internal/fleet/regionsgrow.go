package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/nodestatus"
)

// AddResult is what was done.
type AddResult struct {
	Volumes  []string // ids of those that were made
	Machines []string // ids of those that have caught up and pass their checks
	Begun    string   // id of the one that has not, with which it ended
	Left     int      // how many machines are not done
}

// addRun carries a plan out.
type addRun struct {
	Changing
	plan   *AddPlan
	client *flyapi.Client
	result *AddResult

	primary *fly.Machine    // the one that was the primary when last asked
	nodes   map[string]Node // what was said last
}

// Apply carries the plan out: region by region, first the volumes, then one machine after
// the other, each of which has caught up before the next one is made. It returns when
// all have what the primary had when they started, and pass their checks.
//
// After a request whose outcome is not known it looks for the machine by its name, which
// only one can have: nothing is made twice, also where two runs add at once. Stopped at
// any point and called again with a new plan, it goes on. The result says what was done,
// beside an error too.
func (p *AddPlan) Apply(ctx context.Context, client *flyapi.Client, how Changing) (*AddResult, error) {
	r := &addRun{Changing: how.withDefaults(), plan: p, client: client, result: &AddResult{Left: len(p.Machines)}, primary: p.Primary}
	if !p.Pending() {
		return r.result, nil
	}
	if err := r.undisturbed(ctx); err != nil {
		return r.result, err
	}
	for _, region := range p.regions() {
		volumes, err := r.volumes(ctx, region)
		if err != nil {
			return r.result, err
		}
		for _, m := range p.Machines {
			if m.Region != region {
				continue
			}
			if err := r.machine(ctx, m, &volumes); err != nil {
				return r.result, err
			}
			r.result.Left--
		}
	}
	return r.result, nil
}

// regions are those of the plan, in the order in which they were asked for.
func (p *AddPlan) regions() []string {
	var list []string
	for _, m := range p.Machines {
		if !slices.Contains(list, m.Region) {
			list = append(list, m.Region)
		}
	}
	return list
}

// undisturbed refuses while somebody holds the lease of the machine that is copied: a
// deploy has just begun, and what is copied would be the release before.
func (r *addRun) undisturbed(ctx context.Context) error {
	lease, err := r.client.Lease(ctx, r.plan.From.ID)
	if err != nil || lease == nil {
		return err
	}
	return fmt.Errorf("machine %s, which is to be copied, is being changed by %s until %s, maybe by a deploy: let that end (fly releases), then run it again",
		r.plan.From.ID, cmp.Or(lease.Owner, "somebody"), lease.Expires.Format(time.TimeOnly))
}

// volumes makes those of a region, and returns the ids of those that are free.
func (r *addRun) volumes(ctx context.Context, region string) ([]string, error) {
	if r.plan.Volumes == nil {
		return nil, nil
	}
	plan := r.plan.Volumes.only(region)
	result, err := plan.Apply(ctx, r.client, Applying{Say: r.Say, Patience: r.ListPatience})
	r.result.Volumes = append(r.result.Volumes, result.Made...)
	var free []string
	for _, v := range plan.Volumes {
		if v.Region == region && r.plan.Takes(&v) {
			free = append(free, v.ID)
		}
	}
	return append(free, result.Made...), err
}

// machine makes one, or goes on with it, until it is done.
func (r *addRun) machine(ctx context.Context, m NewMachine, volumes *[]string) (err error) {
	var h *held
	r.result.Begun = m.ID
	if m.ID == "" {
		h, err = r.launch(ctx, m, volumes)
	} else if h, err = r.hold(ctx, m.ID); err == nil {
		r.Say(fmt.Sprintf("machine %s (%s) in %s is there, from a run before", m.ID, m.Name, m.Region))
	}
	defer func() { h.release(ctx) }()
	if err != nil {
		return err
	}
	id := h.id
	r.result.Begun = id
	guarded, err := r.comes(ctx, h, "")
	if err != nil {
		return err
	}
	if guarded != nil {
		instance, err := r.unguard(ctx, h, guarded)
		if err != nil {
			return err
		}
		if _, err := r.comes(ctx, h, instance); err != nil {
			return err
		}
	}
	h.release(ctx)
	if err := r.client.DeleteMetadata(ctx, id, addMark); err != nil {
		return err
	}
	r.result.Machines, r.result.Begun = append(r.result.Machines, id), ""
	r.Say(fmt.Sprintf("machine %s in %s is done", id, m.Region))
	return nil
}

// overAddress tells whether LiteFS answers from here by itself. Where it must be asked by
// commands in machines, those cannot have leases.
func (r *addRun) overAddress() bool {
	return r.plan.Primary == nil || r.plan.cluster.Nodes[r.plan.Primary.ID].Via == ViaAddress
}

func (r *addRun) hold(ctx context.Context, id string) (*held, error) {
	h, err := r.acquire(ctx, r.client, id)
	if err == nil && !r.overAddress() {
		h.release(ctx)
	}
	return h, err
}

// launch makes a machine on a free volume.
func (r *addRun) launch(ctx context.Context, m NewMachine, volumes *[]string) (*held, error) {
	volume := ""
	if r.plan.Volumes != nil {
		if len(*volumes) == 0 {
			return nil, fmt.Errorf("region %s has no free volume for machine %s: somebody else has just put a machine on it: run it again", m.Region, m.Name)
		}
		volume, *volumes = (*volumes)[0], (*volumes)[1:]
	}
	config, err := clone(r.plan.From, m, volume)
	if err != nil {
		return nil, err
	}
	in := fly.LaunchMachineInput{Config: config, Region: m.Region, Name: m.Name}
	if r.overAddress() {
		in.LeaseTTL = int(leaseFor / time.Second)
	}
	made, err := r.client.Launch(ctx, in)
	if err == nil {
		on := ""
		if volume != "" {
			on = " on " + volume
		}
		r.Say(fmt.Sprintf("made machine %s (%s) in %s%s", made.ID, m.Name, m.Region, on))
		return &held{client: r.client, id: made.ID, nonce: made.LeaseNonce, kept: time.Now()}, nil
	}
	if ctx.Err() != nil || !errors.Is(err, flyapi.ErrUnknown) && !errors.Is(err, flyapi.ErrConflict) {
		return nil, err
	}
	r.Say(err.Error())
	found, listErr := r.named(ctx, r.client, m.Name)
	switch {
	case listErr != nil:
		return nil, errors.Join(err, listErr)
	case found == nil || Config(found).Metadata[addMark] == "":
		return nil, err
	}
	r.Say(fmt.Sprintf("machine %s (%s) was made", found.ID, m.Name))
	r.result.Begun = found.ID
	return r.hold(ctx, found.ID)
}

// comes waits until a machine has started, has caught up and passes its checks. instance
// is the one that was asked for; empty: any, and one that has nothing yet. It returns the
// machine where it is not yet a candidate.
func (r *addRun) comes(ctx context.Context, h *held, instance string) (guarded *fly.Machine, err error) {
	goal := &goal{full: instance != ""}
	var m *fly.Machine
	why, ok, err := r.until(ctx, r.Patience, func() (bool, string, error) {
		if err := h.keep(ctx); err != nil {
			return false, "", err
		}
		if m == nil || m.State != fly.MachineStateStarted {
			err := r.client.Wait(ctx, h.id, fly.MachineStateStarted, min(leaseFor/2, r.Patience))
			if err != nil && !errors.Is(err, flyapi.ErrNotYet) {
				return false, "", err
			}
		}
		var err error
		if m, err = r.client.Machine(ctx, h.id); err != nil {
			return false, "", err
		}
		if instance != "" && m.InstanceID != instance {
			return false, fmt.Sprintf("machine %s in %s: it is being restarted", m.ID, m.Region), nil
		}
		why, err := r.lacks(ctx, h, m, goal)
		return why == "" && err == nil, fmt.Sprintf("machine %s in %s: %s", m.ID, m.Region, why), err
	})
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("%s; not in %v: look at fly logs -i %s, fly machine status %s and flysql status; the machine stays, and the same command goes on with it", why, r.Patience, h.id, h.id)
	case Config(m).Env[candidateVariable] != "":
		return m, nil
	}
	return nil, nil
}

// lacks says what a machine has yet to come to, or "".
func (r *addRun) lacks(ctx context.Context, h *held, m *fly.Machine, to *goal) (string, error) {
	switch {
	case !Reachable(string(m.HostStatus)):
		return "", fmt.Errorf("the host of machine %s is %s: destroy it and its volume (fly machine destroy --force %s), and run it again to have them made elsewhere", m.ID, printable(string(m.HostStatus)), m.ID)
	case m.State == fly.MachineStateDestroyed || m.State == fly.MachineStateDestroying:
		return "", fmt.Errorf("machine %s was destroyed by somebody else", m.ID)
	case m.State != fly.MachineStateStarted:
		return "it is " + printable(cmp.Or(m.State, "in no state")), nil
	}
	if r.plan.Primary != nil {
		if why, err := r.behind(ctx, h, m, to); why != "" || err != nil {
			return why, err
		}
	}
	if checks := m.AllHealthChecks(); !checks.AllPassing() {
		return fmt.Sprintf("it has caught up; %d of its %d checks pass", checks.Passing, checks.Total), nil
	}
	return "", nil
}

// goal is where a machine is to come to.
type goal struct {
	full    bool              // the machine had all before it was restarted: it may be the primary
	primary string            // the machine whose positions these are
	at      map[string]string // by the database's name
}

// behind says how far a machine has to go to where the primary stood when the machine was
// first asked. Where another one became the primary meanwhile, that is asked anew.
func (r *addRun) behind(ctx context.Context, h *held, m *fly.Machine, to *goal) (string, error) {
	n, primary, err := r.ask(ctx, m)
	switch {
	case n.Role() == nodestatus.Primary && (to.full || m.ID == r.plan.Primary.ID):
		return "", nil
	case n.Role() == nodestatus.Primary:
		return "", fmt.Errorf("machine %s has become the primary before it had the data: stop it (fly machine stop %s), and look at flysql status for the one before", m.ID, m.ID)
	case n.Known() && n.LiteFS.Candidate && Config(m).Env[candidateVariable] != "":
		return "", r.tooSoon(ctx, h, m)
	case !n.Known():
		return cmp.Or(n.Unknown, n.Why, "its LiteFS does not answer"), nil
	case err != nil:
		return err.Error(), nil
	case n.LiteFS.Primary == "":
		return cmp.Or(n.Why, "it knows no primary"), nil
	}
	said := r.nodes[primary]
	if a, b := n.LiteFS.ClusterID, said.LiteFS.ClusterID; a != "" && b != "" && a != b {
		return "", fmt.Errorf("machine %s is in another LiteFS cluster (%s) than the primary (%s): its volume has data of another app, or FLY_CONSUL_URL differs", m.ID, a, b)
	}
	if to.primary != primary {
		to.primary, to.at = primary, map[string]string{}
		for _, db := range said.Databases {
			to.at[db.Name] = db.Position
		}
	}
	return cmp.Or(to.lacking(n), n.Why), nil
}

// ask asks a machine and the primary, or where that is not the primary any more, all.
func (r *addRun) ask(ctx context.Context, m *fly.Machine) (n Node, primary string, err error) {
	nodes := r.Asker.Nodes(ctx, r.others(m, r.primary))
	n = nodes[m.ID]
	if m.ID != r.primary.ID && nodes[r.primary.ID].Role() == nodestatus.Primary {
		r.nodes = nodes
		return n, r.primary.ID, nil
	}
	r.nodes = r.Asker.Nodes(ctx, r.others(m, r.plan.cluster.Members()...))
	now := *r.plan.cluster
	now.Nodes = r.nodes
	p, err := now.Primary()
	if err != nil {
		return n, "", err
	}
	if p.ID != m.ID {
		r.primary = p
	}
	return n, p.ID, nil
}

// others are the machine and the others, each once.
func (r *addRun) others(m *fly.Machine, others ...*fly.Machine) []*fly.Machine {
	list := []*fly.Machine{m}
	for _, o := range others {
		if o.ID != m.ID {
			list = append(list, o)
		}
	}
	return list
}

// lacking says what a node lacks of a goal, or "".
func (g *goal) lacking(n Node) string {
	for _, name := range slices.Sorted(maps.Keys(g.at)) {
		have, want := n.Position(name), g.at[name]
		if a, b := transactions(have), transactions(want); a < b {
			return fmt.Sprintf("%s is at transaction %d of %d", name, a, b)
		} else if a == b && have != want {
			return fmt.Sprintf("%s stands at %s there, and stood at %s on the primary", name, have, want)
		}
	}
	return ""
}

// tooSoon stops a machine whose image does not know of candidateVariable: it could become
// the primary with nothing.
func (r *addRun) tooSoon(ctx context.Context, h *held, m *fly.Machine) error {
	err := fmt.Errorf("machine %s could become the primary before it has the data, since its image does not heed %s: it is stopped; deploy an image with the flysql-entrypoint of this release, destroy the machine (fly machine destroy --force %s), then run it again",
		m.ID, candidateVariable, m.ID)
	return errors.Join(err, r.client.Stop(ctx, fly.StopMachineInput{ID: m.ID}, h.nonce))
}

// unguard lets a machine that has caught up be a candidate, which restarts it as another
// instance.
func (r *addRun) unguard(ctx context.Context, h *held, m *fly.Machine) (instance string, err error) {
	config := *m.Config
	config.Env = maps.Clone(config.Env)
	delete(config.Env, candidateVariable)
	config.Metadata = maps.Clone(config.Metadata)
	config.Metadata[addMark] = candidateMark
	updated, err := r.client.Update(ctx, fly.LaunchMachineInput{ID: m.ID, Region: m.Region, Name: m.Name, Config: &config}, h.nonce)
	if err != nil {
		return "", err
	}
	r.Say(fmt.Sprintf("machine %s has caught up: it is restarted as a candidate for the primary", m.ID))
	return updated.InstanceID, nil
}
