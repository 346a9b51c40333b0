package page_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/dev/page"
	"github.com/flysql/flysql/internal/testkit"
)

// real is a session of the guestbook in three regions, on real LiteFS, with its page.
func real(t *testing.T, latency string, port int) *dev.Session {
	t.Helper()
	testkit.NeedRoot(t)
	testkit.NeedFUSE(t)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	repo := appDir(t, root)
	for name, pkg := range map[string]string{"guestbook": "./examples/guestbook", "flysql-entrypoint": "./cmd/flysql-entrypoint"} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg)
		build.Dir, build.Env = root, append(build.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, out)
		}
	}
	var mu sync.Mutex
	var log bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 3*limit)
	defer cancel()
	s, err := dev.Start(ctx, dev.Options{
		Dir: repo, Config: "examples/regions/fly.toml", StateDir: filepath.Join(dir, "state"), Regions: []string{"ams", "ord", "syd"}, Latency: latency, Port: port,
		Command: []string{filepath.Join(dir, "guestbook")}, Entrypoint: filepath.Join(dir, "flysql-entrypoint"), LiteFS: testkit.LiteFS(t),
		Page: func(s *dev.Session) http.Handler { return page.Handler(s, dev.PagePrefix) },
	}, func(ev dev.Event) {
		if ev.Log != nil {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(&log, ev.Log.Machine, ev.Log.Line)
		}
	})
	tell := func() {
		mu.Lock()
		defer mu.Unlock()
		t.Logf("the session printed:\n%s", &log)
	}
	if err != nil {
		tell()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close the session: %v", err)
		}
		if t.Failed() {
			tell()
		}
	})
	return s
}

// appDir is the example in three regions, any of which may have the primary.
func appDir(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"examples/regions", "examples/guestbook/migrations"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(root, part))); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "examples/regions/litefs.yml")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all := bytes.Replace(data, []byte("candidate: ${FLY_REGION == PRIMARY_REGION}"), []byte("candidate: true"), 1)
	if bytes.Equal(all, data) {
		t.Fatal("litefs.yml says candidate in another way now")
	}
	if err := os.WriteFile(name, all, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// visitor asks the app as somebody in a region.
var visitor = &http.Client{
	Timeout:       limit,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}},
}

// sign writes into the guestbook from a region, and read reads there.
func sign(t *testing.T, s *dev.Session, region, message string) {
	t.Helper()
	res, err := visitor.PostForm(s.URL(region)+"/messages", url.Values{"name": {"Ada"}, "message": {message}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		t.Errorf("sign in %s: status %d", region, res.StatusCode)
	}
}

func read(t *testing.T, s *dev.Session, region string) {
	t.Helper()
	res, err := visitor.Get(s.URL(region) + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		t.Errorf("read in %s: status %d", region, res.StatusCode)
	}
}

// The page of a real session: what happens is seen, and what is pressed happens.
func TestRealSession(t *testing.T) {
	s := real(t, "none", 0)
	b := open(t, s.URL("")+dev.PagePrefix, window{width: 1440, height: 900})
	b.waitText("#facts", "primary ams1")
	b.waitText("#machine-ams1", "primary, healthy")
	b.waitText("#machine-syd1", "replica, healthy")

	sign(t, s, "syd", "seen on the page")
	b.waitText("#requests", "POST /messages")
	b.waitText("#requests", "edge syd to syd1 replica to replay")
	b.waitText("#machine-syd1 .line2", "flysql-regions.db TXID")
	b.until(`document.querySelectorAll("#lines .line").length > 0`)

	// A request made up on the page, from another region.
	b.click(`document.querySelector(".sender summary")`)
	b.run(chooseOption("#smethod", "POST"), chooseOption("#sregion", "ord"), chooseOption("#spath", "/messages"), chooseOption("#sbody", "name=Grace&message=by+the+page"))
	b.click(`document.querySelector("#sgo")`)
	b.waitText("#answerhead", "303, ")
	b.waitText("#answerbody", "Fly-Request-Id: ")
	b.waitText("#requests", "edge ord to ord1 replica to replay")

	// Killed, by mouse.
	b.click(button("syd1", "Kill"))
	b.waitText("#ask", "Kill syd1?")
	b.click(`document.querySelector("#askyes")`)
	b.waitText("#machine-syd1", "off")
	b.until(`document.querySelector("#machine-syd1 .badge").className === "badge off"`)
	if st := s.State(); st.Machines[2].ID != "syd1" || st.Machines[2].State != "stopped" {
		t.Errorf("the machine is %+v", st.Machines[2])
	}
	b.click(button("syd1", "Start"))
	b.waitText("#machine-syd1", "replica, healthy")

	// My region is another, and a read goes there.
	b.run(chooseOption("#region", "ord"))
	b.until(`document.querySelector("#region").value === "ord"`)
	b.waitText("#lines", "choose ord: done")
	read(t, s, "")
	b.waitText("#requests", "edge ord to ord1 replica")

	// The lease moves, where another machine may have it.
	b.click(button("ord1", "Hand off"))
	b.waitText("#facts", "primary ord1")
	b.waitText("#machine-ord1", "primary, healthy")
	sign(t, s, "ams", strings.Repeat("after ", 3))
	b.waitText("#requests", "to ord1 primary")

	b.click(`[...document.querySelectorAll("#region-syd button")].find(b => b.innerText.startsWith("Cut"))`)
	b.waitText("#chips", "cut off")
	b.click(`[...document.querySelectorAll("#region-syd button")].find(b => b.innerText.startsWith("Mend"))`)
	b.until(`!document.querySelector("#chips").innerText.includes("cut off")`)

	// Deployed, machine by machine.
	pids := map[string]int{}
	for _, m := range s.State().Machines {
		pids[m.ID] = m.PID
	}
	b.click(`document.querySelector("#deploy")`)
	b.waitText("#rolling", "Deploy: ")
	b.until(`document.querySelector("#rolling").hidden`)
	b.waitText("#lines", "deploy: done")
	for _, m := range s.State().Machines {
		if m.PID == pids[m.ID] || m.PID == 0 {
			t.Errorf("%s has process %d, and had %d", m.ID, m.PID, pids[m.ID])
		}
		b.waitText("#machine-"+m.ID, ", healthy")
	}
}
