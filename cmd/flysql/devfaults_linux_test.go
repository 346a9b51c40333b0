package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/testkit"
)

// An app that never listens is shown, with what it printed, and where it should have
// listened.
func TestDevNeverListens(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, false)
	r := a.run("--port", "0", "--wait", "2s", "-e", "FLYSQL_MIGRATIONS", "--", a.script("app", "echo warming up\nexec sleep 1000\n"))
	r.ends(1)
	r.errs("flysql: machine ord1: nothing listens on port ", ", which PORT names: ", "within 2s", "warming up", "\nthe machines' logs are "+a.real()+"/.flysql/dev/machines/*/log\n")
}

// A check that fails is named, with what the app answered.
func TestDevNeverHealthy(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, false)
	text, err := os.ReadFile(filepath.Join(a.dir, "fly.toml"))
	if err != nil {
		t.Fatal(err)
	}
	a.write("fly.toml", strings.Replace(string(text), `"/healthz"`, `"/no-such-page"`, 1), 0o644)
	r := a.run("--port", "0", "--wait", "3s", "-e", "FLYSQL_MIGRATIONS", "--", a.guestbook)
	r.ends(1)
	r.errs("flysql: machine ord1: ", "/no-such-page", "404")
}

// A machine that ends at its start, in one region only, has its reasons shown; the others
// serve.
func TestDevOneRegionFails(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, true)
	app := a.script("app", `[ "$FLY_REGION" = syd ] && { echo no luck in syd; exit 1; }
exec `+a.guestbook+"\n")
	r := a.run("--port", "0", "--latency", "none", "--regions", "ord,syd", "-e", "FLYSQL_MIGRATIONS", "--", app)
	url := r.url("ord")
	out := r.stdout.text()
	if !strings.Contains(out, "  syd1   ") || !strings.Contains(out, "did not come up\n    it ended before it served: exit status 1\n") || !strings.Contains(out, "    no luck in syd\n") {
		t.Errorf("stdout:\n%s", out)
	}
	a.get(url+"/", "syd") // the nearest that there is
	r.signal(os.Interrupt)
	r.ends(130)
}

// Each line is an event, the first the state; nothing else is on stdout, and no page
// is there.
func TestDevHeadlessJSON(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, false)
	r := a.run("--port", "0", "--headless", "--json", "-e", "FLYSQL_MIGRATIONS", "--", a.guestbook)
	r.says(`"ready":true`)
	var first dev.Event
	line, _, _ := strings.Cut(r.stdout.text(), "\n")
	if err := json.Unmarshal([]byte(line), &first); err != nil || first.Type != dev.TypeState || first.State.App != "shop" || first.State.Ready {
		t.Fatalf("%v: %s", err, line)
	}
	if page := a.get(first.State.URL+"/", "ord"); strings.Contains(page, "flysql dev") {
		t.Errorf("the app's page: %s", page)
	}
	r.says(`"type":"request","request":{`)
	r.signal(os.Interrupt)
	r.ends(130)
	types := map[string]int{}
	for line := range strings.Lines(r.stdout.text()) {
		var e dev.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		types[e.Type]++
	}
	for _, want := range []string{dev.TypeState, dev.TypeRequest, dev.TypeLog} {
		if types[want] == 0 {
			t.Errorf("no event of type %s: %v", want, types)
		}
	}
	if len(types) > 4 {
		t.Errorf("types that are not documented: %v", types)
	}
}

// Where LiteFS cannot be had, it says why, and one machine runs.
func TestDevWithoutLiteFS(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, true)
	r := a.run("--port", "0", "--no-litefs", "-e", "FLYSQL_MIGRATIONS", "--", a.guestbook)
	url := r.url("ord")
	if out := r.stdout.text(); !strings.HasPrefix(out, "shop: 1 machine in ord, without LiteFS\n") {
		t.Errorf("stdout:\n%s", out)
	}
	a.sign(url, "ord", "of one machine")
	if page := a.get(url+dev.PagePrefix, "ord"); !strings.Contains(page, "shop") {
		t.Errorf("the page: %s", page)
	}
	r.signal(os.Interrupt)
	r.ends(130)

	// What it has is none of what the machines with LiteFS have, and it is kept.
	args := []string{"--port", "0", "--regions", "ord", "-e", "FLYSQL_MIGRATIONS", "--", a.guestbook}
	r = a.run(args...)
	if page := a.get(r.url("ord")+"/messages.json", "ord"); strings.Contains(page, "of one machine") {
		t.Errorf("with LiteFS: %s", page)
	}
	r.signal(os.Interrupt)
	r.ends(130)
	r = a.run(append([]string{"--no-litefs"}, args...)...)
	if page := a.get(r.url("ord")+"/messages.json", "ord"); !strings.Contains(page, "of one machine") {
		t.Errorf("again without LiteFS: %s", page)
	}
	r.signal(os.Interrupt)
	r.ends(130)
}

// With --watch, what changes is built and deployed; what does not build is shown, and
// what ran before serves on.
func TestDevWatch(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, false)
	a.image("guestbook")
	r := a.run("--port", "0", "--watch")
	url := r.url("ord")
	main := filepath.Join(a.dir, "main.go")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	a.write("main.go", string(text)+"\nfunc broken() { return 1 }\n", 0o644)
	r.says("build | ")
	r.says("the machines keep what they have: ")
	r.says("too many return values")
	a.get(url+"/", "ord")
	a.write("main.go", strings.Replace(string(text), "switch {", "fmt.Println(\"the new one\")\n\tswitch {", 1), 0o644)
	r.says("ord1 | the new one\n")
	r.says(" deploy: done\n")
	a.get(url+"/", "ord")
	a.write("fly.toml", "app = \"other\"\n", 0o644)
	r.says("build | changed: fly.toml\n")
	r.says("build | fly.toml: nothing is deployed until that is mended:\n")
	r.says("primary_region")
	r.signal(os.Interrupt)
	r.ends(130)
}

// What a run by sudo has made is root's: another user is told so.
func TestDevOfAnotherUser(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	a := newDevApp(t, false)
	state := filepath.Join(a.dir, ".flysql", "dev")
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := a.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(buildFlysql(t), "dev", "--port", "0", "--", "sleep", "1")
	cmd.Dir, cmd.Env = a.dir, a.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "permission denied\n") || !strings.Contains(string(out), state+" is another user's: sudo leaves it to root") {
		t.Errorf("%v: %s", err, out)
	}
}

// An app that has LiteFS, where there is none: it says what is missing, exec too, and one
// machine runs.
func TestDevNoLiteFSHere(t *testing.T) {
	t.Parallel()
	a := newDevApp(t, false)
	text, err := os.ReadFile("../../examples/regions/litefs.yml")
	if err != nil {
		t.Fatal(err)
	}
	a.write("litefs.yml", string(text), 0o644)
	a.write("fly.toml", fmt.Sprintf(devTOML, "litefs"), 0o644)
	a.env = append(a.env, dev.LiteFSVariable+"=", "PATH="+t.TempDir())
	r := a.run("--port", "0", "--regions", "ord,ams", "-e", "FLYSQL_MIGRATIONS", "--", a.guestbook)
	a.sign(r.url("ord"), "ord", "hello")
	if out := r.stdout.text(); !strings.HasPrefix(out, "shop: 1 machine in ord, without LiteFS\n  no") {
		t.Errorf("stdout:\n%s", out)
	}
	r.signal(os.Interrupt)
	r.ends(130)

	r = a.run("exec", "-e", "FLYSQL_MIGRATIONS", "--command", "'"+a.guestbook+"'", "--", "/bin/sh", "-c", "echo $FLYSQL_DEV_ENGINE")
	r.ends(0)
	r.errs("note: one machine, without LiteFS: no")
	if out := r.stdout.text(); out != "volume\n" {
		t.Errorf("stdout: %s", out)
	}
}
