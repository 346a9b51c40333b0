package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
	"github.com/flysql/flysql/internal/emulator/private"
)

const (
	// cutPatience is how long a connection hangs on a network that is cut until it breaks:
	// about as long as Go's keep-alive takes to find out.
	cutPatience = 150 * time.Second
	// maxHanging is how many ways of connections may hang at once. More break at once, so
	// that whoever tries again and again fills no memory.
	maxHanging = 2000
)

// network is the way between regions: how long it is, and whether it is there. All that
// machines of different regions say to each other, and the edge to machines, goes by it.
type network struct {
	delay    latency.Matrix
	patience time.Duration

	ctx     context.Context // of relays
	end     context.CancelFunc
	running sync.WaitGroup

	cuts    atomic.Int32 // regions that are cut off
	hanging atomic.Int32

	mu      sync.Mutex
	cut     map[string]bool // regions
	ended   bool            // nothing hangs any more: what is cut breaks
	changed chan struct{}   // closed when cut or ended has changed
	doors   []*door
}

func newNetwork(delay latency.Matrix) *network {
	n := &network{delay: delay, patience: cutPatience, cut: map[string]bool{}, changed: make(chan struct{})}
	n.ctx, n.end = context.WithCancel(context.Background())
	return n
}

// close ends all that is relayed.
func (n *network) close() {
	n.breakCut()
	n.end()
	n.running.Wait()
}

// breakCut ends what hangs, from now on: nobody has to wait for it.
func (n *network) breakCut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	n.wake()
}

// wake tells of a change. The caller has n.mu.
func (n *network) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// reaches tells whether bytes get from one region to another. The caller has n.mu.
func (n *network) reaches(from, to string) bool { return from == to || !n.cut[from] && !n.cut[to] }

func (n *network) reachable(from, to string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reaches(from, to)
}

// errCut is what a connection breaks with that has hung for too long.
type errCut struct{ from, to string }

func (e *errCut) Error() string {
	return fmt.Sprintf("the network between %s and %s is cut", e.from, e.to)
}

// cross waits until bytes get from one region to another, for as long as a connection
// hangs at most, or until done.
func (n *network) cross(done <-chan struct{}, from, to string) error {
	if n.cuts.Load() == 0 || from == to {
		return nil
	}
	var late <-chan time.Time
	for {
		n.mu.Lock()
		reaches, ended, changed := n.reaches(from, to), n.ended, n.changed
		n.mu.Unlock()
		if reaches {
			return nil
		}
		if ended {
			return &errCut{from, to}
		}
		if late == nil {
			if n.hanging.Add(1); n.hanging.Load() > maxHanging {
				n.hanging.Add(-1)
				return &errCut{from, to}
			}
			defer n.hanging.Add(-1)
			timer := time.NewTimer(n.patience)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
		case <-done:
			return fmt.Errorf("%w: %w", &errCut{from, to}, net.ErrClosed)
		case <-late:
			return &errCut{from, to}
		}
	}
}

// dial connects to a port of a machine in another region.
func (n *network) dial(ctx context.Context, from, to string, port int) (net.Conn, error) {
	if err := n.cross(ctx.Done(), from, to); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", &errCut{from, to}, context.Cause(ctx))
		}
		return nil, err
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	if from == to {
		return c, nil
	}
	return &wire{Conn: c, network: n, from: from, to: to, closed: make(chan struct{})}, nil
}

// relay leads machines of one region, that connect to the door, to a machine of another.
func (n *network) relay(d *door, to func() int) {
	r := &latency.Relay{
		Delay: func() (there, back time.Duration) {
			return n.delay.Between(d.from, d.to), n.delay.Between(d.to, d.from)
		},
		Dial: func(ctx context.Context) (net.Conn, error) {
			c, err := n.dial(ctx, d.from, d.to, to())
			if errors.Is(err, syscall.ECONNREFUSED) {
				d.refused()
			}
			return c, err
		},
	}
	n.mu.Lock()
	n.doors = append(n.doors, d)
	n.mu.Unlock()
	// It ends with the network, and its door does not fail.
	n.running.Go(func() { _ = r.Serve(n.ctx, d) })
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
	defer n.mu.Unlock()
	n.cut[region] = cut
	cuts := int32(0)
	for _, is := range n.cut {
		if is {
			cuts++
		}
	}
	n.cuts.Store(cuts)
	for _, d := range n.doors {
		d.hang(!n.reaches(d.from, d.to))
	}
	n.wake()
}

// Cut cuts the network between a region and all others, or with false mends it. It is as
// where a cable is cut: connections hang, and so do those that are made; when it is mended
// within two and a half minutes they go on where they were, else they break. The region's
// machines do not reach the lease server, which is in the primary region, and the edges of
// other regions do not reach them; those of its own do.
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

// wire is a connection between two regions. On a network that is cut nothing goes by it,
// not even its end.
type wire struct {
	net.Conn
	network  *network
	from, to string

	once   sync.Once
	closed chan struct{}
}

// cross waits for the network. A connection that has waited for too long breaks.
func (w *wire) cross() error {
	err := w.network.cross(w.closed, w.from, w.to)
	if err != nil {
		_ = w.Close() // its ends see that
	}
	return err
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if timeout := (interface{ Timeout() bool })(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return n, err // this end's own
	}
	if cut := w.cross(); cut != nil {
		return 0, cut
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	if err := w.cross(); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

func (w *wire) CloseWrite() error {
	if err := w.cross(); err != nil {
		return err
	}
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return w.Close()
}
