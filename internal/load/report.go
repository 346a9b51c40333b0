package load

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Report is a result in figures: what --json prints, and docs/load.md documents. It only
// ever grows.
type Report struct {
	URL        string   `json:"url"`
	Rate       float64  `json:"rate"`        // requests a second, as asked for
	Seconds    float64  `json:"seconds"`     // in which they were sent
	WriteShare float64  `json:"write_share"` // as asked for
	Visitors   int      `json:"visitors"`
	Regions    []string `json:"regions"`
	Seed       uint64   `json:"seed"`
	Ended      bool     `json:"ended"`  // before its time
	Due        int      `json:"due"`    // requests that were to be sent
	Unsent     int      `json:"unsent"` // of these, not sent
	Stopped    int      `json:"stopped"`
	PerSecond  float64  `json:"per_second"` // requests answered, as reached
	All        Group    `json:"all"`
	Reads      Group    `json:"reads"`
	Writes     Group    `json:"writes"`
	Requests   []Group  `json:"requests"` // by kind
	From       []Group  `json:"from"`     // by region of the visitors
	Ways       []Group  `json:"ways"`     // local, waited, replayed, forwarded; empty: no response says
	Machines   []Group  `json:"machines"` // that have answered; empty: no response says
	Statuses   []Count  `json:"statuses"`
	Errors     []Count  `json:"errors"`    // why there was no answer
	HeldMS     Figures  `json:"held_ms"`   // waits of requests until another was answered; in their latency
	LateMS     Figures  `json:"late_ms"`   // how late this machine has sent the others; in no latency
	OverTime   []Moment `json:"over_time"` // equal pieces
	Notes      []string `json:"notes"`     // what to know about these figures
}

// Group is some of the requests.
type Group struct {
	Name    string  `json:"name"`
	Count   int     `json:"count"`
	Failed  int     `json:"failed"`
	Success float64 `json:"success"` // a share; 0 of none
	Latency Figures `json:"latency_ms"`

	sorted []time.Duration
}

// Figures are percentiles, of all requests: those that failed, too.
type Figures struct {
	P50  Milliseconds `json:"p50"`
	P90  Milliseconds `json:"p90"`
	P95  Milliseconds `json:"p95"`
	P99  Milliseconds `json:"p99"`
	P999 Milliseconds `json:"p99_9"`
	Max  Milliseconds `json:"max"`
	Mean Milliseconds `json:"mean"`
}

// Count is how often something was met.
type Count struct {
	What  string `json:"what"`
	Count int    `json:"count"`
}

// Moment is a piece of the run.
type Moment struct {
	Second  float64 `json:"second"` // its beginning
	Count   int     `json:"count"`  // of requests that were due in it
	Failed  int     `json:"failed"`
	Latency Figures `json:"latency_ms"`
}

// moments is how many pieces a run is cut into, at most.
const moments = 60

// Report sums a result up.
func (r *Result) Report() *Report {
	o := &r.options
	p := &Report{URL: r.url, Rate: o.Rate, Seconds: round(r.took.Seconds(), 3), WriteShare: o.Writes, Visitors: o.Visitors, Regions: append([]string{}, o.Regions...), Seed: o.Seed, Ended: r.ended,
		Due: r.total, Stopped: r.stopped}
	if r.ended {
		p.Due = min(r.total, len(r.samples)+r.stopped)
	}
	p.Unsent = p.Due - len(r.samples) - r.stopped
	p.All = r.group("all", func(*sample) bool { return true })
	p.Reads = r.group("reads", func(s *sample) bool { return !r.kinds[s.kind].Write })
	p.Writes = r.group("writes", func(s *sample) bool { return r.kinds[s.kind].Write })
	for i := range r.kinds {
		p.Requests = append(p.Requests, r.group(r.kinds[i].Name, func(s *sample) bool { return int(s.kind) == i }))
	}
	p.From, p.Ways, p.Machines = []Group{}, []Group{}, []Group{}
	for i, region := range o.Regions {
		p.From = append(p.From, r.group(region, func(s *sample) bool { return int(s.region) == i }))
	}
	if r.told {
		for way := WayLocal; int(way) < len(wayNames); way++ {
			p.Ways = append(p.Ways, r.group(way.String(), func(s *sample) bool { return s.way == way }))
		}
	}
	for i, name := range r.machines {
		if name != "" {
			p.Machines = append(p.Machines, r.group(name, func(s *sample) bool { return s.status != 0 && int(s.machine) == i }))
		}
	}
	slices.SortFunc(p.Machines, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	p.Statuses, p.Errors = r.counts()
	if r.took > 0 {
		p.PerSecond = round(float64(len(r.samples))/r.took.Seconds(), 1)
	}
	late := func(s *sample) time.Duration { return s.late }
	p.HeldMS = figures(r.sorted(func(s *sample) bool { return s.held }, late))
	p.LateMS = figures(r.sorted(func(s *sample) bool { return !s.held }, late))
	p.OverTime = r.overTime()
	p.Notes = r.notes(p)
	return p
}

func round(x float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(x*p) / p
}

func (r *Result) sorted(in func(*sample) bool, of func(*sample) time.Duration) []time.Duration {
	var list []time.Duration
	for i := range r.samples {
		if in(&r.samples[i]) {
			list = append(list, of(&r.samples[i]))
		}
	}
	slices.Sort(list)
	return list
}

func (r *Result) group(name string, in func(*sample) bool) Group {
	g := Group{Name: name, sorted: r.sorted(in, func(s *sample) time.Duration { return s.took })}
	for i := range r.samples {
		if s := &r.samples[i]; in(s) && !s.ok {
			g.Failed++
		}
	}
	if g.Count = len(g.sorted); g.Count > 0 {
		g.Success = float64(g.Count-g.Failed) / float64(g.Count)
	}
	g.Latency = figures(g.sorted)
	return g
}

func figures(sorted []time.Duration) Figures {
	if len(sorted) == 0 {
		return Figures{}
	}
	var sum time.Duration
	for _, d := range sorted {
		sum += d
	}
	at := func(share float64) Milliseconds { return Milliseconds(percentile(sorted, share)) }
	return Figures{P50: at(0.5), P90: at(0.9), P95: at(0.95), P99: at(0.99), P999: at(0.999), Max: at(1), Mean: Milliseconds(sum / time.Duration(len(sorted)))}
}

// counts are the statuses by number, and the reasons by how often.
func (r *Result) counts() (statuses, reasons []Count) {
	byStatus, byReason := map[int]int{}, map[string]int{}
	for i := range r.samples {
		if s := &r.samples[i]; s.status != 0 {
			byStatus[int(s.status)]++
		} else {
			byReason[r.reasons[s.reason]]++
		}
	}
	statuses, reasons = []Count{}, []Count{}
	for status, n := range byStatus {
		statuses = append(statuses, Count{statusText(status), n})
	}
	for reason, n := range byReason {
		reasons = append(reasons, Count{reason, n})
	}
	slices.SortFunc(statuses, func(a, b Count) int { return cmp.Compare(a.What, b.What) })
	slices.SortFunc(reasons, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.What, b.What)) })
	return statuses, reasons
}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return strconv.Itoa(status) + " " + text
	}
	return strconv.Itoa(status)
}

// overTime cuts the run into pieces of a second, or longer ones where these were too many.
func (r *Result) overTime() []Moment {
	piece := max(time.Second, (r.took / moments).Round(time.Second))
	if r.took < 10*time.Second {
		piece = max(r.took/20, 50*time.Millisecond)
	}
	parts := make([][]time.Duration, 0, moments)
	var failed []int
	for i := range r.samples {
		s := &r.samples[i]
		at := int(s.due / piece)
		for len(parts) <= at && at < 2*moments {
			parts, failed = append(parts, nil), append(failed, 0)
		}
		if at >= len(parts) {
			continue
		}
		parts[at] = append(parts[at], s.took)
		if !s.ok {
			failed[at]++
		}
	}
	list := []Moment{}
	for i, part := range parts {
		slices.Sort(part)
		list = append(list, Moment{Second: round((time.Duration(i) * piece).Seconds(), 3), Count: len(part), Failed: failed[i], Latency: figures(part)})
	}
	return list
}

// notes say what a figure hides.
func (r *Result) notes(p *Report) []string {
	notes := []string{}
	say := func(when bool, format string, a ...any) {
		if when {
			notes = append(notes, fmt.Sprintf(format, a...))
		}
	}
	held, late := time.Duration(p.HeldMS.P99), time.Duration(p.LateMS.P99)
	if held > 0 {
		say(p.Unsent > 0, "not sent: %d of %d requests, as %d were under way already (--max). The app does not keep up with %v a second, and the figures lack the worst of it", p.Unsent, p.Due, r.options.Max, p.Rate)
		say(true, "requests waited, %v at p99, until one of %d under way (--max) had been answered; that is in the latencies", p.HeldMS.P99, r.options.Max)
	} else {
		say(p.Unsent > 0, "not sent: %d of %d requests. The machine that sends was the limit: it does not reach %v a second", p.Unsent, p.Due, p.Rate)
	}
	say(late > 5*time.Millisecond && late*4 > time.Duration(p.All.Latency.P99), "the machine that sends was busy: requests went out late, %v at p99. That is in no latency, but some of what kept it busy is", p.LateMS.P99)
	say(p.All.Failed > 0 && p.All.Failed < p.All.Count, "latencies are of all requests: failures may be faster than the rest")
	for _, line := range r.moved {
		notes = append(notes, "redirected, and not followed: "+line)
	}
	say(!r.told && len(r.samples) > 0 && p.All.Failed < p.All.Count, "no response says which way its request took: the app has no package replay, or is not behind flysql dev")
	say(r.stopped > 0, "under way at the end, and not counted: %d", r.stopped)
	return notes
}

// Expect is nil where at least a share of the requests succeeded; where it is 0, where one
// did.
func (p *Report) Expect(share float64) error {
	switch {
	case p.All.Count == p.All.Failed:
		return fmt.Errorf("%s: no request succeeded", p.URL)
	case p.All.Success < share:
		return fmt.Errorf("%s: %s of the requests succeeded, and %s are expected", p.URL, Percent(p.All.Success), Percent(share))
	}
	return nil
}
