package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/private"
)

// Cluster is an app's machines and what stands around them. Its methods may be called
// by several goroutines at once.
type Cluster struct {
	Edge *edge.Edge
	Zone *private.Zone // the names of the machines

	opt        Options
	lock       *os.File
	network    *network
	lease      *leaseServer    // nil for none
	static     *machine        // the primary of a static lease; nil for another one
	litefs     *flyconf.LiteFS // nil for none
	litefsText []byte
	machines   []*machine // always the same ones
	order      []*machine // in which they are booted

	life  context.Context // of starts that nobody waits for
	die   context.CancelFunc
	again sync.WaitGroup

	deploying sync.Mutex
	closing   sync.Once
	closed    error

	telling sync.Mutex // the edge hears of machines in order
}

// Start ends what is left of another run in the directory, and starts machines: that
// run's primary first, or the first of the primary region, and all others when it serves.
// When it fails, or ctx ends, nothing is left running; but see [Options.Partial].
func Start(ctx context.Context, o Options) (started *Cluster, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	c := &Cluster{opt: o, Zone: &private.Zone{}, network: newNetwork(o.Latency)}
	c.life, c.die = context.WithCancel(context.Background())
	defer func() {
		some := (*BootError)(nil)
		if err != nil && !(o.Partial && errors.As(err, &some)) {
			started, err = nil, errors.Join(err, c.Close())
		}
	}()
	if c.lock, err = lockDir(o.Dir); err != nil {
		return nil, err
	}
	if err := CleanUp(o.Dir); err != nil {
		return nil, err
	}
	if err := c.readLiteFS(); err != nil {
		return nil, err
	}
	if err := c.elects(); err != nil {
		return nil, err
	}
	if err := c.place(ctx); err != nil {
		return nil, err
	}
	eo, err := o.edge(c)
	if err != nil {
		return nil, err
	}
	eo.Dial = c.dial
	if c.Edge, err = edge.New(eo); err != nil {
		return nil, err
	}
	c.tell()
	if o.Made != nil {
		o.Made(c)
	}
	return c, c.bootAll(ctx)
}

// elects opens the lease server, where there is LiteFS that needs one.
func (c *Cluster) elects() (err error) {
	switch {
	case c.litefs == nil || c.litefs.Lease.Type == "static":
		if c.opt.Consul != "" {
			return errors.New("a Consul is of use with LiteFS and lease.type consul alone")
		}
	case c.opt.Consul != "":
		c.lease, err = useConsul(c.opt.Consul)
	default:
		c.lease, err = openLease(filepath.Join(c.opt.Dir, "lease"))
	}
	return err
}

// place makes the machines, none of which runs yet.
func (c *Cluster) place(ctx context.Context) error {
	regions := slices.Clone(c.opt.Regions)
	// Whoever may be the primary is the first.
	slices.SortStableFunc(regions, func(a, b string) int {
		switch c.opt.Config.PrimaryRegion {
		case a:
			return -1
		case b:
			return 1
		}
		return 0
	})
	regions = slices.Compact(regions)
	for _, region := range regions {
		for n := range c.opt.PerRegion {
			m := &machine{ID: fmt.Sprintf("%s%d", region, n+1), Region: region, number: len(c.machines) + 1, command: c.opt.Command, state: edge.Away}
			m.places = placesOf(c.opt.Dir, m.ID)
			if err := errors.Join(os.MkdirAll(m.places.volume, 0o755), os.MkdirAll(m.places.mount, 0o755)); err != nil {
				return err
			}
			c.machines = append(c.machines, m)
		}
	}
	c.order = slices.Clone(c.machines)
	var ports ports
	defer ports.letGo()
	for _, m := range c.machines {
		if err := c.choose(m, &ports); err != nil {
			return err
		}
	}
	servers := map[string]string{}
	for _, m := range c.machines {
		if servers[m.Region] == "" {
			var err error
			if servers[m.Region], err = c.network.names(c.Zone, m.Region); err != nil {
				return err
			}
		}
		m.dns = servers[m.Region]
	}
	if c.litefs == nil {
		return nil
	}
	if err := c.link(&ports); err != nil {
		return err
	}
	if c.lease == nil {
		if err := c.fixed(); err != nil {
			return err
		}
		return c.first(ctx)
	}
	for _, m := range c.machines {
		var err error
		if m.leaseURL, err = c.lease.serve(c, m); err != nil {
			return err
		}
	}
	return c.first(ctx)
}

// bootAll boots the first machine, and the others when it serves. The error is a
// *BootError where some serve.
func (c *Cluster) bootAll(ctx context.Context) error {
	errs := map[*machine]error{}
	first := c.order[0]
	if errs[first] = c.boot(ctx, first); errs[first] != nil && (c.litefs != nil || len(c.order) == 1) {
		return errs[first] // without it, the others have no primary
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	room := make(chan struct{}, max(2*runtime.NumCPU(), 4)) // more would only wait for each other
	for _, m := range c.order[1:] {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			err := c.boot(ctx, m)
			mu.Lock()
			defer mu.Unlock()
			errs[m] = err
		})
	}
	all.Wait()
	failed := &BootError{}
	for _, m := range c.machines {
		if one := (*MachineError)(nil); errors.As(errs[m], &one) {
			failed.Machines = append(failed.Machines, one)
		}
	}
	switch {
	case len(failed.Machines) == 0:
		return nil
	case ctx.Err() != nil || len(failed.Machines) == len(c.machines):
		return errors.Join(failed.Unwrap()...)
	}
	return failed
}

// Close stops the machines, the primary last, and what is around them. Nothing of them is
// left mounted or running, however that goes.
//
// It may be called again, and returns the same.
func (c *Cluster) Close() error {
	c.closing.Do(func() { c.closed = c.close() })
	return c.closed
}

func (c *Cluster) close() error {
	var errs []error
	c.die()
	c.network.breakCut() // who stops need not wait for it
	for _, m := range c.stopOrder() {
		errs = append(errs, c.stop(m))
	}
	c.again.Wait()
	if c.Edge != nil {
		errs = append(errs, c.Edge.Close())
	}
	c.network.close()
	if c.lease != nil {
		errs = append(errs, c.lease.close())
	}
	if c.lock != nil {
		errs = append(errs, CleanUp(c.opt.Dir), unlock(c.lock))
	}
	return errors.Join(errs...)
}

// KillAll kills what machines run, whoever waits for its end: who stops them goes on at once.
// What they leave is ended by that.
func (c *Cluster) KillAll() {
	for _, m := range c.machines {
		if p := m.running(); p != nil {
			_ = p.cmd.Process.Kill() // it may have ended, and its number be another's: this knows
		}
	}
}

// stopOrder is the machines with the primary's region last, and in that the primary: else one
// that has less would take its lease, and be the first of the next run.
func (c *Cluster) stopOrder() []*machine {
	order := slices.Clone(c.machines)
	slices.Reverse(order)
	if p := c.primary(); p != nil {
		i := slices.Index(order, p)
		order = append(slices.Delete(order, i, i+1), p)
	}
	return order
}

// tell tells the edge and the zone what the machines are.
func (c *Cluster) tell() {
	c.telling.Lock()
	defer c.telling.Unlock()
	var machines []edge.Machine
	var network []private.Machine
	for _, m := range c.machines {
		s := m.current()
		machines = append(machines, edge.Machine{ID: m.ID, Region: m.Region, Address: m.address(), State: s})
		n := m.onNetwork(c.opt.Config.App)
		n.Started = s == edge.Started
		network = append(network, n)
	}
	c.Edge.Set(machines)
	c.Zone.Set(network)
}

// find is a machine by its ID.
func (c *Cluster) find(id string) (*machine, error) {
	for _, m := range c.machines {
		if m.ID == id {
			return m, nil
		}
	}
	return nil, fmt.Errorf("there is no machine %q", id)
}
