package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi/fakefly"
	"github.com/flysql/flysql/internal/nodestatus"
)

// remote is a fake of Fly for a script, and what its machines say.
type remote struct {
	*fakefly.Fake
	nodes map[string]*fakeNode // by the machine's id
}

// fakeNode is LiteFS's API on a machine.
type fakeNode struct {
	mu        sync.Mutex
	primary   string // hostname; the machine's own id makes it the primary
	self      string
	candidate bool
	cluster   string
	tx        uint64
}

func (n *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch r.URL.Path {
	case "/info":
		fmt.Fprintf(w, `{"clusterID":%q,"isPrimary":%v,"candidate":%v,"primary":{"hostname":%q}}`, n.cluster, n.primary == n.self, n.candidate, n.primary)
	case "/debug/vars":
		fmt.Fprintf(w, `{"store":{"dbs":{"app.db":{"TXID":"%016x","Checksum":"8000000000%06x"}}}}`, n.tx, n.tx)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// shopMachine is a machine that is as the scripts' fly.toml says.
func shopMachine(v fly.Volume) fly.Machine {
	off := fly.MachineAutostopOff
	return fly.Machine{Region: v.Region, State: "started",
		ImageRef: fly.MachineImageRef{Registry: "registry.fly.io", Repository: "shop", Tag: "deployment-01AAAA", Digest: "sha256:aaaa"},
		Checks:   []*fly.MachineCheckStatus{{Name: "servicecheck-00-http-8080", Status: fly.Passing}},
		Config: &fly.MachineConfig{
			Image:    "registry.fly.io/shop:deployment-01AAAA",
			Env:      map[string]string{"DATABASE_URL": "file:///data/app.db", "PRIMARY_REGION": "ams", "FLY_PROCESS_GROUP": "app"},
			Guest:    &fly.MachineGuest{CPUKind: "shared", CPUs: 1, MemoryMB: 512},
			Metadata: map[string]string{fly.MachineConfigMetadataKeyFlyProcessGroup: "app"},
			Mounts:   []fly.MachineMount{{Volume: v.ID, Name: v.Name, Path: "/data"}},
			Services: []fly.MachineService{{InternalPort: 8080, Autostop: &off, Checks: []fly.MachineServiceCheck{{}}}},
		}}
}

// build makes an app shop: "nodes" of LiteFS in these regions, the first one the primary
// of a cluster; or "volume", one machine without LiteFS.
func (r *remote) build(kind string, regions ...string) error {
	r.Advance(time.Since(r.Now())) // ages are by this machine's clock
	r.AddApp("shop", "personal")
	r.AddSecret("shop", "FLY_CONSUL_URL", "consul-s3cret")
	primary := ""
	for i, region := range regions {
		v := r.AddVolume("shop", fly.Volume{Name: "data", Region: region, SizeGb: 1, SnapshotRetention: 14, AutoBackupEnabled: true})
		r.AddSnapshot(v.ID, "created", 3*time.Hour)
		m := r.AddMachine("shop", shopMachine(v))
		if kind == "volume" {
			continue
		}
		if i == 0 {
			primary = m.ID
		}
		n := &fakeNode{primary: primary, self: m.ID, candidate: region == regions[0], cluster: "LFSC0123456789ABCDEF", tx: uint64(42 - i)}
		r.nodes[m.ID] = n
		if err := r.ServeNode(m.ID, n); err != nil {
			return err
		}
	}
	return nil
}

// remoteCommands are what scripts do with a fake:
//
//	fly nodes ams syd       builds it, and leads flysql to it
//	machine N WHAT [VALUE]  changes the Nth machine, or its node or volume
//	fail CALL FAULT         see fakefly
//	reads                   nothing was written to Fly; reads exec: but by exec
//	calls NAME=N ...        this and nothing else was asked, since the last
//	secret-free             no token and no secret is in stdout or stderr
func remoteCommands() map[string]func(*testscript.TestScript, bool, []string) {
	of := func(ts *testscript.TestScript) *remote {
		r, ok := ts.Value(remoteKey{}).(*remoteHolder)
		if !ok {
			ts.Fatalf("no fake")
		}
		return r.remote
	}
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits,
		"fly": func(ts *testscript.TestScript, _ bool, args []string) {
			r := of(ts)
			ts.Check(r.build(args[0], args[1:]...))
			r.ForgetJournal()
		},
		"machine": func(ts *testscript.TestScript, _ bool, args []string) {
			r := of(ts)
			n, err := strconv.Atoi(args[0])
			ts.Check(err)
			ts.Check(r.change(n, args[1], strings.Join(args[2:], " ")))
		},
		"secret": func(ts *testscript.TestScript, _ bool, args []string) { of(ts).AddSecret("shop", args[0], "a-s3cret") },
		"fail":   func(ts *testscript.TestScript, _ bool, args []string) { of(ts).Fail(args[0], faultsByName[args[1]]) },
		"reads": func(ts *testscript.TestScript, _ bool, args []string) {
			for _, w := range of(ts).Writes() {
				if len(args) == 0 || args[0] != "exec" || w.Call != "Exec" {
					ts.Fatalf("%s %s was sent", w.Method, w.Path)
				}
			}
		},
		"calls": func(ts *testscript.TestScript, _ bool, args []string) {
			var got []string
			for name, n := range of(ts).Calls() {
				got = append(got, fmt.Sprintf("%s=%d", name, n))
			}
			slices.Sort(got)
			if !slices.Equal(got, args) {
				ts.Fatalf("asked %q, want %q", got, args)
			}
			of(ts).ForgetJournal()
		},
		"secret-free": func(ts *testscript.TestScript, _ bool, _ []string) {
			output := ts.ReadFile("stdout") + ts.ReadFile("stderr")
			for _, secret := range []string{"s3cret", "secretONE", "secretTWO", fakefly.Token} {
				if strings.Contains(output, secret) {
					ts.Fatalf("%q is in\n%s", secret, output)
				}
			}
		},
	}
}

var faultsByName = map[string]fakefly.Fault{
	"unavailable": fakefly.Unavailable.Always(), "unauthorized": fakefly.Unauthorized.Always(), "forbidden": fakefly.Forbidden.Always(),
	"drop": fakefly.Drop.Always(), "once": fakefly.Unavailable.Times(4), "garbage": fakefly.Garbage.Always(),
}

// change is the script command machine.
func (r *remote) change(n int, what, value string) error {
	m := r.AppMachines("shop")[n]
	set := func(change func(m *fly.Machine)) error { r.SetMachine(m.ID, change); return nil }
	node := r.nodes[m.ID]
	if node != nil {
		node.mu.Lock()
		defer node.mu.Unlock()
	}
	switch what {
	case "env":
		name, v, _ := strings.Cut(value, "=")
		return set(func(m *fly.Machine) { m.Config.Env[name] = v })
	case "state":
		return set(func(m *fly.Machine) { m.State = value })
	case "created":
		return set(func(m *fly.Machine) { m.CreatedAt = value })
	case "image":
		return set(func(m *fly.Machine) {
			m.ImageRef.Tag, m.ImageRef.Digest, m.UpdatedAt = "deployment-"+value, "sha256:"+value, "2099-01-01T00:00:00Z"
		})
	case "memory":
		mb, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		return set(func(m *fly.Machine) { m.Config.Guest.MemoryMB = mb })
	case "autostop":
		stop := fly.MachineAutostopStop
		return set(func(m *fly.Machine) { m.Config.Services[0].Autostop = &stop })
	case "path":
		return set(func(m *fly.Machine) { m.Config.Mounts[0].Path = value })
	case "nochecks":
		return set(func(m *fly.Machine) { m.Config.Services[0].Checks = nil })
	case "nomount":
		return set(func(m *fly.Machine) { m.Config.Mounts = nil })
	case "unreachable":
		for _, v := range r.AppVolumes("shop") {
			if v.AttachedMachine != nil && *v.AttachedMachine == m.ID {
				r.HostDown(v.Zone, true)
			}
		}
		return nil
	case "failing":
		return set(func(m *fly.Machine) { m.Checks[0].Status = fly.Critical })
	case "primary":
		node.primary = value
		if value == "self" {
			node.primary = m.ID
		}
	case "cluster":
		node.cluster = value
	case "candidate":
		node.candidate = value == "true"
	case "tx":
		tx, err := strconv.ParseUint(value, 10, 64)
		node.tx = tx
		return err
	case "deaf": // its address answers nothing any more, and exec does not either
		return set(func(m *fly.Machine) { m.PrivateIP = "127.77.255.254" })
	case "exec": // its address does not answer, and exec does
		if err := set(func(m *fly.Machine) { m.PrivateIP = "127.77.255.254" }); err != nil {
			return err
		}
		size, wal := int64(24<<20), int64(4096)
		status := nodestatus.Status{Version: "v1", Mode: nodestatus.Volume, Ready: true, Volume: nodestatus.Disk{Path: "/data", Size: 1000, Free: 250},
			Databases: []nodestatus.Database{{Name: "app.db", Size: &size, WAL: &wal}}, Migrations: nodestatus.Migrations{Pending: []string{}}}
		if value == "litefs" {
			lag := int64(120)
			status.Mode, status.LiteFS = nodestatus.LiteFS, &nodestatus.Node{Answers: true, Role: "replica", Hostname: m.ID, Primary: r.AppMachines("shop")[0].ID, LagMS: &lag,
				ClusterID: "LFSC0123456789ABCDEF", Lease: nodestatus.Lease{Type: "consul", Holder: r.AppMachines("shop")[0].ID}}
			status.Databases[0].Position = "0000000000000029/8000000000000abc"
		}
		data, err := json.Marshal(status)
		r.OnExec(func(*fly.Machine, string) fly.MachineExecResponse {
			return fly.MachineExecResponse{StdOut: string(data)}
		})
		return err
	default:
		return fmt.Errorf("machine: no %q", what)
	}
	return nil
}

type remoteKey struct{}

type remoteHolder struct{ remote *remote }

// TestStatusScripts runs flysql against a fake of Fly, as a user runs it.
func TestStatusScripts(t *testing.T) {
	runRemote(t, "testdata/status")
}

// TestDoctorRemoteScripts runs doctor --remote so.
func TestDoctorRemoteScripts(t *testing.T) {
	runRemote(t, "testdata/remote")
}

// runRemote runs the scripts of a directory, each with a fake, and with more commands.
func runRemote(t *testing.T, dir string, more ...map[string]func(*testscript.TestScript, bool, []string)) {
	commands := remoteCommands()
	for _, m := range more {
		maps.Copy(commands, m)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			r := &remote{Fake: fakefly.New(), nodes: map[string]*fakeNode{}}
			env.Defer(r.Close)
			env.Values[remoteKey{}] = &remoteHolder{r}
			env.Setenv("NO_COLOR", "")
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("FLY_FLAPS_BASE_URL", r.URL())
			env.Setenv("FLY_API_TOKEN", fakefly.Token)
			env.Setenv("FLYSQL_FLY_SPEED", "100000")
			return os.WriteFile(filepath.Join(env.WorkDir, "fly.toml"), []byte(remoteTOML), 0o644)
		},
		Cmds: commands,
	})
}

// remoteTOML is the scripts' fly.toml, where they have no other.
const remoteTOML = `app = "shop"
primary_region = "ams"

[env]
  DATABASE_URL = "file:///data/app.db"

[[mounts]]
  source = "data"
  destination = "/data"
  initial_size = "1GB"
  snapshot_retention = 14

[http_service]
  internal_port = 8080
  force_https = true
  auto_stop_machines = "off"
  auto_start_machines = false
  min_machines_running = 1
  [[http_service.checks]]
    interval = "10s"
    timeout = "2s"
    grace_period = "30s"
    path = "/healthz"

[[vm]]
  size = "shared-cpu-1x"
  memory = "512mb"
`
