package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/engine"
)

// replica is an engine that says that another machine is the primary.
type replica struct{}

func (replica) State() engine.State {
	return engine.State{Role: engine.RoleReplica, Primary: "elsewhere", Epoch: 1}
}

func (replica) WaitPosition(context.Context, string, engine.Pos) error { return nil }

// On a replica every page is served, uncounted, and a write that strays there is
// refused as one that can be sent again.
func TestOnAReplica(t *testing.T) {
	t.Parallel()
	file := migratedFile(t)
	primary := openApp(t, file, nil)
	primary.sign(t, "Ada", "Hello")
	for range 3 {
		wantStatus(t, primary.get(t, "/"), http.StatusOK)
	}

	a := openApp(t, file, replica{})
	for _, target := range []string{"/", "/", "/guests/1"} {
		wantStatus(t, a.get(t, target), http.StatusOK)
	}
	wantContains(t, "page", a.get(t, "/").Body.String(), "Hello", `<data value="3">`)
	wantStatus(t, a.get(t, "/healthz"), http.StatusOK)
	w := a.post(t, "Grace", "Hello")
	wantStatus(t, w, http.StatusServiceUnavailable)
	wantContains(t, "page", w.Body.String(), "Nothing was written")
	if got := w.Header().Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After %q, want 1", got)
	}
	wantContains(t, "log", a.log.String(), "level=WARN", "elsewhere")
	if n := len(a.all(t)); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

// openApp is the app on a database file that may be another app's too.
func openApp(t *testing.T, file string, e engine.Engine) *testApp {
	t.Helper()
	db, err := appdb.Config{Engine: e}.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	var log bytes.Buffer
	a, err := newApp(&store{db: db}, site{}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return &testApp{app: a, Handler: a.handler(), log: &log}
}
