package testkit

import "sync/atomic"

// gate makes a server answer with errors while it is shut.
type gate struct{ shut atomic.Bool }

// Fail makes every request fail until it is called with false.
func (g *gate) Fail(on bool) { g.shut.Store(on) }

func (g *gate) closed() bool { return g.shut.Load() }
