package appdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flysql/flysql/engine"
)

const (
	// settle is how long a write waits for the role of this machine to be known: a
	// handover takes some tenths of a second, and an engine that is not heard is
	// called again within that time.
	settle = time.Second
	// holdLimit is how long reads are held back when the role changes.
	holdLimit = 250 * time.Millisecond
	// holdRest is how long they are not held back again after that was in vain.
	holdRest = 10 * time.Second
	// faultRest is how long LiteFS has to set the shared memory right after a fault.
	faultRest = 20 * time.Millisecond
	// eventLag is how late an engine may tell what its file system knows already.
	eventLag = 100 * time.Millisecond
)

// A node is this machine's part in what copies the database to others.
type node struct {
	path    string
	engine  engine.Engine   // nil: all that is known is that the file is LiteFS's
	litefs  bool            // the file lies in a LiteFS mount
	commits *engine.Commits // nil where the engine has none

	// generation is that of the connections that may be used, and drop closes those
	// that nobody uses.
	generation atomic.Uint64
	drop       func()
	look       func() (driver.Conn, error) // opens a connection that only reads
	connecting sync.RWMutex                // held to connect; and alone, to drop
	wal        atomic.Bool                 // the database has shared memory
	faults     atomic.Int64                // in it, and
	renewals   atomic.Int64                // that are under way; for tests

	held atomic.Pointer[hold] // what reads wait for; nil where they need not
	vain atomic.Int64         // when a hold last ended by its limit, in Unix nanoseconds
	lost atomic.Int64         // since when the role has been unknown; 0 where it is known

	stop  context.CancelFunc
	ended sync.WaitGroup
}

// A hold ends when over is closed.
type hold struct {
	over  chan struct{}
	limit *time.Timer
}

// newNode returns nil where the file is this machine's alone.
func newNode(path string, e engine.Engine) *node {
	n := &node{path: path, engine: e, litefs: onLiteFS(path)}
	if e == nil && !n.litefs {
		return nil
	}
	if e != nil && e.State().Role == engine.RoleUnknown {
		n.lost.Store(time.Now().UnixNano())
	}
	if e, ok := e.(interface{ Commits() *engine.Commits }); ok {
		n.commits = e.Commits()
		n.commits.Count()
	}
	return n
}

// start begins to follow the role, until close. drop closes all connections that
// nobody uses, and look opens one that only reads.
func (n *node) start(drop func(), look func() (driver.Conn, error)) {
	if n.drop, n.look = drop, look; n.engine == nil {
		return
	}
	var ctx context.Context
	ctx, n.stop = context.WithCancel(context.Background())
	st := n.engine.State()
	n.ended.Go(func() { n.follow(ctx, st) })
}

// close ends the following.
func (n *node) close() {
	if n == nil || n.stop == nil {
		return
	}
	n.stop()
	n.ended.Wait()
	n.release()
}

// follow holds reads back while the role changes. LiteFS needs a moment without any
// reader to go from one role to the other. It asks for that at ever longer intervals,
// and from a busy app never gets it otherwise.
func (n *node) follow(ctx context.Context, st engine.State) {
	for st.Changed != nil {
		select {
		case <-st.Changed:
		case <-ctx.Done():
			return
		}
		next := n.engine.State()
		if next.Role != st.Role {
			n.became(next.Role)
		}
		st = next
	}
}

// became acts on another role.
func (n *node) became(role engine.Role) {
	if role == engine.RoleUnknown {
		n.lost.Store(time.Now().UnixNano())
		n.hold()
	} else {
		n.lost.Store(0)
		n.release()
	}
	n.renew()
}

// renew gives up all connections that there are, at once or when their users are done
// with them. SQLite keeps the index of a log mapped as long as one of a process's
// connections is open, and LiteFS shortens it when the role changes: who then comes to
// need the part that is gone meets a fault, again and again.
func (n *node) renew() {
	n.generation.Add(1)
	n.connecting.Lock()
	defer n.connecting.Unlock()
	n.drop()
}

// renewSoon is for who has met such a fault: in a moment, LiteFS will be done.
func (n *node) renewSoon() {
	n.renewals.Add(1)
	n.faults.Add(1)
	time.AfterFunc(faultRest, func() {
		defer n.renewals.Add(-1)
		n.renew()
	})
}

// sound reports whether the shared memory can be read at the moment. It takes a new
// connection to find out: one that has met a fault may not get as far a second time.
func (n *node) sound() bool {
	if !n.wal.Load() {
		return true
	}
	conn, err := n.look()
	if err != nil {
		return true // not for want of shared memory
	}
	defer conn.Close()
	err = guard(func() error {
		_, err := queryText(context.Background(), conn, "PRAGMA user_version")
		return err
	})
	if errors.Is(err, errShared) {
		n.faults.Add(1)
		return false
	}
	return true
}

// hold makes reads wait until release, or for holdLimit. Where that was in vain not
// long ago the role is unknown for a longer time, and reads go on as they can.
func (n *node) hold() {
	if time.Since(time.Unix(0, n.vain.Load())) < holdRest {
		return
	}
	h := &hold{over: make(chan struct{})}
	n.held.Store(h)
	h.limit = time.AfterFunc(holdLimit, func() {
		if n.held.CompareAndSwap(h, nil) {
			n.vain.Store(time.Now().UnixNano())
			close(h.over)
		}
	})
}

// release lets reads go on.
func (n *node) release() {
	if h := n.held.Swap(nil); h != nil {
		h.limit.Stop()
		close(h.over)
	}
}

// waitHeld waits where reads are held back.
func (n *node) waitHeld(ctx context.Context) error {
	h := n.held.Load()
	if h == nil {
		return nil
	}
	select {
	case <-h.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// primary reports whether this machine may write, as far as is known without waiting.
func (n *node) primary() bool {
	if n.engine == nil {
		_, replica := mountPrimary(n.path)
		return !replica
	}
	return n.engine.State().Role == engine.RolePrimary
}

// await returns nil where this machine is the primary, and an [ErrReplica] where it
// is not, or the error of ctx where that ended first. While the role is unknown, and has not been so for long, it waits. Where
// there is no engine to ask, LiteFS's mount says when this is a replica for certain.
func (n *node) await(ctx context.Context) error {
	if n.primary() {
		return nil
	}
	if n.engine == nil {
		primary, _ := mountPrimary(n.path)
		return &ReplicaError{Primary: primary}
	}
	limit := settle
	if lost := n.lost.Load(); lost != 0 {
		limit = time.Until(time.Unix(0, lost).Add(settle))
	}
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	st, err := engine.Wait(short, n.engine, func(st engine.State) bool { return st.Role != engine.RoleUnknown })
	switch {
	case err == nil && st.Role == engine.RolePrimary:
		return nil
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w while it was not known which machine is the primary", ctx.Err())
	}
	return &ReplicaError{Primary: st.Primary}
}

// confirm watches for a time whether this machine stays the primary after a commit.
func (n *node) confirm(ctx context.Context, d time.Duration) error {
	short, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	_, err := engine.Wait(short, n.engine, func(st engine.State) bool { return st.Role != engine.RolePrimary })
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w while it was confirmed", ErrUnknown, ctx.Err())
	case err != nil: // nothing happened
		return nil
	}
	if err := n.await(ctx); err != nil {
		// Not wrapped: an ErrReplica says that nothing was written.
		return fmt.Errorf("%w: just after it %v", ErrUnknown, err)
	}
	return nil
}

// notPrimary reports whether this machine is certainly not the primary, and who is.
func (n *node) notPrimary() (primary string, certain bool) {
	if n.engine == nil {
		return mountPrimary(n.path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), eventLag)
	defer cancel()
	st, err := engine.Wait(ctx, n.engine, func(st engine.State) bool { return st.Role != engine.RolePrimary })
	if err != nil && n.litefs {
		return mountPrimary(n.path) // the engine may be another node's
	}
	return st.Primary, err == nil
}
