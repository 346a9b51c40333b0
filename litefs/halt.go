package litefs

import (
	"context"
	"fmt"
	"time"
)

const (
	// HaltAcquire is how long LiteFS tries to get the HALT lock.
	HaltAcquire = 10 * time.Second
	// HaltHold is how long LiteFS lets a node keep it, from the moment on at which
	// WithHalt asks for it.
	HaltHold = 30 * time.Second
	// haltMargin is how long before that the work is told to end.
	haltMargin = time.Second
)

// WithHalt runs fn while this node, a replica, may write the database at path: it
// holds LiteFS's HALT lock, for which the primary's own writers wait (five seconds,
// and then fail, where they use the usual busy timeout). On the primary fn runs as
// it is. It is for a migration; a web app's writes belong on the primary.
//
// LiteFS tries to get the lock for [HaltAcquire]. fn's context ends a second before
// [HaltHold] is over, and fn must have committed by then. fn is called once or not
// at all. Where the lock was gone before fn returned, the error is [ErrHaltLost],
// and a part of what fn wrote may be lost; otherwise it is fn's. fn should close
// its database before it returns.
//
// The lock is bound to an open file, and LiteFS lets go of it whenever any
// descriptor of that file is closed, also by a child process. So while fn runs, no
// goroutine of this process can start a process: os/exec, syscall.ForkExec and
// os.StartProcess wait until the lock is given back, in fn as well, where they then
// wait for the limit. Nothing else stands in the way of C code that forks. fn must
// not close descriptors that it did not open.
//
// [ErrNotLiteFS] says that path is not in a LiteFS mount, and [ErrNoDatabase] that
// there is no such database, which only the primary can begin.
func WithHalt(ctx context.Context, path string, fn func(ctx context.Context) error) error {
	if err := withHalt(ctx, path, HaltAcquire, HaltHold, fn); err != nil {
		return fmt.Errorf("litefs: halt for %s: %w", path, err)
	}
	return nil
}
