package poll_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flysql/flysql/e2e/poll"
)

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := poll.Until(t.Context(), "three", func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		if err != nil || tries != 3 {
			t.Errorf("%d tries, error %v, want 3 and none", tries, err)
		}
	})
}

func TestUntilGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		reason := errors.New("the reason")
		err := poll.Until(ctx, "never", func(ctx context.Context) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return reason
		})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, reason) {
			t.Errorf("error %v, want the deadline and the last reason", err)
		}
		if want := "wait for never: context deadline exceeded: the reason"; err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
	})
}

func TestStop(t *testing.T) {
	gone := errors.New("gone")
	tries := 0
	err := poll.Until(t.Context(), "it", func(context.Context) error {
		tries++
		return poll.Stop(gone)
	})
	if tries != 1 || !errors.Is(err, gone) || err.Error() != "wait for it: gone" {
		t.Errorf("%d tries, error %v, want one and that it is gone", tries, err)
	}
}
