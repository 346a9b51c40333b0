package flydev

import (
	"context"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/dev"
)

// Cluster is an app's machines, as one test has them. What fails, a name that there is not
// among it, ends the test at once, so the methods that do something are for the test's own
// goroutine; URL, Client, Machines, Primary, and Requests may be called by others
// too.
type Cluster struct {
	t    testing.TB
	on   *running
	from int // of the record
}

// Start builds the app, starts its machines, and returns when all of them serve. They end
// with the test. Several may run at once, in one package or more.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	r, err := start(t.Context(), o)
	if err != nil {
		startFailed(t, o, err)
	}
	c := r.forTest(t, 0)
	t.Cleanup(func() {
		r.record.note("the test has ended")
		r.record.end() // nobody wants to read how all is stopped
		if err := r.close(); err != nil {
			t.Errorf("flydev: stop: %v", err)
		}
	})
	return c
}

// forTest is a cluster with what happened since a place of the record. What that was is
// printed at the very end, when all requests are in it.
func (r *running) forTest(t testing.TB, from int) *Cluster {
	c := &Cluster{t: t, on: r, from: from}
	t.Cleanup(func() {
		if t.Failed() {
			r.record.complete()
			t.Logf("flydev: what happened:\n%s", r.record.text(from))
		}
	})
	return c
}

// Machine is one of an app's.
type Machine struct {
	ID      string // "ams1"
	Region  string // "ams"
	Role    string // "primary", "replica"; "" where it is not known, and without LiteFS
	Running bool
	Healthy bool // it runs, and its checks of fly.toml pass
	PID     int  // of its first process, flysql-entrypoint; 0 while it is off
	Log     string
	// Positions are LiteFS's for each database: they are equal on two machines exactly if
	// these hold the same.
	Positions map[string]string
}

// Machines are all, those of the primary region first, as they were a moment ago.
func (c *Cluster) Machines() []Machine {
	var all []Machine
	for _, m := range c.on.session.State().Machines {
		all = append(all, Machine{
			ID: m.ID, Region: m.Region, Role: m.Role, Running: m.State == "started", Healthy: m.Healthy, PID: m.PID, Log: m.Log, Positions: positions(m),
		})
	}
	return all
}

func positions(m dev.Machine) map[string]string {
	all := map[string]string{}
	for _, d := range m.Databases {
		all[d.Name] = d.Position
	}
	return all
}

// Primary is the machine that holds the lease, "ord1"; "" while none does, and without
// LiteFS.
func (c *Cluster) Primary() string { return c.on.session.State().Primary }

// Regions are those that machines are in, the primary region first.
func (c *Cluster) Regions() []string {
	var all []string
	for _, r := range c.on.session.State().Regions {
		all = append(all, r.Code)
	}
	return all
}

// Kill ends all of a machine's processes at once, as when its host dies. It stays off until
// StartMachine, or a request to it where fly.toml has auto_start_machines. Where it was the primary, another machine that is a candidate in litefs.yml
// becomes it when the lease has run out.
func (c *Cluster) Kill(id string) {
	c.t.Helper()
	must(c.t, "kill "+id, c.on.session.Kill(id))
}

// Stop ends a machine as Fly does, by its signal. It stays off as after Kill.
func (c *Cluster) Stop(id string) {
	c.t.Helper()
	must(c.t, "stop "+id, c.on.session.Stop(c.t.Context(), id))
}

// StartMachine starts a machine that is off, and returns when it serves.
func (c *Cluster) StartMachine(id string) {
	c.t.Helper()
	must(c.t, "start "+id, c.on.session.StartMachine(c.t.Context(), id))
}

// Restart stops a machine, starts it, and returns when it serves.
func (c *Cluster) Restart(id string) {
	c.t.Helper()
	must(c.t, "restart "+id, c.on.session.Restart(c.t.Context(), id))
}

// HandOff has the primary give its lease to a machine, and returns when that has it, at once
// where it does already. LiteFS takes only a machine whose lease.candidate of litefs.yml is
// true.
func (c *Cluster) HandOff(id string) {
	c.t.Helper()
	if c.Primary() == id {
		return
	}
	must(c.t, "hand off to "+id, c.on.session.HandOff(c.t.Context(), id))
}

// Cut cuts the network between a region and all others. Its clients still reach its
// machines.
func (c *Cluster) Cut(region string) {
	c.t.Helper()
	must(c.t, "cut "+region, c.on.session.Cut(region, true))
}

// Mend takes Cut back.
func (c *Cluster) Mend(region string) {
	c.t.Helper()
	must(c.t, "mend "+region, c.on.session.Cut(region, false))
}

// Slow makes all that leaves a region, or gets there, take so much longer, one way: up to a
// minute. 0 takes it back.
func (c *Cluster) Slow(region string, by time.Duration) {
	c.t.Helper()
	must(c.t, "slow "+region, c.on.session.Slow(region, by))
}

// Deploy builds the app again, and gives it to one machine after the other, each when the
// one before serves.
func (c *Cluster) Deploy() {
	c.t.Helper()
	must(c.t, "deploy", c.on.session.Deploy(c.t.Context()))
}

// pollEvery is how often a wait looks.
const pollEvery = 20 * time.Millisecond

// WaitFor waits until something is, and looks for it fifty times a second. what is it in
// words, for the failure after Options.Patience.
func (c *Cluster) WaitFor(what string, is func() bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), c.on.options.patience())
	defer cancel()
	for every := time.NewTicker(pollEvery); !is(); {
		select {
		case <-ctx.Done():
			every.Stop()
			c.t.Fatalf("flydev: waited %v in vain for %s", c.on.options.patience(), what)
		case <-every.C:
		}
	}
}

// WaitSettled waits until there is a primary, and all machines that run are healthy and hold
// what it does.
func (c *Cluster) WaitSettled() {
	c.t.Helper()
	c.WaitFor("machines that are healthy and hold the same", c.on.settled)
}
