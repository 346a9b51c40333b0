package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// small is an app.
var small = map[string]string{
	"go.mod":              "module example.com/app\n",
	"main.go":             "package main\n",
	"main_test.go":        "package main\n",
	"fly.toml":            "app = 'a'\n",
	"store/store.go":      "package store\n",
	"db/migrations/1.sql": "create table a (b);\n",
}

// Editors save in many ways. All of them change one file.
func TestEditors(t *testing.T) {
	for name, save := range map[string]func(*app){
		"in place": func(a *app) { a.write("main.go", "package main // changed\n") },
		"another file renamed over it": func(a *app) {
			a.write("main.go.new123", "package main // changed\n")
			a.rename("main.go.new123", "main.go")
		},
		"vim": func(a *app) {
			a.write(".main.go.swp", "b0VIM")
			a.write("4913", "")
			a.remove("4913")
			a.rename("main.go", "main.go~")
			a.write("main.go", "package main // changed\n")
			a.remove("main.go~")
			a.remove(".main.go.swp")
		},
		"emacs": func(a *app) {
			if err := os.Symlink("me@host.1234:1", a.path(".#main.go")); err != nil {
				t.Fatal(err)
			}
			a.write("#main.go#", "package main // cha")
			a.rename("main.go", "main.go~")
			a.write("main.go", "package main // changed\n")
			a.remove("#main.go#")
			a.remove(".#main.go")
		},
		"GoLand": func(a *app) {
			a.write("main.go___jb_tmp___", "package main // changed\n")
			a.rename("main.go", "main.go___jb_old___")
			a.rename("main.go___jb_tmp___", "main.go")
			a.remove("main.go___jb_old___")
		},
		"removed, and written again": func(a *app) {
			a.remove("main.go")
			a.write("main.go", "package main // changed\n")
		},
		"of the same size and time": func(a *app) {
			info, err := os.Stat(a.path("main.go"))
			if err != nil {
				t.Fatal(err)
			}
			a.write("main.go", "package nine\n")
			if err := os.Chtimes(a.path("main.go"), time.Time{}, info.ModTime()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, small, Options{})
			a.want(a.next(func() { save(a) }), "main.go")
			a.want(a.next(func() { a.write("go.sum", "") }), "go.sum") // and nothing of it is left to tell
		})
	}
}

// What does not change what a file holds, or a file that does not count, is not told. That
// is seen by what is told of the change after it.
func TestNoChange(t *testing.T) {
	for name, do := range map[string]func(*app){
		"saved as it was": func(a *app) { a.write("main.go", small["main.go"]) },
		"its mode": func(a *app) {
			if err := os.Chmod(a.path("main.go"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"there and back": func(a *app) {
			a.rename("store", "shop")
			a.rename("shop", "store")
		},
		"a test":                 func(a *app) { a.write("main_test.go", "package changed\n") },
		"test data":              func(a *app) { a.write("testdata/a.go", "package a\n") },
		"a text":                 func(a *app) { a.write("README.md", "changed") },
		"a log of the app":       func(a *app) { a.write("app.log", "changed") },
		"its database":           func(a *app) { a.write("app.db", "changed") },
		"git's files":            func(a *app) { a.write(".git/hooks/a.go", "package a\n") },
		"flysql's":               func(a *app) { a.write(".flysql/dev/a.go", "package a\n") },
		"another's hidden":       func(a *app) { a.write(".idea/a.go", "package a\n") },
		"node_modules":           func(a *app) { a.write("web/node_modules/a/a.go", "package a\n") },
		"fly.toml of another":    func(a *app) { a.write("store/fly.toml", "app = 'b'\n") },
		"a file that came, went": func(a *app) { a.write("a.go", "package main\n"); a.remove("a.go") },
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, small, Options{})
			a.want(a.next(func() { do(a); a.write("go.mod", "module example.com/other\n") }), "go.mod")
		})
	}
}

// Everything that counts.
func TestCounts(t *testing.T) {
	for _, name := range []string{
		"main.go", "new.go", "store/store.go", "a/new/package/new.go", "go.mod", "go.sum", "go.work", "vendor/modules.txt",
		"vendor/example.com/b/b.go", "asm_amd64.s", "c.h", "fly.toml", "litefs.yml", "Dockerfile", "db/migrations/1.sql",
		"db/migrations/2.sql", "queries.sql", "templates/index.html", "views/a.tmpl",
	} {
		t.Run(strings.ReplaceAll(name, "/", "_"), func(t *testing.T) {
			a := newApp(t, small, Options{})
			a.want(a.next(func() { a.write(name, "package changed\n") }), name)
			a.want(a.next(func() { a.remove(name) }), name)
		})
	}
}

// What changes while nobody waits, as while the app is built, is told at once, in one, and
// once.
func TestWhileNobodyWaits(t *testing.T) {
	a := newApp(t, small, Options{})
	a.want(a.next(func() { a.write("main.go", "package one\n") }), "main.go")
	a.write("main.go", "package two\n")
	a.write("store/store.go", "package two\n")
	a.write("main.go", "package three\n")
	a.want(a.now(), "main.go store/store.go")
	a.want(a.next(func() { a.write("go.mod", "module other\n") }), "go.mod")
}

// A checkout of another branch is one change, however many files it is of.
func TestCheckout(t *testing.T) {
	const n = 500
	a := newApp(t, small, Options{})
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"}, args...)...)
		cmd.Dir = a.dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "one")
	git("checkout", "-q", "-b", "other")
	want := []string{"db/migrations/1.sql"}
	for i := range n {
		name := fmt.Sprintf("p%d/p.go", i)
		a.write(name, "package p\n")
		want = append(want, name)
	}
	a.remove("db/migrations/1.sql")
	slices.Sort(want)
	git("add", "-A")
	git("commit", "-q", "-m", "two")
	git("checkout", "-q", "main")
	a.watch(Options{})

	if got := a.next(func() { git("checkout", "-q", "other") }); !slices.Equal(got, want) {
		t.Errorf("a checkout changed %d files, %.300q; want %d", len(got), got, len(want))
	}
	if got := a.next(func() { git("checkout", "-q", "main") }); !slices.Equal(got, want) {
		t.Errorf("the way back changed %d files, %.300q; want %d", len(got), got, len(want))
	}
}

// Directories come, go and move, and what is in them is watched where it is now.
func TestDirectories(t *testing.T) {
	a := newApp(t, small, Options{})
	a.want(a.next(func() { a.write("x/y/z/z.go", "package z\n") }), "x/y/z/z.go")
	a.want(a.next(func() { a.write("x/y/z/z.go", "package changed\n") }), "x/y/z/z.go")
	a.want(a.next(func() { a.rename("x/y", "x/moved") }), "x/moved/z/z.go x/y/z/z.go")
	a.want(a.next(func() { a.write("x/moved/z/z.go", "package again\n") }), "x/moved/z/z.go")
	a.want(a.next(func() { a.remove("x") }), "x/moved/z/z.go")
	a.want(a.next(func() { a.write("x/moved/z/z.go", "package back\n") }), "x/moved/z/z.go")
	a.want(a.next(func() { a.write("x/moved/z/z.go", "package more\n") }), "x/moved/z/z.go")
}

// More happens than the system notes down.
func TestOverflow(t *testing.T) {
	a := newApp(t, small, Options{})
	for i := range 20_000 {
		a.rename("main.go", "other.go")
		a.rename("other.go", "main.go")
		if i == 10_000 {
			a.write("main.go", "package changed\n")
		}
	}
	a.want(a.now(), "main.go")
	a.want(a.next(func() { a.write("go.sum", "") }), "go.sum")
}

func TestSince(t *testing.T) {
	a := newApp(t, small, Options{})
	old := time.Now().Add(-time.Hour)
	for name := range small {
		if err := os.Chtimes(a.path(name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	a.write("main.go", "package changed\n")
	a.watch(Options{Since: old.Add(time.Minute)})
	a.want(a.now(), "main.go")
	a.want(a.next(func() { a.write("go.sum", "") }), "go.sum")
}

func TestNamed(t *testing.T) {
	outside := t.TempDir()
	a := newApp(t, small, Options{Files: []string{"deploy/fly.staging.toml", outside + "/litefs.yml"}, Dirs: []string{"db/seeds"}})
	a.write("deploy/other.toml", "")
	a.want(a.next(func() { a.write("deploy/fly.staging.toml", "app = 'b'\n") }), "deploy/fly.staging.toml")
	a.want(a.next(func() { a.write("db/seeds/0001_people.up", "x") }), "db/seeds/0001_people.up")
	a.want(a.next(func() {
		a.write("db/seeds/.hidden", "x")
		a.write("db/seeds/a/b.csv", "x")
	}), "db/seeds/a/b.csv")
	got := a.next(func() {
		if err := os.WriteFile(outside+"/litefs.yml", []byte("fuse:\n"), 0o666); err != nil {
			t.Error(err)
		}
	})
	a.want(got, outside+"/litefs.yml")
}

// A wait that ends loses nothing.
func TestContext(t *testing.T) {
	a := newApp(t, small, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	a.w.ears = &waiting{a.w.ears, cancel}
	if got, err := a.w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Next with a context that has ended: %q, %v; want %v", got, err, context.Canceled)
	}
	a.write("main.go", "package changed\n")
	if got, err := a.w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Next with a context that has ended: %q, %v; want %v", got, err, context.Canceled)
	}
	a.want(a.now(), "main.go")
}

func TestNoDirectory(t *testing.T) {
	a := newApp(t, small, Options{})
	a.remove(".")
	if got, err := a.w.Next(t.Context()); err == nil || !strings.Contains(err.Error(), a.dir) {
		t.Errorf("Next in a directory that is gone: %q, %v; want an error that names it", got, err)
	}
	if _, err := New(Options{Dir: a.dir}); err == nil || !strings.Contains(err.Error(), a.dir) {
		t.Errorf("New in a directory that is gone: %v, want an error that names it", err)
	}
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Dir: file}); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("New in a file: %v, want that it is not a directory", err)
	}
}
