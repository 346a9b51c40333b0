package testkit

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// Two real nodes elect one primary over our lease server. That its lease has run out
// is told by the test.
func TestNodesElectAndFailOver(t *testing.T) {
	t.Parallel()
	LiteFS(t)
	for name, path := range map[string]string{"no prefix": "", "prefix": "/app-1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := NewLease(t)
			electAndFailOver(t, l.URL+path, func() {
				if held, err := l.Expire(strings.TrimPrefix(path+"/"+Key, "/")); !held || err != nil {
					t.Fatalf("expire a's lease: %v, %v", held, err)
				}
			})
		})
	}
}

// The same over a real Consul, which ends the lease of a killed primary by itself. A
// path in its URL is a prefix of the keys, as on Fly, and needs a node registered.
func TestNodesElectAndFailOverOnConsul(t *testing.T) {
	t.Parallel()
	LiteFS(t)
	c := NewConsul(t)
	for name, url := range map[string]string{"no prefix": c.URL, "prefix": strings.Replace(c.URL, "://", "://:some-token@", 1) + "/app-1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			electAndFailOver(t, url, func() {})
		})
	}
}

// electAndFailOver has two nodes elect one primary, replicate, and fail over when the
// primary is killed; gone is called when it has been.
func electAndFailOver(t *testing.T, url string, gone func()) {
	t.Helper()
	a, b := NewNode(t, "a", NodeOptions{LeaseURL: url}), NewNode(t, "b", NodeOptions{LeaseURL: url})
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
	gone()
	Poll(t, "b primary", func() bool { info, _ := b.Info(); return info.IsPrimary })
	write(t, b, "INSERT INTO t VALUES (1)")

	// Over its dead mount, and with what it lacks.
	a.Start()
	Poll(t, "a at b's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
	// Asked to, it takes over, with the lease's session that b gives it.
	a.Post("/promote")
	Poll(t, "a primary", func() bool { info, _ := a.Info(); return info.IsPrimary })
	write(t, a, "INSERT INTO t VALUES (2)")
	Poll(t, "b at a's position", func() bool { return a.Position("app.db") == b.Position("app.db") })
	a.Stop()
	if a.Mounted() {
		t.Error("a is still mounted")
	}
	Poll(t, "b primary", func() bool { info, _ := b.Info(); return info.IsPrimary })
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
