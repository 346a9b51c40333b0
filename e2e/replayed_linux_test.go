package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/testkit"
	"github.com/flysql/flysql/litefs"
	"github.com/flysql/flysql/replay"
)

// region is a machine with LiteFS and an app behind a router.
type region struct {
	name   string
	node   *testkit.Node
	engine *litefs.Node
	db     *appdb.DB
	addr   netip.AddrPort
	app    http.Handler
	server *http.Server
}

// listen begins to serve, where the machine has served before.
func (r *region) listen(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", r.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	if r.addr.Port() == 0 {
		r.addr = netip.MustParseAddrPort(l.Addr().String())
	}
	r.server = &http.Server{Handler: r.app}
	go r.server.Serve(l)
}

// write adds a row, whichever method asks for it.
func (r *region) write(w http.ResponseWriter, req *http.Request) {
	err := r.db.Update(req.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO rows VALUES (?)", req.PathValue("id"))
		return err
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// read answers all rows.
func (r *region) read(w http.ResponseWriter, req *http.Request) {
	var ids sql.NullString
	err := r.db.View(req.Context(), func(tx *sql.Tx) error {
		return tx.QueryRow("SELECT group_concat(id) FROM rows").Scan(&ids)
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, ",%s,", ids.String)
}

// newRegions are three machines, the first of them the primary.
func newRegions(t *testing.T) []*region {
	t.Helper()
	t.Setenv("FLY_MACHINE_ID", "m") // as on Fly: what the edge can send on, it is asked to
	leases := testkit.NewLease(t)
	var all []*region
	peer := func(name string) (string, error) {
		i := slices.IndexFunc(all, func(r *region) bool { return r.name == name })
		if i < 0 {
			return "", fmt.Errorf("no machine %q", name)
		}
		return "http://" + all[i].addr.String(), nil
	}
	for i, name := range []string{"ams", "ord", "syd"} {
		r := &region{name: name, node: testkit.NewNode(t, name, testkit.NodeOptions{Lease: leases, Replica: i == 2})}
		r.node.Start()
		var err error
		if r.engine, err = litefs.Open(litefs.Config{Addr: fmt.Sprintf("127.0.0.1:%d", r.node.API), FUSEDir: r.node.Mount}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.engine.Close() })
		router, err := replay.New(replay.Config{Engine: r.engine, DB: "app.db", Peer: peer, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { router.Close() })
		if i > 0 {
			testkit.Poll(t, "the table on "+name, func() bool { return r.node.Position("app.db") != "" })
		}
		if _, err := r.engine.WaitPrimary(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.db, err = (appdb.Config{Engine: r.engine, Confirm: 20 * time.Millisecond}).Open(t.Context(), r.node.DB("app.db")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.db.Close() })
		if i == 0 {
			if _, err := r.db.Writer().ExecContext(t.Context(), "CREATE TABLE rows (id INTEGER NOT NULL)"); err != nil {
				t.Fatal(err)
			}
		}
		mux := http.NewServeMux()
		mux.HandleFunc("POST /rows/{id}", r.write)
		mux.HandleFunc("GET /visit/{id}", r.write)
		mux.HandleFunc("GET /rows", r.read)
		r.app, r.addr = router.Handler(mux), netip.MustParseAddrPort("127.0.0.1:0")
		r.listen(t)
		t.Cleanup(func() { r.server.Close() })
		all = append(all, r)
	}
	return all
}

// visitor writes and reads in turns, each time from another region, and checks that it
// reads what it has written.
type visitor struct {
	t     *testing.T
	site  string
	http  *http.Client
	acked []ack
	seen  int   // reads
	less  []ack // what one of them lacked
}

// ack is a row that a visitor was told is written, and when.
type ack struct {
	id string
	at time.Time
}

func (v *visitor) ask(method, path string) (status int, text string, stale bool) {
	v.t.Helper()
	req, err := http.NewRequest(method, v.site+path, nil)
	if err != nil {
		v.t.Error(err)
		return 0, "", false
	}
	req.Header.Set("Fly-Prefer-Region", []string{"ams", "ord", "syd"}[rand.IntN(3)])
	res, err := v.http.Do(req)
	if err != nil {
		return 0, err.Error(), false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error(), false
	}
	return res.StatusCode, string(body), res.Header.Get(replay.StaleHeader) != ""
}

func (v *visitor) run(ctx context.Context, number int) {
	for id := number * 1_000_000; ctx.Err() == nil; id++ {
		method, path := "POST", fmt.Sprintf("/rows/%d", id)
		if id%3 == 0 {
			method, path = "GET", fmt.Sprintf("/visit/%d", id)
		}
		if status, _, stale := v.ask(method, path); status == http.StatusOK && !stale {
			v.acked = append(v.acked, ack{fmt.Sprint(id), time.Now()})
		}
		status, text, stale := v.ask("GET", "/rows")
		if status != http.StatusOK || stale {
			continue
		}
		v.seen++
		for _, a := range v.acked {
			if !strings.Contains(text, ","+a.id+",") {
				v.less = append(v.less, a)
			}
		}
	}
}

// By way of the edge, which stands for Fly's proxy, visitors of three regions read what
// they have written, each row is there once, and none that was acknowledged is
// gone; while a machine is behind, the primary's app is away, and another machine becomes
// the primary.
func TestReplayThroughEdge(t *testing.T) {
	testkit.LiteFS(t)
	all := newRegions(t)
	e, err := edge.New(edge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var machines []edge.Machine
	for _, r := range all {
		machines = append(machines, edge.Machine{ID: r.name, Region: r.name, Address: r.addr})
	}
	e.Set(machines)
	front := httptest.NewServer(e)
	defer front.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	var visitors []*visitor
	for i := range 4 {
		jar, _ := cookiejar.New(nil) // its error is always nil
		transport := &http.Transport{DisableKeepAlives: true}
		v := &visitor{t: t, site: front.URL, http: &http.Client{Jar: insecure{jar}, Transport: transport, Timeout: time.Minute}}
		visitors = append(visitors, v)
		running.Go(func() { v.run(ctx, i+1) })
	}
	written := func() int {
		var n int
		if err := all[2].db.Reader().QueryRowContext(ctx, "SELECT count(*) FROM rows").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	more := func(what string) {
		t.Helper()
		from := written()
		testkit.Poll(t, "rows "+what, func() bool { return written() >= from+20 })
	}
	more("at first")
	// As long as somebody reads there, a machine stays where it is.
	if err := all[2].db.View(ctx, func(tx *sql.Tx) error {
		var n int
		err := tx.QueryRow("SELECT count(*) FROM rows").Scan(&n)
		<-time.After(time.Second)
		return err
	}); err != nil {
		t.Error(err)
	}
	all[0].server.Close() // what it is at breaks off, and the edge finds nobody there
	<-time.After(time.Second)
	all[0].listen(t)
	more("with its app back")
	// Without flysql-entrypoint, who holds writers up, LiteFS may lose the last of them.
	from := time.Now()
	all[1].node.Post("/promote")
	testkit.Poll(t, "another primary", func() bool { return all[1].engine.State().Role == litefs.RolePrimary })
	more("with another primary")
	stop()
	running.Wait()
	judgeVisitors(t, all[1], visitors, from)
}

// judgeVisitors compares what visitors were told with what the primary has. What was
// acknowledged after a moment may be gone.
func judgeVisitors(t *testing.T, primary *region, visitors []*visitor, lost time.Time) {
	t.Helper()
	var ids string
	if err := primary.db.Reader().QueryRowContext(t.Context(), "SELECT group_concat(id) FROM rows").Scan(&ids); err != nil {
		t.Fatal(err)
	}
	there := map[string]int{}
	for id := range strings.SplitSeq(ids, ",") {
		if there[id]++; there[id] > 1 {
			t.Errorf("row %s is there %d times", id, there[id])
		}
	}
	acked, seen := 0, 0
	for _, v := range visitors {
		acked, seen = acked+len(v.acked), seen+v.seen
		for _, a := range v.acked {
			if there[a.id] == 0 && a.at.Before(lost) {
				t.Errorf("row %s was acknowledged, and is gone", a.id)
			}
		}
		for _, a := range v.less {
			if there[a.id] > 0 {
				t.Errorf("row %s is there, and was not in a read of who has written it", a.id)
			}
		}
	}
	t.Logf("%d rows, %d acknowledged, %d reads", len(there), acked, seen)
	if acked == 0 || seen == 0 {
		t.Error("too little was done to tell anything")
	}
}

// insecure is a jar that gives back Secure cookies over the test's plain http too.
type insecure struct{ http.CookieJar }

func (j insecure) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		c.Secure = false
	}
	j.CookieJar.SetCookies(u, cookies)
}
