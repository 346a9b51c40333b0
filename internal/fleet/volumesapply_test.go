package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

// impatient is how tests apply: nothing but the fake is waited for.
var impatient = Applying{Patience: 20 * time.Millisecond}

// applied plans and applies in one go.
func applied(ctx context.Context, t testing.TB, fake *fakefly.Fake, toml string, wish VolumeWish) (*VolumeResult, error) {
	t.Helper()
	c := client(t, fake, "shop")
	plan, err := SurveyVolumes(ctx, c, parse(t, toml), wish)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Apply(ctx, c, impatient)
}

// where counts an app's volumes by region.
func where(fake *fakefly.Fake) map[string]int {
	n := map[string]int{}
	for _, v := range fake.AppVolumes("shop") {
		n[v.Region]++
	}
	return n
}

func TestApplyMakesWhatIsPlanned(t *testing.T) {
	fake := shop(t)
	old := has(fake, "ams", "app", func(v *fly.Volume) { v.SnapshotRetention, v.AutoBackupEnabled, v.SizeGb = 5, false, 1 })
	fake.ForgetJournal()
	result, err := applied(t.Context(), t, fake, shopToml, VolumeWish{Regions: []string{"fra", "syd"}, Replicated: true, Extend: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"ams": 1, "fra": 1, "syd": 1}, where(fake)); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	for _, v := range fake.AppVolumes("shop") {
		if v.SizeGb != 3 || v.SnapshotRetention != 14 || !v.AutoBackupEnabled {
			t.Errorf("%s: %d GB, retention %d, snapshots %t", v.ID, v.SizeGb, v.SnapshotRetention, v.AutoBackupEnabled)
		}
	}
	if len(result.Made) != 2 || !slices.Equal(result.Changed, []string{old.ID}) || len(result.Restart) != 1 || result.Left != 0 {
		t.Errorf("result %+v", result)
	}
	// Two lists and the regions for the plan, a request for each change, a list at the end.
	want := map[string]int{"Volumes": 2, "Machines": 1, "Regions": 1, "CreateVolume": 2, "ExtendVolume": 1, "UpdateVolume": 1}
	if diff := cmp.Diff(want, fake.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	fake.ForgetJournal()
	if result, err = applied(t.Context(), t, fake, shopToml, VolumeWish{Regions: []string{"fra", "syd"}, Replicated: true, Extend: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"Volumes": 1, "Machines": 1}, fake.Calls()); diff != "" {
		t.Errorf("calls of a second time (-want +got):\n%s", diff)
	}
	if len(result.Made)+len(result.Changed)+len(result.Removed) != 0 {
		t.Errorf("a second time did %+v", result)
	}
}

// Whatever goes wrong once or twice with the requests, exactly what was planned is there.
func TestApplyIsExactThroughFaults(t *testing.T) {
	faults := map[string]fakefly.Fault{
		"502 after success":     fakefly.BadGatewayAfterSuccess,
		"502":                   fakefly.BadGateway,
		"500":                   fakefly.ServerError,
		"503":                   fakefly.Unavailable,
		"dropped":               fakefly.Drop,
		"dropped after success": fakefly.DropAfterSuccess,
		"garbage":               fakefly.Garbage,
		"429":                   fakefly.RateLimited,
		"conflict":              fakefly.Answer(409, "a change is under way"),
	}
	for _, call := range []string{"CreateVolume", "ExtendVolume", "UpdateVolume", "Volumes"} {
		for name, fault := range faults {
			if call == "Volumes" && (name == "garbage" || name == "conflict") {
				continue // of a read, these are no moment's
			}
			for _, skip := range []int{0, 1} {
				for _, eventual := range []int{0, 2} {
					t.Run(fmt.Sprintf("%s/%s/%d/%d", call, name, skip, eventual), func(t *testing.T) {
						t.Parallel()
						fake := shop(t)
						has(fake, "ams", "app", func(v *fly.Volume) { v.SnapshotRetention, v.SizeGb = 5, 1 })
						fake.EventualListing(eventual)
						fake.Fail(call, fault.Skip(skip).Times(2))
						result, err := applied(t.Context(), t, fake, shopToml, VolumeWish{Regions: []string{"fra", "syd"}, Count: 2, Replicated: true, Extend: true})
						if err != nil {
							t.Fatal(err)
						}
						if diff := cmp.Diff(map[string]int{"ams": 1, "fra": 2, "syd": 2}, where(fake)); diff != "" {
							t.Errorf("volumes (-want +got):\n%s", diff)
						}
						if result.Left != 0 || len(result.Extra) != 0 {
							t.Errorf("result %+v", result)
						}
					})
				}
			}
		}
	}
}

// Two who apply the same at once end with what one would have made.
func TestApplyTwoAtOnce(t *testing.T) {
	for i, eventual := range []int{0, 1, 3, 0, 1, 3} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			fake := shop(t)
			if i < 3 { // else they take the zones from each other
				fake.SetHosts("ams", 10)
				fake.SetHosts("fra", 10)
			}
			has(fake, "ams", "app")
			fake.EventualListing(eventual)
			wish := VolumeWish{Regions: []string{"ams", "fra"}, Count: 3, Replicated: true}
			const both = 2
			var plans []*VolumePlan
			var clients []*flyapi.Client
			for range both { // all have planned before one begins
				c := client(t, fake, "shop")
				plan, err := SurveyVolumes(t.Context(), c, parse(t, shopToml), wish)
				if err != nil {
					t.Fatal(err)
				}
				plans, clients = append(plans, plan), append(clients, c)
			}
			var wg sync.WaitGroup
			results, errs := make([]*VolumeResult, both), make([]error, both)
			for i := range both {
				wg.Go(func() { results[i], errs[i] = plans[i].Apply(t.Context(), clients[i], impatient) })
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]int{"ams": 3, "fra": 3}, where(fake)); diff != "" {
				t.Errorf("volumes (-want +got):\n%s\n%+v\n%+v", diff, results[0], results[1])
			}
			kept := len(results[0].Made) + len(results[1].Made)
			if kept != 5 {
				t.Errorf("%d volumes were said to be made, want 5", kept)
			}
		})
	}
}

// Only what this very call made is ever deleted, and only while nothing is on it.
func TestApplyDeletesOnlyItsOwn(t *testing.T) {
	fake := shop(t)
	others := []fly.Volume{}
	fake.Fail("CreateVolume", fakefly.Before(func() { others = append(others, has(fake, "ams", "")) }))
	result, err := applied(t.Context(), t, fake, shopToml, VolumeWish{})
	if err != nil {
		t.Fatal(err)
	}
	left := fake.AppVolumes("shop")
	if len(left) != 1 || left[0].ID != others[0].ID || len(result.Removed) != 1 {
		t.Errorf("left %v, result %+v: want the other's volume, which is older", left, result)
	}

	fake = shop(t)
	fake.Fail("CreateVolume", fakefly.After(func() {
		made := fake.AppVolumes("shop")[0]
		has(fake, "ams", "")
		fake.AddMachine("shop", machineOn(made, "app"))
	}))
	if result, err = applied(t.Context(), t, fake, shopToml, VolumeWish{}); err != nil {
		t.Fatal(err)
	}
	if len(fake.AppVolumes("shop")) != 2 || len(result.Removed) != 0 {
		t.Errorf("left %v, result %+v: want both, since a machine is on the one and the other is another's", fake.AppVolumes("shop"), result)
	}
}

func TestApplyGivesUp(t *testing.T) {
	wish := VolumeWish{Regions: []string{"fra", "syd"}, Replicated: true}
	tests := []struct {
		name  string
		fault func(*fakefly.Fake)
		want  error
		text  string
		where map[string]int
	}{
		{"no room in one region", func(f *fakefly.Fake) { f.SetCapacity("fra", 0) }, flyapi.ErrCapacity, "near fra are ams, arn, bom", map[string]int{"ams": 1, "syd": 1}},
		{"no right", func(f *fakefly.Fake) { f.Fail("CreateVolume", fakefly.Forbidden.Always()) }, flyapi.ErrForbidden, "fly tokens create org", map[string]int{}},
		{"token ends", func(f *fakefly.Fake) { f.Fail("*", fakefly.Unauthorized.Skip(5).Always()) }, flyapi.ErrToken, "renew it", map[string]int{"ams": 1, "fra": 1}},
		{"down in the middle", func(f *fakefly.Fake) { f.Fail("*", fakefly.Drop.Skip(4).Always()) }, flyapi.ErrUnavailable, "try again", map[string]int{"ams": 1}},
		{"refused", func(f *fakefly.Fake) { f.Fail("CreateVolume", fakefly.Answer(422, "name is reserved").Always()) }, flyapi.ErrRefused, "name is reserved", map[string]int{}},
		{"never answers well", func(f *fakefly.Fake) { f.Fail("CreateVolume", fakefly.ServerError.Always()) }, flyapi.ErrUnknown, "internal server error", map[string]int{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := shop(t)
			tt.fault(fake)
			result, err := applied(t.Context(), t, fake, shopToml, wish)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
			if diff := cmp.Diff(tt.where, where(fake)); diff != "" {
				t.Errorf("volumes (-want +got):\n%s", diff)
			}
			if result.Left != 3-len(tt.where) || len(result.Made) != len(tt.where) {
				t.Errorf("result %+v", result)
			}
			fake.Heal()
			fake.SetCapacity("fra", -1)
			if _, err := applied(t.Context(), t, fake, shopToml, wish); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]int{"ams": 1, "fra": 1, "syd": 1}, where(fake)); diff != "" {
				t.Errorf("volumes after running again (-want +got):\n%s", diff)
			}
		})
	}
}

// Ended at any request, before it had its effect or after, and run again, exactly what was
// planned is there.
func TestApplyEndedAnywhere(t *testing.T) {
	wish := VolumeWish{Regions: []string{"fra", "syd"}, Replicated: true, Extend: true}
	for n := range 8 {
		for _, when := range []struct {
			name  string
			fault func(func()) fakefly.Fault
		}{{"before", fakefly.Before}, {"after", fakefly.After}} {
			t.Run(fmt.Sprint(when.name, n), func(t *testing.T) {
				fake := shop(t)
				has(fake, "ams", "app", func(v *fly.Volume) { v.SnapshotRetention, v.SizeGb = 5, 1 })
				fake.EventualListing(1)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				c := client(t, fake, "shop")
				plan, err := SurveyVolumes(ctx, c, parse(t, shopToml), wish)
				if err != nil {
					t.Fatal(err)
				}
				fake.Fail("*", when.fault(stop).Skip(n))
				// The last answer may have come before the end.
				if result, err := plan.Apply(ctx, c, impatient); err != nil && !errors.Is(err, context.Canceled) || err == nil && result.Left != 0 {
					t.Errorf("ended, and got %+v, %v", result, err)
				}
				if _, err := applied(t.Context(), t, fake, shopToml, wish); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(map[string]int{"ams": 1, "fra": 1, "syd": 1}, where(fake)); diff != "" {
					t.Errorf("volumes (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A volume that Fly says it has changed, and has not, ends the run.
func TestApplyNotTaken(t *testing.T) {
	fake := shop(t)
	v := has(fake, "ams", "app", func(v *fly.Volume) { v.SnapshotRetention = 5 })
	fake.Fail("UpdateVolume", fakefly.Page(200, fmt.Sprintf(`{"id": %q, "name": "data", "region": "ams", "size_gb": 3, "snapshot_retention": 5}`, v.ID)).Always())
	result, err := applied(t.Context(), t, fake, shopToml, VolumeWish{})
	if err == nil || !strings.Contains(err.Error(), "Fly took it, and the volume is as it was") || result.Left != 1 {
		t.Errorf("got %+v, %v", result, err)
	}
}
