package fleet

import (
	"database/sql"
	"testing"

	fly "github.com/superfly/fly-go"
	_ "modernc.org/sqlite" // writes on the primary

	"github.com/flysql/flysql/internal/testkit"
)

// Real LiteFS nodes tell what they are, and how far a replica has come.
func TestNodesOfLiteFS(t *testing.T) {
	l := testkit.NewLease(t)
	var roles []string
	var nodes []Node
	for _, name := range []string{"a", "b"} {
		n := testkit.NewNode(t, name, testkit.NodeOptions{Lease: l, Replica: name == "b"})
		n.Start()
		if name == "a" {
			db, err := sql.Open("sqlite", "file:"+n.DB("app.db"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY)"); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		m := &fly.Machine{ID: name, State: "started", PrivateIP: "127.0.0.1"}
		asker := Asker{Port: n.API}
		testkit.Poll(t, name+" has the table", func() bool {
			node := asker.Node(t.Context(), m)
			return node.Position("app.db") == n.Position("app.db") && node.Position("app.db") != ""
		})
		node := asker.Node(t.Context(), m)
		nodes, roles = append(nodes, node), append(roles, node.Role()+" of "+node.LiteFS.Primary)
	}
	if roles[0] != "primary of a" || roles[1] != "replica of a" || nodes[0].LiteFS.ClusterID != nodes[1].LiteFS.ClusterID || nodes[1].LiteFS.Candidate {
		t.Errorf("%q, %+v, %+v", roles, nodes[0].LiteFS, nodes[1].LiteFS)
	}
	if lacks, known := Behind(nodes[1], nodes[0], "app.db"); lacks != 0 || !known {
		t.Errorf("behind by %d, known: %v", lacks, known)
	}
}
