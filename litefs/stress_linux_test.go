package litefs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// The stream is cut every 100 ms while there are writes: positions are never told
// early, none is missed, and who waits gets what it waits for.
func TestCut(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	p := newProxy(t, b.API)
	c := config(b)
	c.Addr = p.Addr().String()
	n := follow(t, c)
	await(t, n, "replica", isReplica)
	exec(t, a, "CREATE TABLE t(v)")

	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	db := openDB(t, a)
	defer db.Close()
	for cuts := 0; cuts < 20; {
		if _, err := db.Exec("INSERT INTO t VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		want := onDisk(t, a)
		if err := n.WaitPosition(limit(t), "app.db", want); err != nil {
			t.Fatalf("after %d cuts: %v", cuts, err)
		}
		if got := onDisk(t, b); got != want {
			t.Fatalf("told that b is at %v, it is at %v", want, got)
		}
		select {
		case <-ticker.C:
			p.cut()
			cuts++
		default:
		}
	}
	if st := n.State(); st.Epoch < 20 {
		t.Errorf("epoch %d after 20 cuts", st.Epoch)
	}
	await(t, n, "replica", isReplica)
	atDisk(t, n, b)
}

// A subscriber that does not read is cut off by LiteFS 1,024 events behind, and
// then recovers.
func TestTooSlow(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a")
	a := nodes[0]
	exec(t, a, "PRAGMA journal_mode=wal", "CREATE TABLE t(v)")
	p := newProxy(t, a.API)
	c := config(a)
	c.Addr, c.CheckEvery = p.Addr().String(), time.Hour // nothing else finds out
	n := follow(t, c)
	await(t, n, "primary", isPrimary)

	resume := p.stall()
	defer resume()
	db := openDB(t, a)
	defer db.Close()
	if _, err := db.Exec("PRAGMA synchronous=off"); err != nil {
		t.Fatal(err)
	}
	// Some 1,300 events fit into the buffers of TCP, and 1,024 into LiteFS's.
	for range 3000 {
		if _, err := db.Exec("INSERT INTO t VALUES (1)"); err != nil {
			t.Fatal(err)
		}
	}
	want := onDisk(t, a)
	if at := n.State().Databases[0].Pos; at.TXID+1024 > want.TXID {
		t.Errorf("at %v while LiteFS is at %v: it was not behind", at, want)
	}
	resume()
	if err := n.WaitPosition(limit(t), "app.db", want); err != nil {
		t.Fatal(err)
	}
	atDisk(t, n, a)
	await(t, n, "primary", isPrimary)
	testkit.Poll(t, "LiteFS to say that it has cut off the subscriber", func() bool {
		return strings.Contains(a.Log(), "event stream buffer exceeded")
	})
}

// A thousand wait for different positions on a replica; each is let go, by its own.
func TestManyWaiters(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	n := follow(t, config(b))
	exec(t, a, "CREATE TABLE t(v)")
	if err := n.WaitPosition(limit(t), "app.db", onDisk(t, a)); err != nil {
		t.Fatal(err)
	}
	base := onDisk(t, a).TXID
	const waiters, writes = 1000, 50
	ctx := limit(t)
	var waits sync.WaitGroup
	var early, released atomic.Int64
	for i := range waiters {
		want := Pos{TXID: base + 1 + uint64(i%writes)}
		waits.Go(func() {
			if err := n.WaitPosition(ctx, "app.db", want); err != nil {
				t.Error(err)
				return
			}
			st := n.State()
			if at, _ := st.Position("app.db"); at.TXID < want.TXID {
				early.Add(1)
			}
			released.Add(1)
		})
	}
	db := openDB(t, a)
	defer db.Close()
	for range writes {
		if _, err := db.Exec("INSERT INTO t VALUES (1)"); err != nil {
			t.Fatal(err)
		}
	}
	waits.Wait()
	if early.Load() != 0 || released.Load() != waiters {
		t.Errorf("%d let go, %d of them early; want %d and 0", released.Load(), early.Load(), waiters)
	}
	n.waiting.mu.Lock()
	defer n.waiting.mu.Unlock()
	if len(n.waiting.byDB) != 0 {
		t.Errorf("waiters are left: %v", n.waiting.byDB)
	}
}

// Close, while everything is under way: who waits is told, and nothing is left.
func TestCloseDuringEverything(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	exec(t, a, "CREATE TABLE t(v)")
	p := newProxy(t, b.API)
	c := config(b)
	c.Addr = p.Addr().String()

	ctx, stop := context.WithCancel(limit(t))
	var writer sync.WaitGroup
	writer.Go(func() {
		db := openDB(t, a)
		defer db.Close()
		for ctx.Err() == nil {
			if _, err := db.Exec("INSERT INTO t VALUES (1)"); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer writer.Wait()
	defer stop()
	for round := range 12 {
		n, err := Open(c)
		if err != nil {
			t.Fatal(err)
		}
		if round%4 != 0 { // and 0: before it has connected
			await(t, n, "replica", isReplica)
		}
		busy(t, n, p, round)
	}
}

// busy does everything with n at once, and closes it amid that.
func busy(t *testing.T, n *Node, p *proxy, round int) {
	t.Helper()
	ctx := limit(t)
	var users sync.WaitGroup
	var started sync.WaitGroup
	do := func(name string, f func() error, allowed ...error) {
		started.Add(1)
		users.Go(func() {
			started.Done()
			err := f()
			for _, a := range allowed {
				if errors.Is(err, a) {
					return
				}
			}
			t.Errorf("round %d: %s: %v", round, name, err)
		})
	}
	for range 20 {
		do("WaitPosition", func() error { return n.WaitPosition(ctx, "app.db", Pos{TXID: 1 << 60}) }, ErrClosed)
		do("Wait", func() error { _, err := Wait(ctx, n, func(State) bool { return false }); return err }, ErrClosed)
		do("State", func() error {
			for n.State().Changed != nil {
			}
			return nil
		}, nil)
	}
	do("Export", func() error { var b bytes.Buffer; n.Export(ctx, "app.db", &b); return nil }, nil)
	do("ReadPosition", func() error { _, err := n.ReadPosition(ctx, "app.db"); return err }, nil)
	started.Wait()
	if round%2 == 0 {
		p.cut()
	}
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	users.Wait()
	st := n.State()
	if st.Role != RoleUnknown || st.Err != ErrClosed || st.Changed != nil || st.Databases != nil {
		t.Errorf("closed: %+v", st)
	}
	if err := n.WaitPosition(ctx, "app.db", Pos{TXID: 1}); !errors.Is(err, ErrClosed) {
		t.Errorf("WaitPosition after Close: %v", err)
	}
	if _, err := n.WaitPrimary(ctx); !errors.Is(err, ErrClosed) || fmt.Sprint(err) != "litefs: wait for a primary: the node is closed" {
		t.Errorf("WaitPrimary after Close: %v", err)
	}
}
