package cluster

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// door is where machines of one region connect to a port of a machine in another: a
// listener that is there while the machine listens, so that otherwise a connection is
// refused as by the machine itself. On a network that is cut it is there, whatever the
// machine does: nobody learns that from a refusal.
type door struct {
	from, to string
	port     int
	lost     chan struct{} // of the machine's port: somebody was refused there

	mu      sync.Mutex
	is      net.Listener // nil while it is shut
	up      bool         // the machine listens
	hanging bool
	closed  bool
	changed chan struct{}
}

func newDoor(from, to string, port int) *door {
	return &door{from: from, to: to, port: port, lost: make(chan struct{}, 1), changed: make(chan struct{})}
}

// refused says that the machine does not listen any more.
func (d *door) refused() {
	d.change(func() {
		d.up = false
		select {
		case d.lost <- struct{}{}:
		default:
		}
	})
}

func (d *door) address() string { return fmt.Sprintf("127.0.0.1:%d", d.port) }

// Addr is where it is, open or not.
func (d *door) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: d.port} }

func (d *door) listens(up bool) { d.change(func() { d.up = up }) }
func (d *door) hang(cut bool)   { d.change(func() { d.hanging = cut }) }

// Close shuts it for good.
func (d *door) Close() error {
	d.change(func() { d.closed = true })
	return nil
}

func (d *door) change(what func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	what()
	if d.is != nil && (d.closed || !d.up && !d.hanging) {
		_ = d.is.Close() // who was let in stays
		d.is = nil
	}
	if d.is == nil && !d.closed && (d.up || d.hanging) {
		d.open()
	}
	close(d.changed)
	d.changed = make(chan struct{})
}

// open opens it. Where somebody else has its port just now, Accept tries again. The
// caller has d.mu.
func (d *door) open() {
	l, err := net.Listen("tcp", d.address())
	if err == nil {
		d.is = l
	}
}

// doorAgain is until a door is tried again that could not be opened.
const doorAgain = 50 * time.Millisecond

// Accept waits for a connection, over all the times that the door is shut.
func (d *door) Accept() (net.Conn, error) {
	for {
		d.mu.Lock()
		if d.is == nil && !d.closed && (d.up || d.hanging) {
			d.open()
		}
		l, closed, changed, want := d.is, d.closed, d.changed, d.up || d.hanging
		d.mu.Unlock()
		switch {
		case closed:
			return nil, net.ErrClosed
		case l == nil && want:
			select {
			case <-changed:
			case <-time.After(doorAgain):
			}
			continue
		case l == nil:
			<-changed
			continue
		}
		c, err := l.Accept()
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, net.ErrClosed) { // too many files, say
			<-time.After(doorAgain)
		}
	}
}

// relays are the doors by which a machine reaches another one.
type relays struct{ app, api *door }

// link makes the ways from each machine to each other one.
func (c *Cluster) link(ports *ports) error {
	for _, m := range c.machines {
		m.to = map[*machine]relays{}
		for _, p := range c.machines {
			if p == m {
				continue
			}
			var r relays
			for _, one := range []struct {
				door **door
				to   func() int
			}{{&r.app, func() int { return p.at().edge }}, {&r.api, func() int { return p.at().api }}} {
				port, err := ports.free()
				if err != nil {
					return err
				}
				*one.door = newDoor(m.Region, p.Region, port)
				c.network.relay(*one.door, one.to)
			}
			m.to[p] = r
		}
	}
	return nil
}

// way is a port of a machine, and the doors that lead there.
type way struct {
	address string
	doors   []*door
	lost    chan struct{}
}

func (c *Cluster) ways(m *machine) (app, api way) {
	app = way{address: m.address().String(), lost: make(chan struct{}, 1)}
	api = way{address: m.apiAddress(), lost: make(chan struct{}, 1)}
	for _, p := range c.machines {
		if r, linked := p.to[m]; linked {
			app.doors, api.doors = append(app.doors, r.app), append(api.doors, r.api)
		}
	}
	return app, api
}

// listens opens or shuts the doors, unless the machine has been started anew since.
func (w way) listens(up bool) {
	for _, d := range w.doors {
		d.change(func() {
			if d.lost == w.lost {
				d.up = up
			}
		})
	}
}

// open opens the doors that lead to a machine while it listens, until ended.
func (c *Cluster) open(m *machine, ended <-chan struct{}) {
	app, api := c.ways(m)
	for _, w := range []way{app, api} {
		if len(w.doors) == 0 {
			continue
		}
		for _, d := range w.doors {
			d.change(func() { d.lost = w.lost })
		}
		c.network.running.Go(func() {
			for w.heard(ended) {
				w.listens(true)
				select {
				case <-ended:
				case <-w.lost:
				}
				w.listens(false)
			}
		})
	}
}

// heard waits until somebody listens; it is false when ended came first.
func (w way) heard(ended <-chan struct{}) bool {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		select {
		case <-ended:
			return false
		default:
		}
		conn, err := net.DialTimeout("tcp", w.address, time.Second)
		if err == nil {
			_ = conn.Close()
			return true
		}
		if !waitUnless(ended, pause) {
			return false
		}
	}
}

// waitUnless waits, and is false when ended came first.
func waitUnless(ended <-chan struct{}, d time.Duration) bool {
	select {
	case <-ended:
		return false
	case <-time.After(d):
		return true
	}
}
