package latency

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Relay stands on the way to a TCP server in another region.
type Relay struct {
	// Delay is how long bytes take to the server and back. It may change.
	Delay func() (there, back time.Duration)
	// Dial connects to the server.
	Dial func(ctx context.Context) (net.Conn, error)
}

// Serve relays what connects to l until ctx ends or l fails, and returns when
// everything that it has started has ended. l is closed then. A connection takes
// one round trip more before its first byte goes anywhere, as TCP's own beginning does;
// when the server takes none, it is closed.
func (r *Relay) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		c, err := l.Accept()
		if err != nil {
			_ = l.Close()
			if ctx.Err() != nil && errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		running.Go(func() { r.relay(ctx, c) })
	}
}

func (r *Relay) relay(ctx context.Context, c net.Conn) {
	defer c.Close()
	there, back := r.Delay()
	if !Wait(ctx, there+back) {
		return
	}
	server, err := r.Dial(ctx)
	if err != nil {
		return // its client sees that nobody is there
	}
	defer context.AfterFunc(ctx, func() { _, _ = c.Close(), server.Close() })()
	join(c, server, func() time.Duration { there, _ := r.Delay(); return there }, func() time.Duration { _, back := r.Delay(); return back }, ctx.Done())
}

// Wait waits, and is false when ctx ended first.
func Wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
