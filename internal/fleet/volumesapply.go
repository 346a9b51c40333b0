package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
)

// Applying is how a plan is carried out. The zero value works.
type Applying struct {
	// Say is told what was done, a line each. nil: nobody is.
	Say func(line string)

	// Patience is how long it is waited for a list to show a volume that was made, or may
	// have been. The default is 20 seconds.
	Patience time.Duration
}

// VolumeResult is what was done.
type VolumeResult struct {
	Made    []string // ids of the volumes that were made, and kept
	Changed []string // ids of those that were extended, or have other settings
	Removed []string // ids of those that were made, proved to be too many, and were deleted again
	Restart []string // machines that see their volume's new size after a restart only
	Extra   []string // ids of free volumes that no machine needs; they stay
	Left    int      // how many changes were not made

	Restarted []string // machines that have another auto-extend now
}

// triesMost is how often a change is tried, looks whether it was made in between.
const triesMost = 3

// volumeRun carries a plan out.
type volumeRun struct {
	Applying
	client *flyapi.Client
	plan   *VolumePlan // made anew with each answer
	result *VolumeResult

	made    map[string]fly.Volume // what this run made and has not deleted, by id
	shown   map[string]bool       // ids of the last list
	doomed  map[string]bool       // ids of what this run has asked to delete
	restart map[string]bool       // ids of machines
	tries   map[string]int        // of changes
	failed  map[string]error      // changes that are given up
}

// Apply carries the plan out, and returns when lists show that what was planned is there.
//
// After each error it lists again, and goes on with what is missing then: nothing is made
// twice though a request was answered with an error and carried out. A volume that was
// made by this call, is attached to nothing, and proves to be too many, because somebody
// else has made one at the same time, is deleted again: the newest ones, so that two
// calls agree. No other volume is deleted.
//
// Stopped at any point and called again with a new plan, it goes on. The result says what
// was done, beside an error too.
func (p *VolumePlan) Apply(ctx context.Context, client *flyapi.Client, how Applying) (*VolumeResult, error) {
	if how.Say == nil {
		how.Say = func(string) {}
	}
	if how.Patience <= 0 {
		how.Patience = 20 * time.Second
	}
	r := &volumeRun{Applying: how, client: client, result: &VolumeResult{}, made: map[string]fly.Volume{}, shown: map[string]bool{},
		doomed: map[string]bool{}, restart: map[string]bool{}, tries: map[string]int{}, failed: map[string]error{}}
	r.plan = &VolumePlan{App: p.App, needs: p.needs, wish: p.wish, machines: p.machines, listed: slices.Clone(p.listed)}
	r.plan.match()
	before := *r.plan
	var err error
	if before.Pending() {
		err = r.reconcile(ctx)
	}
	if err == nil && len(r.failed) == 0 {
		err = r.restartMachines(ctx, p.Machines)
	}
	result, err := r.finish(&before, err)
	result.Left += len(p.Machines) - len(result.Restarted)
	return result, err
}

// reconcile makes one change after the other until none is left.
func (r *volumeRun) reconcile(ctx context.Context) error {
	for {
		change := r.next()
		if change == nil {
			if again, err := r.settle(ctx); err != nil || !again {
				return err
			}
			continue
		}
		err := r.do(ctx, change)
		if err == nil {
			continue
		}
		if hopeless(ctx, err) {
			return err
		}
		r.tries[change.key()]++
		if !refused(err) {
			r.Say(err.Error())
		}
		if lookErr := r.look(ctx, change, err); lookErr != nil {
			return errors.Join(err, lookErr)
		}
		if refused(err) || r.tries[change.key()] >= triesMost {
			r.failed[change.key()] = r.elsewhere(ctx, change, err)
		}
	}
}

// hopeless tells that nothing further can be done now.
func hopeless(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, flyapi.ErrToken) || errors.Is(err, flyapi.ErrForbidden)
}

// refused tells that the same would be answered again.
func refused(err error) bool {
	return errors.Is(err, flyapi.ErrRefused) || errors.Is(err, flyapi.ErrCapacity) || errors.Is(err, flyapi.ErrNotFound)
}

// key names a change: what was given up once is not tried again.
func (v *PlannedVolume) key() string {
	switch {
	case !v.Exists():
		return fmt.Sprintf("create %s in %s", v.Name, v.Region)
	case v.Extended():
		return "extend " + v.ID
	}
	return "update " + v.ID
}

// next is the change that comes next, or nil.
func (r *volumeRun) next() *PlannedVolume {
	for i := range r.plan.Volumes {
		v := r.plan.Volumes[i]
		if v.Extended() && r.failed[v.key()] != nil {
			v.Then.SizeGB = v.Now.SizeGB // its other settings are set all the same
		}
		if v.Changed() && r.failed[v.key()] == nil {
			return &v
		}
	}
	return nil
}

// do makes one change, by one request.
func (r *volumeRun) do(ctx context.Context, v *PlannedVolume) error {
	switch {
	case !v.Exists():
		return r.create(ctx, v)
	case v.Extended():
		return r.extend(ctx, v)
	}
	return r.update(ctx, v)
}

func (r *volumeRun) create(ctx context.Context, v *PlannedVolume) error {
	in := fly.CreateVolumeRequest{Name: v.Name, Region: v.Region, SizeGb: &v.Then.SizeGB, RequireUniqueZone: &v.UniqueZone, AutoBackupEnabled: v.Then.Scheduled}
	if v.Then.Retention != 0 {
		in.SnapshotRetention = &v.Then.Retention
	}
	for _, n := range r.plan.needs {
		if n.group == v.Group {
			in.ComputeRequirements = n.guest
		}
	}
	made, err := r.client.CreateVolume(ctx, in)
	if err != nil {
		return err
	}
	r.Say(fmt.Sprintf("made %s: %s in %s, %d GB", made.ID, v.Name, v.Region, made.SizeGb))
	r.made[made.ID] = *made
	r.put(*made)
	return nil
}

func (r *volumeRun) extend(ctx context.Context, v *PlannedVolume) error {
	volume, restart, err := r.client.ExtendVolume(ctx, v.ID, v.Then.SizeGB)
	if err != nil {
		return err
	}
	if restart && v.Machine != "" {
		r.restart[v.Machine] = true
	}
	r.Say(fmt.Sprintf("extended %s to %d GB", v.ID, volume.SizeGb))
	return r.changed(v, volume, volume.SizeGb >= v.Then.SizeGB)
}

func (r *volumeRun) update(ctx context.Context, v *PlannedVolume) error {
	var in fly.UpdateVolumeRequest
	if v.Then.Retention != v.Now.Retention {
		in.SnapshotRetention = &v.Then.Retention
	}
	if yes(v.Then.Scheduled) != yes(v.Now.Scheduled) {
		in.AutoBackupEnabled = v.Then.Scheduled
	}
	volume, err := r.client.UpdateVolume(ctx, v.ID, in)
	if err != nil {
		return err
	}
	r.Say("updated " + v.ID + ": " + v.Then.Differs(v.Now))
	took := volume.SnapshotRetention == v.Then.Retention && volume.AutoBackupEnabled == yes(v.Then.Scheduled)
	return r.changed(v, volume, took)
}

// changed notes what a volume is now. Where Fly answered well and changed nothing, asking
// again would never end.
func (r *volumeRun) changed(v *PlannedVolume, volume *fly.Volume, took bool) error {
	if volume.ID != v.ID {
		return fmt.Errorf("%s: Fly answered of volume %s", v.key(), volume.ID)
	}
	if !took {
		r.failed[v.key()] = fmt.Errorf("%s: Fly took it, and the volume is as it was", v.key())
	}
	if volume.AttachedMachine == nil && v.Machine != "" {
		volume.AttachedMachine = &v.Machine // not all answers have it
	}
	r.put(*volume)
	return nil
}

// put takes what an answer says of a volume, and plans anew.
func (r *volumeRun) put(v fly.Volume) {
	if i := slices.IndexFunc(r.plan.listed, func(o fly.Volume) bool { return o.ID == v.ID }); i >= 0 {
		r.plan.listed[i] = v
	} else {
		r.plan.listed = append(r.plan.listed, v)
	}
	r.plan.match()
}

// Differs says what is set otherwise than it was.
func (s Settings) Differs(from Settings) string {
	text := ""
	add := func(format string, a ...any) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf(format, a...)
	}
	if s.SizeGB != from.SizeGB {
		add("%d GB -> %d GB", from.SizeGB, s.SizeGB)
	}
	if s.Retention != from.Retention {
		add("snapshot_retention %d -> %d", from.Retention, s.Retention)
	}
	if yes(s.Scheduled) != yes(from.Scheduled) {
		add("scheduled_snapshots %t -> %t", yes(from.Scheduled), yes(s.Scheduled))
	}
	return text
}
