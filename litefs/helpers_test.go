package litefs

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
	_ "modernc.org/sqlite"
)

// config is for a node of the testkit.
func config(n *testkit.Node) Config {
	return Config{Addr: fmt.Sprintf("127.0.0.1:%d", n.API), FUSEDir: n.Mount, CheckEvery: 100 * time.Millisecond, RetryMax: 100 * time.Millisecond}
}

// follow opens a Node that the test's end closes, and checks that nothing of it is
// left.
func follow(t testing.TB, c Config) *Node {
	t.Helper()
	n, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// limit is the context of what must not take long.
func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// await waits for a state.
func await(t testing.TB, n *Node, what string, ok func(State) bool) State {
	t.Helper()
	st, err := Wait(limit(t), n, ok)
	if err != nil {
		t.Fatalf("waited for: %s: %v; state %+v", what, err, st)
	}
	return st
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

// level fails the test when, at its end, more goroutines of this package or more
// descriptors are there than at its beginning. Call it before anything is opened:
// what a test starts afterwards has ended by then.
func level(t testing.TB) {
	t.Helper()
	testkit.FreePort(t) // the runtime's own descriptors are there from now on
	before := descriptors(t)
	t.Cleanup(func() {
		testkit.Poll(t, "goroutines of Nodes to end", func() bool { return goroutines() == 0 })
		testkit.Poll(t, fmt.Sprintf("descriptors to be %d again", before), func() bool { return descriptors(t) <= before })
	})
}

// goroutines counts those that run this package's own code, or its HTTP client's.
func goroutines() int {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	count := 0
	for _, g := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(g, "litefs.(*Node).follow(") || strings.Contains(g, "litefs.pump(") || strings.Contains(g, "litefs.within[") ||
			strings.Contains(g, "litefs.acquireHalt") || strings.Contains(g, "http.(*persistConn)") {
			count++
		}
	}
	return count
}

func descriptors(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc: " + err.Error())
	}
	return len(names)
}
