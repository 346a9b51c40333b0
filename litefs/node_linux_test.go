package litefs

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// A node is opened before its LiteFS is up, and sees it come as the primary.
func TestNotUpYet(t *testing.T) {
	level(t)
	a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: testkit.NewLease(t)})
	n := follow(t, config(a))
	st := n.State()
	if st.Role != RoleUnknown || st.Err == nil || st.Epoch != 0 || st.Changed == nil {
		t.Errorf("before LiteFS: %+v", st)
	}
	a.Start()
	st = await(t, n, "primary", isPrimary)
	if !st.Ready || st.Primary != "a" || !st.Candidate || len(st.NodeID) != 16 || st.ClusterID == "" || st.Lag != 0 || len(st.Databases) != 0 {
		t.Errorf("primary: %+v", st)
	}
	exec(t, a, "CREATE TABLE t(v)")
	want := onDisk(t, a)
	if err := n.WaitPosition(limit(t), "app.db", want); err != nil {
		t.Fatal(err)
	}
	st = n.State()
	if got, ok := st.Position("app.db"); !ok || got != want {
		t.Errorf("position %v, %v, want %v", got, ok, want)
	}
	if got, err := n.ReadPosition(limit(t), "app.db"); got != want || err != nil {
		t.Errorf("ReadPosition: %v, %v, want %v", got, err, want)
	}
	if _, err := n.ReadPosition(limit(t), "other.db"); !errors.Is(err, ErrNoDatabase) {
		t.Errorf("ReadPosition of a database that is missing: %v", err)
	}
}

// A replica knows its primary, and a position is waited for until it has come.
func TestReplica(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	n := follow(t, config(b))
	if st, err := n.WaitPrimary(limit(t)); err != nil || st.Role != RoleReplica || st.Primary != "a" {
		t.Fatalf("WaitPrimary: %+v, %v", st, err)
	}
	st := await(t, n, "ready replica", isReplica)
	if st.Primary != "a" || !st.Candidate || st.NodeID == "" {
		t.Errorf("replica: %+v", st)
	}
	for range 20 {
		exec(t, a, "CREATE TABLE IF NOT EXISTS t(v)", "INSERT INTO t VALUES (1)")
		want := onDisk(t, a)
		if err := n.WaitPosition(limit(t), "app.db", want); err != nil {
			t.Fatal(err)
		}
		if got, err := n.ReadPosition(limit(t), "app.db"); err != nil || got != want {
			t.Fatalf("b is at %v, %v, want %v", got, err, want)
		}
	}
	ahead := onDisk(t, a)
	ahead.TXID++
	ctx, cancel := context.WithCancel(limit(t))
	cancel()
	if err := n.WaitPosition(ctx, "app.db", ahead); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "it is at "+onDisk(t, a).String()) {
		t.Errorf("a position ahead: %v", err)
	}
	other := onDisk(t, a)
	other.PostApplyChecksum ^= 1
	if err := n.WaitPosition(limit(t), "app.db", other); !errors.Is(err, ErrDiverged) {
		t.Errorf("another checksum: %v", err)
	}
}

// A killed primary: nobody is known to be it, until the replica is.
func TestFailover(t *testing.T) {
	level(t)
	l, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	na, nb := follow(t, config(a)), follow(t, config(b))
	await(t, na, "a primary", isPrimary)
	before := await(t, nb, "b replica", isReplica)
	exec(t, a, "CREATE TABLE t(v)")
	// A kill loses what has not been replicated yet.
	if err := nb.WaitPosition(limit(t), "app.db", onDisk(t, a)); err != nil {
		t.Fatal(err)
	}
	a.Kill()
	st := await(t, na, "a unknown", func(st State) bool { return st.Role == RoleUnknown })
	if st.Err == nil || st.Databases != nil || st.Primary != "" {
		t.Errorf("a after the kill: %+v", st)
	}
	await(t, nb, "b unknown", func(st State) bool { return st.Role == RoleUnknown && st.Err == nil })
	if held, err := l.Expire(testkit.Key); !held || err != nil {
		t.Fatalf("expire: %v, %v", held, err)
	}
	st = await(t, nb, "b primary", isPrimary)
	if st.Primary != "b" || st.Epoch < before.Epoch+2 || !st.Since.After(before.Since) {
		t.Errorf("b: %+v, before %+v", st, before)
	}
	exec(t, b, "INSERT INTO t VALUES (1)")
	a.Start() // over its dead mount
	st = await(t, na, "a replica", isReplica)
	if st.Primary != "b" {
		t.Errorf("a: %+v", st)
	}
	if err := na.WaitPosition(limit(t), "app.db", onDisk(t, b)); err != nil {
		t.Error(err)
	}
}

// LiteFS ends and begins anew; who waits over that gets what it waits for.
func TestRestart(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a")
	a := nodes[0]
	n := follow(t, config(a))
	exec(t, a, "CREATE TABLE t(v)")
	atDisk(t, n, a)
	want := onDisk(t, a)
	want.TXID, want.PostApplyChecksum = want.TXID+1, 0
	waited := make(chan error, 1)
	ctx := limit(t)
	go func() { waited <- n.WaitPosition(ctx, "app.db", want) }()
	a.Stop()
	await(t, n, "unknown", func(st State) bool { return st.Role == RoleUnknown && st.Err != nil })
	a.Start()
	await(t, n, "primary", isPrimary)
	atDisk(t, n, a)
	exec(t, a, "INSERT INTO t VALUES (1)")
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

// A replica of a dead primary with a static lease is told again and again that it
// follows it. It is never the primary, and waits end as they should.
func TestStaticLeaseDeadPrimary(t *testing.T) {
	level(t)
	a := testkit.NewNode(t, "a", testkit.NodeOptions{})
	a.Start()
	exec(t, a, "CREATE TABLE t(v)")
	b := testkit.NewNode(t, "b", testkit.NodeOptions{Replica: true, Primary: a.API})
	b.Start()
	n := follow(t, config(b))
	st := await(t, n, "replica", isReplica)
	a.Kill()
	// Two flaps: a change of the role costs two epochs.
	flapped := await(t, n, "flaps", func(now State) bool {
		if now.Role == RolePrimary {
			t.Error("b is the primary")
		}
		return now.Epoch >= st.Epoch+4
	})
	if flapped.Candidate {
		t.Errorf("b is a candidate: %+v", flapped)
	}
	ahead := onDisk(t, b)
	ahead.TXID++
	ctx, cancel := context.WithCancel(limit(t))
	cancel()
	if err := n.WaitPosition(ctx, "app.db", ahead); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	a.Start()
	exec(t, a, "INSERT INTO t VALUES (1)")
	if err := n.WaitPosition(limit(t), "app.db", onDisk(t, a)); err != nil {
		t.Error(err)
	}
	if err := n.Promote(limit(t)); !errors.Is(err, ErrNotCandidate) {
		t.Errorf("promote: %v", err)
	}
	na := follow(t, config(a))
	await(t, na, "primary", isPrimary)
	if err := na.Handoff(limit(t), n.State().NodeID); err == nil || errors.Is(err, ErrNotPrimary) {
		t.Errorf("hand off a static lease: %v", err)
	}
}

// A LiteFS that has stopped where it stands: the role is unknown soon, nothing
// that asks hangs for ever, and Close returns.
func TestHung(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a")
	a := nodes[0]
	exec(t, a, "CREATE TABLE t(v)")
	n, closed := follow(t, config(a)), follow(t, config(a))
	await(t, n, "primary", isPrimary)
	await(t, closed, "primary", isPrimary)
	a.Pause()
	st := await(t, n, "unknown", func(st State) bool { return st.Role == RoleUnknown })
	if !strings.Contains(st.Err.Error(), "does not answer") {
		t.Errorf("hung: %v", st.Err)
	}
	if _, err := n.ReadPosition(limit(t), "app.db"); !errors.Is(err, errHung) {
		t.Errorf("ReadPosition: %v", err)
	}
	if err := withHalt(t.Context(), a.DB("app.db"), 0, HaltHold, nil); err == nil || !strings.Contains(err.Error(), "does not answer within 2s") {
		t.Errorf("WithHalt on a hung LiteFS: %v", err)
	}
	if err := n.Close(); !errors.Is(err, errHung) {
		t.Errorf("Close while a read hangs: %v", err)
	}
	a.Resume()
	await(t, closed, "primary again", isPrimary)
}

// A database that is dropped is gone from the state, and may come again.
func TestDrop(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	na, nb := follow(t, config(a)), follow(t, config(b))
	await(t, nb, "replica", isReplica)
	exec(t, a, "CREATE TABLE t(v)")
	if err := nb.WaitPosition(limit(t), "app.db", onDisk(t, a)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(a.DB("app.db")); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*Node{na, nb} {
		testkit.Poll(t, "the database to be gone", func() bool {
			st := n.State()
			_, ok := st.Position("app.db")
			return !ok
		})
	}
	exec(t, a, "CREATE TABLE again(v)")
	if err := nb.WaitPosition(limit(t), "app.db", onDisk(t, a)); err != nil {
		t.Fatal(err)
	}
	atDisk(t, na, a)
	atDisk(t, nb, b)
}

// Without the mount positions are known from the next transaction on.
func TestRemote(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a")
	a := nodes[0]
	exec(t, a, "CREATE TABLE t(v)")
	c := config(a)
	c.FUSEDir, c.Remote = "", true
	n := follow(t, c)
	st := await(t, n, "primary", isPrimary)
	if len(st.Databases) != 0 {
		t.Errorf("databases without a mount: %v", st.Databases)
	}
	if _, err := n.ReadPosition(limit(t), "app.db"); err == nil || !strings.Contains(err.Error(), "remote") {
		t.Errorf("ReadPosition: %v", err)
	}
	exec(t, a, "INSERT INTO t VALUES (1)")
	if err := n.WaitPosition(limit(t), "app.db", onDisk(t, a)); err != nil {
		t.Error(err)
	}
}

// A wrong fuse.dir is told, beside a role that is known all the same.
func TestWrongMount(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a")
	c := config(nodes[0])
	c.FUSEDir = t.TempDir()
	n := follow(t, c)
	st := await(t, n, "primary", func(st State) bool { return st.Role == RolePrimary })
	if st.Err == nil || !strings.Contains(st.Err.Error(), "LiteFS is not mounted at "+c.FUSEDir) {
		t.Errorf("%+v", st)
	}
	if _, err := n.ReadPosition(limit(t), "app.db"); err == nil || errors.Is(err, ErrNoDatabase) {
		t.Errorf("ReadPosition: %v", err)
	}
}
