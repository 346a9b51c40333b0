package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
)

const (
	// DefaultRetries is how often on-failure starts a machine again.
	DefaultRetries = 10
	// firstPause is until it does so, each time twice as long up to lastPause; no document
	// says how long Fly waits.
	firstPause, lastPause = time.Second, 30 * time.Second
	// settled is how long a machine serves until its failures are forgotten. No document
	// says that either.
	settled = time.Minute
)

var (
	errStarted = errors.New("it was started")
	errStopped = errors.New("it was stopped")
)

// restart is fly.toml's [[restart]]. Without one it is on-failure: "Try up to 10 times to
// automatically restart the Machine if it exits with a non-zero exit code, before letting
// it stop."
// https://fly.io/docs/machines/guides-examples/machine-restart-policy/
func (c *Cluster) restart() (policy string, retries int) {
	for _, r := range c.opt.Config.Restart {
		if len(r.Processes) > 0 && !slices.Contains(r.Processes, c.opt.Config.DefaultGroup()) {
			continue
		}
		if retries = r.Retries; retries <= 0 {
			retries = DefaultRetries
		}
		return r.Policy, retries
	}
	return "on-failure", DefaultRetries
}

// startAgain starts a machine that has ended by itself, when its time has come, where
// [[restart]] says so. The caller has m.turn.
func (c *Cluster) startAgain(m *machine, well bool) {
	policy, retries := c.restart()
	switch {
	case c.life.Err() != nil, policy == "never", policy == "on-failure" && well:
		return
	}
	pause, err := m.retry(policy, retries)
	if err != nil {
		m.failed(err)
		return
	}
	c.become(m, edge.Away) // nothing but this starts it
	ctx, cancel := context.WithCancelCause(c.life)
	m.callsOff(cancel)
	c.again.Go(func() {
		defer cancel(nil)
		if !latency.Wait(ctx, pause) {
			return
		}
		m.turn.Lock()
		defer m.turn.Unlock()
		if ctx.Err() != nil {
			return // since
		}
		err := c.up(ctx, m)
		if err != nil && !errors.Is(err, errStopped) {
			c.startAgain(m, false)
		}
	})
}

// retry counts a try, and tells when it is due. An error says that there is none.
func (m *machine) retry(policy string, most int) (pause time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.served.IsZero() && time.Since(m.served) > settled {
		m.restarts = 0
	}
	if policy != "always" && m.restarts >= most {
		return 0, fmt.Errorf("%w\nit was started again %d times, and is not any more ([[restart]] of fly.toml)", m.err, m.restarts)
	}
	pause = min(firstPause<<min(m.restarts, 10), lastPause)
	m.restarts++
	return pause, nil
}

// ended is when a machine's process has, unasked.
func (c *Cluster) ended(m *machine, p *process) {
	m.turn.Lock()
	defer m.turn.Unlock()
	if m.running() == p {
		c.bury(m, p)
		c.startAgain(m, p.cmd.ProcessState.Success())
	}
}

// bury notes that a machine's process has ended by itself. It is false where the process still runs. The caller has m.turn.
func (c *Cluster) bury(m *machine, p *process) bool {
	select {
	case <-p.ended:
	default:
		return false
	}
	m.mu.Lock()
	m.run, m.err = nil, fmt.Errorf("it ended by itself: %w", orNil(p.err))
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

// failed is why a machine is off though nobody has asked for it.
func (m *machine) failed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// callsOff keeps what ends the start that is under way, or waits for its time; nil where
// none is.
func (m *machine) callsOff(stop context.CancelCauseFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calledOff = stop
}

// callOff ends it.
func (m *machine) callOff(why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calledOff != nil {
		m.calledOff(why)
	}
}
