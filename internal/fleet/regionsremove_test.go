package fleet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
	"github.com/flysql/flysql/internal/nodestatus"
)

// A machine is taken away by the fewest calls, in the order that ends no request and loses
// no row; its volume stays.
func TestRemove(t *testing.T) {
	s := newCluster(t, "ams", "syd")
	result, err := s.remove(t.Context(), false, "syd")
	if err != nil {
		t.Fatal(err)
	}
	s.has("ams")
	s.volumes("ams", "syd")
	if len(result.Machines) != 1 || len(result.Snapshots) != 1 || len(result.Kept) != 1 || len(result.Deleted) != 0 || result.Left != 0 {
		t.Errorf("result %+v", result)
	}
	var order []string
	for _, r := range s.Writes() {
		order = append(order, r.Call)
	}
	if diff := cmp.Diff([]string{"SetMetadata", "AcquireLease", "Cordon", "Stop", "CreateSnapshot", "RefreshLease", "Destroy"}, order); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	want := map[string]int{"Machines": 1, "Volumes": 1, "SetMetadata": 1, "AcquireLease": 1, "Cordon": 1, "Stop": 1, "Wait": 1, "Snapshots": 3, "CreateSnapshot": 1, "RefreshLease": 1, "Destroy": 1}
	if diff := cmp.Diff(want, s.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	// Again, there is no machine; the volume can still go.
	if result, err := s.remove(t.Context(), false, "syd"); err != nil || len(result.Machines) != 0 {
		t.Errorf("again: %+v, %v", result, err)
	}
	if result, err := s.remove(t.Context(), true, "syd"); err != nil || len(result.Deleted) != 1 || len(result.Snapshots) != 1 {
		t.Errorf("volume: %+v, %v", result, err)
	}
	s.volumes("ams")
}

// What was added can be removed, and added again on the volume that was kept.
func TestRemoveAndAdd(t *testing.T) {
	s := newCluster(t, "ams")
	for _, deleteVolumes := range []bool{false, true} {
		if _, err := s.add(t.Context(), standard("ord", "syd")); err != nil {
			t.Fatal(err)
		}
		s.has("ams", "ord", "syd")
		s.volumes("ams", "ord", "syd")
		if _, err := s.remove(t.Context(), deleteVolumes, "syd", "ord"); err != nil {
			t.Fatal(err)
		}
		s.has("ams")
	}
	s.volumes("ams")
}

// What an addition has begun and not finished can be taken away again.
func TestRemoveWhatWasBegun(t *testing.T) {
	for name, fault := range map[string]fakefly.Fault{"Launch": fakefly.StuckCreated, "Machine": fakefly.Unavailable.Always()} {
		s := newCluster(t, "ams")
		s.Fail(name, fault)
		if _, err := s.addWith(standard("syd"), s); err == nil {
			t.Errorf("%s: it was added", name)
		}
		s.Heal()
		if _, err := s.remove(t.Context(), true, "syd"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.has("ams")
		s.volumes("ams")
	}
}

// A run that is killed at any request is gone on with by the next one, and the volume goes
// after a snapshot.
func TestRemoveKilled(t *testing.T) {
	whole := newCluster(t, "ams", "syd")
	if _, err := whole.remove(t.Context(), true, "syd"); err != nil {
		t.Fatal(err)
	}
	for at := range len(whole.Journal()) {
		for _, done := range []bool{false, true} {
			s := newCluster(t, "ams", "syd")
			volume := s.AppVolumes("shop")[1].ID
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
			_, _ = s.remove(ctx, true, "syd") // whatever it says, the next one counts
			kill()
			s.Heal()
			s.Advance(leaseFor + time.Second)
			if _, err := s.remove(t.Context(), true, "syd"); err != nil && !strings.Contains(err.Error(), "has nothing in syd") {
				t.Errorf("killed at %d (%s), then: %v", at, whole.Journal()[at].Call, err)
			}
			s.has("ams")
			s.volumes("ams")
			asked := false
			for _, r := range s.Journal() {
				asked = asked || r.Call == "CreateSnapshot" && r.Done && strings.Contains(r.Path, volume)
				if r.Call == "DeleteVolume" && r.Done && !asked {
					t.Errorf("killed at %d: the volume was deleted without a snapshot", at)
				}
			}
		}
	}
}

func TestRemoveFaults(t *testing.T) {
	faults := map[string]fakefly.Fault{"502 after success": fakefly.BadGatewayAfterSuccess, "dropped": fakefly.Drop, "dropped after success": fakefly.DropAfterSuccess, "503": fakefly.Unavailable}
	for name, fault := range faults {
		for _, call := range []string{"SetMetadata", "AcquireLease", "Cordon", "Stop", "Wait", "CreateSnapshot", "RefreshLease", "Destroy", "DeleteVolume"} {
			t.Run(call+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newCluster(t, "ams", "syd")
				s.Fail(call, fault)
				for range 2 {
					if _, err := s.remove(t.Context(), true, "syd"); err == nil {
						break
					}
					s.Advance(leaseFor + time.Second)
				}
				s.has("ams")
				s.volumes("ams")
			})
		}
	}
}

// What could lose a row, or leave the app without a writer, is refused before anything is
// changed.
func TestRemoveRefused(t *testing.T) {
	tests := []struct {
		name   string
		remove []string
		do     func(s *cluster)
		asker  func(s *cluster, nodes map[string]Node)
		want   string
	}{
		{name: "primary_region", remove: []string{"ams"}, want: "ams is primary_region in fly.toml"},
		{name: "nothing there", remove: []string{"ord"}, want: "has nothing in ord: it has machines in ams, syd"},
		{name: "the primary", remove: []string{"syd"}, do: func(s *cluster) { s.primary = s.AppMachines("shop")[1].ID }, want: "is the primary now"},
		{name: "no primary", remove: []string{"syd"}, do: func(s *cluster) { s.primary = "nobody" }, want: "no machine is the primary"},
		{name: "all", remove: []string{"syd"}, do: func(s *cluster) { s.SetMachine(s.primary, func(m *fly.Machine) { m.State = "destroyed" }) }, want: "no machine of group app would be left"},
		{name: "stopped", remove: []string{"syd"}, do: func(s *cluster) {
			s.SetMachine(s.AppMachines("shop")[1].ID, func(m *fly.Machine) { m.State = "stopped" })
		}, want: "it is not known whether it has rows that no other has (it is stopped)"},
		{name: "the last candidate", remove: []string{"syd"}, asker: func(s *cluster, nodes map[string]Node) { nodes[s.primary].LiteFS.Candidate = false }, want: "no machine would be left that may become the primary"},
		{name: "two histories", remove: []string{"syd"}, asker: func(s *cluster, nodes map[string]Node) {
			for id, n := range nodes {
				if id != s.primary {
					n.Databases[0].Position = "000000000000000a/8000000000ffffff"
				}
			}
		}, want: "it has rows that the primary has not"},
		{name: "two primaries", remove: []string{"syd"}, asker: func(s *cluster, nodes map[string]Node) {
			for _, n := range nodes {
				n.LiteFS.Role = nodestatus.Primary
			}
		}, want: "both say that they are the primary"},
		{name: "without LiteFS", remove: []string{"syd"}, asker: func(s *cluster, nodes map[string]Node) {
			for id := range nodes {
				n := Node{Via: ViaExec}
				n.Mode = nodestatus.Volume
				nodes[id] = n
			}
		}, want: "nothing copies it: what the machine has, no other has"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newCluster(t, "ams", "syd")
			if tt.do != nil {
				tt.do(s)
			}
			cluster, err := SurveyCluster(t.Context(), s.client(), s, s.config, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			if tt.asker != nil {
				tt.asker(s, cluster.Nodes)
			}
			_, err = PlanRemove(cluster, tt.remove, true)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if w := s.Writes(); len(w) != 0 {
				t.Errorf("written: %+v", w)
			}
		})
	}
}

// A machine that has become the primary since the plan, or whose rows the primary has not,
// stays, without a trace; a deploy that has its lease is not run into.
func TestRemoveLate(t *testing.T) {
	tests := []struct {
		name string
		do   func(s *cluster, other string)
		want string
	}{
		{"primary by now", func(s *cluster, other string) { s.primary = other }, "is no replica any more"},
		{"ahead", func(s *cluster, other string) { s.at[other] = primaryAt + 1 }, "has rows that the primary has not"},
		{"a deploy", func(s *cluster, other string) {
			s.Fail("AcquireLease", fakefly.Before(func() { s.HoldLease(other, "deployer@example.com", time.Hour) }))
		}, "fly machine leases view"},
		{"does not stop", func(s *cluster, other string) { s.Fail("Wait", fakefly.Answer(408, "deadline_exceeded").Always()) }, "not stopped in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newCluster(t, "ams", "syd")
			c := s.client()
			surveyed, err := SurveyCluster(t.Context(), c, s, s.config, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := PlanRemove(surveyed, []string{"syd"}, false)
			if err != nil {
				t.Fatal(err)
			}
			other := plan.Machines[0].ID
			tt.do(s, other)
			how := Draining{Changing: s.changing()}
			how.Patience, how.ListPatience = 50*time.Millisecond, 50*time.Millisecond
			result, err := plan.Apply(t.Context(), c, how)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if result.Left != 1 || result.Begun != other || len(s.AppMachines("shop")) != 2 {
				t.Errorf("result %+v, %d machines", result, len(s.AppMachines("shop")))
			}
			if marked := s.AppMachines("shop")[1].Config.Metadata[removeMark] != ""; marked != (s.Calls()["AcquireLease"] > 0) {
				t.Errorf("marked: %v", marked)
			}
		})
	}
}

// A snapshot that does not come keeps the machine and the volume.
func TestRemoveWithoutSnapshot(t *testing.T) {
	s := newCluster(t, "ams", "syd")
	s.Fail("CreateSnapshot", fakefly.ServerError.Always())
	_, err := s.remove(t.Context(), false, "syd")
	if !errors.Is(err, flyapi.ErrUnavailable) || !strings.Contains(err.Error(), "the machine is stopped, and stays") {
		t.Errorf("got %v", err)
	}
	s.volumes("ams", "syd")
	s.Heal()
	if _, err := s.remove(t.Context(), false, "syd"); err != nil {
		t.Fatal(err)
	}
	s.has("ams")
}
