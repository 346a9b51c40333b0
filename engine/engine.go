package engine

import (
	"cmp"
	"context"
)

// An Engine copies databases to other machines, and is asked about that from one
// of them. Its methods may be called by several goroutines at once.
type Engine interface {
	// State is what is known at this moment, without waiting.
	State() State
	// WaitPosition waits until this machine has a database at pos or further.
	WaitPosition(ctx context.Context, db string, pos Pos) error
}

// Wait waits until ok is true of the engine's state, and returns that state. ok is
// called with the state of now and then with a new one whenever [State.Changed]
// says so: it sees no position change, for which there is WaitPosition. A role
// that lasts an instant may be missed.
//
// It returns the last state with the error of ctx, or with State.Err ([ErrClosed]
// where that is nil) when nothing will change any more.
func Wait(ctx context.Context, e Engine, ok func(State) bool) (State, error) {
	for {
		st := e.State()
		if ok(st) {
			return st, nil
		}
		if st.Changed == nil {
			return st, cmp.Or(st.Err, ErrClosed)
		}
		select {
		case <-st.Changed:
		case <-ctx.Done():
			return st, context.Cause(ctx)
		}
	}
}
