package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// exec is flysql dev exec with a command, beside one machine without LiteFS.
func (a *devApp) exec(script string) *devRun {
	a.t.Helper()
	return a.run("exec", "--no-litefs", "-c", "fly.toml", "--", "sh", "-c", script)
}

// The command's end is flysql's own.
func TestDevExecCodes(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, false)
	a.image("guestbook")
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -TERM $$": 143, "kill -KILL $$": 137} {
		r := a.exec(script)
		r.ends(want)
		said := ""
		if want != 0 {
			said = fmt.Sprintf("flysql: sh ended with exit code %d; the machines' logs are %s/.flysql/exec/machines/*/log\n", want, a.real())
		}
		if got := r.stderr.text(); got != said || r.stdout.text() != "" {
			t.Errorf("%s: stderr %q, want %q; stdout %q", script, got, said, r.stdout.text())
		}
	}
	if logs, err := filepath.Glob(filepath.Join(a.dir, ".flysql/exec/machines/*/log")); err != nil || len(logs) != 1 {
		t.Errorf("logs: %v, %v", logs, err)
	}
}

// The command has its own streams, and finds the app in each region by its environment.
func TestDevExecRegions(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, true)
	a.image("guestbook")
	script := `read line; echo "$line" >&2; echo $FLYSQL_DEV_REGIONS $FLYSQL_DEV_ENGINE
curl -fsS -o /dev/null -w '%{http_code} ' -d "name=Ada&message=$line" $FLYSQL_DEV_URL_AMS/messages
curl -fsS $FLYSQL_DEV_URL/messages.json | grep -o hello
curl -fsS -X POST -H 'Flysql-Page: 1' $FLYSQL_DEV_API/machines/ams1/kill
ls $FLYSQL_DEV_LOGS`
	cmd := exec.Command(buildFlysql(t), "dev", "exec", "--regions", "ord,ams", "--latency", "none", "--", "sh", "-c", script)
	cmd.Dir, cmd.Env, cmd.Stdin = a.dir, a.env, strings.NewReader("hello\n")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	want := "ord,ams litefs\n303 hello\n{\"ok\":true}\nams1\nord1\n"
	if err != nil || string(out) != want || stderr.String() != "hello\n" {
		t.Errorf("%v\nstdout %q, want %q\nstderr %q", err, out, want, stderr.String())
	}
	a.nothingLeft()
}

// A signal is the command's, all of its processes'; a second ends everything.
func TestDevExecSignals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		stop   func(*devRun)
		code   int
	}{
		"forwarded": {"trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.1; done", func(r *devRun) { r.signal(syscall.SIGTERM) }, 7},
		"killed by": {"echo ready; exec sleep 1000", func(r *devRun) { r.signal(syscall.SIGINT) }, 130},
		"twice": {"trap '' TERM HUP; echo ready; sleep 1000 & wait; while :; do sleep 1; done", func(r *devRun) {
			r.signal(syscall.SIGTERM)
			r.signal(syscall.SIGHUP)
		}, 137},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newDevApp(t, false)
			a.image("guestbook")
			r := a.exec(c.script)
			r.says("ready\n")
			c.stop(r)
			r.ends(c.code)
		})
	}
}

// On a terminal the command reads what is typed, and gets a Ctrl-C once.
func TestDevExecTerminal(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, false)
	a.image("guestbook")
	script := "trap 'echo caught; exit 7' INT; read line; echo it has $line; while :; do sleep 0.1; done"
	s := start(t, a.dir, a.env, nil, "dev", "exec", "--no-litefs", "--", "sh", "-c", script)
	s.press("hello", enter)
	s.expect("it has hello")
	s.press(ctrlC)
	s.expect("caught")
	s.expect("flysql: sh ended with exit code 7")
	s.exits(7)
	if n := strings.Count(plain(s.all), "caught"); n != 1 {
		t.Errorf("it was caught %d times", n)
	}
	a.nothingLeft()
}

// While the machines start, a signal ends that, and no command is run.
func TestDevExecInterrupted(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, false)
	a.image("slow")
	r := a.exec("echo it ran")
	log := filepath.Join(a.dir, ".flysql/exec/machines/ord1/log")
	testkit.Poll(t, "a machine that boots", func() bool {
		data, _ := os.ReadFile(log) // it is not there yet
		return strings.Contains(string(data), "booting")
	})
	r.signal(os.Interrupt)
	r.ends(130)
	r.errs("flysql: ended by interrupt; nothing is left running")
	if out := r.stdout.text(); out != "" {
		t.Errorf("stdout: %s", out)
	}
}

// A machine that does not come up is said, with what it printed, and no command is run.
func TestDevExecNoMachine(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, true)
	a.image("crash")
	r := a.run("exec", "--regions", "ord,ams", "--latency", "none", "--", "echo", "it ran")
	r.ends(1)
	r.errs("flysql: machine ams1 did not come up, so the command was not run: ", "exit status 1", "no luck in ams", "its log is ", "/machines/ams1/log")
	if out := r.stdout.text(); out != "" {
		t.Errorf("stdout: %s", out)
	}
}

// A signal that comes when the command could not be started finds nobody.
func TestSignalNotStarted(t *testing.T) {
	for _, group := range []bool{false, true} {
		signalCommand(&exec.Cmd{}, syscall.SIGINT, group)
	}
}
