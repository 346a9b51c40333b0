package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
)

// boot starts a machine and waits until it serves.
func (c *Cluster) boot(ctx context.Context, m *machine) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	if p := m.running(); p != nil && !c.bury(m, p) {
		return nil
	}
	return c.anew(ctx, m)
}

// anew starts a machine that is off, for the first time as far as [[restart]] goes. The
// caller has m.turn.
func (c *Cluster) anew(ctx context.Context, m *machine) error {
	m.callOff(errStarted) // a start that waits for its time
	m.mu.Lock()
	m.restarts = 0
	m.mu.Unlock()
	return c.up(ctx, m)
}

// up starts a machine that is off. The caller has m.turn.
func (c *Cluster) up(ctx context.Context, m *machine) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(c.life, func() { stop(errStopped) })()
	m.callsOff(stop)
	defer m.callsOff(nil)
	if m.wanted.Load() > 0 || c.life.Err() != nil { // AfterFunc takes its time
		stop(errStopped)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.opt.BootWait, fmt.Errorf("it did not serve within %v", c.opt.BootWait))
	defer cancel()
	c.become(m, edge.Away)
	var err error
	for again := 3; again > 0; again-- {
		if err = c.attempt(ctx, m); err == nil {
			m.failed(nil)
			m.mu.Lock()
			m.served = time.Now()
			m.mu.Unlock()
			return nil
		}
		// Somebody may have taken a port of its own since it was chosen.
		if other, perr := c.chooseAgain(m); !other || perr != nil || ctx.Err() != nil {
			err = errors.Join(err, perr)
			break
		}
	}
	if m.failed(err); errors.Is(err, errStopped) {
		m.failed(nil) // that was asked for
	}
	c.become(m, edge.Stopped)
	return &MachineError{m.ID, err}
}

// attempt starts a machine once.
func (c *Cluster) attempt(ctx context.Context, m *machine) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
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
	p.cmd.SysProcAttr = attributes()
	output, err := p.start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", c.opt.Entrypoint, err), log.Close())
	}
	m.mu.Lock()
	m.run = p
	m.mu.Unlock()
	c.open(m, p.ended)
	go func() {
		// On Fly the whole machine ends with it.
		p.err = errors.Join(p.cmd.Wait(), kill(c.opt.Dir, m.ID), output(), log.Close())
		close(p.ended)
		c.ended(m, p)
	}()
	return p, nil
}

// start starts a process. output waits for the rest of what it has printed; what could
// not be killed may hold it open, and is not waited for.
func (p *process) start() (output func() error, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := errors.Join(p.cmd.Start(), w.Close()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(p.out, r)
		copied <- err
	}()
	return func() error {
		late := time.AfterFunc(outputPatience, func() { _ = r.Close() }) // which ends the copying
		defer late.Stop()
		if err := <-copied; !errors.Is(err, os.ErrClosed) {
			return errors.Join(err, r.Close())
		}
		return nil
	}, nil
}

// outputPatience bounds the wait for what a process that has ended has printed.
const outputPatience = 5 * time.Second

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
		if latency.Wait(ctx, pause) {
			continue
		}
		select {
		case <-p.ended:
			return context.Cause(ctx)
		default:
			return fmt.Errorf("nothing listens on port %d, which PORT names%s: %w", m.at().app, c.elsewhere(m), context.Cause(ctx))
		}
	}
	c.become(m, edge.Started)
	if err := c.Edge.WaitHealthy(ctx, m.ID); err != nil {
		return err
	}
	if c.life.Err() == nil {
		c.again.Go(func() { c.warnOfLoopback(m) })
	}
	return nil
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
