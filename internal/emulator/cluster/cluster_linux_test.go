package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
	"github.com/flysql/flysql/internal/emulator/private"
	"github.com/flysql/flysql/internal/testkit"
)

// runsIn names the directory in which this program runs a cluster until it is killed.
const runsIn = "FLYSQL_TEST_CLUSTER"

// listensAt is the address at which this program is an app that answers anything.
const listensAt = "FLYSQL_TEST_LISTENS"

func TestMain(m *testing.M) {
	if host := os.Getenv(listensAt); host != "" {
		fmt.Println(http.ListenAndServe(net.JoinHostPort(host, os.Getenv("PORT")), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		os.Exit(1)
	}
	if dir := os.Getenv(runsIn); dir != "" {
		runs(dir)
	}
	code := m.Run()
	if programs != "" {
		_ = os.RemoveAll(programs) // a temporary directory
	}
	os.Exit(code)
}

// runs runs a cluster until it is killed, or its standard input ends; one machine where
// no LiteFS is named.
func runs(dir string) {
	litefs := os.Getenv("FLYSQL_TEST_LITEFS_DIR")
	o, err := options(dir, os.Getenv("FLYSQL_TEST_PROGRAMS"), litefs)
	if litefs == "" {
		onVolume(&o)
	}
	var c *cluster.Cluster
	if err == nil {
		c, err = cluster.Start(context.Background(), o)
	}
	fmt.Println("started:", err)
	if err != nil {
		os.Exit(1)
	}
	front := httptest.NewServer(c.Edge)
	fmt.Println(front.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // whatever ends it
	front.Close()
	fmt.Println("closed:", c.Close())
	os.Exit(0)
}

// onVolume makes it one machine without LiteFS.
func onVolume(o *cluster.Options) {
	o.LiteFS, o.Regions = "", []string{"ams"}
	o.Config.Env["DATABASE_URL"] = "file:///data/app.db"
}

// programs is where built has put them.
var programs string

// options are the example of three regions.
func options(dir, programs, litefs string) (cluster.Options, error) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return cluster.Options{}, err
	}
	text, err := os.ReadFile(filepath.Join(root, "examples/regions/fly.toml"))
	if err != nil {
		return cluster.Options{}, err
	}
	c, err := flyconf.Parse("fly.toml", text)
	return cluster.Options{
		Dir: dir, Config: c, LiteFS: filepath.Join(root, "examples/regions/litefs.yml"),
		Regions: []string{"ord", "ams", "syd"}, Command: []string{filepath.Join(programs, "guestbook")},
		Entrypoint: filepath.Join(programs, "flysql-entrypoint"), Litefs: litefs,
		Env: []string{"FLYSQL_MIGRATIONS=" + filepath.Join(root, "examples/guestbook/migrations")},
	}, err
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "flysql-cluster")
	if err != nil {
		return "", err
	}
	programs = dir
	cmd := exec.Command("go", "build", "-o", dir, "github.com/flysql/flysql/examples/guestbook", "github.com/flysql/flysql/cmd/flysql-entrypoint")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return dir, err
})

// prepare makes options for a test, and sees that nothing is left when it ends.
func prepare(t *testing.T) cluster.Options {
	t.Helper()
	litefs := filepath.Dir(testkit.LiteFS(t))
	programs, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Cleanup(func() {
		if err := cluster.CleanUp(dir); err != nil {
			t.Error(err)
		}
		if data, err := os.ReadFile("/proc/self/mountinfo"); err != nil || bytes.Contains(data, []byte(dir)) {
			t.Errorf("something is mounted in %s (%v)", dir, err)
		}
	})
	o, err := options(dir, programs, litefs)
	if err != nil {
		t.Fatal(err)
	}
	o.Log = func(machine, line string) { t.Log(machine, line) }
	return o
}

// visitor asks by way of a region.
type visitor struct {
	t            *testing.T
	base, region string
	machine      string // "" is the nearest
	jar          []*http.Cookie
}

func (v *visitor) do(method, path string, form url.Values) (int, string) {
	v.t.Helper()
	req, err := http.NewRequest(method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set(edge.RegionHeader, v.region)
	if v.machine != "" {
		req.Header.Set("Fly-Force-Instance-Id", v.machine)
	}
	for _, c := range v.jar {
		req.AddCookie(c)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	if set := res.Cookies(); len(set) > 0 {
		v.jar = set
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// signs signs the guestbook and reads it again.
func (v *visitor) signs(message string) {
	v.t.Helper()
	if status, body := v.do("POST", "/messages", url.Values{"name": {"V"}, "message": {message}}); status/100 != 2 {
		v.t.Fatalf("sign by way of %s: %d %s", v.region, status, body)
	}
	status, body := v.do("GET", "/messages.json", nil)
	var all struct{ Messages []struct{ Message string } }
	if err := json.Unmarshal([]byte(body), &all); status != 200 || err != nil || !strings.Contains(body, message) {
		v.t.Fatalf("by way of %s: %d %v %s, want %s in it", v.region, status, err, body, message)
	}
}

// Three regions with a real LiteFS each: a write by way of any of them reaches the
// primary by fly-replay, and is seen by who wrote it; a machine that was killed comes
// back with all; a deploy goes through them; in the end nothing is left.
func TestThreeRegions(t *testing.T) {
	t.Parallel()
	o := prepare(t)
	o.Latency = latency.Fixed(10 * time.Millisecond)
	begun := time.Now()
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("three regions serve after %v", time.Since(begun))
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	events := c.Edge.Subscribe(100)
	for _, region := range []string{"ams", "ord", "syd"} {
		(&visitor{t: t, base: front.URL, region: region}).signs("from " + region)
	}
	events.Close()
	way := ""
	for ev := range events.C {
		if ev.Method == "POST" && ev.Edge == "syd" {
			for _, h := range ev.Hops {
				way += h.Why + " " + h.Machine + " "
			}
		}
	}
	if way != "nearest syd1 replay ams1 " {
		t.Errorf("the way of a write from syd: %s", way)
	}

	if err := c.Kill("syd1"); err != nil {
		t.Fatal(err)
	}
	(&visitor{t: t, base: front.URL, region: "syd"}).signs("while syd is away")
	if err := c.Start(t.Context(), "syd1"); err != nil {
		t.Fatal(err)
	}
	(&visitor{t: t, base: front.URL, region: "syd"}).signs("syd is back")
	cutOff(t, c, front.URL)

	if err := c.Deploy(t.Context(), o.Command); err != nil {
		t.Fatal(err)
	}
	(&visitor{t: t, base: front.URL, region: "ord"}).signs("deployed")
	for _, m := range c.Machines() {
		if !m.Healthy || m.Err != nil || m.Pid == 0 || m.API == 0 {
			t.Errorf("%+v", m)
		}
	}
	if got := c.Zone.Hosts(private.Machine{Region: "ord"}); !strings.Contains(got, "127.0.0.2 flysql-regions.internal global.flysql-regions.internal ams.flysql-regions.internal ams1.vm.flysql-regions.internal") {
		t.Errorf("hosts:\n%s", got)
	}

	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	// What was written is there in the next run.
	if c, err = cluster.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	again := httptest.NewServer(c.Edge)
	defer again.Close()
	(&visitor{t: t, base: again.URL, region: "syd"}).signs("the second run")
	_, body := (&visitor{t: t, base: again.URL, region: "ord"}).do("GET", "/messages.json", nil)
	for _, want := range []string{"from ams", "from ord", "from syd", "while syd is away", "syd is back", "deployed"} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing in the second run", want)
		}
	}
}

// What was written is never left behind: whoever was the primary last is the first of the
// next run, also where another one was meant to be.
func TestLastPrimaryIsFirst(t *testing.T) {
	t.Parallel()
	o := prepare(t)
	o.Regions, o.PerRegion = []string{"ams"}, 2
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	if got := c.Primary(); got != "ams1" {
		t.Errorf("the first primary is %s", got)
	}
	if err := c.Kill("ams1"); err != nil {
		t.Fatal(err)
	}
	if err := c.ExpireLease(); err != nil {
		t.Fatal(err)
	}
	testkit.Poll(t, "another primary", func() bool { return c.Primary() == "ams2" })
	v := &visitor{t: t, base: front.URL, region: "ams"}
	testkit.Poll(t, "a write", func() bool {
		status, _ := v.do("POST", "/messages", url.Values{"name": {"V"}, "message": {"on ams2 alone"}})
		return status/100 == 2
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err = cluster.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := c.Primary(); got != "ams2" {
		t.Errorf("the primary of the second run is %s", got)
	}
	again := httptest.NewServer(c.Edge)
	defer again.Close()
	for _, id := range []string{"ams1", "ams2"} {
		if status, body := (&visitor{t: t, base: again.URL, region: "ams", machine: id}).do("GET", "/messages.json", nil); status != 200 || !strings.Contains(body, "on ams2 alone") {
			t.Errorf("%s: %d %s", id, status, body)
		}
	}
	// In order too, the primary ends last: nobody takes its lease.
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	o.PerRegion = 1
	if _, err := cluster.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), `there is no machine "ams2": it was the last primary here`) {
		t.Errorf("without it: %v", err)
	}
}

// When a cluster's own process is killed, the next one finds and ends what it has left.
func TestKilled(t *testing.T) {
	t.Parallel()
	o := prepare(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), runsIn+"="+o.Dir, "FLYSQL_TEST_PROGRAMS="+filepath.Dir(o.Entrypoint), "FLYSQL_TEST_LITEFS_DIR="+o.Litefs)
	if _, err := cmd.StdinPipe(); err != nil { // it stays open
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, len("started: <nil>\n"))
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "started: <nil>\n" {
		more, _ := io.ReadAll(io.LimitReader(out, 1000))
		t.Fatalf("%s%s, %v", said, more, err)
	}
	if _, err := cluster.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is in use by another run") {
		t.Errorf("a second run in the same directory: %v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(c.Edge)
	defer front.Close()
	(&visitor{t: t, base: front.URL, region: "syd"}).signs("after a kill")

	// Nor does a LiteFS that hangs hold up the end of its machine.
	stopLiteFS(t, o.Dir, "syd1")
	req, err := http.NewRequest("GET", front.URL+"/messages.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(edge.RegionHeader, "syd")
	asked := make(chan struct{})
	go func() { // it waits for the mount, and then for nobody
		defer close(asked)
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	if err := c.Kill("syd1"); err != nil {
		t.Error(err)
	}
	<-asked
	if err := c.Start(t.Context(), "syd1"); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
