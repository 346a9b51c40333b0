// Package poll waits for something to become true by asking again and again.
package poll

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Every is the time between two tries.
const Every = 25 * time.Millisecond

// Until calls try until it returns nil, and gives up when ctx ends: the error
// then says what was waited for, and why the last try failed. An error made by
// Stop ends the wait at once.
func Until(ctx context.Context, what string, try func(context.Context) error) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		var s *stop
		if errors.As(err, &s) {
			return fmt.Errorf("wait for %s: %w", what, s.err)
		}
		// A try that ctx itself cut short tells nothing: keep the one before.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %w", what, context.Cause(ctx), last)
		}
	}
}

type stop struct{ err error }

func (s *stop) Error() string { return s.err.Error() }
func (s *stop) Unwrap() error { return s.err }

// Stop wraps an error that no further try can mend.
func Stop(err error) error { return &stop{err} }
