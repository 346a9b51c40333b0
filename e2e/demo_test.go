package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/left"
	"github.com/flysql/flysql/e2e/poll"
	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/testkit"
)

// runDemo starts the demo as a person would, with its temporary files in a
// directory that the test can look at.
func runDemo(t *testing.T, args ...string) (cmd *exec.Cmd, stdout, stderr *output, temp string) {
	t.Helper()
	return runDemoIn(t, "", args...)
}

// runDemoIn is runDemo with one more variable.
func runDemoIn(t *testing.T, variable string, args ...string) (cmd *exec.Cmd, stdout, stderr *output, temp string) {
	t.Helper()
	temp = t.TempDir()
	stdout, stderr = &output{}, &output{}
	cmd = exec.CommandContext(slowContext(t), must(t, shop.demo), args...)
	// go finds its caches by itself; everything else is as in an empty shell.
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	if variable != "" {
		cmd.Env = append(cmd.Env, variable)
	}
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

// On one machine. What a directory of a person's choice has, stays, and is gone on with.
func TestDemoCheck(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "my guestbook")
	cmd, stdout, stderr, temp := runDemo(t, "-check", "-single", "-dir", dir)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	wantInOrder(t, stdout.String(),
		"flysql init  wrote ", "fly.toml",
		"$ flysql dev --port 0 --json",
		"ok    all machines serve",
		"ok    3 messages written and read back",
		"ok    written by way of", "the page has counted",
		"refused it",
		"ok    the error names the file and the line: 99999_broken.sql:4",
		"ok    the data is intact",
		"serves again without it",
		"messages acknowledged meanwhile, 0 lost",
		"started again; every message from before is there",
		"ok    every machine has stopped; nothing is left running or mounted",
		"messages are there",
		"all checks passed",
	)
	wantInOrder(t, stderr.String(), "| flysql migrate  ok", "| flysql app", "| flysql migrate  failed")
	if strings.Contains(stdout.String()+stderr.String(), "\x1b") {
		t.Error("there are colours in a pipe")
	}
	nothingLeft(t, temp)

	cmd, stdout, _, temp = runDemo(t, "-single", "-dir", dir, "-port", "0")
	port := servedAt(t, stdout)
	if rows, err := guestbook.New(port).Messages(testContext(t)); err != nil || len(rows) < guestbook.Texts {
		t.Errorf("%d messages, %v, want those of the check", len(rows), err)
	}
	if page, err := guestbook.New(port).Get(testContext(t), dev.PagePrefix); err != nil || !strings.Contains(page, "<html") {
		t.Errorf("the page: %q, %v", page, err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	wantInOrder(t, stdout.String(), "goes on with "+dir, "had nothing to write")
	nothingLeft(t, temp)
	nothingRuns(t, dir)
}

var served = regexp.MustCompile(`http://localhost:([0-9]+)\s`)

// servedAt waits until a demo serves, and returns its port.
func servedAt(t *testing.T, stdout *output) int {
	t.Helper()
	port := 0
	err := poll.Until(slowContext(t), "the app's URL", func(context.Context) error {
		found := served.FindStringSubmatch(stdout.String())
		if found == nil {
			return errors.New("not printed yet")
		}
		port, _ = strconv.Atoi(found[1]) // digits, by the pattern
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Ctrl-C ends the demo at any moment, and leaves no process, no mount and no file.
func TestDemoCtrlC(t *testing.T) {
	t.Parallel()
	interrupt := []os.Signal{os.Interrupt}
	ctrlC(t, []string{"-single", "-port", "0"}, []ctrlCTest{
		{"at the first step", "  flysql ", interrupt, 130},
		{"while flysql dev begins", "$ flysql dev", interrupt, 0},
		{"while it serves, by SIGTERM", "http://localhost:", []os.Signal{syscall.SIGTERM}, 0},
		{"while it serves, twice", "http://localhost:", []os.Signal{os.Interrupt, os.Interrupt}, 0},
	})
}

// The same in three regions. The check goes through more steps than a person does.
func TestDemoRegionsCtrlC(t *testing.T) {
	testkit.LiteFS(t) // skips
	t.Parallel()
	interrupt := []os.Signal{os.Interrupt}
	ctrlC(t, []string{"-check"}, []ctrlCTest{
		{"during the deploy", "rolling ord1", interrupt, 130},
	})
	ctrlC(t, []string{"-port", "0"}, []ctrlCTest{
		{"while it serves", "http://localhost:", interrupt, 0},
	})
}

// waitPrinted waits until something is printed.
func waitPrinted(t *testing.T, o *output, text string) {
	t.Helper()
	err := poll.Until(slowContext(t), text, func(context.Context) error {
		if !strings.Contains(o.String(), text) {
			return errors.New("not printed yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

type ctrlCTest struct {
	name string
	when string // what it has printed
	sent []os.Signal
	want int
}

func ctrlC(t *testing.T, args []string, tests []ctrlCTest) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd, stdout, _, temp := runDemo(t, args...)
			waitPrinted(t, stdout, test.when)
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

// A demo that is killed leaves its files, and nothing that runs.
func TestDemoKilled(t *testing.T) {
	t.Parallel()
	cmd, stdout, _, temp := runDemo(t, "-single", "-port", "0")
	servedAt(t, stdout)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // that it was killed
	err := poll.Until(testContext(t), "what the demo had started to end", func(context.Context) error {
		return behind(temp)
	})
	if err != nil {
		t.Error(err)
	}
}

// In three regions: what one writes all read, writes are replayed, a deploy loses nothing, and
// neither the end of the primary nor a cut network ends the app.
func TestDemoRegionsCheck(t *testing.T) {
	testkit.LiteFS(t) // skips
	t.Parallel()
	cmd, stdout, stderr, temp := runDemo(t, "-check")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	wantInOrder(t, stdout.String(),
		"litefs       built",
		"flysql init  wrote ", "litefs.yml",
		"$ flysql dev --regions ams,ord,syd --machines 2 --port 0 --json",
		"ok    all machines serve: ams1 primary, ams2 replica",
		"ok    written by way of ams, read at once in ams, ord, syd",
		"ok    written by way of ord", "ok    written by way of syd",
		"ok    POST /messages: edge ams -> ams",
		"ok    POST /messages: edge syd -> syd", " replica -> replay -> ams1 primary,",
		"ok    GET /messages.json: edge syd -> syd",
		"ok    GET /, which counts its readers: edge syd -> syd", "-> replay -> ams1 primary,",
		"rolling ams2",
		"ok    ams2 refused it", "99999_broken.sql:4", "ok    the build before serves on 5 machines",
		"rolling ord1", "rolling syd2",
		"the database of each of 6 machines: integrity_check", "the new column",
		"messages acknowledged meanwhile, 0 lost",
		"killed; ord and syd still serve",
		"ok    written by way of syd again",
		"started again; every message from before is there, in every region",
		"ok    syd is cut off", "ok    syd acknowledges nothing", "ok    syd is back",
		"ok    every machine has stopped; nothing is left running or mounted",
		"messages are there, in every region, and one more",
		"all checks passed",
	)
	wantInOrder(t, stderr.String(), "| ams1 | flysql node     ok", "| ams2 | flysql takeover ok", "| ams2 | flysql migrate  failed", "| ams2 | flysql handoff  ok")
	nothingLeft(t, temp)
}

// Where LiteFS cannot be mounted, one machine is run, and the reason is told.
func TestDemoWithoutFUSE(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir() // which lacks fusermount3
	if err := os.Symlink(program, filepath.Join(bin, "go")); err != nil {
		t.Fatal(err)
	}
	cmd, stdout, _, temp := runDemoIn(t, "PATH="+bin, "-port", "0")
	waitPrinted(t, stdout, "  flysql ")
	wantInOrder(t, stdout.String(), "to the app on one machine", "Not in three regions, on LiteFS: ")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // that it was interrupted
	nothingLeft(t, temp)
}

func TestDemoUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-frob"}, {"extra"}, {"-port", "http"}, {"-check", "-port", "8080"}} {
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

// A directory that has something else is left as it is.
func TestDemoOtherDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "go.mod")
	if err := os.WriteFile(file, []byte("module mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd, _, stderr, temp := runDemo(t, "-single", "-dir", dir)
	_ = cmd.Wait() // the exit code says it
	if got := cmd.ProcessState.ExitCode(); got != 1 || !strings.Contains(stderr.String(), "is no copy of examples/guestbook") {
		t.Errorf("exit code %d, want 1 and the reason: %s", got, stderr)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, %v, want its file alone", entries, err)
	}
	nothingLeft(t, temp)
}

// nothingLeft wants temp empty, no mount there, and no process that was started from it.
func nothingLeft(t *testing.T, temp string) {
	t.Helper()
	entries, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", filepath.Join(temp, e.Name()))
	}
	nothingRuns(t, temp)
}

// nothingRuns wants no mount below a directory, and no process that has to do with it.
func nothingRuns(t *testing.T, dir string) {
	t.Helper()
	if err := behind(dir); err != nil {
		t.Error(err)
	}
}

func behind(dir string) error {
	found, err := left.Behind(dir)
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("left behind: %q", found)
	}
	return err
}
