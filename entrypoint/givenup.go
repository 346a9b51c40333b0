package entrypoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"syscall"
	"time"
)

// LiteFS may give its lease up by itself: it asks for it only each half of a TTL, and
// is told then that it is gone, or is refused an answer for too long. From there on it
// is a replica, of whoever has the lease, and replaces what only this node has, within
// some round trips. So the watchdog listens to its events, stops it at once, and asks
// whose the lease is. Where it was handed over LiteFS goes on. Else it is killed: the
// next boot salvages.

// givenLimit is how long another node may take to take over what was handed to it.
const givenLimit = 2 * time.Second

// givenUp is called when LiteFS is the primary no longer.
func (w *watchdog) givenUp(ctx context.Context) {
	w.primary = false
	if w.lease == nil || !w.armed || w.session == "" {
		return // nothing is known of its lease, or it cannot be old enough to be lost
	}
	if w.n.cmd.Process.Signal(syscall.SIGSTOP) != nil {
		return // it has ended
	}
	if why := w.notGiven(ctx); why != "" {
		w.kill(ctx, why)
		return
	}
	w.goOn()
}

func (w *watchdog) goOn() { _ = w.n.cmd.Process.Signal(syscall.SIGCONT) } // one that has ended is found by its wait

// notGiven says what is against going on as a replica, or "" where another node has
// been given the lease, or this one has it again. While the key is held by the session
// that this node had, nobody else can be primary by himself, and LiteFS goes on, for
// it may have to tell the other one.
func (w *watchdog) notGiven(ctx context.Context) (why string) {
	for deadline := time.Now().Add(givenLimit); ; {
		h, session, err := w.lease.holder(ctx, givenLimit)
		ours := session == w.session
		switch {
		case err != nil:
			return "it has given its lease up, and the lease server does not say whose it is: " + err.Error()
		case session == "":
			return lostTo("")
		case !w.lease.self.is(h) && !ours:
			return lostTo(h.Hostname)
		case !ours, !w.lease.self.is(h): // its own again; handed over
			return ""
		case time.Now().After(deadline):
			return "it has given its lease up, and nobody has taken it"
		}
		w.goOn()
		select {
		case <-ctx.Done():
			return ""
		case <-w.n.ended:
			return ""
		case <-time.After(askAgain):
		}
	}
}

// listen follows LiteFS's events as long as ctx lives.
func (w *watchdog) listen(ctx context.Context) {
	for ctx.Err() == nil {
		// The stream ends with LiteFS, or when it takes this for too slow.
		_, _, _ = request{to: server{addr: w.n.api}, path: "/events", patience: 1 << 62, into: &roleLines{ctx: ctx, roles: w.roles}}.do(ctx)
		select {
		case <-ctx.Done():
		case <-w.n.ended:
			return
		case <-time.After(watchTick):
		}
	}
}

// roleLines hands on the roles in LiteFS's events, which come as lines of JSON.
type roleLines struct {
	ctx   context.Context
	roles chan<- bool // whether it is the primary
	line  []byte
}

func (r *roleLines) Write(p []byte) (int, error) {
	r.line = append(r.line, p...)
	for {
		line, rest, whole := bytes.Cut(r.line, []byte("\n"))
		if !whole {
			break
		}
		r.line = rest
		var e struct{ Data struct{ IsPrimary *bool } }
		// Most of them are transactions.
		if !bytes.Contains(line, []byte(`"isPrimary"`)) || json.Unmarshal(line, &e) != nil || e.Data.IsPrimary == nil {
			continue
		}
		select {
		case r.roles <- *e.Data.IsPrimary:
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
	if len(r.line) > maxLine {
		return 0, errors.New("GET /events: a line has no end")
	}
	r.line = append([]byte{}, r.line...) // not what has been read before it
	return len(p), nil
}
