package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
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

// placed are the regions and their machines, the primary region first. It has two,
// of which one is ready to take over: flysql init makes candidates of all machines
// there, and of no others.
var placed = []struct{ region, machine string }{{"ams", "ams1"}, {"ams", "ams2"}, {"ord", "ord1"}, {"syd", "syd1"}}

// everywhere are the regions, each once.
func everywhere() []string { return []string{"ams", "ord", "syd"} }

// fleet is an app's machines with its image, and what Fly has around them: a network,
// volumes, Consul and the proxy.
type fleet struct {
	app      fly.App
	net      *network.Network
	machines []*fleetMachine
	port     int // of the proxy, on this machine's loopback
	edge     *edge.Edge
	telling  sync.Mutex // the proxy hears of machines in order

	servers []*http.Server
	serving sync.WaitGroup
}

// newFleet prepares all but the machines' boot. It ends with the test.
func newFleet(t *testing.T, app fly.App) *fleet {
	t.Helper()
	f := &fleet{app: app}
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
		for _, m := range f.machines {
			if t.Failed() {
				t.Logf("%s printed:\n%s", m.id, m.log)
			}
		}
	})
	var err error
	if f.net, err = network.New(len(placed)); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	for i, p := range placed {
		m := &fleetMachine{fleet: f, id: p.machine, region: p.region, place: f.net.Place(i), volume: filepath.Join(data, p.machine+".ext4"), log: &output{}}
		if err := image.NewVolume(m.volume, volumeMax); err != nil {
			t.Fatal(err)
		}
		f.machines = append(f.machines, m)
	}
	if err := f.serve(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return f
}

// serve starts what stands in for Consul and for Fly's proxy.
func (f *fleet) serve(dir string) error {
	consul, err := lease.Open(lease.Options{Dir: dir})
	if err != nil {
		return err
	}
	l, err := f.net.Listen(leasePort)
	if err != nil {
		return err
	}
	f.start(l, consul)
	if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	f.port = l.Addr().(*net.TCPAddr).Port
	// A machine is checked when it boots, and then told of.
	f.edge, err = edge.New(edge.Options{App: f.app.App, Service: edge.Service{IdleTimeout: time.Minute}, Dial: f.dial})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	f.start(l, f.edge)
	return nil
}

func (f *fleet) dial(ctx context.Context, _ string, m edge.Machine) (net.Conn, error) {
	return f.net.DialContext(ctx, "tcp", m.Address.String())
}

func (f *fleet) start(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	f.servers = append(f.servers, s)
	f.serving.Go(func() { _ = s.Serve(l) }) // it always returns an error: that it was closed
}

// database is the name that LiteFS knows the app's database by.
func (f *fleet) database() (string, error) {
	p, err := appdb.Path(f.app.Config.Env["DATABASE_URL"])
	return filepath.Base(p), err
}

// tell tells the proxy which machines take requests.
func (f *fleet) tell() {
	f.telling.Lock()
	defer f.telling.Unlock()
	var all []edge.Machine
	for _, m := range f.machines {
		if m.serves() {
			all = append(all, edge.Machine{ID: m.id, Region: m.region, Address: m.addr(f.app.HTTPService.InternalPort)})
		}
	}
	f.edge.Set(all)
}

// hosts stands for Fly's DNS: a name for each machine, and one for all of them.
func (f *fleet) hosts() string {
	lines := []string{"127.0.0.1 localhost", "::1 localhost", f.net.Addr().String() + " consul.internal"}
	for _, m := range f.machines {
		app := f.app.App + ".internal"
		lines = append(lines, fmt.Sprintf("%v %s.vm.%s %s.%s %s", m.place.Addr, m.id, app, m.region, app, app))
	}
	return strings.Join(lines, "\n") + "\n"
}

// bootAll boots the first machine, and when it serves all others: what flysql init
// says of the first deploy.
func (f *fleet) bootAll(ctx context.Context, img *image.Image) error {
	if err := f.machines[0].boot(ctx, img); err != nil {
		return err
	}
	return each(f.machines[1:], func(m *fleetMachine) error { return m.boot(ctx, img) })
}

// roles are those of all machines, in their order.
func (f *fleet) roles(ctx context.Context) []string {
	roles := make([]string, len(f.machines))
	_ = each(f.machines, func(m *fleetMachine) error { // none fails
		roles[slices.Index(f.machines, m)] = m.role(ctx)
		return nil
	})
	return roles
}

// stop ends the replicas, then the primary, which then knows at once that there is
// nobody to hand over to.
func (f *fleet) stop(ctx context.Context) error {
	var primary, others []*fleetMachine
	for i, role := range f.roles(ctx) {
		if role == "primary" {
			primary = append(primary, f.machines[i])
		} else {
			others = append(others, f.machines[i])
		}
	}
	return errors.Join(each(others, (*fleetMachine).stop), each(primary, (*fleetMachine).stop))
}

// close ends everything at once. It may follow stop, or an error anywhere.
func (f *fleet) close() error {
	err := each(f.machines, (*fleetMachine).kill)
	for _, s := range f.servers {
		err = errors.Join(err, s.Close())
	}
	f.serving.Wait()
	if f.edge != nil {
		err = errors.Join(err, f.edge.Close())
	}
	if f.net != nil {
		err = errors.Join(err, f.net.Close())
	}
	return err
}

// each calls f for all machines at once.
func each(machines []*fleetMachine, f func(*fleetMachine) error) error {
	errs := make([]error, len(machines))
	var all sync.WaitGroup
	for i, m := range machines {
		all.Go(func() { errs[i] = f(m) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// env is a machine's, from fly.toml and of Fly's own.
func (m *fleetMachine) env() ([]string, error) {
	app := m.fleet.app
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
