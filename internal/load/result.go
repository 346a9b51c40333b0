package load

import (
	"cmp"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strconv"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Result is what was measured. Report sums it up.
type Result struct {
	options  Options
	url      string // without what is secret
	kinds    []Request
	began    time.Time
	asked    time.Duration
	took     time.Duration // of sending: shorter than asked where ended
	total    int           // requests that were due
	samples  []sample
	reasons  []string
	machines []string
	moved    []string // "POST /messages: 303 to /messages"
	told     bool     // some response says which way its request took
	stopped  int      // under way when it was ended
	ended    bool     // before its time
}

func newResult(r *Runner, d time.Duration, total int) *Result {
	return &Result{options: r.options, url: Shown(r.sender.base), kinds: r.sender.kinds, began: time.Now(), asked: d, took: d, total: total, samples: make([]sample, 0, total)}
}

// redirected notes where a kind of request was sent to.
func (r *Result) redirected(kind uint8, status uint16, to string) {
	at, err := url.Parse(to)
	if err != nil {
		at = &url.URL{Path: "?"}
	}
	at.RawQuery, at.Fragment, at.User = "", "", nil
	line := r.kinds[kind].Name + ": " + strconv.Itoa(int(status)) + " to " + short(at.String(), 80)
	if len(r.moved) < mostMoved && !slices.Contains(r.moved, line) {
		r.moved = append(r.moved, line)
	}
}

// join adds what the same runner has measured later.
func (r *Result) join(next *Result) {
	for _, s := range next.samples {
		s.due += r.asked
		if s.status == 0 {
			s.reason = index(&r.reasons, next.reasons[s.reason], mostReasons)
		} else {
			s.machine = index(&r.machines, next.machines[s.machine], mostMachines)
		}
		r.samples = append(r.samples, s)
	}
	for _, line := range next.moved {
		if len(r.moved) < mostMoved && !slices.Contains(r.moved, line) {
			r.moved = append(r.moved, line)
		}
	}
	r.asked += next.asked
	r.took += next.took
	r.total += next.total
	r.stopped += next.stopped
	r.told = r.told || next.told
	r.ended = r.ended || next.ended
}

// mostMoved is how many redirects are told of.
const mostMoved = 10

// percentile is the smallest value that a share of all are not above; 0 of none. The values
// are sorted.
func percentile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(share*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// WriteRaw writes a line of JSON for each request, in the order in which they were due. The
// lines are vegeta's, so that vegeta report and vegeta plot read them; attack is
// "POST /messages, ams, replayed".
func (r *Result) WriteRaw(w io.Writer) error {
	encode := vegeta.NewJSONEncoder(w)
	samples := slices.Clone(r.samples)
	slices.SortFunc(samples, func(a, b sample) int { return cmp.Compare(a.due, b.due) })
	for i, s := range samples {
		kind := &r.kinds[s.kind]
		v := vegeta.Result{Attack: kind.Name, Seq: uint64(i), Code: s.status, Timestamp: r.began.Add(s.due), Latency: s.took, Method: kind.method, URL: r.url}
		if len(r.options.Regions) > 0 {
			v.Attack += ", " + r.options.Regions[s.region]
		}
		if s.way != WayUnknown && r.told {
			v.Attack += ", " + s.way.String()
		}
		switch {
		case s.status == 0:
			v.Error = r.reasons[s.reason]
		case !s.ok:
			v.Error = "status " + strconv.Itoa(int(s.status))
		}
		if err := encode.Encode(&v); err != nil {
			return err
		}
	}
	return nil
}

var _ json.Marshaler = Milliseconds(0)

// Milliseconds is a time as reports have it: in milliseconds, to a microsecond.
type Milliseconds time.Duration

// MarshalJSON writes a number.
func (m Milliseconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Duration(m).Microseconds())/1000, 'f', -1, 64), nil
}
