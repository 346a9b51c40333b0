package dev

import (
	"context"
	"errors"
	"time"
)

// Options are what is run, and how.
type Options struct {
	Dir       string   // of the app; "" is here
	Config    string   // its fly.toml; "" is fly.toml in Dir
	StateDir  string   // machines, logs, programs; "" is .flysql/dev in Dir
	Fresh     bool     // begin without what StateDir has
	Regions   []string // nil is fly.toml's primary_region, and two more far from it
	PerRegion int      // machines in each; 0 is one
	Latency   string   // "real", "none", or a round trip such as "50ms"; "" is "real"
	// Port is where the edge listens, on loopback. 0 is any that is free.
	Port    int
	Command []string // the app, built already; nil builds what the Dockerfile runs
	Env     []string // NAME=value for every machine, as secrets are
	Consul  string   // the URL of a Consul in place of the lease server here; "" for none
	// Entrypoint and LiteFS are the programs flysql-entrypoint and litefs. "" looks for
	// them.
	Entrypoint, LiteFS string
}

// Session is an app that runs. Its methods may be called by several goroutines at once.
type Session struct{}

// Start builds the app and starts its machines. It returns when all of them serve. What
// happens from the start on is told to each of watch, one event after the other, which
// must not take long.
func Start(ctx context.Context, o Options, watch ...func(Event)) (*Session, error) {
	return nil, errors.New("not there yet")
}

// URL is where the edge of a region is asked, "http://ams.localhost:8080"; "" is the one
// of those who do not say.
func (s *Session) URL(region string) string { return "" }

// State is how all stands now.
func (s *Session) State() State { return State{} }

// Subscribe tells what happens from now on, and first the state. An event that finds size
// of them waiting is dropped, but never the last state. It ends with stop, and C is
// closed then.
func (s *Session) Subscribe(size int) (c <-chan Event, stop func()) { return nil, func() {} }

// Kill ends all of a machine's processes at once.
func (s *Session) Kill(id string) error { return nil }

// Stop ends a machine as Fly does.
func (s *Session) Stop(ctx context.Context, id string) error { return nil }

// StartMachine starts one that is off, and returns when it serves.
func (s *Session) StartMachine(ctx context.Context, id string) error { return nil }

// Restart stops a machine and starts it.
func (s *Session) Restart(ctx context.Context, id string) error { return nil }

// HandOff has the primary give its lease to this machine.
func (s *Session) HandOff(ctx context.Context, id string) error { return nil }

// Cut cuts the network between a region and all others, or mends it.
func (s *Session) Cut(region string, cut bool) error { return nil }

// Slow makes all that leaves a region, or gets there, take so much longer, one way.
func (s *Session) Slow(region string, by time.Duration) error { return nil }

// Deploy builds the app again, and gives it to the machines, one after the other.
func (s *Session) Deploy(ctx context.Context) error { return nil }

// Close stops the machines in order, and what is around them. Nothing of them is left
// running or mounted. When ctx ends first, they are killed.
func (s *Session) Close(ctx context.Context) error { return nil }
