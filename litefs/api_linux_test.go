package litefs

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/flysql/flysql/internal/testkit"
)

// rows counts the rows of t in a SQLite file, and checks the file.
func rows(t testing.TB, data []byte) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "exported.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	var n int
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity_check: %q, %v", verdict, err)
	}
	if err := db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// slowly gives its bytes in pieces, and then err.
type slowly struct {
	r   io.Reader
	err error
}

func (s *slowly) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), 1<<12)])
	if err == io.EOF {
		err = s.err
	}
	return n, err
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestExportAndImport(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a", "b")
	a, b := nodes[0], nodes[1]
	na, nb := follow(t, config(a)), follow(t, config(b))
	await(t, nb, "replica", isReplica)
	const n = 2000
	file := sqliteFile(t, n)

	if err := na.Import(limit(t), "app.db", bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if err := nb.WaitPosition(limit(t), "app.db", onDisk(t, a)); err != nil {
		t.Fatal(err)
	}
	for name, node := range map[string]*Node{"primary": na, "replica": nb} {
		var out bytes.Buffer
		if err := node.Export(limit(t), "app.db", &out); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := rows(t, out.Bytes()); got != n {
			t.Errorf("%s: %d rows, want %d", name, got, n)
		}
	}

	// In WAL mode, with pages that are in the log alone, and while there are writes.
	exec(t, a, "PRAGMA journal_mode=wal")
	db := openDB(t, a)
	defer db.Close()
	for i := range 50 {
		if _, err := db.Exec("INSERT INTO t VALUES (randomblob(10000))"); err != nil {
			t.Fatal(err)
		}
		if i%10 != 0 {
			continue
		}
		var out bytes.Buffer
		if err := na.Export(limit(t), "app.db", &out); err != nil {
			t.Fatal(err)
		}
		if got := rows(t, out.Bytes()); got != n+i+1 {
			t.Errorf("%d rows, want %d", got, n+i+1)
		}
	}

	wrong := errors.New("the reader's")
	before := onDisk(t, a)
	for name, r := range map[string]io.Reader{
		"reader fails": &slowly{bytes.NewReader(file[:len(file)/2]), wrong},
		"half a file":  &slowly{bytes.NewReader(file[:len(file)/2]), io.EOF},
		"no SQLite":    bytes.NewReader(bytes.Repeat([]byte("x"), 10000)),
		"nothing":      bytes.NewReader(nil),
	} {
		err := na.Import(limit(t), "app.db", r)
		if err == nil || errors.Is(err, ErrNotPrimary) || name == "reader fails" && !errors.Is(err, wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := onDisk(t, a); after != before {
		t.Errorf("failed imports moved the database from %v to %v", before, after)
	}

	for name, err := range map[string]error{
		"export writer": wantIs(na.Export(limit(t), "app.db", failingWriter{wrong}), wrong),
		"missing":       wantIs(na.Export(limit(t), "other.db", io.Discard), ErrNoDatabase),
		"canceled":      wantIs(na.Export(canceled(), "app.db", io.Discard), context.Canceled),
		"canceled in":   wantIs(na.Import(canceled(), "app.db", bytes.NewReader(file)), context.Canceled),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "..", "a/b", "a\x00b"} {
		if na.Export(limit(t), name, io.Discard) == nil || na.Import(limit(t), name, bytes.NewReader(file)) == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
}

// wantIs is nil where err is want.
func wantIs(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return errors.Join(errors.New("want "+want.Error()+", got:"), err)
}

// A replica refuses an import before any of it is read: the refusal is not lost
// among broken pipes, and the reader can be used for the next attempt.
func TestImportOnReplica(t *testing.T) {
	level(t)
	_, nodes := cluster(t, "a", "b")
	n := follow(t, config(nodes[1]))
	await(t, n, "replica", isReplica)
	file := sqliteFile(t, 2000)
	for range 20 {
		r := bytes.NewReader(file)
		if err := n.Import(limit(t), "app.db", r); !errors.Is(err, ErrNotPrimary) {
			t.Fatalf("import on a replica: %v", err)
		}
		if r.Len() != len(file) {
			t.Errorf("%d bytes of the file were read", len(file)-r.Len())
		}
	}
	if nodes[0].Position("app.db") != "" {
		t.Error("something was imported")
	}
}

// LiteFS is not there: every call says so, and ends.
func TestNobodyThere(t *testing.T) {
	level(t)
	c := Config{Addr: "127.0.0.1:1", FUSEDir: t.TempDir()}
	n := follow(t, c)
	calls := map[string]func() error{
		"export":  func() error { return n.Export(t.Context(), "app.db", io.Discard) },
		"import":  func() error { return n.Import(t.Context(), "app.db", bytes.NewReader(nil)) },
		"handoff": func() error { return n.Handoff(t.Context(), "0000000000000001") },
	}
	for name, call := range calls {
		if err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	testkit.Poll(t, "the reason", func() bool { return n.State().Err != errNotYet })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"promote": n.Promote(ctx),
		"wait":    func() error { _, err := n.WaitPrimary(ctx); return err }(),
		"pos":     n.WaitPosition(ctx, "app.db", Pos{TXID: 1}),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
