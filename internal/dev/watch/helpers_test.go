package watch

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// app is a directory that is watched.
type app struct {
	t    testing.TB
	dir  string
	w    *Watcher
	said []string
}

// newApp writes files, and watches them. It looks at them for want of a notification only
// after a day.
func newApp(t *testing.T, files map[string]string, o Options) *app {
	t.Helper()
	a := &app{t: t, dir: t.TempDir()}
	for name, text := range files {
		a.write(name, text)
	}
	a.watch(o)
	return a
}

func (a *app) watch(o Options) {
	a.t.Helper()
	if o.Dir == "" {
		o.Dir = a.dir
	}
	if o.Poll == 0 {
		o.Poll = 24 * time.Hour
	}
	o.Quiet = 20 * time.Millisecond
	o.Say = func(line string) { a.said = append(a.said, line) }
	w, err := New(o)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		if err := w.Close(); err != nil {
			a.t.Error(err)
		}
	})
	a.w = w
}

func (a *app) path(name string) string { return filepath.Join(a.dir, filepath.FromSlash(name)) }

func (a *app) write(name, text string) {
	a.t.Helper()
	if err := os.MkdirAll(filepath.Dir(a.path(name)), 0o777); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(a.path(name), []byte(text), 0o666); err != nil {
		a.t.Fatal(err)
	}
}

func (a *app) rename(from, to string) {
	a.t.Helper()
	if err := os.Rename(a.path(from), a.path(to)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *app) remove(name string) {
	a.t.Helper()
	if err := os.RemoveAll(a.path(name)); err != nil {
		a.t.Fatal(err)
	}
}

// waiting calls idle when a watcher has looked, and waits for a notification.
type waiting struct {
	ears
	idle func()
}

func (w *waiting) hear(ctx context.Context, atMost time.Duration) (bool, error) {
	if w.idle != nil {
		w.idle()
		w.idle = nil
	}
	return w.ears.hear(ctx, atMost)
}

// next is what Next returns when change happens while it waits.
func (a *app) next(change func()) []string {
	a.t.Helper()
	plain := a.w.ears
	a.w.ears = &waiting{plain, change}
	defer func() { a.w.ears = plain }()
	return a.now()
}

// now is what Next returns.
func (a *app) now() []string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	got, err := a.w.Next(ctx)
	if err != nil {
		a.t.Fatalf("Next: %v", err)
	}
	return got
}

// want compares. Words are paths.
func (a *app) want(got []string, words string) {
	a.t.Helper()
	if want := strings.Fields(words); !slices.Equal(got, want) {
		a.t.Errorf("changed: %q, want %q", got, want)
	}
}
