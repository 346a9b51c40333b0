package entrypoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"
)

// A replica that has migrations which its primary lacks may become the primary, and
// apply them itself: else a deploy that begins with a replica would wait for the
// primary, which waits for the deploy. The primary's app is running meanwhile. So
// nothing is lost, its writers are held up by LiteFS's HALT lock first: it is had
// only between two transactions, and until it is given up there is no other. Then
// the lease moves to a node that has all there is; the writers that waited are
// refused by what is now a replica. The lock is asked for over HTTP, as LiteFS's
// nodes do among themselves, and held by nothing that a fork or a close gives up.

const (
	// haltPatience is above the ten seconds for which LiteFS tries to get its lock.
	haltPatience = 11 * time.Second
	// equalLimit is how long writers are held up, at most, for this node to catch up.
	equalLimit = 5 * time.Second
	// askLimit is how long after the first lock the lease may be asked for: LiteFS
	// may take handoffPatience to hand it over, and gives the lock up after 30 seconds.
	askLimit = 15 * time.Second
)

// takeOver makes this replica the primary, and returns who was it before. On an
// error the cluster is as it was, or has another primary; writers go on.
func (b *boot) takeOver(ctx context.Context) (from peer, err error) {
	own, err := b.node.info(ctx)
	if err != nil {
		return peer{}, err
	}
	peers, _, err := b.peers(ctx, own)
	if err != nil {
		return peer{}, err
	}
	for _, p := range peers {
		if p.info.IsPrimary {
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
	ctx, cancel := context.WithTimeoutCause(ctx, askLimit, errors.New("its writers would be held up for too long"))
	defer cancel()
	dbs, err := positionsOf(ctx, p.addr)
	if err != nil {
		return err
	}
	id := strconv.FormatInt(1+rand.Int64N(1<<62), 10)
	held := map[string]position{}
	defer func() {
		for _, name := range sortedKeys(held) {
			err = errors.Join(err, letGo(context.WithoutCancel(ctx), p.addr, name, id))
		}
	}()
	for _, name := range sortedKeys(dbs) {
		held[name] = position{} // also where the answer is lost
		if held[name], err = halt(ctx, p.addr, name, id); err != nil {
			return err
		}
	}
	if err := b.fault("takeover.halted"); err != nil {
		return err
	}
	if err := b.reach(ctx, p, held); err != nil {
		return err
	}
	if err := b.fault("takeover.equal"); err != nil {
		return err
	}
	moved, err := b.takeLease(ctx, own, p)
	if moved && err != nil {
		clear(held) // it may let its writers write still: LiteFS has to end that
	}
	return err
}

// takeLease asks the primary for its lease, and returns when the two agree that it
// has moved. Once asked, LiteFS may take its time, and a writer that was let go
// meanwhile would write what nobody has: so this is not given up early.
func (b *boot) takeLease(ctx context.Context, own nodeInfo, p peer) (moved bool, err error) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), handoffPatience, fmt.Errorf("not in %v", handoffPatience))
	defer cancel()
	path := "/handoff?" + url.Values{"nodeID": {own.id}}.Encode()
	_, _, err = request{method: "POST", to: server{addr: p.addr}, path: path, patience: handoffPatience}.do(ctx)
	var no *refusal
	if errors.As(err, &no) {
		return false, err
	}
	if err := b.fault("takeover.asked"); err != nil {
		return false, err
	}
	for {
		own, err1 := b.node.info(ctx)
		theirs, err2 := infoOf(ctx, p.addr)
		moved = moved || err1 == nil && own.IsPrimary
		if moved && err2 == nil && !theirs.IsPrimary {
			return true, b.fault("takeover.done")
		}
		select {
		case <-ctx.Done():
			return moved, fmt.Errorf("%s was asked for the lease, and has not let it go: %w", p.addr, errors.Join(context.Cause(ctx), err2))
		case <-b.node.ended:
			return moved, errors.New("LiteFS has ended")
		case <-time.After(askAgain):
		}
	}
}

// reach waits until this node stands where the primary's databases were halted, and
// makes sure that they still are those of the primary.
func (b *boot) reach(ctx context.Context, p peer, want map[string]position) error {
	ctx, cancel := context.WithTimeoutCause(ctx, equalLimit, fmt.Errorf("not in %v", equalLimit))
	defer cancel()
	for {
		at, err := positionsOf(ctx, b.node.api)
		why := ""
		if err != nil {
			why = err.Error()
		} else if why = notAt(at, want); why == "" {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("this node does not reach the primary's position (%s): %w", why, context.Cause(ctx))
		case <-time.After(askAgain):
		}
	}
	info, err := infoOf(ctx, p.addr)
	if err == nil && (!info.IsPrimary || info.id != p.info.id) {
		err = fmt.Errorf("%s is not the primary any more", p.addr)
	}
	return err
}

// halt holds up the writers of a database, and says where it stands.
func halt(ctx context.Context, addr, db, id string) (position, error) {
	_, body, err := request{method: "POST", to: server{addr: addr}, path: haltPath(db, id), patience: haltPatience}.do(ctx)
	if err != nil {
		return position{}, err
	}
	var lock struct {
		Pos struct {
			TXID, PostApplyChecksum string
		}
	}
	if err := json.Unmarshal(body, &lock); err != nil {
		return position{}, fmt.Errorf("POST /halt: %w", err)
	}
	return parsePosition(lock.Pos.TXID + "/" + lock.Pos.PostApplyChecksum)
}

// letGo lets them go on.
func letGo(ctx context.Context, addr, db, id string) error {
	_, _, err := request{method: "DELETE", to: server{addr: addr}, path: haltPath(db, id)}.do(ctx)
	if err != nil {
		return fmt.Errorf("writers of %s at %s wait for up to 30s: %w", db, addr, err)
	}
	return nil
}

func haltPath(db, id string) string {
	return "/halt?" + url.Values{"name": {db}, "id": {id}}.Encode()
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
	if b.node.conf.Lease.Type == "static" || len(b.MigrateCommand) > 0 {
		return false
	}
	return b.MigrateFrom == FromAny || b.MigrateFrom == FromCandidate && info.Candidate
}

// giveBack returns the lease of a node that is no candidate, and has it in order to
// migrate alone. Where nobody can take it, this node stays the primary.
func (b *boot) giveBack(ctx context.Context, own nodeInfo, before peer) (done bool) {
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, b.LiteFSWait, fmt.Errorf("not in %v", b.LiteFSWait))
	defer cancel()
	to, err := b.giveLease(ctx, own, before.info.id)
	if err != nil {
		b.Logger.LogAttrs(ctx, slog.LevelWarn, "handoff", slog.String("outcome", "failed"), millis(time.Since(start)), slog.String("why", err.Error()),
			slog.String("warning", "this node is no candidate, and stays the primary until another can be it"))
		return false
	}
	b.Logger.LogAttrs(ctx, slog.LevelInfo, "handoff", slog.String("outcome", "ok"), millis(time.Since(start)), slog.String("to", to.addr), slog.String("why", "this node is no candidate: it was the primary in order to migrate"))
	return true
}
