package load

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update rewrites it):\n%s", path, got)
	}
}

// made is a result without a run: a thousand requests in 10 s, whose times are known. The
// slower by times are those of another target.
func made(slower time.Duration, seed uint64) *Result {
	o := Options{URL: "http://localhost:8080", Rate: 100, For: 10 * time.Second, Writes: 0.1, Visitors: 50, Seed: seed, Regions: []string{"ams", "ord"}, Max: 1000,
		Reads: []Request{{Name: "GET /"}, {Name: "GET /<script>"}}, Write: []Request{{Name: "POST /messages", Write: true}}}
	r := &Result{options: o, url: o.URL, kinds: append(o.Reads, o.Write...), asked: o.For, took: o.For, total: 1003, told: true, machines: []string{"", "ams1 ams", "ord1 ord"}, reasons: []string{"dial: connection refused"},
		moved: []string{"POST /messages: 303 to /"}, stopped: 2}
	p := newPlan(&o, 1000, seed, 0)
	for i := range 1000 {
		v := p.values(uint64(i))
		s := sample{seq: uint32(i), due: time.Duration(i) * 10 * time.Millisecond, kind: p.kinds[i], region: uint16(v.visitor % 2), status: 200, way: WayLocal, machine: 1, ok: true}
		s.took = slower * time.Duration(1000+i%100) / 1000
		switch {
		case i == 500:
			s.status, s.way, s.machine, s.ok, s.took = 0, WayUnknown, 0, false, time.Second
		case i%250 == 1:
			s.status, s.ok = 503, false
		case r.kinds[s.kind].Write:
			s.status, s.way, s.machine = 303, WayReplayed, 2
			s.took += 90 * time.Millisecond
		case i%20 == 3:
			s.way = WayWaited
			s.took += 30 * time.Millisecond
		}
		if i%100 == 50 {
			s.held, s.late = true, 8*time.Millisecond
		}
		r.samples = append(r.samples, s)
	}
	return r
}

func TestReportGolden(t *testing.T) {
	p := made(5*time.Millisecond, 1).Report()
	printed, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", append(printed, '\n'))
	var page bytes.Buffer
	if err := p.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.html", page.Bytes())
	selfContained(t, page.String())
	if strings.Contains(page.String(), "<script") {
		t.Error("a request's name is not escaped")
	}
}

func TestComparisonGolden(t *testing.T) {
	c := &Comparison{First: made(5*time.Millisecond, 1), Second: made(4*time.Millisecond, 1)}
	for i := range 6 {
		c.rounds = append(c.rounds, pair{made(5*time.Millisecond, uint64(i)), made(time.Duration(4000+i*50)*time.Microsecond, uint64(i))})
	}
	p := c.Report()
	printed, err := json.MarshalIndent(p.Ratios, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "ratios.json", append(printed, '\n'))
	var page bytes.Buffer
	if err := p.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	golden(t, "comparison.html", page.Bytes())
	selfContained(t, page.String())
}

// selfContained: the page needs nothing else, and each plot says in words what it shows.
func selfContained(t *testing.T, page string) {
	t.Helper()
	for _, needs := range []string{"src=", "href=", "@import", "url(", "<script", "<link", "<iframe"} {
		if strings.Contains(page, needs) {
			t.Errorf("the page has %s", needs)
		}
	}
	plots := strings.Count(page, "<svg ")
	if plots < 2 || strings.Count(page, "<desc id=") != plots || strings.Count(page, `role="img" aria-labelledby=`) != plots {
		t.Errorf("%d plots, and not as many descriptions", plots)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("two have the id %s", m[1])
		}
		ids[m[1]] = true
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
		t.Error("a plot has no number where one should be")
	}
}

// Of nothing there is a report, too, and of one request.
func TestReportOfLittle(t *testing.T) {
	for n := range 3 {
		r := made(time.Millisecond, 1)
		r.samples, r.stopped, r.ended, r.took = r.samples[:n], 0, true, time.Duration(n)*time.Millisecond
		p := r.Report()
		var page bytes.Buffer
		if err := p.WriteHTML(&page); err != nil {
			t.Fatal(err)
		}
		selfContained(t, page.String())
		if _, err := json.Marshal(p); err != nil || p.All.Count != n || p.Unsent != 0 {
			t.Errorf("%d: %v, %+v", n, err, p)
		}
	}
}

func TestPercentile(t *testing.T) {
	var list []time.Duration
	for i := range 1000 {
		list = append(list, time.Duration(i+1))
	}
	for share, want := range map[float64]time.Duration{0: 1, 0.5: 500, 0.9: 900, 0.99: 990, 0.999: 999, 0.9999: 1000, 1: 1000} {
		if got := percentile(list, share); got != want {
			t.Errorf("%v: %d, want %d", share, got, want)
		}
	}
	for n, want := range map[int]time.Duration{0: 0, 1: 1, 2: 1, 3: 2} {
		if got := percentile(list[:n], 0.5); got != want {
			t.Errorf("the median of %d: %d, want %d", n, got, want)
		}
	}
}

func TestRatio(t *testing.T) {
	for _, tt := range []struct {
		all  []float64
		want string
	}{
		{[]float64{0.5, 0.7, 0.6, 0.8, 0.9, 0.4}, "0.65 0.4 0.9 true"},
		{[]float64{1.5, 1.7, 1.6, 1.8, 1.9, 1.01, 1.4}, "1.6 1.01 1.9 true"},
		{[]float64{0.5, 0.7, 0.6, 0.8, 0.9, 1}, "0.75 0.5 1 false"},
		{[]float64{0.5, 0.7, 0.6, 0.8, 0.9}, "0.7 0.5 0.9 false"},
		{[]float64{2}, "2 2 2 false"},
	} {
		r := newRatio("p50", "all", tt.all)
		if got := fmt.Sprint(r.Median, r.Least, r.Most, r.Told); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.all, got, tt.want)
		}
	}
}

func TestTexts(t *testing.T) {
	for m, want := range map[time.Duration]string{0: "0ms", 1500: "0.001ms", 123456: "0.123ms", 2 * time.Millisecond: "2ms", 99_960 * time.Microsecond: "100ms", 340 * time.Millisecond: "340ms", 9999 * time.Millisecond: "9999ms", 12_500 * time.Millisecond: "12.5s"} {
		if got := Milliseconds(m).String(); got != want {
			t.Errorf("%d: %s, want %s", m, got, want)
		}
	}
	for share, want := range map[float64]string{0: "0%", 0.1: "10%", 0.12345: "12.35%", 0.99999: "99.999%", 0.9999999: "99.999%", 1: "100%"} {
		if got := Percent(share); got != want {
			t.Errorf("%v: %s, want %s", share, got, want)
		}
	}
	for length, want := range map[float64]float64{10: 2, 30: 10, 6: 1, 25: 5, 0.4: 0.1, 0: 0.0002} {
		if got := niceStep(length); fmt.Sprintf("%.6g", got) != fmt.Sprintf("%.6g", want) {
			t.Errorf("steps of %v: %v, want %v", length, got, want)
		}
	}
}
