package handover_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move/handover"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
)

// writeVariable makes the test's program one that runs a statement: a process that is to
// write to the mount is not the test's own.
const writeVariable = "FLYSQL_TEST_WRITE"

func TestMain(m *testing.M) {
	if path, sql, ok := strings.Cut(os.Getenv(writeVariable), " "); ok {
		if err := run(path, sql); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func run(path, sql string) error {
	db, err := lite.Open(ctx(), path, false)
	if err != nil {
		return err
	}
	return errors.Join(db.Exec(sql), db.Close())
}

func write(t *testing.T, path, sql string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writeVariable+"="+path+" "+sql)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// file makes a database with a table of one row.
func file(t *testing.T, value string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	write(t, path, "CREATE TABLE t AS SELECT '"+value+"' AS a")
	return path
}

func TestGive(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	testkit.NeedFUSE(t)
	lease := testkit.NewLease(t)
	a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: lease})
	b := testkit.NewNode(t, "b", testkit.NodeOptions{Lease: lease, Replica: true})
	a.Start()
	b.Start()
	config := func(n *testkit.Node) litefs.Config { return litefs.Config{Addr: addr(n), FUSEDir: n.Mount} }
	if _, err := handover.Open(t.Context(), config(b)); !errors.Is(err, litefs.ErrNotPrimary) || !strings.Contains(err.Error(), "it is a;") {
		t.Errorf("a replica: %v", err)
	}
	node, err := handover.Open(t.Context(), config(a))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	if err := node.Check(t.Context(), "app.db", false); err != nil {
		t.Errorf("there is none: %v", err)
	}

	first := file(t, "first")
	given, err := node.Give(t.Context(), "app.db", first)
	if err != nil || given.Kept != "" || given.Position == "" {
		t.Fatalf("%+v, %v", given, err)
	}
	testkit.Poll(t, "the replica has it", func() bool { return b.Position("app.db") == given.Position })
	if err := node.Check(t.Context(), "app.db", false); !errors.Is(err, handover.ErrHasDatabase) {
		t.Errorf("it has one: %v", err)
	}

	second := file(t, "second")
	given, err = node.Give(t.Context(), "app.db", second)
	if err != nil || given.Kept != second+".before-litefs" {
		t.Fatalf("%+v, %v", given, err)
	}
	if data, err := os.ReadFile(given.Kept); err != nil || !bytes.Contains(data, []byte("first")) {
		t.Errorf("what was there is not kept: %v", err)
	}

	// By the address alone, as of another machine; and what was kept is kept.
	remote, err := handover.Open(t.Context(), litefs.Config{Addr: addr(a), Remote: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remote.Close() })
	given, err = remote.Give(t.Context(), "app.db", second)
	if err != nil || given.Kept != second+".before-litefs-2" || given.Position != "" {
		t.Errorf("%+v, %v", given, err)
	}
	left, err := os.ReadDir(filepath.Dir(second))
	if err != nil || len(left) != 3 {
		t.Errorf("%v, %v", left, err)
	}
}

// The file is whatever was made, and LiteFS may not take it.
func TestGiveRefused(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	testkit.NeedFUSE(t)
	a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: testkit.NewLease(t)})
	a.Start()
	node, err := handover.Open(t.Context(), litefs.Config{Addr: addr(a), FUSEDir: a.Mount})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	path := filepath.Join(t.TempDir(), "app.db")
	if err := os.WriteFile(path, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Give(t.Context(), "app.db", path); err == nil {
		t.Error("no error of a file that is no database")
	}
	if _, err := node.Give(t.Context(), "app.db", path+"-missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := handover.Open(t.Context(), litefs.Config{Addr: "localhost:1", Remote: true}); err == nil || !strings.Contains(err.Error(), "no LiteFS that knows a primary") {
		t.Errorf("nobody there: %v", err)
	}
}

// Somebody writes although nobody should: whenever it is, that is told.
func TestGiveBesideWriter(t *testing.T) {
	t.Parallel()
	testkit.NeedRoot(t)
	testkit.NeedFUSE(t)
	a := testkit.NewNode(t, "a", testkit.NodeOptions{Lease: testkit.NewLease(t)})
	a.Start()
	node, err := handover.Open(t.Context(), litefs.Config{Addr: addr(a), FUSEDir: a.Mount})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	for step, want := range map[string]string{
		"kept":    "nothing was changed there",
		"checked": "a transaction came between that is neither in it nor in ",
		"sent":    "what LiteFS gives back is not the file",
	} {
		t.Run(step, func(t *testing.T) {
			db := step + ".db"
			write(t, a.DB(db), "CREATE TABLE t AS SELECT 'old' AS a")
			node.OnReached(func(now string) {
				if now == step {
					write(t, a.DB(db), "INSERT INTO t VALUES ('late')")
				}
			})
			given, err := node.Give(t.Context(), db, file(t, "new"))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
			if data, err := os.ReadFile(given.Kept); err != nil || !bytes.Contains(data, []byte("old")) {
				t.Errorf("what was there is not kept: %v", err)
			}
		})
	}
}

func addr(n *testkit.Node) string { return fmt.Sprintf("127.0.0.1:%d", n.API) }

func ctx() context.Context { return context.Background() }
