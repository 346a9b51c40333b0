package load_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/engine"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/load"
	"github.com/flysql/flysql/replay"
)

// fake is a machine's engine. What the primary has written arrives at a replica when
// somebody waits for it there.
type fake struct {
	mu   sync.Mutex
	role engine.Role
	at   engine.Pos
}

func (f *fake) State() engine.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return engine.State{Role: f.role, Primary: "ord1", Ready: true, ClusterID: "LFSCAAAAAAAAAAAAAAAA", Databases: []engine.Database{{Name: "app.db", Pos: f.at}}, Epoch: 1, Changed: make(chan struct{})}
}

func (f *fake) WaitPosition(ctx context.Context, _ string, pos engine.Pos) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at.TXID < pos.TXID {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.at = pos
	}
	return nil
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == "POST" {
		f.mu.Lock()
		f.at.TXID++
		f.at.PostApplyChecksum++
		f.mu.Unlock()
		engine.WitnessOf(r.Context()).Committed()
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	fmt.Fprintln(w, "hello")
}

// machine is the app on one machine.
func machine(t *testing.T, f *fake, c replay.Config) (address netip.AddrPort) {
	t.Helper()
	c.Engine = f
	rt, err := replay.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	s := httptest.NewServer(rt.Handler(f))
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// options are some of a form that writes.
func options(t testing.TB, at string) load.Options {
	t.Helper()
	read, err := load.ParseRead("/")
	if err != nil {
		t.Fatal(err)
	}
	write, err := load.ParseWrite("POST /messages text={{n}}", "", "")
	if err != nil {
		t.Fatal(err)
	}
	// One after the other, so that who reads has had the answer to its write.
	return load.Patient(load.Options{URL: at, Rate: 100, For: time.Second, Writes: 0.1, Reads: []load.Request{read}, Write: []load.Request{write}, Visitors: 5, Timeout: time.Minute, Max: 1})
}

func ways(p *load.Report) map[string]int {
	counts := map[string]int{}
	for _, g := range p.Ways {
		counts[g.Name] = g.Count
	}
	return counts
}

// Behind an edge, the way of each request is known: visitors near the primary are answered
// there, those near the replica have their writes replayed, and wait for them.
func TestWaysByTheEdge(t *testing.T) {
	t.Setenv("FLY_MACHINE_ID", "ams1")
	t.Setenv("FLY_APP_NAME", "shop")
	e, err := edge.New(edge.Options{App: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	e.Set([]edge.Machine{
		{ID: "ord1", Region: "ord", Address: machine(t, &fake{role: engine.RolePrimary, at: engine.Pos{TXID: 1}}, replay.Config{})},
		{ID: "ams1", Region: "ams", Address: machine(t, &fake{role: engine.RoleReplica, at: engine.Pos{TXID: 1}}, replay.Config{})},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := e.Server()
	go s.Serve(l)
	defer s.Close()
	for _, region := range []string{"ord", "ams"} {
		o := options(t, "http://"+l.Addr().String())
		o.Regions = []string{region}
		result, err := load.Run(t.Context(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := result.Report()
		got := ways(p)
		machines := map[string]int{}
		for _, g := range p.Machines {
			machines[g.Name] = g.Count
		}
		if p.All.Failed > 0 || p.Reads.Count != 90 || p.Writes.Count != 10 {
			t.Fatalf("%+v, %+v", p.Statuses, p.Errors)
		}
		switch region {
		case "ord":
			if got["local"] != 100 || machines["ord1 ord"] != 100 {
				t.Errorf("%s: %v %v", region, got, machines)
			}
		default:
			if got["replayed"] != 10 || got["waited"] == 0 || got["waited"]+got["local"] != 90 || got["forwarded"] != 0 || machines["ams1 ams"] != 90 || machines["ord1 ord"] != 10 {
				t.Errorf("%s: %v %v", region, got, machines)
			}
		}
	}
}

// Without an edge package replay tells what it has forwarded.
func TestWaysWithoutAnEdge(t *testing.T) {
	t.Parallel()
	primary := machine(t, &fake{role: engine.RolePrimary, at: engine.Pos{TXID: 1}}, replay.Config{NoReplay: true})
	replica := machine(t, &fake{role: engine.RoleReplica, at: engine.Pos{TXID: 1}}, replay.Config{NoReplay: true, Peer: func(string) (string, error) { return "http://" + primary.String(), nil }})
	result, err := load.Run(t.Context(), options(t, "http://"+replica.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := result.Report()
	if got := ways(p); got["forwarded"] != 10 || got["waited"] == 0 || got["waited"]+got["local"] != 90 || len(p.Machines) != 0 {
		t.Errorf("%v %+v", got, p.Machines)
	}
}
