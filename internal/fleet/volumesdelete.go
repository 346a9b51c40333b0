package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/flyapi"
)

// Deletion is a volume that is to be deleted, with what else has its name.
type Deletion struct {
	Volume fly.Volume
	InUse  []string // ids of volumes of its name that a machine has which has run, on hosts that are there
	Others []string // ids of the others of its name
}

// AttachedError says that a volume is attached to a machine.
type AttachedError struct{ Volume, Machine, Name string }

func (e *AttachedError) Error() string {
	machine := e.Machine
	if e.Name != "" {
		machine += " (" + e.Name + ")"
	}
	return fmt.Sprintf("volume %s is attached to machine %s: destroy that first, if it is to go (fly machine destroy %s)", e.Volume, machine, e.Machine)
}

// LastCopyError says that no machine has another volume of this one's name, so that it may
// be the only one with the data.
type LastCopyError struct {
	Volume, Name string
	Others       []string // of the name, and on no machine that can be reached
}

func (e *LastCopyError) Error() string {
	text := fmt.Sprintf("volume %s may be the last copy: no machine that has run has another volume named %s", e.Volume, e.Name)
	if len(e.Others) > 0 {
		text += " (" + strings.Join(e.Others, ", ") + " cannot be told to have the same data)"
	}
	return text
}

// PlanDeletion looks whether a volume can be deleted. Unless last, it refuses what may be
// the last copy of the data. f holds Volumes and Machines.
//
// The errors are *AttachedError, *LastCopyError and, of an id that is not there,
// flyapi.ErrNotFound.
func PlanDeletion(f *Fleet, id string, last bool) (*Deletion, error) {
	v := f.Volume(id)
	if v == nil {
		var ids []string
		for _, other := range f.Volumes {
			ids = append(ids, other.ID)
		}
		text := "the app has no volume " + fmt.Sprintf("%q", id)
		switch near := flyconf.Nearest(id, ids); {
		case near != "":
			text += "; did you mean " + near + "?"
		case len(ids) > 0:
			text += ": flysql volumes plan lists those it has"
		}
		return nil, &noVolume{text}
	}
	holders := f.Holders()
	if machine := holders[id]; machine != "" {
		e := &AttachedError{Volume: id, Machine: machine}
		if m := f.Machine(machine); m != nil {
			e.Name = m.Name
		}
		return nil, e
	}
	d := &Deletion{Volume: *v}
	for _, other := range f.Volumes {
		switch {
		case other.ID == id || other.Name != v.Name:
		case hasRun(f.Machine(holders[other.ID])) && Reachable(other.HostStatus):
			d.InUse = append(d.InUse, other.ID)
		default:
			d.Others = append(d.Others, other.ID)
		}
	}
	if len(d.InUse) == 0 && !last {
		return nil, &LastCopyError{id, v.Name, d.Others}
	}
	return d, nil
}

// hasRun tells whether a machine may have written to its volume: what is stuck in created
// has not, and one that is in no list is not known to have.
func hasRun(m *fly.Machine) bool { return m != nil && m.State != fly.MachineStateCreated }

type noVolume struct{ text string }

func (e *noVolume) Error() string { return e.text }
func (e *noVolume) Unwrap() error { return flyapi.ErrNotFound }

// snapshotPatience is how long a snapshot may take. Fly names no time; one of some
// gigabytes takes minutes.
const snapshotPatience = 15 * time.Minute

// Apply deletes the volume once a snapshot of it is there that was asked for now, and
// returns that snapshot. Without the snapshot, the volume stays. The default of Patience
// is 15 minutes here.
func (d *Deletion) Apply(ctx context.Context, client *flyapi.Client, how Applying) (*fly.VolumeSnapshot, error) {
	if how.Say == nil {
		how.Say = func(string) {}
	}
	if how.Patience <= 0 {
		how.Patience = snapshotPatience
	}
	snapshot, err := d.snapshot(ctx, client, how)
	if err != nil {
		return nil, fmt.Errorf("%w; the volume stays", err)
	}
	// It takes minutes, in which somebody may have put a machine on the volume.
	v, err := client.Volume(ctx, d.Volume.ID)
	switch {
	case errors.Is(err, flyapi.ErrNotFound):
		return snapshot, nil
	case err != nil:
		return snapshot, err
	case v.IsAttached():
		e := &AttachedError{Volume: v.ID}
		if v.AttachedMachine != nil {
			e.Machine = *v.AttachedMachine
		}
		return snapshot, e
	}
	return snapshot, d.delete(ctx, client, how)
}

// delete asks until the volume is gone.
func (d *Deletion) delete(ctx context.Context, client *flyapi.Client, how Applying) error {
	id := d.Volume.ID
	for try := 1; ; try++ {
		err := client.DeleteVolume(ctx, id)
		if err == nil || errors.Is(err, flyapi.ErrNotFound) {
			how.Say(fmt.Sprintf("deleted %s: %s in %s, %d GB", id, d.Volume.Name, d.Volume.Region, d.Volume.SizeGb))
			return nil
		}
		if hopeless(ctx, err) || !errors.Is(err, flyapi.ErrUnknown) && !errors.Is(err, flyapi.ErrRateLimited) || try >= triesMost {
			return err
		}
		how.Say(err.Error())
		volumes, listErr := listVolumes(ctx, client)
		if listErr != nil {
			return errors.Join(err, listErr)
		}
		if f := (&Fleet{Volumes: volumes}); f.Volume(id) == nil {
			how.Say("it was deleted")
			return nil
		}
	}
}

// snapshot has one taken, and waits until it is there.
func (d *Deletion) snapshot(ctx context.Context, client *flyapi.Client, how Applying) (*fly.VolumeSnapshot, error) {
	id := d.Volume.ID
	before, err := client.Snapshots(ctx, id)
	if err != nil {
		return nil, err
	}
	old := map[string]bool{}
	for _, s := range before {
		old[s.ID] = true
	}
	asked := client.CreateSnapshot(ctx, id)
	if asked != nil && (!errors.Is(asked, flyapi.ErrUnknown) || hopeless(ctx, asked)) {
		return nil, asked
	}
	how.Say("a snapshot of " + id + " is being taken")
	seen := false
	for wait, until := how.Patience/512, how.Patience; ; wait = min(2*wait, how.Patience/64) {
		list, err := client.Snapshots(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			switch {
			case old[s.ID]:
				continue
			case s.Status == "created":
				how.Say("snapshot " + s.ID + " is there")
				return &s, nil
			case strings.Contains(s.Status, "fail") || strings.Contains(s.Status, "error"):
				return nil, fmt.Errorf("snapshot %s of %s: its status is %s: run it again to have another taken", s.ID, id, s.Status)
			}
			seen = true
		}
		switch {
		case asked != nil && !seen && until < how.Patience-how.Patience/32:
			return nil, asked // it was not taken: it would be listed by now
		case until < 0:
			return nil, fmt.Errorf("snapshot of %s: it is not there after %v: see fly volumes snapshots list %s, and run it again", id, how.Patience, id)
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
		until -= wait
	}
}
