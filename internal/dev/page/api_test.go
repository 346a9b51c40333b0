package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/dev/page"
	"github.com/flysql/flysql/internal/dev/page/pagetest"
)

func post(p http.Handler, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Host = "localhost:8080"
	r.Header.Set(page.ActHeader, "1")
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func TestActions(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	s.Fail("handoff ord1", errors.New("ord1 is the primary already"))
	p := page.Handler(s, "")
	defer p.Close()
	tests := []struct {
		path, body string
		status     int
		did        string // "" is nothing
		words      string
	}{
		{"machines/ams1/kill", "", 200, "kill ams1", `{"ok":true}`},
		{"machines/ams1/start", "", 200, "start ams1", ""},
		{"machines/ams1/restart", "", 200, "restart ams1", ""},
		{"machines/ams1/stop", "", 200, "stop ams1", ""},
		{"machines/ams1/handoff", "", 200, "handoff ams1", ""},
		{"machines/ord1/handoff", "", 409, "handoff ord1", "ord1 is the primary already"},
		{"machines/ams1/explode", "", 404, "", "want kill, stop"},
		{"machines/syd1/kill", "", 404, "", `there is no machine \"syd1\"`},
		{"machines/..%2f..%2fetc/kill", "", 404, "", "there is no machine"},
		{"regions/ams/cut", "", 200, "cut ams", ""},
		{"regions/ams/mend", "", 200, "mend ams", ""},
		{"regions/ams/slow", `{"ms":500}`, 200, "slow ams 500ms", ""},
		{"regions/ams/slow", `{"ms":0}`, 200, "slow ams 0s", ""},
		{"regions/ams/slow", `{"ms":-1}`, 400, "", "want 0 to 60000"},
		{"regions/ams/slow", `{"ms":1e300}`, 400, "", "want 0 to 60000"},
		{"regions/ams/slow", `{"ms":"x"}`, 400, "", "read the request's JSON"},
		{"regions/ams/slow", `{"ms":1}{"ms":2}`, 400, "", "more follows"},
		{"regions/ams/slow", `{"sm":1}`, 400, "", "unknown field"},
		{"regions/ams/slow", ``, 400, "", "there is none: with curl, give it by -d"},
		{"regions/ams/slow", `{"ms":1` + strings.Repeat(" ", 2<<20) + `}`, 400, "", "too large"},
		{"regions/ams/choose", "", 200, "choose ams", ""},
		{"regions/xyz/cut", "", 404, "", `there is no region \"xyz\"`},
		{"regions/ams/sink", "", 404, "", "cannot be done to a region"},
		{"deploy", "", 200, "deploy ", ""},
	}
	for _, tt := range tests {
		before := len(s.Did())
		w := post(p, "/api/"+tt.path, tt.body)
		if got := strings.Join(s.Did()[before:], ", "); w.Code != tt.status || got != tt.did {
			t.Errorf("%s %.40s: status %d, done was %q; want %d, %q", tt.path, tt.body, w.Code, got, tt.status, tt.did)
		}
		if !strings.Contains(w.Body.String(), tt.words) || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %.40s: %s, want %s", tt.path, tt.body, w.Body, tt.words)
		}
	}
}

// An action goes on where the browser goes away.
func TestActionGoesOn(t *testing.T) {
	s := pagetest.New(1, "ord", "ams")
	until := make(chan struct{})
	s.Hold("restart ams1", until)
	p, url := serve(t, s)
	a := listen(t, url, "")
	a.want("hello ", "state ")
	r := httptest.NewRequest(http.MethodPost, "/api/machines/ams1/restart", nil)
	r.Host = "localhost"
	r.Header.Set(page.ActHeader, "1")
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	}()
	leave()
	close(until)
	a.want("state ", `action "name":"restart","target":"ams1","done":true}`)
	<-done
}

func TestState(t *testing.T) {
	s := pagetest.New(2, "ord", "ams")
	p := page.Handler(s, "")
	defer p.Close()
	var got dev.State
	if err := json.Unmarshal(get(p, "/api/state").Body.Bytes(), &got); err != nil || !reflect.DeepEqual(got, s.State()) {
		t.Errorf("%v: %+v, want %+v", err, got, s.State())
	}
}

// without is a session that cannot say where those come from who do not.
type without struct{ page.Source }

func TestCannotChoose(t *testing.T) {
	p := page.Handler(without{pagetest.New(1, "ord")}, "")
	defer p.Close()
	if w := post(p, "/api/regions/ord/choose", ""); w.Code != 404 {
		t.Errorf("status %d, want 404", w.Code)
	}
	if body := get(p, "/").Body.String(); !strings.Contains(body, `data-chooses="false"`) {
		t.Error("the page offers what cannot be done")
	}
}

// A request that one makes up goes to the session's edge, and nowhere else.
func TestSend(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Fly-Request-Id", "the id")
		if r.URL.Path == "/large" {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
			return
		}
		http.Redirect(w, r, "http://elsewhere.example/", http.StatusSeeOther)
		_, _ = io.WriteString(w, strings.Join([]string{r.Method, r.Host, r.URL.String(), r.Header.Get("Content-Type"), string(body), "\xff"}, "|"))
	}))
	defer app.Close()
	port := app.URL[strings.LastIndex(app.URL, ":"):]
	s := pagetest.New(1, "ord", "ams")
	s.Change(func(st *dev.State) {
		st.URL, st.Regions[0].URL, st.Regions[1].URL = app.URL, "http://evil.example", "http://ams.localhost"+port
	})
	p := page.Handler(s, "")
	defer p.Close()
	tests := []struct {
		name, body string
		status     int
		words      []string
	}{
		{"a form", `{"method":"post","path":"/sign?a=%2F","region":"ams","body":"n=1","type":"text/plain"}`, 200,
			[]string{`"status":303`, "POST|ams.localhost" + port + "|/sign?a=%2F|text/plain|n=1|\ufffd", `"id":"the id"`, `"cut":false`}},
		{"as those who do not say", `{"method":"GET","path":"/"}`, 200, []string{"GET|127.0.0.1" + port + "|/|"}},
		{"a large answer", `{"method":"GET","path":"/large"}`, 200, []string{`"cut":true`}},
		{"another region", `{"method":"GET","path":"/","region":"xyz"}`, 400, []string{"there is no region xyz"}},
		{"a region elsewhere", `{"method":"GET","path":"/","region":"ord"}`, 400, []string{"no edge at a local address"}},
		{"a URL", `{"method":"GET","path":"http://evil.example/"}`, 400, []string{"a path begins with /"}},
		{"a host", `{"method":"GET","path":"//evil.example/"}`, 400, []string{"begins with one /"}},
		{"no path", `{"method":"GET","path":"/%zz"}`, 400, []string{"the path is not one"}},
		{"no method", `{"method":"GE T","path":"/"}`, 400, []string{"invalid method"}},
		{"no header", `{"method":"GET","path":"/","type":"a\nb"}`, 502, []string{"invalid header"}},
	}
	for _, tt := range tests {
		w := post(p, "/api/send", tt.body)
		if w.Code != tt.status {
			t.Errorf("%s: status %d, want %d: %.300s", tt.name, w.Code, tt.status, w.Body)
		}
		if w.Body.Len() > 100<<10 {
			t.Errorf("%s: %d bytes", tt.name, w.Body.Len())
		}
		for _, words := range tt.words {
			if !strings.Contains(w.Body.String(), words) {
				t.Errorf("%s: %.300s, want %s", tt.name, w.Body, words)
			}
		}
	}
}
