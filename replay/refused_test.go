package replay

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"modernc.org/sqlite"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/engine"
)

// What may be a replica's refusal: package appdb's error, and the codes of a driver.
// Of the drivers, the one of this module is here; e2e has the others.
func TestRefusalOf(t *testing.T) {
	replica := &appdb.ReplicaError{Primary: "m1"}
	for _, tt := range []struct {
		name string
		err  error
		want refusal
	}{
		{"appdb", replica, certain},
		{"wrapped", fmt.Errorf("sign: %w", replica), certain},
		{"joined", errors.Join(io.EOF, fmt.Errorf("sign: %w", replica)), certain},
		{"another", io.EOF, no},
		{"a nil driver error", (*sqlite.Error)(nil), no},
		{"none", nil, no},
	} {
		if got := refusalOf(tt.err); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// The driver's own error sends a request on from a replica, and not from a primary.
func TestDriverError(t *testing.T) {
	file := t.TempDir() + "/app.db"
	db, err := appdb.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, readOnly := db.Reader().ExecContext(t.Context(), "CREATE TABLE t (x)")
	if code, ok := sqliteCode(errors.Unwrap(fmt.Errorf("%w", readOnly))); !ok || code != 8 {
		t.Fatalf("%v has code %d, %v", readOnly, code, ok)
	}
	_, syntax := db.Reader().ExecContext(t.Context(), "CREATE")
	for _, tt := range []struct {
		role engine.Role
		err  error
		sent bool
	}{
		{engine.RoleReplica, readOnly, true},
		{engine.RoleUnknown, readOnly, true},
		{engine.RolePrimary, readOnly, false},
		{engine.RoleReplica, syntax, false},
	} {
		f := newFake(tt.role, "m1", appAt(1, 1))
		rt := newRouter(t, Config{Engine: f, WriteWait: 1})
		res := ask(rt.Handler(HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return tt.err })), "GET", "/", "")
		if sent := rt.metrics.sent[reasonRefused].Load() == 1; sent != tt.sent || !sent && res.StatusCode != 500 {
			t.Errorf("%v, %v: sent is %v; %d", tt.role, tt.err, sent, res.StatusCode)
		}
	}
}
