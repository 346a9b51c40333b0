package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// stops is how signals end what runs: the first in order, a second at once.
type stops struct {
	run  context.Context // ends with the first, which is its cause
	kill context.Context // ends with the second
	end  context.CancelCauseFunc

	mu      sync.Mutex
	forward func(syscall.Signal) // has the first in run's place; nil for nobody
}

// sameSignal is within what a signal that comes again is the first one still: a terminal sends
// it to all, and make, timeout and the like pass theirs on.
const sameSignal = 300 * time.Millisecond

// withStops listens for signals until release, and calls said at the two that count.
func withStops(parent context.Context, said func(second bool)) (s *stops, release func()) {
	s = &stops{}
	s.run, s.end = context.WithCancelCause(parent)
	kill, killNow := context.WithCancel(context.WithoutCancel(parent))
	s.kill = kill
	received := make(chan os.Signal, 8)
	listen := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		listen = append(listen, syscall.SIGHUP)
	}
	signal.Notify(received, listen...)
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var began time.Time
		var first syscall.Signal
		for {
			select {
			case got := <-received:
				number, _ := got.(syscall.Signal)
				if number == syscall.SIGPIPE {
					continue // whoever writes hears of it, and does not die of it
				}
				if began.IsZero() {
					began, first = time.Now(), number
					s.first(number, said)
					continue
				}
				if number == first && time.Since(began) < sameSignal {
					continue
				}
				signal.Stop(received) // a third one ends even this
				said(true)
				killNow()
			case <-over:
				return
			}
		}
	}()
	return s, func() {
		signal.Stop(received)
		close(over)
		<-done
		s.end(nil)
		killNow()
	}
}

func (s *stops) first(number syscall.Signal, said func(second bool)) {
	s.mu.Lock()
	forward := s.forward
	if forward == nil {
		s.end(&signalError{number}) // under the lock: giveTo looks for it
	}
	s.mu.Unlock()
	if forward != nil {
		forward(number)
		return
	}
	said(false)
}

// giveTo has the first signal forwarded from now on, or with nil no longer. It fails where
// there was one before.
func (s *stops) giveTo(forward func(syscall.Signal)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if forward != nil && s.run.Err() != nil {
		return context.Cause(s.run)
	}
	s.forward = forward
	return nil
}
