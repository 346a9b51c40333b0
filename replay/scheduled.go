package replay

import (
	"context"
	"errors"

	"github.com/flysql/flysql/engine"
)

// ErrNotPrimary is the cause of the context of [Router.RunOnPrimary]'s function when
// this machine has ceased to be the primary.
var ErrNotPrimary = errors.New("replay: this machine is not the primary any more")

// RunOnPrimary runs fn while this machine is the primary: a queue's worker, a nightly
// clean-up. It waits until this machine is, and again whenever it has ceased to be, so
// that on all machines together fn runs once, but for the moment in which the primary
// changes.
//
// The context of fn ends when this machine is no longer known to be the primary, with
// the cause [ErrNotPrimary]; what fn writes after that is refused by the engine. fn
// should return then. RunOnPrimary returns nil once fn has returned nil, fn's error
// where that was not due to the end of its context, and the error of ctx. A panic of
// fn is not recovered. Where there is no engine this machine is the primary.
func (rt *Router) RunOnPrimary(ctx context.Context, fn func(ctx context.Context) error) error {
	if rt.engine == nil {
		return fn(ctx)
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		st, err := engine.Wait(ctx, rt.engine, func(st engine.State) bool { return st.Role == engine.RolePrimary })
		if err != nil {
			return err
		}
		again, err := rt.runTerm(ctx, st, fn)
		if !again {
			return err
		}
	}
}

// runTerm runs fn for one term of this machine as the primary.
func (rt *Router) runTerm(ctx context.Context, st engine.State, fn func(ctx context.Context) error) (again bool, err error) {
	term, end := context.WithCancelCause(ctx)
	defer end(nil)
	over := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for now := st; ; now = rt.engine.State() {
			if now.Role != engine.RolePrimary || now.Epoch != st.Epoch {
				end(ErrNotPrimary)
				return
			}
			if now.Changed == nil {
				end(ErrNotPrimary)
				return
			}
			select {
			case <-now.Changed:
			case <-over:
				return
			}
		}
	}()
	err = fn(term)
	close(over)
	<-watched
	switch {
	case err == nil:
		return false, nil
	case ctx.Err() != nil:
		return false, err
	case errors.Is(context.Cause(term), ErrNotPrimary):
		return true, nil
	}
	return false, err
}
