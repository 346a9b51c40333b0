package load

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Comparison is two targets that were measured in turn.
type Comparison struct {
	First, Second *Result
	rounds        []pair
}

// pair is one round: both were measured, one right after the other.
type pair struct{ first, second *Result }

// Compare measures two targets in rounds, each for Options.For in all. Within a round both
// get the same requests, and who is first changes from round to round: so what else this
// machine does meets both.
func Compare(ctx context.Context, first, second Options, rounds int, tell func(Progress)) (*Comparison, error) {
	var runners []*Runner
	for _, o := range []Options{first, second} {
		r, err := New(o)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		runners = append(runners, r)
	}
	if err := first.CheckRounds(rounds); err != nil {
		return nil, err
	}
	each := first.each(rounds)
	for _, r := range runners {
		if err := r.Reach(ctx); err != nil {
			return nil, err
		}
	}
	for _, r := range runners {
		if err := r.WarmUp(ctx, named(tell, "warm-up, "+Shown(r.sender.base))); err != nil {
			return nil, err
		}
	}
	c := &Comparison{First: newResult(runners[0], 0, 0), Second: newResult(runners[1], 0, 0)}
	for i := range rounds {
		var got [2]*Result
		var errs error
		for _, which := range order(i) {
			r := runners[which]
			var err error
			if got[which], err = r.Measure(ctx, each, first.Seed+uint64(i), named(tell, fmt.Sprintf("round %d of %d, %s", i+1, rounds, Shown(r.sender.base)))); err != nil {
				errs = err
				break
			}
		}
		if errs != nil {
			// Half a round compares nothing.
			c.First.ended, c.Second.ended = true, true
			if len(c.rounds) == 0 {
				return nil, fmt.Errorf("%w before a first round was whole: nothing can be compared", errs)
			}
			return c, errs
		}
		c.rounds = append(c.rounds, pair{got[0], got[1]})
		c.First.join(got[0])
		c.Second.join(got[1])
	}
	return c, nil
}

// each is how long one of so many rounds is.
func (o Options) each(rounds int) time.Duration {
	return (o.For / time.Duration(max(rounds, 1))).Truncate(time.Millisecond)
}

// CheckRounds refuses rounds for Compare that are too many, or too short to tell anything.
func (o Options) CheckRounds(rounds int) error {
	if rounds < 1 || rounds > mostRounds || count(o.Rate, o.each(rounds)) < leastInRound {
		return fmt.Errorf("%d rounds of %v at %v requests a second: from 1 to %d, of at least %d requests each", rounds, o.each(rounds), o.Rate, mostRounds, leastInRound)
	}
	return nil
}

const (
	mostRounds   = 100
	leastInRound = 20
)

// order is A B, B A, A B, ...
func order(round int) [2]int {
	if round%2 == 0 {
		return [2]int{0, 1}
	}
	return [2]int{1, 0}
}

func named(tell func(Progress), round string) func(Progress) {
	if tell == nil {
		return nil
	}
	return func(p Progress) {
		p.Round = round
		tell(p)
	}
}

// ComparisonReport is it in figures: what --json prints with --compare, and docs/load.md
// documents. It only ever grows.
type ComparisonReport struct {
	First  *Report `json:"first"`
	Second *Report `json:"second"`
	Rounds int     `json:"rounds"`
	Ratios []Ratio `json:"ratios"`
}

// Ratio is the second target's figure divided by the first's: the median of all rounds,
// and the least and most of one.
type Ratio struct {
	What   string  `json:"what"` // "p50", ...; "requests/s", of those that succeeded
	Of     string  `json:"of"`   // "all", "reads", "writes"
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
	Rounds int     `json:"rounds"` // in which both had that figure
	// Told is where each of at least 6 rounds says the same of which is larger: by chance
	// that is so in 3 of 100 comparisons of equals.
	Told bool `json:"told"`
}

// EnoughRounds are so many that all of them hardly say the same by chance.
const EnoughRounds = 6

// Report sums both up, and compares.
func (c *Comparison) Report() *ComparisonReport {
	p := &ComparisonReport{First: c.First.Report(), Second: c.Second.Report(), Rounds: len(c.rounds), Ratios: []Ratio{}}
	type round struct{ first, second *Report }
	var rounds []round
	for _, r := range c.rounds {
		rounds = append(rounds, round{r.first.Report(), r.second.Report()})
	}
	ratio := func(what, of string, least float64, figure func(*Report) float64) {
		var all []float64
		for _, r := range rounds {
			if a, b := figure(r.first), figure(r.second); a > 0 && b >= least {
				all = append(all, b/a)
			}
		}
		if len(all) > 0 {
			p.Ratios = append(p.Ratios, newRatio(what, of, all))
		}
	}
	groups := []struct {
		name string
		of   func(*Report) *Group
	}{{"all", func(r *Report) *Group { return &r.All }}, {"reads", func(r *Report) *Group { return &r.Reads }}, {"writes", func(r *Report) *Group { return &r.Writes }}}
	for _, g := range groups {
		if g.name != "all" && (p.First.Reads.Count == 0 || p.First.Writes.Count == 0) {
			continue // it would say the same again
		}
		for _, f := range []struct {
			what string
			of   func(*Figures) Milliseconds
		}{
			{"p50", func(f *Figures) Milliseconds { return f.P50 }},
			{"p95", func(f *Figures) Milliseconds { return f.P95 }},
			{"p99", func(f *Figures) Milliseconds { return f.P99 }},
		} {
			ratio(f.what, g.name, 1, func(r *Report) float64 { return float64(f.of(&g.of(r).Latency)) })
		}
	}
	// None that succeeded is a figure, too, but nothing can be divided by it.
	ratio("requests/s", "all", 0, func(r *Report) float64 { return r.PerSecond * r.All.Success })
	return p
}

func newRatio(what, of string, all []float64) Ratio {
	slices.Sort(all)
	n := len(all)
	r := Ratio{What: what, Of: of, Median: round(all[n/2], 3), Least: round(all[0], 3), Most: round(all[n-1], 3), Rounds: n}
	if n%2 == 0 {
		r.Median = round((all[n/2-1]+all[n/2])/2, 3)
	}
	r.Told = n >= EnoughRounds && (all[0] > 1 || all[n-1] < 1)
	return r
}
