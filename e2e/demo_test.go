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
	"time"

	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/e2e/poll"
	"github.com/flysql/flysql/internal/testkit"
)

// runDemo starts the demo as a person would, with its temporary files in a
// directory that the test can look at.
func runDemo(t *testing.T, args ...string) (cmd *exec.Cmd, stdout, stderr *output, temp string) {
	t.Helper()
	temp = t.TempDir()
	stdout, stderr = &output{}, &output{}
	cmd = exec.CommandContext(demoContext(t), must(t, shop.demo), args...)
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

// demoContext is for what builds an image whole, with apt-get, beside others that do.
func demoContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestDemoCheck(t *testing.T) {
	t.Parallel()
	cmd, stdout, stderr, temp := runDemo(t, "-check", "-mode", "volume")
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

// Ctrl-C ends the demo at any moment, and leaves no process, no mount and no file.
func TestDemoCtrlC(t *testing.T) {
	t.Parallel()
	interrupt := []os.Signal{os.Interrupt}
	ctrlC(t, []string{"-mode", "volume"}, []ctrlCTest{
		{"at the first step", "  flysql ", interrupt, 130},
		{"during the image's build", "RUN CGO_ENABLED=0 go build", interrupt, 130},
		{"during the image's build, by SIGTERM", "RUN CGO_ENABLED=0 go build", []os.Signal{syscall.SIGTERM}, 143},
		{"while it serves", "http://localhost:", interrupt, 0},
		{"while it serves, twice", "http://localhost:", []os.Signal{os.Interrupt, os.Interrupt}, 0},
	})
}

// The same in three regions. The check goes through more steps than a person does.
func TestDemoRegionsCtrlC(t *testing.T) {
	needRegions(t)
	t.Parallel()
	interrupt := []os.Signal{os.Interrupt}
	ctrlC(t, []string{"-mode", "regions", "-check"}, []ctrlCTest{
		{"during the image's build", "RUN apt-get", interrupt, 130},
		{"during the deploy", "| ams1 | flysql handoff", interrupt, 130},
	})
	ctrlC(t, []string{"-mode", "regions"}, []ctrlCTest{
		{"while it serves", "Ctrl-C stops it", interrupt, 0},
	})
}

type ctrlCTest struct {
	name string
	when string // what it has printed; a line of a machine begins with |
	sent []os.Signal
	want int
}

func ctrlC(t *testing.T, args []string, tests []ctrlCTest) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd, stdout, stderr, temp := runDemo(t, args...)
			err := poll.Until(demoContext(t), test.when, func(context.Context) error {
				printed := stdout
				if strings.HasPrefix(test.when, "| ") { // by a machine
					printed = stderr
				}
				if !strings.Contains(printed.String(), test.when) {
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

// needRegions skips what runs LiteFS on several machines.
func needRegions(t *testing.T) {
	t.Helper()
	testkit.LiteFS(t) // skips
	if err := image.Usable(t.TempDir()); err != nil {
		testkit.NotRun(t, "machines with FUSE", err.Error())
	}
}

// In three regions: what one writes all read, a deploy loses nothing, and the end of
// the primary does not end the app.
func TestDemoRegionsCheck(t *testing.T) {
	needRegions(t)
	t.Parallel()
	cmd, stdout, stderr, temp := runDemo(t, "-mode", "regions", "-check")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	wantInOrder(t, stdout.String(),
		"litefs       built",
		"flysql init  wrote ", "litefs.yml",
		"http://ams.localhost:", "ams1  primary", "ams2  replica, next in line", "http://ord.localhost:", "http://syd.localhost:",
		"ok    written by way of ams, read at once in ams, ord, syd",
		"ok    written by way of ord", "ok    written by way of syd",
		"ok    ams1 updated: it was primary", "ok    syd1 updated",
		"the database of each of 4 machines: integrity_check", "the new column",
		"messages acknowledged meanwhile, 0 lost",
		"ok    ams", "killed; ord and syd still serve",
		"ok    written by way of syd again",
		"started again",
		"ok    every message from before is there, in every region",
		"ok    exit code 0 on every machine",
		"all checks passed",
	)
	wantInOrder(t, stderr.String(), "  | ams1 | flysql node     ok", "role=primary", "  | ams1 | flysql handoff  ok")
	if strings.Contains(stdout.String(), "left out:") {
		t.Error("something was left out of the image")
	}
	nothingLeft(t, temp)
}

// The data directory of a person's choice stays, and so does the data.
func TestDemoKeepsData(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "my data")
	cmd, _, _, temp := runDemo(t, "-check", "-mode", "volume", "-data", data)
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
	for _, args := range [][]string{{"-frob"}, {"extra"}, {"-mode", "both"}} {
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

// nothingLeft wants temp empty, no mount there, and no process that was started from
// it. Process 1 of each machine has it in its environment, and takes all others along.
func nothingLeft(t *testing.T, temp string) {
	t.Helper()
	entries, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", filepath.Join(temp, e.Name()))
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), temp) {
		t.Errorf("still mounted below %s:\n%s", temp, mounts)
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
