package replay_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
	"github.com/flysql/flysql/replay"
)

// ways are how an app's requests can come to it: as they are, by a router in the app, by
// LiteFS's own proxy, and by a middleware that reads the files of the mount.
var ways = []string{"bare", "replay", "proxy", "files"}

// machine is a LiteFS node with one app, which listens once for each of the ways.
type machine struct {
	*testkit.Node
	engine *litefs.Node
	db     *appdb.DB
	urls   map[string]string
	came   chan struct{} // has one for each GET that came, where somebody listens
	app    *httptest.Server
}

// newMachine starts a node. Its app is opened later, when there is a database.
func newMachine(b *testing.B, l *testkit.Lease, name string) *machine {
	b.Helper()
	m := &machine{came: make(chan struct{}), app: httptest.NewUnstartedServer(nil)}
	b.Cleanup(m.app.Close)
	proxy := testkit.FreePort(b)
	m.Node = testkit.NewNode(b, name, testkit.NodeOptions{Lease: l, Extra: fmt.Sprintf("proxy:\n  addr: \"127.0.0.1:%d\"\n  target: %q\n  db: app.db\n", proxy, m.app.Listener.Addr())})
	m.Start()
	var err error
	if m.engine, err = litefs.Open(litefs.Config{Addr: fmt.Sprintf("127.0.0.1:%d", m.API), FUSEDir: m.Mount, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.engine.Close() })
	if _, err := m.engine.WaitPrimary(b.Context()); err != nil {
		b.Fatal(err)
	}
	m.urls = map[string]string{"proxy": fmt.Sprintf("http://127.0.0.1:%d", proxy)}
	return m
}

// serve opens the database and the app. A GET reads a row, a POST writes one.
func (m *machine) serve(b *testing.B) {
	b.Helper()
	var err error
	if m.db, err = (appdb.Config{Engine: m.engine}).Open(b.Context(), "file://"+m.DB("app.db")+"?_journal_mode=wal"); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.db.Close() })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		var v string
		if err := m.db.Reader().QueryRowContext(r.Context(), "SELECT v FROM t WHERE id = 1").Scan(&v); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, v)
	})
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		if err := m.write(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	rt, err := replay.New(replay.Config{Engine: m.engine, DB: "app.db", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = rt.Close() })
	m.app.Config.Handler = mux
	m.app.Start()
	m.urls["bare"] = m.app.URL
	m.urls["replay"] = m.listen(b, rt.Handler(mux))
	m.urls["files"] = m.listen(b, files(m.Mount, mux))
}

func (m *machine) write(ctx context.Context) error {
	return m.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO t (v) VALUES ('Greetings.')")
		return err
	})
}

// listen serves a way. That a read has come is told where somebody listens.
func (m *machine) listen(b *testing.B, h http.Handler) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["X-Tell"]) > 0 {
			m.came <- struct{}{}
		}
		h.ServeHTTP(w, r)
	}))
	b.Cleanup(s.Close)
	return s.URL
}

// pair is a primary and its replica, with one row.
func pair(b *testing.B) (primary, replica *machine) {
	b.Helper()
	l := testkit.NewLease(b)
	primary = newMachine(b, l, "a")
	replica = newMachine(b, l, "b")
	primary.serve(b)
	for _, q := range []string{"CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t (v) VALUES ('Hello.')"} {
		if _, err := primary.db.Writer().Exec(q); err != nil {
			b.Fatal(err)
		}
	}
	level(b, primary, replica)
	replica.serve(b)
	return primary, replica
}

// level waits until the replica has what the primary has.
func level(b *testing.B, primary, replica *machine) engine.Pos {
	b.Helper()
	at, err := primary.engine.ReadPosition(b.Context(), "app.db")
	if err != nil {
		b.Fatal(err)
	}
	if err := replica.engine.WaitPosition(b.Context(), "app.db", at); err != nil {
		b.Fatal(err)
	}
	return at
}

// BenchmarkRequests is what becomes of an app's requests by each of the ways, on two
// LiteFS nodes: how many are answered in a second, and how long one takes.
func BenchmarkRequests(b *testing.B) {
	primary, replica := pair(b)
	for _, work := range []struct {
		name, method string
		at           *machine
		cookie       bool // of a write that the replica has
	}{
		{"read", "GET", replica, false},
		{"read+cookie", "GET", replica, true},
		{"write", "POST", primary, false},
	} {
		for _, clients := range []int{1, 16} {
			for _, way := range ways {
				b.Run(fmt.Sprintf("work=%s/clients=%d/by=%s", work.name, clients, way), func(b *testing.B) {
					r, err := http.NewRequest(work.method, work.at.urls[way], nil)
					if err != nil {
						b.Fatal(err)
					}
					c := newClient(b, clients)
					if work.cookie && way != "bare" {
						for _, cookie := range given(b, c, primary.urls[way]) {
							r.AddCookie(cookie)
						}
						level(b, primary, replica)
					}
					load(b, c, clients, r)
				})
			}
		}
	}
}

// newClient keeps its connections.
func newClient(b *testing.B, clients int) *http.Client {
	t := &http.Transport{MaxIdleConnsPerHost: clients, DialContext: (&net.Dialer{}).DialContext}
	b.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// given is what a client has after a write.
func given(b *testing.B, c *http.Client, url string) []*http.Cookie {
	b.Helper()
	res, err := c.Post(url, "", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || len(res.Cookies()) != 1 {
		b.Fatalf("a write by %s: %s, cookies %v", url, res.Status, res.Cookies())
	}
	return res.Cookies()
}

// load lets so many clients make b.N requests in all.
func load(b *testing.B, c *http.Client, clients int, r *http.Request) {
	b.Helper()
	if err := fetch(c, r); err != nil {
		b.Fatal(err)
	}
	took := make([][]time.Duration, clients)
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	b.ResetTimer()
	for i := range clients {
		all.Go(func() {
			r := r.Clone(b.Context())
			for left.Add(-1) >= 0 {
				start := time.Now()
				if err := fetch(c, r); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	percentiles(b, slices.Concat(took...), time.Microsecond, "µs")
}

func fetch(c *http.Client, r *http.Request) error {
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", r.Method, r.URL, res.Status)
	}
	return nil
}

func percentiles(b *testing.B, took []time.Duration, of time.Duration, unit string) {
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[(len(took)-1)*p/100])/float64(of), fmt.Sprintf("p%d-%s", p, unit))
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRelease is the time from a commit on the primary until a read on the replica
// is answered that waits for it.
func BenchmarkRelease(b *testing.B) {
	primary, replica := pair(b)
	c := newClient(b, 1)
	cluster := primary.engine.State().ClusterID
	for _, way := range ways[1:] {
		b.Run("by="+way, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				next := level(b, primary, replica).TXID + 1
				r, err := http.NewRequest("GET", replica.urls[way], nil)
				if err != nil {
					b.Fatal(err)
				}
				r.AddCookie(map[string]*http.Cookie{
					// Whatever the checksum will be.
					"replay": {Name: replay.CookieName, Value: fmt.Sprintf("1|%s||%016x-%016x=app.db|", cluster, next, 0)},
					"proxy":  {Name: "__txid", Value: fmt.Sprintf("%016x", next)},
					"files":  {Name: filesCookie, Value: fmt.Sprintf("%016x", next)},
				}[way])
				var at time.Time
				answered := make(chan error, 1)
				if way != "proxy" { // which takes requests in a process of its own
					r.Header.Set("X-Tell", "1")
				}
				go func() {
					err := fetch(c, r)
					at = time.Now()
					answered <- err
				}()
				if way != "proxy" {
					<-replica.came
				}
				if err := primary.write(b.Context()); err != nil {
					b.Fatal(err)
				}
				committed := time.Now()
				if err := <-answered; err != nil {
					b.Fatal(err)
				}
				took = append(took, max(0, at.Sub(committed)))
			}
			percentiles(b, took, time.Millisecond, "ms")
		})
	}
}
