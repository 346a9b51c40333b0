package edge

import (
	"context"
	"time"
)

// start starts a machine, unless that is under way. The channel is closed when it is
// healthy, or has had its time. The caller has e.mu.
func (e *Edge) start(m *machine) <-chan struct{} {
	if m.starting != nil {
		return m.starting
	}
	started := make(chan struct{})
	m.starting = started
	if e.closed {
		m.starting = nil
		close(started)
		return started
	}
	id := m.ID // m changes
	e.running.Go(func() {
		defer func() {
			e.mu.Lock()
			m.starting = nil
			e.mu.Unlock()
			close(started)
		}()
		ctx, cancel := context.WithTimeout(e.ctx, e.opt.Patience)
		defer cancel()
		if e.opt.Power.Start(ctx, id) != nil {
			return // who waits for it goes elsewhere
		}
		_ = e.WaitHealthy(ctx, id) // likewise
	})
	return started
}

func (e *Edge) startedWell(m *machine) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return m.healthy()
}

// WaitHealthy waits until a machine is started and its checks pass, or the edge is
// closed: then the error is context.Canceled.
func (e *Edge) WaitHealthy(ctx context.Context, id string) error {
	for {
		e.mu.Lock()
		changed := e.changed
		for _, m := range e.machines {
			if m.ID == id && m.healthy() {
				e.mu.Unlock()
				return nil
			}
		}
		e.mu.Unlock()
		select {
		case <-changed:
		case <-e.ctx.Done():
			return e.ctx.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stopIdle looks for machines to stop, until the edge is closed.
func (e *Edge) stopIdle() {
	tick := time.NewTicker(e.opt.StopEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-e.ctx.Done():
			return
		}
		e.mu.Lock()
		idle := e.excess()
		e.mu.Unlock()
		for _, id := range idle {
			if e.ctx.Err() == nil {
				// Where it cannot be stopped it goes on, and is found again.
				_ = e.opt.Power.Stop(e.ctx, id, e.opt.Service.AutoStop == "suspend")
			}
		}
	}
}

// excess are the machines to stop: "only one Machine per region", where there is one
// more than those over their soft_limit and another need, or the only one has no
// traffic. min_machines_running counts in the primary region. Which one of several, no
// document says: here the last of those without traffic, else of those with least.
// https://fly.io/docs/reference/fly-proxy-autostop-autostart/
func (e *Edge) excess() (ids []string) {
	running := map[string][]*machine{}
	var order []string
	for _, m := range e.machines {
		if m.State == Started && m.App == "" {
			if running[m.Region] == nil {
				order = append(order, m.Region)
			}
			running[m.Region] = append(running[m.Region], m)
		}
	}
	for _, region := range order {
		here, over := running[region], 0
		least := here[0]
		for _, m := range here {
			if m.load > e.opt.Service.SoftLimit {
				over++
			}
			if m.load <= least.load {
				least = m
			}
		}
		if region == e.opt.Service.PrimaryRegion && len(here) <= e.opt.Service.MinRunning {
			continue
		}
		if len(here) > 1 && len(here)-(over+1) >= 1 || len(here) == 1 && here[0].load == 0 {
			ids = append(ids, least.ID)
		}
	}
	return ids
}
