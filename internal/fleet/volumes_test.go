package fleet

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

const shopToml = `app = "shop"
primary_region = "ams"
[[mounts]]
  source = "data"
  destination = "/data"
  initial_size = "3gb"
  snapshot_retention = 14
  scheduled_snapshots = true
`

const groupsToml = `app = "shop"
primary_region = "ams"
[processes]
  web = "shop"
  worker = "shop work"
[[mounts]]
  source = "data"
  destination = "/data"
  processes = ["web", "worker"]
`

func parse(t testing.TB, toml string) *flyconf.Config {
	t.Helper()
	config, err := flyconf.Parse("fly.toml", []byte(toml))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// told is a plan in short: + what is made, ~ changed, = left, ? spare.
func told(p *VolumePlan) string {
	var lines []string
	for _, v := range p.Volumes {
		sign := "="
		switch {
		case !v.Exists():
			sign = "+"
		case v.Changed():
			sign = "~"
		case v.Spare:
			sign = "?"
		}
		line := fmt.Sprintf("%s %s %s %s", sign, v.Name, v.Region, v.Group)
		if !v.Exists() {
			line += fmt.Sprintf(" %d GB unique=%t", v.Then.SizeGB, v.UniqueZone)
		}
		if v.Exists() && v.Changed() {
			line += " " + v.Then.Differs(v.Now)
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}

// has gives the fake's app a volume, with a machine of a group on it where one is named.
func has(fake *fakefly.Fake, region, group string, change ...func(*fly.Volume)) fly.Volume {
	v := fly.Volume{Name: "data", Region: region, SizeGb: 3, SnapshotRetention: 14, AutoBackupEnabled: true}
	for _, c := range change {
		c(&v)
	}
	v = fake.AddVolume("shop", v)
	if group != "" {
		fake.AddMachine("shop", machineOn(v, group))
	}
	return v
}

func shop(t testing.TB) *fakefly.Fake {
	fake := fakefly.Start(t)
	fake.AddApp("shop", "personal")
	return fake
}

func TestPlanVolumes(t *testing.T) {
	small := func(v *fly.Volume) { v.SizeGb = 1 }
	large := func(v *fly.Volume) { v.SizeGb = 10 }
	old := func(v *fly.Volume) { v.SnapshotRetention, v.AutoBackupEnabled = 5, false }
	named := func(name string) func(*fly.Volume) { return func(v *fly.Volume) { v.Name = name } }
	tests := []struct {
		name string
		toml string
		has  func(*fakefly.Fake)
		wish VolumeWish
		want string
	}{
		{"nothing there", shopToml, nil, VolumeWish{}, "+ data ams app 3 GB unique=false"},
		{"as it should be", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app") }, VolumeWish{}, "= data ams app"},
		{"free ones count", shopToml, func(f *fakefly.Fake) { has(f, "ams", "") }, VolumeWish{}, "= data ams app"},
		{"settings of what is there", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app", old) }, VolumeWish{},
			"~ data ams app snapshot_retention 5 -> 14, scheduled_snapshots false -> true"},
		{"settings of a spare one", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app"); has(f, "fra", "", old) }, VolumeWish{},
			"= data ams app\n~ data fra  snapshot_retention 5 -> 14, scheduled_snapshots false -> true"},
		{"settings that fly.toml does not state", groupsToml, func(f *fakefly.Fake) { has(f, "ams", "web", old); has(f, "ams", "worker", old) }, VolumeWish{},
			"= data ams web\n= data ams worker"},
		{"settings of a spare one of groups that share a mount", groupsToml + "  snapshot_retention = 14\n", func(f *fakefly.Fake) {
			has(f, "ams", "web")
			has(f, "ams", "worker")
			has(f, "fra", "", old)
		}, VolumeWish{}, "= data ams web\n= data ams worker\n~ data fra  snapshot_retention 5 -> 14"},
		{"settings of a spare one of groups that differ", groupsToml[:strings.Index(groupsToml, "  processes")] + "  processes = [\"web\"]\n  snapshot_retention = 14\n" +
			"[[mounts]]\n  source = \"data\"\n  destination = \"/data\"\n  processes = [\"worker\"]\n", func(f *fakefly.Fake) {
			has(f, "ams", "web")
			has(f, "ams", "worker", old)
			has(f, "fra", "", old)
		}, VolumeWish{}, "= data ams web\n= data ams worker\n? data fra"},
		{"a machine stuck in created counts", shopToml, func(f *fakefly.Fake) {
			has(f, "ams", "app")
			f.SetMachine(f.AppMachines("shop")[0].ID, func(m *fly.Machine) { m.State = fly.MachineStateCreated })
		}, VolumeWish{}, "= data ams app"},
		{"smaller stays", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app", small) }, VolumeWish{}, "= data ams app"},
		{"smaller, extend", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app", small) }, VolumeWish{Extend: true}, "~ data ams app 1 GB -> 3 GB"},
		{"larger, extend", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app", large) }, VolumeWish{Extend: true}, "= data ams app"},
		{"size", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app", small) }, VolumeWish{SizeGB: 5, Regions: []string{"fra"}, Replicated: true},
			"~ data ams app 1 GB -> 5 GB\n+ data fra app 5 GB unique=false"},
		{"regions", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app") }, VolumeWish{Regions: []string{"syd", "fra", "ams"}, Replicated: true},
			"= data ams app\n+ data fra app 3 GB unique=false\n+ data syd app 3 GB unique=false"},
		{"count in each region", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app"); has(f, "fra", "app") }, VolumeWish{Count: 2, Replicated: true},
			"= data ams app\n+ data ams app 3 GB unique=true\n= data fra app\n+ data fra app 3 GB unique=true"},
		{"count in the named one", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app"); has(f, "fra", "app") }, VolumeWish{Count: 2, Regions: []string{"fra"}, Replicated: true},
			"= data ams app\n= data fra app\n+ data fra app 3 GB unique=true"},
		{"count below what runs", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app"); has(f, "ams", "app") }, VolumeWish{Count: 1, Replicated: true},
			"= data ams app\n= data ams app"},
		{"machine without volume", shopToml, func(f *fakefly.Fake) {
			has(f, "ams", "app")
			f.AddMachine("shop", fly.Machine{Region: "fra"})
		}, VolumeWish{Replicated: true}, "= data ams app\n+ data fra app 3 GB unique=false"},
		{"consoles and release commands need none", shopToml, func(f *fakefly.Fake) {
			has(f, "ams", "app")
			f.AddMachine("shop", fly.Machine{Region: "fra", Config: &fly.MachineConfig{Metadata: map[string]string{"fly_process_group": "fly_app_console"}}})
		}, VolumeWish{Replicated: true}, "= data ams app"},
		{"other names", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app"); has(f, "ams", "", named("cache")) }, VolumeWish{}, "= data ams app\n= cache ams"},
		{"groups that share a name", groupsToml, func(f *fakefly.Fake) { has(f, "ams", "worker") }, VolumeWish{Replicated: true},
			"+ data ams web 1 GB unique=true\n= data ams worker"},
		{"one group", groupsToml, func(f *fakefly.Fake) { has(f, "ams", "worker"); has(f, "ams", "") }, VolumeWish{Group: "web"},
			"= data ams web\n= data ams worker"},
		{"the other's free one is not taken", groupsToml, func(f *fakefly.Fake) {
			has(f, "ams", "")
			f.AddMachine("shop", fly.Machine{Region: "ams", Config: &fly.MachineConfig{Metadata: map[string]string{"fly_process_group": "worker"}}})
		}, VolumeWish{Group: "worker", Count: 2}, "= data ams worker\n+ data ams worker 1 GB unique=true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := shop(t)
			if tt.has != nil {
				tt.has(fake)
			}
			plan, err := SurveyVolumes(t.Context(), client(t, fake, "shop"), parse(t, tt.toml), tt.wish)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(spaced(tt.want), spaced(told(plan))); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if len(fake.Writes()) > 0 {
				t.Errorf("a plan wrote: %v", fake.Writes())
			}
			want := map[string]int{"Volumes": 1, "Machines": 1}
			if len(plan.makes()) > 0 {
				want["Regions"] = 1
			}
			if diff := cmp.Diff(want, fake.Calls()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// spaced is a text with one space wherever there are several.
func spaced(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	return strings.Join(lines, "\n")
}

func TestPlanVolumesRefuses(t *testing.T) {
	ams := func(f *fakefly.Fake) { has(f, "ams", "app") }
	tests := []struct {
		name string
		toml string
		has  func(*fakefly.Fake)
		wish VolumeWish
		want string
	}{
		{"no mounts", "app = \"shop\"\nprimary_region = \"ams\"\n", nil, VolumeWish{}, "fly.toml has no [[mounts]]"},
		{"unknown group", shopToml, nil, VolumeWish{Group: "web"}, `process group "web": fly.toml has no such group: it has app`},
		{"count of several groups", groupsToml, nil, VolumeWish{Count: 2}, "--count could mean each of the groups web, worker: give --group"},
		{"unknown region", shopToml, ams, VolumeWish{Regions: []string{"fre"}, Replicated: true}, `Fly has no region "fre"; did you mean fra?`},
		{"closed region", shopToml, ams, VolumeWish{Regions: []string{"mad"}, Replicated: true}, `Fly has closed the region "mad"`},
		{"second database", shopToml, ams, VolumeWish{Regions: []string{"fra"}}, "group app would have 2 volumes (ams, fra), and nothing copies its database"},
		{"second database beside a free volume", shopToml, func(f *fakefly.Fake) { has(f, "fra", "") }, VolumeWish{}, "group app would have 2 volumes (ams, fra)"},
		{"second database while the first's host is down", shopToml, func(f *fakefly.Fake) { f.HostDown(has(f, "ams", "").Zone, true) }, VolumeWish{}, "group app would have 2 volumes (ams, ams)"},
		{"second database beside one of the mount's old name", shopToml, func(f *fakefly.Fake) { has(f, "ams", "app", func(v *fly.Volume) { v.Name = "old" }) }, VolumeWish{},
			"group app would have 2 volumes (ams, ams)"},
		{"shrink", shopToml, ams, VolumeWish{SizeGB: 2}, "has 3 GB, and Fly makes no volume smaller than it is"},
		{"shrink a free one", shopToml, func(f *fakefly.Fake) { has(f, "ams", "") }, VolumeWish{SizeGB: 2}, "has 3 GB, and Fly makes no volume smaller than it is"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := shop(t)
			if tt.has != nil {
				tt.has(fake)
			}
			_, err := SurveyVolumes(t.Context(), client(t, fake, "shop"), parse(t, tt.toml), tt.wish)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestPlanNotes(t *testing.T) {
	fake := shop(t)
	v := has(fake, "ams", "app")
	has(fake, "ams", "app", func(o *fly.Volume) { o.Zone = v.Zone })
	down := has(fake, "fra", "app")
	gone := has(fake, "fra", "", func(o *fly.Volume) { o.Zone = down.Zone })
	fake.HostDown(down.Zone, true)
	toml := shopToml + "  auto_extend_size_threshold = 80\n  auto_extend_size_increment = \"1gb\"\n  auto_extend_size_limit = \"9gb\"\n"
	plan, err := SurveyVolumes(t.Context(), client(t, fake, "shop"), parse(t, toml), VolumeWish{Count: 3, Regions: []string{"ams"}})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(plan.Notes, "\n")
	for _, v := range plan.Volumes {
		text += "\n" + v.ID + ": " + strings.Join(v.Remarks, "\n")
	}
	for _, want := range []string{
		"nothing copies group app's database between its volumes (ams, ams, ams, fra",
		"are in one zone of ams",
		"auto-extend is not as fly.toml says on machine ",
		down.ID + ": its host is unreachable: it counts while it is attached",
		gone.ID + ": its host is unreachable: not counted",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// A volume that fly.toml has, for a group that is not planned for and has no machines, is
// not said to be none of fly.toml's.
func TestPlanOfOneGroupKnowsTheOthers(t *testing.T) {
	fake := shop(t)
	for _, name := range []string{"cache", "old"} {
		has(fake, "ams", "", func(v *fly.Volume) { v.Name = name })
	}
	toml := "app = \"shop\"\nprimary_region = \"ams\"\n[processes]\n  web = \"shop\"\n  worker = \"shop work\"\n" +
		"[[mounts]]\n  source = \"data\"\n  destination = \"/data\"\n  processes = [\"web\"]\n" +
		"[[mounts]]\n  source = \"cache\"\n  destination = \"/data\"\n  processes = [\"worker\"]\n"
	plan, err := SurveyVolumes(t.Context(), client(t, fake, "shop"), parse(t, toml), VolumeWish{Group: "web"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range plan.Volumes {
		got = append(got, v.Name+": "+strings.Join(v.Remarks, "; "))
	}
	want := []string{"data: ", "cache: of a group that is not planned for: left alone", "old: not in fly.toml: left alone"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPlanIDIsOfWhatItDoes(t *testing.T) {
	fake := shop(t)
	has(fake, "ams", "app")
	plan := func(wish VolumeWish) *VolumePlan {
		t.Helper()
		p, err := SurveyVolumes(t.Context(), client(t, fake, "shop"), parse(t, shopToml), wish)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	wish := VolumeWish{Regions: []string{"fra", "syd"}, Replicated: true}
	first := plan(wish).ID()
	if other := plan(VolumeWish{Regions: []string{"syd", "fra"}, Replicated: true}).ID(); other != first {
		t.Errorf("the order of regions makes another plan: %s and %s", first, other)
	}
	has(fake, "lhr", "") // a spare one is nothing that the plan does
	if other := plan(wish).ID(); other != first {
		t.Errorf("a spare volume makes another plan: %s and %s", first, other)
	}
	has(fake, "fra", "")
	if other := plan(wish).ID(); other == first {
		t.Error("one volume fewer to make, and the plan is the same")
	}
	if now, then := plan(wish).Cost(); now != 3*45 || then != 4*45 {
		t.Errorf("cost %v, then %v; want $1.35 and $1.80", now, then)
	}
}

func TestPlanErrorKinds(t *testing.T) {
	fake := shop(t)
	has(fake, "ams", "app")
	_, err := SurveyVolumes(t.Context(), client(t, fake, "shop"), parse(t, shopToml), VolumeWish{Regions: []string{"xxx"}, SizeGB: 1})
	var region *RegionError
	var second *SecondDatabaseError
	var shrink *ShrinkError
	if errors.As(err, &shrink); shrink == nil {
		t.Errorf("no ShrinkError in %v", err)
	}
	if errors.As(err, &second); second == nil {
		t.Errorf("no SecondDatabaseError in %v", err)
	}
	_, err = SurveyVolumes(t.Context(), client(t, fake, "shop"), parse(t, shopToml), VolumeWish{Regions: []string{"xxx"}, Replicated: true})
	if errors.As(err, &region); region == nil || region.Region != "xxx" {
		t.Errorf("no RegionError in %v", err)
	}
}

func TestNearRegions(t *testing.T) {
	regions := []fly.Region{
		{Code: "ams", Latitude: 52.4, Longitude: 4.9}, {Code: "cdg", Latitude: 48.9, Longitude: 2.4}, {Code: "fra", Latitude: 50.1, Longitude: 8.7},
		{Code: "lhr", Latitude: 51.5, Longitude: -0.1}, {Code: "nrt", Latitude: 35.7, Longitude: 139.7}, {Code: "sjc", Latitude: 37.3, Longitude: -121.9},
		{Code: "hkg", Latitude: 22.3, Longitude: 114.2, Deprecated: true}, {Code: "sin", Latitude: 1.3, Longitude: 103.9},
	}
	tests := []struct {
		code string
		want []string
	}{
		{"ams", []string{"lhr", "fra"}},
		{"nrt", []string{"sin", "sjc"}},
		{"xxx", nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, NearRegions(regions, tt.code, 2)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.code, diff)
		}
	}
}

func BenchmarkPlanVolumes(b *testing.B) {
	fake := shop(b)
	for i := range 200 {
		has(fake, []string{"ams", "fra", "syd", "ord"}[i%4], "app")
	}
	config := parse(b, shopToml)
	b.Run("plan", func(b *testing.B) {
		f, err := Survey(b.Context(), client(b, fake, "shop"), Volumes|Machines)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := PlanVolumes(config, f, VolumeWish{Replicated: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("survey+plan", func(b *testing.B) {
		c := client(b, fake, "shop")
		for b.Loop() {
			if _, err := SurveyVolumes(b.Context(), c, config, VolumeWish{Replicated: true}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(c.Calls()["Volumes"]+c.Calls()["Machines"])/float64(b.N), "calls/op")
	})
}
