package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
	"github.com/flysql/flysql/internal/emulator/private"
)

// machine is one of the cluster. It may be booted again and again on its volume.
type machine struct {
	ID, Region string
	number     int
	places     places
	leaseURL   string
	dns        string              // the server of private names
	to         map[*machine]relays // how it reaches the others

	wanted  atomic.Int32 // by how many that would stop it, when they have their turn
	turn    sync.Mutex   // one boot, stop or kill at a time
	command []string     // guarded by turn

	mu    sync.Mutex
	ports listening
	state edge.State
	run   *process // nil while it is off
	err   error    // how the last one ended, where that was not asked for
	// restarts is how often it was started again by itself; served is since when it serves,
	// or did at last.
	restarts  int
	served    time.Time
	calledOff context.CancelCauseFunc // of a start; nil for none
}

// process is a boot of a machine.
type process struct {
	cmd   *exec.Cmd
	out   *lines
	ended chan struct{}
	err   error // once it has ended
}

// onNetwork is the machine with a private address of its own, of loopback.
func (m *machine) onNetwork(app string) private.Machine {
	ip := netip.AddrFrom4([4]byte{127, 0, byte(m.number >> 8), byte(m.number + 1)})
	return private.Machine{ID: m.ID, App: app, Region: m.Region, Address: ip}
}

func (m *machine) current() edge.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// become says what a machine is, and to whom it matters.
func (c *Cluster) become(m *machine, s edge.State) {
	m.mu.Lock()
	m.state = s
	m.mu.Unlock()
	if c.Edge != nil {
		c.tell()
	}
}

func (m *machine) running() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.run
}

// take has a machine to stop: a start that is under way, or waits for its time, is
// called off. letGo must follow.
func (m *machine) take() (letGo func()) {
	m.wanted.Add(1)
	m.callOff(errStopped)
	m.turn.Lock()
	m.wanted.Add(-1)
	m.callOff(errStopped) // of what ended since
	return m.turn.Unlock
}

// stop ends a machine as Fly does: the signal, the time, and then at once.
func (c *Cluster) stop(m *machine) error {
	defer m.take()()
	return c.down(m)
}

// down ends a machine in order. The caller has m.turn.
func (c *Cluster) down(m *machine) error {
	p := m.running()
	if p == nil {
		c.become(m, edge.Stopped)
		return nil
	}
	c.become(m, edge.Away) // no new request goes there
	app, _ := c.ways(m)
	for _, d := range app.doors {
		d.listens(false) // nor from other machines: its app will not listen any more
	}
	c.drain(m)
	err := errors.Join(c.remember(), c.end(m, p, c.grace()))
	c.become(m, edge.Stopped)
	if err != nil {
		return fmt.Errorf("machine %s: %w", m.ID, err)
	}
	return nil
}

// drainLimit bounds drain: streams stay as long as their clients.
const drainLimit = 500 * time.Millisecond

// drain waits until a machine has answered the requests that it was just given: its app
// might not take their connections any more.
func (c *Cluster) drain(m *machine) {
	for end := time.Now().Add(drainLimit); time.Now().Before(end) && latency.Wait(c.life, pollPause); {
		i := slices.IndexFunc(c.Edge.Machines(), func(s edge.Status) bool { return s.ID == m.ID && s.Load > 0 })
		if i < 0 {
			return
		}
	}
}

// renew ends a machine in order, and starts it with another command, nil for the same.
// Nobody comes between.
func (c *Cluster) renew(ctx context.Context, m *machine, command []string) error {
	defer m.take()()
	if err := c.down(m); err != nil {
		return err
	}
	if command != nil {
		m.command = slices.Clone(command)
	}
	return c.anew(ctx, m)
}

// end ends a process within a time, then kills it and all that it has started. The
// caller has m.turn.
func (c *Cluster) end(m *machine, p *process, grace time.Duration) error {
	if grace > 0 {
		_ = p.cmd.Process.Signal(c.signal()) // it may have ended
		select {
		case <-p.ended:
		case <-time.After(grace):
		}
	}
	err := kill(c.opt.Dir, m.ID)
	<-p.ended
	m.mu.Lock()
	m.run = nil
	m.mu.Unlock()
	return err
}

func (c *Cluster) signal() os.Signal {
	if c.opt.Config.KillSignal == "SIGTERM" {
		return syscall.SIGTERM
	}
	return syscall.SIGINT
}

// grace is kill_timeout, 5 seconds where fly.toml says nothing.
func (c *Cluster) grace() time.Duration {
	if t := c.opt.Config.KillTimeout; t > 0 {
		return min(t, 5*time.Minute)
	}
	return 5 * time.Second
}

// Start starts a machine that does not run, and returns when it serves.
func (c *Cluster) Start(ctx context.Context, id string) error {
	m, err := c.find(id)
	if err != nil {
		return err
	}
	return c.boot(ctx, m)
}

// Restart ends a machine in order, if it runs, and starts it.
func (c *Cluster) Restart(ctx context.Context, id string) error {
	m, err := c.find(id)
	if err != nil {
		return err
	}
	return c.renew(ctx, m, nil)
}

// Stop ends a machine in order. There is no difference in being suspended: nothing
// keeps a process's memory here.
func (c *Cluster) Stop(ctx context.Context, id string, _ bool) error {
	m, err := c.find(id)
	if err != nil {
		return err
	}
	return c.stop(m)
}

// Kill ends all of a machine's processes at once, as when its host dies.
func (c *Cluster) Kill(id string) error {
	m, err := c.find(id)
	if err != nil {
		return err
	}
	defer m.take()()
	if p := m.running(); p != nil {
		err = errors.Join(c.remember(), c.end(m, p, 0))
	}
	c.become(m, edge.Stopped)
	return err
}

// Deploy runs another command on the machines, one after the other, each when the one
// before serves. Where one does not, it has the new command, and those after it keep what
// they have. There is one deploy at a time.
func (c *Cluster) Deploy(ctx context.Context, command []string) error {
	if len(command) == 0 || command[0] == "" {
		return errors.New("no command to run")
	}
	if !c.deploying.TryLock() {
		return errors.New("another deploy is under way: wait for its end")
	}
	defer c.deploying.Unlock()
	for _, m := range c.machines {
		if err := c.renew(ctx, m, command); err != nil {
			return err
		}
	}
	return nil
}

// Status is a machine as its cluster knows it.
type Status struct {
	edge.Status
	Pid int    // of its entrypoint; 0 while it is off
	API int    // port of LiteFS's API on loopback; 0 for none
	Log string // the file
	Mnt string // where its LiteFS is mounted; "" for none
	// Restarts is how often [[restart]] has started it again since it was started.
	Restarts int
	Err      error // how it ended, or why it did not come up, where nobody had asked for it
}

// Machines are all, those of the primary region first.
func (c *Cluster) Machines() []Status {
	seen := c.Edge.Machines()
	var all []Status
	for i, m := range c.machines {
		m.mu.Lock()
		s := Status{API: m.ports.api, Log: m.places.log, Restarts: m.restarts, Err: m.err}
		if c.litefs != nil {
			s.Mnt = m.places.mount
		}
		if m.run != nil {
			s.Pid = m.run.cmd.Process.Pid
		}
		m.mu.Unlock()
		if i < len(seen) { // before the first is told of, there are none
			s.Status = seen[i]
		}
		all = append(all, s)
	}
	return all
}
