package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

const goodLiteFS = `fuse:
  dir: "MNT"
  allow-other: true
data:
  dir: "DATA/litefs"
lease:
  type: static
  hostname: "${HOSTNAME}"
  advertise-url: "http://127.0.0.1:20202"
`

// What is wrong with litefs.yml, or with what LiteFS needs, is told before anything
// is touched, with the place.
func TestLiteFSRefused(t *testing.T) {
	bin := files(t, map[string]string{"litefs": "#!/bin/sh\ntouch $0.started\n"})
	path := "PATH=" + bin + ":" + os.Getenv("PATH")
	tests := []struct {
		name string
		edit func(string) string
		env  []string
		cred *syscall.Credential
		root bool // what is refused is found only by root
		want []string
	}{
		{name: "exec", edit: func(s string) string { return s + "exec:\n  - cmd: app\n" }, want: []string{"litefs.yml:10:1: exec:", "remove it: flysql-entrypoint starts the app"}},
		{name: "no YAML", edit: func(s string) string { return s + "x: [" }, want: []string{"litefs.yml:"}},
		{name: "an unknown key", edit: func(s string) string { return strings.Replace(s, "allow-other", "allow-others", 1) }, want: []string{"litefs.yml:3:3: fuse.allow-others", "allow-other?"}},
		{name: "all problems at once", edit: func(s string) string {
			return strings.Replace(strings.Replace(s, "type: static", "type: etcd", 1), "http://", "ftp://", 1)
		}, want: []string{"lease.type", "lease.advertise-url"}},
		{name: "a variable that is not set", edit: func(s string) string {
			return strings.Replace(s, "type: static", "type: consul\n  consul:\n    url: ${FLY_CONSUL_URL}\n    key: k", 1)
		}, want: []string{"litefs.yml:9:5: lease.consul.url: is missing", "fly consul attach"}},
		{name: "never the primary, with a static lease", env: []string{"FLYSQL_LITEFS_CANDIDATE=off"}, want: []string{"litefs.yml: with a static lease", "unset FLYSQL_LITEFS_CANDIDATE"}},
		{name: "never the primary, where that cannot be edited", env: []string{"FLYSQL_LITEFS_CANDIDATE=off"},
			edit: func(s string) string { return strings.Replace(s, "lease:", "lease: &l", 1) + "<<: *l\n" }, want: []string{"litefs.yml"}},
		{name: "not to be seen by the user", edit: func(s string) string { return strings.Replace(s, "true", "false", 1) },
			env: []string{"FLYSQL_USER=65534:65534"}, want: []string{"set fuse.allow-other: true"}},
		{name: "data in the mount", edit: func(s string) string { return strings.Replace(s, "DATA/", "MNT/", 1) }, want: []string{"data.dir"}},
		{name: "another database", env: []string{"FLYSQL_DB=/tmp/app.db"}, root: true, want: []string{"/tmp/app.db is not in ", "set FLYSQL_DB="}},
		{name: "a sub-directory", env: []string{"FLYSQL_DB=MNT/sub/app.db"}, root: true, want: []string{"LiteFS has no sub-directories"}},
		{name: "a name of LiteFS's", env: []string{"FLYSQL_DB=MNT/app.db-pos"}, root: true, want: []string{"LiteFS has for itself"}},
		{name: "the machine's own disk", env: []string{"FLY_MACHINE_ID=m1"}, root: true, want: []string{"data.dir", "would be lost", "every deploy replaces"}},
		{name: "no litefs", env: []string{"PATH=/usr/bin:/bin"}, root: true, want: []string{"litefs is not in PATH", "COPY --from=flyio/litefs"}},
		{name: "no fusermount3", env: []string{"PATH=" + bin}, root: true, want: []string{"fusermount3", "apt-get install fuse3"}},
		{name: "not root", cred: &syscall.Credential{Uid: 65534, Gid: 65534}, root: true, want: []string{"running as uid 65534", "remove USER"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root {
				testkit.NeedRoot(t)
				testkit.NeedFUSE(t)
			}
			dir := t.TempDir()
			openPath(t, dir)
			os.Chmod(dir, 0o755)
			fill := func(s string) string {
				return strings.NewReplacer("MNT", filepath.Join(dir, "mnt"), "DATA", filepath.Join(dir, "volume")).Replace(s)
			}
			text := goodLiteFS
			if tt.edit != nil {
				text = tt.edit(text)
			}
			file := filepath.Join(dir, "litefs.yml")
			if err := os.WriteFile(file, []byte(fill(text)), 0o644); err != nil {
				t.Fatal(err)
			}
			e := entry{dir: "/", cred: tt.cred, app: []string{"/bin/sh", "-c", "echo ran"}, env: []string{path, "FLYSQL_LITEFS=" + file, "FLYSQL_DB=" + filepath.Join(dir, "mnt", "app.db")}}
			for _, v := range tt.env {
				e.env = append(e.env, fill(v))
			}
			r := e.run(t).expect(t, 78)
			contains(t, r.stderr, tt.want...)
			if r.stdout != "" {
				t.Errorf("the app ran: %q", r.stdout)
			}
			for _, made := range []string{filepath.Join(bin, "litefs.started"), filepath.Join(dir, "volume"), filepath.Join(dir, "mnt")} {
				if _, err := os.Stat(made); err == nil {
					t.Errorf("%s was made", made)
				}
			}
		})
	}
}

// A litefs.yml that was named must be there, must be a file, and off is off.
func TestLiteFSNamed(t *testing.T) {
	db := filepath.Join(t.TempDir(), "app.db")
	fifo := filepath.Join(t.TempDir(), "litefs.yml")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"/no/such/litefs.yml": "/no/such/litefs.yml", fifo: "not a file", t.TempDir(): "not a file"} {
		r := entry{db: db, env: []string{"FLYSQL_LITEFS=" + value}, app: []string{"true"}}.run(t).expect(t, 78)
		contains(t, r.stderr, want)
	}
	r := entry{db: db, env: []string{"FLYSQL_LITEFS=off"}, app: []string{"true"}}.run(t).expect(t, 0)
	if r.outcome("mode") != "volume" {
		t.Errorf("mode: %v", r.line("mode"))
	}
}

// An app that boots in its own process cannot stay root beside itself.
func TestLiteFSNeedsACommand(t *testing.T) {
	c := Config{DB: "/litefs/app.db", LiteFS: "/etc/litefs.yml", App: func(context.Context) error { return nil }}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "LiteFS needs a command") {
		t.Errorf("Validate: %v", err)
	}
	c.LiteFS = "off"
	if err := c.Validate(); err != nil {
		t.Errorf("off: %v", err)
	}
	if file, err := (Config{App: c.App}).litefsFile(); file != "" || err != nil {
		t.Errorf("a function boots beside %q, %v", file, err)
	}
}

// Fly runs the image where there is no volume: LiteFS is not started there.
func TestLiteFSPassThrough(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	for _, env := range []string{"RELEASE_COMMAND=1", "FLY_TEST_COMMAND=1", "FLYSQL_SKIP=1"} {
		e := besideLiteFS(t, n)
		e.env = append(e.env, env)
		r := e.run(t).expect(t, 0)
		if r.outcome("mode") != "pass-through" || r.stdout != "ran\n" || r.outcome("node") != "" {
			t.Errorf("%s: %q\n%s", env, r.stdout, r.stderr)
		}
	}
	if _, err := os.Stat(n.Data); err == nil {
		t.Error("LiteFS has run")
	}
}

// A dry run starts no LiteFS and makes nothing.
func TestLiteFSDryRun(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	e := besideLiteFS(t, n, createA)
	e.flags = []string{"--dry-run"}
	r := e.run(t).expect(t, 0)
	if r.outcome("node") != "would start" || r.stdout != "" {
		t.Errorf("%q\n%s", r.stdout, r.stderr)
	}
	for _, made := range []string{n.Data, n.Mount, filepath.Join(filepath.Dir(n.Data), stateDir)} {
		if _, err := os.Stat(made); err == nil {
			t.Errorf("%s was made", made)
		}
	}
}

// A mount that is somebody's is left alone.
func TestLiteFSMountedBySomebody(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	n.Start()
	r := besideLiteFS(t, n).run(t).expect(t, 78)
	contains(t, r.stderr, "another LiteFS is mounted at "+n.Mount)
	if !n.Mounted() {
		t.Error("it was unmounted")
	}
}

// LiteFS that ends before it is ready stops the boot, with its status.
func TestLiteFSEndsEarly(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{})
	other := testkit.NewNode(t, "b", testkit.NodeOptions{Extra: fmt.Sprintf("proxy: {addr: \"127.0.0.1:%d\", target: \"127.0.0.1:1\", db: app.db}\n", n.API)})
	other.Start() // has the port
	r := besideLiteFS(t, n).run(t).expect(t, 1)
	contains(t, r.text("node", "err")+r.stderr, "LiteFS ended with status 1 before it was ready", "address already in use")
	if r.stdout != "" {
		t.Errorf("the app ran: %q", r.stdout)
	}
	nothingLeft(t, n)
}

// A node that finds nobody waits, says for what, and obeys a signal and the limit.
func TestLiteFSWaits(t *testing.T) {
	t.Parallel()
	n := testkit.NewNode(t, "a", testkit.NodeOptions{Replica: true, Primary: testkit.FreePort(t)})
	e := besideLiteFS(t, n)
	p := e.start(t)
	p.waitFor("no primary answers, and this node may not be it")
	p.signal(syscall.SIGTERM)
	p.wait().expect(t, 143)
	nothingLeft(t, n)

	e.env = append(e.env, "FLYSQL_LITEFS_WAIT=300ms")
	r := e.run(t).expect(t, 1)
	contains(t, r.stderr, "LiteFS was not ready after 300ms", "FLYSQL_LITEFS_WAIT")
	nothingLeft(t, n)
}

func TestLiteFSFlags(t *testing.T) {
	inv, err := FromEnv([]string{"--litefs", "x.yml", "app"}, []string{"FLYSQL_LITEFS=y.yml", "FLYSQL_LITEFS_WAIT=7m"})
	if err != nil || inv.LiteFS != "x.yml" || inv.LiteFSWait.Minutes() != 7 {
		t.Errorf("%q, %v, %v", inv.LiteFS, inv.LiteFSWait, err)
	}
	if _, err := FromEnv([]string{"app"}, []string{"FLYSQL_LITEFS_WAIT=soon"}); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("soon: %v", err)
	}
}
