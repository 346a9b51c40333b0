package scaffold

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// killAt makes the test binary a process that applies the plan of the repository
// in its directory and kills itself before the operation with that number. It
// exits with 0 when there were fewer.
const killAt = "FLYSQL_TEST_KILL_AT"

func TestMain(m *testing.M) {
	if at := os.Getenv(killAt); at != "" {
		os.Exit(applyAndDie(at))
	}
	os.Exit(m.Run())
}

func applyAndDie(at string) int {
	n, err := strconv.Atoi(at)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	err = applyPlan(func(string, string) error {
		if n--; n == 0 {
			// The kernel ends the process before Kill returns.
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// applyPlan does what flysql init --force does in the current directory.
func applyPlan(fault func(op, name string) error) error {
	f, err := Detect(context.Background(), ".")
	if err != nil {
		return err
	}
	a, err := f.Complete(defaults())
	if err != nil {
		return err
	}
	p, err := f.Plan(a, fakeFlysql(""))
	if err != nil {
		return err
	}
	c, err := p.Compare(true)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	w := applier{root: root, fault: fault}
	return w.apply(context.Background(), c.Files)
}

// used is a repository in which every action has something to do: a file to
// create, two to overwrite, one to leave, one to remove.
func used(t *testing.T) string {
	dir := repo(t, shop+`
-- Dockerfile --
FROM scratch
-- .flysql/src/appdb/appdb.go --
package old
-- .flysql/src/go.sum --
sums
-- .flysql/src/appdb/stale.go --
package stale
`)
	if err := os.Chmod(filepath.Join(dir, "Dockerfile"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// applied is what the repository looks like afterwards.
func applied(t *testing.T) map[string]string {
	dir := used(t)
	p := plan(t, dir, defaults(), fakeFlysql(""))
	if err := compareWith(t, p).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return tree(t, dir)
}

func TestApply(t *testing.T) {
	dir := used(t)
	p := plan(t, dir, defaults(), fakeFlysql(""))
	changes := compareWith(t, p)

	got := map[string]Action{}
	for _, f := range changes.Files {
		got[f.Path] = f.Action
	}
	want := map[string]Action{
		"fly.toml": Create, "Dockerfile": Overwrite, ".dockerignore": Create,
		".flysql/src/go.mod": Create, ".flysql/src/go.sum": Unchanged,
		".flysql/src/appdb/appdb.go": Overwrite, ".flysql/src/appdb/stale.go": Remove,
		".flysql/src/cmd/flysql-entrypoint/main.go": Create,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("actions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Dockerfile"}, changes.Conflicts()); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}

	if err := changes.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := tree(t, dir)
	for _, f := range p.Files {
		mode := "-rw-r--r-- "
		if f.Path == "Dockerfile" {
			mode = "-rw------- " // as it was
		}
		if after[f.Path] != mode+string(f.Content) {
			t.Errorf("%s holds %q", f.Path, after[f.Path])
		}
	}
	if _, there := after[".flysql/src/appdb/stale.go"]; there {
		t.Error("the stale source file is still there")
	}
	if left := debris(after); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	// Again: nothing to do, and not a byte or a time of modification changes.
	stat := func() map[string]string {
		times := map[string]string{}
		for name := range after {
			info, err := os.Lstat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			times[name] = info.ModTime().String()
		}
		return times
	}
	before := stat()
	again := compareWith(t, plan(t, dir, defaults(), fakeFlysql("")))
	if again.Pending() {
		t.Errorf("still pending: %v", again.Conflicts())
	}
	if err := again.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, stat()); diff != "" {
		t.Errorf("touched (-before +after):\n%s", diff)
	}
}

// TestApplyFaults lets every single operation fail, and expects all of the
// repository as it was.
func TestApplyFaults(t *testing.T) {
	want := tree(t, used(t))
	errFault := errors.New("no space left on device")
	var operations []string
	t.Chdir(used(t))
	if err := applyPlan(func(op, name string) error {
		operations = append(operations, op+" "+name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	committed := slices.IndexFunc(operations, func(s string) bool { return strings.HasPrefix(s, "remove ") })
	if committed < 20 {
		t.Fatalf("only %d operations before the first tidying up: %v", committed, operations)
	}
	for i, operation := range operations[:committed] {
		t.Run(operation, func(t *testing.T) {
			dir := used(t)
			t.Chdir(dir)
			n := 0
			err := applyPlan(func(op, name string) error {
				if n++; n == i+1 {
					return errFault
				}
				return nil
			})
			if !errors.Is(err, errFault) || !strings.HasPrefix(err.Error(), "nothing was changed: ") {
				t.Errorf("err = %v", err)
			}
			if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
				t.Errorf("the repository changed (-before +after):\n%s", diff)
			}
		})
	}
}

// TestApplyTidyFault: when only a backup cannot be removed, the files are written
// all the same, and the next run removes it.
func TestApplyTidyFault(t *testing.T) {
	dir := used(t)
	t.Chdir(dir)
	errFault := errors.New("input/output error")
	if err := applyPlan(func(op, name string) error {
		if op == "remove" {
			return errFault
		}
		return nil
	}); !errors.Is(err, errFault) {
		t.Fatalf("err = %v", err)
	}
	if len(debris(tree(t, dir))) == 0 {
		t.Fatal("no backup was left: the fault was not met")
	}
	if err := compareWith(t, plan(t, dir, defaults(), fakeFlysql(""))).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(applied(t), tree(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestApplyKilled kills a real process before each of its operations. Every file
// is then old or new, and the next run completes the work.
func TestApplyKilled(t *testing.T) {
	before, after := tree(t, used(t)), applied(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for n := 1; ; n++ {
		dir := used(t)
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), killAt+"="+strconv.Itoa(n))
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("operation %d: %v\n%s", n, err, out)
		}
		killed++

		for name, content := range tree(t, dir) {
			if strings.Contains(name, tempPrefix) || strings.HasSuffix(name, "/") {
				continue
			}
			if content != before[name] && content != after[name] {
				t.Errorf("operation %d: %s is neither old nor new: %q", n, name, content)
			}
		}
		if err := compareWith(t, plan(t, dir, defaults(), fakeFlysql(""))).Apply(t.Context()); err != nil {
			t.Errorf("operation %d: the next run: %v", n, err)
		}
		if diff := cmp.Diff(after, tree(t, dir)); diff != "" {
			t.Errorf("operation %d: after the next run (-want +got):\n%s", n, diff)
		}
	}
	if killed < 20 {
		t.Errorf("killed at %d operations only", killed)
	}
}

// TestCompareRefuses: init writes through nothing that is no regular file.
func TestCompareRefuses(t *testing.T) {
	elsewhere := t.TempDir()
	tests := []struct {
		name string
		make func(dir string) error
		want string
	}{
		{"directory", func(dir string) error { return os.Mkdir(filepath.Join(dir, "fly.toml"), 0o755) },
			"fly.toml is a directory, and flysql does not write through it: move it away"},
		{"link", func(dir string) error { return os.Symlink("other.toml", filepath.Join(dir, "fly.toml")) },
			"fly.toml is a symbolic link, and flysql does not write through it: move it away"},
		{"pipe", func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "Dockerfile"), 0o600) },
			"Dockerfile is a special file, and flysql does not write through it: move it away"},
		{"linked directory", func(dir string) error { return os.Symlink(elsewhere, filepath.Join(dir, ".flysql")) },
			".flysql is a symbolic link where a directory is needed: move it away"},
		{"file for a directory", func(dir string) error { return os.WriteFile(filepath.Join(dir, ".flysql"), nil, 0o644) },
			".flysql is a file where a directory is needed: move it away"},
		{"link among the source", func(dir string) error {
			return errors.Join(os.MkdirAll(filepath.Join(dir, ".flysql/src/x"), 0o755), os.Symlink(elsewhere, filepath.Join(dir, ".flysql/src/x/y")))
		}, ".flysql/src/x/y is a symbolic link, and .flysql/src is flysql's own: move it away"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := repo(t, shop)
			if err := tt.make(dir); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			c, err := plan(t, dir, defaults(), fakeFlysql("")).Compare(true)
			if err == nil {
				t.Fatalf("no error but %+v", c)
			}
			if first, _, _ := strings.Cut(err.Error(), "\n"); first != tt.want {
				t.Errorf("\n got %s\nwant %s", first, tt.want)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("the repository changed:\n%s", diff)
			}
		})
	}
	if left := tree(t, elsewhere); len(left) > 0 {
		t.Errorf("written by way of a link: %v", slices.Collect(maps.Keys(left)))
	}
}

// TestApplyNoticesChanges: what was shown is no longer what is there.
func TestApplyNoticesChanges(t *testing.T) {
	tests := []struct {
		name   string
		change func(dir string) error
	}{
		{"a file appeared", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "fly.toml"), []byte("app = 'x'\n"), 0o644)
		}},
		{"a file was saved", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch AS mine\n"), 0o600)
		}},
		{"a file vanished", func(dir string) error { return os.Remove(filepath.Join(dir, "Dockerfile")) }},
		{"a file became a link", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "Dockerfile")), os.Symlink("go.mod", filepath.Join(dir, "Dockerfile")))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := used(t)
			c := compareWith(t, plan(t, dir, defaults(), fakeFlysql("")))
			if err := tt.change(dir); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			err := c.Apply(t.Context())
			if err == nil || !strings.Contains(err.Error(), "was changed by something else meanwhile: run the command again") {
				t.Errorf("err = %v", err)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("the repository changed:\n%s", diff)
			}
		})
	}
}

func TestApplyCancelled(t *testing.T) {
	dir := used(t)
	before := tree(t, dir)
	c := compareWith(t, plan(t, dir, defaults(), fakeFlysql("")))
	why := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := c.Apply(ctx); !errors.Is(err, why) {
		t.Errorf("err = %v, want %v", err, why)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("the repository changed:\n%s", diff)
	}
}

func TestApplyOneAtATime(t *testing.T) {
	dir := used(t)
	c := compareWith(t, plan(t, dir, defaults(), fakeFlysql("")))
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	unlock, err := lock(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "another flysql init is writing in "+dir) {
		t.Errorf("err = %v", err)
	}
	unlock()
	if err := c.Apply(t.Context()); err != nil {
		t.Errorf("after the other one: %v", err)
	}
}
