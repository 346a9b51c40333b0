package litefs

import (
	"context"
	"errors"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// After a failover that lost a transaction its TXID is used again. Node b was not
// given it; node c was, and is taken back by the new primary while it is followed.
func TestLostTail(t *testing.T) {
	level(t)
	l, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	c := testkit.NewNode(t, "c", testkit.NodeOptions{Lease: l, Replica: true})
	c.Start()
	na, nb, nc := follow(t, config(a)), follow(t, config(b)), follow(t, config(c))
	exec(t, a, "CREATE TABLE t(v)")
	common := onDisk(t, a)
	for _, n := range []*Node{na, nb, nc} {
		if err := n.WaitPosition(limit(t), "app.db", common); err != nil {
			t.Fatal(err)
		}
	}

	b.Stop()
	exec(t, a, "INSERT INTO t VALUES ('lost')")
	lost := onDisk(t, a)
	if err := nc.WaitPosition(limit(t), "app.db", lost); err != nil {
		t.Fatal(err)
	}
	// Who waits on b for what b will never get.
	ctx := limit(t)
	waited := make(chan error, 1)
	go func() { waited <- nb.WaitPosition(ctx, "app.db", lost) }()
	a.Kill()
	if _, err := l.Expire(testkit.Key); err != nil {
		t.Fatal(err)
	}
	b.Start()
	await(t, nb, "b primary", isPrimary)
	await(t, nc, "c replica of b", func(st State) bool { return isReplica(st) && st.Primary == "b" })
	testkit.Poll(t, "c to be taken back", func() bool {
		st := nc.State()
		at, ok := st.Position("app.db")
		return ok && at == common
	})

	exec(t, b, "INSERT INTO t VALUES ('other')")
	other := onDisk(t, b)
	if other.TXID != lost.TXID || other == lost {
		t.Fatalf("b is at %v, a was at %v: the TXID was not used again", other, lost)
	}
	if err := <-waited; !errors.Is(err, ErrDiverged) {
		t.Errorf("who waited on b: %v", err)
	}
	if err := nc.WaitPosition(limit(t), "app.db", other); err != nil {
		t.Fatal(err)
	}
	exec(t, b, "INSERT INTO t VALUES ('more')", "INSERT INTO t VALUES ('and more')")
	for name, n := range map[string]*Node{"b": nb, "c": nc} {
		for range 2 { // at once, and when it has gone beyond
			if err := n.WaitPosition(limit(t), "app.db", lost); !errors.Is(err, ErrDiverged) {
				t.Errorf("%s has the lost transaction: %v", name, err)
			}
			if err := n.WaitPosition(limit(t), "app.db", other); err != nil {
				t.Errorf("%s has not the transaction that it has: %v", name, err)
			}
			if err := n.WaitPosition(limit(t), "app.db", onDisk(t, b)); err != nil {
				t.Error(err)
			}
		}
	}

	a.Start()
	if err := na.WaitPosition(limit(t), "app.db", onDisk(t, b)); err != nil {
		t.Error(err)
	}
}

// Promotion and handing off move the primary, and return when it has moved.
func TestPromoteAndHandoff(t *testing.T) {
	level(t)
	l, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	c := testkit.NewNode(t, "c", testkit.NodeOptions{Lease: l, Replica: true})
	c.Start()
	na, nb, nc := follow(t, config(a)), follow(t, config(b)), follow(t, config(c))
	exec(t, a, "CREATE TABLE t(v)")
	await(t, na, "a primary", isPrimary)
	await(t, nb, "b replica", isReplica)
	await(t, nc, "c replica", isReplica)

	if err := nc.Promote(limit(t)); !errors.Is(err, ErrNotCandidate) {
		t.Errorf("promote c: %v", err)
	}
	if err := nb.Handoff(limit(t), na.State().NodeID); !errors.Is(err, ErrNotPrimary) {
		t.Errorf("hand off from a replica: %v", err)
	}
	if err := na.Handoff(limit(t), "b"); err == nil {
		t.Error("hand off to a hostname")
	}
	if err := na.Handoff(limit(t), "00000000DEADBEEF"); err == nil || errors.Is(err, ErrNotPrimary) {
		t.Errorf("hand off to nobody: %v", err)
	}
	if err := na.Promote(limit(t)); err != nil {
		t.Errorf("promote the primary: %v", err)
	}

	epoch := na.State().Epoch
	if err := nb.Promote(limit(t)); err != nil {
		t.Fatal(err)
	}
	if st := nb.State(); st.Role != RolePrimary {
		t.Errorf("b after its promotion: %+v", st)
	}
	if st := await(t, na, "a replica of b", isReplica); st.Primary != "b" || st.Epoch == epoch {
		t.Errorf("a: %+v, epoch was %d", st, epoch)
	}
	exec(t, b, "INSERT INTO t VALUES (1)")
	if err := na.WaitPosition(limit(t), "app.db", onDisk(t, b)); err != nil {
		t.Fatal(err)
	}
	await(t, nc, "c replica of b", func(st State) bool { return isReplica(st) && st.Primary == "b" })

	if err := nb.Handoff(limit(t), na.State().NodeID); err != nil {
		t.Fatal(err)
	}
	if st := nb.State(); st.Role != RoleReplica || st.Primary != "a" {
		t.Errorf("b after handing off: %+v", st)
	}
	await(t, na, "a primary", isPrimary)

	a.Kill()
	await(t, nb, "b without a primary", func(st State) bool { return st.Role == RoleUnknown })
	ctx, cancel := context.WithCancelCause(limit(t))
	gone := errors.New("gone")
	cancel(gone)
	if err := nb.Promote(ctx); !errors.Is(err, gone) {
		t.Errorf("promote with an ended context: %v", err)
	}
	// An election is under way; it is b that can win it.
	promoted := make(chan error, 1)
	ctx = limit(t)
	go func() { promoted <- nb.Promote(ctx) }()
	if _, err := l.Expire(testkit.Key); err != nil {
		t.Fatal(err)
	}
	if err := <-promoted; err != nil {
		t.Errorf("promote during an election: %v", err)
	}
}
