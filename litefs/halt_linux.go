package litefs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	litefsgo "github.com/superfly/litefs-go"
)

// fuseMagic is the type of a FUSE file system in statfs(2).
const fuseMagic = 0x65735546

// withHalt is WithHalt with limits of its own for LiteFS to get the lock, and to keep it.
func withHalt(ctx context.Context, path string, acquire, hold time.Duration, fn func(context.Context) error) (err error) {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	// Nothing may be forked from here on: see WithHalt.
	unlock := blockForks()
	defer unlock()

	start := time.Now()
	f, err := acquireHalt(ctx, path, acquire)
	if err != nil {
		return err
	}
	defer func() {
		// Closing gives the lock back too, if Unhalt has not.
		err = errors.Join(err, f.Close())
	}()
	halted, err := haltHeld(f)
	if err != nil {
		return err
	}
	if !halted { // the primary: there is no lock, nor need of one
		unlock()
		return fn(ctx)
	}
	end := start.Add(hold - haltMargin)
	ctx, cancel := context.WithDeadlineCause(ctx, end, fmt.Errorf("%w: it is held for %v at most", ErrHaltLost, hold))
	defer cancel()
	// The whole process need not wait for a function that goes on for ever.
	defer time.AfterFunc(time.Until(end), unlock).Stop()

	err = fn(ctx)
	if held, lost := haltHeld(f); lost != nil || !held || time.Since(start) >= hold {
		return errors.Join(ErrHaltLost, lost, err)
	}
	if lost := litefsgo.Unhalt(f); lost != nil {
		return errors.Join(err, fmt.Errorf("give back the HALT lock, for which the primary's writers wait until %v are over: %w", hold, lost))
	}
	return err
}

// blockForks keeps this process from starting others until unlock is called, which
// may be done more than once.
func blockForks() (unlock func()) {
	syscall.ForkLock.RLock()
	return sync.OnceFunc(syscall.ForkLock.RUnlock)
}

// acquireHalt opens the database's lock file and takes the lock, or leaves that to
// a goroutine which gives it back, when ctx ends: nothing interrupts the wait, but
// LiteFS's own limit ends it.
func acquireHalt(ctx context.Context, path string, limit time.Duration) (*os.File, error) {
	limit += mountLimit
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("LiteFS does not answer within %v", limit))
	defer cancel()
	type result struct {
		f   *os.File
		err error
	}
	done := make(chan result)
	go func() {
		f, err := takeHalt(path)
		select {
		case done <- result{f, err}:
		case <-ctx.Done():
			if err == nil {
				f.Close() // nobody is left to be told
			}
		}
	}()
	select {
	case r := <-done:
		return r.f, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func takeHalt(path string) (*os.File, error) {
	dir := filepath.Dir(path)
	if err := checkMount(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+"-lock", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the primary must have begun it, and this node have received it", ErrNoDatabase)
	}
	if err != nil {
		return nil, err
	}
	if err := litefsgo.Halt(f); err != nil {
		return nil, errors.Join(fmt.Errorf("get the HALT lock, within %v and from a primary that is known: %w", HaltAcquire, err), f.Close())
	}
	return f, nil
}

// checkMount tells whether dir is a LiteFS mount. Elsewhere a file called -lock
// could be locked, and that would mean nothing.
func checkMount(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotLiteFS, dir, err)
	}
	if st.Type != fuseMagic {
		return fmt.Errorf("%w: %s is on another file system", ErrNotLiteFS, dir)
	}
	if _, err := os.Stat(filepath.Join(dir, ".lag")); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotLiteFS, dir, err)
	}
	return nil
}

// haltHeld asks LiteFS whether this node has the HALT lock.
func haltHeld(f *os.File) (bool, error) {
	l := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: litefsgo.HaltByte, Len: 1}
	for {
		err := syscall.FcntlFlock(f.Fd(), litefsgo.F_OFD_GETLK, &l)
		if err == nil {
			return l.Type != syscall.F_UNLCK, nil
		}
		if err != syscall.EINTR {
			return false, fmt.Errorf("ask for the HALT lock: %w", err)
		}
	}
}
