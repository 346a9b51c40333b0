package fleet

import (
	"context"
	"errors"
	"strings"
	"sync"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
)

// Parts says what a survey asks for. Each part is one call, but for Snapshots.
type Parts uint

// The parts of a fleet.
const (
	Volumes Parts = 1 << iota
	Machines
	Secrets
	Regions   // all of Fly's, not only the app's
	Snapshots // one call for each volume; asks for Volumes too
)

// Fleet is what an app has on Fly, as lists told it at one time. Parts that were not
// asked for are empty.
type Fleet struct {
	App       string
	Parts     Parts                           // what was asked for
	Volumes   []fly.Volume                    // oldest first; none that is being destroyed
	Machines  []*fly.Machine                  // by region, then oldest first; none that is being destroyed
	Secrets   []flyapi.Secret                 // by name
	Regions   []fly.Region                    // by code
	Snapshots map[string][]fly.VolumeSnapshot // by the volume's id, newest first
}

// atOnce is how many requests a survey has under way.
const atOnce = 8

// Survey asks for the parts of an app's fleet, all at the same time. It only reads. The
// error is the first one met; what else failed is not told.
func Survey(ctx context.Context, client *flyapi.Client, parts Parts) (*Fleet, error) {
	if parts&Snapshots != 0 {
		parts |= Volumes
	}
	f := &Fleet{App: client.AppName(), Parts: parts}
	var lists []func(ctx context.Context) error
	if parts&Volumes != 0 {
		lists = append(lists, func(ctx context.Context) (err error) {
			f.Volumes, err = listVolumes(ctx, client)
			return err
		})
	}
	if parts&Machines != 0 {
		lists = append(lists, func(ctx context.Context) (err error) {
			f.Machines, err = client.Machines(ctx)
			return err
		})
	}
	if parts&Secrets != 0 {
		lists = append(lists, func(ctx context.Context) (err error) {
			f.Secrets, err = client.Secrets(ctx)
			return err
		})
	}
	if parts&Regions != 0 {
		lists = append(lists, func(ctx context.Context) (err error) {
			f.Regions, err = client.Regions(ctx)
			return err
		})
	}
	if err := together(ctx, lists); err != nil {
		return nil, err
	}
	if parts&Snapshots != 0 {
		return f, f.listSnapshots(ctx, client)
	}
	return f, nil
}

// listVolumes lists volumes without those that Fly is about to destroy: they take no
// machine, and cost nothing.
func listVolumes(ctx context.Context, client *flyapi.Client) ([]fly.Volume, error) {
	volumes, err := client.Volumes(ctx)
	var kept []fly.Volume
	for _, v := range volumes {
		if !strings.Contains(v.State, "destroy") {
			kept = append(kept, v)
		}
	}
	return kept, err
}

func (f *Fleet) listSnapshots(ctx context.Context, client *flyapi.Client) error {
	f.Snapshots = make(map[string][]fly.VolumeSnapshot, len(f.Volumes))
	var mu sync.Mutex
	var lists []func(ctx context.Context) error
	for _, v := range f.Volumes {
		lists = append(lists, func(ctx context.Context) error {
			list, err := client.Snapshots(ctx, v.ID)
			if errors.Is(err, flyapi.ErrNotFound) {
				return nil // deleted since it was listed
			}
			mu.Lock()
			defer mu.Unlock()
			f.Snapshots[v.ID] = list
			return err
		})
	}
	return together(ctx, lists)
}

// together does things at the same time, some of them, and returns when all have ended:
// with the error of the first that failed, which ends the others.
func together(ctx context.Context, do []func(ctx context.Context) error) error {
	within, stop := context.WithCancel(ctx)
	defer stop()
	var (
		wg     sync.WaitGroup
		once   sync.Once
		failed error
		places = make(chan struct{}, atOnce)
	)
	for _, one := range do {
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if err := one(within); err != nil {
				once.Do(func() {
					failed = err
					stop()
				})
			}
		})
	}
	wg.Wait()
	return failed
}

// Machine is the one of that id, or nil.
func (f *Fleet) Machine(id string) *fly.Machine {
	for _, m := range f.Machines {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// Volume is the one of that id, or nil.
func (f *Fleet) Volume(id string) *fly.Volume {
	for i := range f.Volumes {
		if f.Volumes[i].ID == id {
			return &f.Volumes[i]
		}
	}
	return nil
}

// OfGroup are the machines of a process group.
func (f *Fleet) OfGroup(group string) []*fly.Machine {
	var list []*fly.Machine
	for _, m := range f.Machines {
		if Group(m) == group {
			list = append(list, m)
		}
	}
	return list
}

// Group is a machine's process group. Machines that run for a moment have groups that are
// in no fly.toml: those of release commands, tests and consoles.
func Group(m *fly.Machine) string {
	if m.IsReleaseCommandMachine() {
		return fly.MachineProcessGroupFlyAppReleaseCommand
	}
	if group := m.ProcessGroup(); group != "" {
		return group
	}
	return fly.MachineProcessGroupApp
}

// Config is a machine's configuration; of one whose host is down, what Fly could put
// together of it, which is not whole. It is never nil.
func Config(m *fly.Machine) *fly.MachineConfig {
	if config := m.GetConfig(); config != nil {
		return config
	}
	return &fly.MachineConfig{}
}

// Reachable tells whether a host_status is that of a host that is there.
func Reachable(hostStatus string) bool {
	return hostStatus == "" || hostStatus == string(fly.HostStatusOk)
}

// Holders are the machines that volumes are attached to, by the volume's id: by the
// volume's own word, or by the machine's. Either may be behind the other for a moment.
func (f *Fleet) Holders() map[string]string {
	holders := map[string]string{}
	for _, m := range f.Machines {
		for _, mount := range Config(m).Mounts {
			if mount.Volume != "" {
				holders[mount.Volume] = m.ID
			}
		}
	}
	for _, v := range f.Volumes {
		if v.AttachedMachine != nil && *v.AttachedMachine != "" {
			holders[v.ID] = *v.AttachedMachine
		}
	}
	return holders
}
