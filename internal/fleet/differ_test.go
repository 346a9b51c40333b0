package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
)

const shopTOML = `app = "shop"
primary_region = "ams"
kill_signal = "SIGTERM"
kill_timeout = "30s"

[env]
  DATABASE_URL = "file:///data/app.db"

[[mounts]]
  source = "data"
  destination = "/data"
  initial_size = "1GB"
  snapshot_retention = 14
  auto_extend_size_threshold = 80
  auto_extend_size_increment = "1GB"
  auto_extend_size_limit = "10GB"

[http_service]
  internal_port = 8080
  auto_stop_machines = "off"
  [[http_service.checks]]
    path = "/healthz"

[checks.db]
  type = "http"
  port = 8080

[[vm]]
  size = "shared-cpu-1x"
  memory = "512mb"
`

// asShop is a fleet that is as shopTOML says: a machine with a volume in each region.
func asShop(regions ...string) *Fleet {
	f := &Fleet{App: "shop"}
	for i, region := range regions {
		volume, signal, off := fmt.Sprintf("vol_%d", i), "SIGTERM", fly.MachineAutostopOff
		f.Volumes = append(f.Volumes, fly.Volume{ID: volume, Name: "data", Region: region, SizeGb: 1, SnapshotRetention: 14, AutoBackupEnabled: true})
		f.Machines = append(f.Machines, &fly.Machine{
			ID: fmt.Sprintf("m%d", i), Region: region, State: "started", UpdatedAt: "2026-01-01T00:00:00Z",
			ImageRef: fly.MachineImageRef{Repository: "shop", Tag: "deployment-01A", Digest: "sha256:aaaa"},
			Config: &fly.MachineConfig{
				Env:        map[string]string{"DATABASE_URL": "file:///data/app.db", "PRIMARY_REGION": "ams", "FLY_PROCESS_GROUP": "app"},
				Guest:      &fly.MachineGuest{CPUKind: "shared", CPUs: 1, MemoryMB: 512},
				Metadata:   map[string]string{fly.MachineConfigMetadataKeyFlyProcessGroup: "app"},
				Mounts:     []fly.MachineMount{{Volume: volume, Name: "data", Path: "/data", ExtendThresholdPercent: 80, AddSizeGb: 1, SizeGbLimit: 10}},
				Services:   []fly.MachineService{{InternalPort: 8080, Autostop: &off, Checks: []fly.MachineServiceCheck{{}}}},
				Checks:     map[string]fly.MachineCheck{"db": {}},
				StopConfig: &fly.StopConfig{Signal: &signal, Timeout: &fly.Duration{Duration: 30 * time.Second}},
			},
		})
	}
	return f
}

func parseShop(t testing.TB, text string) *flyconf.Config {
	t.Helper()
	c, err := flyconf.Parse("fly.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDifferences(t *testing.T) {
	suspend := fly.MachineAutostopSuspend
	for _, tt := range []struct {
		name   string
		change func(f *Fleet, m *fly.Machine, v *fly.Volume) // of the first region
		want   []string
	}{
		{"none", func(*Fleet, *fly.Machine, *fly.Volume) {}, nil},
		{"no mount", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) { m.Config.Mounts = nil },
			[]string{"mount-missing mounts[0].source machine m0 (ams): it has no volume data", "volume-unused mounts[0].source volume vol_0 (ams): no machine has it"}},
		{"mount", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) {
			m.Config.Mounts[0] = fly.MachineMount{Volume: "vol_0", Name: "other", Path: "/mnt", ExtendThresholdPercent: 90, AddSizeGb: 1}
		}, []string{
			"mount-name mounts[0].source machine m0 (ams): its volume is other, not data",
			"mount-path mounts[0].destination machine m0 (ams): the volume is mounted at /mnt, not at /data",
			"auto-extend mounts[0].auto_extend_size_threshold machine m0 (ams): auto_extend_size_threshold is 90%, not 80%",
			"auto-extend mounts[0].auto_extend_size_limit machine m0 (ams): auto_extend_size_limit is 0GB, not 10GB"}},
		{"env", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) {
			m.Config.Env = map[string]string{"DATABASE_URL": "s3cret", "OTHER": "s3cret", "PRIMARY_REGION": "syd"}
		}, []string{
			"env env.DATABASE_URL machine m0 (ams): env has another DATABASE_URL",
			"env env machine m0 (ams): env has OTHER, which fly.toml has not",
			"env primary_region machine m0 (ams): PRIMARY_REGION is syd, not ams"}},
		{"no env", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) { m.Config.Env = nil },
			[]string{"env env.DATABASE_URL machine m0 (ams): env has no DATABASE_URL"}},
		{"guest", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) {
			m.Config.Guest = &fly.MachineGuest{CPUKind: "performance", CPUs: 2, MemoryMB: 256}
		}, []string{
			"guest vm[0].memory machine m0 (ams): memory is 256MB, not 512MB",
			"guest vm[0].size machine m0 (ams): it has 2 cpus, not 1",
			"guest vm[0].size machine m0 (ams): its cpus are performance, not shared"}},
		{"services", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) {
			m.Config.Services[0].Autostop, m.Config.Services[0].Checks, m.Config.Checks = &suspend, nil, nil
		}, []string{
			`auto-stop http_service.auto_stop_machines machine m0 (ams): auto_stop_machines is "suspend", not "off"`,
			"checks http_service.checks machine m0 (ams): the service on port 8080 has 0 checks, not 1",
			"checks checks.db machine m0 (ams): it has no check db"}},
		{"no service", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) { m.Config.Services = nil },
			[]string{"service http_service.internal_port machine m0 (ams): no service is on port 8080"}},
		{"stop", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) { m.Config.StopConfig = nil },
			[]string{"stop kill_signal machine m0 (ams): kill_signal is not SIGTERM", "stop kill_timeout machine m0 (ams): kill_timeout is not 30s"}},
		{"volume", func(_ *Fleet, _ *fly.Machine, v *fly.Volume) { v.SnapshotRetention, v.AutoBackupEnabled = 5, false },
			[]string{"retention mounts[0].snapshot_retention volume vol_0 (ams): snapshots are kept for 5 days, not 14",
				"no-snapshots mounts[0].scheduled_snapshots volume vol_0 (ams): scheduled snapshots are off, and fly.toml leaves them on: state scheduled_snapshots there, and flysql volumes apply sets it"}},
		{"a volume of another name", func(_ *Fleet, _ *fly.Machine, v *fly.Volume) { v.Name, v.SnapshotRetention = "old", 1 }, nil},
		{"group", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) {
			m.Config.Metadata[fly.MachineConfigMetadataKeyFlyProcessGroup], m.Config.Env = "worker", nil
		}, []string{"group-unknown  machine m0 (ams): process group worker is not in fly.toml"}},
		{"a console", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) {
			m.Config.Metadata[fly.MachineConfigMetadataKeyFlyProcessGroup], m.Region = "fly_app_console", "ams"
		}, []string{"primary-missing primary_region ams: no machine is in primary_region ams"}},
		{"host down", func(_ *Fleet, m *fly.Machine, _ *fly.Volume) {
			m.HostStatus, m.Config.Env = fly.HostStatusUnreachable, nil
		}, nil},
		{"images", func(f *Fleet, m *fly.Machine, _ *fly.Volume) {
			m.ImageRef = fly.MachineImageRef{Tag: "deployment-01B", Digest: "sha256:bbbb"}
			m.UpdatedAt = "2026-01-02T00:00:00Z"
		}, []string{"images  machine m1 (syd): it runs 01A, and the last that was updated 01B"}},
		{"primary", func(_ *Fleet, m *fly.Machine, v *fly.Volume) { m.Region, v.Region = "fra", "fra" },
			[]string{"primary-missing primary_region ams: no machine is in primary_region ams"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := asShop("ams", "syd")
			tt.change(f, f.Machines[0], &f.Volumes[0])
			var got []string
			for _, d := range Differences(parseShop(t, shopTOML), f) {
				got = append(got, fmt.Sprintf("%s %s %s: %s", d.Kind, d.Key, d.Object(), d.Message))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(strings.Join(got, ""), "s3cret") {
				t.Error("a variable's value is told")
			}
		})
	}
}

// Groups that share a volume's name have settings of their own for it.
func TestDifferencesOfSharedNames(t *testing.T) {
	f := asShop("ams", "syd")
	for i, group := range []string{"web", "worker"} {
		f.Machines[i].Config = &fly.MachineConfig{Metadata: map[string]string{fly.MachineConfigMetadataKeyFlyProcessGroup: group},
			Mounts: []fly.MachineMount{{Volume: f.Volumes[i].ID, Name: "data", Path: "/data"}}}
	}
	f.Volumes[1].SnapshotRetention = 5
	toml := "app = 'shop'\nprimary_region = 'ams'\n[processes]\n  web = 'shop'\n  worker = 'shop work'\n"
	for _, group := range []string{"web", "worker"} {
		toml += fmt.Sprintf("[[mounts]]\n  source = 'data'\n  destination = '/data'\n  processes = ['%s']\n  snapshot_retention = %d\n", group, map[string]int{"web": 14, "worker": 5}[group])
	}
	if got := Differences(parseShop(t, toml), f); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	f.Volumes[1].SnapshotRetention = 14
	if got := Differences(parseShop(t, toml), f); len(got) != 1 || got[0].Key != "mounts[1].snapshot_retention" || got[0].Volume != "vol_1" {
		t.Errorf("%+v", got)
	}
}

// What fly.toml does not say is no difference, whatever Fly has.
func TestDifferencesOfNothingSaid(t *testing.T) {
	f := asShop("ams")
	f.Machines[0].Config.Env, f.Machines[0].Config.Guest = map[string]string{}, nil
	f.Machines[0].Config.Mounts = nil
	if got := Differences(parseShop(t, "app = 'shop'\n"), f); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := Differences(parseShop(t, shopTOML), &Fleet{}); len(got) != 0 {
		t.Errorf("of an app without machines: %+v", got)
	}
}

func TestShortImage(t *testing.T) {
	for _, tt := range []struct {
		m    fly.Machine
		want string
	}{
		{fly.Machine{ImageRef: fly.MachineImageRef{Tag: "deployment-01A", Digest: "sha256:0123456789abcdef"}}, "01A"},
		{fly.Machine{ImageRef: fly.MachineImageRef{Digest: "sha256:0123456789abcdef"}}, "0123456789ab"},
		{fly.Machine{Config: &fly.MachineConfig{Image: "registry.fly.io/shop:v3"}}, "v3"},
		{fly.Machine{}, "?"},
	} {
		if got := ShortImage(&tt.m); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.m.ImageRef, got, tt.want)
		}
	}
}
