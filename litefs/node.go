package litefs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flysql/flysql/engine"
)

// A Node is one LiteFS, followed from beside it. Its methods may be called by
// several goroutines at once.
type Node struct {
	cfg Config
	api *api
	log *slog.Logger

	state   atomic.Pointer[State]
	changed chan struct{} // closed by the publication that makes state's Changed true
	waiting waiters
	commits engine.Commits

	self string // the node's hostname, once it has been the primary; the goroutine's
	own  *mount // read by the goroutine that follows
	read *mount // read by ReadPosition

	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// closeLimit is how long Close waits for a mount that does not answer.
const closeLimit = time.Second

// Open follows the node that c names, until [Node.Close]. It does not wait for it:
// the first state is RoleUnknown. An error is one of [Config.Validate].
func Open(c Config) (*Node, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	base, err := c.base()
	if err != nil {
		return nil, err
	}
	c = c.withDefaults()
	if c.FUSEDir, err = filepath.Abs(c.FUSEDir); err != nil {
		return nil, fmt.Errorf("litefs: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &Node{
		cfg: c, api: newAPI(base), log: c.Logger.With("litefs", base.Host),
		own: newMount(c.FUSEDir, 1, false), read: newMount(c.FUSEDir, 4, true),
		cancel: cancel, changed: make(chan struct{}),
	}
	n.state.Store(&State{Err: errNotYet, At: time.Now(), Changed: n.changed})
	n.ended.Go(func() { n.follow(ctx) })
	return n, nil
}

// errNotYet is State.Err before the first attempt to reach LiteFS has ended.
var errNotYet = errors.New("LiteFS has not answered yet")

// Close ends the following, and with [ErrClosed] all waiting. It returns when its
// goroutines have ended; a second Close does the same. The error says that one
// could not end, because it reads a file of a LiteFS that hangs: it ends with that.
func (n *Node) Close() error {
	n.cancel()
	n.ended.Wait()
	n.api.closeIdle()
	if err := errors.Join(n.own.wait(closeLimit), n.read.wait(closeLimit)); err != nil {
		return fmt.Errorf("litefs: close: %w", err)
	}
	return nil
}

// Commits counts what this process commits to the node's databases, where package
// appdb opens them with the node as its engine.
func (n *Node) Commits() *engine.Commits { return &n.commits }

// State is what is known of the node at this moment. It is an atomic load, and may
// be called as often as one likes. A position is told when LiteFS has told it: late
// by a millisecond perhaps, never early. For the position just after a write of
// one's own there is [Node.ReadPosition].
func (n *Node) State() State { return *n.state.Load() }

// WaitPrimary waits until a primary is known, this node or another, and returns
// that state. The error is that of ctx or [ErrClosed], with what was in the way.
func (n *Node) WaitPrimary(ctx context.Context) (State, error) {
	st, err := Wait(ctx, n, func(st State) bool { return st.Role != RoleUnknown })
	if err == nil {
		return st, nil
	}
	if st.Err != nil && !errors.Is(err, ErrClosed) {
		return st, fmt.Errorf("litefs: wait for a primary: %w (%w)", err, st.Err)
	}
	return st, fmt.Errorf("litefs: wait for a primary: %w", err)
}

// ReadPosition reads a database's position from the mount: what has been committed
// by now is in it, where [Node.State] may be a moment behind. It costs some system
// calls and LiteFS some 0.3 ms. [ErrNoDatabase] says that there is none.
func (n *Node) ReadPosition(ctx context.Context, db string) (Pos, error) {
	if n.cfg.Remote {
		return Pos{}, fmt.Errorf("litefs: read position of %s: the mount of a remote node is not here", quote(db))
	}
	pos, err := n.read.position(ctx, db)
	if err != nil {
		return Pos{}, fmt.Errorf("litefs: read position of %s: %w", quote(db), err)
	}
	return pos, nil
}

// publish makes next the state. db is the one database whose position it changes,
// "" where it may be any. Only the goroutine that follows calls it.
func (n *Node) publish(next State, db string) {
	prev := n.state.Load()
	next.At = time.Now()
	next.Epoch, next.Since, next.Changed = prev.Epoch, prev.Since, prev.Changed
	moved := moves(prev, &next)
	if moved {
		next.Epoch++
		next.Since = next.At
	}
	passed := n.changed
	if alters(prev, &next) {
		n.changed = make(chan struct{})
		next.Changed = n.changed
	} else {
		passed = nil
	}

	n.waiting.mu.Lock()
	n.state.Store(&next)
	if moved {
		n.waiting.turned() // what follows may be another history
	}
	n.waiting.remember(&next, db)
	n.waiting.arrived(&next, db)
	n.waiting.mu.Unlock()

	if passed != nil {
		close(passed)
	}
	if moved {
		n.log.Info("role", "role", next.Role.String(), "primary", next.Primary)
	}
}

// publishClosed makes the last state.
func (n *Node) publishClosed() {
	prev := n.state.Load()
	last := State{Err: ErrClosed, At: time.Now(), Epoch: prev.Epoch}
	if prev.Role != RoleUnknown {
		last.Epoch++
	}
	n.waiting.mu.Lock()
	n.state.Store(&last)
	n.waiting.close()
	n.waiting.mu.Unlock()
	close(n.changed)
}
