package litefs

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// quiet is a Node whose states the test makes.
func quiet(role Role, dbs ...Database) *Node {
	n := &Node{changed: make(chan struct{}), cfg: Config{}.withDefaults()}
	n.log = n.cfg.Logger
	n.state.Store(&State{Changed: n.changed})
	n.publish(State{Role: role, Databases: dbs}, "")
	return n
}

// move publishes that db is at pos.
func (n *Node) move(db string, pos Pos) {
	st := n.State()
	st.Databases = with(st.Databases, db, pos)
	n.publish(st, db)
}

// What WaitPosition says of a position at once.
func TestJudged(t *testing.T) {
	ended := canceled()
	n := quiet(RoleReplica, dbAt("app.db", 10, 100))
	for txid := uint64(11); txid <= 20; txid++ {
		n.move("app.db", posAt(txid, txid*10))
	}
	check := func(name string, pos Pos, want error) {
		t.Helper()
		if err := n.WaitPosition(ended, "app.db", pos); !errors.Is(err, want) {
			t.Errorf("%s: %v: %v, want %v", name, pos, err, want)
		}
	}
	check("zero", Pos{}, nil)
	check("now", posAt(20, 200), nil)
	check("now, checksum unknown", posAt(20, 0), nil)
	check("now, another", posAt(20, 201), ErrDiverged)
	check("before", posAt(12, 120), nil)
	check("before, another", posAt(12, 121), ErrDiverged)
	check("before, checksum unknown", posAt(12, 0), nil)
	check("before what was seen", posAt(9, 1), nil)
	check("ahead", posAt(21, 210), context.Canceled)
	if err := n.WaitPosition(ended, "other.db", posAt(1, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("a database that is not there: %v", err)
	}

	// Back to 15, of another history: what was seen before says nothing any more.
	n.move("app.db", posAt(15, 151))
	check("taken back", posAt(15, 151), nil)
	check("lost at the same TXID", posAt(15, 150), ErrDiverged)
	check("lost beyond", posAt(20, 200), context.Canceled)
	check("before it", posAt(12, 121), nil)

	// A gap: a snapshot may be of any history.
	n.move("app.db", posAt(30, 300))
	check("over the gap", posAt(15, 150), nil)

	// Another primary may have another history too.
	n.move("app.db", posAt(31, 310))
	st := n.State()
	st.Primary = "other"
	n.publish(st, "")
	check("at the change, of what is there still", posAt(30, 301), ErrDiverged)
	check("at the change, there still", posAt(30, 300), nil)
	n.move("app.db", posAt(32, 320))
	check("of the primary before", posAt(30, 301), nil)
	check("at the change", posAt(31, 311), ErrDiverged)
}

// The history is bounded, and right at its edges.
func TestHistory(t *testing.T) {
	var h history
	const last = 10 * historyLen
	for txid := uint64(1); txid <= last; txid++ {
		h.add(posAt(txid, txid))
		h.add(posAt(txid, txid)) // told twice
	}
	if len(h.sums) > 2*historyLen || cap(h.sums) > 4*historyLen {
		t.Errorf("%d of %d are kept", len(h.sums), cap(h.sums))
	}
	for txid := uint64(0); txid <= last+1; txid++ {
		pos, ok := h.at(txid)
		if ok && pos != posAt(txid, txid) || txid > last-historyLen && txid <= last && !ok || txid > last && ok {
			t.Fatalf("at %d: %v, %v", txid, pos, ok)
		}
	}
	h.add(posAt(1<<63, 5))
	if _, ok := h.at(last); ok {
		t.Error("a gap was bridged")
	}
}

// Who waits is woken by what it waits for, and by nothing before it.
func TestWaitPositionWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := quiet(RoleReplica)
		got := map[uint64]error{}
		var mu sync.Mutex
		for _, txid := range []uint64{5, 3, 4, 3, 9} {
			go func() {
				err := n.WaitPosition(context.Background(), "app.db", posAt(txid, txid))
				mu.Lock()
				defer mu.Unlock()
				got[txid] = err
			}()
		}
		woken := func(want int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(got) != want {
				t.Fatalf("woken: %v, want %d", got, want)
			}
		}
		woken(0)
		n.move("app.db", posAt(2, 2))
		n.move("other.db", posAt(9, 9))
		woken(0)
		n.move("app.db", posAt(3, 3))
		woken(1)
		n.publish(State{Err: errNotYet}, "") // LiteFS is gone, and comes back
		woken(1)
		n.publish(State{Role: RolePrimary, Databases: []Database{dbAt("app.db", 5, 55)}}, "")
		woken(3)
		if got[3] != nil || got[4] != nil || !errors.Is(got[5], ErrDiverged) {
			t.Errorf("verdicts: %v", got)
		}
		n.publishClosed()
		woken(4)
		if !errors.Is(got[9], ErrClosed) {
			t.Errorf("closed: %v", got[9])
		}
	})
}

// Register, look again, then wait: with a thousand who come at any moment of a
// thousand transactions, nobody sleeps over what it waits for.
func TestNoLostWakeups(t *testing.T) {
	n := quiet(RoleReplica)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const transactions = 1000
	var waits sync.WaitGroup
	for range 1000 {
		waits.Go(func() {
			for range 10 {
				txid := 1 + rand.Uint64N(transactions)
				if err := n.WaitPosition(ctx, "app.db", posAt(txid, txid)); err != nil {
					t.Error(err)
				}
			}
		})
		waits.Go(func() {
			early, end := context.WithCancel(ctx)
			go end()
			txid := 1 + rand.Uint64N(transactions)
			if err := n.WaitPosition(early, "app.db", posAt(txid, txid)); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	for txid := uint64(1); txid <= transactions; txid++ {
		n.move("app.db", posAt(txid, txid))
	}
	waits.Wait()
	if len(n.waiting.byDB) != 0 {
		t.Errorf("left: %v", n.waiting.byDB)
	}
}

// Wait sees every lasting state, and the last one.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := quiet(RoleUnknown)
		found := make(chan State, 1)
		go func() {
			st, err := n.WaitPrimary(context.Background())
			if err != nil {
				t.Error(err)
			}
			found <- st
		}()
		n.move("app.db", posAt(1, 1))
		synctest.Wait()
		changed := n.State().Changed
		st := n.State()
		st.Lag = time.Second
		n.publish(st, "")
		if n.State().Changed != changed {
			t.Error("a lag changed the state")
		}
		st.Role, st.Primary = RoleReplica, "a"
		n.publish(st, "")
		if st := <-found; st.Primary != "a" || st.Epoch != 1 {
			t.Errorf("%+v", st)
		}
		select {
		case <-changed:
		default:
			t.Error("Changed is open after a change")
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		gone := errors.New("gone")
		cancel(gone)
		if _, err := Wait(ctx, n, func(State) bool { return false }); !errors.Is(err, gone) {
			t.Errorf("ended context: %v", err)
		}
		n.publishClosed()
		if _, err := Wait(context.Background(), n, func(State) bool { return false }); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// A state that was handed out stays as it was.
func TestStateNeverChanges(t *testing.T) {
	n := quiet(RolePrimary, dbAt("b.db", 1, 1))
	first := n.State()
	n.move("a.db", posAt(2, 2))
	n.move("b.db", posAt(3, 3))
	n.move("c.db", posAt(4, 4))
	second := n.State()
	st := n.State()
	st.Databases = without(st.Databases, "b.db")
	n.publish(st, "b.db")
	for _, tt := range []struct {
		st   State
		want []Database
	}{
		{first, []Database{dbAt("b.db", 1, 1)}},
		{second, []Database{dbAt("a.db", 2, 2), dbAt("b.db", 3, 3), dbAt("c.db", 4, 4)}},
		{n.State(), []Database{dbAt("a.db", 2, 2), dbAt("c.db", 4, 4)}},
	} {
		if len(tt.st.Databases) != len(tt.want) {
			t.Fatalf("%v, want %v", tt.st.Databases, tt.want)
		}
		for i, want := range tt.want {
			if tt.st.Databases[i] != want {
				t.Errorf("%v, want %v", tt.st.Databases, tt.want)
			}
			if pos, ok := tt.st.Position(want.Name); !ok || pos != want.Pos {
				t.Errorf("%s at %v, %v", want.Name, pos, ok)
			}
		}
	}
	if _, ok := first.Position("a.db"); ok {
		t.Error("a.db is in the first state")
	}
}

// Reading costs no memory, whatever it is that is asked.
func TestNoAllocations(t *testing.T) {
	n := quiet(RoleReplica, dbAt("app.db", 1, 1))
	n.move("app.db", posAt(2, 2))
	if got := testing.AllocsPerRun(100, func() {
		st := n.State()
		if _, ok := st.Position("app.db"); !ok || n.WaitPosition(t.Context(), "app.db", posAt(1, 1)) != nil {
			t.Error("not reached")
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
