package appdb_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
)

// ours counts the goroutines of appdb and litefs, and the descriptors of the process.
func ours(t *testing.T) (goroutines, descriptors int) {
	t.Helper()
	buf := make([]byte, 4<<20)
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "flysql/litefs.") || strings.Contains(g, "flysql/appdb.") {
			goroutines++
		}
	}
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return goroutines, len(names)
}

// The event streams of both nodes are cut ten times a second. Each app goes on: rows
// go in on the primary and come out on the replica, which refuses to write, and a
// promotion is followed. Nothing piles up meanwhile, and nothing is left afterwards.
func TestEventsCut(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			places := startNodes(t, journal)
			goBefore, fdBefore := ours(t)
			var paths []*testkit.Path
			var dbs []*appdb.DB
			var nodes []*litefs.Node
			for _, p := range places {
				path := testkit.NewPath(t, fmt.Sprintf("http://127.0.0.1:%d", p.API))
				n, err := litefs.Open(litefs.Config{Addr: strings.TrimPrefix(path.URL, "http://"), FUSEDir: p.Mount})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := n.WaitPrimary(t.Context()); err != nil {
					t.Fatal(err)
				}
				db, err := appdb.Config{Engine: n}.Open(t.Context(), p.DB("app.db"))
				if err != nil {
					t.Fatal(err)
				}
				paths, nodes, dbs = append(paths, path), append(nodes, n), append(dbs, db)
			}
			stop := cutting(paths)
			rows := 0
			var goEarly, fdEarly int
			for round := range 4 {
				primary, replica := round%2, 1-round%2
				for range 10 {
					rows++
					if err := dbs[primary].Update(t.Context(), put(fmt.Sprint(rows), 10)); err != nil {
						t.Fatalf("round %d, row %d: %v", round, rows, err)
					}
				}
				isReplica(t, "Update", dbs[replica].Update(t.Context(), put("refused", 10)), places[primary].Name)
				level(t, places)
				for i, db := range dbs {
					if got := value[int](t, db.Reader(), "SELECT count(*) FROM t"); got != rows {
						t.Errorf("round %d: %d rows on %s, want %d", round, got, places[i].Name, rows)
					}
				}
				if round == 0 {
					goEarly, fdEarly = ours(t)
				}
				if err := places[replica].follower.Promote(t.Context()); err != nil {
					t.Fatal(err)
				}
				for i, want := range map[int]litefs.Role{primary: litefs.RoleReplica, replica: litefs.RolePrimary} {
					if _, err := litefs.Wait(t.Context(), nodes[i], func(st litefs.State) bool { return st.Role == want }); err != nil {
						t.Fatal(err)
					}
				}
			}
			const slack = 12 // connections of a moment, on both sides of a path
			testkit.Poll(t, "as many goroutines and descriptors as at first", func() bool {
				g, fd := ours(t)
				return g <= goEarly+slack && fd <= fdEarly+slack
			})
			if cuts := stop(); cuts < 10 {
				t.Errorf("%d cuts", cuts)
			}
			for i := range dbs {
				if err := dbs[i].Close(); err != nil {
					t.Error(err)
				}
				if err := nodes[i].Close(); err != nil {
					t.Error(err)
				}
			}
			testkit.Poll(t, "goroutines and descriptors as before", func() bool {
				g, fd := ours(t)
				return g <= goBefore && fd <= fdBefore+len(paths) // each path listens
			})
		})
	}
}

// cutting cuts ways ten times a second; the returned function ends that.
func cutting(paths []*testkit.Path) (stop func() (cuts int)) {
	done, ended := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
				for _, p := range paths {
					p.Cut()
				}
			case <-done:
				ended <- n
				return
			}
		}
	}()
	return func() int { close(done); return <-ended }
}
