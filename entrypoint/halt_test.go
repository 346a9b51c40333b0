package entrypoint

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/flyconf"
)

// fakeNode answers as LiteFS does, with what a test says, and remembers what it was
// asked to do.
type fakeNode struct {
	addr string

	mu    sync.Mutex
	id    string
	delay time.Duration
	info  nodeInfo
	dbs   []string // at transaction 1
	later []string // made once a lock was asked for
	asked []string
	hands *fakeNode // whom it hands the lease to
}

func newFakeNode(t *testing.T, id string, info nodeInfo, dbs ...string) *fakeNode {
	t.Helper()
	f := &fakeNode{id: id, info: info, dbs: dbs}
	web := httptest.NewServer(f)
	t.Cleanup(web.Close)
	f.addr = strings.TrimPrefix(web.URL, "http://")
	return f
}

const fakeTX, fakeSum = "0000000000000001", "8000000000000002"

func (f *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-time.After(f.delay):
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Litefs-Id", f.id)
	switch r.URL.Path {
	case "/info":
		json.NewEncoder(w).Encode(f.info)
	case "/debug/vars":
		dbs := map[string]any{}
		for _, name := range f.dbs {
			dbs[name] = map[string]string{"txid": fakeTX, "checksum": fakeSum}
		}
		json.NewEncoder(w).Encode(map[string]any{"store": map[string]any{"dbs": dbs}})
	default:
		f.asked = append(f.asked, strings.TrimRight(r.Method+" "+r.URL.Path+" "+r.URL.Query().Get("name"), " "))
		if r.URL.Path == "/handoff" && f.hands != nil {
			f.info.IsPrimary = false
			f.hands.lead()
		}
		f.dbs, f.later = append(f.dbs, f.later...), nil
		fmt.Fprintf(w, `{"pos":{"TXID":%q,"PostApplyChecksum":%q}}`, fakeTX, fakeSum)
	}
}

func (f *fakeNode) lead() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.info.IsPrimary = true
}

func (f *fakeNode) did() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// A candidate on the other side of the world is found, however near one is that is none.
func TestPeersFar(t *testing.T) {
	near := newFakeNode(t, "0B", nodeInfo{ClusterID: "C"})
	far := newFakeNode(t, "0C", nodeInfo{ClusterID: "C", Candidate: true})
	far.delay = 2 * stragglers
	b := &boot{Config: Config{Peers: []string{near.addr, far.addr}}}
	found, silent, err := b.candidates(t.Context(), nodeInfo{id: "0A", ClusterID: "C"}, "")
	if err != nil || len(found) != 1 || found[0].addr != far.addr || len(silent) > 0 {
		t.Errorf("found %v, silent %v, %v", found, silent, err)
	}
}

// A database that is made while the others are held up is held up too, and all are
// let go.
func TestHaltAll(t *testing.T) {
	f := newFakeNode(t, "0B", nodeInfo{}, "a.db")
	f.later = []string{"b.db"}
	h, err := halt(t.Context(), f.addr)
	if want := (position{1, 0x8000000000000002}); err != nil || len(h.at) != 2 || h.at["a.db"] != want || h.at["b.db"] != want {
		t.Errorf("%v, %v", h.at, err)
	}
	if err := h.letGo(t.Context()); err != nil {
		t.Error(err)
	}
	want := []string{"POST /halt a.db", "POST /halt b.db", "DELETE /halt a.db", "DELETE /halt b.db"}
	if got := f.did(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// taking is a boot of the node own that is to take over from p.
func taking(own, p *fakeNode) (*boot, peer) {
	b := &boot{Config: Config{Env: []string{}}.withDefaults(), node: &node{api: own.addr, conf: &flyconf.LiteFS{}, ended: make(chan struct{})}}
	return b, peer{p.addr, nodeInfo{id: p.id, IsPrimary: true}}
}

// A process that stood still asks for no lease under locks that may be gone.
func TestTakeLeaseExpired(t *testing.T) {
	p := newFakeNode(t, "0B", nodeInfo{IsPrimary: true}, "a.db")
	b, from := taking(newFakeNode(t, "0A", nodeInfo{}, "a.db"), p)
	err := b.takeLease(t.Context(), nodeInfo{id: "0A"}, from, &halted{addr: p.addr, began: time.Now().Add(-time.Hour)})
	if err == nil || !strings.Contains(err.Error(), "held up for 1h0m0s already") {
		t.Errorf("%v", err)
	}
	if got := p.did(); len(got) > 0 {
		t.Errorf("it was asked: %q", got)
	}
}

// Where a primary was asked for its lease, and how that ended is not known, its
// writers are not let go: what they write could be lost. Where it has refused, they are.
func TestTakeFromUnknown(t *testing.T) {
	p := newFakeNode(t, "0B", nodeInfo{IsPrimary: true}, "a.db")
	b, from := taking(newFakeNode(t, "0A", nodeInfo{}, "a.db"), p)
	close(b.node.ended)
	if err := b.takeFrom(t.Context(), nodeInfo{id: "0A"}, from); err == nil {
		t.Error("no error")
	}
	want := []string{"POST /halt a.db", "POST /handoff"}
	if got := p.did(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Who is not the primary any more is not held up for long.
func TestTakeFromOther(t *testing.T) {
	p := newFakeNode(t, "0B", nodeInfo{}, "a.db")
	b, from := taking(newFakeNode(t, "0A", nodeInfo{}), p)
	began := time.Now()
	err := b.takeFrom(t.Context(), nodeInfo{id: "0A"}, from)
	if err == nil || !strings.Contains(err.Error(), "is not the primary any more") {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > equalLimit/2 {
		t.Errorf("it took %v", took)
	}
}

// Of two nodes that call themselves the primary, one that was is not asked.
func TestTakeOverFromTheRightOne(t *testing.T) {
	was := newFakeNode(t, "0B", nodeInfo{ClusterID: "C", IsPrimary: true}, "a.db")
	was.info.Primary.Hostname = "was"
	is := newFakeNode(t, "0C", nodeInfo{ClusterID: "C", IsPrimary: true}, "a.db")
	is.info.Primary.Hostname = "is"
	own := newFakeNode(t, "0A", nodeInfo{ClusterID: "C"}, "a.db")
	own.info.Primary.Hostname = "is"
	b, _ := taking(own, is)
	b.Peers = []string{was.addr, is.addr}
	close(b.node.ended)
	from, err := b.takeOver(t.Context())
	if err == nil || from.addr != is.addr || len(was.did()) > 0 {
		t.Errorf("from %v, %v; the other was asked %q", from, err, was.did())
	}
}

// Who is alone with a lease that it should not keep does not wait for long.
func TestGiveLeaseAlone(t *testing.T) {
	slow := newFakeNode(t, "0B", nodeInfo{ClusterID: "C", Candidate: true})
	slow.delay = time.Hour
	own := newFakeNode(t, "0A", nodeInfo{ClusterID: "C", IsPrimary: true})
	b, _ := taking(own, own)
	b.Peers = []string{slow.addr}
	_, err := b.giveLease(t.Context(), nodeInfo{id: "0A", ClusterID: "C"}, "", time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "no answer from "+slow.addr) {
		t.Errorf("%v", err)
	}
}
