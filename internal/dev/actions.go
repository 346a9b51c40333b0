package dev

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flysql/flysql/internal/emulator/cluster"
)

// errClosed is what actions answer when the session ends, or has.
var errClosed = errors.New("the session is closed")

// act does something to a machine or region, and tells when it begins and how it ended.
func (s *Session) act(name, target string, do func(c *cluster.Cluster) error) error {
	c, err := s.ready()
	if err != nil {
		return err
	}
	s.hub.tell(Event{Type: TypeAction, Action: &Action{Name: name, Target: target}})
	err = do(c)
	done := &Action{Name: name, Target: target, Done: true}
	if err != nil {
		done.Error = err.Error()
	}
	s.tellState()
	s.hub.tell(Event{Type: TypeAction, Action: done})
	return err
}

// ready is the cluster that actions are done to.
func (s *Session) ready() (*cluster.Cluster, error) {
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	c := s.cluster.Load()
	switch {
	case closing:
		return nil, errClosed
	case c == nil:
		return nil, errors.New("the app is still being built")
	}
	return c, nil
}

// machine is act for one that there is.
func (s *Session) machine(name, id string, do func(c *cluster.Cluster) error) error {
	if f := s.follow.Load(); f != nil {
		if err := f.has(id); err != nil {
			return err
		}
	}
	return s.act(name, id, do)
}

// region is act for one that machines are in.
func (s *Session) region(name, code string, do func(c *cluster.Cluster) error) error {
	if !slices.Contains(s.plan.regions, code) {
		return fmt.Errorf("there is no region %q: there are %v", code, s.plan.regions)
	}
	return s.act(name, code, do)
}

// Kill ends all of a machine's processes at once.
func (s *Session) Kill(id string) error {
	return s.machine("kill", id, func(c *cluster.Cluster) error { return c.Kill(id) })
}

// Stop ends a machine as Fly does.
func (s *Session) Stop(ctx context.Context, id string) error {
	return s.machine("stop", id, func(c *cluster.Cluster) error { return c.Stop(ctx, id, false) })
}

// StartMachine starts one that is off, and returns when it serves.
func (s *Session) StartMachine(ctx context.Context, id string) error {
	return s.machine("start", id, func(c *cluster.Cluster) error { return c.Start(ctx, id) })
}

// Restart stops a machine and starts it.
func (s *Session) Restart(ctx context.Context, id string) error {
	return s.machine("restart", id, func(c *cluster.Cluster) error { return c.Restart(ctx, id) })
}

// HandOff has the primary give its lease to this machine.
func (s *Session) HandOff(ctx context.Context, id string) error {
	return s.machine("handoff", id, func(c *cluster.Cluster) error { return c.HandOff(ctx, id) })
}

// Cut cuts the network between a region and all others, or mends it.
func (s *Session) Cut(region string, cut bool) error {
	name := "cut"
	if !cut {
		name = "mend"
	}
	return s.region(name, region, func(c *cluster.Cluster) error {
		if err := c.Cut(region, cut); err != nil {
			return err
		}
		s.mu.Lock()
		s.cut[region] = cut
		s.mu.Unlock()
		return nil
	})
}

// maxSlow is more than any network takes, and less than what all give up at.
const maxSlow = time.Minute

// Slow makes all that leaves a region, or gets there, take so much longer, one way. 0 is as
// before.
func (s *Session) Slow(region string, by time.Duration) error {
	return s.region("slow", region, func(*cluster.Cluster) error {
		if by < 0 || by > maxSlow {
			return fmt.Errorf("slow by %v: want 0 to %v", by, maxSlow)
		}
		s.slowed.Slow(region, by)
		s.mu.Lock()
		s.slow[region] = by
		s.mu.Unlock()
		return nil
	})
}
