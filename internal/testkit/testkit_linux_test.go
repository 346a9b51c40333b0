package testkit

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// Two real nodes elect one primary over the lease server, replicate, and fail over
// when the primary is killed.
func TestNodesElectAndFailOver(t *testing.T) {
	l := NewLease(t)
	a, b := NewNode(t, "a", NodeOptions{Lease: l}), NewNode(t, "b", NodeOptions{Lease: l})
	a.Start()
	b.Start()
	if info, ok := a.Info(); !ok || !info.IsPrimary {
		t.Fatalf("a: %+v, %v", info, ok)
	}
	if info, ok := b.Info(); !ok || info.IsPrimary || info.Primary.Hostname != "a" {
		t.Fatalf("b: %+v, %v", info, ok)
	}
	write(t, a, "CREATE TABLE t(v)")
	Poll(t, "b at a's position", func() bool { return a.Position("app.db") != "" && a.Position("app.db") == b.Position("app.db") })

	a.Kill()
	if held, err := l.Expire(Key); !held || err != nil {
		t.Fatalf("expire a's lease: %v, %v", held, err)
	}
	Poll(t, "b primary", func() bool { info, _ := b.Info(); return info.IsPrimary })
	write(t, b, "INSERT INTO t VALUES (1)")

	// Over its dead mount, and with what it lacks.
	a.Start()
	Poll(t, "a at b's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
	a.Stop()
	if a.Mounted() {
		t.Error("a is still mounted")
	}
}

func write(t *testing.T, n *Node, q string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+n.DB("app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(q); err != nil {
		t.Fatal(err)
	}
}

// A static primary and its replica.
func TestStaticLease(t *testing.T) {
	a := NewNode(t, "a", NodeOptions{})
	b := NewNode(t, "b", NodeOptions{Replica: true, Primary: a.API})
	a.Start()
	write(t, a, "CREATE TABLE t(v)")
	b.Start()
	Poll(t, "b at a's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
	if _, err := os.ReadDir(b.Mount); err != nil {
		t.Error(err)
	}
	if !strings.Contains(b.Log(), "existing primary found (a)") && !strings.Contains(b.Log(), "connecting as replica") {
		t.Errorf("b's log:\n%s", b.Log())
	}
}
