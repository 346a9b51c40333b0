package entrypoint

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// watchdog looks after LiteFS from the moment it is ready to the app's end.
//
// LiteFS v0.5 waits for the answer of its lease server without a limit, and goes on
// taking writes as the primary. Another node may be primary by then, and whatever
// was written here is erased when the two meet. So the watchdog asks the lease
// server by itself, and stops LiteFS (SIGSTOP) before the time that the lease is
// good for has passed: from then on nothing that uses a database of its mount comes
// back, so no writer is told that its rows are safe. When the lease turns out to be
// this node's still, LiteFS goes on where it stood. When it is another's, LiteFS is
// killed before it can erase anything: the next boot puts aside what only this node
// has. So it is when nothing is heard until the lease has expired for certain, for
// replicas that are connected to it would otherwise wait for it too.
type watchdog struct {
	b     *boot
	n     *node
	lease *leaseKey // nil where there is nothing to confirm: a static lease
	ttl   time.Duration

	began     time.Time
	ticked    time.Time // when this loop last ran
	probed    time.Time // when LiteFS was last asked
	silent    time.Duration
	primary   bool
	session   string    // that holds the lease for this node
	asked     time.Time // when the lease was last asked for
	confirmed time.Time // up to when nobody else was the primary
	armed     bool      // it has been confirmed once, so it can be
	refused   bool      // the lease server answers, and not as it should
	warned    bool
	fenced    time.Time // zero when it is not
	problem   error     // of the last question about the lease

	dir    *os.Root // of watch.json
	dirErr error    // why it is not there

	probes chan probe // answers; one is under way while the other is nil
	claims chan claim
	roles  chan bool // LiteFS's, as soon as it changes
	busy   sync.WaitGroup
}

type probe struct {
	info nodeInfo
	err  error
	at   time.Time // when it was asked
}

// watchTick is how often the watchdog looks at the clock; much less than what is
// kept of a TTL for it to act.
const watchTick = 50 * time.Millisecond

// watchNode starts the watchdog, and returns what ends it.
func (b *boot) watchNode(ctx context.Context) (stop func()) {
	stopNoting := context.AfterFunc(ctx, b.node.noteEnding)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it stays while the app is being ended
	w := &watchdog{b: b, n: b.node, ttl: b.node.leaseTTL(), began: time.Now(), roles: make(chan bool)}
	if !b.NoFence {
		w.lease = b.node.leaseKey(b.getenv)
	}
	w.ticked = w.began
	w.dir, w.dirErr = os.OpenRoot(b.state.dir)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	return func() {
		stopNoting()
		cancel()
		<-done
		if !w.fenced.IsZero() { // it would not hear a signal that asks
			w.kill(ctx, "its lease could not be confirmed when the boot ended")
		}
		if w.dirErr == nil {
			_ = w.dir.Close() // it was only read
		}
	}
}

func (w *watchdog) run(ctx context.Context) {
	defer w.busy.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	w.tell("ok", "")
	w.busy.Go(func() { w.listen(ctx) })
	for {
		w.tick(ctx)
		roles := w.roles
		if !w.fenced.IsZero() {
			roles = nil // what it has told before it was stopped, is heard when it goes on
		}
		select {
		case <-ctx.Done():
			w.tell("ended", "")
			return
		case <-w.n.ended:
			return
		case p := <-w.probes:
			w.probes = nil
			w.onProbe(ctx, p)
		case c := <-w.claims:
			w.claims = nil
			w.onClaim(ctx, c)
		case isPrimary := <-roles:
			if w.primary && !isPrimary {
				w.givenUp(ctx)
			}
		case <-tick.C:
		}
	}
}

// since is how long ago t was by any clock: a machine that was suspended may have
// lost it in one of them.
func since(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

// overdue is how much of the TTL may pass; the rest is for stopping LiteFS. That is
// earlier where the lease server refuses: LiteFS may have asked half a TTL ago, and
// gives the lease up when nine tenths have passed and it is refused.
func (w *watchdog) overdue() time.Duration {
	if w.refused {
		return w.ttl * 35 / 100
	}
	return w.ttl - w.ttl/10
}

// expired is when the lease is gone for sure: Consul keeps a session for up to two
// TTLs.
func (w *watchdog) expired() time.Duration { return 2*w.ttl + w.ttl/10 }

// tick acts on what the clock says, first of all, and asks anew.
func (w *watchdog) tick(ctx context.Context) {
	if at := w.n.ending.Load(); at != 0 && !w.fenced.IsZero() && time.Since(time.Unix(0, at)) > w.b.Grace {
		// What waits in a mount that does not answer cannot even be killed.
		w.kill(ctx, "its lease could not be confirmed, and the boot was to end")
	}
	if !w.fenced.IsZero() && since(w.confirmed) > w.expired() && time.Since(w.fenced) > w.ttl/2 {
		// Replicas that are connected to it wait for it, instead of for the lease.
		w.kill(ctx, fmt.Sprintf("its lease could not be confirmed for %v, and is another's to take", w.expired()))
	}
	if w.primary && w.armed && w.fenced.IsZero() && since(w.confirmed) > w.overdue() {
		w.fence(ctx)
	}
	// Time in which this process did not run either is no silence of LiteFS's.
	now := time.Now()
	gap := min(now.Sub(w.ticked), 4*watchTick)
	w.ticked = now
	if w.fenced.IsZero() {
		if w.silent += gap; w.silent > w.b.LiteFSHang {
			w.kill(ctx, fmt.Sprintf("it gave no answer at %s for %v (FLYSQL_LITEFS_HANG)", w.n.api, w.b.LiteFSHang))
		}
	}
	late := since(w.confirmed) > w.ttl/2
	every := w.ttl / 20
	if late {
		every = watchTick // its role must be known when the time is up
	}
	if w.probes == nil && w.fenced.IsZero() && now.Sub(w.probed) >= min(every, time.Second/2) {
		w.probed = now
		w.probes = ask(w, func() probe { info, err := w.n.info(ctx); return probe{info, err, now} })
	}
	again := w.ttl / 5
	if w.refused {
		again = w.ttl / 20
	}
	if w.lease != nil && w.primary && w.claims == nil && now.Sub(w.asked) >= again {
		w.asked = now
		w.claims = ask(w, func() claim { return w.claim(ctx) })
	}
}

// ask runs a question beside the loop, which must never wait.
func ask[T any](w *watchdog, question func() T) chan T {
	answer := make(chan T, 1)
	w.busy.Go(func() { answer <- question() })
	return answer
}

func (w *watchdog) onProbe(ctx context.Context, p probe) {
	if p.err != nil {
		return
	}
	w.silent = 0
	if !w.fenced.IsZero() {
		return // it was asked before
	}
	if p.info.IsPrimary && !w.primary {
		// It may have the lease since just after the last answer: less than what is
		// kept of a TTL.
		w.primary, w.session, w.confirmed, w.asked = true, "", p.at, time.Time{}
	}
	if !p.info.IsPrimary && w.primary { // its event has not come
		w.givenUp(ctx)
	}
}

// claim asks about the lease, and once more where it is said to be lost: LiteFS may
// just have given it up itself.
func (w *watchdog) claim(ctx context.Context) claim {
	patience := w.ttl / 2
	c := w.lease.claim(ctx, patience, w.session)
	if !c.lost || !w.fenced.IsZero() {
		return c
	}
	for range 2 {
		if info, err := w.n.info(ctx); err == nil && !info.IsPrimary {
			c.lost, c.err = false, errGivenUp
			return c
		}
		if c = w.lease.claim(ctx, patience, w.session); !c.lost {
			return c
		}
	}
	return c
}

var errGivenUp = fmt.Errorf("LiteFS has given the lease up")

func (w *watchdog) onClaim(ctx context.Context, c claim) {
	w.problem, w.refused = c.err, c.refused
	switch {
	case !w.primary:
	case c.lost && w.armed:
		w.kill(ctx, lostTo(c.holder))
	case c.err != nil || c.lost:
		w.session = c.session
		if !w.armed && !w.warned && since(w.confirmed) > w.ttl {
			w.warned = true
			w.b.Logger.LogAttrs(ctx, slog.LevelWarn, "lease", slog.String("outcome", "unknown"), slog.String("why", w.why()),
				slog.String("warning", "the lease cannot be read, so writes are not stopped when it is lost; FLYSQL_FENCE=off says that this is meant"))
		}
	default:
		w.session, w.armed = c.session, true
		if c.asked.After(w.confirmed) {
			w.confirmed = c.asked
		}
		if since(w.confirmed) < w.overdue() {
			w.unfence(ctx)
		}
	}
}

func lostTo(holder string) string {
	if holder == "" {
		return "its lease is gone, so another node may be the primary"
	}
	return "its lease is gone: " + holder + " is the primary"
}

// why is the last problem, in words.
func (w *watchdog) why() string {
	if w.problem == nil {
		return "the lease server has not answered"
	}
	return "the lease server: " + w.problem.Error()
}

// fence stops LiteFS, and with it whatever uses a database of its mount.
func (w *watchdog) fence(ctx context.Context) {
	if err := w.n.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return // it has ended
	}
	w.fenced = time.Now()
	why := w.why()
	w.asked = time.Time{}
	w.tell("fenced", why) // before the log, by which somebody may look
	w.b.Logger.LogAttrs(ctx, slog.LevelWarn, "lease", slog.String("outcome", "fenced"), slog.String("why", why),
		slog.String("unconfirmed", since(w.confirmed).Round(time.Millisecond).String()), slog.String("effect", "LiteFS is stopped: reads and writes of its databases wait"))
}

func (w *watchdog) unfence(ctx context.Context) {
	if w.fenced.IsZero() {
		return
	}
	took := time.Since(w.fenced)
	w.fenced, w.silent = time.Time{}, 0
	w.goOn()
	w.tell("ok", "")
	w.b.Logger.LogAttrs(ctx, slog.LevelInfo, "lease", slog.String("outcome", "confirmed"), millis(took), slog.String("effect", "LiteFS goes on"))
}

// kill ends LiteFS at once; what runs beside it is ended by who waits for it.
func (w *watchdog) kill(ctx context.Context, why string) {
	if w.n.hasEnded() || !w.n.fate.set(why) {
		return
	}
	w.b.killNode() // first of all
	w.tell("killed", why)
	w.b.Logger.LogAttrs(ctx, slog.LevelError, "lease", slog.String("outcome", "killing"), slog.String("why", why))
}

// noteEnding tells the watchdog from when on the grace runs.
func (n *node) noteEnding() { n.ending.CompareAndSwap(0, time.Now().UnixNano()) }

// graceFromNow is the end of the grace of what is asked to end now.
func (b *boot) graceFromNow() <-chan time.Time {
	if b.node != nil {
		b.node.noteEnding()
	}
	return time.After(b.Grace)
}

// graceLeft is what is left of the grace for what the app has left behind: beside
// LiteFS the whole way down has to fit into the machine's kill_timeout.
func (b *boot) graceLeft() time.Duration {
	if b.node == nil || b.node.ending.Load() == 0 {
		return b.Grace
	}
	left := b.Grace - since(time.Unix(0, b.node.ending.Load()))
	return min(max(left, deafGrace), b.Grace)
}

// fate is why LiteFS was killed by this process.
type fate struct {
	mu  sync.Mutex
	why string
}

// set tells whether it was the first to do so.
func (f *fate) set(why string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.why != "" {
		return false
	}
	f.why = why
	return true
}

// hasEnded tells whether LiteFS has been started and has ended.
func (n *node) hasEnded() bool {
	select {
	case <-n.ended:
		return true
	default:
		return false
	}
}

// isLost is hasEnded, and returns only when LiteFS has, where it was killed.
func (n *node) isLost() bool {
	n.fate.mu.Lock()
	killed := n.fate.why != ""
	n.fate.mu.Unlock()
	if killed {
		<-n.ended
	}
	return n.hasEnded()
}

// endedWith is how LiteFS has ended, to follow "LiteFS ended with".
func (n *node) endedWith() string {
	n.fate.mu.Lock()
	defer n.fate.mu.Unlock()
	status := statusText(n.cmd.ProcessState)
	if n.fate.why != "" {
		status += ", because " + n.fate.why + ","
	}
	return status
}
