package fleet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	fly "github.com/superfly/fly-go"
)

// FuzzPlanVolumes plans for fleets of any kind. Whatever there is: the order of the lists
// does not matter, no volume is lost or told twice, and once what is planned has been
// made, nothing is left to make and no volume that was needed is spare.
func FuzzPlanVolumes(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, uint8(2), true)
	f.Add([]byte{255, 128, 64, 32}, uint8(0), false)
	config := parse(f, groupsToml)
	f.Fuzz(func(t *testing.T, data []byte, count uint8, one bool) {
		fleet := fuzzedFleet(data)
		wish := VolumeWish{Count: int(count % 5), Regions: []string{"syd"}, Replicated: true}
		if wish.Count > 0 || one {
			wish.Group = "web"
		}
		plan, err := PlanVolumes(config, fleet, wish)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, v := range plan.Volumes {
			if v.Exists() && seen[v.ID] {
				t.Fatalf("%s is told twice", v.ID)
			}
			seen[v.ID] = true
		}
		for _, v := range fleet.Volumes {
			if !seen[v.ID] {
				t.Fatalf("%s is lost", v.ID)
			}
		}
		id, spare := plan.ID(), spares(plan)
		slices.Reverse(fleet.Volumes)
		slices.Reverse(fleet.Machines)
		if again, err := PlanVolumes(config, fleet, wish); err != nil || again.ID() != id {
			t.Fatalf("another order makes another plan:\n%s\n%s", told(plan), told(again))
		}
		for i, v := range plan.makes() {
			fleet.Volumes = append(fleet.Volumes, fly.Volume{ID: fmt.Sprint("vol_new", i), Name: v.Name, Region: v.Region, SizeGb: v.Then.SizeGB, CreatedAt: time.Unix(1e9, 0)})
		}
		after, err := PlanVolumes(config, fleet, wish)
		if err != nil || len(after.makes()) > 0 || !slices.Equal(spares(after), spare) {
			t.Fatalf("made, and still not as planned: %v\n%s\nthen\n%s", err, told(plan), told(after))
		}
	})
}

func spares(p *VolumePlan) []string {
	var ids []string
	for _, v := range p.Volumes {
		if v.Spare {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

// fuzzedFleet makes a volume of each byte, with a machine on it or not.
func fuzzedFleet(data []byte) *Fleet {
	f := &Fleet{App: "shop", Parts: Volumes | Machines}
	for i, b := range data[:min(len(data), 60)] {
		v := fly.Volume{ID: fmt.Sprint("vol_", i), Name: []string{"data", "data", "data", "cache"}[b%4], Region: []string{"ams", "fra", "syd"}[b/4%3],
			SizeGb: 1, CreatedAt: time.Unix(int64(b/16), 0), HostStatus: []string{"ok", "ok", "unreachable", ""}[b/64]}
		if group := []string{"web", "worker", "", "gone", "fly_app_console"}[b/8%5]; group != "" {
			m := machineOn(v, group)
			m.ID = fmt.Sprint("machine", i)
			if b%2 == 0 {
				v.AttachedMachine = &m.ID
			}
			if group != "gone" {
				f.Machines = append(f.Machines, &m)
			}
		}
		f.Volumes = append(f.Volumes, v)
	}
	return f
}
