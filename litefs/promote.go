package litefs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	// promoteLimit is how long Promote and Handoff wait, at most.
	promoteLimit = 30 * time.Second
	// handoffTime is how long the primary takes to hand over, at most, before it
	// says no more of it.
	handoffTime = 6 * time.Second
)

// Promote makes this node the primary and returns when [Node.State] says that it
// is. LiteFS answers a request for promotion before anything has happened, and may
// then drop it: Promote asks again, for 30 seconds at most.
//
// It moves the role, not the data: what the old primary has committed and this node
// has not received is lost. So nobody should write while it runs, and the two
// positions should be equal before: see [Node.WaitPosition].
//
// The errors to branch on are [ErrNotCandidate], [ErrClosed] and that of ctx.
func (n *Node) Promote(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, promoteLimit, fmt.Errorf("not the primary after %v: %w", promoteLimit, context.DeadlineExceeded))
	defer cancel()
	var last error
	for {
		res, err := n.api.do(ctx, "POST", "/promote", nil, nil)
		wait := handoffTime
		if err == nil {
			res.Body.Close()
		} else {
			// There may be no primary, who could hand over: an election is under way.
			last, wait = err, soon
		}
		if hasCode(err, http.StatusConflict) {
			return fmt.Errorf("litefs: promote: %w", ErrNotCandidate)
		}
		if done, err := n.settled(ctx, wait, func(st State) bool { return st.Role == RolePrimary }); done || err != nil {
			return wrap("promote", err, last)
		}
	}
}

// Handoff makes the node with the given ID ([State.NodeID], of that node) the
// primary, instead of this one, and returns when this one knows a new primary.
// What [Node.Promote] says of data holds here.
//
// The errors to branch on are [ErrNotPrimary], [ErrClosed] and that of ctx. Any
// other is LiteFS's: the node is not connected, or the lease is static.
func (n *Node) Handoff(ctx context.Context, nodeID string) error {
	if _, err := parseHex(nodeID); err != nil {
		return fmt.Errorf("litefs: hand off: %s is no node's ID: it must be 16 hexadecimal digits", quote(nodeID))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, promoteLimit, fmt.Errorf("still the primary after %v: %w", promoteLimit, context.DeadlineExceeded))
	defer cancel()
	before := n.State()
	res, err := n.api.do(ctx, "POST", "/handoff", url.Values{"nodeID": {nodeID}}, nil)
	if says(err, "not currently primary") {
		return fmt.Errorf("litefs: hand off: %w: %w", ErrNotPrimary, err)
	}
	if err != nil {
		return fmt.Errorf("litefs: hand off to %s: %w", nodeID, err)
	}
	res.Body.Close()
	back := false
	_, err = n.settled(ctx, promoteLimit, func(st State) bool {
		back = st.Role == RolePrimary && before.Role == RolePrimary && st.Epoch != before.Epoch
		return st.Role == RoleReplica || back
	})
	if err == nil && back {
		err = errors.New("this node became the primary again: the other did not take over")
	}
	return wrap("hand off to "+nodeID, err, nil)
}

// settled waits for a state, for a time. done is false when the time is up.
func (n *Node) settled(ctx context.Context, limit time.Duration, ok func(State) bool) (done bool, err error) {
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err = Wait(short, n, ok)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return false, nil
	}
	return false, err
}

// wrap names what was done, and what LiteFS last said to it.
func wrap(verb string, err, last error) error {
	switch {
	case err == nil:
		return nil
	case last != nil && !errors.Is(err, last):
		return fmt.Errorf("litefs: %s: %w (%w)", verb, err, last)
	}
	return fmt.Errorf("litefs: %s: %w", verb, err)
}
