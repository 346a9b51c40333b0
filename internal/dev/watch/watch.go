package watch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options are what is watched.
type Options struct {
	Dir   string   // the app's; "" is here
	Files []string // that count whatever their names are, relative to Dir; they may lie outside it, and need not be there yet
	Dirs  []string // of which all files count, such as migrations; relative to Dir
	// Since is when the last build began: files that were written since are told by the
	// first Next. The zero time tells only what changes from now on.
	Since time.Time
	// Quiet is how long nothing must have changed before a change is told, so that one
	// that takes a while is told as one. 0 is 100 ms. It is told after 5 s in any case.
	Quiet time.Duration
	// Poll is how often is looked where the system does not notify; a tenth as often is
	// looked where it does, since some file systems notify of a part only. 0 is a second.
	// It is made longer for an app whose files take long to look at.
	Poll time.Duration
	// Say is told what somebody should know, a line each: that notifications have failed.
	// nil is nobody.
	Say func(line string)
}

// patience bounds how long a change may go on before it is told.
const patience = 5 * time.Second

// Watcher knows how an app's files were when Next last returned. It is for one goroutine.
type Watcher struct {
	dir   string
	quiet time.Duration
	poll  time.Duration
	ears  ears
	look  func() (files, error)
	took  time.Duration // the last look
	told  files
}

// New looks at the files of an app, to tell from then on which have changed.
func New(o Options) (*Watcher, error) {
	dir, err := filepath.Abs(o.Dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", o.Dir, err)
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	l := newLooker(dir, under(dir, o.Files), under(dir, o.Dirs))
	n := newNotified(l, o.Say)
	l.visit = n.watch
	w := &Watcher{dir: dir, quiet: o.Quiet, poll: o.Poll, ears: n, look: l.look}
	if w.quiet <= 0 {
		w.quiet = 100 * time.Millisecond
	}
	if w.poll <= 0 {
		w.poll = time.Second
	}
	if w.told, err = w.timedLook(); err != nil {
		return nil, errors.Join(err, n.close())
	}
	if !o.Since.IsZero() {
		w.told = w.told.forgetting(o.Since)
	}
	return w, nil
}

func under(dir string, names []string) []string {
	var out []string
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if to, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
			name = filepath.Join(to, filepath.Base(name))
		}
		out = append(out, filepath.Clean(name))
	}
	return out
}

// Next waits for files to change, and returns their paths when they have settled: sorted,
// with slashes, relative to the app's directory where they are in it. What is gone is
// among them. It fails when ctx ends, and when the directory cannot be looked at any more;
// it may be called again, and has lost nothing.
func (w *Watcher) Next(ctx context.Context) ([]string, error) {
	for {
		now, err := w.timedLook()
		if err != nil {
			return nil, err
		}
		if len(w.told.changes(now)) > 0 {
			if now, err = w.settled(ctx, now); err != nil {
				return nil, err
			}
			changed := w.told.changes(now)
			w.told = now
			if len(changed) > 0 { // it may have been taken back
				return w.relative(changed), nil
			}
		}
		heard, err := w.ears.hear(ctx, w.interval())
		if err == nil && heard {
			err = w.calm(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
}

// settled looks until it finds the same twice, with quiet between.
func (w *Watcher) settled(ctx context.Context, now files) (files, error) {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		heard, err := w.ears.hear(ctx, w.quiet)
		if err != nil {
			return nil, err
		}
		if heard {
			continue
		}
		again, err := w.timedLook()
		if err != nil {
			return nil, err
		}
		if len(now.changes(again)) == 0 {
			return again, nil
		}
		now = again
	}
	return w.timedLook()
}

// calm hears whatever comes at once, lest each of many notifications is looked after.
func (w *Watcher) calm(ctx context.Context) error {
	for end := time.Now().Add(w.quiet); ; {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		if _, err := w.ears.hear(ctx, left); err != nil {
			return err
		}
	}
}

// interval is how long nothing heard means that nothing has changed. Looking is never more
// than a twentieth of the time.
func (w *Watcher) interval() time.Duration {
	interval := max(w.poll, 20*w.took)
	if w.ears.deaf() {
		return interval
	}
	return 10 * interval
}

func (w *Watcher) timedLook() (files, error) {
	began := time.Now()
	found, err := w.look()
	w.took = time.Since(began)
	return found, err
}

func (w *Watcher) relative(paths []string) []string {
	for i, path := range paths {
		if rel, err := filepath.Rel(w.dir, path); err == nil && filepath.IsLocal(rel) {
			path = rel
		}
		paths[i] = filepath.ToSlash(path)
	}
	slices.Sort(paths)
	return paths
}

// Close ends the notifications. Next is not to be called any more.
func (w *Watcher) Close() error { return w.ears.close() }

// inside tells whether path is dir, or in it.
func inside(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}
