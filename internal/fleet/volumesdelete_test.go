package fleet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

// deleted plans and deletes in one go.
func deleted(ctx context.Context, t *testing.T, fake *fakefly.Fake, id string, last bool) (*fly.VolumeSnapshot, error) {
	t.Helper()
	c := client(t, fake, "shop")
	f, err := Survey(ctx, c, Volumes|Machines)
	if err != nil {
		t.Fatal(err)
	}
	d, err := PlanDeletion(f, id, last)
	if err != nil {
		return nil, err
	}
	return d.Apply(ctx, c, Applying{Patience: 300 * time.Millisecond})
}

func TestDelete(t *testing.T) {
	tests := []struct {
		name  string
		fault func(*fakefly.Fake, fly.Volume)
		want  string // of the error; empty: it is deleted
	}{
		{"well", nil, ""},
		{"snapshot answered with an error, and taken", func(f *fakefly.Fake, _ fly.Volume) { f.Fail("CreateSnapshot", fakefly.BadGatewayAfterSuccess) }, ""},
		{"snapshot not taken", func(f *fakefly.Fake, _ fly.Volume) { f.Fail("CreateSnapshot", fakefly.BadGateway.Always()) }, "snapshot volume vol_x: bad gateway"},
		{"snapshot refused", func(f *fakefly.Fake, _ fly.Volume) { f.Fail("CreateSnapshot", fakefly.Forbidden) }, "the volume stays"},
		{"snapshot fails", func(f *fakefly.Fake, v fly.Volume) {
			f.Fail("CreateSnapshot", fakefly.Before(func() { f.AddSnapshot(v.ID, "failed", 0) }))
			f.Fail("Snapshots", fakefly.Page(200, `[]`), fakefly.Page(200, `[{"id": "vs_1", "status": "failed"}]`))
		}, "its status is failed"},
		{"snapshot never ends", func(f *fakefly.Fake, _ fly.Volume) {
			f.Fail("Snapshots", fakefly.Page(200, `[{"id": "vs_0", "status": "created"}]`), fakefly.Page(200, `[{"id": "vs_1", "status": "waiting"}, {"id": "vs_0", "status": "created"}]`).Always())
		}, "it is not there after 300ms"},
		{"attached meanwhile", func(f *fakefly.Fake, v fly.Volume) {
			f.Fail("CreateSnapshot", fakefly.After(func() { f.AddMachine("shop", machineOn(v, "app")) }))
		}, "is attached to machine"},
		{"attached at the last moment", func(f *fakefly.Fake, v fly.Volume) {
			f.Fail("DeleteVolume", fakefly.Before(func() { f.AddMachine("shop", machineOn(v, "app")) }))
		}, "failed_precondition"},
		{"deleted by somebody else", func(f *fakefly.Fake, v fly.Volume) {
			f.Fail("Volume", fakefly.NotFound)
			f.Fail("CreateSnapshot", fakefly.After(func() {
				if err := client(t, f, "shop").DeleteVolume(context.Background(), v.ID); err != nil {
					t.Error(err)
				}
			}))
			f.Fail("Snapshots", fakefly.Page(200, `[]`), fakefly.Page(200, `[{"id": "vs_1", "status": "created"}]`))
		}, ""},
		{"delete answered with an error, and done", func(f *fakefly.Fake, _ fly.Volume) { f.Fail("DeleteVolume", fakefly.DropAfterSuccess) }, ""},
		{"delete answered with an error, and not done", func(f *fakefly.Fake, _ fly.Volume) { f.Fail("DeleteVolume", fakefly.BadGateway.Times(2)) }, ""},
		{"never deleted", func(f *fakefly.Fake, _ fly.Volume) { f.Fail("DeleteVolume", fakefly.ServerError.Always()) }, "delete volume vol_x: internal server error"},
		{"host down", func(f *fakefly.Fake, v fly.Volume) { f.HostDown(v.Zone, true) }, "the volume stays"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := shop(t)
			has(fake, "ams", "app")
			v := has(fake, "fra", "", func(v *fly.Volume) { v.ID = "vol_x" })
			if tt.fault != nil {
				tt.fault(fake, v)
			}
			snapshot, err := deleted(t.Context(), t, fake, v.ID, false)
			there := where(fake)["fra"] == 1
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || !there {
					t.Errorf("got %v, there %t; want %q, and the volume there", err, there, tt.want)
				}
				return
			}
			if err != nil || there || snapshot == nil || snapshot.Status != "created" {
				t.Errorf("got %+v, %v, there %t", snapshot, err, there)
			}
		})
	}
}

func TestDeleteRefuses(t *testing.T) {
	fake := shop(t)
	used := has(fake, "ams", "app")
	free := has(fake, "fra", "")
	cache := has(fake, "ams", "", func(v *fly.Volume) { v.Name = "cache" })
	var attached *AttachedError
	if _, err := deleted(t.Context(), t, fake, used.ID, true); !errors.As(err, &attached) || attached.Machine == "" || attached.Name == "" {
		t.Errorf("attached: %v", err)
	}
	var last *LastCopyError
	if _, err := deleted(t.Context(), t, fake, cache.ID, false); !errors.As(err, &last) {
		t.Errorf("last copy: %v", err)
	}
	if _, err := deleted(t.Context(), t, fake, "vol_none", false); !errors.Is(err, flyapi.ErrNotFound) {
		t.Errorf("not there: %v", err)
	}
	// The other is attached, and nobody can reach it: this one may be the last.
	fake.HostDown(used.Zone, true)
	if _, err := deleted(t.Context(), t, fake, free.ID, false); !errors.As(err, &last) || len(last.Others) != 1 {
		t.Errorf("the other's host is down: %v", err)
	}
	fake.HostDown(used.Zone, false)
	// The other's machine has never run: its volume is empty.
	fake.SetMachine(fake.AppMachines("shop")[0].ID, func(m *fly.Machine) { m.State = fly.MachineStateCreated })
	if _, err := deleted(t.Context(), t, fake, free.ID, false); !errors.As(err, &last) || len(last.Others) != 1 {
		t.Errorf("the other's machine is stuck in created: %v", err)
	}
	if len(fake.Writes()) > 0 {
		t.Errorf("a refusal wrote: %v", fake.Writes())
	}
	if _, err := deleted(t.Context(), t, fake, cache.ID, true); err != nil {
		t.Errorf("--last-copy: %v", err)
	}
}

// Stopped while the snapshot is taken, the volume is there.
func TestDeleteStopped(t *testing.T) {
	fake := shop(t)
	has(fake, "ams", "app")
	v := has(fake, "fra", "")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	fake.Fail("CreateSnapshot", fakefly.After(stop))
	if _, err := deleted(ctx, t, fake, v.ID, false); !errors.Is(err, context.Canceled) || where(fake)["fra"] != 1 {
		t.Errorf("got %v, and %v", err, where(fake))
	}
}
