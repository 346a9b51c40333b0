package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
	"github.com/flysql/flysql/internal/emulator/private"
)

// network is the way between regions: how long it is, and whether it is there. All that
// machines of different regions say to each other, and the edge to machines, goes by it.
type network struct {
	delay latency.Matrix

	ctx     context.Context // of relays
	end     context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex
	cut   map[string]bool // regions
	wires map[*wire]struct{}
}

func newNetwork(delay latency.Matrix) *network {
	n := &network{delay: delay, cut: map[string]bool{}, wires: map[*wire]struct{}{}}
	n.ctx, n.end = context.WithCancel(context.Background())
	return n
}

// close ends all that is relayed.
func (n *network) close() {
	n.end()
	n.running.Wait()
}

// wire is a connection between two regions.
type wire struct {
	net.Conn
	network  *network
	from, to string
}

func (w *wire) Close() error {
	w.network.mu.Lock()
	delete(w.network.wires, w)
	w.network.mu.Unlock()
	return w.Conn.Close()
}

func (w *wire) CloseWrite() error {
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return w.Close()
}

// reaches tells whether bytes get from one region to another. The caller has n.mu.
func (n *network) reaches(from, to string) bool { return from == to || !n.cut[from] && !n.cut[to] }

func (n *network) reachable(from, to string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reaches(from, to)
}

// dial connects to a port of a machine in another region.
func (n *network) dial(ctx context.Context, from, to string, port int) (net.Conn, error) {
	if !n.reachable(from, to) {
		return nil, fmt.Errorf("the network between %s and %s is cut", from, to)
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	w := &wire{c, n, from, to}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.reaches(from, to) { // since
		return nil, errors.Join(fmt.Errorf("the network between %s and %s is cut", from, to), c.Close())
	}
	n.wires[w] = struct{}{}
	return w, nil
}

// relay is an address by which machines of one region reach a port of one in another.
func (n *network) relay(from, to string, port int) (address string, err error) {
	if from == to {
		return fmt.Sprintf("127.0.0.1:%d", port), nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	r := &latency.Relay{
		Delay: func() (there, back time.Duration) { return n.delay.Between(from, to), n.delay.Between(to, from) },
		Dial:  func(ctx context.Context) (net.Conn, error) { return n.dial(ctx, from, to, port) },
	}
	// It ends with the network; that its listener could fail before, nothing is known of.
	n.running.Go(func() { _ = r.Serve(n.ctx, l) })
	return l.Addr().String(), nil
}

// names answers names of the zone to machines of a region, at the address returned.
func (n *network) names(z *private.Zone, region string) (address string, err error) {
	p, l, err := private.Listen("127.0.0.1:0")
	if err != nil {
		return "", err
	}
	// As a relay.
	n.running.Go(func() { _ = z.Serve(n.ctx, region, p, l) })
	return l.Addr().String(), nil
}

// set cuts a region off, or joins it again.
func (n *network) set(region string, cut bool) {
	n.mu.Lock()
	n.cut[region] = cut
	var gone []*wire
	for w := range n.wires {
		if !n.reaches(w.from, w.to) {
			gone = append(gone, w)
		}
	}
	n.mu.Unlock()
	for _, w := range gone {
		_ = w.Close() // who uses it sees it
	}
}

// Cut cuts the network between a region and all others, or with false mends it.
// Connections break at once, and none can be made: on a real network they would rather
// hang until somebody gives up. The region's machines do not reach the lease server,
// which is in the primary region, and the edges of other regions do not reach them; those
// of its own do. What flysql-entrypoint asks other machines at a boot or a hand-over does
// not go by this network.
func (c *Cluster) Cut(region string, cut bool) error {
	if !slices.ContainsFunc(c.machines, func(m *machine) bool { return m.Region == region }) {
		return fmt.Errorf("there is no machine in the region %q", region)
	}
	c.network.set(region, cut)
	return nil
}

// dial is the edge's.
func (c *Cluster) dial(ctx context.Context, from string, m edge.Machine) (net.Conn, error) {
	return c.network.dial(ctx, from, m.Region, int(m.Address.Port()))
}

// relays are the addresses by which a machine reaches another one.
type relays struct{ app, api string }

// link makes the ways from each machine to each other one.
func (c *Cluster) link() (err error) {
	for _, m := range c.machines {
		m.to = map[*machine]relays{}
		for _, p := range c.machines {
			var r relays
			if r.app, err = c.network.relay(m.Region, p.Region, p.port); err != nil {
				return err
			}
			if r.api, err = c.network.relay(m.Region, p.Region, p.api); err != nil {
				return err
			}
			m.to[p] = r
		}
	}
	return nil
}
