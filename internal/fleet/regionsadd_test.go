package fleet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

// One region is added by the fewest calls: three lists, a look whether a deploy is under
// way, the volume and the list that shows it, the machine, its start, a look for each
// step of its catching up, the end of the lease and of the mark.
func TestAddOneRegion(t *testing.T) {
	s := newCluster(t, "ams")
	result, err := s.add(t.Context(), standard("syd"))
	if err != nil {
		t.Fatal(err)
	}
	s.has("ams", "syd")
	s.volumes("ams", "syd")
	if len(result.Machines) != 1 || len(result.Volumes) != 1 || result.Left != 0 || result.Begun != "" {
		t.Errorf("result %+v", result)
	}
	want := map[string]int{"Machines": 1, "Volumes": 2, "Regions": 1, "Lease": 1, "CreateVolume": 1, "Launch": 1, "Wait": 1, "Machine": 4, "ReleaseLease": 1, "DeleteMetadata": 1}
	if diff := cmp.Diff(want, s.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	// Again, there is nothing to do.
	s.ForgetJournal()
	if result, err := s.add(t.Context(), standard("syd")); err != nil || len(result.Machines) != 0 {
		t.Errorf("again: %+v, %v", result, err)
	}
	if w := s.Writes(); len(w) != 0 {
		t.Errorf("again: %+v", w)
	}
}

// A new machine has all of the other's configuration, but what is its own.
func TestAddClones(t *testing.T) {
	s := newCluster(t, "ams")
	s.SetMachine(s.primary, func(m *fly.Machine) { m.Config.Standbys = []string{"x"} })
	if _, err := s.add(t.Context(), standard("syd")); err != nil {
		t.Fatal(err)
	}
	var from, to *fly.Machine
	for _, m := range s.AppMachines("shop") {
		if m.ID == s.primary {
			from = m
		} else {
			to = m
		}
	}
	if from.Config.Mounts[0].Volume == to.Config.Mounts[0].Volume || to.Config.Mounts[0].Volume == "" || to.Name != "app-syd-1" {
		t.Errorf("%s is on %s, the other on %s", to.Name, to.Config.Mounts[0].Volume, from.Config.Mounts[0].Volume)
	}
	from.Config.Mounts[0].Volume, from.Config.Standbys = to.Config.Mounts[0].Volume, nil
	if diff := cmp.Diff(from.Config, to.Config); diff != "" {
		t.Errorf("config (-primary +new):\n%s", diff)
	}
}

// Machines come one after the other, regions in order; in the primary region, and where
// litefs.yml names candidates otherwise than flysql init does, they are candidates only
// after they have caught up, which the shop's nodes look after.
func TestAddOrder(t *testing.T) {
	tests := []struct {
		name    string
		wish    RegionWish
		via     string
		want    []string
		updates int
	}{
		{"three", RegionWish{Regions: []string{"syd", "ord"}, Count: 2, LiteFS: &flyconf.LiteFS{}, Candidate: StandardCandidate}, ViaAddress, []string{"ams", "ord", "ord", "syd", "syd"}, 0},
		{"primary region", RegionWish{Regions: []string{"ams"}, Count: 3, LiteFS: &flyconf.LiteFS{}, Candidate: StandardCandidate}, ViaAddress, []string{"ams", "ams", "ams"}, 2},
		{"by exec", RegionWish{Regions: []string{"ams"}, Count: 2, LiteFS: &flyconf.LiteFS{}, Candidate: StandardCandidate}, ViaExec, []string{"ams", "ams"}, 1},
		{"other candidates", RegionWish{Regions: []string{"syd"}, LiteFS: &flyconf.LiteFS{}, Candidate: "true"}, ViaAddress, []string{"ams", "syd"}, 1},
		{"litefs.yml not found", RegionWish{Regions: []string{"syd"}}, ViaAddress, []string{"ams", "syd"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newCluster(t, "ams")
			s.via = tt.via
			if _, err := s.add(t.Context(), tt.wish); err != nil {
				t.Fatal(err)
			}
			s.has(tt.want...)
			if got := s.Calls()["Update"]; got != tt.updates {
				t.Errorf("%d updates, want %d", got, tt.updates)
			}
			var launched bool
			for _, r := range s.Journal() { // the one before is done by then
				if r.Call == "Launch" && launched {
					t.Error("a machine was made before the one before it was done")
				}
				launched = r.Call == "Launch" || launched && r.Call != "DeleteMetadata"
				if r.Call == "Exec" {
					t.Error("the stub was not asked")
				}
			}
		})
	}
}

// Where fly.toml's primary_region is not deployed yet, the machines' own still makes
// candidates.
func TestAddWhilePrimaryRegionChanges(t *testing.T) {
	s := newCluster(t, "ams")
	s.config.PrimaryRegion = "syd"
	wish := standard("ams", "syd", "ord")
	wish.Count = 2
	cluster, err := SurveyCluster(t.Context(), s.client(), s, s.config, "", Regions)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := PlanAdd(cluster, wish)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range plan.Machines {
		if m.Guarded != (m.Region != "ord") {
			t.Errorf("machine in %s is guarded: %v", m.Region, m.Guarded)
		}
	}
	if len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "primary_region is syd in fly.toml, and ams on the machines") {
		t.Errorf("notes %q", plan.Notes)
	}
}

// Whatever becomes of one request, the next run ends with exactly what was planned.
func TestAddFaults(t *testing.T) {
	faults := map[string]fakefly.Fault{"502": fakefly.BadGateway, "502 after success": fakefly.BadGatewayAfterSuccess, "dropped": fakefly.Drop,
		"dropped after success": fakefly.DropAfterSuccess, "503": fakefly.Unavailable, "garbage": fakefly.Garbage, "429": fakefly.RateLimited}
	for name, fault := range faults {
		for _, call := range []string{"Machines", "Lease", "CreateVolume", "Launch", "Wait", "Machine", "Update", "ReleaseLease", "DeleteMetadata"} {
			t.Run(call+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newCluster(t, "ams")
				s.EventualListing(2)
				s.Fail(call, fault)
				wish := standard("ams", "syd")
				wish.Count = 2
				if _, err := s.add(t.Context(), wish); err != nil {
					s.Advance(leaseFor + time.Second)
					if _, err := s.add(t.Context(), wish); err != nil {
						t.Fatalf("again: %v", err)
					}
				}
				s.has("ams", "ams", "syd", "syd")
				s.volumes("ams", "ams", "syd", "syd")
			})
		}
	}
}

// A run that is killed at any request is gone on with by the next one.
func TestAddKilled(t *testing.T) {
	wish := standard("ams", "syd")
	wish.Count = 2
	whole := newCluster(t, "ams")
	if _, err := whole.add(t.Context(), wish); err != nil {
		t.Fatal(err)
	}
	for at := range len(whole.Journal()) {
		for _, done := range []bool{false, true} {
			s := newCluster(t, "ams")
			ctx, kill := context.WithCancel(t.Context())
			dead := func() {
				s.Fail("*", fakefly.Drop.Always()) // it asks for nothing any more
				kill()
			}
			if done {
				s.Fail("*", fakefly.After(dead).Skip(at))
			} else {
				s.Fail("*", fakefly.Drop.When(dead).Skip(at))
			}
			if _, err := s.add(ctx, wish); err == nil && at < len(whole.Journal())-1 {
				t.Errorf("killed at %d: no error", at)
			}
			kill()
			s.Heal()
			s.Advance(leaseFor + time.Second)
			if _, err := s.add(t.Context(), wish); err != nil {
				t.Errorf("killed at %d (%s), then: %v", at, whole.Journal()[at].Call, err)
			}
			s.has("ams", "ams", "syd", "syd")
			s.volumes("ams", "ams", "syd", "syd")
		}
	}
}

// Two at once make what one makes.
func TestAddTwoAtOnce(t *testing.T) {
	for range 5 {
		s := newCluster(t, "ams")
		errs := make(chan error)
		for range 2 {
			go func() { _, err := s.add(t.Context(), standard("syd")); errs <- err }()
		}
		first, second := <-errs, <-errs
		if first != nil && second != nil {
			t.Errorf("neither: %v; %v", first, second)
		}
		s.has("ams", "syd")
		s.volumes("ams", "syd")
	}
}

// What stands against an addition ends it with what to do, and with what is there.
func TestAddFails(t *testing.T) {
	tests := []struct {
		name     string
		do       func(s *cluster)
		kind     error
		want     string
		machines int // beside the first one
	}{
		{"no capacity for the volume", func(s *cluster) { s.SetCapacity("syd", 0) }, flyapi.ErrCapacity, "no capacity available in syd", 0},
		{"no capacity for the machine", func(s *cluster) { s.Fail("Launch", fakefly.NoCapacity) }, flyapi.ErrCapacity, "create a machine in syd", 0},
		{"stuck in created", func(s *cluster) { s.Fail("Launch", fakefly.StuckCreated) }, nil, "it is created; not in", 1},
		{"no rights", func(s *cluster) { s.Fail("Launch", fakefly.Forbidden) }, flyapi.ErrForbidden, "no right to it", 0},
		{"down in the middle", func(s *cluster) { s.Fail("Machine", fakefly.Unavailable.Always().Skip(1)) }, flyapi.ErrUnavailable, "status.flyio.net", 1},
		{"a deploy has the lease", func(s *cluster) { s.HoldLease(s.primary, "deployer@example.com", time.Hour) }, nil, "is being changed by deployer@example.com", 0},
		{"host down", func(s *cluster) {
			s.Fail("Machine", fakefly.Before(func() {
				for _, v := range s.AppVolumes("shop") {
					if v.Region == "syd" {
						s.HostDown(v.Zone, true)
					}
				}
			}))
		}, nil, "have them made elsewhere", 1},
		{"checks that fail", func(s *cluster) {
			s.Fail("Machine", fakefly.Before(func() {
				for _, m := range s.AppMachines("shop") {
					if m.Region == "syd" {
						s.SetMachine(m.ID, func(m *fly.Machine) { m.Checks[0].Status = fly.Critical })
					}
				}
			}).Always())
		}, nil, "it has caught up; 1 of its 2 checks pass", 1},
		{"another cluster", func(s *cluster) { s.via = "elsewhere" }, nil, "another LiteFS cluster (LFSC2)", 1},
		{"never catches up", func(s *cluster) { s.via = "slow" }, nil, "app.db is at transaction 1 of 10", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newCluster(t, "ams")
			tt.do(s)
			result, err := s.addWith(standard("syd"), oddly{s, s.via})
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.kind != nil && !errors.Is(err, tt.kind) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if got := len(s.AppMachines("shop")) - 1; got != tt.machines || (result.Begun != "") != (got == 1) || result.Left != 1 {
				t.Errorf("%d machines were made, want %d: %+v", got, tt.machines, result)
			}
		})
	}
}

// oddly is a cluster whose new node is not as it should be.
type oddly struct {
	*cluster
	how string
}

func (o oddly) Nodes(ctx context.Context, machines []*fly.Machine) map[string]Node {
	nodes := o.cluster.Nodes(ctx, machines)
	for id, n := range nodes {
		if n.Via = ViaAddress; id != o.primary && n.LiteFS != nil {
			switch o.how {
			case "elsewhere":
				n.LiteFS.ClusterID = "LFSC2"
			case "slow":
				o.mu.Lock()
				o.at[id] = 1
				o.mu.Unlock()
			}
		}
		nodes[id] = n
	}
	return nodes
}

func (s *cluster) addWith(wish RegionWish, asker NodeAsker) (*AddResult, error) {
	c := s.client()
	cluster, err := SurveyCluster(s.t.Context(), c, asker, s.config, "", Regions)
	if err != nil {
		return nil, err
	}
	plan, err := PlanAdd(cluster, wish)
	if err != nil {
		return nil, err
	}
	how := s.changing()
	how.Asker, how.Patience, how.ListPatience = asker, 300*time.Millisecond, 50*time.Millisecond
	return plan.Apply(s.t.Context(), c, how)
}

// A machine whose image does not heed the variable is stopped, not left to become the
// primary with nothing.
func TestAddDeafImage(t *testing.T) {
	s := newCluster(t, "ams")
	s.deaf = map[string]bool{}
	s.Fail("Wait", fakefly.After(func() {
		for _, m := range s.AppMachines("shop") {
			s.deaf[m.ID] = m.ID != s.primary
		}
	}))
	wish := standard("ams")
	wish.Count = 2
	_, err := s.add(t.Context(), wish)
	if err == nil || !strings.Contains(err.Error(), "does not heed FLYSQL_LITEFS_CANDIDATE") {
		t.Fatalf("got %v", err)
	}
	for _, m := range s.AppMachines("shop") {
		if m.ID != s.primary && m.State != "stopping" && m.State != "stopped" {
			t.Errorf("machine %s is %s", m.ID, m.State)
		}
	}
}

// What is not safe is refused before anything is changed.
func TestAddRefused(t *testing.T) {
	promote := &flyconf.LiteFS{}
	promote.Lease.Promote = true
	tests := []struct {
		name string
		wish RegionWish
		do   func(s *cluster)
		want string
	}{
		{"no such region", standard("amx"), nil, `Fly has no region "amx"`},
		{"closed region", standard("mad"), nil, `Fly has closed the region "mad"`},
		{"promote", RegionWish{Regions: []string{"syd"}, LiteFS: promote, Candidate: StandardCandidate}, nil, "lease.promote: true"},
		{"no primary", standard("syd"), func(s *cluster) { s.primary = "nobody" }, "no machine is the primary"},
		{"nobody answers", standard("syd"), func(s *cluster) {
			s.SetMachine(s.primary, func(m *fly.Machine) { m.State = "stopped" })
		}, "it is stopped"},
		{"mixed images", standard("syd"), func(s *cluster) {
			m := shopOn(s.AddVolume("shop", fly.Volume{Name: "data", Region: "ord"}))
			m.Config.Image = "registry.fly.io/shop:deployment-02@sha256:bbbb"
			s.AddMachine("shop", m)
		}, "a deploy is under way, or was broken off"},
		{"no such machine", RegionWish{Regions: []string{"syd"}, From: "x"}, nil, "--from x"},
		{"no machine", standard("syd"), func(s *cluster) {
			s.SetMachine(s.primary, func(m *fly.Machine) { m.State = "destroyed" })
		}, "fly deploy makes the first one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newCluster(t, "ams")
			if tt.do != nil {
				tt.do(s)
			}
			_, err := s.add(t.Context(), tt.wish)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if w := s.Writes(); len(w) != 0 {
				t.Errorf("written: %+v", w)
			}
		})
	}
}

// Nothing copies the database of a machine without LiteFS; a group without a volume has
// none.
func TestAddWithoutLiteFS(t *testing.T) {
	s := newCluster(t, "ams")
	asker := volumeMode{}
	if _, err := s.addWith(standard("syd"), asker); err == nil || !strings.Contains(err.Error(), "a second, empty database") {
		t.Errorf("got %v", err)
	}
	config, err := flyconf.Parse("fly.toml", []byte("app = \"shop\"\nprimary_region = \"ams\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	s.config = config
	s.SetMachine(s.primary, func(m *fly.Machine) { m.Config.Mounts = nil })
	if _, err := s.addWith(standard("syd"), asker); err != nil {
		t.Fatal(err)
	}
	if len(s.AppMachines("shop")) != 2 || s.Calls()["CreateVolume"] != 0 {
		t.Errorf("%d machines, calls %v", len(s.AppMachines("shop")), s.Calls())
	}
}

type volumeMode struct{}

func (volumeMode) Nodes(_ context.Context, machines []*fly.Machine) map[string]Node {
	nodes := map[string]Node{}
	for _, m := range machines {
		n := Node{Via: ViaExec}
		n.Mode = "volume"
		nodes[m.ID] = n
	}
	return nodes
}
