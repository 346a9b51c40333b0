package scaffold

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestReadFly(t *testing.T) {
	tests := []struct {
		name, toml string
		want       *Existing
		wantErr    string
	}{
		{"none", "", nil, ""},
		{"plain", "app = 'a'\nprimary_region = 'ord'\n[env]\nX = 1\n[http_service]\ninternal_port = 3000\n", &Existing{App: "a", Region: "ord", Port: 3000, Env: map[string]string{"X": "1"}}, ""},
		{"one mount", "[mounts]\nsource = 'v'\ndestination = '/d/'\ninitial_size = '2gb'\n", &Existing{Source: "v", Destination: "/d", SizeGB: 2}, ""},
		{"mount by its other name", "[[mount]]\nsource = 'v'\ndestination = '/d'\n", &Existing{Source: "v", Destination: "/d"}, ""},
		{"two mounts", "[[mounts]]\nsource = 'v'\ndestination = '/d'\n[[mounts]]\nsource = 'w'\ndestination = '/e'\n", &Existing{}, ""},
		{"a volume's name that Fly refuses", "[mounts]\nsource = 'My Vol'\ndestination = '/d'\n", nil, "fly.toml:2:1: mounts[0].source: "},
		{"what no Dockerfile takes", "[mounts]\nsource = 'v'\ndestination = '/d $x'\n", nil, "fly.toml mounts v at \"/d $x\""},
		{"an app's name that Fly refuses", "app = 'A B'\n", nil, "fly.toml:1:1: app: "},
		{"mounts in both forms", "[mounts]\nsource = 'v'\n[[mounts]]\nsource = 'w'\n", nil, "fly.toml:3:"},
		{"an integer for a size", "[mounts]\nsource = 'v'\ndestination = '/d'\ninitial_size = 3\n", &Existing{Source: "v", Destination: "/d", SizeGB: 3}, ""},
		{"services", "app = 'a'\n[[services]]\ninternal_port = 1\n[mounts]\nsource = 'v'\ndestination = '/d'\nprocesses = ['x']\n", &Existing{App: "a", Source: "v", Destination: "/d", Port: 1, Service: true}, ""},
		{"groups", "[processes]\nweb = 'web'\nworker = 'worker'\n[http_service]\ninternal_port = 1\nprocesses = ['web']\n[[mounts]]\nsource = 'v'\ndestination = '/d'\nprocesses = ['web']\n",
			&Existing{Source: "v", Destination: "/d", Port: 1, Processes: map[string]string{"web": "web", "worker": "worker"}, Web: "web", Mounted: []string{"web"}}, ""},
		{"migrates at release", "[deploy]\nrelease_command = 'bin/rails db:migrate'\n", &Existing{Release: "bin/rails db:migrate"}, ""},
		{"releases otherwise", "[deploy]\nrelease_command = 'bin/warm-cache'\n", &Existing{}, ""},
		{"no TOML", "app = 'a'\napp = \n", nil, "fly.toml:2:"},
		{"wrong type", "app = 'a'\n[http_service]\ninternal_port = 'x'\n", nil, "fly.toml:3:"},
		{"fly.json", "{}", nil, "fly.json is this app's configuration"},
		{"fly.yaml", "app: a", nil, "fly.yaml is this app's configuration"},
		{"binary", "app\x00", nil, "fly.toml is not text"},
		{"huge", strings.Repeat("#", maxFileSize+1), nil, "fly.toml is larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.toml != "" {
				name := "fly.toml"
				if strings.HasPrefix(tt.name, "fly.") {
					name = tt.name
				}
				write(t, filepath.Join(dir, name), tt.toml)
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			got := readFly(root)
			if tt.wantErr != "" {
				if got == nil || got.Err == nil || !strings.HasPrefix(got.Err.Error(), tt.wantErr) {
					t.Errorf("got %+v, want the error %s", got, tt.wantErr)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadFlyStaysInside: a link out of the repository is not read.
func TestReadFlyStaysInside(t *testing.T) {
	outside := repo(t, "-- fly.toml --\napp = \"outside\"\n-- Dockerfile --\nFROM secret\nCMD x\n")
	dir := repo(t, "-- go.mod --\nmodule m\n-- main.go --\npackage main\n")
	for _, name := range []string{"fly.toml", "Dockerfile"} {
		if err := os.Symlink(filepath.Join(outside, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if f := detect(t, dir); f.Fly != nil || f.Docker != nil {
		t.Errorf("read %+v, %+v by way of a link", f.Fly, f.Docker)
	}
}

func TestPathOf(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "app.db": "", "file:app.db": "", "/data/app.db": "/data/app.db", "file:///data/app.db?mode=rw": "/data/app.db",
		"file:/data/app.db": "/data/app.db", "sqlite:////data/app.db": "/data/app.db", "sqlite3:/data/x.sqlite3": "/data/x.sqlite3",
		"postgres://host/db": "", "/data//../data/app.db": "/data/app.db",
	} {
		if got := pathOf(in); got != want {
			t.Errorf("pathOf(%q) = %q, want %q", in, got, want)
		}
	}
}
