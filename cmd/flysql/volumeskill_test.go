//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

// volumesApply is flysql volumes apply, to be run in a directory of its own: a volume in
// ams and two in fra and syd each are planned, and ams's has other settings.
func volumesApply(t *testing.T, fake *fakefly.Fake) (cmd *exec.Cmd, errs *bytes.Buffer) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"fly.toml": remoteTOML, "litefs.yml": "fuse:\n  dir: /litefs\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd = exec.CommandContext(t.Context(), buildFlysql(t), "volumes", "apply", "--yes", "--regions", "fra,syd", "--count", "2")
	errs = &bytes.Buffer{}
	cmd.Dir, cmd.Stderr = dir, errs
	cmd.Env = append(fake.Env(), "HOME="+dir)
	return cmd, errs
}

func volumesFake(t *testing.T) *fakefly.Fake {
	fake := fakefly.Start(t)
	fake.AddApp("shop", "personal")
	v := fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams", SizeGb: 1})
	fake.AddMachine("shop", shopMachine(v))
	return fake
}

const volumesWanted = "ams=1 fra=2 syd=2"

// Killed at any request, while it is under way or when it is answered, and run again, it
// has made exactly what was planned.
func TestVolumesApplyKilled(t *testing.T) {
	t.Parallel()
	for n := range 10 { // two lists, the regions, four volumes, the settings, a list
		for name, at := range map[string]func(func()) fakefly.Fault{"asked": fakefly.Before, "answered": fakefly.After} {
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				t.Parallel()
				fake := volumesFake(t)
				fake.EventualListing(1)
				cmd, _ := volumesApply(t, fake)
				started := make(chan struct{})
				fake.Fail("*", at(func() {
					<-started // cmd.Process is there
					if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
						t.Error(err)
					}
				}).Skip(n))
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				close(started)
				if err := cmd.Wait(); err == nil && n < 9 {
					t.Error("it was not killed")
				}
				cmd, errs := volumesApply(t, fake)
				if err := cmd.Run(); err != nil {
					t.Fatalf("run again: %v\n%s", err, errs)
				}
				if got := volumesByRegion(fake); got != volumesWanted {
					t.Errorf("volumes are %s, want %s\n%s", got, volumesWanted, errs)
				}
			})
		}
	}
}

// Two at once end with what one would have made.
func TestVolumesApplyTwice(t *testing.T) {
	t.Parallel()
	for _, eventual := range []int{0, 2} {
		fake := volumesFake(t)
		fake.SetHosts("fra", 8)
		fake.SetHosts("syd", 8)
		fake.EventualListing(eventual)
		one, oneErrs := volumesApply(t, fake)
		two, twoErrs := volumesApply(t, fake)
		// The second begins where the first makes its first volume.
		fake.Fail("CreateVolume", fakefly.Before(func() {
			if err := two.Start(); err != nil {
				t.Error(err)
			}
		}))
		if err := one.Run(); err != nil {
			t.Errorf("one: %v\n%s", err, oneErrs)
		}
		if err := two.Wait(); err != nil {
			t.Errorf("two: %v\n%s", err, twoErrs)
		}
		if got := volumesByRegion(fake); got != volumesWanted {
			t.Errorf("volumes are %s, want %s\n%s\n%s", got, volumesWanted, oneErrs, twoErrs)
		}
	}
}

// Ctrl-C ends it with 130, and it says what was done.
func TestVolumesApplyInterrupted(t *testing.T) {
	t.Parallel()
	fake := volumesFake(t)
	cmd, errs := volumesApply(t, fake)
	started := make(chan struct{})
	fake.Fail("CreateVolume", fakefly.Slow(time.Hour).Skip(1).When(func() {
		<-started
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
	}))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	_ = cmd.Wait() // the code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	for _, want := range []string{"1 made, 1 changed, 3 left: what was made stays; the same command goes on from there", "stopped", "it may have been done or not"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("no %q in\n%s", want, errs)
		}
	}
	for _, secret := range []string{"secretONE", "secretTWO"} {
		if strings.Contains(errs.String(), secret) {
			t.Errorf("the token is in\n%s", errs)
		}
	}
	fake.Heal()
	cmd, errs = volumesApply(t, fake)
	if err := cmd.Run(); err != nil || volumesByRegion(fake) != volumesWanted {
		t.Errorf("run again: %v, %s\n%s", err, volumesByRegion(fake), errs)
	}
}

// A delete that is interrupted while the snapshot is taken leaves the volume.
func TestVolumesDeleteInterrupted(t *testing.T) {
	t.Parallel()
	fake := volumesFake(t)
	v := fake.AddVolume("shop", fly.Volume{Name: "data", Region: "fra", SizeGb: 1})
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), buildFlysql(t), "volumes", "delete", v.ID, "--yes", "--json", "--app", "shop")
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(fake.Env(), "HOME="+dir), &out, &errs
	started := make(chan struct{})
	fake.Fail("Snapshots", fakefly.Page(200, "[]").Always()) // it never is there
	fake.Fail("CreateSnapshot", fakefly.After(func() {
		<-started
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	_ = cmd.Wait() // the code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(errs.String(), "the volume stays") || !strings.Contains(out.String(), `"deleted": false`) {
		t.Errorf("exit code %d\n%s\n%s", code, &out, &errs)
	}
	if got := volumesByRegion(fake); got != "ams=1 fra=1" || fake.Calls()["DeleteVolume"] > 0 {
		t.Errorf("volumes are %s; calls %v", got, fake.Calls())
	}
}

// On a terminal it asks, and what was agreed to must still be what would be done.
func TestVolumesApplyAsks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, answer string
		meanwhile    bool // somebody makes the volume
		want, are    string
		code         int
	}{
		{"yes", "yes", false, "1 made, 0 changed: the volumes are as fly.toml says", "ams=1", 0},
		{"no", "no", false, "not confirmed; nothing was changed", "", 1},
		{"nothing", "", false, "not confirmed; nothing was changed", "", 1},
		{"stale", "y", true, "what is on Fly has changed since the plan was shown: run it again; nothing was changed", "ams=1", 1},
		{"end", ctrlD, false, "the input ended before the last question was answered; nothing was changed", "", 1},
		{"ctrl-c", ctrlC, false, "ended by interrupt; nothing was changed", "", 130},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := fakefly.Start(t)
			fake.AddApp("shop", "personal")
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "fly.toml"), []byte(remoteTOML), 0o644); err != nil {
				t.Fatal(err)
			}
			s := start(t, dir, fake.Env(), nil, "volumes", "apply")
			s.expect("1 volume to make, 0 to change")
			s.expect("Do this? [no]: ")
			if tt.meanwhile {
				fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams", SizeGb: 1, SnapshotRetention: 14})
			}
			if tt.answer != ctrlC && tt.answer != ctrlD {
				tt.answer += enter
			}
			if _, err := s.tty.WriteString(tt.answer); err != nil {
				t.Fatal(err)
			}
			s.expect(tt.want)
			_ = s.cmd.Wait() // the code is looked at
			if code := s.cmd.ProcessState.ExitCode(); code != tt.code || volumesByRegion(fake) != tt.are {
				t.Errorf("exit code %d, volumes %q; want %d, %q", code, volumesByRegion(fake), tt.code, tt.are)
			}
		})
	}
}
