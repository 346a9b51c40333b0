package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
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

	turn    sync.Mutex // one boot, stop or kill at a time
	command []string   // guarded by turn

	mu    sync.Mutex
	ports listening
	state edge.State
	run   *process // nil while it is off
	err   error    // how the last one ended, where that was not asked for
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

// boot starts a machine and waits until it serves.
func (c *Cluster) boot(ctx context.Context, m *machine) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	if p := m.running(); p != nil && !c.bury(m, p) {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.opt.BootWait, fmt.Errorf("it did not serve within %v", c.opt.BootWait))
	defer cancel()
	c.become(m, edge.Away)
	var err error
	for again := 3; again > 0; again-- {
		if err = c.attempt(ctx, m); err == nil {
			return nil
		}
		// Somebody may have taken a port of its own since it was chosen.
		if other, perr := c.chooseAgain(m); !other || perr != nil || ctx.Err() != nil {
			err = errors.Join(err, perr)
			break
		}
	}
	m.mu.Lock()
	m.err = err
	m.mu.Unlock()
	c.become(m, edge.Stopped)
	return &MachineError{m.ID, err}
}

// attempt starts a machine once.
func (c *Cluster) attempt(ctx context.Context, m *machine) error {
	if _, err := c.chooseAgain(m); err != nil {
		return err
	}
	p, err := c.launch(m)
	if err != nil {
		return err
	}
	if err := c.serves(ctx, m, p); err != nil {
		checks := c.failing(m)
		err = errors.Join(err, c.end(m, p, 0))
		return fmt.Errorf("%w%s%s", err, checks, p.tail())
	}
	return nil
}

// launch starts the entrypoint.
func (c *Cluster) launch(m *machine) (*process, error) {
	if c.litefs != nil {
		if err := m.writeLiteFS(c); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(m.places.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	p := &process{ended: make(chan struct{}), out: &lines{each: log, say: func(line string) { c.opt.Log(m.ID, line) }}}
	p.cmd = exec.Command(c.opt.Entrypoint, append([]string{"--"}, m.command...)...)
	p.cmd.Env = m.environ(c)
	p.cmd.Dir = c.opt.WorkDir
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.SysProcAttr = attributes()
	p.cmd.WaitDelay = 5 * time.Second // what it leaves behind may hold its output
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", c.opt.Entrypoint, err), log.Close())
	}
	m.mu.Lock()
	m.run, m.err = p, nil
	m.mu.Unlock()
	c.open(m, p.ended)
	go func() {
		p.err = errors.Join(p.cmd.Wait(), log.Close())
		close(p.ended)
		c.ended(m, p)
	}()
	return p, nil
}

// ended is when a machine's process has, unasked.
func (c *Cluster) ended(m *machine, p *process) {
	m.turn.Lock()
	defer m.turn.Unlock()
	if m.running() == p {
		c.bury(m, p)
	}
}

// bury ends what a process that has ended by itself has left, as on Fly the whole machine
// ends with it. It is false where the process still runs. The caller has m.turn.
func (c *Cluster) bury(m *machine, p *process) bool {
	select {
	case <-p.ended:
	default:
		return false
	}
	err := errors.Join(fmt.Errorf("it ended by itself: %w", orNil(p.err)), kill(c.opt.Dir, m.ID))
	m.mu.Lock()
	m.run, m.err = nil, err
	m.mu.Unlock()
	c.become(m, edge.Stopped)
	return true
}

func orNil(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// serves waits until a machine's app listens, and its checks pass.
func (c *Cluster) serves(ctx context.Context, m *machine, p *process) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.ended:
			cancel(fmt.Errorf("it ended before it served: %w", orNil(p.err)))
		case <-ctx.Done():
		}
	}()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		conn, err := net.DialTimeout("tcp", m.address().String(), time.Second)
		if err == nil {
			_ = conn.Close()
			break
		}
		if !latency.Wait(ctx, pause) {
			return fmt.Errorf("nothing listens on port %d, which PORT names: %w", m.at().app, context.Cause(ctx))
		}
	}
	c.become(m, edge.Started)
	return c.Edge.WaitHealthy(ctx, m.ID)
}

// failing names the checks that do not pass.
func (c *Cluster) failing(m *machine) string {
	var b strings.Builder
	for _, s := range c.Edge.Machines() {
		for _, check := range s.Checks {
			if s.ID == m.ID && !check.Passing && check.Output != "" {
				fmt.Fprintf(&b, "\ncheck %s: %s", check.Name, check.Output)
			}
		}
	}
	return b.String()
}

// tail is what a process that has ended printed last.
func (p *process) tail() string {
	select {
	case <-p.ended:
		if len(p.out.last) > 0 {
			return "\n" + strings.Join(p.out.last, "\n")
		}
	default: // its output is still being written
	}
	return ""
}

func (m *machine) running() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.run
}

// stop ends a machine as Fly does: the signal, the time, and then at once.
func (c *Cluster) stop(ctx context.Context, m *machine) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	p := m.running()
	if p == nil {
		return nil
	}
	c.become(m, edge.Away) // no new request goes there
	err := errors.Join(c.remember(), c.end(m, p, c.grace()))
	c.become(m, edge.Stopped)
	if err != nil {
		return fmt.Errorf("machine %s: %w", m.ID, err)
	}
	return nil
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
	if err := c.stop(ctx, m); err != nil {
		return err
	}
	return c.boot(ctx, m)
}

// Stop ends a machine in order. There is no difference in being suspended: nothing
// keeps a process's memory here.
func (c *Cluster) Stop(ctx context.Context, id string, _ bool) error {
	m, err := c.find(id)
	if err != nil {
		return err
	}
	return c.stop(ctx, m)
}

// Kill ends all of a machine's processes at once, as when its host dies.
func (c *Cluster) Kill(id string) error {
	m, err := c.find(id)
	if err != nil {
		return err
	}
	m.turn.Lock()
	defer m.turn.Unlock()
	if p := m.running(); p != nil {
		err = errors.Join(c.remember(), c.end(m, p, 0))
	}
	c.become(m, edge.Stopped)
	return err
}

// Deploy runs another command on the machines, one after the other, each when the one
// before serves. Where one does not, it has the new command, and those after it keep what
// they have.
func (c *Cluster) Deploy(ctx context.Context, command []string) error {
	if len(command) == 0 || command[0] == "" {
		return errors.New("no command to run")
	}
	for _, m := range c.machines {
		if err := c.stop(ctx, m); err != nil {
			return err
		}
		m.turn.Lock()
		m.command = slices.Clone(command)
		m.turn.Unlock()
		if err := c.boot(ctx, m); err != nil {
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
	Err error  // how it ended, or why it did not come up, where nobody had asked for it
}

// Machines are all, those of the primary region first.
func (c *Cluster) Machines() []Status {
	seen := c.Edge.Machines()
	var all []Status
	for i, m := range c.machines {
		m.mu.Lock()
		s := Status{API: m.ports.api, Log: m.places.log, Err: m.err}
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
