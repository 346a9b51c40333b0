package litefs

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
	_ "modernc.org/sqlite"
)

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

// level fails the test when, at its end, more goroutines of this package or more
// descriptors are there than at its beginning. Call it before anything is opened:
// what a test starts afterwards has ended by then.
func level(t testing.TB) {
	t.Helper()
	testkit.FreePort(t) // the runtime's own descriptors are there from now on
	before := descriptors()
	t.Cleanup(func() {
		testkit.Poll(t, "goroutines of Nodes to end", func() bool { return goroutines() == 0 })
		testkit.Poll(t, fmt.Sprintf("descriptors to be %d again", before), func() bool { return descriptors() <= before })
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

// descriptors counts them where the system tells.
func descriptors() int {
	names, _ := os.ReadDir("/proc/self/fd")
	return len(names)
}

func posAt(txid, sum uint64) Pos { return Pos{TXID: txid, PostApplyChecksum: sum} }

func dbAt(name string, txid, sum uint64) Database { return Database{Name: name, Pos: posAt(txid, sum)} }

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// sqliteFile makes a SQLite file with a table t of n rows, and returns its bytes.
func sqliteFile(t testing.TB, n int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "made.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{"CREATE TABLE t(v)",
		"INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c) SELECT randomblob(1000) FROM c LIMIT ?"} {
		args := []any{n}[:min(1, len(q)-len("CREATE TABLE t(v)"))]
		if _, err := db.Exec(q, args...); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
