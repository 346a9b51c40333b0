package flydev

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/dev"
)

// running is an app that runs, whoever's test it is for.
type running struct {
	options Options
	session *dev.Session
	record  *record

	mu   sync.Mutex
	urls map[string]string
}

// noLiteFS is that LiteFS cannot run here.
type noLiteFS struct{ why string }

func (e *noLiteFS) Error() string {
	return e.why + "\nOptions.Single runs one machine without LiteFS, and Options.SkipWithoutLiteFS skips the test"
}

// maxAtOnce bounds the clusters of an app's tests that run at the same time.
const maxAtOnce = 64

// start starts an app in the first directory that nobody uses.
func start(ctx context.Context, o Options) (*running, error) {
	dir, err := o.appDir()
	if err != nil {
		return nil, err
	}
	if err := cleanUp(dir); err != nil {
		return nil, err
	}
	for n := 1; n <= maxAtOnce; n++ {
		r, err := startIn(ctx, o, o.session(dir, n))
		if !errors.Is(err, dev.ErrInUse) {
			return r, err
		}
	}
	return nil, fmt.Errorf("%d clusters of %s run already", maxAtOnce, dir)
}

// cleanUp ends what tests that were killed, as for their time limit, have left of clusters.
func cleanUp(dir string) error {
	all, err := filepath.Glob(filepath.Join(testDir(dir), "*"))
	for _, d := range all {
		if e := dev.CleanUp(d); !errors.Is(e, dev.ErrInUse) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func startIn(ctx context.Context, o Options, so dev.Options) (*running, error) {
	r := &running{options: o, record: newRecord(), urls: map[string]string{}}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s, err := dev.Start(ctx, so, r.record.add, func(e dev.Event) {
		if e.State != nil && e.State.Why != "" && !o.Single {
			cancel(insteadOf(so, e.State.Why)) // nobody wants to wait for something else
		}
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	r.session = s
	for _, m := range s.State().Machines {
		if m.Error != "" {
			err = errors.Join(err, fmt.Errorf("machine %s: %s", m.ID, m.Error))
		}
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// insteadOf is why something else would run than was asked for.
func insteadOf(o dev.Options, why string) error {
	if missing, err := dev.MissingLiteFS(o); err == nil && missing == why {
		return &noLiteFS{why}
	}
	return errors.New(why)
}

// closeWait is how long machines may take to stop, before they are killed.
const closeWait = time.Minute

func (r *running) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	return r.session.Close(ctx)
}

// url is the address of a region's edge.
func (r *running) url(region string) (string, error) {
	if region == "" {
		return r.session.URL(""), nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.urls[region] == "" {
		url, err := r.session.Listen(region)
		if err != nil {
			return "", err
		}
		r.urls[region] = url
	}
	return r.urls[region], nil
}

// mend takes back what a test has done, for the next one.
func (r *running) mend(ctx context.Context) error {
	var errs []error
	s := r.session.State()
	for _, region := range s.Regions {
		if region.Cut {
			errs = append(errs, r.session.Cut(region.Code, false))
		}
		if region.SlowMS > 0 {
			errs = append(errs, r.session.Slow(region.Code, 0))
		}
	}
	for _, m := range s.Machines {
		if m.State != "started" {
			errs = append(errs, r.session.StartMachine(ctx, m.ID))
		}
	}
	for every := time.NewTicker(pollEvery); ; {
		if r.settled() {
			every.Stop()
			return errors.Join(errs...)
		}
		select {
		case <-ctx.Done():
			every.Stop()
			return errors.Join(append(errs, errors.New("the machines do not come to be as they were before"))...)
		case <-every.C:
		}
	}
}

// settled tells whether all machines that run are healthy, and have what the primary has.
func (r *running) settled() bool {
	s := r.session.State()
	var first map[string]string
	for _, m := range s.Machines {
		if m.ID == s.Primary {
			first = positions(m)
		}
	}
	for _, m := range s.Machines {
		role := "replica"
		if m.ID == s.Primary {
			role = "primary"
		}
		switch {
		case m.State == "stopped":
		case m.State != "started", !m.Healthy:
			return false
		case s.Engine == dev.EngineLiteFS && (first == nil || m.Role != role || !maps.Equal(first, positions(m))):
			return false
		}
	}
	return true
}

// must ends a test for an error.
func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("flydev: %s: %s", what, strings.TrimSpace(err.Error()))
	}
}

// startFailed ends a test that has no cluster.
func startFailed(t testing.TB, o Options, err error) {
	t.Helper()
	var missing *noLiteFS
	if o.SkipWithoutLiteFS && errors.As(err, &missing) {
		t.Skipf("flydev: LiteFS cannot run here: %s", missing.why)
	}
	must(t, "start", err)
}
