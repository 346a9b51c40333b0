package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

const (
	// askAgain is the pause between two looks at where nodes stand: a transaction
	// takes about as long from one to the other.
	askAgain = 5 * time.Millisecond
	// lookAgain is how long the list of nodes is good for.
	lookAgain = time.Second
	// handoffPatience is above the ten seconds after which LiteFS gives a hand-over up.
	handoffPatience = 11 * time.Second
)

// errNoCandidate: there is nobody to hand the lease to.
var errNoCandidate = errors.New("no other node that may be the primary (lease.candidate) answers")

// handOver lets another node become the primary before this one goes. The app has
// ended by now, and whoever else writes is held up while the lease moves: a candidate
// that stands where this node stands has every row. Where none does in time, this
// node goes all the same.
func (b *boot) handOver(ctx context.Context) {
	n := b.node
	if !n.ready || b.Handoff < 0 || n.conf.Lease.Type == "static" { // a static lease stays where it is
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), b.Handoff, fmt.Errorf("that took longer than %v (FLYSQL_HANDOFF)", b.Handoff))
	defer cancel()
	defer b.onSecondSignal(cancel)()
	start := time.Now()
	info, err := b.ownInfo(ctx)
	if errors.Is(err, errNodeEnded) || err == nil && !info.IsPrimary {
		return
	}
	var to peer
	if err == nil {
		to, err = b.giveLease(ctx, info, "", 2*b.Handoff) // ctx ends before
	}
	line := func(level slog.Level, outcome string, attrs ...slog.Attr) {
		attrs = append([]slog.Attr{slog.String("outcome", outcome), millis(time.Since(start))}, attrs...)
		b.Logger.LogAttrs(context.WithoutCancel(ctx), level, "handoff", attrs...)
	}
	switch {
	case errors.Is(err, errNoCandidate):
		line(slog.LevelInfo, "skipped", slog.String("why", err.Error()))
	case err != nil:
		line(slog.LevelWarn, "failed", slog.String("why", err.Error()),
			slog.String("warning", "the next primary may lack this node's last transactions; they are on its volume"))
	default:
		line(slog.LevelInfo, "ok", slog.String("to", to.addr))
	}
}

var errNodeEnded = errors.New("LiteFS has ended")

// ownInfo asks this node what it is until it answers: one that is slow once is not
// gone.
func (b *boot) ownInfo(ctx context.Context) (info nodeInfo, err error) {
	for {
		select {
		case <-b.node.ended:
			return info, errNodeEnded
		default:
		}
		if info, err = b.node.info(ctx); err == nil || ctx.Err() != nil {
			return info, err
		}
		select {
		case <-ctx.Done():
		case <-b.node.ended:
		case <-time.After(10 * askAgain):
		}
	}
}

// onSecondSignal calls stop at a signal that asks for the end. The returned function
// ends the listening.
func (b *boot) onSecondSignal(stop func()) (done func()) {
	over, idle := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(idle)
		for {
			select {
			case <-over:
				return
			case <-b.signals.again:
				stop()
				return
			case s := <-b.signals.all:
				if !asksForTheEnd(s) {
					continue
				}
				stop()
				select {
				case b.signals.all <- s: // whoever ends LiteFS wants to know, too
				default:
				}
				return
			}
		}
	}()
	return func() { close(over); <-idle }
}

// giveLease makes another node the primary instead of this one, and returns when it
// is. It must be a candidate, or have the ID first, which is preferred; and must
// stand exactly where this node stands. alone is how long it is waited for where
// none is seen.
func (b *boot) giveLease(ctx context.Context, own nodeInfo, first string, alone time.Duration) (to peer, err error) {
	w := b.waiting("handoff")
	var peers []peer
	var looked time.Time
	seen := time.Now()
	why := "the other nodes were not found"
	for {
		if time.Since(looked) > lookAgain {
			var silent []string
			peers, silent, err = b.candidates(ctx, own, first)
			switch {
			case err != nil:
				why = err.Error()
			case len(peers) == 0 && len(silent) == 0:
				return peer{}, errNoCandidate
			case len(peers) == 0:
				why = "no answer from " + strings.Join(silent, ", ")
			default:
				seen = time.Now()
			}
			looked = time.Now()
		}
		for _, p := range peers {
			behind := b.behind(ctx, p)
			if isOver(ctx) { // a question that was cut short says nothing of the node
				break
			}
			if why = behind; why != "" {
				continue
			}
			if why, err = b.handToHalted(ctx, p); err == nil && why == "" {
				return p, nil
			} else if err != nil {
				return peer{}, err
			}
		}
		if time.Since(seen) > alone {
			return peer{}, fmt.Errorf("%s; not in %v", why, alone)
		}
		w.say(ctx, why)
		select {
		case <-ctx.Done():
			return peer{}, fmt.Errorf("%s; %w", why, context.Cause(ctx))
		case <-b.node.ended:
			return peer{}, errNodeEnded
		case <-time.After(askAgain):
		}
	}
}

// handToHalted hands over while nobody writes: a console or a cron job may, where the
// app has ended. One that does not end its transaction in half of the time is not
// waited for any longer.
func (b *boot) handToHalted(ctx context.Context, p peer) (why string, err error) {
	short, cancel := context.WithTimeout(ctx, b.haltLimit())
	h, err := halt(short, b.node.api)
	cancel()
	defer func() {
		if lerr := h.letGo(ctx); lerr != nil {
			b.Logger.LogAttrs(ctx, slog.LevelWarn, "handoff", slog.String("outcome", "waiting"), slog.String("why", lerr.Error()))
		}
	}()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("its writers were to be held up; %w", context.Cause(ctx))
	case err != nil && leftOf(ctx) > b.Handoff/2:
		return "its writers cannot be held up: " + err.Error(), nil
	case err != nil:
		b.Logger.LogAttrs(ctx, slog.LevelWarn, "handoff", slog.String("outcome", "waiting"), slog.String("why", "a process beside the app is in the middle of a transaction: "+err.Error()),
			slog.String("warning", "what it writes while the primary changes can be lost"))
	}
	limit, cancel := context.WithTimeout(ctx, equalLimit)
	defer cancel()
	for {
		if why = b.behind(limit, p); why == "" {
			break
		}
		select {
		case <-limit.Done():
			return why, nil
		case <-time.After(askAgain):
		}
	}
	if err := b.fault("handoff.equal"); err != nil {
		return "", err
	}
	if err := h.expired(); err != nil {
		return err.Error(), nil
	}
	return b.handTo(ctx, p)
}

// leftOf is how much time there is until the deadline.
func leftOf(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline)
}

// haltLimit leaves time for the hand-over itself.
func (b *boot) haltLimit() time.Duration { return min(haltPatience, b.Handoff/4+time.Second/4) }

// isOver tells whether the time of ctx is up, which a connection notices before it.
func isOver(ctx context.Context) bool {
	end, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(end)
}

// candidates are the nodes that may become the primary, the one with the ID first,
// and the addresses where there may be more.
func (b *boot) candidates(ctx context.Context, own nodeInfo, first string) (found []peer, silent []string, err error) {
	wanted := func(i nodeInfo) bool { return i.id == first || first == "" && i.Candidate }
	peers, silent, err := b.peers(ctx, own, wanted)
	for _, p := range peers {
		switch {
		case p.info.id == first:
			found = append([]peer{p}, found...)
		case p.info.Candidate:
			found = append(found, p)
		}
	}
	return found, silent, err
}

// behind says what a node lacks of what this one has, or "".
func (b *boot) behind(ctx context.Context, p peer) string {
	own, err := positionsOf(ctx, b.node.api)
	if err != nil {
		return "LiteFS does not say where its databases stand: " + err.Error()
	}
	at, err := positionsOf(ctx, p.addr)
	if err != nil {
		return p.addr + " does not say where its databases stand: " + err.Error()
	}
	if why := notAt(at, own); why != "" {
		return p.addr + " has " + why
	}
	return ""
}

// handTo hands the lease to a node that stands where this one stands. why is set
// where this node is the primary still.
func (b *boot) handTo(ctx context.Context, p peer) (why string, err error) {
	if _, _, err := (request{method: "POST", to: server{addr: b.node.api}, path: "/handoff?" + url.Values{"nodeID": {p.info.id}}.Encode(), patience: handoffPatience}).do(ctx); err != nil {
		return "LiteFS does not hand over to " + p.addr + ": " + err.Error(), nil
	}
	if err := b.fault("handoff.asked"); err != nil {
		return "", err
	}
	for deadline := time.Now().Add(handoffPatience); ; {
		own, err := b.node.info(ctx)
		if err == nil && !own.IsPrimary {
			if own.Primary.Hostname != "" && own.Primary.Hostname != b.node.hostname() {
				break
			}
			if theirs, err := infoOf(ctx, p.addr); err == nil && theirs.IsPrimary {
				break
			}
		}
		if err == nil && own.IsPrimary && time.Now().After(deadline) {
			return p.addr + " did not take over", nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%s was asked to take over, and was not seen to: %w", p.addr, context.Cause(ctx))
		case <-b.node.ended:
			return "", errNodeEnded
		case <-time.After(askAgain):
		}
	}
	return "", b.fault("handoff.done")
}
