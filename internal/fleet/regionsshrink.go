package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/nodestatus"
)

// Draining is how machines are taken away.
type Draining struct {
	Changing

	// Drain is how long requests have to end on a machine that gets no new ones, before
	// it is asked to stop; it then has its kill_timeout. 0 is none.
	Drain time.Duration

	// SnapshotPatience is how long a snapshot may take. The default is 15 minutes.
	SnapshotPatience time.Duration
}

// RemoveResult is what was done.
type RemoveResult struct {
	Machines  []string // ids of those that are gone
	Snapshots []string // ids of those that were taken
	Kept      []string // ids of volumes that stay
	Deleted   []string // ids of those that were deleted
	Begun     string   // id of the machine with which it ended
	Left      int      // how many machines are not gone
}

type removeRun struct {
	Draining
	plan   *RemovePlan
	client *flyapi.Client
	result *RemoveResult
}

// Apply carries the plan out, one machine after the other: it gets no new requests, has
// time to end those it has, is stopped, and destroyed once a snapshot of its volume is
// there. The volumes stay, unless the plan deletes them.
//
// Each machine is asked again right before it is stopped: one that is the primary by then
// stays. Stopped at any point and called again with a new plan, it goes on.
func (p *RemovePlan) Apply(ctx context.Context, client *flyapi.Client, how Draining) (*RemoveResult, error) {
	how.Changing = how.withDefaults()
	r := &removeRun{Draining: how, plan: p, client: client, result: &RemoveResult{Left: len(p.Machines)}}
	for _, m := range p.Machines {
		r.result.Begun = m.ID
		if err := r.machine(ctx, m); err != nil {
			return r.result, err
		}
		r.result.Machines, r.result.Begun = append(r.result.Machines, m.ID), ""
		r.result.Left--
		r.Say(fmt.Sprintf("machine %s in %s is gone", m.ID, m.Region))
	}
	for _, v := range p.Volumes {
		if !p.Delete {
			r.result.Kept = append(r.result.Kept, v.ID)
			continue
		}
		if err := r.deleteVolume(ctx, v); err != nil {
			return r.result, err
		}
	}
	return r.result, nil
}

// machine takes one away.
func (r *removeRun) machine(ctx context.Context, m *fly.Machine) error {
	// The mark is set, and commands are run, before there is a lease: neither takes one.
	if Config(m).Metadata[removeMark] == "" {
		if err := r.client.SetMetadata(ctx, m.ID, removeMark, m.Region); err != nil {
			return err
		}
	}
	running := m.State == fly.MachineStateStarted || m.State == "starting"
	if running && r.plan.Primary != nil && !fresh(m) {
		if err := r.stillReplica(ctx, m); err != nil {
			return r.unmark(ctx, m, err)
		}
	}
	h, err := r.acquire(ctx, r.client, m.ID)
	if err != nil {
		return err
	}
	defer func() { h.release(ctx) }()
	never := fresh(m) && !running // it may be stuck on its way, where it cannot be stopped
	if m.State != fly.MachineStateStopped && !never {
		if err := r.stop(ctx, h, m, running); err != nil {
			return err
		}
	}
	if !r.plan.Delete && !never { // else it is taken when the volume is deleted
		for _, v := range r.plan.Volumes {
			if r.plan.cluster.Holders()[v.ID] != m.ID {
				continue
			}
			if err := r.snapshot(ctx, h, v); err != nil {
				return err
			}
		}
	}
	err = r.client.Destroy(ctx, m.ID, never, h.nonce)
	switch {
	case err == nil, errors.Is(err, flyapi.ErrNotFound):
		h.nonce = "" // it went with the machine
		return nil
	case errors.Is(err, flyapi.ErrUnknown) && ctx.Err() == nil:
		if gone, listErr := r.gone(ctx, m.ID); gone || listErr != nil {
			h.nonce = ""
			return listErr
		}
	}
	return err
}

// gone tells whether a machine is not there any more.
func (r *removeRun) gone(ctx context.Context, id string) (bool, error) {
	list, err := r.client.Machines(ctx)
	return err == nil && !slices.ContainsFunc(list, func(m *fly.Machine) bool { return m.ID == id }), err
}

// stillReplica asks the machine, and the primary, once more.
func (r *removeRun) stillReplica(ctx context.Context, m *fly.Machine) error {
	nodes := r.Asker.Nodes(ctx, []*fly.Machine{m, r.plan.Primary})
	n, primary := nodes[m.ID], nodes[r.plan.Primary.ID]
	switch {
	case n.Role() != nodestatus.Replica:
		return fmt.Errorf("machine %s is no replica any more (%s): it stays; look at flysql status", m.ID, cmp.Or(n.Role(), n.Unknown, n.Why))
	case primary.Role() != nodestatus.Primary:
		return fmt.Errorf("machine %s is not the primary any more (%s), so machine %s stays: run it again", r.plan.Primary.ID, cmp.Or(primary.Role(), primary.Unknown, primary.Why), m.ID)
	}
	if why := ahead(n, primary, false); why != "" {
		// The two were not asked in one moment: a transaction may lie between.
		nodes = r.Asker.Nodes(ctx, []*fly.Machine{r.plan.Primary})
		if why = ahead(n, nodes[r.plan.Primary.ID], false); why != "" {
			return fmt.Errorf("machine %s has rows that the primary has not: %s; it stays", m.ID, why)
		}
	}
	return nil
}

// unmark leaves a machine as it was before this run, or one that was stopped.
func (r *removeRun) unmark(ctx context.Context, m *fly.Machine, err error) error {
	if Config(m).Metadata[removeMark] != "" {
		err = errors.Join(err, r.client.Uncordon(ctx, m.ID, ""))
	}
	return errors.Join(err, r.client.DeleteMetadata(ctx, m.ID, removeMark))
}

// stop lets a machine get no more requests, gives it time to end those it has, and stops
// it.
func (r *removeRun) stop(ctx context.Context, h *held, m *fly.Machine, running bool) error {
	if running {
		if err := r.client.Cordon(ctx, m.ID, h.nonce); err != nil {
			return err
		}
		r.Say(fmt.Sprintf("machine %s in %s gets no new requests", m.ID, m.Region))
		if r.Drain > 0 {
			r.Progress(fmt.Sprintf("machine %s has %v to end its requests", m.ID, r.Drain))
			for left := r.Drain; left > 0; left -= leaseFor / 2 {
				if err := pause(ctx, min(left, leaseFor/2)); err != nil {
					return err
				}
				if err := h.keep(ctx); err != nil {
					return err
				}
			}
		}
	}
	asked := false
	why, ok, err := r.until(ctx, r.Patience, func() (bool, string, error) {
		if err := h.keep(ctx); err != nil {
			return false, "", err
		}
		if !asked { // a request that was lost is made again, for stopping twice is stopping
			err := r.client.Stop(ctx, fly.StopMachineInput{ID: m.ID}, h.nonce)
			if asked = err == nil; errors.Is(err, flyapi.ErrUnknown) && ctx.Err() == nil {
				return false, err.Error(), nil
			} else if err != nil {
				return false, "", err
			}
		}
		err := r.client.Wait(ctx, m.ID, fly.MachineStateStopped, min(leaseFor/2, r.Patience))
		if errors.Is(err, flyapi.ErrNotYet) {
			return false, fmt.Sprintf("machine %s is stopping", m.ID), nil
		}
		return err == nil, "", err
	})
	if err == nil && !ok {
		err = fmt.Errorf("%s; not stopped in %v: look at fly logs -i %s, then run it again", why, r.Patience, m.ID)
	}
	if err == nil {
		r.Say(fmt.Sprintf("machine %s is stopped", m.ID))
	}
	return err
}

// snapshot has one taken of a volume, while the machine's lease is kept.
func (r *removeRun) snapshot(ctx context.Context, h *held, v fly.Volume) error {
	patience := r.SnapshotPatience
	if patience <= 0 {
		patience = snapshotPatience
	}
	taken, err := (&Deletion{Volume: v}).snapshot(ctx, r.client, Applying{Say: r.Say, Patience: patience})
	if err != nil {
		return fmt.Errorf("%w; the machine is stopped, and stays", err)
	}
	r.result.Snapshots = append(r.result.Snapshots, taken.ID)
	if _, err := r.client.RefreshLease(ctx, h.id, h.nonce, leaseFor); err != nil { // it may have taken minutes
		again, err := r.acquire(ctx, r.client, h.id)
		if err != nil {
			return err
		}
		*h = *again
	}
	return nil
}

// deleteVolume deletes one as flysql volumes delete does. The machine that it was on may
// be shown on it for a moment.
func (r *removeRun) deleteVolume(ctx context.Context, v fly.Volume) error {
	v.AttachedMachine = nil
	d := &Deletion{Volume: v}
	var taken *fly.VolumeSnapshot
	var last error
	_, ok, err := r.until(ctx, r.ListPatience, func() (bool, string, error) {
		s, err := d.Apply(ctx, r.client, Applying{Say: r.Say, Patience: r.SnapshotPatience})
		var attached *AttachedError
		if last = err; errors.As(err, &attached) || errors.Is(err, flyapi.ErrConflict) {
			return false, err.Error(), nil
		}
		taken = s
		return err == nil, "", err
	})
	if err == nil && !ok {
		err = last
	}
	if err != nil {
		return err
	}
	r.result.Snapshots = append(r.result.Snapshots, taken.ID)
	r.result.Deleted = append(r.result.Deleted, v.ID)
	return nil
}
