package litefs

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
)

// WaitPosition returns nil when the node has reached pos of db, at once where it
// has. Before that it waits: for the database, where there is none yet, and for
// LiteFS, where it does not answer. The zero Pos is reached by every node.
//
// Where the database has another checksum at pos's TXID the error is
// [ErrDiverged]. Once it has gone beyond, that can be told only if the node saw the
// TXID go by, some hundred transactions ago at most and from the same primary;
// otherwise having gone beyond counts as having reached.
//
// The other errors are [ErrClosed], and that of ctx with where the node stood. A
// waiter costs a channel and a place in a heap; a transaction wakes only those
// that it lets go.
func (n *Node) WaitPosition(ctx context.Context, db string, pos Pos) error {
	if st := n.state.Load(); pos.TXID == 0 || reachedExactly(st, db, pos) {
		return nil
	}
	w, err := n.waiting.register(n, db, pos)
	if w == nil {
		return waitError(db, pos, err)
	}
	select {
	case err := <-w.verdict:
		return waitError(db, pos, err)
	case <-ctx.Done():
	}
	if err, decided := n.waiting.forget(w); decided {
		return waitError(db, pos, err)
	}
	st := n.State()
	at := "LiteFS has no such database"
	if p, ok := st.Position(db); ok {
		at = "it is at " + p.String()
	} else if st.Err != nil {
		at = st.Err.Error()
	}
	return fmt.Errorf("litefs: wait for %s to reach %v: %w (%s)", quote(db), pos, context.Cause(ctx), at)
}

func waitError(db string, pos Pos, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("litefs: wait for %s to reach %v: %w", quote(db), pos, err)
}

// reachedExactly is what needs no lock to be decided.
func reachedExactly(st *State, db string, pos Pos) bool {
	at, ok := st.Position(db)
	return ok && (at.TXID == pos.TXID && same(at, pos) || at.TXID > pos.TXID && pos.PostApplyChecksum == 0)
}

// waiters are those who wait for positions, and what they are judged by. Its lock
// is held while a state is published, so that whoever registers either sees that
// state or is seen by it.
type waiters struct {
	mu     sync.Mutex
	byDB   map[string]*waitHeap
	past   map[string]*history
	closed bool
}

type waiter struct {
	db      string
	pos     Pos
	verdict chan error // holds one, given once
	index   int        // in the heap; -1 when it has its verdict
}

// register returns a waiter, or nil and the verdict where that is clear already.
func (ws *waiters) register(n *Node, db string, pos Pos) (*waiter, error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		return nil, ErrClosed
	}
	if at, ok := n.state.Load().Position(db); ok && at.TXID >= pos.TXID {
		return nil, ws.judge(db, pos, at)
	}
	w := &waiter{db: db, pos: pos, verdict: make(chan error, 1)}
	if ws.byDB == nil {
		ws.byDB = map[string]*waitHeap{}
	}
	h := ws.byDB[db]
	if h == nil {
		h = &waitHeap{}
		ws.byDB[db] = h
	}
	heap.Push(h, w)
	return w, nil
}

// forget takes back a waiter, unless its verdict was given in the meantime.
func (ws *waiters) forget(w *waiter) (err error, decided bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w.index < 0 {
		return <-w.verdict, true
	}
	h := ws.byDB[w.db]
	heap.Remove(h, w.index)
	if h.Len() == 0 {
		delete(ws.byDB, w.db)
	}
	return nil, false
}

// judge says whether a database at a position has had pos, which is not ahead of it.
func (ws *waiters) judge(db string, pos, at Pos) error {
	if h := ws.past[db]; at.TXID > pos.TXID && h != nil {
		if was, ok := h.at(pos.TXID); ok {
			at = was
		}
	}
	if at.TXID == pos.TXID && !same(at, pos) {
		return ErrDiverged
	}
	return nil
}

// arrived gives their verdicts to those whom st lets go; db is the database that
// moved, "" where any may have. ws.mu is held.
func (ws *waiters) arrived(st *State, db string) {
	if db != "" {
		ws.release(st, db, ws.byDB[db])
		return
	}
	for db, h := range ws.byDB {
		ws.release(st, db, h)
	}
}

func (ws *waiters) release(st *State, db string, h *waitHeap) {
	if h == nil {
		return
	}
	at, ok := st.Position(db)
	for ok && h.Len() > 0 && (*h)[0].pos.TXID <= at.TXID {
		w := heap.Pop(h).(*waiter)
		w.verdict <- ws.judge(db, w.pos, at)
	}
	if h.Len() == 0 {
		delete(ws.byDB, db)
	}
}

// close ends all waiting. ws.mu is held.
func (ws *waiters) close() {
	ws.closed = true
	for _, h := range ws.byDB {
		for h.Len() > 0 {
			heap.Pop(h).(*waiter).verdict <- ErrClosed
		}
	}
	ws.byDB, ws.past = nil, nil
}

// remember notes the position of db in st, or of all where db is "". ws.mu is held.
func (ws *waiters) remember(st *State, db string) {
	if db != "" {
		if pos, ok := st.Position(db); ok {
			ws.pastOf(db).add(pos)
		}
		return
	}
	for _, d := range st.Databases {
		ws.pastOf(d.Name).add(d.Pos)
	}
}

// turned says that what a database comes to next may be of another history. What it
// has stays of the one before until then: a replica with transactions that the new
// primary lacks keeps them until that has sent it others. ws.mu is held.
func (ws *waiters) turned() {
	for _, h := range ws.past {
		h.turned = true
	}
}

func (ws *waiters) pastOf(db string) *history {
	if ws.past == nil {
		ws.past = map[string]*history{}
	}
	h := ws.past[db]
	if h == nil {
		h = &history{}
		ws.past[db] = h
	}
	return h
}

// historyLen is how many transactions of a database are remembered, at least.
const historyLen = 128

// history is the checksums of a database after its latest transactions, one TXID
// after the other.
type history struct {
	last   uint64 // the TXID of the newest
	sums   []uint64
	turned bool // with the next TXID all but the newest is forgotten
}

// add notes pos. One that does not follow begins anew: whether those before belong
// to the same history is not known then.
func (h *history) add(pos Pos) {
	newest := len(h.sums) - 1
	switch {
	case newest >= 0 && pos.TXID == h.last && pos.PostApplyChecksum == h.sums[newest]:
		return
	case newest >= 0 && h.turned:
		h.sums, h.turned = append(h.sums[:0], h.sums[newest]), false
		h.add(pos)
		return
	case newest >= 0 && pos.TXID == h.last+1:
		if len(h.sums) == 2*historyLen {
			h.sums = h.sums[:copy(h.sums, h.sums[historyLen:])]
		}
	default:
		h.sums = h.sums[:0]
	}
	h.last, h.sums = pos.TXID, append(h.sums, pos.PostApplyChecksum)
}

func (h *history) at(txid uint64) (Pos, bool) {
	if txid > h.last || h.last-txid >= uint64(len(h.sums)) {
		return Pos{}, false
	}
	return Pos{TXID: txid, PostApplyChecksum: h.sums[uint64(len(h.sums))-1-(h.last-txid)]}, true
}

// waitHeap has the waiter with the lowest TXID first.
type waitHeap []*waiter

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].pos.TXID < h[j].pos.TXID }
func (h waitHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *waitHeap) Push(x any) {
	w := x.(*waiter)
	w.index = len(*h)
	*h = append(*h, w)
}
func (h *waitHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	w.index = -1
	return w
}
