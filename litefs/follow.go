package litefs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// answerLimit is how long LiteFS may take until its first event.
	answerLimit = 5 * time.Second
	// infoLimit is how long it may take to answer /info.
	infoLimit = 3 * time.Second
	// soon is how often it is asked while there is something to wait for.
	soon = 100 * time.Millisecond
	// retryMin is the first pause before it is called again.
	retryMin = 20 * time.Millisecond
)

// follow is the goroutine of a Node.
func (n *Node) follow(ctx context.Context) {
	defer n.publishClosed()
	pause := min(retryMin, n.cfg.RetryMax)
	for {
		heard, err := n.session(ctx)
		if ctx.Err() != nil {
			return
		}
		n.log.Debug("not connected", "err", err)
		n.publish(State{Err: err}, "")
		if heard {
			pause = min(retryMin, n.cfg.RetryMax)
		}
		// Between half and all of it, so that many programs do not call at once.
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		pause = min(2*pause, n.cfg.RetryMax)
	}
}

// session follows one connection until it ends, and returns why. heard says that
// LiteFS has said who it is.
func (n *Node) session(ctx context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(answerLimit, func() { cancel(fmt.Errorf("LiteFS at %s does not answer within %v", n.api.base.Host, answerLimit)) })
	defer late.Stop()
	res, err := n.api.do(ctx, "GET", "/events", nil, nil)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()

	events := make(chan event)
	var readErr error // why events was closed
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(events)
		readErr = pump(ctx, res.Body, events)
	})
	defer func() {
		cancel(nil) // ends the reader
		for range events {
		}
		reader.Wait()
	}()

	first, ok := <-events
	if late.Stop(); !ok {
		return false, n.endOf(ctx, readErr)
	}
	if first.kind != eventInit {
		return false, fmt.Errorf("the event stream of %s does not begin with init: is that LiteFS?", n.api.base.Host)
	}
	s := session{Node: n}
	st := State{NodeID: res.Header.Get("Litefs-Id"), ClusterID: res.Header.Get("Litefs-Cluster-Id")}
	n.setRole(&st, first)
	// Subscribed first, read afterwards: no transaction falls between.
	if err := s.check(ctx, &st); err != nil {
		return false, err
	}
	n.publish(st, "")
	n.log.Debug("connected", "node", st.NodeID)

	tick := time.NewTimer(s.period())
	defer tick.Stop()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return true, n.endOf(ctx, readErr)
			}
			if err := s.apply(ctx, e); err != nil {
				return true, err
			}
		case <-tick.C:
			st := n.State()
			if err := s.check(ctx, &st); err != nil {
				return true, err
			}
			n.publish(st, "")
			tick.Reset(s.period())
		}
	}
}

// pump sends the events of r until they end.
func pump(ctx context.Context, r io.Reader, events chan<- event) error {
	d := newDecoder(r)
	for {
		e, err := d.next()
		if err != nil {
			return err
		}
		select {
		case events <- e:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// endOf says why the events ended.
func (n *Node) endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("LiteFS at %s has ended the event stream: %w", n.api.base.Host, err)
	}
	return err
}

// setRole puts in st what an event says of the role.
func (n *Node) setRole(st *State, e event) {
	switch {
	case e.isPrimary:
		st.Role, st.Primary, st.Ready, st.Lag = RolePrimary, "", true, 0
	case e.hostname != "" && e.hostname != n.self:
		st.Role, st.Primary, st.Ready = RoleReplica, e.hostname, false
	default:
		// After handing over LiteFS takes itself for the primary to follow until the
		// lease names the new one. What has come here is no less for that.
		st.Role, st.Primary = RoleUnknown, ""
	}
}

// session is what is known of one connection beside the node's state.
type session struct {
	*Node
	placed    bool // all positions have been read
	disagreed int  // how often in a row /info has told another role than the events
}

func (s *session) period() time.Duration {
	if st := s.state.Load(); !s.placed || !s.cfg.Remote && !st.Ready {
		return min(soon, s.cfg.CheckEvery)
	}
	return s.cfg.CheckEvery
}

// apply brings the state up to date with an event.
func (s *session) apply(ctx context.Context, e event) error {
	switch e.kind {
	case eventInit, eventPrimary:
		s.disagreed = 0
		st := s.State()
		s.setRole(&st, e)
		s.publish(st, "")
		// The hostname, readiness, and positions that a change of role may have
		// altered.
		s.placed = false
		if err := s.check(ctx, &st); err != nil {
			return err
		}
		s.publish(st, "")
	case eventTx:
		return s.applyTx(ctx, e)
	}
	return nil
}

func (s *session) applyTx(ctx context.Context, e event) error {
	st := s.State()
	at, known := st.Position(e.db)
	if known && at == e.pos && !e.dropped {
		return nil
	}
	if known && e.pos.TXID <= at.TXID && !s.cfg.Remote {
		// Either the event waited while the position was read from the mount, or the
		// database went back, to the primary's history. The mount knows. Where it
		// does not answer, LiteFS's word counts.
		pos, err := s.own.position(ctx, e.db)
		if err == nil && pos != e.pos {
			e.pos, e.dropped = pos, false
		}
	}
	switch {
	case e.dropped:
		st.Databases = without(st.Databases, e.db)
	case !known && len(st.Databases) >= maxDatabases:
		return errTooMany
	default:
		st.Databases = with(st.Databases, e.db, e.pos)
	}
	s.publish(st, e.db)
	return nil
}

// check asks LiteFS whether it lives and what the events do not tell, and puts the
// answers in st. The error says that the connection is of no use.
func (s *session) check(ctx context.Context, st *State) error {
	in, err := s.api.info(ctx)
	if err != nil {
		return err
	}
	st.Candidate, st.NodeID, st.Err = in.Candidate, in.nodeID, nil
	if in.ClusterID != "" {
		st.ClusterID = in.ClusterID
	}
	if in.IsPrimary {
		s.self = in.Primary.Hostname
	}
	if s.agrees(in, st) {
		s.disagreed = 0
		if st.Role == RolePrimary {
			st.Primary = in.Primary.Hostname
		}
	} else if s.disagreed++; s.disagreed > 2 {
		// An event may be on its way, but not for as long as that.
		return fmt.Errorf("LiteFS at %s says another role than its event stream: the stream is dead", s.api.base.Host)
	}
	if s.cfg.Remote {
		s.placed = true
		return nil
	}
	return s.look(ctx, st)
}

func (s *session) agrees(in info, st *State) bool {
	if in.IsPrimary || st.Role == RolePrimary {
		return in.IsPrimary && st.Role == RolePrimary
	}
	return in.Primary.Hostname == st.Primary || in.Primary.Hostname == s.self && st.Role == RoleUnknown
}

// look reads the mount. That it cannot be read is no error of the connection:
// LiteFS serves its API before it mounts.
func (s *session) look(ctx context.Context, st *State) error {
	lag, heard, err := s.own.lag(ctx)
	if err == nil && !s.placed {
		var dbs []Database
		if dbs, err = s.own.positions(ctx); err == nil {
			st.Databases, s.placed = dbs, true
		}
	}
	if err != nil {
		s.placed, st.Err, st.Ready, st.Lag = false, err, st.Role == RolePrimary, 0
		return nil
	}
	st.Ready = st.Role == RolePrimary || heard || st.Role == RoleUnknown && st.Ready
	if !heard || st.Role == RolePrimary {
		lag = 0
	}
	st.Lag = lag
	return nil
}
