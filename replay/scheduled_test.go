package replay

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
)

// What is to run on the primary runs there, and begins anew when it is it again.
func TestRunOnPrimary(t *testing.T) {
	f := newFake(engine.RoleReplica, "m1", appAt(1, 1))
	rt := newRouter(t, Config{Engine: f})
	began, done := make(chan int), make(chan error, 1)
	mine := errors.New("mine")
	terms := 0
	go func() {
		done <- rt.RunOnPrimary(t.Context(), func(ctx context.Context) error {
			terms++
			began <- terms
			if terms == 3 {
				return mine
			}
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), ErrNotPrimary) {
				t.Errorf("ended by %v", context.Cause(ctx))
			}
			return ctx.Err()
		})
	}()
	for i := range 3 {
		f.set(engine.RolePrimary, "m2")
		if n := <-began; n != i+1 {
			t.Errorf("term %d, want %d", n, i+1)
		}
		if i < 2 {
			f.set(engine.RoleUnknown, "")
		}
	}
	if err := <-done; !errors.Is(err, mine) {
		t.Errorf("ended with %v", err)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(mine)
	if err := rt.RunOnPrimary(ctx, func(context.Context) error { t.Error("it ran"); return nil }); !errors.Is(err, mine) {
		t.Errorf("with an ended context: %v", err)
	}
	f.set(engine.RolePrimary, "m2")
	if err := rt.RunOnPrimary(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestHealth(t *testing.T) {
	f := newFake(engine.RoleReplica, "m1", appAt(7, 7))
	rt := newRouter(t, Config{Engine: f, MaxLag: time.Second})
	for _, tt := range []struct {
		set    func(st *engine.State)
		status int
		why    string
	}{
		{func(st *engine.State) {}, 200, ""},
		{func(st *engine.State) { st.Lag = time.Second }, 200, ""},
		{func(st *engine.State) { st.Lag = 1001 * time.Millisecond }, 503, "it is 1.001s behind, more than 1s"},
		{func(st *engine.State) { st.Ready = false }, 503, "it has not caught up with a primary yet"},
		{func(st *engine.State) { st.Ready, st.Err = false, errors.New("LiteFS does not answer") }, 503, "LiteFS does not answer"},
		{func(st *engine.State) { st.Role, st.Primary = engine.RoleUnknown, "" }, 200, ""},
		{func(st *engine.State) { st.Role, st.Primary, st.Lag = engine.RoleUnknown, "", time.Hour }, 200, ""},
		{func(st *engine.State) { st.Role, st.Primary, st.Ready = engine.RoleUnknown, "", false }, 503, "it has not caught up with a primary yet"},
		{func(st *engine.State) { st.Role = engine.RolePrimary; st.Lag = time.Hour }, 200, ""},
	} {
		f.set(engine.RoleReplica, "m1")
		f.mu.Lock()
		tt.set(&f.st)
		f.mu.Unlock()
		res := ask(rt.HealthHandler(), "GET", "/", "")
		var h health
		if err := json.Unmarshal([]byte(textOf(t, res)), &h); err != nil || res.StatusCode != tt.status || h.Why != tt.why || h.Healthy != (tt.status == 200) || h.Positions["app.db"] != (engine.Pos{TXID: 7, PostApplyChecksum: 7}) {
			t.Errorf("%d %+v, %v, want %d, %q", res.StatusCode, h, err, tt.status, tt.why)
		}
	}
}

func TestMetrics(t *testing.T) {
	f := newFake(engine.RoleReplica, "m1", appAt(7, 7))
	rt := newRouter(t, Config{Engine: f})
	h := rt.Handler(hello)
	ask(h, "GET", "/", "")
	ask(h, "POST", "/", "")
	text := textOf(t, ask(rt.MetricsHandler(), "GET", "/", ""))
	for _, want := range []string{
		"flysql_replay_here_total 1\n",
		`flysql_replay_elsewhere_total{reason="write"} 1` + "\n",
		"flysql_replay_replayed_total 1\n",
		"flysql_replay_waiting 0\n",
		`flysql_replay_role{role="replica"} 1` + "\n",
		`flysql_replay_txid{db="app.db"} 7` + "\n",
		"# TYPE flysql_replay_lag_seconds gauge\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "flysql_replay_") || strings.Count(line, "\n") != 1 {
			t.Errorf("line %q", line)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	for want, c := range map[string]Config{
		"Config.ReadWait is -1s":                             {ReadWait: -time.Second},
		"Config.HoldBytes is -1":                             {HoldBytes: -1},
		"Config.Key has 3 bytes":                             {Key: []byte("key")},
		`pattern "GET x"`:                                    {Always: []string{"GET x"}},
		`pattern "/{a"`:                                      {Never: []string{"/{a"}},
		"FLYSQL_REPLAY_KEY has 3 bytes":                      {getenv: env("FLYSQL_REPLAY_KEY", "key")},
		"entry 1 of FLYSQL_REPLAY_PEERS has no hostname":     {getenv: env("FLYSQL_REPLAY_PEERS", "a")},
		`entry 1 of FLYSQL_REPLAY_PEERS has no address`:      {getenv: env("FLYSQL_REPLAY_PEERS", "a=b:1")},
		`entry 2 of FLYSQL_REPLAY_PEERS has no address`:      {getenv: env("FLYSQL_REPLAY_PEERS", "a=http://b:1, b=http://b:70000")},
		`has no address for "user"`:                          {getenv: env("FLYSQL_REPLAY_PEERS", "user=http://u:secret@b:1")},
		`has no address for "query"`:                         {getenv: env("FLYSQL_REPLAY_PEERS", "query=http://b:1?secret")},
		`entry 1 of FLYSQL_REPLAY_PEERS has no hostname: wr`: {getenv: env("FLYSQL_REPLAY_PEERS", "http://u:secret@b:1/?a=b")},
		`two addresses for "a"`:                              {getenv: env("FLYSQL_REPLAY_PEERS", "a=http://b:1,a=http://c:1")},
		"Config.DB is a URL":                                 {DB: "file:/litefs/app.db?mode=rw&_secret=x"},
		"Config.DB is a URL: give":                           {DB: "sqlite:///litefs/app.db"},
		`Config.DB "/litefs/"`:                               {DB: "/litefs/"},
		`Config.DB "a;b"`:                                    {DB: "a;b"},
		`port "http"`:                                        {getenv: env("PORT", "http")},
	} {
		c.Engine = newFake(engine.RolePrimary, "m1")
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), "?secret") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func env(name, value string) func(string) string {
	return func(n string) string {
		if n == name {
			return value
		}
		return ""
	}
}

// Where an app listens on another machine.
func TestPeer(t *testing.T) {
	onFly := newRouter(t, Config{Engine: newFake(engine.RoleReplica, "m1"), getenv: onFlyAs("m2")})
	off := newRouter(t, Config{Engine: newFake(engine.RoleReplica, "m1"), getenv: env("FLYSQL_REPLAY_PEERS", "a=http://10.0.0.1:80/, b=https://b.example")})
	for _, tt := range []struct {
		rt         *Router
		name, want string
	}{
		{onFly, "d891234", "http://d891234.vm.guestbook.internal:8080"},
		{onFly, "../x", ""},
		{onFly, "a.b", ""},
		{off, "a", "http://10.0.0.1:80"},
		{off, "b", "https://b.example"},
		{off, "c", ""},
	} {
		if got, err := tt.rt.cfg.Peer(tt.name); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v", tt.name, got, err)
		}
	}
}
