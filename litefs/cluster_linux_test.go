package litefs

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// cluster starts nodes that elect over one lease server; the first is the primary.
func cluster(t testing.TB, names ...string) (*testkit.Lease, []*testkit.Node) {
	t.Helper()
	l := testkit.NewLease(t)
	var nodes []*testkit.Node
	for _, name := range names {
		n := testkit.NewNode(t, name, testkit.NodeOptions{Lease: l})
		n.Start()
		nodes = append(nodes, n)
	}
	return l, nodes
}

// config is for a node of the testkit.
func config(n *testkit.Node) Config {
	return Config{Addr: fmt.Sprintf("127.0.0.1:%d", n.API), FUSEDir: n.Mount, CheckEvery: 100 * time.Millisecond, RetryMax: 100 * time.Millisecond}
}

func isPrimary(st State) bool { return st.Role == RolePrimary && st.Primary != "" && st.Err == nil }

func isReplica(st State) bool { return st.Role == RoleReplica && st.Ready && st.Err == nil }

// exec runs SQL on a node's database, and closes it.
func exec(t testing.TB, n *testkit.Node, queries ...string) {
	t.Helper()
	db := openDB(t, n)
	defer db.Close()
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
}

func openDB(t testing.TB, n *testkit.Node) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+n.DB("app.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

// onDisk is the position of app.db by its -pos file.
func onDisk(t testing.TB, n *testkit.Node) Pos {
	t.Helper()
	pos, err := ParsePos(n.Position("app.db"))
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

// atDisk waits until the state has what the -pos file has.
func atDisk(t testing.TB, n *Node, node *testkit.Node) {
	t.Helper()
	testkit.Poll(t, "the position of the mount", func() bool {
		st := n.State()
		at, ok := st.Position("app.db")
		return ok && at.String() == node.Position("app.db")
	})
}
