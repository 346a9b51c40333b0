// Package latency gives a connection on this machine the time that bytes take between
// two of Fly's regions.
//
//	relay := latency.Relay{
//		Delay: func() (there, back time.Duration) { return latency.Real("ams", "syd"), latency.Real("syd", "ams") },
//		Dial:  func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", node) },
//	}
//	err := relay.Serve(ctx, listener)
//
// A [Matrix] says how long that is; [Join] and [Relay] apply it. What goes through is
// late and in order, and nothing is lost: there is no jitter, and no limit to how much
// a line carries but the room for what is on its way.
package latency

import (
	"fmt"
	"sync"
	"time"

	"github.com/flysql/flysql/internal/globe"
)

// Matrix is how long a byte takes from one region to another, one way. Within a
// region from and to are the same. It is called by several goroutines at once. nil is a
// network where everything is in one place.
type Matrix func(from, to string) time.Duration

// Between is the matrix's answer; nil answers 0.
func (m Matrix) Between(from, to string) time.Duration {
	if m == nil {
		return 0
	}
	return m(from, to)
}

const (
	// local is what any way takes, however short: half a round trip within a region.
	local = 500 * time.Microsecond
	// detour is how much longer a cable is than the great circle, about.
	detour = 1.5
	// lightInGlass is in kilometres a millisecond: two thirds of light's speed.
	lightInGlass = 200
)

// Real is the time that light needs in glass: 0.5 ms, and 1 ms for every 200 km of a
// cable that is 1.5 times as long as the great circle. So ams to ord is 100 ms there
// and back, ams to syd 251 ms. It is a model: Fly measures and publishes the times
// of its own network, which differ from it by a quarter or so, and change.
//
// To or from a region whose place is not known it is as within one.
func Real(from, to string) time.Duration {
	a, known := globe.Of(from)
	b, too := globe.Of(to)
	if !known || !too || from == to {
		return local
	}
	ms := globe.Apart(a, b) * detour / lightInGlass
	return local + time.Duration(ms*float64(time.Millisecond))
}

// Fixed is a network where it takes so long there and back between any two regions,
// and no time within one.
func Fixed(roundTrip time.Duration) Matrix {
	return func(from, to string) time.Duration {
		if from == to {
			return 0
		}
		return roundTrip / 2
	}
}

// maxFixed is more than any two places on Earth are apart; what is above it was a slip.
const maxFixed = 10 * time.Second

// Parse reads "none", which is nil, "real", or the round trip of Fixed ("50ms").
func Parse(text string) (Matrix, error) {
	switch text {
	case "none", "0":
		return nil, nil
	case "real":
		return Real, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxFixed {
		return nil, fmt.Errorf("latency %q: want real, none, or a round trip of at most %v such as 50ms", text, maxFixed)
	}
	return Fixed(d), nil
}

// Slowed is a matrix in which regions can be slowed down while it is in use. Its zero
// value is a network without delays, with nothing slowed.
type Slowed struct {
	Base Matrix // it must not be changed once in use

	mu    sync.RWMutex
	extra map[string]time.Duration
}

// Slow makes whatever leaves a region or arrives there take so much longer, one way.
// 0 puts it back. Traffic within the region is slowed down once.
func (s *Slowed) Slow(region string, by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extra == nil {
		s.extra = map[string]time.Duration{}
	}
	s.extra[region] = max(by, 0)
}

// Delay is the Matrix.
func (s *Slowed) Delay(from, to string) time.Duration {
	s.mu.RLock()
	extra := s.extra[from]
	if to != from {
		extra += s.extra[to]
	}
	s.mu.RUnlock()
	return s.Base.Between(from, to) + extra
}
