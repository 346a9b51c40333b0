package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

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
	http.Handler
	db  *appdb.DB
	log *bytes.Buffer // read it only while no request runs
}

func newTestApp(t *testing.T) *testApp {
	t.Helper()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	router, err := replay.New(replay.Config{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := router.Close(); err != nil {
			t.Error(err)
		}
	})
	db := appdbtest.New(t, migrations)
	st, err := newStore(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	log.Reset() // what New says when there is nothing to follow
	return &testApp{(&app{store: st, router: router, log: logger}).handler(), db, &log}
}

// now is what a test does not know beforehand: uuids and times.
var now = regexp.MustCompile(`"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"|"20\d\d-\d\d-\d\dT[^"]*Z"`)

// ask sends one request; "POST /posts {…}".
func (a *testApp) ask(t *testing.T, request string) (status int, body string) {
	t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	target, in, _ := strings.Cut(rest, " ")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(in)))
	return w.Code, now.ReplaceAllString(strings.TrimSpace(w.Body.String()), "NOW")
}

// A day at the magazine: each line sees what those before it have written.
func TestAPI(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	tests := []struct {
		request string
		status  int
		want    string
	}{
		{"GET /posts", 200, `[]`},
		{`POST /posts {"slug":"etudes","title":"100% Études","status":"published","price":"4.5","tags":["go","two words"]}`, 201, `{"id":1}`},
		{`POST /posts {"slug":"draft","title":"A draft"}`, 201, `{"id":2}`},
		{"GET /posts/etudes", 200, `{"id":1,"slug":"etudes","title":"100% Études","status":"published","featured":false,"price":"4.50","tags":["go","two words"],"published_at":NOW}`},
		{"GET /posts/draft", 200, `{"id":2,"slug":"draft","title":"A draft","status":"draft","featured":false,"price":"0.00","tags":[],"published_at":null}`},
		{"GET /posts/none", 404, `{"error":"there is nothing like it"}`},
		{"GET /titles/100%25%20%C3%89TUDES", 200, `[{"id":1,"slug":"etudes","title":"100% Études","status":"published","featured":false,"price":"4.50","tags":["go","two words"],"published_at":NOW}]`},
		{"GET /titles/100%25", 200, `[]`},
		{"GET /desk", 200, `[{"slug":"draft","status":"draft","published_at":null},{"slug":"etudes","status":"published","published_at":NOW}]`},

		{"POST /posts/draft/tags {\"tag\":\"go\"}", 201, `{"tags":["go"]}`},
		{"POST /posts/draft/tags {\"tag\":\"go\"}", 404, `{"error":"there is nothing like it"}`},
		{"GET /tags", 200, `[{"tag":"go","posts":2},{"tag":"two words","posts":1}]`},
		{`PUT /featured {"slug":"draft"}`, 200, `{"slug":"draft"}`},
		{`PUT /featured {"slug":"etudes"}`, 200, `{"slug":"etudes"}`},
		{`PUT /featured {"slug":"none"}`, 404, `{"error":"there is nothing like it"}`},

		{`POST /readers {"email":"Ada@Example.com","name":"Ada"}`, 201, `{"id":NOW}`},
		{`POST /readers {"email":"ada@example.COM","name":"Another"}`, 409, `{"error":"it is there already"}`},
		{`POST /readers {"email":"nowhere","name":"N"}`, 409, `{"error":"a value is outside what is allowed"}`},
		{`PUT /readers/ADA@example.com/theme {"theme":"dark"}`, 200, `{"theme":"dark"}`},
		{"GET /readers/ada@example.com", 200, `{"id":NOW,"email":"Ada@Example.com","name":"Ada","paying":false,"prefs":{"theme":"dark"},"theme":"dark","joined_at":NOW}`},

		{`POST /posts/etudes/reads {"reader":"ada@example.com","seconds":30}`, 201, `{"id":NOW,"seconds":30}`},
		{`POST /posts/etudes/reads {"reader":"ada@example.com","seconds":90,"finished":true}`, 201, `{"id":NOW,"seconds":90}`},
		{`POST /posts/etudes/reads {"reader":"ada@example.com","seconds":60,"finished":true}`, 201, `{"id":NOW,"seconds":90}`},
		{`POST /posts/etudes/reads {"reader":"ada@example.com","seconds":-1}`, 409, `{"error":"a value is outside what is allowed"}`},
		{`POST /posts/none/reads {"reader":"ada@example.com","seconds":1}`, 404, `{"error":"there is nothing like it"}`},
		{"GET /stats", 200, `[{"slug":"etudes","reads":2,"finished":1,"last_read_at":NOW},{"slug":"draft","reads":0,"finished":0,"last_read_at":null}]`},
		{"GET /reads/lately", 200, `{"reads":2}`},

		{`POST /posts/etudes/purchases {"reader":"ada@example.com"}`, 201, `{"paid":"4.50"}`},
		{`POST /posts/etudes/purchases {"reader":"ada@example.com"}`, 404, `{"error":"there is nothing like it"}`},
		{`POST /posts/draft/purchases {"reader":"ada@example.com"}`, 409, `{"error":"a value is outside what is allowed"}`},
		{"DELETE /posts/etudes", 409, `{"error":"something still refers to it"}`},
		{"DELETE /posts/draft", 200, `{"deleted":true}`},
		{`POST /posts {"slug":"again","title":"An id is not given out again"}`, 201, `{"id":3}`},

		{`POST /posts {"slug":"x","title":"x","status":"lost"}`, 409, `{"error":"a value is outside what is allowed"}`},
		{`POST /posts {"slug":"x","title":"x","price":"1e3"}`, 400, `{"error":"the body is not what is wanted here: \"1e3\" is not a price: write it as \"4.50\", from \"0\" to \"999999.99\""}`},
		{`POST /posts {"slug":"x","title":"x","price":4.5}`, 400, ""},
		{`POST /posts {"slug":"x","titel":"x"}`, 400, `{"error":"the body is not what is wanted here: unknown field \"titel\""}`},
	}
	for _, tt := range tests {
		status, body := a.ask(t, tt.request)
		if status != tt.status || tt.want != "" && body != tt.want {
			t.Errorf("%s: %d %s\nwant %d %s", tt.request, status, body, tt.status, tt.want)
		}
	}
	var month string
	if err := a.db.Reader().QueryRowContext(t.Context(), `SELECT strftime('%Y-%m', bought_at) FROM purchases`).Scan(&month); err != nil {
		t.Fatal(err)
	}
	if _, body := a.ask(t, "GET /revenue"); body != `[{"month":"`+month+`","paid":"4.50"}]` {
		t.Errorf("revenue %s, and what was bought is of %s", body, month)
	}
	if status, body := a.ask(t, "GET /healthz"); status != 200 || !strings.Contains(body, `"role":"alone"`) {
		t.Errorf("health: %d %s", status, body)
	}
	if strings.Contains(a.log.String(), "level=ERROR") {
		t.Errorf("the log has errors:\n%s", a.log)
	}
}

// What a visitor searches for is no pattern.
func TestSearch(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	for _, p := range []string{`{"slug":"a","title":"100% of One_Cent \\ more","status":"published","tags":["a,b"]}`,
		`{"slug":"b","title":"1000 and OneXCent, Été","status":"published"}`, `{"slug":"c","title":"100% draft"}`} {
		if status, body := a.ask(t, "POST /posts "+p); status != http.StatusCreated {
			t.Fatalf("%s: %d %s", p, status, body)
		}
	}
	for query, want := range map[string]string{"": "b a", "q=100%25": "a", "q=one_cent": "a", "q=ONE": "b a", "q=%5C": "a", "q=%C3%89T%C3%89": "b", "q=one&tag=a,b": "a", "tag=a": "", "q='": ""} {
		_, body := a.ask(t, "GET /posts?"+query)
		var posts []post
		if err := json.Unmarshal([]byte(strings.ReplaceAll(body, "NOW", "null")), &posts); err != nil {
			t.Fatal(err)
		}
		var slugs []string
		for _, p := range posts {
			slugs = append(slugs, p.Slug)
		}
		if got := strings.Join(slugs, " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

func TestComputedTime(t *testing.T) {
	t.Parallel()
	db := appdbtest.New(t, migrations)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.FixedZone("", 3600))
	if _, err := db.Writer().ExecContext(t.Context(), `INSERT INTO posts (slug, title, published_at) VALUES ('a', 'A', ?)`, at); err != nil {
		t.Fatal(err)
	}
	var got, none computed
	if err := db.Reader().QueryRowContext(t.Context(), `SELECT max(published_at), NULL FROM posts`).Scan(&got, &none); err != nil {
		t.Fatal(err)
	}
	if got.Time == nil || !got.Equal(at) || none.Time != nil {
		t.Errorf("got %v and %v, want %v and none", got.Time, none.Time, at)
	}
	if err := new(computed).Scan("yesterday"); err == nil {
		t.Error("yesterday is a time")
	}
}

// Each question is asked in both files, and in the app.
func TestQueries(t *testing.T) {
	t.Parallel()
	was, err := os.ReadFile("postgres/queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("store.go")
	if err != nil {
		t.Fatal(err)
	}
	names := func(q queries) (all []string) {
		for name := range q {
			all = append(all, name)
		}
		slices.Sort(all)
		return all
	}
	today := parseQueries(queriesSQL)
	if !slices.Equal(names(parseQueries(string(was))), names(today)) {
		t.Errorf("postgres/queries.sql has %q, queries.sql has %q", names(parseQueries(string(was))), names(today))
	}
	for _, name := range names(today) {
		if !bytes.Contains(code, []byte(`"`+name+`"`)) {
			t.Errorf("nobody asks %s", name)
		}
	}
}
