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
		{"two mounts", "[[mounts]]\nsource = 'v'\n[[mounts]]\nsource = 'w'\n", &Existing{}, ""},
		{"what no Dockerfile or volume takes", "[mounts]\nsource = 'My Vol'\ndestination = '/d $x'\n", &Existing{}, ""},
		{"unknown keys beside", "app = 'a'\n[[services]]\ninternal_port = 1\n[mounts]\nsource = 'v'\nprocesses = ['x']\n", &Existing{App: "a", Source: "v"}, ""},
		{"migrates at release", "[deploy]\nrelease_command = 'bin/rails db:migrate'\n", &Existing{Release: "bin/rails db:migrate"}, ""},
		{"releases otherwise", "[deploy]\nrelease_command = 'bin/warm-cache'\n", &Existing{}, ""},
		{"no TOML", "app = 'a'\napp = \n", nil, "fly.toml:2:"},
		{"wrong type", "app = 'a'\n[http_service]\ninternal_port = 'x'\n", nil, "fly.toml:3:"},
		{"binary", "app\x00", nil, "fly.toml is not text"},
		{"huge", strings.Repeat("#", maxFileSize+1), nil, "fly.toml is larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.toml != "" {
				write(t, filepath.Join(dir, "fly.toml"), tt.toml)
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
