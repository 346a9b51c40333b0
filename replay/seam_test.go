package replay

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
)

// follower is an engine like one that copies a database through object storage: the
// primary is whatever runs in one region, nothing is known of its machine, positions
// have no checksum, and commits are nobody's to count. It has the two methods of
// engine.Engine and no more.
type follower struct {
	mu      sync.Mutex
	st      engine.State
	changed chan struct{}
	moved   chan struct{}
}

func newFollower(role engine.Role, txid uint64) *follower {
	f := &follower{changed: make(chan struct{}), moved: make(chan struct{})}
	f.st = engine.State{Role: role, Region: "ord", Ready: true, ClusterID: "generation-1", Databases: []engine.Database{appAt(txid, 0)}, Changed: f.changed}
	return f
}

func (f *follower) State() engine.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.st
}

func (f *follower) at(txid uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.st.Databases = []engine.Database{appAt(txid, 0)}
	close(f.moved)
	f.moved = make(chan struct{})
}

// promoted is what a deploy to another region makes of it.
func (f *follower) promoted() {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.changed
	f.changed = make(chan struct{})
	f.st.Role, f.st.Changed, f.st.Epoch = engine.RolePrimary, f.changed, f.st.Epoch+1
	close(was)
}

func (f *follower) WaitPosition(ctx context.Context, db string, pos engine.Pos) error {
	for {
		f.mu.Lock()
		at, _ := f.st.Position(db)
		moved := f.moved
		f.mu.Unlock()
		if at.TXID >= pos.TXID {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// The router serves an engine whose primary is known by its region alone: it replays
// there, forwards there what cannot be replayed, and waits for positions.
func TestPrimaryByRegion(t *testing.T) {
	primary := newFollower(engine.RolePrimary, 7)
	atPrimary := newRouter(t, Config{Engine: primary, getenv: onFlyAs("m1")})
	write := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		primary.at(8)
		fmt.Fprintf(w, "wrote %d bytes", n)
	})
	ord := httptest.NewServer(atPrimary.Handler(write))
	defer ord.Close()

	replica := newFollower(engine.RoleReplica, 7)
	rt := newRouter(t, Config{Engine: replica, ReadWait: time.Millisecond, Peer: func(name string) (string, error) {
		if name != "ord" {
			return "", fmt.Errorf("asked for %q", name)
		}
		return ord.URL, nil
	}})
	refused := HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return errRefused })
	const replay = "region=ord;timeout=5s;fallback=force_self;state=1.m2"
	if got := ask(rt.Handler(hello), "POST", "/", "x").Header.Get("Fly-Replay"); got != replay {
		t.Errorf("a write: %q, want %q", got, replay)
	}
	if got := ask(rt.Handler(refused), "GET", "/", "").Header.Get("Fly-Replay"); got != replay {
		t.Errorf("a refused read: %q, want %q", got, replay)
	}
	res := ask(rt.Handler(hello), "POST", "/", strings.Repeat("x", maxReplay+1))
	if got := textOf(t, res); got != "wrote 1048577 bytes" || res.Header.Get("Fly-Replay") != "" {
		t.Errorf("too large to be replayed: %d %q", res.StatusCode, got)
	}
	token, _ := cookieOf(t, res)
	if token == "" {
		t.Fatal("a write that an engine tells by its position alone gives no token")
	}
	if got := ask(rt.Handler(hello), "GET", "/", "", HeaderName, token).Header.Get("Fly-Replay"); got != replay {
		t.Errorf("a read that the replica is behind: %q, want %q", got, replay)
	}
	replica.at(9)
	if res := ask(rt.Handler(hello), "GET", "/", "", HeaderName, token); textOf(t, res) != "hello " || len(res.Cookies()) != 0 {
		t.Errorf("a read that the replica has caught up with: %v", res)
	}
	if res := ask(rt.HealthHandler(), "GET", "/", ""); !strings.Contains(textOf(t, res), `"role":"replica","primary_region":"ord"`) {
		t.Error("the health says nothing of the region")
	}
}

// On Fly.io a region has a name in its private DNS, like a machine.
func TestPeerInRegion(t *testing.T) {
	f := newFollower(engine.RoleReplica, 7)
	for _, tt := range []struct {
		getenv     func(string) string
		name, want string
	}{
		{onFlyAs("m2"), "ord", "http://ord.guestbook.internal:8080"},
		{onFlyAs("m2"), "ord,any", ""},
		{env("FLYSQL_REPLAY_PEERS", "ord=http://10.0.0.1:80"), "ord", "http://10.0.0.1:80"},
		{offFly, "ord", ""},
	} {
		got, err := newRouter(t, Config{Engine: f, getenv: tt.getenv}).cfg.peerIn(tt.name)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

// A request that waits when its region becomes the primary's is answered there, and
// scheduled work begins.
func TestRegionBecomesPrimary(t *testing.T) {
	f := newFollower(engine.RoleReplica, 7)
	rt := newRouter(t, Config{Engine: f, NoReplay: true, WriteWait: time.Minute, Peer: func(string) (string, error) { return "http://127.0.0.1:1", nil }})
	ran := make(chan string, 2)
	go func() { ran <- ask(rt.Handler(hello), "POST", "/", "x").Header.Get("X-Ran") }()
	go func() {
		rt.RunOnPrimary(t.Context(), func(context.Context) error { ran <- "work"; return nil })
	}()
	testkit.Poll(t, "it to be tried", func() bool { return rt.metrics.forwarded.Load() > 0 })
	f.promoted()
	if got := map[string]bool{<-ran: true, <-ran: true}; !got["POST"] || !got["work"] {
		t.Errorf("%v", got)
	}
}
