package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/appdb/appdbtest"
	"github.com/flysql/flysql/engine"
)

// elsewhere is the engine of a machine that has a replica.
type elsewhere struct{ primary string }

func (e elsewhere) State() engine.State {
	return engine.State{Role: engine.RoleReplica, Primary: e.primary, Ready: true, Changed: make(chan struct{})}
}

func (elsewhere) WaitPosition(context.Context, string, engine.Pos) error {
	return errors.New("not asked here")
}

// On a replica pages are read, and are not counted; what is signed is refused, with
// the machine that takes it.
func TestOnAReplica(t *testing.T) {
	t.Parallel()
	first := appdbtest.New(t, migrations)
	st := &store{db: first}
	if _, err := st.Sign(t.Context(), "Ada", "Hello"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/guests/1"} {
		if _, err := st.CountRead(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	db, err := appdb.Config{Engine: elsewhere{"machine-b"}}.Open(t.Context(), first.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var log bytes.Buffer
	inner, err := newApp(&store{db: db}, site{}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	a := &testApp{app: inner, Handler: inner.handler(), log: &log}

	for _, path := range []string{"/", "/guests/1", "/", "/guests/1"} {
		w := a.get(t, path)
		wantStatus(t, w, http.StatusOK)
		wantContains(t, path, w.Body.String(), "Hello", `<data value="1">`)
	}
	wantStatus(t, a.get(t, "/healthz"), http.StatusOK)
	for what, w := range map[string]*httptest.ResponseRecorder{
		"page": a.post(t, "Bob", "Lost?"),
		"JSON": a.post(t, "Bob", "Lost?", "Accept", "application/json"),
	} {
		wantStatus(t, w, http.StatusServiceUnavailable)
		wantContains(t, what, w.Body.String(), "machine-b writes", "nothing was kept")
		if w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", what)
		}
	}
	if got := a.all(t); len(got) != 1 {
		t.Errorf("messages %v", got)
	}
	wantContains(t, "log", log.String(), "level=WARN", "primary=machine-b")
	wantNotContains(t, "log", log.String(), "level=ERROR")
}
