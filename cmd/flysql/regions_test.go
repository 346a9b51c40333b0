package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi/fakefly"
	"github.com/flysql/flysql/internal/nodestatus"
)

// grows lets LiteFS start on each machine that is made, at a transaction.
func (r *remote) grows(tx uint64) {
	r.Fail("Wait", fakefly.Before(func() {
		for _, m := range r.AppMachines("shop") {
			if r.nodes[m.ID] != nil {
				continue
			}
			n := &fakeNode{self: m.ID, cluster: "LFSC0123456789ABCDEF", tx: tx, candidate: m.Region == "ams" && m.Config.Env["FLYSQL_LITEFS_CANDIDATE"] == ""}
			for _, other := range r.nodes {
				n.primary = other.primary
			}
			r.nodes[m.ID] = n
			if err := r.ServeNode(m.ID, n); err != nil {
				panic(err)
			}
		}
	}).Always())
}

const standardLiteFS = `fuse:
  dir: "/litefs"
data:
  dir: "/data/litefs"
lease:
  type: "consul"
  advertise-url: "http://${FLY_MACHINE_ID}.vm.${FLY_APP_NAME}.internal:20202"
  candidate: ${FLY_REGION == PRIMARY_REGION}
  promote: false
  consul:
    url: "${FLY_CONSUL_URL}"
    key: "litefs/${FLY_APP_NAME}"
`

// TestRegionsScripts runs flysql regions as a user does. Beside what status has, scripts
// say "grows N": LiteFS on new machines stands at transaction N; "capacity REGION N"; and
// "lease N": somebody else holds the Nth machine's.
func TestRegionsScripts(t *testing.T) {
	commands := remoteCommands()
	of := func(ts *testscript.TestScript) *remote { return ts.Value(remoteKey{}).(*remoteHolder).remote }
	maps.Copy(commands, map[string]func(*testscript.TestScript, bool, []string){
		"grows": func(ts *testscript.TestScript, _ bool, args []string) {
			var tx uint64
			_, err := fmt.Sscan(args[0], &tx)
			ts.Check(err)
			of(ts).grows(tx)
		},
		"capacity": func(ts *testscript.TestScript, _ bool, args []string) { of(ts).SetCapacity(args[0], 0) },
		"lease": func(ts *testscript.TestScript, _ bool, _ []string) {
			of(ts).HoldLease(of(ts).AppMachines("shop")[0].ID, "deployer@example.com", time.Hour)
		},
		"image": func(ts *testscript.TestScript, _ bool, args []string) {
			r := of(ts)
			r.SetMachine(r.AppMachines("shop")[1].ID, func(m *fly.Machine) { m.ImageRef.Digest = args[0] })
		},
		"heal": func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).Heal() },
	})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/regions", RequireExplicitExec: true, RequireUniqueNames: true, Cmds: commands,
		Setup: func(env *testscript.Env) error {
			r := &remote{Fake: fakefly.New(), nodes: map[string]*fakeNode{}}
			env.Defer(r.Close)
			env.Values[remoteKey{}] = &remoteHolder{r}
			for _, kv := range remoteEnv(r, env.WorkDir) {
				name, value, _ := strings.Cut(kv, "=")
				env.Setenv(name, value)
			}
			return remoteFiles(env.WorkDir)
		},
	})
}

func remoteEnv(r *remote, home string) []string {
	return []string{"NO_COLOR=1", "HOME=" + home, "FLY_FLAPS_BASE_URL=" + r.URL(), "FLY_API_TOKEN=" + fakefly.Token, "FLYSQL_FLY_SPEED=100000"}
}

func remoteFiles(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "fly.toml"), []byte(remoteTOML), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM debian\nCOPY litefs.yml /etc/litefs.yml\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "litefs.yml"), []byte(standardLiteFS), 0o644)
}

// A flysql that is killed as a request is answered, and run again, makes exactly what was
// planned; Ctrl-C there says what was done, and that the same command goes on.
func TestRegionsKilled(t *testing.T) {
	t.Parallel()
	binary := buildFlysql(t)
	for _, signal := range []os.Signal{os.Kill, os.Interrupt} {
		for _, call := range []string{"CreateVolume", "Launch", "Wait", "DeleteMetadata"} {
			if call == "DeleteMetadata" && signal == os.Interrupt {
				continue // an answer that has come counts: it is done
			}
			r := &remote{Fake: fakefly.New(), nodes: map[string]*fakeNode{}}
			t.Cleanup(r.Close)
			if err := r.build("nodes", "ams"); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := remoteFiles(dir); err != nil {
				t.Fatal(err)
			}
			run := func() (*exec.Cmd, *strings.Builder) {
				var out strings.Builder
				cmd := exec.Command(binary, "regions", "add", "syd", "--yes")
				cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), remoteEnv(r, dir)...), &out, &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				return cmd, &out
			}
			started, killed := make(chan *exec.Cmd, 1), make(chan struct{})
			r.Fail(call, fakefly.After(func() {
				cmd := <-started
				_ = cmd.Process.Signal(signal)
				if signal == os.Kill {
					_ = cmd.Wait()
					close(killed)
				}
			}))
			r.grows(42)
			cmd, out := run()
			started <- cmd
			if signal == os.Kill {
				<-killed
			} else if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 || !strings.Contains(out.String(), "the same command goes on from there") {
				t.Errorf("%s: %v\n%s", call, err, out)
			}
			r.Advance(time.Minute) // the lease of a killed one ends
			cmd, out = run()
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v at %s, then: %v\n%s", signal, call, err, out)
			}
			if m, v := r.AppMachines("shop"), r.AppVolumes("shop"); len(m) != 2 || len(v) != 2 || m[1].Config.Metadata["flysql_region_add"] != "" {
				t.Errorf("%v at %s: %d machines, %d volumes\n%s", signal, call, len(m), len(v), out)
			}
		}
	}
}

// In a pipe, progress is a line now and then, without what moves a cursor; on a terminal
// it is one line, which is gone when something else is said.
func TestRegionsProgress(t *testing.T) {
	for live, want := range map[bool]string{false: "1 of 9\\x1b[2J\ndone\n5 of 9\n", true: "\r\x1b[K1 of 9\\x1b[2J\r\x1b[K2 of 9\r\x1b[Kdone\n\r\x1b[K5 of 9\r\x1b[K"} {
		var out strings.Builder
		p := &regionsProgress{out: &out, live: live}
		p.progress("1 of 9\x1b[2J")
		p.progress("2 of 9") // too soon
		p.say("done")
		p.at = time.Time{}
		p.progress("5 of 9")
		p.over()
		if out.String() != want {
			t.Errorf("live %v: %q, want %q", live, out.String(), want)
		}
	}
}

// On a terminal it asks, and what was agreed to must still be what would be done.
func TestRegionsAsk(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, verb, answer string
		meanwhile          func(r *remote)
		want               string
		code, machines     int
	}{
		{"add", "add ord", "yes", nil, "1 machine caught up and in use", 0, 3},
		{"add: no", "add ord", "", nil, "not confirmed; nothing was changed", 1, 2},
		{"add: stale", "add ord", "y", func(r *remote) {
			r.AddMachine("shop", shopMachine(r.AddVolume("shop", fly.Volume{Name: "data", Region: "ord"})))
		}, "what is on Fly has changed since the plan was shown: run it again; nothing was changed", 1, 3},
		{"remove", "remove syd --drain 0", "yes", nil, "1 machine gone, 1 volume kept", 0, 2}, // one that is being destroyed is listed
		{"remove: stale", "remove syd", "y", func(r *remote) {
			r.AddMachine("shop", shopMachine(r.AddVolume("shop", fly.Volume{Name: "data", Region: "syd"})))
		}, "nothing was changed", 1, 3},
		{"remove: ctrl-c", "remove syd", ctrlC, nil, "ended by interrupt; nothing was changed", 130, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &remote{Fake: fakefly.Start(t), nodes: map[string]*fakeNode{}}
			if err := r.build("nodes", "ams", "syd"); err != nil {
				t.Fatal(err)
			}
			r.grows(42)
			for _, n := range r.nodes {
				n.tx = 42
			}
			dir := t.TempDir()
			if err := remoteFiles(dir); err != nil {
				t.Fatal(err)
			}
			s := start(t, dir, r.Env(), nil, append([]string{"regions"}, strings.Fields(tt.verb)...)...)
			s.expect("Do this? [no]: ")
			if tt.meanwhile != nil {
				tt.meanwhile(r)
			}
			if tt.answer != ctrlC {
				tt.answer += enter
			}
			if _, err := s.tty.WriteString(tt.answer); err != nil {
				t.Fatal(err)
			}
			s.expect(tt.want)
			_ = s.cmd.Wait() // the code is looked at
			if code := s.cmd.ProcessState.ExitCode(); code != tt.code || len(r.AppMachines("shop")) != tt.machines {
				t.Errorf("exit code %d, %d machines; want %d, %d", code, len(r.AppMachines("shop")), tt.code, tt.machines)
			}
		})
	}
}

// docs/regions.md has every flag, and every key of the JSON.
func TestRegionsDocs(t *testing.T) {
	documented(t, "../../docs/regions.md", new(cli).regionsCommand(), addJSON{}, newMachineJSON{}, regionsVolumeJSON{}, addResultJSON{}, removeJSON{}, removeResultJSON{})
}

// Where LiteFS answers only through commands in machines, a new machine has no lease while
// it is waited for, which would keep them out; with --no-exec nothing is known.
func TestRegionsByExec(t *testing.T) {
	t.Parallel()
	r := &remote{Fake: fakefly.Start(t), nodes: map[string]*fakeNode{}}
	if err := r.build("volume", "ams"); err != nil {
		t.Fatal(err)
	}
	primary := r.AppMachines("shop")[0].ID
	var mu sync.Mutex // machines are asked at the same time
	looks := map[string]int{}
	r.OnExec(func(m *fly.Machine, command string) fly.MachineExecResponse {
		mu.Lock()
		defer mu.Unlock()
		looks[m.ID]++
		n := &nodestatus.Node{Answers: true, Role: nodestatus.Replica, Hostname: m.ID, Primary: primary, ClusterID: "LFSC1", Candidate: m.Config.Env["FLYSQL_LITEFS_CANDIDATE"] == ""}
		at := min(looks[m.ID], 2)
		if m.ID == primary {
			n.Role, at = nodestatus.Primary, 2
		} else if n.Candidate && at < 2 {
			t.Errorf("machine %s is a candidate too soon", m.ID)
		}
		data, err := json.Marshal(nodestatus.Status{Mode: nodestatus.LiteFS, Ready: true, LiteFS: n,
			Databases: []nodestatus.Database{{Name: "app.db", Position: fmt.Sprintf("%016x/80000000%08x", at, at)}}})
		if err != nil {
			t.Error(err)
		}
		return fly.MachineExecResponse{StdOut: string(data)}
	})
	dir := t.TempDir()
	if err := remoteFiles(dir); err != nil {
		t.Fatal(err)
	}
	regions := func(args ...string) (string, int) {
		cmd := exec.Command(buildFlysql(t), append([]string{"regions"}, args...)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), r.Env()...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := regions("add", "syd", "--yes", "--no-exec"); code != 1 || !strings.Contains(out, "no machine says that it is the primary, and these cannot be asked") {
		t.Errorf("--no-exec: exit code %d\n%s", code, out)
	}
	if out, code := regions("add", "ams", "--count", "2", "--yes"); code != 0 || !strings.Contains(out, "1 machine caught up and in use") {
		t.Errorf("add: exit code %d\n%s", code, out)
	}
	for _, m := range r.AppMachines("shop") {
		if m.ID != primary && (looks[m.ID] < 2 || m.Config.Env["FLYSQL_LITEFS_CANDIDATE"] != "") {
			t.Errorf("machine %s was asked %d times, env %v", m.ID, looks[m.ID], m.Config.Env)
		}
	}
}
