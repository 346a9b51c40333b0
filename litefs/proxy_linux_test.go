package litefs

import (
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// proxy carries TCP to a node, and can cut or stall it.
type proxy struct {
	net.Listener
	target string

	mu    sync.Mutex
	conns map[net.Conn]bool
	ended sync.WaitGroup
	gate  chan struct{} // closed: bytes pass; open: those connections that are there stall
}

func newProxy(t testing.TB, port int) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, target: fmt.Sprintf("127.0.0.1:%d", port), conns: map[net.Conn]bool{}, gate: make(chan struct{})}
	close(p.gate)
	p.ended.Go(p.serve)
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.ended.Wait()
	})
	return p
}

func (p *proxy) serve() {
	for {
		down, err := p.Accept()
		if err != nil {
			return
		}
		p.ended.Go(func() { p.carry(down) })
	}
}

func (p *proxy) carry(down net.Conn) {
	defer down.Close()
	// Small buffers and segments on both sides, so that a stall is felt soon.
	small := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10)
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, 536)
		})
	}}
	up, err := small.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer up.Close()
	p.mu.Lock()
	p.conns[down], p.conns[up] = true, true
	p.mu.Unlock()
	var done sync.WaitGroup
	done.Go(func() {
		defer up.Close()
		io.Copy(struct{ io.Writer }{up}, struct{ io.Reader }{down}) // not by splice, which keeps pipes
	})
	buf := make([]byte, 1<<10)
	for {
		n, err := up.Read(buf)
		if err != nil {
			break
		}
		p.mu.Lock()
		gate := p.gate
		p.mu.Unlock()
		<-gate
		if _, err := down.Write(buf[:n]); err != nil {
			break
		}
	}
	down.Close()
	done.Wait()
	p.mu.Lock()
	delete(p.conns, down)
	delete(p.conns, up)
	p.mu.Unlock()
}

// cut ends all connections that there are.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// stall stops what LiteFS says until the returned function is called.
func (p *proxy) stall() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gate := make(chan struct{})
	p.gate = gate
	return sync.OnceFunc(func() { close(gate) })
}
