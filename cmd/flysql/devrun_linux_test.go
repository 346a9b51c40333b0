package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/testkit"
)

// devTOML is of an app whose checks find out soon.
const devTOML = `app = "shop"
primary_region = "ord"
kill_signal = "SIGTERM"
kill_timeout = "1m"

[env]
  DATABASE_URL = "file:///%s/shop.db"
  FLYSQL_GRACE = "20s"
  FLYSQL_MIGRATE_FROM = "any"
  PORT = "8080"

[[mounts]]
  source = "data"
  destination = "/data"

[http_service]
  internal_port = 8080

  [[http_service.checks]]
    method = "GET"
    path = "/healthz"
    interval = "1s"
    timeout = "5s"
    grace_period = "5s"
`

// devPrograms builds the example app and flysql-entrypoint, once.
var devPrograms = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(binDir, "dev")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir, "github.com/flysql/flysql/examples/guestbook", "github.com/flysql/flysql/cmd/flysql-entrypoint")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

// devApp is a directory with an app, whose program is guestbook here.
type devApp struct {
	t         testing.TB
	dir       string
	guestbook string
	env       []string
}

// newDevApp makes one; on LiteFS, where that is wanted and can be. When the test ends,
// nothing of it must run or be mounted.
func newDevApp(t testing.TB, litefs bool) *devApp {
	t.Helper()
	programs, err := devPrograms()
	if err != nil {
		t.Fatal(err)
	}
	migrations, err := filepath.Abs("../../examples/guestbook/migrations")
	if err != nil {
		t.Fatal(err)
	}
	a := &devApp{t: t, dir: t.TempDir(), guestbook: filepath.Join(programs, "guestbook")}
	a.env = append(os.Environ(), dev.EntrypointVariable+"="+filepath.Join(programs, "flysql-entrypoint"), "FLYSQL_MIGRATIONS="+migrations, "NO_COLOR=1")
	mount := "data"
	if litefs {
		a.env = append(a.env, dev.LiteFSVariable+"="+testkit.LiteFS(t))
		mount = "litefs"
		text, err := os.ReadFile("../../examples/regions/litefs.yml")
		if err != nil {
			t.Fatal(err)
		}
		a.write("litefs.yml", string(text), 0o644)
	}
	a.write("fly.toml", fmt.Sprintf(devTOML, mount), 0o644)
	t.Cleanup(func() {
		if t.Failed() {
			for _, dir := range []string{"dev", "exec"} {
				_ = cluster.CleanUp(filepath.Join(a.dir, ".flysql", dir)) // the test has failed anyway
			}
		}
	})
	return a
}

func (a *devApp) write(name, text string, mode os.FileMode) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), mode); err != nil {
		a.t.Fatal(err)
	}
}

// script is a program beside fly.toml.
func (a *devApp) script(name, text string) string {
	a.t.Helper()
	a.write(name, "#!/bin/sh\n"+text, 0o755)
	return "./" + name
}

// image has the app be one of these, found as a Dockerfile's CMD is: guestbook; one that
// takes for ever; and one that ends in ams.
func (a *devApp) image(program string) {
	a.t.Helper()
	a.write("go.mod", "module example.com/shop\n\ngo 1.25\n", 0o644)
	a.write("main.go", fmt.Sprintf(devMain, a.guestbook, program), 0o644)
	litefs := ""
	if _, err := os.Stat(filepath.Join(a.dir, "litefs.yml")); err == nil {
		litefs = "COPY --from=flyio/litefs:0.5.14 /usr/local/bin/litefs /usr/local/bin/litefs\nCOPY litefs.yml /etc/litefs.yml\n"
	}
	a.write("Dockerfile", "FROM golang AS build\nCOPY . .\nRUN go build -o bin/shop .\nFROM scratch\nCOPY --from=build bin/shop /shop\n"+litefs+"ENTRYPOINT [\"flysql-entrypoint\"]\nCMD [\"/shop\"]\n", 0o644)
	text, err := os.ReadFile(filepath.Join(a.dir, "fly.toml"))
	if err != nil {
		a.t.Fatal(err)
	}
	migrations, err := filepath.Abs("../../examples/guestbook/migrations")
	if err != nil {
		a.t.Fatal(err)
	}
	a.write("fly.toml", strings.Replace(string(text), "[env]\n", "[env]\n  FLYSQL_MIGRATIONS = \""+migrations+"\"\n", 1), 0o644)
}

const devMain = `package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

func main() {
	const guestbook, program = %q, %q
	switch {
	case program == "slow":
		fmt.Println("booting")
		time.Sleep(time.Hour)
	case program == "crash" && os.Getenv("FLY_REGION") == "ams":
		fmt.Println("no luck in ams")
		os.Exit(1)
	}
	fmt.Println(syscall.Exec(guestbook, []string{"guestbook"}, os.Environ()))
	os.Exit(1)
}
`

// devRun is a flysql dev under way.
type devRun struct {
	app            *devApp
	cmd            *exec.Cmd
	stdout, stderr both
}

// onlyWriter hides ReadFrom, which would write without the lock.
type onlyWriter struct{ io.Writer }

// run starts flysql dev with these arguments.
func (a *devApp) run(args ...string) *devRun {
	a.t.Helper()
	return a.runTo(nil, args...)
}

// runTo has stdout elsewhere.
func (a *devApp) runTo(stdout *os.File, args ...string) *devRun {
	a.t.Helper()
	r := &devRun{app: a}
	r.cmd = exec.Command(buildFlysql(a.t), append([]string{"dev"}, args...)...)
	r.cmd.Dir, r.cmd.Env, r.cmd.Stdout, r.cmd.Stderr = a.dir, a.env, onlyWriter{&r.stdout}, onlyWriter{&r.stderr}
	if stdout != nil {
		r.cmd.Stdout = stdout
	}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r.cmd.WaitDelay = time.Minute
	if err := r.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			_ = r.cmd.Process.Kill() // it may have ended
			_ = r.cmd.Wait()
		}
		if a.t.Failed() {
			a.t.Logf("flysql dev %q:\n%s\n%s", args, r.stdout.text(), r.stderr.text())
		}
	})
	return r
}

// says waits for text on stdout.
func (r *devRun) says(text string) {
	r.app.t.Helper()
	testkit.Poll(r.app.t, fmt.Sprintf("%q on stdout", text), func() bool {
		if strings.Contains(r.stdout.text(), text) {
			return true
		}
		if r.gone() {
			r.app.t.Fatalf("it ended before it said %q", text)
		}
		return false
	})
}

// gone tells whether the process has ended, and leaves it to Wait.
func (r *devRun) gone() bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	return err != nil || bytes.Contains(data, []byte(") Z "))
}

func (r *devRun) signal(s os.Signal) {
	r.app.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.app.t.Fatal(err)
	}
}

// ends waits for the end, with a code, and sees that nothing is left.
func (r *devRun) ends(want int) {
	r.app.t.Helper()
	if code := exitCode(r.cmd); code != want {
		r.app.t.Errorf("exit code %d, want %d", code, want)
	}
	r.app.nothingLeft()
}

// errs wants words on stderr.
func (r *devRun) errs(words ...string) {
	r.app.t.Helper()
	for _, w := range words {
		if !strings.Contains(r.stderr.text(), w) {
			r.app.t.Errorf("stderr lacks %q:\n%s", w, r.stderr.text())
		}
	}
}

// nothingLeft wants no process and no mount of the app's.
func (a *devApp) nothingLeft() {
	a.t.Helper()
	processes, mounts := a.left()
	if len(processes) > 0 || len(mounts) > 0 {
		a.t.Errorf("left running: %v; left mounted: %v", processes, mounts)
	}
}

// real is the directory without links.
func (a *devApp) real() string {
	a.t.Helper()
	dir, err := filepath.EvalSymlinks(a.dir)
	if err != nil {
		a.t.Fatal(err)
	}
	return dir
}

// left are the app's processes and mounts.
func (a *devApp) left() (processes, mounts []string) {
	a.t.Helper()
	dir := a.real()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		a.t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, dir+"/") {
			mounts = append(mounts, strings.TrimSpace(line))
		}
	}
	files, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		a.t.Fatal(err)
	}
	for _, file := range files {
		// Who waits for a mount that hangs cannot be looked into: by its name it is known.
		name, _ := os.ReadFile(file) // it may be gone
		switch strings.TrimSpace(string(name)) {
		case "guestbook", "litefs", "flysql-entrypoi", "sh", "sleep":
			env, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
			if bytes.Contains(env, []byte(cluster.Marker+"="+dir+"/")) {
				processes = append(processes, strings.TrimSpace(string(name)))
			}
		}
	}
	return processes, mounts
}

// port is where it listens, once it says so.
func (r *devRun) url(region string) string {
	r.app.t.Helper()
	r.says("http://" + region + ".localhost:")
	_, rest, _ := strings.Cut(r.stdout.text(), "http://"+region+".localhost:")
	return "http://localhost:" + strings.FieldsFunc(rest, func(c rune) bool { return c < '0' || c > '9' })[0]
}

// get asks as if from a region, and wants 200.
func (a *devApp) get(url, region string) string {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), "GET", url, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Flysql-Dev-Region", region)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := res.Body.Close(); err != nil {
		a.t.Error(err)
	}
	if err != nil || res.StatusCode != 200 {
		a.t.Fatalf("GET %s from %s: %s, %v\n%s", url, region, res.Status, err, body)
	}
	return string(body)
}

// sign writes a message, as if from a region.
func (a *devApp) sign(url, region, message string) {
	a.t.Helper()
	form := strings.NewReader(neturl.Values{"name": {"Ada"}, "message": {message}}.Encode())
	req, err := http.NewRequestWithContext(a.t.Context(), "POST", url+"/messages", form)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Flysql-Dev-Region", region)
	res, err := http.DefaultTransport.RoundTrip(req) // which follows nothing
	if err != nil {
		a.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		a.t.Error(err)
	}
	if res.StatusCode != http.StatusSeeOther {
		a.t.Fatalf("POST %s/messages from %s: %s", url, region, res.Status)
	}
}

// In three regions it serves, says what happens, and goes in order.
func TestDevServes(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, true)
	r := a.run("--port", "0", "--latency", "none", "--regions", "ams,ord,syd", "-e", "FLYSQL_MIGRATIONS", "--", a.guestbook)
	url := r.url("syd")
	for _, region := range []string{"ord", "ams", "syd"} {
		if page := a.get(url+"/", region); !strings.Contains(page, region+"1") && !strings.Contains(page, "ord1") {
			t.Errorf("from %s:\n%s", region, page)
		}
	}
	r.says(" GET / 200  edge syd -> syd1 replica -> replay -> ord1 primary, ")
	r.says("ord1 | ")
	if out := r.stdout.text(); !strings.HasPrefix(out, "shop: 3 machines in ord, ams, syd, on LiteFS; latency none\n") || strings.Contains(out, "\x1b") {
		t.Errorf("stdout:\n%s", out)
	}

	port := url[strings.LastIndex(url, ":")+1:]
	second := newDevApp(t, false).run("--port", port, "--", a.guestbook)
	second.ends(1)
	second.errs(fmt.Sprintf("port %s is taken by flysql (pid %d)", port, r.cmd.Process.Pid))
	beside := a.run("--port", "0", "--", a.guestbook)
	if code := exitCode(beside.cmd); code != 1 {
		t.Errorf("exit code %d", code)
	}
	beside.errs("is in use by another")

	r.signal(os.Interrupt)
	r.ends(130)
	if got, want := r.stderr.text(), "stopping; Ctrl-C again kills\nflysql: ended by interrupt; nothing is left running\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
	for _, id := range []string{"ord1", "ams1", "syd1"} {
		r.says(id + " stopped\n")
	}
}
