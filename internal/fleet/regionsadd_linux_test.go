package fleet

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/testkit"
)

// realNodes asks real LiteFS nodes for machines: the first one asked is the primary's.
type realNodes struct {
	t  testing.TB
	mu sync.Mutex
	of map[string]*testkit.Node
	to []*testkit.Node
}

func (r *realNodes) Nodes(ctx context.Context, machines []*fly.Machine) map[string]Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	nodes := map[string]Node{}
	for _, m := range machines {
		n := r.of[m.ID]
		if n == nil {
			n, r.to = r.to[0], r.to[1:]
			r.of[m.ID] = n
		}
		there := *m
		there.PrivateIP = "127.0.0.1"
		nodes[m.ID] = Asker{Port: n.API}.Node(ctx, &there)
	}
	return nodes
}

// With real LiteFS, an addition ends when the new node has the rows that the primary had:
// it is kept from them for a while by a transaction that reads on it.
func TestAddCatchesUp(t *testing.T) {
	testkit.NeedFUSE(t)
	l := testkit.NewLease(t)
	a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: l})
	b := testkit.NewNode(t, "b", testkit.NodeOptions{Lease: l, Replica: true})
	a.Start()
	onA := openDB(t, a)
	exec := func(statement string) {
		t.Helper()
		if _, err := onA.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE t (id INTEGER PRIMARY KEY)")
	exec("INSERT INTO t VALUES (NULL)")
	b.Start()
	testkit.Poll(t, "b at a's position", func() bool { return a.Position("app.db") != "" && a.Position("app.db") == b.Position("app.db") })
	reader, err := openDB(t, b).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback()
	var rows int
	if err := reader.QueryRow("SELECT count(*) FROM t").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		exec("INSERT INTO t VALUES (NULL)")
	}
	goal := a.Position("app.db")

	s := newCluster(t, "ams")
	asker := &realNodes{t: t, of: map[string]*testkit.Node{}, to: []*testkit.Node{a, b}}
	c := s.client()
	surveyed, err := SurveyCluster(t.Context(), c, asker, s.config, "", Regions)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := PlanAdd(surveyed, standard("syd"))
	if err != nil {
		t.Fatal(err)
	}
	waited := ""
	_, err = plan.Apply(t.Context(), c, Changing{Asker: asker, Every: 10 * time.Millisecond, Patience: time.Minute, Progress: func(text string) {
		if waited == "" && strings.Contains(text, "app.db is at transaction") {
			waited = text
			if err := reader.Rollback(); err != nil {
				t.Error(err)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(waited, "app.db is at transaction 2 of 22") {
		t.Errorf("it waited for %q", waited)
	}
	if at := b.Position("app.db"); at != goal {
		t.Errorf("the new node is at %s, the primary was at %s", at, goal)
	}
}

func openDB(t *testing.T, n *testkit.Node) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+n.DB("app.db")+"?_pragma=journal_mode(DELETE)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
