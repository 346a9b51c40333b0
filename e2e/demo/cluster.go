package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/e2e/fly"
	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/e2e/network"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/lease"
)

const (
	apiPort   = 20202     // LiteFS's, unless litefs.yml says otherwise
	leasePort = 8500      // Consul's
	volumeMax = 256 << 20 // bytes of a machine's volume; the file is sparse
	// patience is how long a machine may take to boot: far longer than it does.
	patience = 90 * time.Second
)

// cluster is the app's machines, and what Fly has around them: a network, volumes,
// Consul and the proxy.
type cluster struct {
	app      fly.App
	net      *network.Network
	machines []*machine
	port     int // of the proxy, on this machine's loopback
	edge     *edge.Edge
	telling  sync.Mutex // the proxy hears of machines in order

	servers []*http.Server
	serving sync.WaitGroup
}

// newCluster prepares all but the machines' boot. data holds the volumes, and what
// Consul knows of them.
func newCluster(say *printer, app fly.App, data, logs string) (_ *cluster, err error) {
	c := &cluster{app: app}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	for _, dir := range []string{filepath.Join(data, "consul"), logs} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if c.net, err = network.New(len(placed)); err != nil {
		return nil, err
	}
	for i, p := range placed {
		m := &machine{cluster: c, id: p.machine, region: p.region, place: c.net.Place(i), volume: filepath.Join(data, p.machine+".ext4")}
		if err := image.NewVolume(m.volume, volumeMax); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		if m.log, err = newMachineLog(say, p.machine, filepath.Join(logs, p.machine+".log")); err != nil {
			return nil, err
		}
		c.machines = append(c.machines, m)
	}
	return c, c.serve(filepath.Join(data, "consul"))
}

// serve starts what stands in for Consul and for Fly's proxy.
func (c *cluster) serve(dir string) error {
	consul, err := lease.Open(lease.Options{Dir: dir})
	if err != nil {
		return err
	}
	l, err := c.net.Listen(leasePort)
	if err != nil {
		return err
	}
	c.start(l, consul)
	if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	c.port = l.Addr().(*net.TCPAddr).Port
	// A machine is checked when it boots, and then told of.
	c.edge, err = edge.New(edge.Options{App: c.app.App, Service: edge.Service{IdleTimeout: time.Minute}, Dial: c.dial})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	c.start(l, c.edge)
	return nil
}

func (c *cluster) dial(ctx context.Context, _ string, m edge.Machine) (net.Conn, error) {
	return c.net.DialContext(ctx, "tcp", m.Address.String())
}

func (c *cluster) start(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	c.servers = append(c.servers, s)
	c.serving.Go(func() { _ = s.Serve(l) }) // it always returns an error: that it was closed
}

// database is the name that LiteFS knows the app's database by.
func (c *cluster) database() (string, error) {
	p, err := appdb.Path(c.app.Config.Env["DATABASE_URL"])
	return filepath.Base(p), err
}

// tell tells the proxy which machines take requests.
func (c *cluster) tell() {
	c.telling.Lock()
	defer c.telling.Unlock()
	var all []edge.Machine
	for _, m := range c.machines {
		if m.state() == up {
			all = append(all, edge.Machine{ID: m.id, Region: m.region, Address: m.addr(c.app.HTTPService.InternalPort)})
		}
	}
	c.edge.Set(all)
}

// hosts stands for Fly's DNS: a name for each machine, and one for all of them.
func (c *cluster) hosts() string {
	lines := []string{"127.0.0.1 localhost", "::1 localhost", c.net.Addr().String() + " consul.internal"}
	for _, m := range c.machines {
		app := c.app.App + ".internal"
		lines = append(lines, fmt.Sprintf("%v %s.vm.%s %s.%s %s", m.place.Addr, m.id, app, m.region, app, app))
	}
	return strings.Join(lines, "\n") + "\n"
}

// bootAll boots the first machine, and when it serves all others: what flysql init
// says of the first deploy.
func (c *cluster) bootAll(ctx context.Context, img *image.Image) error {
	if err := c.machines[0].boot(ctx, img); err != nil {
		return err
	}
	return each(c.machines[1:], func(m *machine) error { return m.boot(ctx, img) })
}

// stop ends the replicas, then the primary, which then knows at once that there is
// nobody to hand over to.
func (c *cluster) stop(ctx context.Context) error {
	var primary, others []*machine
	for _, m := range c.machines {
		if m.role(ctx) == "primary" {
			primary = append(primary, m)
		} else {
			others = append(others, m)
		}
	}
	return errors.Join(each(others, (*machine).stop), each(primary, (*machine).stop))
}

// close ends everything at once. It may follow stop, or an error anywhere.
func (c *cluster) close() error {
	err := each(c.machines, (*machine).kill)
	for _, s := range c.servers {
		err = errors.Join(err, s.Close())
	}
	c.serving.Wait()
	if c.edge != nil {
		err = errors.Join(err, c.edge.Close())
	}
	if c.net != nil {
		err = errors.Join(err, c.net.Close())
	}
	for _, m := range c.machines {
		err = errors.Join(err, m.log.Close())
	}
	return err
}

// each calls f for all machines at once.
func each(machines []*machine, f func(*machine) error) error {
	errs := make([]error, len(machines))
	var all sync.WaitGroup
	for i, m := range machines {
		all.Go(func() { errs[i] = f(m) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// env is a machine's, from fly.toml and of Fly's own.
func (m *machine) env() ([]string, error) {
	app := m.cluster.app
	port, err := strconv.Atoi(app.Config.Env["PORT"])
	if err != nil {
		return nil, fmt.Errorf("PORT in fly.toml: %w", err)
	}
	return append(app.Env(port, m.id),
		"FLY_REGION="+m.region,
		"FLY_PRIVATE_IP="+m.place.Addr.String(),
		fmt.Sprintf("FLY_CONSUL_URL=http://consul.internal:%d", leasePort),
		"FLYSQL_LOG=text",
	), nil
}
