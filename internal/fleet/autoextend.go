package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/flyapi"
)

// Growth is when and how far Fly makes a volume larger by itself. Its zero value is
// never. It belongs to the machine that has the volume, and changing it restarts that.
type Growth struct {
	ThresholdPercent int // of the volume in use
	IncrementGB      int
	LimitGB          int
}

// growthOf is fly.toml's.
func growthOf(mount *flyconf.Mount) Growth {
	return Growth{mount.AutoExtendThresholdPercent, mount.AutoExtendIncrementGB, mount.AutoExtendLimitGB}
}

// growthOn is a machine's.
func growthOn(mount *fly.MachineMount) Growth {
	return Growth{mount.ExtendThresholdPercent, mount.AddSizeGb, mount.SizeGbLimit}
}

// String is as a plan shows it.
func (a Growth) String() string {
	if a == (Growth{}) {
		return "never"
	}
	return fmt.Sprintf("at %d%% by %d GB up to %d GB", a.ThresholdPercent, a.IncrementGB, a.LimitGB)
}

// PlannedMachine is a machine whose auto-extend is not as fly.toml says.
type PlannedMachine struct {
	ID, Region, Group string
	Source            string // the volume's name
	Now, Then         Growth
}

// driftingMachines are those of the planned groups, the primary region's last: a
// replica that does not come up again is found before the primary is touched.
func (p *VolumePlan) driftingMachines(f *Fleet, primary string) []PlannedMachine {
	var list []PlannedMachine
	told := map[string]bool{}
	for _, n := range p.needs {
		if !n.planned || told[n.group] {
			continue
		}
		told[n.group] = true
		for _, m := range f.OfGroup(n.group) {
			for _, mount := range Config(m).Mounts {
				now, then := growthOn(&mount), growthOf(&n.mount)
				if mountIs(&mount, n.mount.Source, n.mount.Destination) && now != then {
					list = append(list, PlannedMachine{ID: m.ID, Region: m.Region, Group: n.group, Source: n.mount.Source, Now: now, Then: then})
				}
			}
		}
	}
	last := func(m PlannedMachine) int {
		if m.Region == primary {
			return 1
		}
		return 0
	}
	slices.SortFunc(list, func(a, b PlannedMachine) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a.Region, b.Region), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// mountIs tells whether a machine's mount is that of fly.toml. Fly keeps the name only of
// mounts that were made by it.
func mountIs(mount *fly.MachineMount, source, path string) bool {
	return mount.Name == source || mount.Name == "" && mount.Path == path
}

// autoExtendNote tells of them where they are left as they are.
func autoExtendNote(machines []PlannedMachine) string {
	var ids []string
	for _, m := range machines {
		ids = append(ids, m.ID+" ("+m.Region+")")
	}
	return fmt.Sprintf("auto-extend is not as fly.toml says on machine %s: the next fly deploy sets it, or --auto-extend, which restarts them one by one", strings.Join(ids, ", "))
}

const (
	// machineLease is how long nobody else may change a machine: longer than an update takes.
	machineLease = 10 * time.Minute
	// machineUp is how long a machine may take to run and pass its checks again.
	machineUp = 5 * time.Minute
)

// restartMachines sets auto-extend on one machine after the other. The first that does
// not come up again ends it.
func (r *volumeRun) restartMachines(ctx context.Context, machines []PlannedMachine) error {
	for _, m := range machines {
		if err := r.setAutoExtend(ctx, m); err != nil {
			return err
		}
		r.result.Restarted = append(r.result.Restarted, m.ID)
		delete(r.restart, m.ID)
	}
	return nil
}

func (r *volumeRun) setAutoExtend(ctx context.Context, planned PlannedMachine) (err error) {
	lease, err := r.client.AcquireLease(ctx, planned.ID, machineLease)
	if err != nil {
		return err
	}
	defer func() {
		// Also after Ctrl-C: else the next deploy waits for the lease to end.
		within, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer stop()
		if giveErr := r.client.ReleaseLease(within, planned.ID, lease.Nonce); giveErr != nil && !errors.Is(giveErr, flyapi.ErrNotFound) {
			err = errors.Join(err, giveErr)
		}
	}()
	m, err := r.client.Machine(ctx, planned.ID)
	if err != nil {
		return err
	}
	if m.Config == nil {
		return fmt.Errorf("set auto-extend of machine %s: its host is %s, and its configuration is not known whole: run it again when the host is back", m.ID, m.HostStatus)
	}
	changed := false
	for i := range m.Config.Mounts {
		mount := &m.Config.Mounts[i]
		if mountIs(mount, planned.Source, mount.Path) && growthOn(mount) != planned.Then {
			mount.ExtendThresholdPercent, mount.AddSizeGb, mount.SizeGbLimit = planned.Then.ThresholdPercent, planned.Then.IncrementGB, planned.Then.LimitGB
			changed = true
		}
	}
	if !changed {
		return nil // a deploy was faster
	}
	running := runs(m.State)
	updated, err := r.client.Update(ctx, fly.LaunchMachineInput{ID: m.ID, Region: m.Region, Name: m.Name, Config: m.Config, SkipLaunch: !running}, lease.Nonce)
	if err != nil {
		if updated, err = r.updatedAnyway(ctx, planned, m.InstanceID, err); err != nil {
			return err
		}
	}
	r.Say(fmt.Sprintf("auto-extend of machine %s: %s", m.ID, planned.Then))
	if !running {
		return nil
	}
	return r.comesUp(ctx, m.ID, updated.InstanceID)
}

// runs tells whether a machine runs, or is about to: what is not is left as it is, which
// would stop one that is on its way.
func runs(state string) bool {
	return slices.Contains([]string{fly.MachineStateStarted, "starting", "restarting", "replacing"}, state)
}

// updatedAnyway asks whether an update was carried out whose answer was an error.
func (r *volumeRun) updatedAnyway(ctx context.Context, planned PlannedMachine, instance string, after error) (*fly.Machine, error) {
	if !errors.Is(after, flyapi.ErrUnknown) || hopeless(ctx, after) {
		return nil, after
	}
	m, err := r.client.Machine(ctx, planned.ID)
	if err != nil {
		return nil, errors.Join(after, err)
	}
	if m.InstanceID == instance {
		return nil, after
	}
	r.Say(after.Error())
	return m, nil
}

// comesUp waits until a version of a machine runs and passes its checks.
func (r *volumeRun) comesUp(ctx context.Context, id, instance string) error {
	within, stop := context.WithTimeout(ctx, machineUp)
	defer stop()
	for {
		m, err := r.client.Machine(within, id)
		if err == nil && (instance == "" || m.InstanceID == instance) && m.State == fly.MachineStateStarted && passes(m) {
			return nil
		}
		if err == nil {
			err = pause(within, min(r.Patience/10, 2*time.Second))
		}
		switch {
		case err == nil:
		case ctx.Err() == nil && within.Err() != nil:
			return fmt.Errorf("machine %s does not run and pass its checks %v after auto-extend was set: look at fly logs --machine %s; the other machines were left alone", id, machineUp, id)
		default:
			return err
		}
	}
}

func passes(m *fly.Machine) bool {
	for _, check := range m.Checks {
		if check == nil || check.Status != fly.Passing {
			return false
		}
	}
	return true
}
