package scaffold

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/flysql/flysql/flyconf"
)

const guestbook = `
-- go.mod --
module github.com/flysql/flysql

go 1.25.0
-- go.sum --
-- cmd/flysql-entrypoint/main.go --
package main
-- examples/guestbook/main.go --
package main

import "github.com/flysql/flysql/appdb"
-- examples/guestbook/migrations/1_a.sql --
-- +goose Up
`

// TestPlanGolden holds the files for each kind of repository. Each golden file is
// an archive of what is written, but for the copied source.
func TestPlanGolden(t *testing.T) {
	const main = "-- main.go --\npackage main\n"
	tests := []struct {
		name    string
		repo    string
		answers Answers
		version string
	}{
		{"module", guestbook, Answers{Main: "./examples/guestbook"}, ""},
		{"tool", "-- go.mod --\nmodule example.com/shop\ngo 1.26\ntool github.com/flysql/flysql/cmd/flysql-entrypoint\n-- go.sum --\n" + main, Answers{}, "v0.1.0"},
		{"version", shop, Answers{}, "v0.1.0"},
		{"source", shop, Answers{App: "corner-shop", Region: "ord", DB: "/data/main.sqlite", SizeGB: 60, Port: 3000, Migrations: "none"}, ""},
		{"source-replaced", "-- go.mod --\nmodule example.com/shop\ngo 1.25\nrequire github.com/flysql/flysql v0.0.0\nreplace github.com/flysql/flysql v0.0.0 => ../flysql\n-- go.sum --\n" + main, Answers{}, "v0.1.0"},
		{"replaced-vendor", "-- go.mod --\nmodule example.com/shop\ngo 1.25\nrequire github.com/flysql/flysql v0.0.0\nreplace github.com/flysql/flysql => ../flysql\n-- go.sum --\n-- vendor/modules.txt --\n" + main, Answers{}, "v0.1.0"},
		{"cgo", "-- go.mod --\nmodule example.com/shop\n-- go.sum --\n-- cmd/web/main.go --\npackage main\nimport _ \"github.com/mattn/go-sqlite3\"\n", Answers{}, "v0.1.0"},
		{"vendor", "-- go.mod --\nmodule example.com/shop\ngo 1.25\n-- go.sum --\n-- vendor/modules.txt --\n" + main, Answers{}, "v0.1.0"},
		{"replace-inside", "-- go.mod --\nmodule example.com/shop\ngo 1.25\nreplace example.com/lib => ./lib\n-- go.sum --\n" + main, Answers{}, "v0.1.0"},
		{"workspace-inside", "-- go.mod --\nmodule example.com/shop\ngo 1.25\n-- go.sum --\n-- go.work --\ngo 1.25\nuse .\nuse ./lib\n" + main, Answers{}, "v0.1.0"},
		{"workspace-outside", "-- go.mod --\nmodule example.com/shop\ngo 1.25\n-- go.sum --\n-- go.work --\ngo 1.25\nuse .\nuse ../lib\n" + main, Answers{}, "v0.1.0"},
		{"no-go-sum", "-- go.mod --\nmodule example.com/shop\n" + main, Answers{}, "v0.1.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.answers.Region == "" {
				tt.answers.Region = DefaultRegion
			}
			if tt.answers.SizeGB == 0 {
				tt.answers.SizeGB = DefaultSizeGB
			}
			p := plan(t, repo(t, tt.repo), tt.answers, fakeFlysql(tt.version))
			var b strings.Builder
			for _, line := range p.Found {
				fmt.Fprintln(&b, line)
			}
			for _, line := range p.Notes {
				fmt.Fprintln(&b, "note: "+line)
			}
			archive := &txtar.Archive{Comment: []byte(b.String())}
			for _, f := range p.Files {
				content := f.Content
				if within(f.Path, sourceDir) {
					content = []byte("(copied)\n")
				}
				archive.Files = append(archive.Files, txtar.File{Name: f.Path, Data: content})
			}
			got := txtar.Format(archive)

			golden := filepath.Join("testdata", "plan", tt.name+".txtar")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("differs from %s; if that is meant, run go test ./internal/scaffold -update (-want +got):\n%s", golden, diff)
			}
		})
	}
}

// TestPlanIsDeterministic: the same repository and answers give the same bytes.
func TestPlanIsDeterministic(t *testing.T) {
	dir := repo(t, shop)
	first := plan(t, dir, defaults(), fakeFlysql(""))
	for range 20 {
		if diff := cmp.Diff(first, plan(t, dir, defaults(), fakeFlysql(""))); diff != "" {
			t.Fatalf("(-first +again):\n%s", diff)
		}
	}
}

// TestFlyTOMLRandom: for any answers that are accepted, fly.toml says what was
// meant, and nothing that Fly refuses.
func TestFlyTOMLRandom(t *testing.T) {
	f := detect(t, repo(t, shop))
	r := rand.New(rand.NewPCG(1, 2))
	letters := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	accepted := 0
	for range 2000 {
		a := Answers{
			App:        letters("ab9-", 1+r.IntN(64)),
			Region:     letters("abcxyz", 3),
			DB:         "/data/" + letters("aB9._-", 1+r.IntN(8)),
			SizeGB:     r.IntN(520),
			Main:       ".",
			Port:       1000 + r.IntN(65000),
			Migrations: NoMigrations,
		}
		p, err := f.Plan(a, fakeFlysql("v1.0.0"))
		if a.validate(false) != nil {
			if err == nil {
				t.Fatalf("%+v: not refused", a)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%+v: valid, but: %v", a, err)
		}
		accepted++
		i := slices.IndexFunc(p.Files, func(f File) bool { return f.Path == "fly.toml" })
		got, err := flyconf.Parse("fly.toml", p.Files[i].Content)
		if err != nil {
			t.Fatalf("%+v: %v", a, err)
		}
		want := f.flyConfig(a, f.Mains[0])
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(flyconf.Config{})); diff != "" {
			t.Fatalf("%+v: (-want +got):\n%s", a, diff)
		}
		if err := got.Validate(); err != nil {
			t.Fatalf("%+v: %v", a, err)
		}
		m := got.Mounts[0]
		switch {
		case got.Env["DATABASE_URL"] != a.DB, got.Env["PORT"] != fmt.Sprint(a.Port), got.HTTPService.InternalPort != a.Port:
			t.Fatalf("%+v: %+v", a, got)
		case a.SizeGB < 500 && m.AutoExtendLimitGB <= m.InitialSizeGB:
			t.Fatalf("%+v: the volume cannot grow: %+v", a, m)
		}
	}
	if accepted < 200 {
		t.Errorf("only %d of the random answers were valid", accepted)
	}
}

// TestDockerignoreKeepsTheSource: what the Dockerfile copies must be visible.
func TestDockerignoreKeepsTheSource(t *testing.T) {
	file, err := dockerignore()
	if err != nil {
		t.Fatal(err)
	}
	p := plan(t, repo(t, shop), defaults(), fakeFlysql(""))
	for _, f := range p.Files {
		if within(f.Path, sourceDir) && ignored(file.Content, f.Path) {
			t.Errorf("%s is ignored", f.Path)
		}
	}
	for _, name := range []string{"app.db", "sub/app.db", "app.db-wal", "x/app.sqlite3-shm", ".git/HEAD", ".env", "a/.env.local", ".flysql/dev/x", ".flysql/snapshots/app.db.2026", "sub/.flysql/app.db.boot.lock"} {
		if !ignored(file.Content, name) {
			t.Errorf("%s is not ignored", name)
		}
	}
}

// ignored is as much of .dockerignore as ours uses: **/ before a pattern means
// any directory, a directory's files go with it, and ! takes a pattern back.
func ignored(dockerignore []byte, name string) bool {
	result := false
	for line := range bytes.Lines(dockerignore) {
		pattern := strings.TrimSpace(string(line))
		if pattern == "" || pattern[0] == '#' {
			continue
		}
		pattern, takenBack := strings.CutPrefix(pattern, "!")
		pattern, anywhere := strings.CutPrefix(strings.TrimPrefix(pattern, "/"), "**/")
		for _, part := range append(parents(name), name) {
			subject := part
			for {
				if ok, _ := path.Match(pattern, subject); ok {
					result = !takenBack
				}
				_, rest, more := strings.Cut(subject, "/")
				if !anywhere || !more {
					break
				}
				subject = rest
			}
		}
	}
	return result
}
