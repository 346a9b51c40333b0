package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/flysql/flysql/internal/dev"
)

// devQueue hands a session's events to whoever prints them. The session never waits for
// a terminal that stands still or a pipe that nobody reads: what finds no room is dropped
// and counted, but no state and no action.
type devQueue struct {
	print func(dev.Event) error

	mu      sync.Mutex
	waiting []dev.Event
	dropped int
	err     error // of print; nothing is printed after it
	over    bool
	wake    chan struct{} // holds at most one
	done    chan struct{}
	failed  chan struct{} // closed with err
}

// devQueueMost is how many events may wait.
const devQueueMost = 4096

func newDevQueue(print func(dev.Event) error) *devQueue {
	q := &devQueue{print: print, wake: make(chan struct{}, 1), done: make(chan struct{}), failed: make(chan struct{})}
	go q.run()
	return q
}

// tell takes an event. It may be called after the end.
func (q *devQueue) tell(e dev.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	full := len(q.waiting) >= devQueueMost
	last := len(q.waiting) - 1
	switch {
	case q.over || q.err != nil:
		return
	case full && e.Type == dev.TypeState && q.waiting[last].Type == dev.TypeState:
		q.waiting[last] = e // newer than one that nobody has seen
	case full && (e.Type == dev.TypeRequest || e.Type == dev.TypeLog):
		q.dropped++
	default:
		q.waiting = append(q.waiting, e)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *devQueue) run() {
	defer close(q.done)
	for {
		q.mu.Lock()
		batch, over := q.waiting, q.over
		q.waiting = nil
		q.mu.Unlock()
		for _, e := range batch {
			if err := q.print(e); err != nil {
				q.mu.Lock()
				q.err, q.waiting = err, nil
				q.mu.Unlock()
				close(q.failed)
				return
			}
		}
		if over {
			return
		}
		<-q.wake
	}
}

// end prints what waits yet, until ctx ends, and returns what was wrong with that.
func (q *devQueue) end(ctx context.Context) error {
	q.mu.Lock()
	q.over = true
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	select {
	case <-q.done:
	case <-ctx.Done(): // it may stand still in a write
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return fmt.Errorf("print what happens: %w", q.err)
	}
	return nil
}

// lost is how many events were not printed.
func (q *devQueue) lost() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
