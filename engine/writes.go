package engine

import (
	"context"
	"sync/atomic"
)

// A Witness hears what becomes of the writes that are made under a context. Whoever
// opens the database tells it, and whoever routes requests listens: neither knows the
// other. Its methods may be called by several goroutines at once.
type Witness interface {
	// Refused says that a write was refused with err, because this machine is not
	// the primary. Nothing of its transaction was kept.
	Refused(err error)
	// Committed says that a transaction was committed on this machine, or may have
	// been.
	Committed()
}

type witnessKey struct{}

// WithWitness returns a context under which w hears of writes.
func WithWitness(ctx context.Context, w Witness) context.Context {
	return &WitnessContext{ctx, w}
}

// A WitnessContext is what [WithWitness] returns. Who makes one for each request may
// have a place for it already.
type WitnessContext struct {
	context.Context
	Witness Witness
}

// Value is the witness for [WitnessOf], and the context's own values.
func (c *WitnessContext) Value(key any) any {
	if key == (witnessKey{}) {
		return c.Witness
	}
	return c.Context.Value(key)
}

// String keeps fmt from looking into what others are writing to.
func (c *WitnessContext) String() string { return "engine.WitnessContext" }

// WitnessOf is the witness of ctx, nil where it has none.
func WitnessOf(ctx context.Context) Witness {
	w, _ := ctx.Value(witnessKey{}).(Witness)
	return w
}

// Commits counts the transactions that this process commits. An engine has one for
// those who must know whether anything was written at all, at the price of one load:
// a method Commits() *Commits. The zero value is ready, and its methods may be called
// by several goroutines at once.
type Commits struct {
	counted atomic.Bool
	n       atomic.Uint64
}

// Count says that from now on every commit of this process is told by [Commits.Add].
func (c *Commits) Count() { c.counted.Store(true) }

// Add counts a transaction that was committed, or may have been. It must be called
// before the commit returns to who asked for it.
func (c *Commits) Add() { c.n.Add(1) }

// Load is how many there were. counted is false where nobody counts.
func (c *Commits) Load() (n uint64, counted bool) { return c.n.Load(), c.counted.Load() }
