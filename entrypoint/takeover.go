package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"
)

// A replica that has migrations which its primary lacks may become the primary, and
// apply them itself: else a deploy that begins with a replica would wait for the
// primary, which waits for the deploy. The primary's app is running meanwhile. So
// nothing is lost, its writers are held up by LiteFS's HALT lock first: it is had
// only between two transactions, and until it is given up there is no other. Then
// the lease moves to a node that has all there is; the writers that waited are
// refused by what is now a replica.

// equalLimit is how long writers are held up, at most, for a node to catch up.
const equalLimit = 5 * time.Second

// takeOver makes this replica the primary, and returns who was it before. On an
// error the cluster is as it was, or has another primary; writers go on.
func (b *boot) takeOver(ctx context.Context) (from peer, err error) {
	own, err := b.node.info(ctx)
	if err != nil {
		return peer{}, err
	}
	peers, _, err := b.peers(ctx, own, func(i nodeInfo) bool { return i.IsPrimary })
	if err != nil {
		return peer{}, err
	}
	for _, p := range peers {
		// Of two that say so, one does not know yet that it is not.
		if p.info.IsPrimary && p.info.Primary.Hostname == own.Primary.Hostname {
			return p, b.takeFrom(ctx, own, p)
		}
	}
	return peer{}, fmt.Errorf("the primary was not found among %d other nodes%s", len(peers), b.peersHint())
}

// peersHint says how others are found, where there is no other way.
func (b *boot) peersHint() string {
	if len(b.Peers) == 0 && b.getenv("FLY_APP_NAME") == "" {
		return ": FLYSQL_LITEFS_PEERS names them"
	}
	return ""
}

func (b *boot) takeFrom(ctx context.Context, own nodeInfo, p peer) (err error) {
	if err := b.notMigrating(ctx); err != nil {
		return err
	}
	// A node that is too slow to come to where the primary was need not hold it up.
	before, err := positionsOf(ctx, p.addr)
	if err != nil {
		return err
	}
	if err := b.reach(ctx, p, before, notYetAt); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askLimit, errors.New("its writers would be held up for too long"))
	defer cancel()
	h, err := halt(ctx, p.addr)
	defer func() { err = errors.Join(err, h.letGo(ctx)) }()
	if err != nil {
		return err
	}
	if err := b.fault("takeover.halted"); err != nil {
		return err
	}
	// Now for certain: whoever migrates there has said so before its first transaction.
	if err := b.notMigrating(ctx); err != nil {
		return err
	}
	if err := b.reach(ctx, p, h.at, notAt); err != nil {
		return err
	}
	if err := b.fault("takeover.equal"); err != nil {
		return err
	}
	return b.takeLease(ctx, own, p, h)
}

// takeLease asks the primary for its lease, and returns when the two agree that it
// has moved. Once asked, LiteFS may take its time, and a writer that was let go
// meanwhile would write what nobody has: so this is not given up early, and where it
// is not known how it ended the locks stay until LiteFS ends them.
func (b *boot) takeLease(ctx context.Context, own nodeInfo, p peer, h *halted) (err error) {
	if err := h.expired(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), handoffPatience, fmt.Errorf("not in %v", handoffPatience))
	defer cancel()
	path := "/handoff?" + url.Values{"nodeID": {own.id}}.Encode()
	_, _, err = request{method: "POST", to: server{addr: p.addr}, path: path, patience: handoffPatience}.do(ctx)
	var no *refusal
	if errors.As(err, &no) {
		return err
	}
	if err := b.fault("takeover.asked"); err != nil {
		return err
	}
	h.keep = true
	for moved := false; ; {
		own, err1 := b.node.info(ctx)
		theirs, err2 := infoOf(ctx, p.addr)
		moved = moved || err1 == nil && own.IsPrimary
		if moved && err2 == nil && !theirs.IsPrimary {
			h.keep = false
			return b.fault("takeover.done")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s was asked for the lease, and has not let it go: %w", p.addr, errors.Join(context.Cause(ctx), err2))
		case <-b.node.ended:
			return errNodeEnded
		case <-time.After(askAgain):
		}
	}
}

// reach waits until this node lacks nothing of what is wanted, and makes sure that
// who had it still is the primary.
func (b *boot) reach(ctx context.Context, p peer, want map[string]position, lacks func(got, want map[string]position) string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, equalLimit, fmt.Errorf("not in %v", equalLimit))
	defer cancel()
	for {
		info, err := infoOf(ctx, p.addr)
		if err == nil && (!info.IsPrimary || info.id != p.info.id) {
			return fmt.Errorf("%s is not the primary any more", p.addr)
		}
		why := ""
		if err == nil {
			var at map[string]position
			if at, err = positionsOf(ctx, b.node.api); err == nil {
				why = lacks(at, want)
			}
		}
		switch {
		case err != nil:
			why = err.Error()
		case why == "":
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("this node does not reach the primary's position (%s): %w", why, context.Cause(ctx))
		case <-time.After(askAgain):
		}
	}
}

// becomePrimary takes over where that is what is configured, and logs how it went.
func (b *boot) becomePrimary(ctx context.Context) (from peer, err error) {
	start := time.Now()
	if from, err = b.takeOver(ctx); err != nil {
		b.Logger.LogAttrs(ctx, slog.LevelWarn, "takeover", slog.String("outcome", "failed"), millis(time.Since(start)), slog.String("why", err.Error()))
		return from, err
	}
	b.Logger.LogAttrs(ctx, slog.LevelInfo, "takeover", slog.String("outcome", "ok"), millis(time.Since(start)), slog.String("from", from.addr), slog.String("why", "this image has migrations that the primary's has not"))
	return from, nil
}

// mayTakeOver tells whether this replica, where it is behind, is to become the
// primary.
func (b *boot) mayTakeOver(info nodeInfo) bool {
	if b.node.conf.Lease.Type == "static" || b.NeverPrimary || len(b.MigrateCommand) > 0 {
		return false
	}
	return b.MigrateFrom == FromAny || b.MigrateFrom == FromCandidate && info.Candidate
}

// giveBack returns the lease of a node that is no candidate, and has it in order to
// migrate alone. Where nobody can take it, this node stays the primary: a candidate
// that copies what was migrated is waited for, one that is not there only shortly, for
// nobody can write meanwhile.
func (b *boot) giveBack(ctx context.Context, own nodeInfo, before peer) (done bool) {
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, b.LiteFSWait, fmt.Errorf("not in %v", b.LiteFSWait))
	defer cancel()
	to, err := b.giveLease(ctx, own, before.info.id, DefaultHandoff)
	if err != nil {
		b.Logger.LogAttrs(ctx, slog.LevelWarn, "handoff", slog.String("outcome", "failed"), millis(time.Since(start)), slog.String("why", err.Error()),
			slog.String("warning", "this node is no candidate, and stays the primary until it is stopped"))
		return false
	}
	b.Logger.LogAttrs(ctx, slog.LevelInfo, "handoff", slog.String("outcome", "ok"), millis(time.Since(start)), slog.String("to", to.addr), slog.String("why", "this node is no candidate: it was the primary in order to migrate"))
	return true
}
