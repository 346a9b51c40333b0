package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/appdb/appdbtest"
	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
)

// Beside a real LiteFS the database's role is followed, with nothing set but where its
// API is: a replica refuses, and from a promotion on it writes.
func TestBesideLiteFS(t *testing.T) {
	l := testkit.NewLease(t)
	var nodes []*testkit.Node
	var stores []*store
	for _, name := range []string{"a", "b"} {
		n := testkit.NewNode(t, name, testkit.NodeOptions{Lease: l})
		n.Start()
		if name == "a" {
			importMigrated(t, n)
		}
		testkit.Poll(t, "the database on "+name, func() bool { return n.Position("app.db") != "" })
		db, closed, err := openDatabase(t.Context(), "file://"+n.DB("app.db"), fmt.Sprintf(":%d", n.API), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := closed(); err != nil {
				t.Error(err)
			}
		})
		nodes, stores = append(nodes, n), append(stores, &store{db: db})
	}
	a, b := stores[0], stores[1]
	if _, err := a.Sign(t.Context(), "Ada", "Hello"); err != nil {
		t.Fatal(err)
	}
	_, err := b.Sign(t.Context(), "Bob", "Refused")
	var elsewhere *appdb.ReplicaError
	if !errors.As(err, &elsewhere) || elsewhere.Primary != "a" {
		t.Errorf("on the replica: %v", err)
	}
	testkit.Poll(t, "the message on b", func() bool {
		list, err := b.MessagesAfter(t.Context(), 0, 10)
		return err == nil && len(list) == 1
	})
	nodes[1].Post("/promote")
	testkit.Poll(t, "b to write", func() bool { _, err := b.Sign(t.Context(), "Bob", "Taken"); return err == nil })
	if list, err := b.MessagesAfter(t.Context(), 0, 10); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}

// importMigrated gives a node a database with the app's tables.
func importMigrated(t *testing.T, n *testkit.Node) {
	t.Helper()
	db := appdbtest.New(t, migrations)
	path := db.Path()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	node, err := litefs.Open(litefs.Config{Addr: fmt.Sprintf(":%d", n.API), FUSEDir: n.Mount})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	if err := node.Import(t.Context(), "app.db", f); err != nil {
		t.Fatal(err)
	}
}
