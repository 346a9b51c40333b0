package entrypoint

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// An app that ignores SIGTERM is killed after the grace, and what it forked too.
func TestStubbornApp(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	p := entry{db: db, env: []string{"FLYSQL_SUPERVISE=1", "FLYSQL_GRACE=200ms"},
		app: []string{"sh", "-c", "trap '' TERM; (trap '' TERM; echo pid $(sh -c 'echo $PPID'). >&2; while :; do sleep 0.05; done) & while :; do sleep 0.05; done"}}.start(t)
	forked := appPid(t, p)
	p.signal(syscall.SIGTERM)
	r := p.wait().expect(t, 137)
	contains(t, r.stderr, "did not end within 200ms")
	if err := syscall.Kill(forked, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("what the app forked is still there: %v", err)
	}
}

// An app that forks children and dies: its code is the result, and the children,
// also one that made a session of its own, are ended.
func TestAppLeavesChildren(t *testing.T) {
	t.Parallel()
	for _, fork := range []string{"sleep 600 &", "setsid sleep 600 &", "setsid sh -c 'sleep 600 & sleep 600' &"} {
		db := filepath.Join(t.TempDir(), "app.db")
		marker := t.TempDir() // in the children's working directory, to find them by
		r := entry{db: db, dir: marker, env: []string{"FLYSQL_SUPERVISE=1", "FLYSQL_GRACE=2s"}, app: []string{"sh", "-c", fork + " exit 5"}}.run(t).expect(t, 5)
		if left := processesIn(t, marker); len(left) > 0 {
			t.Errorf("%s: left running: %v\n%s", fork, left, r.stderr)
		}
	}
}

// processesIn lists the processes whose working directory is dir.
func processesIn(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, l := range links {
		if target, err := os.Readlink(l); err == nil && target == dir {
			found = append(found, filepath.Dir(l))
		}
	}
	return found
}

// As PID 1 of a container it reaps every orphan: no zombie is left while the app
// runs.
func TestReapsAsPID1(t *testing.T) {
	testkit.NeedRoot(t)
	t.Parallel()
	script := `for i in 1 2 3 4 5 6 7 8; do sh -c 'sleep 0.01 & exit 0'; done
for i in $(seq 200); do
  zombies=$(grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l)
  orphans=$(grep -l '^PPid:.1$' /proc/[0-9]*/status 2>/dev/null | wc -l)
  [ "$zombies" = 0 ] && [ "$orphans" = 1 ] && echo clean && exit 7
  sleep 0.05
done; exit 1`
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", executable, "--supervise", "--", "sh", "-c", script)
	cmd.Env = append(os.Environ(), asEntrypoint+"=1", "DATABASE_URL="+filepath.Join(t.TempDir(), "app.db"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, _ := cmd.Output() // the code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 7 || string(out) != "clean\n" {
		t.Errorf("code %d, stdout %q\n%s", code, out, stderr.String())
	}
}

// The child's stdin, stdout and stderr are the entrypoint's.
func TestSupervisedStreams(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	for _, mode := range []string{"0", "1"} {
		p := entry{db: db, env: []string{"FLYSQL_SUPERVISE=" + mode}, app: []string{"sh", "-c", "cat; echo out; echo err >&2"}}.start(t)
		r := p.wait().expect(t, 0)
		if r.stdout != "out\n" || !strings.Contains(r.stderr, "\nerr\n") {
			t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
		}
	}
}

// A server that reloads on SIGHUP is not ended for it.
func TestReloadIsNoEnd(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGQUIT} {
		db := filepath.Join(t.TempDir(), "app.db")
		script := fmt.Sprintf("trap 'echo reloaded >&2' %d; echo ready >&2; i=0; while [ $i -lt 40 ]; do sleep 0.02; i=$((i+1)); done; exit 9", sig)
		p := entry{db: db, env: []string{"FLYSQL_SUPERVISE=1", "FLYSQL_GRACE=50ms"}, app: []string{"bash", "-c", script}}.start(t)
		p.waitFor("ready")
		p.signal(sig)
		r := p.wait().expect(t, 9)
		contains(t, r.stderr, "reloaded")
	}
}

// An app that has left its process group and ignores SIGTERM is killed all the same.
func TestAppThatLeavesItsGroup(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "app.db")
	script := `$SIG{TERM} = 'IGNORE'; setpgrp(0, getpgrp(getppid())) or die $!; print STDERR "ready\n"; sleep 1 while 1;`
	p := entry{db: db, env: []string{"FLYSQL_SUPERVISE=1", "FLYSQL_GRACE=200ms"}, app: []string{"perl", "-e", script}}.start(t)
	p.waitFor("ready")
	p.signal(syscall.SIGTERM)
	p.wait().expect(t, 137)
}
