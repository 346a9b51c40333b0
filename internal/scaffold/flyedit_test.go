package scaffold

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/flysql/flysql/flyconf"
)

// edited runs init on a fly.toml of the shop: the answers are what it leaves open.
func edited(f Facts, a Answers, data []byte) ([]byte, error) {
	f.Fly = parseFly(data)
	if f.Fly.Err != nil {
		return nil, f.Fly.Err
	}
	complete, err := f.Complete(a)
	if err != nil {
		return nil, err
	}
	p, err := f.Plan(complete, fakeFlysql("v1.0.0"))
	if err != nil {
		return nil, err
	}
	return p.Files[0].Edit.to(data)
}

// TestFlyEditGolden holds what becomes of a fly.toml. Each golden file has the
// repository's files, fly.toml among them, the mode in its comment, and want.toml.
func TestFlyEditGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil || len(files) < 8 {
		t.Fatalf("golden files: %v, %v", files, err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want := &archive.Files[len(archive.Files)-1]
			if want.Name != "want.toml" {
				t.Fatalf("the last file is %s", want.Name)
			}
			in := archive.Files
			dir := repo(t, string(txtar.Format(&txtar.Archive{Files: in[:len(in)-1]})))
			mode, _, _ := strings.Cut(string(archive.Comment), "\n")
			f := detect(t, dir)
			text, err := os.ReadFile(filepath.Join(dir, "fly.toml"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := edited(*f, Answers{Mode: Mode(mode)}, text)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				want.Data = got
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want.Data), string(got)); diff != "" {
				t.Errorf("differs from %s; if that is meant, run go test ./internal/scaffold -update (-want +got):\n%s", name, diff)
			}
			again, err := edited(*f, Answers{Mode: Mode(mode)}, got)
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("a second time: %v\n%s", err, again)
			}
		})
	}
}

func TestFlyEditRefused(t *testing.T) {
	f := detect(t, repo(t, shop))
	tests := []struct{ name, toml, want string }{
		{"of another app", "app = 'other'\n", `fly.toml is that of the app "other", not of "shop"`},
		{"two volumes for the same machines", "app = 'shop'\nprimary_region = 'ams'\n[[mounts]]\nsource = 'v'\ndestination = '/data'\n[[mounts]]\nsource = 'w'\ndestination = '/w'\n", "fly.toml:6:3: mounts[1]: a machine takes one volume"},
		{"an integer that flyctl takes for nanoseconds", "app = 'shop'\n[http_service]\ninternal_port = 8080\n[[http_service.checks]]\ntimeout = 5\n", "fly.toml:5:1: http_service.checks[0].timeout: "},
		{"a table where flyctl wants a list", "app = 'shop'\n[restart]\npolicy = 'always'\n", "fly.toml:2:"},
		{"no TOML", "app = 'shop'\nx\n", "fly.toml:2:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := edited(*f, Answers{App: "shop"}, []byte(tt.toml))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\n%s\nwant the error %s", err, got, tt.want)
			}
		})
	}
}

// FuzzFlyEdit: whatever fly.toml holds, init edits it into one that flyctl takes and
// that has the app's database where the mode has it, or refuses. A second run
// changes no byte, and a comment is lost only where its key goes.
func FuzzFlyEdit(f *testing.F) {
	for _, pattern := range []string{"testdata/edit/*.txtar", "../../flyconf/testdata/flytoml/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if filepath.Ext(name) == ".toml" {
				f.Add(data)
				continue
			}
			for _, file := range txtar.Parse(data).Files {
				if file.Name == "fly.toml" {
					f.Add(file.Data)
				}
			}
		}
	}
	dir := f.TempDir()
	if err := txtar.Write(txtar.Parse([]byte(shop)), dir); err != nil {
		f.Fatal(err)
	}
	facts, err := Detect(f.Context(), dir)
	if err != nil {
		f.Fatal(err)
	}
	facts.App = "shop"
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, mode := range []Mode{Volume, LiteFS} {
			got, err := edited(*facts, Answers{Mode: mode, Migrations: NoMigrations}, data)
			if err != nil {
				continue
			}
			config, err := flyconf.Parse("fly.toml", got)
			if err != nil || config.Validate() != nil {
				t.Fatalf("%s: %v\n%s\n->\n%s", mode, err, data, got)
			}
			db := pathOf(config.Env["DATABASE_URL"])
			if mode == LiteFS && !within(db, fuseDir) || mode == Volume && !within(db, config.GroupMounts(config.DefaultGroup())[0].Destination) && len(config.Processes) == 0 {
				t.Fatalf("%s: the database is at %q\n%s\n->\n%s", mode, db, data, got)
			}
			again, err := edited(*facts, Answers{Mode: mode, Migrations: NoMigrations}, got)
			if err != nil || !bytes.Equal(again, got) {
				t.Fatalf("%s: a second time: %v\n%s\n->\n%s\n->\n%s", mode, err, data, got, again)
			}
		}
	})
}
