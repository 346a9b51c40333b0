package load

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Runner sends what its options say, time and again: its visitors keep their cookies, and
// {{n}} goes on. Make one with New.
type Runner struct {
	options Options
	sender  *sender
	sent    uint64 // {{n}} has come so far
}

// New makes a runner. Close it.
func New(o Options) (*Runner, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s, err := newSender(o)
	if err != nil {
		return nil, err
	}
	return &Runner{options: o, sender: s}, nil
}

// Close ends its connections.
func (r *Runner) Close() { r.sender.close() }

// Reach asks for the first page, or for /, so that a host which is not there is known
// before all else.
func (r *Runner) Reach(ctx context.Context) error {
	kind := Request{method: http.MethodGet, path: pattern{text: []string{"/"}}}
	if len(r.options.Reads) > 0 {
		kind = r.options.Reads[0]
	}
	at := Shown(r.sender.base)
	v := values{n: 1, run: r.options.Run, random: 1}
	if len(r.options.Regions) > 0 {
		v.region = r.options.Regions[0]
	}
	res, err := r.sender.send(ctx, &kind, &v)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s does not answer: %w", at, err)
	}
	res.Body.Close()
	if to := res.Header.Get("Location"); res.StatusCode/100 == 3 && r.sender.base.Scheme == "http" && strings.HasPrefix(strings.ToLower(to), "https://"+strings.ToLower(r.sender.base.Hostname())) {
		return fmt.Errorf("%s sends its visitors to https: give that URL, for redirects are not followed", at)
	}
	return nil
}

// Run reaches an app, warms it up and measures it. tell, where there is one, hears how
// far it is, some times a second. When ctx ends first, what was measured until then is
// returned, and the cause.
func Run(ctx context.Context, o Options, tell func(Progress)) (*Result, error) {
	r, err := New(o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if err := r.Reach(ctx); err != nil {
		return nil, err
	}
	if err := r.WarmUp(ctx, tell); err != nil {
		return nil, err
	}
	return r.Measure(ctx, r.options.For, r.options.Seed, tell)
}

// WarmUp does what Measure does, for Options.WarmUp, and forgets it.
func (r *Runner) WarmUp(ctx context.Context, tell func(Progress)) error {
	if count(r.options.Rate, r.options.WarmUp) == 0 {
		return nil
	}
	_, err := r.run(ctx, r.options.WarmUp, ^r.options.Seed, func(p Progress) {
		if p.WarmUp = true; tell != nil {
			tell(p)
		}
	})
	return err
}

// Measure sends requests for a time. When ctx ends before, its cause is returned beside
// what was measured until then.
func (r *Runner) Measure(ctx context.Context, d time.Duration, seed uint64, tell func(Progress)) (*Result, error) {
	return r.run(ctx, d, seed, tell)
}

// stub is the request that vegeta sees.
const stub = "http://load/"

func (r *Runner) run(ctx context.Context, d time.Duration, seed uint64, tell func(Progress)) (*Result, error) {
	total := count(r.options.Rate, d)
	p := newPlan(&r.options, total, seed, r.sent)
	r.sent += uint64(total)
	r.sender.full.Store(false)
	within, stop := context.WithCancel(ctx)
	defer stop()
	pace := &pacer{ctx: within, rate: r.options.Rate, end: d + cmp.Or(r.options.grace, ownGrace), heldEnd: d + cmp.Or(r.options.grace, heldGrace), held: make([]bool, total), full: &r.sender.full}
	attacker := vegeta.NewAttacker(
		vegeta.Client(&http.Client{Transport: &flight{sender: r.sender, plan: p, ctx: within}}),
		vegeta.Workers(uint64(min(r.options.Max, 10))), vegeta.MaxWorkers(uint64(r.options.Max)),
		vegeta.MaxBody(0)) // bodies are read to their end, and not kept
	target := func(t *vegeta.Target) error {
		t.Method, t.URL, t.Header = http.MethodGet, stub, http.Header{}
		return nil
	}
	cutOff := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer cutOff()
	c := &collector{result: newResult(r, d, total), pace: pace, plan: p, tell: tell}
	c.collect(attacker.Attack(target, pace, 0, ""))
	if ctx.Err() != nil {
		c.result.ended = true
		c.result.took = min(d, time.Since(pace.began))
		return c.result, context.Cause(ctx)
	}
	return c.result, nil
}

// How much longer than asked for requests are sent that could not be before: since as many
// were under way as may be, or since this machine was busy.
const (
	heldGrace = time.Second
	ownGrace  = 5 * time.Second
)

// pacer says when each request is due, whatever has become of those before.
type pacer struct {
	ctx     context.Context
	rate    float64
	end     time.Duration // of sending
	heldEnd time.Duration // where requests wait for others
	began   time.Time     // set before the first request is sent
	full    *atomic.Bool
	waiting bool
	// held are the requests that waited until one of the most that may be under way had
	// been answered. Where others are sent late, it is the sending machine's doing.
	held []bool
}

// Pace waits itself, since vegeta's own wait cannot be ended.
func (p *pacer) Pace(elapsed time.Duration, hits uint64) (time.Duration, bool) {
	if p.began.IsZero() {
		p.began = time.Now().Add(-elapsed)
	}
	if hits >= uint64(len(p.held)) {
		return 0, true
	}
	wait := p.due(hits) - elapsed
	full := p.full.Swap(false)
	p.waiting = wait <= 0 && (full || p.waiting) // until there is none behind its time
	p.held[hits] = p.waiting
	if elapsed > p.end || p.waiting && elapsed > p.heldEnd {
		return 0, true
	}
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.ctx.Done():
		}
	}
	return 0, p.ctx.Err() != nil
}

// Rate is asked for by nobody here.
func (p *pacer) Rate(time.Duration) float64 { return p.rate }

// due is when a request is to be sent, counted from the beginning.
func (p *pacer) due(seq uint64) time.Duration {
	return time.Duration(float64(seq) / cmp.Or(p.rate, 1) * float64(time.Second))
}
