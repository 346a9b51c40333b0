package watch

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// limited says to a process of this test which of the kernel's limits it is under.
const limited = "FLYSQL_TEST_INOTIFY"

// Where the kernel's limits are reached, somebody is told so, and changes are found all the
// same.
func TestLimits(t *testing.T) {
	for limit, remedy := range map[string]string{
		"max_inotify_watches":   "sudo sysctl fs.inotify.max_user_watches=524288",
		"max_inotify_instances": "sudo sysctl fs.inotify.max_user_instances=1024",
	} {
		t.Run(limit, func(t *testing.T) {
			if os.Getenv(limited) == limit {
				underLimit(t, limit, remedy)
				return
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestLimits$/^"+limit+"$", "-test.v")
			cmd.Env = append(os.Environ(), limited+"="+limit)
			id := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			gid := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: id, GidMappings: gid}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				testkit.NotRun(t, "user namespaces", "a kernel that lets this user make one")
			}
			if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "--- PASS") {
				t.Errorf("under the limit: %v\n%s", err, &out)
			}
		})
	}
}

func underLimit(t *testing.T, limit, remedy string) {
	allowed := map[string]string{"max_inotify_watches": "2", "max_inotify_instances": "0"}[limit]
	if err := os.WriteFile("/proc/sys/user/"+limit, []byte(allowed), 0o666); err != nil {
		t.Fatal(err)
	}
	a := newApp(t, small, Options{Poll: time.Millisecond})
	a.want(a.next(func() { a.write("store/store.go", "package changed\n") }), "store/store.go")
	a.want(a.next(func() { a.write("x/y/z.go", "package z\n") }), "x/y/z.go")
	if !a.w.ears.deaf() {
		t.Error("it does without polling: the limit was not reached")
	}
	if len(a.said) != 1 || !strings.Contains(a.said[0], remedy) {
		t.Errorf("said: %q, want one line with %q", a.said, remedy)
	}
}

// A limit that is reached later, by a directory that is new.
func TestDeafLater(t *testing.T) {
	a := newApp(t, small, Options{Poll: time.Millisecond})
	n := a.w.ears.(*notified)
	a.want(a.next(func() { a.write("main.go", "package one\n") }), "main.go")
	n.deafen(syscall.ENOSPC)
	a.want(a.next(func() { a.write("x/y/z.go", "package z\n") }), "x/y/z.go")
	if len(a.said) != 1 || !strings.Contains(a.said[0], "every second") {
		t.Errorf("said: %q, want that files are looked at every second", a.said)
	}
}
