package flydev_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/flydev"
	"github.com/flysql/flysql/internal/dev"
)

// fakeT is a test whose end is looked at.
type fakeT struct {
	testing.TB
	ctx             context.Context
	failed, skipped bool
	said            string
	cleanups        []func()
}

func (f *fakeT) Helper()                  {}
func (f *fakeT) Context() context.Context { return f.ctx }
func (f *fakeT) Failed() bool             { return f.failed }
func (f *fakeT) Cleanup(do func())        { f.cleanups = append(f.cleanups, do) }
func (f *fakeT) Logf(format string, args ...any) {
	f.said += fmt.Sprintf(format, args...) + "\n"
}
func (f *fakeT) Errorf(format string, args ...any) {
	f.failed = true
	f.Logf(format, args...)
}
func (f *fakeT) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}
func (f *fakeT) Skipf(format string, args ...any) {
	f.skipped = true
	f.Logf(format, args...)
	runtime.Goexit()
}

// fake runs a test to its end, and returns how that was.
func fake(t *testing.T, test func(testing.TB)) *fakeT {
	f := &fakeT{ctx: t.Context()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(f)
	}()
	<-done
	for i := len(f.cleanups) - 1; i >= 0; i-- {
		f.cleanups[i]()
	}
	return f
}

// plainApp is an app in no need of LiteFS, nor of a database.
func plainApp(t *testing.T, more map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod": "module example.com/a\n\ngo 1.25\n",
		"main.go": `package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	fmt.Println("the app is up")
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("who"); err == nil {
			fmt.Fprint(w, c.Value, " ")
		}
		http.SetCookie(w, &http.Cookie{Name: "who", Value: "V", Secure: true})
		fmt.Fprint(w, os.Getenv("FLY_REGION"), " ", os.Getenv("GREETING"))
	})))
}
`,
		"fly.toml":   "app = 'a'\nprimary_region = 'ord'\n\n[env]\n  FLYSQL_SKIP = '1'\n\n[http_service]\n  internal_port = 8080\n  auto_start_machines = false\n",
		"Dockerfile": "FROM golang AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /bin/app .\nFROM debian\nCOPY --from=build /bin/app /bin/app\nCMD [\"/bin/app\"]\n",
	}
	for name, text := range more {
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// withEntrypoint has a program flysql-entrypoint for apps that do not require flysql.
func withEntrypoint(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flysql-entrypoint")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/flysql/flysql/cmd/flysql-entrypoint").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv(dev.EntrypointVariable, path)
}

func get(t testing.TB, client *http.Client, url string) string {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return strings.TrimSpace(string(body))
}

const someLiteFS = "fuse:\n  dir: /litefs\ndata:\n  dir: /data/litefs\nlease:\n  type: consul\n  candidate: true\n  promote: true\n  advertise-url: http://a:20202\n  consul:\n    url: ${FLY_CONSUL_URL}\n    key: a\n"

// An app without a database runs in several regions anywhere.
func TestPlainApp(t *testing.T) {
	withEntrypoint(t)
	o := flydev.Options{Dir: plainApp(t, nil), Regions: []string{"ord", "ams", "syd"}, Env: []string{"GREETING=hello"}, Patience: 20 * time.Second}
	var pids []int
	done := fake(t, func(t testing.TB) {
		c := flydev.Start(t, o)
		for _, m := range c.Machines() {
			pids = append(pids, m.PID)
		}
		for _, region := range c.Regions() {
			if got, want := get(t, http.DefaultClient, c.URL(region)), region+" hello"; got != want {
				t.Errorf("by the URL of %s: %q, want %q", region, got, want)
			}
			who := c.Client(region)
			for _, want := range []string{region + " hello", "V " + region + " hello"} { // the second time with the cookie
				if got := get(t, who, c.URL("")); got != want {
					t.Errorf("a client in %s: %q, want %q", region, got, want)
				}
			}
		}
		if c.Primary() != "" {
			t.Errorf("the primary is %q, want none", c.Primary())
		}
		c.Kill("syd1")
		if got := get(t, c.Client("syd"), c.URL("")); got == "syd hello" {
			t.Errorf("syd1 answers, which was killed: %q", got)
		}
		c.WaitSettled()

		// A second one beside it.
		other := flydev.Start(t, flydev.Options{Dir: o.Dir, Regions: []string{"ord"}})
		if got := get(t, other.Client("ord"), other.URL("")); got != "ord" {
			t.Errorf("the second cluster: %q, want %q", got, "ord")
		}
	})
	if done.failed || done.said != "" {
		t.Errorf("a test that is fine has failed: %v, and said %s", done.failed, done.said)
	}
	if len(pids) != 3 {
		t.Errorf("%d machines, want 3", len(pids))
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("process %d is there still", pid)
		}
	}
}

// A test that fails says what happened; what is asked of what is not there fails it.
func TestFailures(t *testing.T) {
	withEntrypoint(t)
	suite := flydev.Suite{Options: flydev.Options{Dir: plainApp(t, nil), Regions: []string{"ord"}, Patience: 5 * time.Second}}
	defer func() {
		if err := suite.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, test := range map[string]struct {
		do   func(t testing.TB, c *flydev.Cluster)
		want string
	}{
		"an error":               {func(t testing.TB, c *flydev.Cluster) { t.Errorf("my own") }, "my own"},
		"no such region":         {func(_ testing.TB, c *flydev.Cluster) { c.URL("nrt") }, `flydev: the URL of nrt: there is no region "nrt"`},
		"no such client":         {func(_ testing.TB, c *flydev.Cluster) { c.Client("nrt") }, `flydev: the URL of nrt: there is no region "nrt"`},
		"no such machine":        {func(_ testing.TB, c *flydev.Cluster) { c.Kill("nrt1") }, "flydev: kill nrt1: "},
		"no such region to cut":  {func(_ testing.TB, c *flydev.Cluster) { c.Cut("nrt") }, `flydev: cut nrt: there is no region "nrt"`},
		"a wait in vain":         {func(_ testing.TB, c *flydev.Cluster) { c.WaitFor("better days", func() bool { return false }) }, "flydev: waited 5s in vain for better days"},
		"no response of the app": {func(_ testing.TB, c *flydev.Cluster) { c.RequestOf(&http.Response{}) }, "flydev: a response without Fly-Request-Id"},
	} {
		t.Run(name, func(t *testing.T) {
			done := fake(t, func(t testing.TB) {
				c := suite.Cluster(t)
				c.Restart("ord1")
				get(t, c.Client("ord"), c.URL("")+"/path?secret")
				test.do(t, c)
			})
			if !done.failed || !strings.HasPrefix(done.said, test.want) {
				t.Errorf("failed: %v, it said:\n%s\nwant first %q", done.failed, done.said, test.want)
			}
			for _, want := range []string{"ord1 | the app is up\n", "GET /path 200  edge ord -> ord1, "} {
				if !strings.Contains(done.said, want) {
					t.Errorf("it said:\n%s\nwant %q in it", done.said, want)
				}
			}
			if strings.Contains(done.said, "?secret") {
				t.Error("a query is in the output")
			}
		})
	}
}

// What keeps machines from being started.
func TestStartFails(t *testing.T) {
	withEntrypoint(t)
	litefs := map[string]string{"litefs.yml": someLiteFS, "Dockerfile": "FROM golang AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /bin/app .\nFROM debian\nCOPY --from=build /bin/app /bin/app\nCOPY litefs.yml /etc/litefs.yml\nCMD [\"litefs\", \"mount\", \"--\", \"/bin/app\"]\n"}
	for name, test := range map[string]struct {
		o       flydev.Options
		noFUSE  bool
		skipped bool
		want    string
	}{
		"no fly.toml":       {flydev.Options{Dir: t.TempDir()}, false, false, "flydev: start: no fly.toml in "},
		"no such region":    {flydev.Options{Dir: plainApp(t, nil), Regions: []string{"xxx"}}, false, false, `flydev: start: `},
		"crashes":           {flydev.Options{Dir: plainApp(t, map[string]string{"main.go": "package main\n\nfunc main() { panic(\"alas\") }\n"})}, false, false, "flydev: start: machine ord1: it ended before it served"},
		"cannot be built":   {flydev.Options{Dir: plainApp(t, map[string]string{"main.go": "package main\n"})}, false, false, "flydev: start: go build: "},
		"no LiteFS":         {flydev.Options{Dir: plainApp(t, litefs)}, true, false, "flydev: start: "},
		"no LiteFS, skips":  {flydev.Options{Dir: plainApp(t, litefs), SkipWithoutLiteFS: true}, true, true, "flydev: LiteFS cannot run here: "},
		"never with LiteFS": {flydev.Options{Dir: plainApp(t, map[string]string{"fly.toml": "app = 'a'\nprimary_region = 'ord'\n\n[mounts]\n  source = 'data'\n  destination = '/data'\n\n[http_service]\n  internal_port = 8080\n"}), Regions: []string{"ord", "ams"}, SkipWithoutLiteFS: true}, true, false, "flydev: start: the app has no litefs.yml"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.noFUSE {
				t.Setenv("PATH", t.TempDir()) // neither fusermount3 nor litefs
			}
			done := fake(t, func(t testing.TB) {
				flydev.Start(t, test.o)
				t.Errorf("it was started")
			})
			if done.failed == test.skipped || done.skipped != test.skipped || !strings.HasPrefix(done.said, test.want) {
				t.Errorf("failed: %v, skipped: %v; it said\n%s\nwant %q", done.failed, done.skipped, done.said, test.want)
			}
			if name == "no LiteFS" && !strings.Contains(done.said, "Options.SkipWithoutLiteFS") {
				t.Errorf("it said\n%s\nwant what can be done", done.said)
			}
		})
	}
}
