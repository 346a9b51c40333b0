package replay

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
)

// cookieOf is the token that a response sets; deleted where it takes it away.
func cookieOf(t testing.TB, res *http.Response) (text string, deleted bool) {
	t.Helper()
	for _, c := range res.Cookies() {
		if c.Name != CookieName {
			continue
		}
		if c.MaxAge < 0 {
			return "", true
		}
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 3600 || c.Valid() != nil {
			t.Errorf("the cookie is %v (%v)", c, c.Valid())
		}
		if h := res.Header.Get(HeaderName); h != c.Value {
			t.Errorf("the header says %q, the cookie %q", h, c.Value)
		}
		return c.Value, false
	}
	return "", false
}

// Whatever writes gets a token: any method, early or late in the body.
func TestTokenGiven(t *testing.T) {
	f := newFake(engine.RolePrimary, "m2", appAt(6, 6))
	f.commits.Count()
	rt := newRouter(t, Config{Engine: f})
	write := writes(f)
	flushFirst := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<html>")
		w.(http.Flusher).Flush()
		write(w, r)
	})
	bodyFirst := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		io.WriteString(w, strings.Repeat("x", 10000))
		write(w, r)
	})
	for _, tt := range []struct {
		name, method string
		next         http.Handler
		txid         string // "" for none
		open         bool
	}{
		{"POST", "POST", write, "7", false},
		{"GET", "GET", write, "8", false},
		{"DELETE late in the body", "DELETE", bodyFirst, "9", false},
		{"GET late in the body", "GET", bodyFirst, "a", false},
		{"nothing written", "POST", hello, "", false},
		{"GET, nothing written", "GET", hello, "", false},
		{"after a flush", "POST", flushFirst, "a", true},
	} {
		text, _ := cookieOf(t, ask(rt.Handler(tt.next), tt.method, "/", ""))
		if tt.txid == "" {
			if text != "" {
				t.Errorf("%s: token %q", tt.name, text)
			}
			continue
		}
		tok, ok := rt.parseToken(text)
		if !ok || tok.cluster != clusterA || (tok.nonce != 0) != tt.open || !strings.HasPrefix(tok.at, strings.Repeat("0", 16-len(tt.txid))+tt.txid+"-") {
			t.Errorf("%s: token %q", tt.name, text)
		}
	}
}

// A client whose write was answered before it was done reads on the primary, until
// that has told it where the write has ended.
func TestOpenToken(t *testing.T) {
	primary := newFake(engine.RolePrimary, "m1", appAt(6, 6))
	primary.commits.Count()
	rt1 := newRouter(t, Config{Engine: primary, getenv: onFlyAs("m1")})
	replica := newFake(engine.RoleReplica, "m1", appAt(6, 6))
	rt2 := newRouter(t, Config{Engine: replica})

	flushed, goOn, done := make(chan string), make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		ask(rt1.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			flushed <- w.Header().Get(HeaderName)
			<-goOn
			writes(primary)(w, r)
		})), "POST", "/", "")
	}()
	token := <-flushed
	if res := ask(rt2.Handler(hello), "GET", "/", "", "Cookie", "flysql="+token); res.Header.Get("Fly-Replay") == "" {
		t.Errorf("the replica answered while the write goes on: %v", res)
	}
	res := ask(rt1.Handler(hello), "GET", "/", "", "Cookie", "flysql="+token)
	if text, deleted := cookieOf(t, res); text != "" || deleted || textOf(t, res) != "hello " {
		t.Errorf("the primary settled what goes on: %q", text)
	}
	close(goOn)
	<-done
	text, _ := cookieOf(t, ask(rt1.Handler(hello), "GET", "/", "", "Cookie", "flysql="+token))
	if tok, ok := rt1.parseToken(text); !ok || tok.nonce != 0 || !strings.HasPrefix(tok.at, "0000000000000007-") {
		t.Errorf("settled as %q", text)
	}
	if len(rt1.open.m) != 0 {
		t.Errorf("%d open requests are left", len(rt1.open.m))
	}
}

// What a replica does with a token.
func TestTokenOnReplica(t *testing.T) {
	token := func(cluster string, txid, sum uint64, db string) string {
		return newRouter(t, Config{Engine: newFake(engine.RolePrimary, "m1")}).newToken(cluster, 0, []engine.Database{{Name: db, Pos: engine.Pos{TXID: txid, PostApplyChecksum: sum}}})
	}
	for _, tt := range []struct {
		name, token string
		ran, drop   bool
	}{
		{"behind us", token(clusterA, 5, 5, "app.db"), true, false},
		{"where we are", token(clusterA, 7, 7, "app.db"), true, false},
		{"ahead", token(clusterA, 8, 8, "app.db"), false, false},
		{"far ahead", token(clusterA, 1<<63, 8, "app.db"), false, false},
		{"a lost tail", token(clusterA, 7, 8, "app.db"), false, false},
		{"another cluster", token(clusterB, 9, 9, "app.db"), true, true},
		{"a database that is not ours", token(clusterA, 9, 9, "other.db"), false, false},
		{"nonsense", "1e308", true, false},
		{"LiteFS's own", "0000000000000009", true, false},
		{"10 KB", strings.Repeat("1", 10<<10), true, false},
		{"empty", "", true, false},
		{"no positions", "1|" + clusterA + "||||", true, false},
		{"half", token(clusterA, 9, 9, "app.db")[:40], true, false},
		{"not hexadecimal", strings.Replace(token(clusterA, 9, 9, "app.db"), "0000000000000009-", "00000000000000+9-", 1), true, false},
	} {
		for _, by := range []string{"Cookie", HeaderName} {
			rt := newRouter(t, Config{Engine: newFake(engine.RoleReplica, "m1", appAt(7, 7)), ReadWait: time.Millisecond})
			value := tt.token
			if by == "Cookie" {
				value = "theme=dark; flysql=" + tt.token + "; xflysql=1"
			}
			res := ask(rt.Handler(hello), "GET", "/", "", by, value)
			_, dropped := cookieOf(t, res)
			if ran := res.Header.Get("X-Ran") != ""; ran != tt.ran || dropped != tt.drop || ran == (res.Header.Get("Fly-Replay") != "") {
				t.Errorf("%s by %s: ran %v, dropped %v, want %v, %v", tt.name, by, ran, dropped, tt.ran, tt.drop)
			}
			if res.StatusCode >= 500 {
				t.Errorf("%s: %d", tt.name, res.StatusCode)
			}
		}
	}
}

// What the primary does with a token: it never waits.
func TestTokenOnPrimary(t *testing.T) {
	f := newFake(engine.RolePrimary, "m2", appAt(7, 7))
	f.commits.Count()
	rt := newRouter(t, Config{Engine: f, ReadWait: time.Hour})
	tok := func(cluster string, txid, sum uint64) string {
		return rt.newToken(cluster, 0, []engine.Database{appAt(txid, sum)})
	}
	for _, tt := range []struct {
		name, token, want string
	}{
		{"behind", tok(clusterA, 5, 5), ""},
		{"equal", tok(clusterA, 7, 7), ""},
		{"ahead", tok(clusterA, 8, 8), tok(clusterA, 7, 7)},
		{"a lost tail", tok(clusterA, 7, 8), tok(clusterA, 7, 7)},
		{"another cluster", tok(clusterB, 1, 1), tok(clusterA, 7, 7)},
		{"of a request that has ended", rt.newToken(clusterA, 99, []engine.Database{appAt(1, 1)}), tok(clusterA, 7, 7)},
	} {
		res := ask(rt.Handler(hello), "GET", "/", "", "Cookie", "flysql="+tt.token)
		if got, _ := cookieOf(t, res); got != tt.want || res.Header.Get("X-Ran") == "" {
			t.Errorf("%s: token %q, want %q", tt.name, got, tt.want)
		}
	}
	if f.waiting() != 0 {
		t.Error("somebody waits")
	}
}

// A primary that has stood still while another took over gets tokens of that one. It
// says that it is behind, and leaves the client what it knows; a tail that was lost
// before this machine became the primary is another matter.
func TestSuperseded(t *testing.T) {
	f := newFake(engine.RolePrimary, "m2", appAt(7, 7))
	f.commits.Count()
	rt := newRouter(t, Config{Engine: f})
	token := func(given time.Time, nonce, txid, sum uint64) string {
		return newRouter(t, Config{Engine: f, now: func() time.Time { return given }}).newToken(clusterA, nonce, []engine.Database{appAt(txid, sum)})
	}
	later, before := since.Add(time.Millisecond), since.Add(-time.Millisecond)
	for _, tt := range []struct {
		name, token string
		next        http.Handler
		superseded  bool
		set         bool // a token
	}{
		{"ahead", token(later, 0, 8, 8), hello, true, false},
		{"another history", token(later, 0, 7, 8), hello, true, false},
		{"ahead, of a request that goes on", token(later, 5, 8, 8), hello, true, false},
		{"ahead, and writing", token(later, 0, 20, 20), writes(f), true, false},
		{"ahead, from before", token(before, 0, 20, 20), hello, false, true},
		{"behind", token(later, 0, 6, 6), hello, false, false},
		{"no time", strings.Replace(token(later, 0, 20, 20), "|"+strconv.FormatInt(later.UnixMilli(), 16)+"|", "|x|", 1), hello, false, true},
	} {
		for _, method := range []string{"GET", "POST"} {
			res := ask(rt.Handler(tt.next), method, "/", "", HeaderName, tt.token)
			text, dropped := cookieOf(t, res)
			if superseded := res.Header.Get(StaleHeader) == "superseded"; superseded != tt.superseded || (text != "") != tt.set || dropped {
				t.Errorf("%s %s: superseded %v, token %q, dropped %v", method, tt.name, superseded, text, dropped)
			}
		}
	}
	if n := rt.metrics.stale.Load(); n != 8 {
		t.Errorf("%d counted", n)
	}
}

// A reader waits for its own write, and goes on with the event.
func TestWaitForOwnWrite(t *testing.T) {
	f := newFake(engine.RoleReplica, "m1", appAt(7, 7))
	rt := newRouter(t, Config{Engine: f, ReadWait: time.Minute})
	const readers = 200
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			res := ask(rt.Handler(hello), "GET", "/", "", HeaderName, rt.newToken(clusterA, 0, []engine.Database{appAt(8, 8)}))
			if textOf(t, res) != "hello " {
				t.Errorf("got %v", res)
			}
		})
	}
	testkit.Poll(t, "all to wait", func() bool { return f.waiting() == readers })
	f.at("app.db", 8, 8)
	all.Wait()
	if n := rt.metrics.waits[1].Load(); n != readers || len(rt.waiting.by) != 0 {
		t.Errorf("%d waits, %v left", n, rt.waiting.by)
	}
}

// With a key a token that was made up makes nobody wait.
func TestKey(t *testing.T) {
	key := []byte("0123456789abcdef")
	f := newFake(engine.RoleReplica, "m1", appAt(7, 7))
	rt := newRouter(t, Config{Engine: f, Key: key, ReadWait: time.Millisecond})
	keyless := newRouter(t, Config{Engine: f})
	ahead := []engine.Database{appAt(8, 8)}
	good := rt.newToken(clusterA, 0, ahead)
	for _, tt := range []struct {
		name, token string
		waits       bool
	}{
		{"good", good, true},
		{"without a signature", keyless.newToken(clusterA, 0, ahead), false},
		{"another signature", good[:len(good)-1] + "x", false},
		{"another position", strings.Replace(good, "08-", "09-", 1), false},
	} {
		res := ask(rt.Handler(hello), "GET", "/", "", HeaderName, tt.token)
		if waits := res.Header.Get("Fly-Replay") != ""; waits != tt.waits {
			t.Errorf("%s: waited %v", tt.name, waits)
		}
	}
	// What machines tell each other is signed, too.
	res := ask(rt.Handler(hello), "POST", "/", "")
	_, state, _ := strings.Cut(res.Header.Get("Fly-Replay"), "state=")
	for _, tt := range []struct {
		src  string
		hops int
	}{
		{"instance=m2;region=ams;t=1;state=" + state, 1},
		{"instance=m2;state=1.m2", 0},
		{"instance=m2;state=9" + state[1:], 0},
		{"", 0},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Fly-Replay-Src", tt.src)
		if got := rt.sourceOf(r).hops; got != tt.hops {
			t.Errorf("%q: %d hops, want %d", tt.src, got, tt.hops)
		}
	}
}

// Without a key a client can have only so many of its requests wait.
func TestCrowd(t *testing.T) {
	f := newFake(engine.RoleReplica, "m1", appAt(7, 7))
	rt := newRouter(t, Config{Engine: f, ReadWait: time.Minute})
	token := rt.newToken(clusterA, 0, []engine.Database{appAt(8, 8)})
	var all sync.WaitGroup
	for range maxWaiting {
		all.Go(func() { ask(rt.Handler(hello), "GET", "/", "", HeaderName, token, "Fly-Client-IP", "10.0.0.1") })
	}
	testkit.Poll(t, "all to wait", func() bool { return f.waiting() == maxWaiting })
	if res := ask(rt.Handler(hello), "GET", "/", "", HeaderName, token, "Fly-Client-IP", "10.0.0.1"); res.Header.Get("Fly-Replay") == "" {
		t.Error("one too many waited")
	}
	all.Go(func() { ask(rt.Handler(hello), "GET", "/", "", HeaderName, token, "Fly-Client-IP", "10.0.0.2") })
	testkit.Poll(t, "another client to wait", func() bool { return f.waiting() == maxWaiting+1 })
	f.at("app.db", 8, 8)
	all.Wait()
}

// While nobody knows the primary reads are served, and say what they are.
func TestStale(t *testing.T) {
	f := newFake(engine.RoleUnknown, "", appAt(7, 7))
	rt := newRouter(t, Config{Engine: f, ReadWait: time.Millisecond})
	for _, header := range [][]string{nil, {HeaderName, rt.newToken(clusterA, 0, []engine.Database{appAt(8, 8)})}} {
		res := ask(rt.Handler(hello), "GET", "/", "", header...)
		if textOf(t, res) != "hello " || res.Header.Get(StaleHeader) != "no-primary" {
			t.Errorf("with %q: %v", header, res)
		}
	}
	if rt.metrics.stale.Load() != 2 {
		t.Errorf("%d counted", rt.metrics.stale.Load())
	}
}

// Reading a token takes no memory, and survives everything.
func FuzzToken(f *testing.F) {
	rt := newRouter(f, Config{Engine: newFake(engine.RoleReplica, "m1", appAt(7, 7)), ReadWait: time.Nanosecond})
	f.Add("flysql="+rt.newToken(clusterA, 5, []engine.Database{appAt(8, 8)}), "instance=a;state=1.m2", "instance=b;reason=timeout")
	f.Add("flysql=1|a|18c|0|0000000000000008-0000000000000008=!|", "state=;;=", "")
	f.Fuzz(func(t *testing.T, cookie, src, failed string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{cookie}
		r.Header["Fly-Replay-Src"] = []string{src}
		if failed != "" {
			r.Header["Fly-Replay-Failed"] = []string{failed}
		}
		if tok, ok := rt.tokenOf(r); ok {
			for rest := tok.at; rest != ""; {
				_, _, more, ok := nextPosition(rest)
				if !ok || len(more) >= len(rest) {
					t.Fatalf("%q does not end", tok.at)
				}
				rest = more
			}
		}
		if s := rt.sourceOf(r); s.hops < 0 || s.hops > maxHops || s.forwarded {
			t.Fatalf("%+v", s)
		}
	})
}
