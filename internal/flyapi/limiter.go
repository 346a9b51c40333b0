package flyapi

import (
	"context"
	"sync"
	"time"
)

// Fly's limits, by its documentation ("Working with the Machines API", read in 2026): one
// request a second for each action on each app or machine, with bursts of three; five,
// with bursts of ten, for reading one machine.
const (
	rateEach    = 1.0
	burstEach   = 3
	rateMachine = 5.0
	burstGet    = 10
)

// limiter lets requests of one action on one object pass at Fly's pace.
type limiter struct {
	scale   float64 // how much faster than Fly's pace
	mu      sync.Mutex
	buckets map[string]*bucket
}

// bucket holds what may pass at once, and when that was so.
type bucket struct {
	left float64
	at   time.Time
}

func newLimiter(scale float64) *limiter {
	return &limiter{scale: scale, buckets: map[string]*bucket{}}
}

// wait returns when the next request of a kind may be sent.
func (l *limiter) wait(ctx context.Context, call *call) error {
	return pause(ctx, l.reserve(call.name+" "+call.object, call.name == "Machine"))
}

// reserve takes the next place, and tells how long it is until then.
func (l *limiter) reserve(key string, machine bool) time.Duration {
	rate, burst := rateEach, float64(burstEach)
	if machine {
		rate, burst = rateMachine, burstGet
	}
	rate *= l.scale
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	b := l.buckets[key]
	if b == nil {
		b = &bucket{left: burst, at: now}
		l.buckets[key] = b
	}
	b.left = min(burst, b.left+now.Sub(b.at).Seconds()*rate) - 1
	b.at = now
	if b.left >= 0 {
		return 0
	}
	return time.Duration(-b.left / rate * float64(time.Second))
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
