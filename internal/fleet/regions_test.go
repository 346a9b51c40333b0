package fleet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
	"github.com/flysql/flysql/internal/nodestatus"
)

const regionsTOML = `app = "shop"
primary_region = "ams"
[[mounts]]
source = "data"
destination = "/data"
initial_size = "2gb"
snapshot_retention = 14
`

// cluster is an app on LiteFS, and what its nodes say: each new one has nothing at first, and
// comes nearer with each look.
type cluster struct {
	*fakefly.Fake
	t      testing.TB
	config *flyconf.Config

	mu      sync.Mutex
	primary string         // the machine's id
	at      map[string]int // transactions, by the machine's id
	via     string
	deaf    map[string]bool // nodes that do not heed candidateVariable
}

const (
	primaryAt = 10
	perLook   = 4
)

func newCluster(t testing.TB, regions ...string) *cluster {
	t.Helper()
	config, err := flyconf.Parse("fly.toml", []byte(regionsTOML))
	if err != nil {
		t.Fatal(err)
	}
	s := &cluster{Fake: fakefly.Start(t), t: t, config: config, at: map[string]int{}, via: ViaAddress}
	s.AddApp("shop", "personal")
	for _, region := range regions {
		v := s.AddVolume("shop", fly.Volume{Name: "data", Region: region, SizeGb: 2, SnapshotRetention: 14, AutoBackupEnabled: true})
		m := s.AddMachine("shop", shopOn(v))
		if s.at[m.ID] = primaryAt; s.primary == "" {
			s.primary = m.ID
		}
	}
	s.ForgetJournal()
	return s
}

func shopOn(v fly.Volume) fly.Machine {
	always := fly.MachineRestart{Policy: fly.MachineRestartPolicyAlways}
	return fly.Machine{Region: v.Region, Config: &fly.MachineConfig{
		Image:    "registry.fly.io/shop:deployment-01@sha256:aaaa",
		Env:      map[string]string{"PRIMARY_REGION": "ams", "FLY_PROCESS_GROUP": "app"},
		Guest:    &fly.MachineGuest{CPUKind: "shared", CPUs: 1, MemoryMB: 512},
		Metadata: map[string]string{fly.MachineConfigMetadataKeyFlyProcessGroup: "app", fly.MachineConfigMetadataKeyFlyReleaseVersion: "7"},
		Mounts:   []fly.MachineMount{{Volume: v.ID, Name: "data", Path: "/data", ExtendThresholdPercent: 80, AddSizeGb: 1, SizeGbLimit: 10}},
		Services: []fly.MachineService{{InternalPort: 8080, Checks: []fly.MachineServiceCheck{{}}}},
		Checks:   map[string]fly.MachineCheck{"alive": {}},
		Restart:  &always,
	}}
}

// Nodes is what the machines' LiteFS say.
func (s *cluster) Nodes(_ context.Context, machines []*fly.Machine) map[string]Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes := map[string]Node{}
	for _, m := range machines {
		if m.State != "started" {
			nodes[m.ID] = Node{Unknown: "it is " + m.State}
			continue
		}
		heeds := Config(m).Env[candidateVariable] != "off" || s.deaf[m.ID]
		n := &nodestatus.Node{Answers: true, Role: nodestatus.Replica, Hostname: m.ID, Primary: s.primary, ClusterID: "LFSC1", Candidate: m.Region == "ams" && heeds}
		at := s.at[m.ID]
		if m.ID == s.primary {
			n.Role = nodestatus.Primary
		} else if at < primaryAt {
			if n.Candidate && !s.deaf[m.ID] {
				s.t.Errorf("machine %s is a candidate, at %d of %d", m.ID, at, primaryAt)
			}
			s.at[m.ID] = min(at+perLook, primaryAt)
		}
		status := nodestatus.Status{Mode: nodestatus.LiteFS, Ready: true, LiteFS: n}
		if at > 0 {
			status.Databases = []nodestatus.Database{{Name: "app.db", Position: fmt.Sprintf("%016x/80000000%08x", at, at)}}
		}
		nodes[m.ID] = Node{Status: status, Via: s.via}
	}
	return nodes
}

// changing is fast.
func (s *cluster) changing() Changing {
	return Changing{Asker: s, Every: time.Millisecond, Patience: 2 * time.Second, ListPatience: 200 * time.Millisecond}
}

func (s *cluster) client() *flyapi.Client { return client(s.t, s.Fake, "shop") }

func standard(regions ...string) RegionWish {
	return RegionWish{Regions: regions, LiteFS: &flyconf.LiteFS{}, Candidate: StandardCandidate}
}

// add plans and carries out, as the command does.
func (s *cluster) add(ctx context.Context, wish RegionWish) (*AddResult, error) {
	c := s.client()
	cluster, err := SurveyCluster(ctx, c, s, s.config, "", Regions)
	if err != nil {
		return nil, err
	}
	plan, err := PlanAdd(cluster, wish)
	if err != nil {
		return nil, err
	}
	return plan.Apply(ctx, c, s.changing())
}

func (s *cluster) remove(ctx context.Context, deleteVolumes bool, regions ...string) (*RemoveResult, error) {
	c := s.client()
	cluster, err := SurveyCluster(ctx, c, s, s.config, "", 0)
	if err != nil {
		return nil, err
	}
	plan, err := PlanRemove(cluster, regions, deleteVolumes)
	if err != nil {
		return nil, err
	}
	return plan.Apply(ctx, c, Draining{Changing: s.changing(), SnapshotPatience: time.Second})
}

// has holds the regions against those that machines are in, each of which runs, has a
// volume, the whole database, and no trace of how it came there.
func (s *cluster) has(want ...string) {
	s.t.Helper()
	var got []string
	for _, m := range s.AppMachines("shop") {
		if m.State == "destroying" {
			continue
		}
		got = append(got, m.Region)
		if m.State != "started" || m.Config.Metadata[addMark]+m.Config.Metadata[removeMark]+m.Config.Env[candidateVariable] != "" || s.Cordoned(m.ID) {
			s.t.Errorf("machine %s in %s: %s, metadata %v, env %v", m.ID, m.Region, m.State, m.Config.Metadata, m.Config.Env)
		}
		if s.at[m.ID] != primaryAt {
			s.t.Errorf("machine %s in %s is at %d", m.ID, m.Region, s.at[m.ID])
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.t.Errorf("machines are in %v, want %v", got, want)
	}
}

// volumes holds the regions of volumes against those there are.
func (s *cluster) volumes(want ...string) {
	s.t.Helper()
	var got []string
	for _, v := range s.AppVolumes("shop") {
		got = append(got, v.Region)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.t.Errorf("volumes are in %v, want %v", got, want)
	}
}
