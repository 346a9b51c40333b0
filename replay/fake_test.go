package replay

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
)

const (
	clusterA = "LFSCAAAAAAAAAAAAAAAA"
	clusterB = "LFSCBBBBBBBBBBBBBBBB"
)

// since is from when on a fake has its role.
var since = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fake is an engine whose state the test sets: a second one beside LiteFS's.
type fake struct {
	mu      sync.Mutex
	st      engine.State
	ch      chan struct{}
	moved   chan struct{} // closed when a position has changed
	commits engine.Commits
	waits   int // that are under way
}

func newFake(role engine.Role, primary string, dbs ...engine.Database) *fake {
	f := &fake{moved: make(chan struct{})}
	f.set(role, primary, dbs...)
	return f
}

func (f *fake) set(role engine.Role, primary string, dbs ...engine.Database) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was, epoch := f.ch, f.st.Epoch
	f.ch = make(chan struct{})
	if dbs == nil {
		dbs = f.st.Databases
	}
	f.st = engine.State{Role: role, Primary: primary, Ready: role != engine.RoleUnknown, ClusterID: clusterA, Databases: dbs, Epoch: epoch + 1, Since: since, Changed: f.ch}
	if was != nil {
		close(was)
	}
	close(f.moved)
	f.moved = make(chan struct{})
}

// at moves a database.
func (f *fake) at(name string, txid, sum uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.st.Databases = []engine.Database{{Name: name, Pos: engine.Pos{TXID: txid, PostApplyChecksum: sum}}}
	close(f.moved)
	f.moved = make(chan struct{})
}

func (f *fake) State() engine.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.st
}

func (f *fake) waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waits
}

func (f *fake) WaitPosition(ctx context.Context, db string, pos engine.Pos) error {
	f.mu.Lock()
	f.waits++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.waits--
		f.mu.Unlock()
	}()
	for {
		f.mu.Lock()
		at, _ := f.st.Position(db)
		moved := f.moved
		f.mu.Unlock()
		switch {
		case at.TXID == pos.TXID && at != pos:
			return engine.ErrDiverged
		case at.TXID >= pos.TXID:
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (f *fake) Commits() *engine.Commits { return &f.commits }

var appAt = func(txid, sum uint64) engine.Database {
	return engine.Database{Name: "app.db", Pos: engine.Pos{TXID: txid, PostApplyChecksum: sum}}
}

// onFlyAs is the environment of a machine.
func onFlyAs(id string) func(string) string {
	return func(name string) string {
		switch name {
		case "FLY_MACHINE_ID":
			return id
		case "FLY_APP_NAME":
			return "guestbook"
		}
		return ""
	}
}

func offFly(string) string { return "" }

func newRouter(t testing.TB, c Config) *Router {
	t.Helper()
	if c.getenv == nil {
		c.getenv = onFlyAs("m2")
	}
	if c.now == nil {
		c.now = func() time.Time { return since.Add(-time.Minute) } // tokens are alike
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	rt, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	return rt
}

// ask is a request that Fly's proxy has brought.
func ask(h http.Handler, method, target string, body string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	r.Header.Set("Fly-Request-Id", "01")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func textOf(t testing.TB, res *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return string(data)
}

// hello is a handler that says what it got.
var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Ran", r.Method)
	body, _ := io.ReadAll(r.Body)
	io.WriteString(w, "hello "+string(body))
})

// writes is a handler whose write is refused on a replica and moves the primary on,
// as appdb does it.
func writes(f *fake) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Counter", "raised")
		f.mu.Lock()
		primary := f.st.Role == engine.RolePrimary
		if primary {
			at := f.st.Databases[0].Pos
			f.st.Databases = []engine.Database{appAt(at.TXID+1, at.PostApplyChecksum+1)}
		}
		f.mu.Unlock()
		wit := engine.WitnessOf(r.Context())
		if !primary {
			if wit != nil {
				wit.Refused(errRefused)
			}
			http.Error(w, "sorry", http.StatusInternalServerError)
			return
		}
		f.commits.Add()
		if wit != nil {
			wit.Committed()
		}
		io.WriteString(w, "written")
	}
}

type refusedError struct{}

func (refusedError) Error() string      { return "only the primary writes" }
func (refusedError) ReplicaWrite() bool { return true }

var errRefused error = refusedError{}
