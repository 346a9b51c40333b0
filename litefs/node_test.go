package litefs

import (
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
}
