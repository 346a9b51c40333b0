package edge_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"

	"github.com/flysql/flysql/internal/emulator/edge"
)

// memory is machines without a network, for tests in which time is synctest's.
type memory struct {
	t  *testing.T
	mu sync.Mutex
	at map[string]*pipes
}

func newMemory(t *testing.T) *memory { return &memory{t: t, at: map[string]*pipes{}} }

// machine starts one.
func (w *memory) machine(id, region string, do http.HandlerFunc) edge.Machine {
	if do == nil {
		do = func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %s", id, r.Header.Get("Fly-Replay-Cache-Status"))
		}
	}
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: do}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(p) })
	w.t.Cleanup(func() {
		_ = s.Close()
		serving.Wait()
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at[id] = p
	return edge.Machine{ID: id, Region: region, Address: netip.MustParseAddrPort("[fdaa::1]:80")}
}

// dial is for Options.
func (w *memory) dial(ctx context.Context, _ string, m edge.Machine) (net.Conn, error) {
	w.mu.Lock()
	p := w.at[m.ID]
	w.mu.Unlock()
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask asks an edge, and returns the body alone where all is well.
func (w *memory) ask(e *edge.Edge, r *http.Request) string {
	out := httptest.NewRecorder()
	e.ServeHTTP(out, r)
	if out.Code != http.StatusOK {
		return fmt.Sprint(out.Code, " ", out.Body)
	}
	return out.Body.String()
}

// pipes is a listener.
type pipes struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback, Port: 80} }
