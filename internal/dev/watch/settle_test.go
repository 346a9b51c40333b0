package watch

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeEars hear what is sent.
type fakeEars struct {
	events  chan struct{}
	hearing bool
}

func (e *fakeEars) hear(ctx context.Context, atMost time.Duration) (bool, error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-e.events:
		return true, nil
	case <-time.After(atMost):
		return false, nil
	}
}

func (e *fakeEars) deaf() bool   { return !e.hearing }
func (e *fakeEars) close() error { return nil }

// pieces is a file that is written from the start on, piece by piece.
type pieces struct {
	start time.Time
	every time.Duration
	n     uint64
}

func (p pieces) look() (files, error) {
	return files{"/app/main.go": {sum: min(uint64(time.Since(p.start)/p.every), p.n)}}, nil
}

func (p pieces) tell(events chan struct{}) {
	for range p.n {
		time.Sleep(p.every)
		events <- struct{}{}
	}
}

// A file that is written in pieces is told when it is whole; one that never is, after a
// while, and again.
func TestPieces(t *testing.T) {
	const quiet, poll = 100 * time.Millisecond, time.Second
	for name, test := range map[string]struct {
		hearing bool
		every   time.Duration
		n       uint64
		told    []uint64      // 0 is some of them
		within  time.Duration // of the last piece
	}{
		"at once":                 {true, time.Millisecond, 1, []uint64{1}, 4 * quiet},
		"in a second":             {true, 50 * time.Millisecond, 20, []uint64{20}, 4 * quiet},
		"polled":                  {false, 50 * time.Millisecond, 20, []uint64{20}, poll + 4*quiet},
		"slowly":                  {true, time.Second, 3, []uint64{1, 2, 3}, 4 * quiet},
		"for longer than is good": {true, 53 * time.Millisecond, 150, []uint64{0, 150}, 4 * quiet},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pieces{time.Now(), test.every, test.n}
				e := &fakeEars{make(chan struct{}, 1000), test.hearing}
				now, _ := p.look()
				w := &Watcher{dir: "/app", quiet: quiet, poll: poll, ears: e, look: p.look, told: now}
				go p.tell(e.events)
				var told []uint64
				for len(told) < len(test.told) {
					paths, err := w.Next(t.Context())
					if err != nil || !slices.Equal(paths, []string{"main.go"}) {
						t.Fatalf("Next: %q, %v; want main.go", paths, err)
					}
					n := w.told["/app/main.go"].sum
					if n < test.n && test.told[len(told)] == 0 {
						n = 0
					}
					told = append(told, n)
				}
				if late := time.Since(p.start) - time.Duration(test.n)*test.every; late > test.within {
					t.Errorf("the last change was told %v after it, want at most %v", late, test.within)
				}
				if !slices.Equal(told, test.told) {
					t.Errorf("told with %d pieces written, want %d", told, test.told)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if paths, err := w.Next(ctx); err == nil {
					t.Errorf("after the last change Next tells another: %q", paths)
				}
			})
		})
	}
}

// Notifications that come without an end cost a look each tenth of a second at most.
func TestNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		e := &fakeEars{make(chan struct{}), true}
		w := &Watcher{dir: "/app", quiet: 100 * time.Millisecond, poll: time.Second, ears: e, look: func() (files, error) { looks++; return nil, nil }}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var noise sync.WaitGroup
		defer noise.Wait()
		noise.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(time.Millisecond)
				select {
				case e.events <- struct{}{}:
				case <-ctx.Done():
				}
			}
		})
		if _, err := w.Next(ctx); err != context.DeadlineExceeded {
			t.Errorf("Next with no change: %v, want %v", err, context.DeadlineExceeded)
		}
		if looks > 101 {
			t.Errorf("%d looks in ten seconds, want at most 101", looks)
		}
	})
}

// An app that takes long to look at is looked at less often.
func TestInterval(t *testing.T) {
	for _, test := range []struct {
		hearing    bool
		took, want time.Duration
	}{
		{false, time.Millisecond, time.Second},
		{false, time.Second, 20 * time.Second},
		{true, time.Millisecond, 10 * time.Second},
		{true, time.Second, 200 * time.Second},
	} {
		w := &Watcher{poll: time.Second, took: test.took, ears: &fakeEars{hearing: test.hearing}}
		if got := w.interval(); got != test.want {
			t.Errorf("interval, hearing %v, after a look of %v: %v, want %v", test.hearing, test.took, got, test.want)
		}
	}
}
