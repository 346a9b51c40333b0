package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/fleet"
	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
	"github.com/flysql/flysql/internal/nodestatus"
)

// fleetFile is fleet.json of an example: what Fly lists, and what nodes say.
type fleetFile struct {
	Machines  []*fly.Machine                  `json:"machines"`
	Volumes   []fly.Volume                    `json:"volumes"`
	Secrets   []string                        `json:"secrets"`
	Snapshots map[string][]fly.VolumeSnapshot `json:"snapshots"`
	Nodes     map[string]nodestatus.Status    `json:"nodes"`
	Later     map[string]nodestatus.Status    `json:"later"`
	Now       time.Time                       `json:"now"`
}

// remoteIn is what fleet.json says of an archive, nil where it has none.
func remoteIn(t *testing.T, dir string) *Remote {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "fleet.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var file fleetFile
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatalf("fleet.json: %v", err)
	}
	r := &Remote{Fleet: &fleet.Fleet{App: "shop", Machines: file.Machines, Volumes: file.Volumes, Snapshots: file.Snapshots}, Now: file.Now}
	if file.Snapshots != nil {
		r.Fleet.Parts |= fleet.Snapshots
	}
	for _, name := range file.Secrets {
		r.Fleet.Secrets = append(r.Fleet.Secrets, flyapi.Secret{Name: name})
	}
	nodes := func(from map[string]nodestatus.Status) map[string]fleet.Node {
		to := map[string]fleet.Node{}
		for id, s := range from {
			to[id] = fleet.Node{Status: s, Via: fleet.ViaAddress}
		}
		return to
	}
	r.Nodes, r.Later = nodes(file.Nodes), nodes(file.Later)
	return r
}

// A comment for a rule of --remote is no mistake where nobody looks at Fly, and one
// where somebody does and finds nothing.
func TestRemoteRuleIsIgnored(t *testing.T) {
	files := func(retention int, remote bool) string {
		text := fmt.Sprintf("-- fly.toml --\napp = 'shop'\nprimary_region = 'ams'\n\n[[mounts]]\n  source = 'data'\n  destination = '/data'\n"+
			"  snapshot_retention = %d # flysql:ignore FLY603 a cache\n", retention)
		if remote {
			text += `-- fleet.json --
{"machines": [{"id": "m1", "region": "ams", "state": "started", "config": {"mounts": [{"volume": "v1", "name": "data", "path": "/data"}]}}],
 "volumes": [{"id": "v1", "name": "data", "region": "ams", "auto_backup_enabled": true, "snapshot_retention": 5}]}
`
		}
		return text
	}
	for _, tt := range []struct {
		name         string
		archive      string
		found, quiet string
	}{
		{"without --remote", files(9, false), "", ""},
		{"broken", files(9, true), "", "FLY603"},
		{"not broken", files(5, true), "FLY006", ""},
	} {
		r := checkArchive(t, tt.archive)
		has := func(list []*Finding, id string) bool {
			for _, f := range list {
				if f.Rule.ID == id {
					return true
				}
			}
			return false
		}
		if has(r.Findings, "FLY603") || has(r.Findings, "FLY006") != (tt.found == "FLY006") || has(r.Ignored, "FLY603") != (tt.quiet != "") {
			t.Errorf("%s:\n%s", tt.name, findingsOf(r))
		}
	}
}

// fakeClient speaks to a fake as fast as it answers.
func fakeClient(t testing.TB, fake *fakefly.Fake) *flyapi.Client {
	t.Helper()
	c, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("test", fakefly.Token), App: "shop", BaseURL: fake.URL(), Speed: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Asking is one call for each list, and one for each volume's snapshots; nothing is
// written, not even a command run.
func TestAskReadsOnly(t *testing.T) {
	fake := fakefly.Start(t)
	fake.AddApp("shop", "personal")
	for _, region := range []string{"ams", "syd"} {
		v := fake.AddVolume("shop", fly.Volume{Name: "data", Region: region, SizeGb: 1})
		fake.AddMachine("shop", fly.Machine{Region: region, Config: &fly.MachineConfig{Mounts: []fly.MachineMount{{Volume: v.ID, Name: "data", Path: "/data"}}}})
	}
	r, err := Ask(t.Context(), fakeClient(t, fake))
	if err != nil {
		t.Fatal(err)
	}
	calls := fake.Calls()
	if got, want := fmt.Sprint(calls), "map[Machines:1 Secrets:1 Snapshots:2 Volumes:1]"; got != want || len(fake.Writes()) > 0 {
		t.Errorf("asked %s, want %s; written %+v", got, want, fake.Writes())
	}
	if len(r.Nodes) != 2 || r.Later != nil {
		t.Errorf("%+v", r.Nodes)
	}
}

// What is on Fly and in no file is a place by its name, in text and in SARIF.
func TestRemotePlace(t *testing.T) {
	r := checkArchive(t, `-- fly.toml --
app = "shop"
-- fleet.json --
{"machines": [{"id": "m1", "region": "ams", "state": "started", "host_status": "unreachable", "config": {}}]}
`)
	if len(r.Findings) == 0 || r.Findings[0].Place.String() != "machine m1 (ams)" {
		t.Fatalf("%s", findingsOf(r))
	}
	var b strings.Builder
	if err := WriteSARIF(&b, r, Note, ""); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"fullyQualifiedName": "machine m1 (ams)"`) {
		t.Errorf("no logical location in\n%s", b.String())
	}
}

// BenchmarkAsk is doctor --remote of 200 machines and 200 volumes.
func BenchmarkAsk(b *testing.B) {
	fake := fakefly.New()
	b.Cleanup(fake.Close)
	fake.AddApp("shop", "personal")
	for range 200 {
		v := fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams", SizeGb: 1})
		fake.AddMachine("shop", fly.Machine{Region: "ams", State: "stopped", Config: &fly.MachineConfig{Mounts: []fly.MachineMount{{Volume: v.ID, Name: "data", Path: "/data"}}}})
	}
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fly.toml"), []byte("app = 'shop'\nprimary_region = 'ams'\n\n[[mounts]]\n  source = 'data'\n  destination = '/data'\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	c := fakeClient(b, fake)
	for b.Loop() {
		r, err := Ask(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := CheckRemote(b.Context(), dir, r); err != nil {
			b.Fatal(err)
		}
	}
	total := 0
	for _, n := range fake.Calls() {
		total += n
	}
	b.ReportMetric(float64(total)/float64(b.N), "calls/op")
}
