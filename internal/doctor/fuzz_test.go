package doctor

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/flysql/flysql/internal/scaffold"
)

// FuzzCheck checks and mends files that hold anything: it ends, what was mended
// stays so, and no mending breaks something else.
func FuzzCheck(f *testing.F) {
	add := func(archive *txtar.Archive) {
		var fly, docker, litefs, litestream, ignore, script, mod string
		kind := byte(0)
		for _, file := range archive.Files {
			text := string(file.Data)
			switch name := file.Name; {
			case name == "fly.toml":
				fly = text
			case name == "fly.json":
				fly, kind = text, 1
			case name == "fly.yaml":
				fly, kind = text, 2
			case name == "Dockerfile":
				docker = text
			case path.Base(name) == "litefs.yml":
				litefs = text
			case path.Base(name) == "litestream.yml":
				litestream = text
			case name == ".dockerignore":
				ignore = text
			case name == "go.mod":
				mod = text
			case strings.HasSuffix(name, ".sh"):
				script = text
			}
		}
		f.Add(kind, fly, docker, litefs, litestream, ignore, script, mod)
	}
	for _, file := range ruleFiles(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		add(txtar.Parse(data))
	}
	for _, s := range readSections(f) {
		for _, archive := range append(slices.Clone(s.bad), s.good...) {
			add(txtar.Parse([]byte(archive)))
		}
	}
	dir := f.TempDir()
	facts := &scaffold.Facts{Migrations: []string{"start.sh", "missing.sql"}, Mains: []scaffold.Main{
		{Dir: ".", Binary: "shop", Driver: "modernc.org/sqlite", Database: scaffold.Database{Var: "DB_PATH"}, Port: 8080, PortReason: "the app reads PORT", ToHTTPS: "main.go:3"},
		{Dir: "cmd/worker", Binary: "worker", Driver: "github.com/mattn/go-sqlite3", Database: scaffold.Database{Literal: "data/app.db", LiteralPlace: "cmd/worker/main.go:9", Flag: "db"}, Port: 3000, PortPlace: "cmd/worker/main.go:12", Loopback: true},
	}}
	f.Fuzz(func(t *testing.T, kind byte, fly, docker, litefs, litestream, ignore, script, mod string) {
		files := map[string]string{
			flyNames[int(kind)%3]: fly, "Dockerfile": docker, "litefs.yml": litefs, "litestream.yml": litestream,
			".dockerignore": ignore, "start.sh": script, "go.mod": mod,
		}
		read := func(name string) ([]byte, error) {
			if text := files[name]; text != "" {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		r := examine(dir, load(read, facts), read)
		fixable := 0
		for _, finding := range r.Findings {
			if finding.Fixable() {
				fixable++
			}
			if finding.Message == "" || finding.Rule.ID == "" {
				t.Errorf("a finding says nothing: %+v", finding)
			}
		}
		if fixable == 0 || fixable > 100 {
			return
		}
		fixes, _ := r.mend()
		if _, again := fixes.After.mend(); len(again) > 0 {
			t.Errorf("a second Fix changes %q again\nfirst\n%s\nthen\n%s", slices.Sorted(maps.Keys(again)), findingsOf(r), findingsOf(fixes.After))
		}
		if added := addedErrors(r, fixes.After); len(added) > 0 && !uncovers(r) {
			t.Errorf("mending added errors of %s\nbefore\n%s\nafter\n%s", added, findingsOf(r), findingsOf(fixes.After))
		}
	})
}

// uncovers tells whether something is mended that hides what is in or behind it: a
// value that could not be read.
func uncovers(r *Report) bool {
	return slices.ContainsFunc(r.Findings, func(f *Finding) bool {
		return f.Fixable() && slices.Contains([]string{"FLY002", "FLY212", "FLY502", "FLY501"}, f.Rule.ID)
	})
}
