package load

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

//go:embed report.html.tmpl
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"percent": func(share float64) string { return Percent(share) },
	"join":    func(list []string) string { return strings.Join(list, ", ") },
}).Parse(pageText))

// pageData is what the template is given.
type pageData struct {
	Title   string
	Results []pageResult
	Ratios  []Ratio
	Rounds  int
	Curve   template.HTML
	Over    []template.HTML
}

type pageResult struct {
	*Report
	Label string // "" where there is one only
}

// WriteHTML writes a page that needs nothing else: no script, no other file.
func (r *Report) WriteHTML(w io.Writer) error {
	return page.Execute(w, pageData{Title: "Load on " + r.URL, Results: []pageResult{{r, ""}}, Curve: curve([]*Report{r}), Over: []template.HTML{overTime(r, "o0")}})
}

// WriteHTML writes a page of both targets.
func (c *ComparisonReport) WriteHTML(w io.Writer) error {
	return page.Execute(w, pageData{Title: "Load on " + c.First.URL + " and " + c.Second.URL, Ratios: c.Ratios, Rounds: c.Rounds,
		Results: []pageResult{{c.First, "first"}, {c.Second, "second"}},
		Curve:   curve([]*Report{c.First, c.Second}), Over: []template.HTML{overTime(c.First, "o0"), overTime(c.Second, "o1")}})
}

// Section is a part of a table: groups that are cut by one thing.
type Section struct {
	Title  string
	Word   string // before each group's name, where there is no title: "from"
	Groups []Group
}

// Groups are the tables of a report, without those that say nothing.
func (r *Report) Groups() []Section {
	list := []Section{{"all", "", []Group{r.All}}}
	if r.Reads.Count > 0 && r.Writes.Count > 0 && len(r.Requests) > 2 {
		list = append(list, Section{"reads and writes", "", []Group{r.Reads, r.Writes}})
	}
	if len(r.Requests) > 1 {
		list = append(list, Section{"by request", "", r.Requests})
	}
	if len(r.From) > 0 {
		list = append(list, Section{"by the visitor's region", "from", r.From})
	}
	var ways []Group
	for _, g := range r.Ways {
		if g.Count > 0 {
			ways = append(ways, g)
		}
	}
	if len(ways) > 0 {
		list = append(list, Section{"by the way taken", "", ways})
	}
	if len(r.Machines) > 0 {
		list = append(list, Section{"by the machine that answered", "by", r.Machines})
	}
	return list
}

// Percent is a share as people read it. It is 100% only where it is all.
func Percent(share float64) string {
	p := share * 100
	if p > 99.9 && p < 100 {
		p = math.Floor(p*1000) / 1000
		return fmt.Sprintf("%.3f%%", p)
	}
	return fmt.Sprintf("%.4g%%", p)
}

// nines are where the curve has its ticks: each is ten times as rare as the one before.
var nines = []struct {
	share float64
	label string
}{{0, "0%"}, {0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p99.9"}, {0.9999, "p99.99"}}

func rarity(share float64) float64 { return -math.Log10(1 - share) }

// curve is latency by percentile.
func curve(reports []*Report) template.HTML {
	c := &chart{title: "Latency by percentile", xLabel: "share of the requests that are no slower"}
	for i, r := range reports {
		most := 0.0
		if n := r.All.Count; n > 1 {
			most = 1 - 1/float64(n)
		}
		c.to = max(c.to, rarity(most), rarity(0.9))
		groups := []Group{r.All}
		if len(reports) == 1 && r.Reads.Count > 0 && r.Writes.Count > 0 {
			groups = []Group{r.Reads, r.Writes}
		}
		for _, g := range groups {
			s := series{name: g.Name}
			if len(reports) > 1 {
				s.name = []string{"first", "second"}[i]
			}
			if g.Count > 0 {
				end := rarity(1 - 1/float64(max(g.Count, 2)))
				for j := 0; j <= 120; j++ {
					at := end * float64(j) / 120
					s.points = append(s.points, point{at, Milliseconds(percentile(g.sorted, 1-math.Pow(10, -at))).ms()})
				}
			}
			c.series = append(c.series, s)
			c.text += fmt.Sprintf("%s: p50 %v, p90 %v, p99 %v, at most %v. ", s.name, g.Latency.P50, g.Latency.P90, g.Latency.P99, g.Latency.Max)
		}
	}
	for _, n := range nines {
		if at := rarity(n.share); at <= c.to {
			c.xTicks = append(c.xTicks, tick{at, n.label})
		}
	}
	return c.svg("curve")
}

// overTime is how latency went.
func overTime(r *Report, id string) template.HTML {
	c := &chart{title: "Latency over time, " + r.URL, xLabel: "seconds since the beginning", to: r.Seconds}
	lines := []struct {
		name string
		of   func(*Figures) Milliseconds
	}{{"p50", func(f *Figures) Milliseconds { return f.P50 }}, {"p95", func(f *Figures) Milliseconds { return f.P95 }}, {"max", func(f *Figures) Milliseconds { return f.Max }}}
	for _, line := range lines {
		s := series{name: line.name}
		for _, m := range r.OverTime {
			if m.Count > 0 {
				s.points = append(s.points, point{m.Second, line.of(&m.Latency).ms()})
			}
		}
		c.series = append(c.series, s)
	}
	c.text = fmt.Sprintf("In %d pieces of %v; the table below has the figures.", len(r.OverTime), time.Duration(r.Seconds*float64(time.Second)).Round(time.Second))
	step := niceStep(r.Seconds)
	for at := 0.0; at <= r.Seconds && len(c.xTicks) < 20; at += step {
		c.xTicks = append(c.xTicks, tick{at, strconv.FormatFloat(round(at, 3), 'f', -1, 64)})
	}
	return c.svg(id)
}
