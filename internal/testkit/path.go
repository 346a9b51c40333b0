package testkit

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Path is a way to a server that can be held up: connections are accepted, and
// nothing passes. It is how a network fails that drops packets. Or it can be cut, as
// where a server or what lies before it is restarted.
type Path struct {
	URL string

	listener net.Listener
	target   string
	mu       sync.Mutex
	gate     chan struct{} // closed: bytes pass
	cut      chan struct{} // closed by the next Cut
	delay    time.Duration
	done     chan struct{}
	busy     sync.WaitGroup
}

// NewPath makes a way to the server of a URL. It ends with the test.
func NewPath(t testing.TB, to string) *Path {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Path{listener: l, target: u.Host, gate: make(chan struct{}), cut: make(chan struct{}), done: make(chan struct{})}
	close(p.gate)
	u.Host = l.Addr().String()
	p.URL = u.String()
	p.busy.Go(p.serve)
	t.Cleanup(func() {
		close(p.done)
		l.Close()
		p.busy.Wait()
	})
	return p
}

// Hold stops all that passes, until the returned function is called.
func (p *Path) Hold() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gate := make(chan struct{})
	p.gate = gate
	return sync.OnceFunc(func() { close(gate) })
}

// Cut ends all connections that there are.
func (p *Path) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.cut)
	p.cut = make(chan struct{})
}

// Delay makes every answer late.
func (p *Path) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

func (p *Path) serve() {
	for {
		down, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.busy.Go(func() { p.carry(down) })
	}
}

func (p *Path) carry(down net.Conn) {
	defer down.Close()
	p.mu.Lock()
	cut := p.cut
	p.mu.Unlock()
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer up.Close()
	ended := make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() { p.pass(up, down, false); up.Close() })
	both.Go(func() { p.pass(down, up, true); down.Close() })
	go func() { both.Wait(); close(ended) }()
	select {
	case <-ended:
		return
	case <-cut:
	case <-p.done:
	}
	up.Close()
	down.Close()
	<-ended
}

func (p *Path) pass(to io.Writer, from io.Reader, late bool) {
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		gate, delay := p.gate, p.delay
		p.mu.Unlock()
		if !late {
			delay = 0
		}
		select {
		case <-gate:
		case <-p.done:
			return
		}
		select {
		case <-time.After(delay):
		case <-p.done:
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
