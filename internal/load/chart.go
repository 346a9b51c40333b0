package load

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// chart is a plot of latencies with a line for each series, on a logarithmic scale. It is
// drawn as SVG, with classes that the page gives colours, light and dark.
type chart struct {
	title, text string // text is for who does not see it
	xLabel      string
	xTicks      []tick
	to          float64 // of x, from 0
	series      []series
}

type tick struct {
	at    float64
	label string
}

type series struct {
	name   string
	points []point // by x
}

type point struct{ x, ms float64 }

// The plot's place within the picture.
const (
	chartWidth, chartHeight  = 760, 300
	left, right, top, bottom = 64, 92, 12, 40
	lineHeight               = 15
)

// svg draws it.
func (c *chart) svg(id string) template.HTML {
	least, most := c.span()
	ticks := niceTicks(least, most)
	x := func(v float64) float64 {
		return left + v/max(c.to, 1e-9)*(chartWidth-left-right)
	}
	y := func(v float64) float64 {
		share := math.Log(max(v, least)/least) / math.Log(most/least)
		return chartHeight - bottom - share*(chartHeight-top-bottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, chartWidth, chartHeight, id, id, id, esc(c.title), id, esc(c.text))
	for _, t := range ticks {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="y" x="%d" y="%.1f">%s</text>`, left, chartWidth-right, y(t.at), y(t.at), left-8, y(t.at)+4, esc(t.label))
	}
	for _, t := range c.xTicks {
		fmt.Fprintf(&b, `<text class="x" x="%.1f" y="%d">%s</text>`, x(t.at), chartHeight-bottom+18, esc(t.label))
	}
	fmt.Fprintf(&b, `<text class="x" x="%d" y="%d">%s</text>`, (left+chartWidth-right)/2, chartHeight-6, esc(c.xLabel))
	var ends []float64
	for i, s := range c.series {
		if len(s.points) == 0 {
			continue
		}
		var path strings.Builder
		for j, p := range s.points {
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(j, 1)], x(p.x), y(p.ms))
		}
		fmt.Fprintf(&b, `<path class="line s%d" d="%s"/>`, i, path.String())
		last := s.points[len(s.points)-1]
		at := apart(ends, y(last.ms)+4)
		ends = append(ends, at)
		fmt.Fprintf(&b, `<text class="name s%d" x="%d" y="%.1f">%s</text>`, i, chartWidth-right+6, at, esc(s.name))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

func esc(s string) string { return template.HTMLEscapeString(s) }

// apart finds a place for a label that is on none of the others.
func apart(others []float64, want float64) float64 {
	for range len(others) {
		for _, o := range others {
			if math.Abs(o-want) < lineHeight {
				want = o - lineHeight
			}
		}
	}
	return want
}

// span is what the series reach over; more than 0 and not empty.
func (c *chart) span() (least, most float64) {
	least, most = math.Inf(1), 0
	for _, s := range c.series {
		for _, p := range s.points {
			least, most = min(least, max(p.ms, 0.01)), max(most, p.ms)
		}
	}
	if least > most {
		return 0.1, 1
	}
	return least * 0.9, max(most*1.1, least*1.1)
}

// niceTicks are round values from least to most, on a scale where each decade is as long as
// the next.
func niceTicks(least, most float64) []tick {
	var ticks []tick
	for decade := math.Floor(math.Log10(least)); decade <= math.Log10(most); decade++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, decade); v >= least && v <= most {
				ticks = append(ticks, tick{v, msText(v)})
			}
		}
	}
	if len(ticks) < 2 {
		return []tick{{least, msText(least)}, {most, msText(most)}}
	}
	for len(ticks) > 8 {
		for i := range len(ticks) / 2 {
			ticks[i] = ticks[2*i]
		}
		ticks = ticks[:len(ticks)/2]
	}
	return ticks
}

// niceStep cuts a length into three to seven round steps.
func niceStep(length float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(max(length, 1e-3))))
	switch {
	case length/step < 1.5:
		return step / 5
	case length/step < 3:
		return step / 2
	}
	return step
}

// msText is a number of milliseconds as people read it.
func msText(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.4gs", ms/1000)
	case ms >= 100:
		return fmt.Sprintf("%.0fms", ms)
	}
	return fmt.Sprintf("%.3gms", ms)
}

// String is a time as people read it: "2.1ms", "340ms", "12.5s".
func (m Milliseconds) String() string { return msText(m.ms()) }

func (m Milliseconds) ms() float64 { return float64(time.Duration(m).Microseconds()) / 1000 }
