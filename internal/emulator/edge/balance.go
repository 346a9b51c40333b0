package edge

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/flysql/flysql/internal/emulator/latency"
	"github.com/flysql/flysql/internal/globe"
)

// wish is which machines a request may go to.
type wish struct {
	app      string   // "" is the edge's own
	instance string   // this one alone
	forced   bool     // that instance even if its checks fail
	prefer   string   // this one if it can be
	within   bool     // and if it is in regions
	regions  []string // regions and groups, the first before the second; nil is all
	not      string   // never this one
}

// rank is the place of a region in the wish, -1 where it is none of its.
func (w *wish) rank(region string) int {
	if w.regions == nil {
		return 0
	}
	return slices.IndexFunc(w.regions, func(r string) bool { return r == region || globe.In(r, region) })
}

// candidates are the machines that the wish is for, nearest first. Those that have been
// tried are left out. The caller has e.mu.
func (e *Edge) candidates(w *wish, from string, tried map[string]bool) []*machine {
	near := e.nearest(from)
	all := make([]*machine, 0, len(near))
	for _, m := range near {
		if m.App == w.app && (w.instance == "" || m.ID == w.instance) && m.ID != w.not && !tried[m.ID] && w.rank(m.Region) >= 0 {
			all = append(all, m)
		}
	}
	if w.regions != nil {
		slices.SortStableFunc(all, func(a, b *machine) int { return cmp.Compare(w.rank(a.Region), w.rank(b.Region)) })
	}
	return all
}

// nearest is all machines, the nearest first, those of a region together. It is worked
// out once for each region that requests come in at, until Set. The caller has e.mu.
func (e *Edge) nearest(from string) []*machine {
	near, ok := e.near[from]
	if !ok {
		near = slices.Clone(e.machines)
		slices.SortStableFunc(near, func(a, b *machine) int {
			return cmp.Or(cmp.Compare(globe.Between(from, a.Region), globe.Between(from, b.Region)), cmp.Compare(a.Region, b.Region))
		})
		if e.near == nil {
			e.near = map[string][]*machine{}
		}
		e.near[from] = near
	}
	return near
}

// decision is what becomes of a request for now: a machine takes it, or is started for
// it, or it waits until one is below its hard_limit; or there is none.
type decision struct {
	use, start *machine
	full       bool
}

// decide chooses among candidates, region by region. "Cross-region routing only happens
// when all Machines in the local region are unhealthy or at their hard_limit": so
// soft_limit moves nothing to another region. On when a machine is started, Fly's two
// documents differ; here, when those of its region are at their soft_limit or none
// runs there, or when that is so of all.
func (e *Edge) decide(all []*machine, forced bool) (d decision) {
	soft, hard := e.opt.Service.SoftLimit, e.opt.Service.HardLimit
	up := func(m *machine) bool { return m.healthy() || forced && m.State == Started }
	free := func(m *machine) bool { return up(m) && m.load < soft && (hard == 0 || m.load < hard) }
	room := func(m *machine) bool { return up(m) && (hard == 0 || m.load < hard) }
	for rest := all; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(m *machine) bool { return m.Region != rest[0].Region })
		if n < 0 {
			n = len(rest)
		}
		here := rest[:n]
		rest = rest[n:]
		if d.use = e.anyOf(here, free); d.use != nil {
			return d
		}
		if d.start = e.toStart(here); d.start != nil {
			return d
		}
		if d.use = e.anyOf(here, room); d.use != nil {
			if !slices.ContainsFunc(rest, free) {
				if d.start = e.toStart(rest); d.start != nil {
					d.use = nil
				}
			}
			return d
		}
		d.full = d.full || slices.ContainsFunc(here, up)
	}
	return d
}

// anyOf chooses by chance: "if multiple Machines have identical load and closeness,
// randomly choose one", and of load the proxy knows no more than which limits it is at.
func (e *Edge) anyOf(all []*machine, ok func(*machine) bool) *machine {
	fit := make([]*machine, 0, len(all))
	for _, m := range all {
		if ok(m) {
			fit = append(fit, m)
		}
	}
	switch len(fit) {
	case 0:
		return nil
	case 1:
		return fit[0]
	}
	return fit[e.opt.pick(len(fit))]
}

// toStart is the first that can be started.
func (e *Edge) toStart(all []*machine) *machine {
	if e.opt.Power == nil || !e.opt.Service.AutoStart {
		return nil
	}
	for _, m := range all {
		if m.startable() && m.App == "" {
			return m
		}
	}
	return nil
}

// errNobody is when no machine can take a request, now or soon.
var errNobody = errors.New("no known healthy machine")

// errFull is when all stayed at their hard_limit.
var errFull = errors.New("all machines are at their hard_limit")

// taken is a machine for a request, which is part of its load until letGo.
type taken struct {
	of      *machine
	machine Machine // as it was then; of changes
	missed  bool    // it is not the preferred one
}

// take finds the machine for a wish, and counts the request as its load.
func (e *Edge) take(ctx context.Context, w *wish, from string, tried map[string]bool) (taken, error) {
	var patience <-chan time.Time // for most, no clock runs
	for {
		e.mu.Lock()
		d := e.decide(e.candidates(w, from, tried), w.forced)
		if p := e.preferred(w, tried); p != nil {
			d = decision{use: p}
		}
		changed := e.changed
		switch {
		case d.use != nil:
			d.use.load++
			got := taken{d.use, d.use.Machine, w.prefer != "" && d.use.ID != w.prefer}
			e.mu.Unlock()
			return got, nil
		case d.start != nil:
			id, started := d.start.ID, e.start(d.start)
			e.mu.Unlock()
			select {
			case <-started:
			case <-ctx.Done():
				return taken{}, context.Cause(ctx)
			}
			if !e.startedWell(d.start) {
				tried[id] = true
			}
			continue
		}
		e.mu.Unlock()
		if !d.full {
			return taken{}, errNobody
		}
		if patience == nil {
			patience = time.After(e.opt.Patience)
		}
		select {
		case <-changed:
		case <-patience:
			return taken{}, errFull
		case <-ctx.Done():
			return taken{}, context.Cause(ctx)
		}
	}
}

// preferred is the machine that a wish prefers, if that can take a request. Whether a
// machine is started for being preferred, no document says; here it is not.
func (e *Edge) preferred(w *wish, tried map[string]bool) *machine {
	if w.prefer == "" || w.prefer == w.not || tried[w.prefer] {
		return nil
	}
	for _, m := range e.machines {
		if m.ID == w.prefer && m.App == w.app && m.healthy() && (!w.within || w.rank(m.Region) >= 0) && (e.opt.Service.HardLimit == 0 || m.load < e.opt.Service.HardLimit) {
			return m
		}
	}
	return nil
}

// letGo is when a request is no load of its machine any more.
func (t *trip) letGo() {
	m, e := t.at.of, t.edge
	if m == nil {
		return
	}
	t.at.of = nil
	e.mu.Lock()
	defer e.mu.Unlock()
	if m.load--; m.load == e.opt.Service.HardLimit-1 {
		e.wake()
	}
}

// rounds is how often all machines are tried that take no connection. The proxy has
// such a limit, and does not say which.
const rounds = 3

// pause is before the second round; it doubles.
const pause = 50 * time.Millisecond

// nextRound waits before all are tried again, and is false where that was often enough.
func nextRound(ctx context.Context, round *int) bool {
	*round++
	return *round < rounds && latency.Wait(ctx, pause<<(*round-1))
}
