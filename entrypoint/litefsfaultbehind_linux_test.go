package entrypoint

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/testkit"
)

// manyTransactions makes one transaction for each row, and does not wait for the disk.
func manyTransactions(t *testing.T, db string, from, to int) {
	t.Helper()
	h, err := sql.Open("sqlite", dsn(db, "rw", "synchronous(OFF)"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	h.SetMaxOpenConns(1)
	insert, err := h.Prepare("INSERT INTO a VALUES (?)")
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	for id := from; id <= to; id++ {
		if _, err := insert.Exec(id); err != nil {
			t.Fatal(err)
		}
	}
}

// A replica that was away for 500 transactions, in `make soak` 10,000, boots, says how far it is, and
// starts its app when it has them all: from the primary's transaction files, or from a
// copy of the database where those are gone.
func TestFaultFarBehind(t *testing.T) {
	count := 500
	if os.Getenv(deploysVariable) != "" {
		count = 10_000
	}
	for _, tt := range []struct{ name, retention string }{{"kept", "1h"}, {"retention passed", "100ms"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := testkit.NewLease(t)
			a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l, Retention: tt.retention})
			b := testkit.NewNode(t, "b", testkit.NodeOptions{Lease: l, Replica: true})
			boots := []*testkit.Node{a, b}
			withRows(t, a, "WAL", 10)
			start := func(n *testkit.Node) *process {
				e := amongPeers(t, n, boots, createA)
				e.app = []string{"sh", "-c", "trap 'exit 3' TERM; cat $FLYSQL_DB-pos; echo serving; while :; do sleep 0.05; done"}
				return e.start(t)
			}
			pa := start(a)
			pa.isServing()
			pb := start(b)
			pb.isServing()
			pb.signal(syscall.SIGTERM)
			pb.wait().expect(t, 3)

			manyTransactions(t, a.DB("app.db"), 1, count)
			want := tx(a)
			if tt.retention == "100ms" {
				testkit.Poll(t, "the end of transaction files", func() bool {
					names, err := ltxFiles(filepath.Join(a.Data, "dbs", "app.db", "ltx"))
					return err == nil && len(names) < count/10
				})
			}
			pb = start(b)
			if !waitUntil(5*time.Minute, func() bool { return strings.Contains(pb.stdoutSoFar(), "serving") }) {
				t.Fatal(pb.errs.text())
			}
			first, _, _ := strings.Cut(pb.stdoutSoFar(), "/")
			if first < want {
				t.Errorf("the app was started at %s, the primary was at %s\n%s", first, want, pb.errs.text())
			}
			if got := readOnly(t, b.DB("app.db"), "SELECT count(*) FROM a"); got != strconv.Itoa(count) {
				t.Errorf("%s rows", got)
			}
			pb.signal(syscall.SIGTERM)
			r := pb.wait().expect(t, 3)
			progress := 0
			for _, line := range r.lines {
				if line["msg"] == "node" && line["outcome"] == "waiting" && strings.Contains(fmt.Sprint(line["why"]), "it copies what it lacks from the primary a") {
					progress++
					if !strings.Contains(fmt.Sprint(line["progress"]), "app.db: ") {
						t.Errorf("without progress: %v", line)
					}
					t.Log(line["progress"])
				}
			}
			for _, line := range r.lines {
				if ms, _ := line["ms"].(float64); line["msg"] == "node" && line["outcome"] == "ok" && ms > 2000 && progress == 0 {
					t.Errorf("no progress in the log:\n%s", r.stderr)
				}
			}
			pa.signal(syscall.SIGTERM)
			pa.wait().expect(t, 3)
			nothingLeft(t, a)
			nothingLeft(t, b)
		})
	}
}

// Machines of one image that boot at the same moment, after all were down, with one
// migration that none has applied: one applies it, once, and all start on it.
func TestFaultBootAtOnce(t *testing.T) {
	for _, from := range []string{"primary", "candidate", "any"} {
		for _, machines := range []int{2, 3} {
			t.Run(fmt.Sprintf("%s/%d", from, machines), func(t *testing.T) {
				t.Parallel()
				f := newFleet(t, journalModes[machines%2], "FLYSQL_MIGRATE_FROM="+from)
				f.nodes, f.procs = f.nodes[3-machines:], f.procs[:machines] // the last is no candidate
				withRows(t, f.nodes[0], f.mode, 10)
				for i := range f.nodes {
					f.start(i, 1)
				}
				for i := len(f.nodes) - 1; i >= 0; i-- { // the primary last
					f.stop(i)
				}
				for i := range f.nodes {
					f.procs[i] = f.boot(i, 2).start(t)
				}
				for i := range f.nodes {
					f.procs[i].isServing()
				}
				applied := 0
				for _, p := range f.procs {
					applied += strings.Count(p.errs.text(), `"applied":1,"version":"2"`)
				}
				if applied != 1 {
					t.Errorf("applied %d times", applied)
				}
				for _, n := range f.nodes {
					if got := readOnly(t, n.DB("app.db"), "SELECT count(*) FROM goose_db_version WHERE version_id = 2"); got != "1" {
						t.Errorf("%s: recorded %s times", n.Name, got)
					}
				}
				for i := range f.nodes {
					f.stop(i)
					nothingLeft(t, f.nodes[i])
				}
			})
		}
	}
}
