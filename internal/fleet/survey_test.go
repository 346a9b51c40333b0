package fleet

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

// client speaks to a fake as fast as it answers.
func client(t testing.TB, fake *fakefly.Fake, app string) *flyapi.Client {
	t.Helper()
	c, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("test", fakefly.Token), App: app, BaseURL: fake.URL(), Speed: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// machineOn is a machine of a group with a volume.
func machineOn(volume fly.Volume, group string) fly.Machine {
	return fly.Machine{Region: volume.Region, Config: &fly.MachineConfig{
		Metadata: map[string]string{fly.MachineConfigMetadataKeyFlyProcessGroup: group},
		Mounts:   []fly.MachineMount{{Volume: volume.ID, Name: volume.Name, Path: "/data"}},
	}}
}

func TestSurveyIsOneCallForEachPart(t *testing.T) {
	fake := fakefly.Start(t)
	fake.AddApp("shop", "personal")
	fake.AddSecret("shop", "FLY_CONSUL_URL", "x")
	var first fly.Volume
	for i := range 5 {
		v := fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams"})
		fake.AddMachine("shop", machineOn(v, "app"))
		fake.AddSnapshot(v.ID, "created", time.Hour)
		if i == 0 {
			first = v
		}
	}
	fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams", State: "pending_destroy"})
	tests := []struct {
		name  string
		parts Parts
		want  map[string]int
	}{
		{"volumes", Volumes, map[string]int{"Volumes": 1}},
		{"both", Volumes | Machines, map[string]int{"Volumes": 1, "Machines": 1}},
		{"all but snapshots", Volumes | Machines | Secrets | Regions, map[string]int{"Volumes": 1, "Machines": 1, "Secrets": 1, "Regions": 1}},
		{"snapshots", Snapshots, map[string]int{"Volumes": 1, "Snapshots": 5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t, fake, "shop")
			f, err := Survey(t.Context(), c, tt.parts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, c.Calls()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if len(f.Volumes) != 5 {
				t.Errorf("%d volumes, want the 5 that are not being destroyed", len(f.Volumes))
			}
			if tt.parts&Snapshots != 0 && len(f.Snapshots[first.ID]) != 1 {
				t.Errorf("snapshots of %s: %v", first.ID, f.Snapshots)
			}
			if tt.parts&Machines != 0 && len(f.OfGroup("app")) != 5 {
				t.Errorf("%d machines of app, want 5", len(f.OfGroup("app")))
			}
		})
	}
}

func TestSurveyFails(t *testing.T) {
	tests := []struct {
		name  string
		call  string
		fault fakefly.Fault
		want  error
	}{
		{"token", "Volumes", fakefly.Unauthorized, flyapi.ErrToken},
		{"down", "*", fakefly.Unavailable.Always(), flyapi.ErrUnavailable},
		{"snapshots", "Snapshots", fakefly.Forbidden.Skip(2), flyapi.ErrForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := fakefly.Start(t)
			fake.AddApp("shop", "personal")
			for range 4 {
				fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams"})
			}
			fake.Fail(tt.call, tt.fault)
			_, err := Survey(t.Context(), client(t, fake, "shop"), Volumes|Machines|Snapshots)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// A volume that is deleted between two lists is no error.
func TestSurveyVolumeGone(t *testing.T) {
	fake := fakefly.Start(t)
	fake.AddApp("shop", "personal")
	fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams"})
	fake.Fail("Snapshots", fakefly.NotFound)
	f, err := Survey(context.Background(), client(t, fake, "shop"), Snapshots)
	if err != nil || len(f.Volumes) != 1 || len(f.Snapshots) != 0 {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestGroupAndConfig(t *testing.T) {
	tests := []struct {
		name    string
		machine *fly.Machine
		want    string
	}{
		{"none", &fly.Machine{}, "app"},
		{"named", &fly.Machine{Config: &fly.MachineConfig{Metadata: map[string]string{"fly_process_group": "worker"}}}, "worker"},
		{"host down", &fly.Machine{IncompleteConfig: &fly.MachineConfig{Metadata: map[string]string{"fly_process_group": "worker"}}}, "worker"},
		{"release command", &fly.Machine{Config: &fly.MachineConfig{Metadata: map[string]string{"process_group": "release_command"}}}, "fly_app_release_command"},
	}
	for _, tt := range tests {
		if got := Group(tt.machine); got != tt.want {
			t.Errorf("%s: group %q, want %q", tt.name, got, tt.want)
		}
		if Config(tt.machine) == nil {
			t.Errorf("%s: no config", tt.name)
		}
	}
}
