package dev_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/emulator/edge"
)

// built has flysql-entrypoint, the guestbook and shop in a directory, built once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "flysql-dev")
	if err != nil {
		return "", err
	}
	programs = dir
	src := filepath.Join(dir, "src")
	if err := errors.Join(os.Mkdir(src, 0o755), writeShop(src)); err != nil {
		return "", err
	}
	for in, packages := range map[string][]string{".": {"github.com/flysql/flysql/cmd/flysql-entrypoint", "github.com/flysql/flysql/examples/guestbook"}, src: {"."}} {
		cmd := exec.Command("go", append([]string{"build", "-o", dir + "/"}, packages...)...)
		cmd.Dir = in
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
	}
	return dir, nil
})

// program is one of them.
func program(t testing.TB, name string) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// programs is that directory.
var programs string

func TestMain(m *testing.M) {
	code := m.Run()
	if programs != "" {
		_ = os.RemoveAll(programs) // a temporary directory
	}
	os.Exit(code)
}

// An app without a database, which any number of machines may run.
const (
	shopFly    = "app = \"shop\"\nprimary_region = \"ord\"\nkill_timeout = \"20s\"\n[http_service]\n  internal_port = 8080\n  [[http_service.checks]]\n    path = \"/\"\n    interval = \"15s\"\n    timeout = \"2s\"\n"
	shopDocker = "FROM golang\nWORKDIR /src\nCOPY . .\nRUN go build -o /shop .\nCMD [\"/shop\"]\n"
	shopMod    = "module example.com/shop\n\ngo 1.24\n"
	shopMain   = `package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const version = "one"

func main() {
	region := os.Getenv("FLY_REGION")
	fmt.Println("shop", version, "in", region)
	if strings.Contains(os.Getenv("CRASH"), region) {
		fmt.Println("the tables are gone")
		os.Exit(3)
	}
	if os.Getenv("STUBBORN") != "" {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	}
	if os.Getenv("DEAF") != "" {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1) // or it would be a deadlock
		select {}
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, version, " ", region) })
	fmt.Println(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`
)

// shop is that app, in a new directory; it is not built again.
func shop(t testing.TB) dev.Options {
	t.Helper()
	dir := t.TempDir()
	if err := writeShop(dir); err != nil {
		t.Fatal(err)
	}
	return dev.Options{
		Dir: dir, Regions: []string{"ord", "ams", "syd"}, Latency: "none",
		Entrypoint: program(t, "flysql-entrypoint"), Command: []string{program(t, "shop")},
	}
}

func writeShop(dir string) error {
	var errs []error
	for name, text := range map[string]string{"fly.toml": shopFly, "Dockerfile": shopDocker, "go.mod": shopMod, "main.go": shopMain} {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return errors.Join(errs...)
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// record keeps a session's events.
type record struct {
	t testing.TB

	mu  sync.Mutex
	all []dev.Event
}

func (r *record) watch(ev dev.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, ev)
	if ev.Log != nil {
		r.t.Log(ev.Log.Machine, ev.Log.Line)
	}
}

// lines are what was printed by a machine.
func (r *record) lines(machine string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, ev := range r.all {
		if ev.Log != nil && ev.Log.Machine == machine {
			b.WriteString(ev.Log.Line + "\n")
		}
	}
	return b.String()
}

// ways are those of requests by way of a region.
func (r *record) ways(method, region string) (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ev := range r.all {
		if q := ev.Request; q != nil && q.Method == method && q.Edge == region {
			way, _, _ := strings.Cut(q.Way, ",")
			all = append(all, way)
		}
	}
	return all
}

// actions are those that were told, in order.
func (r *record) actions() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, ev := range r.all {
		if a := ev.Action; a != nil {
			one := strings.TrimSpace(a.Name + " " + a.Target)
			if a.Done {
				one = "-" + one
			}
			all = append(all, one)
		}
	}
	return strings.Join(all, ", ")
}

// doings are what went on, in order.
func (r *record) doings() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, ev := range r.all {
		if st := ev.State; st != nil && st.Doing != "" && (len(all) == 0 || all[len(all)-1] != st.Doing) {
			all = append(all, st.Doing)
		}
	}
	return strings.Join(all, ", ")
}

// start starts a session that ends with the test, and leaves nothing.
func start(t *testing.T, o dev.Options) (*dev.Session, *record) {
	t.Helper()
	r := &record{t: t}
	nothingLeft(t, o)
	s, err := dev.Start(t.Context(), o, r.watch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s, r
}

// nothingLeft sees at the end that nothing of a session runs or is mounted.
func nothingLeft(t *testing.T, o dev.Options) {
	t.Helper()
	dir := o.StateDir
	if dir == "" {
		dir = filepath.Join(o.Dir, ".flysql", "dev")
	}
	t.Cleanup(func() {
		for _, name := range []string{"/proc/self/mountinfo"} {
			if data, err := os.ReadFile(name); err != nil || bytes.Contains(data, []byte(dir)) {
				t.Errorf("something is mounted in %s (%v)", dir, err)
			}
		}
		if left := running(t, dir); left != "" {
			t.Errorf("%s still runs", left)
		}
		if err := cluster.CleanUp(dir); err != nil {
			t.Error(err)
		}
	})
}

// running names a process of a session that there still is.
func running(t *testing.T, dir string) string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if line, err := os.ReadFile(name); err == nil && bytes.Contains(line, []byte(dir+"/")) {
			return string(bytes.ReplaceAll(line, []byte{0}, []byte(" ")))
		}
	}
	return ""
}

// visitor asks by way of a region.
type visitor struct {
	t      testing.TB
	s      *dev.Session
	region string
	client http.Client
}

func visit(t testing.TB, s *dev.Session, region string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, s, region, http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v *visitor) do(method, path string, form url.Values) (int, string) {
	v.t.Helper()
	req, err := http.NewRequest(method, v.s.URL("")+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set(edge.RegionHeader, v.region)
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// gets asks for / and expects an answer.
func gets(t testing.TB, s *dev.Session, region, want string) {
	t.Helper()
	if status, body := visit(t, s, region).do("GET", "/", nil); status != 200 || body != want {
		t.Errorf("by way of %s: %d %q, want %q", region, status, body, want)
	}
}

func machine(t testing.TB, s *dev.Session, id string) dev.Machine {
	t.Helper()
	for _, m := range s.State().Machines {
		if m.ID == id {
			return m
		}
	}
	t.Fatalf("there is no machine %s", id)
	panic("unreachable")
}
