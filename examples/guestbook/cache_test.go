package main

import (
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// listed is what /messages.json answers, and whether it came from the cache.
func (a *testApp) listed(t *testing.T, target string) (body, cached string) {
	t.Helper()
	w := a.get(t, target)
	wantStatus(t, w, http.StatusOK)
	return w.Body.String(), w.Header().Get("Cache-Status")
}

const hit, miss = "guestbook; hit", "guestbook; fwd=miss"

// A list is kept until it is another one.
func TestCache(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	first := a.sign(t, "Ada", "Hello")
	change := func(query string, args ...any) {
		t.Helper()
		if _, err := a.store.db.Writer().ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	list, _ := a.listed(t, "/messages.json")
	for _, tt := range []struct {
		what, target string
		before       func()
		want, cached string
	}{
		{"again", "/messages.json", func() {}, list, hit},
		{"the same, asked for otherwise", "/messages.json?after=0", func() {}, list, hit},
		{"another one", "/messages.json?after=1", func() {}, `{"messages":[],"more":false}` + "\n", miss},
		{"another one, again", "/messages.json?after=1", func() {}, `{"messages":[],"more":false}` + "\n", hit},
		{"another message with the same id", "/messages.json", func() {
			change("UPDATE messages SET body = 'Other', created = ? WHERE id = ?", time.Unix(1e9, 0), first)
		}, `{"messages":[{"id":1,"guest_id":1,"name":"Ada","message":"Other","created":"2001-09-09T01:46:40Z"}],"more":false}` + "\n", miss},
		{"none left", "/messages.json", func() { change("DELETE FROM messages") }, `{"messages":[],"more":false}` + "\n", miss},
		{"of none", "/messages.json", func() {}, `{"messages":[],"more":false}` + "\n", hit},
		{"too old", "/messages.json", func() {
			if _, err := a.cache.db.Writer().ExecContext(t.Context(), "UPDATE lists SET kept = kept - ?", cachedFor/time.Second); err != nil {
				t.Fatal(err)
			}
		}, `{"messages":[],"more":false}` + "\n", miss},
	} {
		tt.before()
		if body, cached := a.listed(t, tt.target); body != tt.want || cached != tt.cached {
			t.Errorf("%s: %q %s, want %q %s", tt.what, cached, body, tt.cached, tt.want)
		}
	}
	wantNotContains(t, "log", a.log.String(), "level=WARN")
}

// Whatever clients ask for, it stays small, and keeps what was asked for last.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	ca := newTestApp(t).cache
	for after := range int64(3 * cachedLists) {
		ca.keep(t.Context(), after, "x", []byte("list"))
		ca.keep(t.Context(), after, "y", []byte("list"))
	}
	var n, oldest int64
	if err := ca.db.Reader().QueryRowContext(t.Context(), "SELECT count(*), min(after_id) FROM lists").Scan(&n, &oldest); err != nil {
		t.Fatal(err)
	}
	if n == 0 || n > cachedLists || ca.list(t.Context(), 3*cachedLists-1, "y") == nil {
		t.Errorf("it keeps %d lists, from %d on", n, oldest)
	}
}

// Without its cache the app answers all the same, and says so once.
func TestWithoutACache(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	a.sign(t, "Ada", "Hello")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.cache = openCache(t.Context(), file, a.app.log)
	for range 2 {
		if body, cached := a.listed(t, "/messages.json"); cached != miss {
			t.Errorf("%q %s", cached, body)
		}
	}
	wantContains(t, "log", a.log.String(), "no cache", "set FLYSQL_LOCAL_DIR")
	if err := a.cache.Close(); err != nil {
		t.Error(err)
	}
}

// One that breaks while the app runs costs no request.
func TestBrokenCache(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	a.sign(t, "Ada", "Hello")
	if err := a.cache.db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DROP TABLE lists")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if body, cached := a.listed(t, "/messages.json"); cached != miss {
		t.Errorf("%q %s", cached, body)
	}
	wantContains(t, "log", a.log.String(), "cache not read", "cache not written")
}
