package load

import (
	"slices"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Progress is how far a run is.
type Progress struct {
	WarmUp       bool
	Round        string // of a comparison: "2 of 6, http://localhost:8081"
	Elapsed, For time.Duration
	Done, Failed int // requests
	PerSecond    float64
	P50, P99     time.Duration // of those answered since it was told before
}

// tellEvery is how often that is.
const tellEvery = 500 * time.Millisecond

// sample is what became of one request.
type sample struct {
	due     time.Duration // since the beginning
	late    time.Duration // it was sent so much later
	took    time.Duration // to its answer's end: from when it was due where it was held up, else from when it was sent
	seq     uint32
	visitor uint32
	region  uint16 // index in Options.Regions
	status  uint16 // 0 for no answer
	reason  uint16 // why: index in Result.reasons
	machine uint16 // index in Result.machines
	kind    uint8
	way     Way
	ok      bool
	held    bool // until another was answered
}

// collector makes samples of vegeta's results.
type collector struct {
	result *Result
	pace   *pacer
	plan   *plan
	tell   func(Progress)

	failed int
	recent []time.Duration // answered since it was told
	begun  time.Time
	said   time.Time
}

func (c *collector) collect(results <-chan *vegeta.Result) {
	c.begun = time.Now()
	c.said = c.begun
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case r, more := <-results:
			if !more {
				return
			}
			c.add(r)
		case <-ticker.C:
			c.say()
		}
	}
}

func (c *collector) add(r *vegeta.Result) {
	text := strings.TrimPrefix(r.Error, `Get "`+stub+`": `)
	if r.Code == 0 && text == errStopped.Error() || r.Seq >= uint64(len(c.plan.kinds)) {
		c.result.stopped++
		return
	}
	v := c.plan.values(r.Seq)
	s := sample{seq: uint32(r.Seq), kind: c.plan.kinds[r.Seq], visitor: uint32(v.visitor), status: r.Code, due: c.pace.due(r.Seq)}
	if n := len(c.plan.regions); n > 0 {
		s.region = uint16(v.visitor % n)
	}
	sent := r.Timestamp.Sub(c.pace.began)
	s.late = max(sent-s.due, 0)
	s.took = r.Latency
	if s.held = c.pace.held[r.Seq]; s.held {
		s.took += s.late
	}
	s.ok = succeeded(r.Code, c.result.kinds[s.kind].Write)
	if r.Code == 0 {
		s.reason = index(&c.result.reasons, text, mostReasons)
	} else {
		var machine string
		var told bool
		s.way, machine, told = wayOf(r.Headers)
		c.result.told = c.result.told || told
		s.machine = index(&c.result.machines, machine, mostMachines)
		if to := r.Headers[locationHeader]; r.Code/100 == 3 && len(to) > 0 {
			c.result.redirected(s.kind, r.Code, to[0])
		}
	}
	if !s.ok {
		c.failed++
	}
	if c.tell != nil {
		c.recent = append(c.recent, s.took)
	}
	c.result.samples = append(c.result.samples, s)
}

// What a list may have. What is more is one entry, "other".
const (
	mostReasons  = 50
	mostMachines = 200
)

// index finds a text in a list, or adds it.
func index(list *[]string, text string, most int) uint16 {
	i := slices.Index(*list, text)
	if i < 0 && len(*list) >= most {
		text = "other"
		i = slices.Index(*list, text)
	}
	if i < 0 {
		*list = append(*list, text)
		i = len(*list) - 1
	}
	return uint16(i)
}

// succeeded: a form that was sent is answered by 302 or 303, and by 301, 307 and 308 it is
// not taken, but asked for elsewhere.
func succeeded(status uint16, write bool) bool {
	switch {
	case write && (status == 301 || status == 307 || status == 308):
		return false
	}
	return status >= 200 && status < 400
}

func (c *collector) say() {
	if c.tell == nil {
		return
	}
	now := time.Now()
	slices.Sort(c.recent)
	p := Progress{For: c.result.asked, Elapsed: min(now.Sub(c.begun), c.result.asked), Done: len(c.result.samples), Failed: c.failed,
		PerSecond: float64(len(c.recent)) / now.Sub(c.said).Seconds(), P50: percentile(c.recent, 0.5), P99: percentile(c.recent, 0.99)}
	c.said, c.recent = now, c.recent[:0]
	c.tell(p)
}
