package scaffold

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/flyconf"
)

// TestFilesAgree: for any answers that are accepted, the files say the same of the
// database, the ports and the volume, everything that reads them takes them, and a
// second run has nothing to change.
func TestFilesAgree(t *testing.T) {
	repos := map[string]*Facts{
		"routes":     detect(t, repo(t, routing)),
		"reads PORT": detect(t, repo(t, shop)),
		"fixed port": detect(t, repo(t, strings.Replace(strings.Replace(shop, `":"+os.Getenv("PORT")`, `":3000"`, 1), "DATABASE_URL", "DB_PATH", 1))),
		"not in Go":  detect(t, repo(t, "-- package.json --\n{}\n-- Dockerfile --\nFROM node:22\nEXPOSE 3000\nCMD [\"node\", \"x.js\"]\n")),
	}
	r := rand.New(rand.NewPCG(3, 4))
	for name, f := range repos {
		for i := range 60 {
			a := Answers{
				App:    fmt.Sprintf("app-%d", i),
				Mode:   []Mode{Volume, LiteFS}[r.IntN(2)],
				Region: "ams",
				SizeGB: 1 + r.IntN(50),
			}
			if r.IntN(2) == 0 {
				a.Port = 1024 + r.IntN(60000)
			}
			if r.IntN(2) == 0 && a.Mode == LiteFS {
				a.Regions = []string{"syd,ams", "ord"}
			}
			if a.Port == litefsPort && a.Mode == LiteFS {
				continue
			}
			complete, err := f.Complete(a)
			if err != nil {
				t.Fatal(err)
			}
			p, err := f.Plan(complete, fakeFlysql("v1.0.0"))
			if err != nil {
				t.Fatalf("%s: %+v: %v", name, complete, err)
			}
			files := map[string][]byte{}
			for _, file := range p.Files {
				content := file.Content
				if content == nil {
					content = []byte("FROM node:22\nEXPOSE 3000\nCMD [\"node\", \"x.js\"]\n")
					if content, err = file.Edit.to(content); err != nil {
						t.Fatal(err)
					}
				}
				files[file.Path] = content
				again, err := file.Edit.to(content)
				if err != nil || !bytes.Equal(again, content) {
					t.Fatalf("%s: %+v: %s is not as it should be: %v\n%s", name, complete, file.Path, err, cmp.Diff(string(content), string(again)))
				}
			}
			if err := agree(complete, files); err != nil {
				t.Fatalf("%s: %+v: %v", name, complete, err)
			}
		}
	}
}

// agree reports how the files contradict each other.
func agree(a Answers, files map[string][]byte) error {
	config, err := flyconf.Parse("fly.toml", files["fly.toml"])
	if err != nil {
		return err
	}
	if list := config.Problems(); len(list) > 0 {
		return list[0]
	}
	docker, err := flyconf.ParseDockerfile("Dockerfile", files["Dockerfile"])
	if err != nil {
		return err
	}
	image := docker.Final().Image(nil)
	env := map[string]string{}
	for _, s := range image.Env {
		env[s.Name] = s.Value
	}
	for name, value := range config.Env {
		env[name] = value
	}
	for _, name := range []string{"FLYSQL_DB", "DATABASE_URL", "DB_PATH"} {
		if db := pathOf(env[name]); env[name] != "" && db != a.DB {
			return fmt.Errorf("%s is %s, not %s", name, env[name], a.DB)
		}
	}
	if env["FLYSQL_DB"] == "" && env["DATABASE_URL"] == "" {
		return fmt.Errorf("flysql-entrypoint does not know the database")
	}
	if !ready(image) || appUser(image) != "" {
		return fmt.Errorf("flysql-entrypoint is not started as root")
	}
	if a.Mode == Volume {
		if files["litefs.yml"] != nil || config.HTTPService.InternalPort != a.Port || !within(a.DB, config.Mounts[0].Destination) {
			return fmt.Errorf("port or volume")
		}
		return nil
	}
	litefs, err := flyconf.ParseLiteFS("litefs.yml", files["litefs.yml"], nil)
	if err != nil {
		return err
	}
	if err := litefs.Validate(); err != nil {
		return err
	}
	health, proxied := config.HTTPService.Checks[0].Path, litefs.Proxy.Addr+litefs.Proxy.Target+litefs.Proxy.DB != ""
	switch {
	case proxied != a.proxied():
		return fmt.Errorf("LiteFS's proxy")
	case !proxied && (config.HTTPService.InternalPort != a.Port || env["PORT"] != fmt.Sprint(a.Port) || health == litefsHealth):
		return fmt.Errorf("port or check")
	case path.Dir(a.DB) != litefs.FUSE.Dir, proxied && litefs.Proxy.DB != path.Base(a.DB):
		return fmt.Errorf("the database is not LiteFS's")
	case !within(litefs.Data.Dir, config.Mounts[0].Destination), within(litefs.FUSE.Dir, config.Mounts[0].Destination):
		return fmt.Errorf("LiteFS's directories")
	case proxied && (portOf(litefs.Proxy.Addr) != config.HTTPService.InternalPort || portOf(litefs.Proxy.Target) != a.Port || env["PORT"] != fmt.Sprint(a.Port)):
		return fmt.Errorf("ports")
	case config.HTTPService.AutoStop != "off", *config.HTTPService.AutoStart, proxied && health != litefsHealth:
		return fmt.Errorf("machines are stopped, or their lag is not seen")
	case litefs.Lease.Promote, litefs.Lease.Type != "consul", len(litefs.Exec) > 0:
		return fmt.Errorf("the lease, or exec")
	case config.Deploy.ReleaseCommand != "":
		return fmt.Errorf("release_command")
	}
	for _, name := range litefsPackages {
		if !bytes.Contains(files["Dockerfile"], []byte(name)) {
			return fmt.Errorf("%s is not installed", name)
		}
	}
	for _, to := range []string{litefsBinary, litefsConfig} {
		found := false
		for _, c := range image.Copies {
			found = found || target(c) == to
		}
		if !found {
			return fmt.Errorf("%s is not in the image", to)
		}
	}
	return nil
}

// TestLiteFSEditOfARouter: an app that has package replay needs no proxy, also where
// one was there.
func TestLiteFSEditOfARouter(t *testing.T) {
	f := detect(t, repo(t, routing))
	a, err := f.Complete(Answers{Mode: LiteFS})
	if err != nil {
		t.Fatal(err)
	}
	edit := newLiteFSEdit(a, "litefs.yml", nil)
	const rest = "fuse: {dir: /litefs, allow-other: true}\ndata: {dir: /data/litefs}\nlease: {type: consul, hostname: h, advertise-url: \"http://h:20202\", candidate: true, promote: false, consul: {url: \"http://c\", key: k}}\n"
	for _, in := range []string{rest, rest + "proxy: {addr: \":8080\", target: \"localhost:8081\", db: shop.db}\n", rest + "proxy:\n  addr: \":8080\"\n  target: \"localhost:8081\"\n  db: shop.db\n"} {
		if diff := cmp.Diff(rest, added(t, edit, in)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestLiteFSEdit(t *testing.T) {
	f := detect(t, repo(t, shop))
	a, err := f.Complete(Answers{Mode: LiteFS})
	if err != nil {
		t.Fatal(err)
	}
	edit := newLiteFSEdit(a, "litefs.yml", nil)
	tests := []struct{ name, in, want string }{
		{"comments and choices stay", "# Ours.\nfuse:\n  dir: /litefs # here\n  allow-other: true\ndata:\n  dir: /data/litefs\n  compress: false\nlease:\n  type: static\n  hostname: h\n  advertise-url: http://h:20202\n  candidate: true\n  promote: false\nproxy:\n  addr: \":8080\"\n  target: localhost:8081\n  db: shop.db\n",
			"# Ours.\nfuse:\n  dir: /litefs # here\n  allow-other: true\ndata:\n  dir: /data/litefs\n  compress: false\nlease:\n  type: static\n  hostname: h\n  advertise-url: http://h:20202\n  candidate: true\n  promote: false\nproxy:\n  addr: \":8080\"\n  target: localhost:8081\n  db: shop.db\n"},
		{"exec goes, its comment above stays", "fuse: {dir: /litefs, allow-other: true}\n# how it starts\nexec:\n  - cmd: shop\ndata: {dir: /data/litefs}\nlease: {type: consul, hostname: h, advertise-url: \"http://h:20202\", candidate: true, promote: false, consul: {url: \"http://c\", key: k}}\nproxy: {addr: \":8080\", target: \"localhost:8081\", db: shop.db}\n",
			"fuse: {dir: /litefs, allow-other: true}\n# how it starts\ndata: {dir: /data/litefs}\nlease: {type: consul, hostname: h, advertise-url: \"http://h:20202\", candidate: true, promote: false, consul: {url: \"http://c\", key: k}}\nproxy: {addr: \":8080\", target: \"localhost:8081\", db: shop.db}\n"},
		{"ports follow, in CRLF", "fuse:\r\n  dir: /litefs\r\n  allow-other: true\r\ndata:\r\n  dir: /data/litefs\r\nlease:\r\n  type: consul\r\n  hostname: h\r\n  advertise-url: http://h:20202\r\n  candidate: true\r\n  promote: true # fast\r\n  consul:\r\n    url: http://c\r\n    key: k\r\nproxy:\r\n  addr: \":80\"\r\n  target: 127.0.0.1:3000\r\n  db: db\r\n",
			"fuse:\r\n  dir: /litefs\r\n  allow-other: true\r\ndata:\r\n  dir: /data/litefs\r\nlease:\r\n  type: consul\r\n  hostname: h\r\n  advertise-url: http://h:20202\r\n  candidate: true\r\n  promote: false # fast\r\n  consul:\r\n    url: http://c\r\n    key: k\r\nproxy:\r\n  addr: \":8080\"\r\n  target: localhost:8081\r\n  db: shop.db\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := added(t, edit, tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := added(t, edit, got); again != got {
				t.Errorf("a second time:\n%s", again)
			}
		})
	}
	// From next to nothing, all that LiteFS needs.
	if err := checkLiteFS("litefs.yml", []byte(added(t, edit, "# little\nlog: {format: json}\n"))); err != nil {
		t.Error(err)
	}
	for name, in := range map[string]string{"unknown key": "fuse:\n  nosuch: 1\n", "no YAML": "fuse: [\n", "nothing": "# empty\n", "a secret in the way": "backup:\n  type: litefs-cloud\n  auth-token: hunter2\n"} {
		out, err := edit.to([]byte(in))
		if err == nil || !strings.HasPrefix(err.Error(), "litefs.yml:") || strings.Contains(name, "secret") && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %q, %v", name, out, err)
		}
	}
}

// TestLiteFSKeepsItsData: an app with Fly's own layout keeps LiteFS's files where
// they are, or its machines would begin anew.
func TestLiteFSKeepsItsData(t *testing.T) {
	f := detect(t, repo(t, shop+`
-- fly.toml --
app = "shop"
primary_region = "ams"
[env]
  DATABASE_URL = "/litefs/db"
  PORT = "8081"
[mounts]
  source = "litefs"
  destination = "/var/lib/litefs"
[http_service]
  internal_port = 8080
-- etc/litefs.yml --
fuse:
  dir: "/litefs"
data:
  dir: "/var/lib/litefs"
exec:
  - cmd: "shop"
proxy:
  addr: ":8080"
  target: "localhost:8081"
  db: "db"
`))
	a, err := f.Complete(Answers{})
	if err != nil {
		t.Fatal(err)
	}
	want := Answers{App: "shop", Mode: LiteFS, From: LiteFS, Was: "/litefs/db", Region: "ams", DB: "/litefs/db", SizeGB: 1, Main: ".", Port: 8081, Proxy: 8080,
		Migrations: "migrations", Volume: "litefs", Mount: "/var/lib/litefs", FUSE: "/litefs", Data: "/var/lib/litefs"}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p, err := f.Plan(a, fakeFlysql("v1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Files[2].Path; got != "etc/litefs.yml" {
		t.Errorf("LiteFS's file is %s", got)
	}
	if docker := string(p.Files[1].Content); !strings.Contains(docker, "COPY etc/litefs.yml /etc/litefs.yml\n") {
		t.Errorf("not copied:\n%s", docker)
	}
}

// FuzzLiteFSEdit: whatever litefs.yml holds, the result is one that LiteFS takes,
// and a second edit changes no byte.
func FuzzLiteFSEdit(f *testing.F) {
	for _, s := range []string{"", "fuse:\n  dir: x\n", "exec: a\nproxy: {addr: :1}\n", "lease:\r\n  type: static\r\n", "# c\n---\nfuse: &a {dir: /x}\ndata: *a\n", "data:\n  dir: ${X}\n"} {
		f.Add([]byte(s))
	}
	edit := newLiteFSEdit(Answers{App: "shop", Mode: LiteFS, DB: "/litefs/shop.db", Port: 8081, Proxy: 8080}, "litefs.yml", nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := edit.to(data)
		if err != nil {
			return
		}
		if err := checkLiteFS("litefs.yml", once); err != nil {
			t.Fatalf("%q -> %q: %v", data, once, err)
		}
		if twice, err := edit.to(once); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q -> %q -> %q, %v", data, once, twice, err)
		}
	})
}
