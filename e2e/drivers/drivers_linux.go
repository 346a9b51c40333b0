package drivers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
	"github.com/flysql/flysql/replay"
)

// Driver is one that is to be shown.
type Driver struct {
	// Open opens a database, with pragmas ("query_only=1") on each connection.
	Open func(path string, pragmas ...string) (*sql.DB, error)
	// Refused are errors of its package by themselves, as it returns them for a
	// replica's refusal: bare codes.
	Refused []error
	// CantOpen says that a database whose directory is missing is just that, 14: what
	// SQLite says, too, where it may not make a journal.
	CantOpen bool
	// NoLiteFS says that it cannot lock a database there, not even on the primary.
	NoLiteFS bool
}

// Test shows it.
func Test(t *testing.T, d Driver) {
	t.Run("here", d.here)
	t.Run("LiteFS", d.onReplica)
}

// site is a machine behind a router, whose handler returns an error.
type site struct {
	engine engine.Engine
	err    error
}

// sent tells whether the error has sent a request to the primary.
func (s *site) sent(t *testing.T) bool {
	t.Helper()
	primary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "primary") }))
	defer primary.Close()
	r, err := replay.New(replay.Config{Engine: s.engine, Logger: slog.New(slog.DiscardHandler), NoReplay: true, Peer: func(string) (string, error) { return primary.URL, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w := httptest.NewRecorder()
	r.Handler(replay.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		io.WriteString(w, "half a page")
		return s.err
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	switch text := w.Body.String(); {
	case w.Code == http.StatusOK && text == "primary":
		return true
	case w.Code == http.StatusOK && strings.HasPrefix(text, "half a page"):
		return false
	default:
		t.Fatalf("%d %q for %v", w.Code, text, s.err)
		return false
	}
}

// fixed is an engine with a role.
type fixed engine.Role

func (f fixed) State() engine.State {
	return engine.State{Role: engine.Role(f), Primary: "a", Ready: true, Changed: make(chan struct{})}
}

func (fixed) WaitPosition(context.Context, string, engine.Pos) error { return nil }

// here is on a plain disk: what means a replica's refusal and what does not.
func (d Driver) here(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	open := func(path string, pragmas ...string) *sql.DB {
		t.Helper()
		db, err := d.Open(path, pragmas...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(1)
		return db
	}
	fails := func(db *sql.DB, query string) error {
		t.Helper()
		_, err := db.ExecContext(t.Context(), query)
		if err == nil {
			t.Fatalf("%s has succeeded", query)
		}
		return err
	}
	db := open(file, "busy_timeout=0")
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (x INTEGER PRIMARY KEY NOT NULL); INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	type proof struct {
		name    string
		err     error
		refused bool
	}
	proofs := []proof{
		{"query_only", fails(open(file, "query_only=1"), "INSERT INTO t VALUES (2)"), true},
		{"constraint", fails(db, "INSERT INTO t VALUES (1)"), false},
		{"not null", fails(db, "INSERT INTO t VALUES (NULL), ('x')"), false},
		{"syntax", fails(db, "INSERT t"), false},
		{"no table", fails(db, "INSERT INTO u VALUES (1)"), false},
		{"no directory", fails(open(filepath.Join(t.TempDir(), "none", "app.db")), "CREATE TABLE t (x)"), d.CantOpen},
	}
	for i, err := range d.Refused {
		proofs = append(proofs, proof{fmt.Sprintf("code %d", i), err, true})
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("INSERT INTO t VALUES (3)"); err != nil {
		t.Fatal(err)
	}
	proofs = append(proofs, proof{"busy", fails(open(file, "busy_timeout=0"), "INSERT INTO t VALUES (4)"), false})
	for _, p := range proofs {
		for name, err := range map[string]error{"": p.err, ", wrapped": fmt.Errorf("count: %w", p.err), ", joined": errors.Join(io.EOF, p.err)} {
			if got := (&site{fixed(engine.RoleReplica), err}).sent(t); got != p.refused {
				t.Errorf("%s%s: sent on is %v, want %v: %v", p.name, name, got, p.refused, p.err)
			}
		}
		// On the primary it is a fault of its own.
		if (&site{fixed(engine.RolePrimary), p.err}).sent(t) {
			t.Errorf("%s sends a request away from the primary: %v", p.name, p.err)
		}
	}
}

// onReplica writes on a real replica, by each kind of journal.
func (d Driver) onReplica(t *testing.T) {
	a := testkit.NewNode(t, "a", testkit.NodeOptions{})
	a.Start()
	if d.NoLiteFS {
		d.notEvenPrimary(t, a)
		return
	}
	b := testkit.NewNode(t, "b", testkit.NodeOptions{Replica: true, Primary: a.API})
	b.Start()
	node, err := litefs.Open(litefs.Config{Addr: fmt.Sprintf("127.0.0.1:%d", b.API), FUSEDir: b.Mount})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	if _, err := litefs.Wait(t.Context(), node, func(st litefs.State) bool { return st.Role == litefs.RoleReplica && st.Primary != "" }); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"wal", "delete", "truncate", "persist"} {
		d.refusedWith(t, mode, a, b, node)
	}
}

// notEvenPrimary writes where it should be possible.
func (d Driver) notEvenPrimary(t *testing.T, a *testkit.Node) {
	t.Helper()
	db, err := d.Open(a.DB("app.db"))
	if err == nil {
		defer db.Close()
		_, err = db.ExecContext(t.Context(), "CREATE TABLE t (x)")
	}
	if err == nil {
		t.Error("it writes on a primary: show what a replica says to it")
	}
	t.Log(err)
}

func (d Driver) refusedWith(t *testing.T, mode string, a, b *testkit.Node, node engine.Engine) {
	t.Helper()
	name := mode + ".db"
	primary, err := d.Open(a.DB(name), "journal_mode="+mode)
	if err != nil {
		t.Fatalf("%s: %v", mode, err)
	}
	defer primary.Close()
	if _, err := primary.ExecContext(t.Context(), "CREATE TABLE t (x)"); err != nil {
		t.Fatalf("%s: %v", mode, err)
	}
	testkit.Poll(t, name+" on the replica", func() bool { return b.Position(name) != "" && b.Position(name) == a.Position(name) })
	replica, err := d.Open(b.DB(name), "journal_mode="+mode)
	if err == nil {
		defer replica.Close()
		_, err = replica.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	}
	if err == nil {
		t.Fatalf("%s: a replica has written", mode)
	}
	if !(&site{node, err}).sent(t) {
		t.Errorf("%s: what a write on a replica comes to is not known: %T %v", mode, err, err)
	}
	t.Logf("%s: %v", mode, err)
}
