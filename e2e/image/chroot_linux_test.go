package image

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/e2e/network"
	"github.com/flysql/flysql/e2e/poll"
	"github.com/flysql/flysql/internal/testkit"
)

// helperEnv makes the test program build and boot an image, and then wait to be
// killed: see TestKillLeavesNothing.
const helperEnv = "FLYSQL_E2E_IMAGE_HELPER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperEnv); dir != "" {
		os.Exit(helper(dir))
	}
	os.Exit(m.Run())
}

func helper(dir string) int {
	img, err := Build(context.Background(), dir, Options{Way: Chroot})
	if err == nil {
		_, err = img.Start(context.Background(), Boot{
			Volumes: map[string]string{"/data": filepath.Join(dir, "volume")},
			Stdout:  os.Stdout, Stderr: os.Stderr,
		})
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	select {}
}

func volume(t *testing.T, megabytes int64) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "volume")
	if err := NewVolume(file, megabytes<<20); err != nil {
		t.Fatal(err)
	}
	return file
}

// A RUN line of the last stage really runs, paths are the image's, and the host
// is not among them.
func TestChrootIsAnImage(t *testing.T) {
	testkit.NeedRoot(t)
	img := build(t, script(t, `ls /; cat /etc/marker; id -un; ls -A /root /opt /tmp; cat /proc/1/comm; echo "$FLYSQL_USER"`,
		"RUN useradd --system app && echo marked > /etc/marker", "ENV FLYSQL_USER=app"), Options{Way: Chroot})
	code, out := boot(t, img, Boot{})
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	top, rest, _ := strings.Cut(out, "marked\n")
	for _, name := range strings.Fields(top) {
		if name != "app" && !slices.Contains(seen, name) && !slices.Contains(empty, name) {
			t.Errorf("the image sees the host's /%s", name)
		}
	}
	if diff := cmp.Diff("root\n/opt:\n\n/root:\n\n/tmp:\ncat\napp\n", rest); diff != "" {
		t.Errorf("in the image (-want +got):\n%s", diff)
	}
	if _, err := os.Stat("/etc/marker"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the build wrote to the host: %v", err)
	}
	if len(img.Notes) > 0 {
		t.Errorf("notes %q: this way leaves nothing out", img.Notes)
	}
}

// A stage that continues another has its files, and all that RUN lines need.
func TestChrootContinuesAStage(t *testing.T) {
	testkit.NeedRoot(t)
	dir := contextDir(t, map[string]string{"Dockerfile": lines(
		goBase,
		"RUN echo one > /one",
		"FROM build AS more",
		"RUN cat /proc/self/comm > /two && go env GOOS > /three && echo more >> /one",
		debBase,
		"COPY --from=more /one /two /three /x/",
		"COPY --from=build /one /x/four",
		`CMD ["cat", "/x/one", "/x/two", "/x/three", "/x/four"]`,
	)})
	img := build(t, dir, Options{Way: Chroot})
	_, out := boot(t, img, Boot{})
	if diff := cmp.Diff("one\nmore\ncat\nlinux\none\n", out); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Only the volume outlives a machine.
func TestChrootVolume(t *testing.T) {
	testkit.NeedRoot(t)
	temp := t.TempDir()
	img := build(t, script(t, `grep " /data " /proc/self/mountinfo | sed 's/.* - //; s/ .*//'
stat -c %U /data; cat /data/kept /app/lost; echo kept > /data/kept; echo lost > /app/lost`), Options{Way: Chroot, TempDir: temp})
	file := volume(t, 32)
	for n, want := range []string{
		"ext4\nroot\ncat: /data/kept: No such file or directory\ncat: /app/lost: No such file or directory\n",
		"ext4\nroot\nkept\ncat: /app/lost: No such file or directory\n",
	} {
		_, out := boot(t, img, Boot{Volumes: map[string]string{"/data": file}})
		if diff := cmp.Diff(want, out); diff != "" {
			t.Errorf("boot %d (-want +got):\n%s", n+1, diff)
		}
	}
	if got := mounts(t, temp); len(got) > 0 {
		t.Errorf("the host sees mounts of the image: %q", got)
	}
}

func TestChrootRun(t *testing.T) {
	testkit.NeedRoot(t)
	img := build(t, script(t, "echo ready; while :; do /bin/sleep 0.02; done"), Options{Way: Chroot})
	var out output
	m, err := img.Start(testContext(t), Boot{Stdout: &out, Volumes: map[string]string{"/data": volume(t, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	waitFor(t, &out, "ready")
	got, err := m.Run("sh", "-c", "echo x > /data/x && cat /data/x")
	if err != nil || got != "x\n" {
		t.Errorf("%q, %v", got, err)
	}
	_, err = m.Run("sh", "-c", "echo why >&2; exit 5")
	if want := "sh: exit status 5: why\n"; err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	// The host sees the app by the same pid, and its volume through it.
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.Pid()), "root/data/x"))
	if err != nil || string(data) != "x\n" {
		t.Errorf("through /proc: %q, %v", data, err)
	}
}

func TestVolumeIsNotOverwritten(t *testing.T) {
	testkit.NeedRoot(t)
	file := volume(t, 8)
	if err := NewVolume(file, 8<<20); !errors.Is(err, os.ErrExist) {
		t.Errorf("error %v, want that it is there already", err)
	}
}

func TestVolumeThatCannotBeMounted(t *testing.T) {
	testkit.NeedRoot(t)
	img := build(t, script(t, "true"), Options{Way: Chroot})
	file := filepath.Join(t.TempDir(), "not a file system")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := img.Start(testContext(t), Boot{Volumes: map[string]string{"/data": file}})
	if want := "mount the volume " + file + " at /data"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q in it", err, want)
	}
}

// The program that built and booted is killed: the app ends, and the volume is
// unmounted and detached.
func TestKillLeavesNothing(t *testing.T) {
	testkit.NeedRoot(t)
	temp := t.TempDir()
	dir := script(t, "trap '' TERM INT HUP; echo app is $(readlink /proc/self); while :; do /bin/sleep 0.02; done")
	file := filepath.Join(dir, "volume")
	if err := NewVolume(file, 32<<20); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, problems output
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), helperEnv+"="+dir, "TMPDIR="+temp)
	// Their end tells that nobody holds them any more: the app is gone.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, &problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1024)
		for {
			n, err := r.Read(buf)
			_, _ = out.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	waitFor(t, &out, "app is")
	if attached := loops(t, file); strings.Count(attached, "\n") != 1 {
		t.Errorf("loop devices %q while it runs, want one", attached)
	}
	if got := mounts(t, temp); len(got) > 0 {
		t.Errorf("the host sees mounts of the image: %q", got)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed: that is the point
	select {
	case <-ended:
	case <-testContext(t).Done():
		t.Fatalf("the app still runs: %s %s", out.String(), problems.String())
	}
	err = poll.Until(testContext(t), "the volume's loop device to be detached", func(context.Context) error {
		if attached := loops(t, file); len(attached) > 0 {
			return errors.New(attached)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// mounts lists what this program sees mounted below dir.
func mounts(t *testing.T, dir string) []string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, dir) {
			found = append(found, line)
		}
	}
	return found
}

// loops names the loop devices that a file is attached to.
func loops(t *testing.T, file string) string {
	t.Helper()
	names, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err == nil && string(bytes.TrimSpace(data)) == file {
			found += name + "\n"
		}
	}
	return found
}

// A machine can be in a network of its own, with names of its own.
func TestChrootNetwork(t *testing.T) {
	testkit.NeedRoot(t)
	n, err := network.New(1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	img := build(t, script(t, "cat /etc/hosts /proc/net/if_inet6"), Options{Way: Chroot})
	var out output
	m, err := img.Start(testContext(t), Boot{Network: n.Place(0).Namespace, Hosts: "fdaa::2 here\n", Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	code, err := m.Wait(testContext(t))
	if err := errors.Join(err, m.Close()); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if got := out.String(); !strings.HasPrefix(got, "fdaa::2 here\n") || !strings.Contains(got, "fdaa0000000000000000000000000002") {
		t.Errorf("in the machine:\n%s", got)
	}
}

// What is tried leaves nothing, wherever it ends.
func TestUsable(t *testing.T) {
	dir := t.TempDir()
	err := Usable(dir)
	if os.Geteuid() != 0 && err == nil {
		t.Error("usable without root")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	t.Logf("usable here: %v", err)
}
