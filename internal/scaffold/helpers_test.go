package scaffold

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// repo makes a repository from a txtar archive.
func repo(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	if err := txtar.Write(txtar.Parse([]byte(archive)), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func detect(t *testing.T, dir string) *Facts {
	t.Helper()
	f, err := Detect(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fakeFlysql has a source of a few lines.
func fakeFlysql(version string) Flysql {
	return Flysql{Version: version, Source: fstest.MapFS{
		"go.mod":                           {Data: []byte("module github.com/flysql/flysql\n\ngo 1.25.0\n")},
		"go.sum":                           {Data: []byte("sums\n")},
		"appdb/appdb.go":                   {Data: []byte("package appdb\n")},
		"appdb/appdb_test.go":              {Data: []byte("package appdb\n")},
		"appdb/testdata/x.go":              {Data: []byte("package x\n")},
		"cmd/flysql-entrypoint/main.go":    {Data: []byte("package main\n")},
		"internal/migrate/testdata/a/b.go": {Data: []byte("package b\n")},
	}}
}

// plan goes all the way from a repository to a plan.
func plan(t *testing.T, dir string, a Answers, fl Flysql) *Plan {
	t.Helper()
	f := detect(t, dir)
	complete, err := f.Complete(a)
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Plan(complete, fl)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// defaults are the answers that init has without flags.
func defaults() Answers { return Answers{Region: DefaultRegion, SizeGB: DefaultSizeGB} }

func compareWith(t *testing.T, p *Plan) *Changes {
	t.Helper()
	c, err := p.Compare(true)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tree reads all files of a directory, with their modes; a link is its target.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		switch {
		case d.IsDir():
			files[key+"/"] = ""
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			files[key] = "-> " + target
			return err
		case d.Type().IsRegular():
			data, err := os.ReadFile(name)
			files[key] = fmt.Sprintf("%v %s", info.Mode().Perm(), data)
			return err
		default:
			files[key] = info.Mode().String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// debris lists temporary files.
func debris(files map[string]string) []string {
	var list []string
	for name := range files {
		if strings.Contains(name, tempPrefix) {
			list = append(list, name)
		}
	}
	return list
}

const shop = `
-- go.mod --
module example.com/acme/shop

go 1.25.3
-- go.sum --
-- main.go --
package main

import (
	"net/http"
	"os"

	_ "modernc.org/sqlite"
)

func main() {
	os.Getenv("DATABASE_URL")
	http.HandleFunc("GET /healthz", nil)
	http.ListenAndServe(":"+os.Getenv("PORT"), nil)
}
-- migrations/0001_a.sql --
-- +goose Up
CREATE TABLE a (b);
`

// routing is the shop with package replay.
var routing = strings.Replace(shop, `	_ "modernc.org/sqlite"`, `	_ "github.com/flysql/flysql/replay"
	_ "modernc.org/sqlite"`, 1)
