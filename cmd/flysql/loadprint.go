package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/flysql/flysql/internal/load"
)

// printLoad writes a report as text.
func (c *cli) printLoad(r *load.Report) error {
	_, err := io.WriteString(c.stdout, c.loadText(r))
	return err
}

func (c *cli) loadText(r *load.Report) string {
	var b strings.Builder
	b.WriteString(wrap("", loadLine(r)))
	fmt.Fprintf(&b, "success %s: %s\n", load.Percent(r.All.Success), answersText(r))
	t := table{heads: []string{"LATENCY", "COUNT", "SUCCESS", "P50", "P90", "P95", "P99", "P99.9", "MAX"}, most: []int{30, 10, 8, 8, 8, 8, 8, 8, 8}}
	for _, section := range r.Groups() {
		for _, g := range section.Groups {
			t.add(loadRow(strings.TrimSpace(section.Word+" "+g.Name), &g)...)
		}
	}
	t.write(&b, c.colors(c.stdout))
	if len(r.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, note := range r.Notes {
		b.WriteString(wrap("", "note: "+flat(note)))
	}
	return b.String()
}

// loadLine says what was done.
func loadLine(r *load.Report) string {
	text := fmt.Sprintf("%s: %s in %s, %s/s", flat(r.URL), countedRequests(r.All.Count), roundTime(time.Duration(r.Seconds*float64(time.Second))), humanize.CommafWithDigits(r.PerSecond, 1))
	text += fmt.Sprintf(" (asked for %s/s)", humanize.CommafWithDigits(r.Rate, 1))
	if r.Ended {
		text += ", ended before its time"
	}
	text += fmt.Sprintf(", %s writes, %s", load.Percent(r.WriteShare), counted(r.Visitors, "visitor"))
	if len(r.Regions) > 0 {
		text += " in " + strings.Join(r.Regions, ", ")
	}
	return text
}

func countedRequests(n int) string {
	if n == 1 {
		return "1 request"
	}
	return humanize.Comma(int64(n)) + " requests"
}

// answersText is what was answered, and how often.
func answersText(r *load.Report) string {
	var parts []string
	for _, s := range append(append([]load.Count{}, r.Statuses...), r.Errors...) {
		parts = append(parts, flat(s.What)+" "+humanize.Comma(int64(s.Count)))
	}
	if len(parts) == 0 {
		return "nothing was answered"
	}
	return strings.Join(parts, ", ")
}

func loadRow(name string, g *load.Group) []cell {
	if g.Count == 0 {
		return []cell{{text: name}, {text: "0"}, {text: "-"}, {text: "-"}, {text: "-"}, {text: "-"}, {text: "-"}, {text: "-"}, {text: "-"}}
	}
	success := cell{text: load.Percent(g.Success)}
	if g.Failed > 0 {
		success.color = red
	}
	row := []cell{{text: name}, {text: humanize.Comma(int64(g.Count))}, success}
	for _, m := range []load.Milliseconds{g.Latency.P50, g.Latency.P90, g.Latency.P95, g.Latency.P99, g.Latency.P999, g.Latency.Max} {
		row = append(row, cell{text: m.String()})
	}
	return row
}

// printComparison writes both reports, and what their ratio is worth.
func (c *cli) printComparison(r *load.ComparisonReport) error {
	var b strings.Builder
	b.WriteString("first: " + c.loadText(r.First) + "\nsecond: " + c.loadText(r.Second))
	t := table{heads: []string{"SECOND/FIRST", "OF", "RATIO", "LEAST", "MOST", "TOLD FROM NOISE"}, most: []int{12, 8, 9, 9, 9, 16}}
	for _, x := range r.Ratios {
		told := cell{text: "no"}
		if x.Told {
			told = cell{text: "yes", color: green}
		}
		t.add(cell{text: x.What}, cell{text: x.Of}, cell{text: ratioText(x.Median)}, cell{text: ratioText(x.Least)}, cell{text: ratioText(x.Most)}, told)
	}
	t.write(&b, c.colors(c.stdout))
	b.WriteString("\n" + wrap("", ratioSentence(r)))
	_, err := io.WriteString(c.stdout, b.String())
	return err
}

func ratioText(x float64) string { return fmt.Sprintf("%.3g", x) }

// ratioSentence says it in words, of reads and writes where there are both.
func ratioSentence(r *load.ComparisonReport) string {
	if r.Rounds < load.EnoughRounds {
		return fmt.Sprintf("%s are too few to tell a difference from noise: give --rounds %d or more", counted(r.Rounds, "round"), load.EnoughRounds)
	}
	var of []load.Ratio
	for _, x := range r.Ratios {
		if x.What == "p50" {
			of = append(of, x)
		}
	}
	if len(of) > 1 {
		of = of[1:]
	}
	var parts []string
	for _, x := range of {
		span := fmt.Sprintf("(%s to %s in %s)", ratioText(x.Least), ratioText(x.Most), counted(x.Rounds, "round"))
		if x.Told {
			parts = append(parts, fmt.Sprintf("%s take %s times as long at the second %s", whatOf(x.Of), ratioText(x.Median), span))
		} else {
			parts = append(parts, fmt.Sprintf("%s differ within noise %s", whatOf(x.Of), span))
		}
	}
	if len(parts) == 0 {
		return "nothing was answered by both: there is nothing to compare"
	}
	text := "at p50 " + strings.Join(parts, "; ")
	if first, second := r.First.All.Success, r.Second.All.Success; min(first, second) < 0.99 {
		text += fmt.Sprintf("; but %s succeeded at the first and %s at the second, and a failure may be faster than the rest", load.Percent(first), load.Percent(second))
	}
	return text
}

func whatOf(group string) string {
	if group == "all" {
		return "requests"
	}
	return group
}

// loadProgress is the line of a terminal that tells how far it is.
type loadProgress struct{ importProgress }

func (c *cli) newLoadProgress() *loadProgress {
	p := &loadProgress{}
	if terminal(c.stderr) != nil && c.getenv("TERM") != "dumb" {
		p.terminal = c.stderr
	}
	return p
}

func (p *loadProgress) tell(now load.Progress) {
	if p.terminal != nil {
		p.write(loadProgressText(now))
	}
}

func loadProgressText(now load.Progress) string {
	text := fmt.Sprintf("%s of %s, %s/s, p50 %v, p99 %v", roundTime(now.Elapsed.Truncate(100*time.Millisecond)), roundTime(now.For), humanize.CommafWithDigits(now.PerSecond, 0), load.Milliseconds(now.P50), load.Milliseconds(now.P99))
	if now.Failed > 0 {
		text += fmt.Sprintf(", %s failed", humanize.Comma(int64(now.Failed)))
	}
	switch {
	case now.Round != "":
		text = flat(now.Round) + ": " + text
	case now.WarmUp:
		text = "warm-up: " + text
	}
	return text
}
