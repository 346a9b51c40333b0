package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
)

// Ports lie below those that the system gives to connections, or one could have it until
// a machine listens.
const firstPort, lastPort = 10_000, 32_767

// ports chooses ports, and holds what it has chosen until it is told to let go.
type ports struct{ held []net.Listener }

func (p *ports) free() (port int, err error) {
	for range 100 {
		port = firstPort + rand.IntN(lastPort-firstPort)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil { // as an app may
			p.held = append(p.held, l) // so that the next one is another
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

func (p *ports) letGo() {
	for _, l := range p.held {
		_ = l.Close() // which is what it is for
	}
	p.held = nil
}

// listening are the ports of a machine. app, which PORT names, is edge unless LiteFS's
// proxy is between; api is LiteFS's, 0 for none.
type listening struct{ edge, app, api int }

// choose gives a machine ports.
func (c *Cluster) choose(m *machine, p *ports) (err error) {
	var at listening
	if at.edge, err = p.free(); err != nil {
		return err
	}
	at.app = at.edge
	if c.litefs != nil {
		if at.api, err = p.free(); err != nil {
			return err
		}
		if c.litefs.Proxy.Target != "" {
			if at.app, err = p.free(); err != nil {
				return err
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ports = at
	return nil
}

// chooseAgain gives a machine that does not run other ports where somebody has one of its
// own by now, and tells whether that was so.
func (c *Cluster) chooseAgain(m *machine) (bool, error) {
	at := m.at()
	if !taken(at.edge) && !taken(at.app) && !taken(at.api) {
		return false, nil
	}
	var p ports
	defer p.letGo()
	return true, c.choose(m, &p)
}

func taken(port int) bool {
	if port == 0 {
		return false
	}
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err == nil {
		_ = l.Close() // it was to see whether it can be had
	}
	return errors.Is(err, syscall.EADDRINUSE)
}

func (m *machine) at() listening {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ports
}

// address is where the edge connects to.
func (m *machine) address() netip.AddrPort { return loopback(m.at().edge) }

// apiAddress is LiteFS's.
func (m *machine) apiAddress() string { return loopback(m.at().api).String() }

func loopback(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
}
