package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
)

// patient lists until a list is as hoped for, or patience ends; the pauses double.
func (r *volumeRun) patient(ctx context.Context, hoped func() bool) error {
	wait, until := r.Patience/64, r.Patience
	for {
		if err := r.list(ctx); err != nil {
			return err
		}
		if hoped() || wait > until {
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		until -= wait
		wait *= 2
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for Fly's list: %w", context.Cause(ctx))
	case <-timer.C:
		return nil
	}
}

// list takes what there is, and plans anew. What this run made and a list does not show
// yet is there all the same.
func (r *volumeRun) list(ctx context.Context) error {
	volumes, err := listVolumes(ctx, r.client)
	if err != nil {
		return err
	}
	clear(r.shown)
	for _, v := range volumes {
		r.shown[v.ID] = true
		if _, mine := r.made[v.ID]; mine {
			r.made[v.ID] = v
		}
	}
	for _, id := range r.hidden() {
		volumes = append(volumes, r.made[id])
	}
	r.plan.listed = volumes
	r.plan.match()
	return nil
}

// hidden are the ids of what this run made and the last list did not show.
func (r *volumeRun) hidden() []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(r.made)) {
		if !r.shown[id] && !r.doomed[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// look lists after an error. Where a volume may have been made, by this request or by
// somebody else who took its zone, it waits for it to be listed: a list may be behind.
func (r *volumeRun) look(ctx context.Context, v *PlannedVolume, after error) error {
	if v.Exists() || !errors.Is(after, flyapi.ErrUnknown) && !(v.UniqueZone && errors.Is(after, flyapi.ErrCapacity)) {
		return r.list(ctx)
	}
	r.Say(fmt.Sprintf("looking whether a volume %s is in %s all the same", v.Name, v.Region))
	before := map[string]bool{}
	for _, one := range r.plan.listed {
		before[one.ID] = true
	}
	appeared := ""
	err := r.patient(ctx, func() bool {
		for _, one := range r.plan.listed {
			if one.Name == v.Name && one.Region == v.Region && !before[one.ID] {
				appeared = one.ID
			}
		}
		return appeared != ""
	})
	if appeared != "" && errors.Is(after, flyapi.ErrUnknown) {
		r.Say("it was made: " + appeared)
		r.result.Made = append(r.result.Made, appeared)
		delete(r.tries, v.key())
	}
	return err
}

// settle ends a run in which nothing is left to do: what it made is listed, and what it
// made too many is deleted. Again says that something is left after all.
//
// Once the youngest that this run made is listed, so is all that is older, whoever made
// it: then those who run at once see the same, and agree.
func (r *volumeRun) settle(ctx context.Context) (again bool, err error) {
	if err := r.patient(ctx, func() bool { return len(r.hidden()) == 0 }); err != nil {
		return false, err
	}
	for _, id := range r.hidden() {
		if err := r.verify(ctx, id); err != nil {
			return false, err
		}
	}
	if r.next() == nil {
		return r.removeExtra(ctx)
	}
	if r.tries["settle"]++; r.tries["settle"] > triesMost {
		return false, errors.New("volumes vanish while others are made: somebody else deletes them; look at fly volumes list, then run it again")
	}
	return true, nil
}

// verify asks for a volume that this run made, and that no list shows.
func (r *volumeRun) verify(ctx context.Context, id string) error {
	_, err := r.client.Volume(ctx, id)
	if !errors.Is(err, flyapi.ErrNotFound) {
		return err
	}
	r.Say(id + " is gone again: somebody else has deleted it")
	r.forget(id)
	return nil
}

func (r *volumeRun) forget(id string) {
	delete(r.made, id)
	r.plan.listed = slices.DeleteFunc(r.plan.listed, func(v fly.Volume) bool { return v.ID == id })
	r.plan.match()
}

// removeExtra deletes what this run made too many.
func (r *volumeRun) removeExtra(ctx context.Context) (again bool, err error) {
	for id := range r.doomed {
		if _, mine := r.made[id]; mine && !r.shown[id] { // deleted, though the answer was an error
			r.result.Removed = append(r.result.Removed, id)
			r.forget(id)
		}
	}
	for _, v := range slices.Clone(r.plan.Volumes) {
		if _, mine := r.made[v.ID]; !mine || !v.Spare {
			continue
		}
		r.doomed[v.ID] = true
		r.tries["delete "+v.ID]++
		err := r.client.DeleteVolume(ctx, v.ID)
		switch {
		case err == nil || errors.Is(err, flyapi.ErrNotFound):
			r.Say(fmt.Sprintf("deleted %s again: somebody else has made one in %s at the same time", v.ID, v.Region))
			r.result.Removed = append(r.result.Removed, v.ID)
			r.forget(v.ID)
		case hopeless(ctx, err):
			return false, err
		case errors.Is(err, flyapi.ErrConflict) || r.tries["delete "+v.ID] >= triesMost:
			r.Say(err.Error()) // a machine has it by now: it stays
			delete(r.made, v.ID)
		default:
			r.Say(err.Error())
		}
		again = true
	}
	return again, nil
}

// finish says what was done.
func (r *volumeRun) finish(before *VolumePlan, err error) (*VolumeResult, error) {
	for _, v := range r.plan.listed {
		if _, mine := r.made[v.ID]; mine && !slices.Contains(r.result.Made, v.ID) {
			r.result.Made = append(r.result.Made, v.ID)
		}
	}
	then := map[string]Settings{}
	for _, v := range r.plan.Volumes {
		then[v.ID] = v.Now
		if v.Spare && !r.doomed[v.ID] {
			r.result.Extra = append(r.result.Extra, v.ID)
		}
	}
	for _, v := range before.Volumes {
		if now, there := then[v.ID]; v.Exists() && there && now.text() != v.Now.text() {
			r.result.Changed = append(r.result.Changed, v.ID)
		}
	}
	slices.Sort(r.result.Removed)
	r.result.Restart = slices.Sorted(maps.Keys(r.restart))
	r.result.Left = r.plan.changes()
	left := map[string]bool{}
	for i := range r.plan.Volumes {
		if v := &r.plan.Volumes[i]; v.Changed() {
			left[v.key()] = true
		}
	}
	errs := []error{err}
	for _, key := range slices.Sorted(maps.Keys(r.failed)) {
		if left[key] { // else somebody else has done it meanwhile
			errs = append(errs, r.failed[key])
		}
	}
	return r.result, errors.Join(errs...)
}

// elsewhere adds to the error of a region without room which ones are near.
func (r *volumeRun) elsewhere(ctx context.Context, v *PlannedVolume, err error) error {
	if v.Exists() || !errors.Is(err, flyapi.ErrCapacity) {
		return err
	}
	regions, listErr := r.client.Regions(ctx)
	if listErr != nil {
		return err // this one is what the user needs to know
	}
	if near := NearRegions(regions, v.Region, 3); len(near) > 0 {
		return fmt.Errorf("%w; near %s are %s", err, v.Region, strings.Join(near, ", "))
	}
	return err
}
