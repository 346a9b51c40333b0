package e2e_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/e2e/poll"
)

// runDemo starts the demo as a person would, with its temporary files in a
// directory that the test can look at.
func runDemo(t *testing.T, args ...string) (cmd *exec.Cmd, stdout, stderr *output, temp string) {
	t.Helper()
	temp = t.TempDir()
	stdout, stderr = &output{}, &output{}
	cmd = exec.CommandContext(testContext(t), must(t, shop.demo), args...)
	// go finds its caches by itself; everything else is as in an empty shell.
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", stdout, stderr)
		}
	})
	return cmd, stdout, stderr, temp
}

func TestDemoCheck(t *testing.T) {
	t.Parallel()
	cmd, stdout, stderr, temp := runDemo(t, "-check")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	wantInOrder(t, stdout.String(),
		"flysql init  wrote ", "fly.toml",
		"left out: RUN apt-get update", "left out: FLYSQL_USER=app",
		"ok    booted",
		"ok    3 messages written",
		"ok    read back at once",
		"ok    stopped by SIGTERM: exit code 0",
		"ok    read back after the restart",
		"ok    refused: exit code 1, and the app never listened",
		"ok    the error names the file and the line: 99999_broken.sql:4",
		"ok    the data is intact",
		"ok    read back after the failed deploy",
		"all checks passed",
	)
	wantInOrder(t, stderr.String(), "  | flysql mode", "  | flysql migrate", "  | flysql app", "syntax error")
	if strings.Contains(stdout.String()+stderr.String(), "\x1b") {
		t.Error("there are colours in a pipe")
	}
	nothingLeft(t, temp)
}

func wantInOrder(t *testing.T, s string, want ...string) {
	t.Helper()
	for _, w := range want {
		_, after, found := strings.Cut(s, w)
		if !found {
			t.Errorf("missing, or not in its place: %q", w)
			continue
		}
		s = after
	}
}

// Ctrl-C ends the demo at any moment, and leaves no process and no file.
func TestDemoCtrlC(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		when string // what it has printed
		sent []os.Signal
		want int
	}{
		{"at the first step", "  flysql ", []os.Signal{os.Interrupt}, 130},
		{"during the image's build", "RUN CGO_ENABLED=0 go build", []os.Signal{os.Interrupt}, 130},
		{"during the image's build, by SIGTERM", "RUN CGO_ENABLED=0 go build", []os.Signal{syscall.SIGTERM}, 143},
		{"while it serves", "http://localhost:", []os.Signal{os.Interrupt}, 0},
		{"while it serves, twice", "http://localhost:", []os.Signal{os.Interrupt, os.Interrupt}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd, stdout, _, temp := runDemo(t)
			err := poll.Until(testContext(t), test.when, func(context.Context) error {
				if !strings.Contains(stdout.String(), test.when) {
					return errors.New("not printed yet")
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range test.sent {
				if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Fatal(err)
				}
			}
			if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() < 0 {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
			nothingLeft(t, temp)
		})
	}
}

// The data directory of a person's choice stays, and so does the data.
func TestDemoKeepsData(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "my data")
	cmd, _, _, temp := runDemo(t, "-check", "-data", data)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, temp)
	if info, err := os.Stat(filepath.Join(data, "guestbook.db")); err != nil || info.Size() == 0 {
		t.Errorf("the database: %v, %v, want it to be there", info, err)
	}
}

func TestDemoUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-frob"}, {"extra"}} {
		cmd, stdout, stderr, temp := runDemo(t, args...)
		_ = cmd.Wait() // the exit code says it
		if got := cmd.ProcessState.ExitCode(); got != 2 {
			t.Errorf("%q: exit code %d, want 2", args, got)
		}
		if stdout.String() != "" || !strings.Contains(stderr.String(), "make demo [CHECK=1]") {
			t.Errorf("%q: printed %q and %q, want the usage on stderr", args, stdout, stderr)
		}
		nothingLeft(t, temp)
	}
}

// nothingLeft wants temp empty and no process that was started from it.
func nothingLeft(t *testing.T, temp string) {
	t.Helper()
	entries, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", filepath.Join(temp, e.Name()))
	}
	if left := processesOf(t, temp); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}

// processesOf lists the processes that run a program below dir, or in a directory
// below it, or name it in their arguments or environment.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	pids, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, pid := range pids {
		// A process that has gone, or is somebody else's, cannot be read.
		exe, _ := os.Readlink(filepath.Join(pid, "exe"))
		cwd, _ := os.Readlink(filepath.Join(pid, "cwd"))
		args, _ := os.ReadFile(filepath.Join(pid, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(pid, "environ"))
		if slices.ContainsFunc([]string{exe, cwd, string(args), string(env)}, func(s string) bool { return strings.Contains(s, dir) }) {
			found = append(found, pid+" "+strings.ReplaceAll(string(args), "\x00", " "))
		}
	}
	return found
}
