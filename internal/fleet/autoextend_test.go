package fleet

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

const growToml = shopToml + `  auto_extend_size_threshold = 80
  auto_extend_size_increment = "1gb"
  auto_extend_size_limit = "9gb"
`

// growing are a machine in the primary region and two elsewhere; the last one is stopped.
func growing(t *testing.T) (fake *fakefly.Fake, ids []string) {
	fake = shop(t)
	for _, region := range []string{"ams", "fra", "syd"} {
		m := machineOn(has(fake, region, ""), "app")
		m.Config.Image, m.Config.Env = "registry.fly.io/shop:1", map[string]string{"KEPT": "1"}
		m.Config.Checks = map[string]fly.MachineCheck{"up": {}}
		if region == "syd" {
			m.State = "stopped"
		}
		ids = append(ids, fake.AddMachine("shop", m).ID)
	}
	fake.ForgetJournal()
	return fake, ids
}

func TestAutoExtend(t *testing.T) {
	tests := []struct {
		name  string
		fault func(*fakefly.Fake)
	}{
		{"well", nil},
		{"answered with an error, and done", func(f *fakefly.Fake) { f.Fail("Update", fakefly.BadGatewayAfterSuccess) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake, ids := growing(t)
			if tt.fault != nil {
				tt.fault(fake)
			}
			result, err := applied(t.Context(), t, fake, growToml, VolumeWish{AutoExtend: true})
			if err != nil {
				t.Fatal(err)
			}
			// The primary region's comes last.
			if diff := cmp.Diff([]string{ids[1], ids[2], ids[0]}, result.Restarted); diff != "" || result.Left != 0 {
				t.Errorf("restarted (-want +got):\n%s; %d left", diff, result.Left)
			}
			var updated []string
			for _, w := range fake.Writes() {
				if w.Call == "Update" {
					updated = append(updated, w.Path[strings.LastIndex(w.Path, "/")+1:])
					if w.Nonce == "" {
						t.Error("updated without a lease")
					}
				}
			}
			if !slices.Equal(updated, result.Restarted) {
				t.Errorf("updated %v, want %v", updated, result.Restarted)
			}
			for _, m := range fake.AppMachines("shop") {
				mount := m.Config.Mounts[0]
				if growthOn(&mount) != (Growth{80, 1, 9}) || m.Config.Env["KEPT"] != "1" || m.Config.Image == "" {
					t.Errorf("%s: %+v", m.ID, m.Config)
				}
				if want := map[bool]string{true: "stopped", false: "started"}[m.Region == "syd"]; m.State != want {
					t.Errorf("%s is %s, want %s", m.Region, m.State, want)
				}
				if lease, err := client(t, fake, "shop").Lease(t.Context(), m.ID); lease != nil || err != nil {
					t.Errorf("%s: lease %+v, %v", m.ID, lease, err)
				}
			}
			fake.ForgetJournal()
			if _, err := applied(t.Context(), t, fake, growToml, VolumeWish{AutoExtend: true}); err != nil || len(fake.Writes()) > 0 {
				t.Errorf("a second time: %v, %v", err, fake.Writes())
			}
		})
	}
}

func TestAutoExtendStops(t *testing.T) {
	tests := []struct {
		name  string
		fault func(t *testing.T, f *fakefly.Fake, ids []string)
		want  string
		done  int // machines
	}{
		{"somebody else has the lease", func(t *testing.T, f *fakefly.Fake, ids []string) {
			if _, err := client(t, f, "shop").AcquireLease(t.Context(), ids[2], time.Hour); err != nil {
				t.Fatal(err)
			}
		}, "take the lease of machine", 1},
		{"refused", func(_ *testing.T, f *fakefly.Fake, _ []string) {
			f.Fail("Update", fakefly.Answer(422, "no such image"))
		}, "no such image", 0},
		{"not done", func(_ *testing.T, f *fakefly.Fake, _ []string) { f.Fail("Update", fakefly.ServerError) }, "internal server error", 0},
		{"host down", func(_ *testing.T, f *fakefly.Fake, ids []string) {
			for _, v := range f.AppVolumes("shop") {
				if *v.AttachedMachine == ids[2] {
					f.HostDown(v.Zone, true)
				}
			}
		}, "unreachable", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake, ids := growing(t)
			tt.fault(t, fake, ids)
			result, err := applied(t.Context(), t, fake, growToml, VolumeWish{AutoExtend: true})
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(result.Restarted) != tt.done || result.Left != 3-tt.done {
				t.Errorf("got %+v, %v; want %q after %d machines", result, err, tt.want, tt.done)
			}
			if lease, err := client(t, fake, "shop").Lease(t.Context(), ids[1]); lease != nil || err != nil && !errors.Is(err, flyapi.ErrNotFound) {
				t.Errorf("the lease of %s was kept: %+v, %v", ids[1], lease, err)
			}
		})
	}
}

// A machine that does not pass its checks keeps the others from being touched.
func TestAutoExtendWaitsForChecks(t *testing.T) {
	fake, ids := growing(t)
	looks := 0
	fake.Fail("Update", fakefly.After(func() {
		fake.Fail("Machine", fakefly.Before(func() {
			looks++
			if n := len(fake.AppMachines("shop")); n != 3 {
				t.Errorf("%d machines", n)
			}
			fake.SetMachine(ids[1], func(m *fly.Machine) {
				status := fly.Critical
				if looks > 5 {
					status = fly.Passing
				}
				for _, c := range m.Checks {
					c.Status = status
				}
			})
		}).Times(8))
	}))
	updates := func() int { return fake.Calls()["Update"] }
	fake.Fail("Update", fakefly.Before(func() {
		if looks <= 5 {
			t.Errorf("the second machine was updated after %d looks at the first, which did not pass", looks)
		}
	}))
	if _, err := applied(t.Context(), t, fake, growToml, VolumeWish{AutoExtend: true}); err != nil || updates() != 3 {
		t.Errorf("%v; %d updates", err, updates())
	}
}

// A machine that is about to run is not stopped by it.
func TestAutoExtendOfOneThatStarts(t *testing.T) {
	fake, ids := growing(t)
	fake.Fail("AcquireLease", fakefly.After(func() {
		fake.Fail("Machine", fakefly.Before(func() { fake.SetMachine(ids[1], func(m *fly.Machine) { m.State = "starting" }) }))
	}))
	if _, err := applied(t.Context(), t, fake, growToml, VolumeWish{AutoExtend: true}); err != nil {
		t.Fatal(err)
	}
	for _, m := range fake.AppMachines("shop") {
		if want := map[bool]string{true: "stopped", false: "started"}[m.Region == "syd"]; m.State != want {
			t.Errorf("%s is %s, want %s", m.Region, m.State, want)
		}
	}
}
