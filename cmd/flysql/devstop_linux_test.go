package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/testkit"
)

// slowModule is an app whose build takes long: it asks for a module that a proxy which
// never answers has.
const slowModule = "module example.com/shop\n\ngo 1.25\n\nrequire example.com/never v1.0.0\n"

// Ctrl-C, and the other signals, end it at each stage, and nothing is left.
func TestDevInterrupted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stage, until string
		signal       syscall.Signal
		code         int
	}{
		{"building", `"doing":"building"`, syscall.SIGINT, 130},
		{"booting", `entrypoint starts`, syscall.SIGTERM, 143},
		{"serving", `"ready":true`, syscall.SIGHUP, 129},
	} {
		t.Run(c.stage, func(t *testing.T) {
			t.Parallel()
			a := newDevApp(t, false)
			args := []string{"--port", "0", "--json", "-e", "FLYSQL_MIGRATIONS"}
			switch c.stage {
			case "building":
				a.image("guestbook")
				a.write("go.mod", slowModule, 0o644)
				a.write("main.go", "package main\n\nimport _ \"example.com/never\"\n\nfunc main() {}\n", 0o644)
				a.env = append(a.env, "GOPROXY="+silentHTTP(t), "GONOSUMDB=*", "GOFLAGS=-mod=mod")
			case "booting":
				args = append(args, "--", a.script("app", "echo entrypoint starts\nexec sleep 1000\n"))
			default:
				args = append(args, "--", a.guestbook)
			}
			r := a.run(args...)
			r.says(c.until)
			r.signal(c.signal)
			r.ends(c.code)
			r.errs("stopping; Ctrl-C again kills\n", fmt.Sprintf("flysql: ended by %v; nothing is left running\n", c.signal))
		})
	}
}

// silentHTTP is a server that takes requests and never answers.
func silentHTTP(t *testing.T) string {
	t.Helper()
	address := silent(t)
	_, host, _ := strings.Cut(address, "@")
	host, _, _ = strings.Cut(host, "/")
	return "http://" + host
}

// A second Ctrl-C kills what does not heed the first.
func TestDevInterruptedTwice(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, false)
	// It takes no signal for its own.
	app := a.script("app", "trap '' INT TERM\n"+a.guestbook+" &\nsleep 1000\n")
	s := start(t, a.dir, a.env, nil, "dev", "--port", "0", "-e", "FLYSQL_MIGRATIONS", "--", app)
	s.expect("  http://ord.localhost:")
	s.press(ctrlC)
	s.expect("stopping; Ctrl-C again kills")
	s.press(ctrlC) // as when it came by way of two processes
	said := time.Now()
	testkit.Poll(t, "when it is another one", func() bool { return time.Since(said) > sameSignal })
	s.press(ctrlC)
	s.expect("killing all")
	s.expect("flysql: ended by interrupt; nothing is left running")
	s.exits(130)
	a.nothingLeft()
}

// What a kill -9 has left in three regions is ended by the next start, which says so and
// has the rows.
func TestDevKilled(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, true)
	args := []string{"--port", "0", "--latency", "none", "--regions", "ord,ams", "-e", "FLYSQL_MIGRATIONS", "--", a.guestbook}
	r := a.run(args...)
	url := r.url("ams")
	a.sign(url, "ams", "before the kill")
	r.signal(syscall.SIGKILL)
	if code := exitCode(r.cmd); code != -1 {
		t.Errorf("exit code %d", code)
	}
	if _, mounts := a.left(); len(mounts) == 0 {
		t.Error("nothing is left mounted: this test shows nothing")
	}
	r = a.run(args...)
	url = r.url("ams")
	if !strings.Contains(r.stdout.text(), "the last run was killed") {
		t.Errorf("it says nothing of that:\n%s", r.stdout.text())
	}
	if page := a.get(url+"/messages.json", "ord"); !strings.Contains(page, "before the kill") {
		t.Errorf("the rows are gone:\n%s", page)
	}
	r.signal(os.Interrupt)
	r.ends(130)
}

// Nobody reads any more: it ends, and takes the machines with it.
func TestDevBrokenPipe(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, false)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r := a.runTo(write, "--port", "0", "-e", "FLYSQL_MIGRATIONS", "--", a.guestbook)
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	url, lines := "", bufio.NewScanner(read)
	for url == "" && lines.Scan() {
		if at := strings.TrimSpace(lines.Text()); strings.HasSuffix(at, "the machines on a page") {
			url, _, _ = strings.Cut(at, dev.PagePrefix)
		}
	}
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	a.get(url, "ord") // it has a line, which nobody reads
	r.ends(1)
	r.errs("broken pipe; nothing is left running")
}
