package main

import (
	"bytes"
	"embed"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/appdb/appdbtest"
	"github.com/flysql/flysql/replay"
)

// migrations is the directory that flysql-entrypoint is given.
//
//go:embed migrations/*.sql
var migrations embed.FS

// testApp is the whole app on a database of its own.
type testApp struct {
	*app
	http.Handler
	log *bytes.Buffer // read it only while no request runs
}

func newTestApp(t testing.TB) *testApp { return newTestAppAt(t, site{}) }

func newTestAppAt(t testing.TB, here site) *testApp {
	t.Helper()
	return newTestAppOn(t, appdbtest.New(t, migrations), here, replay.Config{})
}

func newTestAppOn(t testing.TB, db *appdb.DB, here site, c replay.Config) *testApp {
	t.Helper()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	c.Logger = logger
	rt, err := replay.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	ca := openCache(t.Context(), t.TempDir(), logger)
	t.Cleanup(func() {
		if err := ca.Close(); err != nil {
			t.Error(err)
		}
	})
	log.Reset() // what New says when there is nothing to follow
	a, err := newApp(&store{db: db}, ca, rt, here, logger)
	if err != nil {
		t.Fatal(err)
	}
	return &testApp{app: a, Handler: a.handler(), log: &log}
}

// do sends one request; header is pairs of name and value.
func (a *testApp) do(t testing.TB, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func (a *testApp) get(t testing.TB, target string) *httptest.ResponseRecorder {
	t.Helper()
	return a.do(t, http.MethodGet, target, "")
}

// post sends the form as a browser does; header may make it a script's.
func (a *testApp) post(t testing.TB, name, message string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	form := url.Values{"name": {name}, "message": {message}}.Encode()
	header = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)
	return a.do(t, http.MethodPost, "/messages", form, header...)
}

// sign puts one message in the book, past the handlers.
func (a *testApp) sign(t testing.TB, name, message string) (id int64) {
	t.Helper()
	id, err := a.store.Sign(t.Context(), name, message)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// all returns every message, oldest first.
func (a *testApp) all(t testing.TB) []message {
	t.Helper()
	list, err := a.store.MessagesAfter(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func wantStatus(t testing.TB, w *httptest.ResponseRecorder, want int) {
	t.Helper()
	if w.Code != want {
		t.Fatalf("status %d, want %d; body:\n%s", w.Code, want, w.Body)
	}
}

func wantContains(t testing.TB, what, got string, want ...string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(got, s) {
			t.Errorf("%s does not contain %q:\n%s", what, s, got)
		}
	}
}

func wantNotContains(t testing.TB, what, got string, unwanted ...string) {
	t.Helper()
	for _, s := range unwanted {
		if strings.Contains(got, s) {
			t.Errorf("%s contains %q:\n%s", what, s, got)
		}
	}
}
