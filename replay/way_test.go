package replay

import (
	"net/http"
	"testing"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
)

// A response says which way its request took, and nothing where that was none.
func TestWay(t *testing.T) {
	primary, replica := newFake(engine.RolePrimary, "m2", appAt(7, 7)), newFake(engine.RoleReplica, "m1", appAt(7, 7))
	onPrimary, onReplica := newRouter(t, Config{Engine: primary}), newRouter(t, Config{Engine: replica})
	for _, tt := range []struct {
		name         string
		rt           *Router
		method       string
		header, text string
		want         string
	}{
		{"a read", onReplica, "GET", "X-None", "x", ""},
		{"a read that has no need to wait", onReplica, "GET", HeaderName, onReplica.newToken(clusterA, 0, []engine.Database{appAt(7, 7)}), ""},
		{"a write that arrives there", onPrimary, "POST", "X-None", "x", ""},
		{"a write that was sent there", onPrimary, "POST", headerSource, "instance=m1;region=ams;t=1;state=" + onReplica.state(1), "replayed"},
		{"what something else has replayed", onPrimary, "POST", headerSource, "instance=m1;region=ams;t=1;state=own", ""},
	} {
		if got := ask(tt.rt.Handler(hello), tt.method, "/", "", tt.header, tt.text).Header.Get(WayHeader); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWayWaited(t *testing.T) {
	f := newFake(engine.RoleReplica, "m1", appAt(7, 7))
	rt := newRouter(t, Config{Engine: f})
	answered := make(chan *http.Response)
	go func() {
		answered <- ask(rt.Handler(hello), "GET", "/", "", HeaderName, rt.newToken(clusterA, 0, []engine.Database{appAt(8, 8)}))
	}()
	testkit.Poll(t, "a read that waits", func() bool { return rt.metrics.waiting.Load() == 1 })
	f.at("app.db", 8, 8)
	if got := (<-answered).Header.Get(WayHeader); got != "waited" {
		t.Errorf("got %q", got)
	}
}

func TestWayForwarded(t *testing.T) {
	p := newPair(t, hello, Config{})
	res, err := http.Post(p.replicaServer.URL, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header[WayHeader]; len(got) != 1 || got[0] != "forwarded" {
		t.Errorf("got %q", got)
	}
}
