package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi/fakefly"
	"github.com/flysql/flysql/internal/testkit"
)

// shared is output that is read while it is written.
type shared struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func newRemote(t *testing.T, kind string, regions ...string) (r *remote, dir string, env []string) {
	t.Helper()
	r = &remote{Fake: fakefly.Start(t), nodes: map[string]*fakeNode{}}
	if err := r.build(kind, regions...); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(dir+"/fly.toml", []byte(remoteTOML), 0o644); err != nil {
		t.Fatal(err)
	}
	return r, dir, []string{"FLY_FLAPS_BASE_URL=" + r.URL(), "FLY_API_TOKEN=" + fakefly.Token, "FLYSQL_FLY_SPEED=100000", "HOME=" + dir}
}

// In a pipe, status --watch writes a block for each change, goes on after an API that was
// down, and ends on SIGINT with 130.
func TestWatchInPipe(t *testing.T) {
	t.Parallel()
	r, dir, env := newRemote(t, "nodes", "ams")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, buildFlysql(t), "status", "--watch=1s", "--no-exec", "--snapshots=false")
	var out, errs shared
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	blocks := func() int { return strings.Count(out.String(), "shop: 1 machine, 1 volume") }
	testkit.Poll(t, "the first block", func() bool { return blocks() == 1 })
	asked := r.Calls()["Machines"]
	testkit.Poll(t, "a second look", func() bool { return r.Calls()["Machines"] > asked+1 })
	if blocks() != 1 {
		t.Errorf("nothing changed, and was written again:\n%s", out.String())
	}
	r.Fail("Machines", fakefly.Unavailable.Always())
	testkit.Poll(t, "the error", func() bool { return strings.Contains(errs.String(), "looking again in 2s") })
	r.Heal()
	r.SetMachine(r.AppMachines("shop")[0].ID, func(m *fly.Machine) { m.State = "stopped" })
	testkit.Poll(t, "the change", func() bool { return blocks() == 2 && strings.Contains(out.String(), " stopped ") })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d\n%s", code, errs.String())
	}
	if len(r.Writes()) > 0 || strings.Contains(out.String(), "\x1b") {
		t.Errorf("written: %+v; output\n%q", r.Writes(), out.String())
	}
}

// On a terminal it redraws in place, and shows an error below.
func TestWatchOnTerminal(t *testing.T) {
	t.Parallel()
	r, dir, env := newRemote(t, "nodes", "ams")
	s := start(t, dir, env, nil, "status", "--watch=1s", "--no-exec")
	s.expect("shop: 1 machine, 1 volume")
	s.expect("as fly.toml says")
	r.Fail("Machines", fakefly.Unavailable.Always())
	s.expect("looking again in")
	r.Heal()
	s.expect("as fly.toml says")
	s.mu.Lock()
	all := string(s.all)
	s.mu.Unlock()
	if !strings.HasPrefix(all, "\x1b[H") || !strings.Contains(all, "\x1b[32mprimary\x1b[0m") {
		t.Errorf("no drawing in place, or no colours: %.200q", all)
	}
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // the code is looked at
	if code := s.cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d", code)
	}
}

// However long the pause was, it is never one that turns round and is none.
func TestPauseAfter(t *testing.T) {
	tests := []struct {
		pause    time.Duration
		failures int
		want     time.Duration
	}{
		{2 * time.Second, 1, 4 * time.Second},
		{2 * time.Second, 4, 32 * time.Second},
		{2 * time.Second, 5, time.Minute},
		{2 * time.Second, 1 << 40, time.Minute},
		{2_000_000 * time.Hour, 10, time.Minute},
	}
	for _, tt := range tests {
		if got := pauseAfter(tt.pause, tt.failures); got != tt.want {
			t.Errorf("pauseAfter(%v, %d) = %v, want %v", tt.pause, tt.failures, got, tt.want)
		}
	}
}
