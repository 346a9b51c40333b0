package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/e2e/apprepo"
	"github.com/flysql/flysql/e2e/fly"
	"github.com/flysql/flysql/e2e/image"
)

// shop makes what the tests share, each thing when it is first asked for.
var shop *workshop

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "flysql-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shop = newWorkshop(dir)
	code := m.Run()
	if err := errors.Join(shop.close(), os.RemoveAll(dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// workshop builds each thing once.
type workshop struct {
	dir    string
	cancel func() // ends what is still being built
	clone  func() (string, error)
	flysql func() (string, error)
	demo   func() (string, error)

	guestbook, plain             func() (repo, error)
	guestbookRegions             func() (repo, error)  // in ams, ord and syd
	guestbookHere                func() (built, error) // mapped
	guestbookInside, plainInside func() (built, error) // chroot

	mu     sync.Mutex
	images []*image.Image
}

// repo is an app's repository after flysql init.
type repo struct {
	dir string
	app fly.App
}

// built is an app's image.
type built struct {
	*image.Image
	app fly.App
}

func newWorkshop(dir string) *workshop {
	// Nothing here takes minutes, unless a network is broken.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	w := &workshop{dir: dir, cancel: cancel}
	w.clone = sync.OnceValues(func() (string, error) { return apprepo.Clone(ctx, ".") })
	w.flysql = sync.OnceValues(func() (string, error) {
		clone, err := w.clone()
		if err != nil {
			return "", err
		}
		bin := filepath.Join(dir, "flysql")
		return bin, apprepo.BuildFlysql(ctx, clone, bin)
	})
	w.demo = sync.OnceValues(func() (string, error) {
		bin := filepath.Join(dir, "demo")
		out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", bin, "./demo").CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build the demo: %w\n%s", err, out)
		}
		return bin, nil
	})
	guestbook := func(to string) error {
		clone, err := w.clone()
		if err != nil {
			return err
		}
		return apprepo.Guestbook(clone, to)
	}
	w.guestbook = sync.OnceValues(func() (repo, error) { return w.initialize(ctx, "guestbook", guestbook) })
	w.guestbookRegions = sync.OnceValues(func() (repo, error) {
		return w.initialize(ctx, "guestbook-regions", guestbook, apprepo.ThreeRegions()...)
	})
	w.plain = sync.OnceValues(func() (repo, error) {
		return w.initialize(ctx, "plain", func(to string) error {
			return os.CopyFS(to, os.DirFS(filepath.Join("testdata", "plain")))
		})
	})
	w.guestbookHere = w.image(ctx, &w.guestbook, image.Mapped)
	w.guestbookInside = w.image(ctx, &w.guestbook, image.Chroot)
	w.plainInside = w.image(ctx, &w.plain, image.Chroot)
	return w
}

// initialize makes a repository and runs flysql init in it.
func (w *workshop) initialize(ctx context.Context, name string, make func(dir string) error, args ...string) (repo, error) {
	flysql, err := w.flysql()
	if err != nil {
		return repo{}, err
	}
	r := repo{dir: filepath.Join(w.dir, name)}
	if err := make(r.dir); err != nil {
		return repo{}, err
	}
	if _, err := apprepo.Init(ctx, flysql, r.dir, args...); err != nil {
		return repo{}, err
	}
	r.app, err = fly.Read(r.dir)
	return r, err
}

// image builds a repository's image when it is asked for.
func (w *workshop) image(ctx context.Context, of *func() (repo, error), way image.Way) func() (built, error) {
	return sync.OnceValues(func() (built, error) {
		r, err := (*of)()
		if err != nil {
			return built{}, err
		}
		img, err := image.Build(ctx, r.dir, image.Options{Way: way})
		if err != nil {
			return built{}, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.images = append(w.images, img)
		return built{img, r.app}, nil
	})
}

func (w *workshop) close() error {
	w.cancel()
	var errs []error
	for _, img := range w.images {
		errs = append(errs, img.Close())
	}
	return errors.Join(errs...)
}

// must is for what the workshop makes.
func must[T any](t *testing.T, make func() (T, error)) T {
	t.Helper()
	v, err := make()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// testContext ends with the test, and before go test would end it.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// output collects what a program prints.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
