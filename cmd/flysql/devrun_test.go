package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/emulator/cluster"
)

// Nothing is left running is said only where that is so.
func TestDevStartFailed(t *testing.T) {
	t.Parallel()
	ended := &signalError{syscall.SIGINT}
	busy := errors.New("unmount /x: busy")
	last := &lastState{}
	last.tell(dev.Event{State: &dev.State{Machines: []dev.Machine{{ID: "ord1", Log: "/d/machines/ord1/log"}}}})
	last.tell(dev.Event{Log: &dev.Log{}})
	for _, c := range []struct {
		name  string
		cause error
		err   error
		want  string
	}{
		{"a signal", ended, errors.Join(fmt.Errorf("build: %w", ended)), "ended by interrupt; nothing is left running"},
		{"a signal, and a mount stays", ended, errors.Join(ended, busy), "ended by interrupt\nunmount /x: busy"},
		{"a signal beside a failure", ended, errors.New("signal: killed"), "ended by interrupt\nsignal: killed"},
		{"a machine", nil, &cluster.MachineError{ID: "ord1", Err: busy}, "machine ord1: unmount /x: busy\nthe machines' logs are /d/machines/*/log"},
		{"a port", nil, busy, "unmount /x: busy"},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if c.cause != nil {
			cancel(c.cause)
		}
		got := devStartFailed(&stops{run: ctx}, last, c.err)
		if got.Error() != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		var signal *signalError
		if errors.As(got, &signal) != (c.cause != nil) {
			t.Errorf("%s: the exit code is lost", c.name)
		}
		cancel(nil)
	}
}
