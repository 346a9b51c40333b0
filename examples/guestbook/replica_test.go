package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/replay"
)

// machine is an engine that stays what it is.
type machine struct {
	role  engine.Role
	ready bool
}

func (m machine) State() engine.State {
	st := engine.State{Role: m.role, Ready: m.ready, Epoch: 1}
	if m.role == engine.RoleReplica {
		st.Primary = "first"
	}
	return st
}

func (machine) WaitPosition(context.Context, string, engine.Pos) error { return nil }

// openApp is the app of one machine, on a database file that may be another's too;
// peer is where the primary's app listens.
func openApp(t *testing.T, file string, m machine, peer string) *testApp {
	t.Helper()
	db, err := appdb.Config{Engine: m}.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return newTestAppOn(t, db, site{Machine: m.role.String()}, replay.Config{Engine: m, Peer: func(string) (string, error) { return peer, nil }})
}

// On a replica nothing is different for whoever asks: what writes is done by the
// primary, the count of a page's readers too, and what reads is not.
func TestOnAReplica(t *testing.T) {
	t.Parallel()
	file := migratedFile(t)
	primary := openApp(t, file, machine{engine.RolePrimary, true}, "")
	server := httptest.NewServer(primary)
	t.Cleanup(server.Close)
	primary.sign(t, "Ada", "Hello")

	a := openApp(t, file, machine{engine.RoleReplica, true}, server.URL)
	for _, count := range []string{"1", "2"} {
		w := a.get(t, "/")
		wantStatus(t, w, http.StatusOK)
		wantContains(t, "page", w.Body.String(), "Hello", `<data value="`+count+`">`, "primary")
	}
	w := a.post(t, "Grace", "Hello too")
	wantStatus(t, w, http.StatusSeeOther)
	if list := a.all(t); len(list) != 2 || list[1].Body != "Hello too" {
		t.Errorf("the book has %+v", list)
	}
	for _, cached := range []string{"guestbook; fwd=miss", "guestbook; hit"} { // it is this machine's own, which it writes
		w := a.get(t, "/messages.json")
		wantContains(t, "list", w.Body.String(), "Hello too")
		if got := w.Header().Get("Cache-Status"); got != cached {
			t.Errorf("Cache-Status %q, want %q", got, cached)
		}
	}
	wantStatus(t, a.do(t, http.MethodHead, "/", ""), http.StatusOK)
	wantContains(t, "health", a.get(t, "/healthz").Body.String(), `"role":"replica"`)
	wantNotContains(t, "log", a.log.String(), "level=ERROR", "level=WARN")
	if n := strings.Count(primary.log.String(), "msg=request"); n != 3 {
		t.Errorf("the primary has answered %d requests, want 3:\n%s", n, primary.log)
	}
}

// Without a primary pages are served, uncounted.
func TestWithoutAPrimary(t *testing.T) {
	t.Parallel()
	file := migratedFile(t)
	openApp(t, file, machine{engine.RolePrimary, true}, "").sign(t, "Ada", "Hello")
	a := openApp(t, file, machine{engine.RoleUnknown, true}, "")
	for _, target := range []string{"/", "/guests/1"} {
		w := a.get(t, target)
		wantStatus(t, w, http.StatusOK)
		wantContains(t, target, w.Body.String(), "Hello", `Served by machine <b>unknown</b>`)
		wantNotContains(t, target, w.Body.String(), "<data ")
	}
	wantStatus(t, a.get(t, "/healthz"), http.StatusOK)
}

// A machine that has not caught up gets no visitors.
func TestNotReady(t *testing.T) {
	t.Parallel()
	a := openApp(t, migratedFile(t), machine{engine.RoleReplica, false}, "")
	wantStatus(t, a.get(t, "/healthz"), http.StatusServiceUnavailable)
}
