package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// --litefs makes the file a database of the node that runs here.
func TestImportLiteFS(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	testkit.NeedFUSE(t)
	db := testkit.Postgres(t)
	db.Exec(shop)
	lease := testkit.NewLease(t)
	a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: lease})
	b := testkit.NewNode(t, "b", testkit.NodeOptions{Lease: lease, Replica: true})
	a.Start()
	b.Start()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	flysql := func(n *testkit.Node, args ...string) (int, string, string) {
		return output(t.Context(), []string{"FLYSQL_LITEFS=" + n.Config}, append([]string{"import", db.URL}, args...)...)
	}
	code, stdout, stderr := flysql(b, path, "--yes", "--litefs")
	if code != 1 || !strings.Contains(stderr, "this node is not the primary: it is a; run this there") || !strings.Contains(stderr, "nothing was written") {
		t.Errorf("a replica: exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = flysql(a, a.DB("app.db"), "--yes")
	if code != 1 || !strings.Contains(stderr, "is in the LiteFS mount") {
		t.Errorf("into the mount: exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = flysql(a, path, "--yes", "--litefs")
	if code != 0 || !strings.Contains(stdout, "handed to LiteFS as app.db, at 0000000000000001/") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	testkit.Poll(t, "the replica has it", func() bool { return b.Position("app.db") == a.Position("app.db") })
	code, stdout, stderr = flysql(a, filepath.Join(dir, "other", "..", "second", "..", "app.db"), "--yes", "--litefs")
	if code != 1 {
		t.Errorf("it is there: exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = flysql(a, filepath.Join(t.TempDir(), "app.db"), "--yes", "--litefs")
	if code != 1 || !strings.Contains(stderr, "the LiteFS node has that database already: stop the app and give --replace") {
		t.Errorf("LiteFS has it: exit code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = flysql(a, path, "--yes", "--json", "--replace", fmt.Sprintf("--litefs=http://127.0.0.1:%d", a.API))
	if code != 0 || !strings.Contains(stdout, `"litefs":{"database":"app.db","position":"","kept":"`+path+`.before-litefs"}`) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := output(t.Context(), nil, "verify", db.URL, path+".before-litefs", "--plan", importedPlanFile(path)); code != 0 {
		t.Errorf("what LiteFS had: exit code %d\n%s%s", code, stdout, stderr)
	}
}
