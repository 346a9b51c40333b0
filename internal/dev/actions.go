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
// The session's end ends it.
func (s *Session) act(ctx context.Context, name, target string, do func(context.Context, *cluster.Cluster) error) error {
	c, err := s.begin()
	if err != nil {
		return err
	}
	defer s.acting.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(errClosed) })()
	s.hub.tell(Event{Type: TypeAction, Action: &Action{Name: name, Target: target}})
	err = do(ctx, c)
	done := &Action{Name: name, Target: target, Done: true}
	if err != nil {
		done.Error = err.Error()
	}
	s.tellState()
	s.hub.tell(Event{Type: TypeAction, Action: done})
	return err
}

// begin is ready, and has the session's end wait for acting.
func (s *Session) begin() (*cluster.Cluster, error) {
	c, err := s.ready()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, errClosed
	}
	s.acting.Add(1)
	return c, nil
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
func (s *Session) machine(ctx context.Context, name, id string, do func(context.Context, *cluster.Cluster) error) error {
	if f := s.follow.Load(); f != nil {
		if err := f.has(id); err != nil {
			return err
		}
	}
	return s.act(ctx, name, id, do)
}

// region is act for one that machines are in.
func (s *Session) region(name, code string, do func(c *cluster.Cluster) error) error {
	if !slices.Contains(s.plan.regions, code) {
		return fmt.Errorf("there is no region %q: there are %v", code, s.plan.regions)
	}
	return s.act(context.Background(), name, code, func(_ context.Context, c *cluster.Cluster) error { return do(c) })
}

// Kill ends all of a machine's processes at once.
func (s *Session) Kill(id string) error {
	return s.machine(context.Background(), "kill", id, func(_ context.Context, c *cluster.Cluster) error { return c.Kill(id) })
}

// Stop ends a machine as Fly does.
func (s *Session) Stop(ctx context.Context, id string) error {
	return s.machine(ctx, "stop", id, func(ctx context.Context, c *cluster.Cluster) error { return c.Stop(ctx, id, false) })
}

// StartMachine starts one that is off, and returns when it serves.
func (s *Session) StartMachine(ctx context.Context, id string) error {
	return s.machine(ctx, "start", id, func(ctx context.Context, c *cluster.Cluster) error { return c.Start(ctx, id) })
}

// Restart stops a machine and starts it.
func (s *Session) Restart(ctx context.Context, id string) error {
	return s.machine(ctx, "restart", id, func(ctx context.Context, c *cluster.Cluster) error { return c.Restart(ctx, id) })
}

// HandOff has the primary give its lease to this machine.
func (s *Session) HandOff(ctx context.Context, id string) error {
	return s.machine(ctx, "handoff", id, func(ctx context.Context, c *cluster.Cluster) error { return c.HandOff(ctx, id) })
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
