//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// The keys of a terminal.
const (
	enter = "\r"
	ctrlC = "\x03"
	ctrlD = "\x04"
	ctrlU = "\x15" // empties the line
)

// session is flysql on a terminal of its own, in a session of its own.
type session struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File // the test's end
	more chan struct{}
	done chan struct{} // the terminal has said everything

	mu     sync.Mutex
	output []byte // not yet expected
	all    []byte
}

// start runs the real binary in dir. Whatever change does to the command is done
// before it starts.
func start(t *testing.T, dir string, env []string, change func(*exec.Cmd), args ...string) *session {
	t.Helper()
	s := &session{t: t, more: make(chan struct{}, 1), done: make(chan struct{})}
	s.cmd = exec.CommandContext(t.Context(), buildFlysql(t), args...)
	s.cmd.Dir = dir
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TERM=xterm-256color"}, env...)
	tty, child, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 50, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	s.tty = tty
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = child, child, child
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if change != nil {
		change(s.cmd)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := child.Close(); err != nil {
		t.Fatal(err)
	}
	go s.read()
	t.Cleanup(func() {
		tty.Close()
		<-s.done
		if t.Failed() {
			t.Logf("the terminal showed:\n%s", plain(s.all))
		}
	})
	return s
}

// read collects what the terminal shows. It answers nothing: a program that asks a
// terminal for its colours or its cursor waits for ever on some.
func (s *session) read() {
	defer close(s.done)
	buf := make([]byte, 4096)
	for {
		n, err := s.tty.Read(buf)
		chunk := buf[:n]
		s.mu.Lock()
		s.output = append(s.output, chunk...)
		s.all = append(s.all, chunk...)
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil {
			return // the last process has closed its end
		}
	}
}

var escape = regexp.MustCompile("\x1b(\\[[0-9;?=>]*[A-Za-z]|\\][^\x07\x1b]*(\x07|\x1b\\\\)|[=>])")

// plain is what is to be read, without colours and movements.
func plain(b []byte) string {
	return strings.ReplaceAll(escape.ReplaceAllString(string(b), ""), "\r", "")
}

// expect waits until the terminal shows text, and forgets what came before its end.
func (s *session) expect(text string) {
	s.t.Helper()
	deadline := time.After(time.Minute)
	for {
		if s.found(text) {
			return
		}
		select {
		case <-s.more:
		case <-s.done:
			if !s.found(text) {
				s.t.Fatalf("the program ended before it showed %q", text)
			}
			return
		case <-deadline:
			s.t.Fatalf("the terminal never showed %q", text)
		}
	}
}

func (s *session) found(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, after, found := strings.Cut(plain(s.output), text)
	if found {
		s.output = []byte(after)
	}
	return found
}

func (s *session) press(keys ...string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(strings.Join(keys, "")); err != nil {
		s.t.Fatal(err)
	}
}

// exits waits for the program's end, and for all that it showed.
func (s *session) exits(want int) {
	s.t.Helper()
	err := s.cmd.Wait()
	<-s.done
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if got := s.cmd.ProcessState.ExitCode(); got != want {
		s.t.Errorf("exit code %d (%v), want %d", got, s.cmd.ProcessState, want)
	}
}

const oneProgram = "-- go.mod --\nmodule example.com/shop\n-- main.go --\npackage main\n"
const twoPrograms = "-- go.mod --\nmodule example.com/shop\n-- cmd/api/main.go --\npackage main\n-- cmd/web/main.go --\npackage main\n"

// unchanged fails if anything in dir is not as before.
func unchanged(t *testing.T, dir string) (check func()) {
	t.Helper()
	before, err := listing(dir)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		after, err := listing(dir)
		if err != nil {
			t.Fatal(err)
		}
		if after != before {
			t.Errorf("%s changed:\n%s\nwas:\n%s", dir, after, before)
		}
	}
}

func fileHas(t *testing.T, name string, lines ...string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if !strings.Contains(string(data), line+"\n") {
			t.Errorf("%s lacks %q:\n%s", name, line, data)
		}
	}
}

func TestInteractive(t *testing.T) {
	dir := module(t, twoPrograms)
	s := start(t, dir, nil, nil, "init")
	s.expect("Several main packages (--main):\n  1  ./cmd/api\n  2  ./cmd/web\nWhich one? [1]: ")
	s.press("3", enter)
	s.expect(`"3" is none of them: give a number from 1 to 2`)
	s.press("2", enter)
	s.expect("How is the database kept? (--mode)\n  volume  on one machine")
	s.expect("Which one? [volume]: ")
	s.press("two", enter)
	s.expect(`"two" is unknown: use volume`)
	s.press(enter)
	s.expect("App name, unique on Fly; the app is at NAME.fly.dev [shop]: ")
	s.press("My Shop", enter)
	s.expect(`"My Shop" is not an app name`)
	s.press("no", ctrlU, "corner", enter)
	s.expect("fly platform regions lists them [iad]: ")
	s.press("ord", enter)
	s.expect("cannot shrink [1]: ")
	s.press("big", enter)
	s.expect(`"big" is not a number`)
	s.press("3", enter)
	s.expect(`+app = "corner"`)
	s.expect("Write these files? [yes]: ")
	s.press("what", enter)
	s.expect(`"what" is neither yes nor no`)
	s.press("Y", enter)
	s.expect("fly apps create corner")
	s.exits(0)
	fileHas(t, filepath.Join(dir, "fly.toml"), `app = "corner"`, `primary_region = "ord"`, `  initial_size = "3GB"`, `  DATABASE_URL = "file:///data/corner.db"`)
	fileHas(t, filepath.Join(dir, "Dockerfile"), `CMD ["web"]`)
	if !bytes.Contains(s.all, []byte("\x1b[32m+app = \"corner\"\x1b[0m")) {
		t.Error("the diff has no colours")
	}
}

// TestInteractiveDefaults: empty lines take the defaults, however far ahead they
// are typed.
func TestInteractiveDefaults(t *testing.T) {
	dir := module(t, twoPrograms)
	s := start(t, dir, nil, nil, "init")
	s.press("./cmd/web", enter, enter, enter, enter, enter, enter)
	s.expect("fly apps create shop")
	s.exits(0)
	fileHas(t, filepath.Join(dir, "fly.toml"), `app = "shop"`, `primary_region = "iad"`, `  initial_size = "1GB"`)
	fileHas(t, filepath.Join(dir, "Dockerfile"), `CMD ["web"]`)
}

// TestInteractiveModes: the mode is asked for where nothing says it, and the regions
// of replicas where LiteFS is new.
func TestInteractiveModes(t *testing.T) {
	dir := module(t, oneProgram)
	s := start(t, dir, nil, nil, "init", "--app", "shop", "--region", "ord", "--size", "1")
	s.expect("Which one? [volume]: ")
	s.press("litefs", enter)
	s.expect("Regions of the replicas, such as ord,syd; they can be added later [none]: ")
	s.press("Sydney", enter)
	s.expect(`"Sydney"`)
	s.press("syd, ams", enter)
	s.expect("Write these files?")
	s.press(enter)
	s.expect("flysql regions add syd ams")
	s.exits(0)
	s = start(t, dir, nil, nil, "init")
	s.expect("App name") // the files say the mode
	s.press(enter, enter, enter)
	s.expect("nothing to do")
	s.exits(0)
	if bytes.Contains(s.all, []byte("replicas, such")) {
		t.Error("it asks again where replicas are to run")
	}
	s = start(t, module(t, oneProgram), nil, nil, "init", "--regions", "syd", "--app", "shop", "--region", "ord", "--size", "1")
	s.expect("Which one? [litefs]: ")
	s.press(enter)
	s.expect("Write these files?")
	s.press("no", enter)
	s.exits(1)
}

// TestTerminalIsNotAsked: no verb sends the terminal a query, whose answer it might
// wait for, and which would end up in the shell.
func TestTerminalIsNotAsked(t *testing.T) {
	dir := module(t, oneProgram)
	for _, args := range [][]string{{"version"}, {"--help"}, {"init", "--yes"}} {
		s := start(t, dir, []string{"NO_COLOR=1"}, nil, args...)
		s.exits(0)
		if bytes.ContainsRune(s.all, 0x1b) {
			t.Errorf("%v wrote an escape sequence: %q", args, s.all)
		}
	}
}

// TestInteractiveFlags: what flags give is not asked for.
func TestInteractiveFlags(t *testing.T) {
	dir := module(t, twoPrograms)
	s := start(t, dir, []string{"NO_COLOR=1"}, nil, "init", "--main", "./cmd/api", "--mode", "volume", "--app", "corner", "--region", "ord", "--size", "2")
	s.expect("Write these files?")
	s.press("y", enter)
	s.expect("fly apps create corner")
	s.exits(0)
	shown := plain(s.all)
	for _, unwanted := range []string{"App name", "Primary region", "Volume size", "Several", "Which one", "replicas, such"} {
		if strings.Contains(shown, unwanted) {
			t.Errorf("it asked for %q", unwanted)
		}
	}
	if bytes.Contains(s.all, []byte("\x1b[32m")) {
		t.Error("NO_COLOR is set, and the diff has colours")
	}
	fileHas(t, filepath.Join(dir, "Dockerfile"), `CMD ["api"]`)
}

func TestInteractiveDeclined(t *testing.T) {
	dir := module(t, oneProgram)
	check := unchanged(t, dir)
	s := start(t, dir, nil, nil, "init", "--mode", "volume", "--app", "a", "--region", "ord", "--size", "1")
	s.expect("Write these files?")
	s.press("n", enter)
	s.expect("not confirmed; nothing was written")
	s.exits(1)
	check()
}

// TestInteractiveInterrupted ends init at each of its prompts, in every way that
// a terminal has.
func TestInteractiveInterrupted(t *testing.T) {
	atMode := func(s *session) { s.expect("How is the database kept?") }
	atApp := func(s *session) {
		atMode(s)
		s.press(enter)
		s.expect("App name")
	}
	atConfirm := func(s *session) { s.expect("Write these files?") }
	given := []string{"--mode", "volume", "--app", "a", "--region", "ord", "--size", "1"}
	key := func(k string) func(*session) { return func(s *session) { s.press(k) } }
	kill := func(sig syscall.Signal) func(*session) {
		return func(s *session) {
			if err := s.cmd.Process.Signal(sig); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name   string
		repo   string
		env    []string
		args   []string
		prompt func(*session)
		end    func(*session)
		want   int
	}{
		{"Ctrl-C at the choice of a program", twoPrograms, nil, nil, func(s *session) { s.expect("Several main packages") }, key(ctrlC), 130},
		{"Ctrl-C at the mode", oneProgram, nil, nil, atMode, key(ctrlC), 130},
		{"Ctrl-C at the first question", oneProgram, nil, nil, atApp, key(ctrlC), 130},
		{"Ctrl-C at the last question", oneProgram, nil, given, atConfirm, key(ctrlC), 130},
		{"SIGINT", oneProgram, nil, nil, atApp, kill(syscall.SIGINT), 130},
		{"SIGTERM", oneProgram, nil, nil, atApp, kill(syscall.SIGTERM), 143},
		{"SIGTERM at the last question", oneProgram, nil, given, atConfirm, kill(syscall.SIGTERM), 143},
		{"end of input", oneProgram, nil, nil, atApp, key(ctrlD), 1},
		{"end of input in a line", oneProgram, nil, nil, atApp, func(s *session) { s.press("corn", ctrlD, ctrlD) }, 1},
		{"end of input at the last question", oneProgram, nil, given, atConfirm, key(ctrlD), 1},
		{"TERM=dumb", oneProgram, []string{"TERM=dumb"}, nil, atApp, key(ctrlC), 130},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := module(t, tt.repo)
			check := unchanged(t, dir)
			s := start(t, dir, tt.env, nil, append([]string{"init"}, tt.args...)...)
			tt.prompt(s)
			tt.end(s)
			s.expect("nothing was written")
			s.exits(tt.want)
			check()
			// The shell gets its terminal back as it was: lines and echo.
			state, err := unix.IoctlGetTermios(int(s.tty.Fd()), getTermios)
			if err != nil {
				t.Fatal(err)
			}
			if state.Lflag&unix.ICANON == 0 || state.Lflag&unix.ECHO == 0 {
				t.Errorf("the terminal is left in raw mode: lflag %#x", state.Lflag)
			}
		})
	}
}

// TestInteractiveKeepsStdoutClean: questions and diff go to stderr, so that stdout
// can be used.
func TestInteractiveKeepsStdoutClean(t *testing.T) {
	dir := module(t, oneProgram)
	out, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s := start(t, dir, nil, func(c *exec.Cmd) { c.Stdout = out }, "init", "--mode", "volume", "--app", "a", "--region", "ord", "--size", "1")
	s.expect(`+app = "a"`)
	s.expect("Write these files?")
	s.press(enter)
	s.expect("written to ")
	s.exits(0)
	data, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(data), "fly apps create a"; !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 3 || strings.Contains(got, "\x1b") {
		t.Errorf("stdout is %q, want the next commands only", got)
	}
}

// TestNoTerminalNoPrompt: with only one of stdin and stderr on a terminal, nobody
// can be asked.
func TestNoTerminalNoPrompt(t *testing.T) {
	for _, stream := range []string{"stdin", "stderr"} {
		t.Run(stream, func(t *testing.T) {
			dir := module(t, oneProgram)
			check := unchanged(t, dir)
			var stderr bytes.Buffer
			s := start(t, dir, nil, func(c *exec.Cmd) {
				if stream == "stdin" {
					c.Stdin, c.SysProcAttr.Ctty = strings.NewReader(""), 1
				} else {
					c.Stderr = &stderr
				}
			}, "init")
			if stream == "stdin" {
				s.expect("give --yes; nothing was written")
			}
			s.exits(2)
			if stream == "stderr" && !strings.Contains(stderr.String(), "give --yes; nothing was written") {
				t.Errorf("stderr: %s", stderr.String())
			}
			check()
		})
	}
}

// TestReadOnlyDirectory: as a user who may not write there. Root may write
// anywhere, so root becomes another user for it.
func TestReadOnlyDirectory(t *testing.T) {
	bin := buildFlysql(t)
	dir, err := os.MkdirTemp("", "flysql-readonly-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for name, content := range map[string]string{"go.mod": "module example.com/shop\n", "main.go": "package main\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	check := unchanged(t, dir)
	cmd := exec.CommandContext(t.Context(), bin, "init", "--yes")
	cmd.Dir = dir
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("%v, want exit code 1", err)
	}
	if want := "flysql: nothing was changed: " + dir + " cannot be written to: "; !strings.Contains(stderr.String(), want) {
		t.Errorf("stderr lacks %q:\n%s", want, stderr.String())
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout: %s", stdout.String())
	}
	check()
	if err := os.Chmod(dir, 0o755); err != nil { // for RemoveAll without root
		t.Fatal(err)
	}
}
