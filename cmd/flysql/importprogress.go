package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/transfer"
)

// importProgress tells how far an import is: in one line of a terminal that is written
// anew, or in lines of JSON.
type importProgress struct {
	terminal io.Writer // nil: none
	lines    io.Writer // nil: none
	expected int64     // rows of all tables, as estimated; -1: not known

	begun      time.Time
	tableBegun time.Time
	said       time.Time
	last       transfer.Progress
	before     int64 // rows of the tables that are done
	width      int   // of the line that stands there
}

// How often progress is told.
const (
	lineEvery     = time.Second
	terminalEvery = 100 * time.Millisecond
)

func (c *cli) newImportProgress(plan *move.Plan, asJSON bool) *importProgress {
	p := &importProgress{begun: time.Now()}
	if asJSON {
		p.lines = c.stdout
	} else if terminal(c.stderr) != nil && c.getenv("TERM") != "dumb" {
		p.terminal = c.stderr
	}
	for _, t := range plan.Tables {
		if t.Source.Rows < 0 {
			p.expected = -1
			break
		}
		p.expected += t.Source.Rows
	}
	return p
}

// working shows on a terminal what takes a while; end takes that away.
func (c *cli) working(text string) (end func()) {
	p := &importProgress{}
	if terminal(c.stderr) != nil && c.getenv("TERM") != "dumb" {
		p.terminal = c.stderr
		p.write(flat(text))
	}
	return p.end
}

// progressJSON is a line of flysql import --json while it runs. docs/from-postgres.md
// documents it; it only ever grows.
type progressJSON struct {
	Event     string  `json:"event"` // "progress"
	Stage     string  `json:"stage"` // copy, index, check, sync, rename
	Table     string  `json:"table"` // empty where the stage is about all
	Rows      int64   `json:"rows"`
	Bytes     int64   `json:"bytes"`
	Estimate  *int64  `json:"estimate"` // of the table's rows; null: not known
	AllRows   int64   `json:"all_rows"` // of all tables, so far
	PerSecond float64 `json:"rows_per_second"`
	Seconds   float64 `json:"seconds"`     // since the copy began
	ETA       *int64  `json:"eta_seconds"` // of the table; null: not known
}

// tell is called by the import, from one goroutine at a time.
func (p *importProgress) tell(now transfer.Progress) {
	at := time.Now()
	changed := now.Stage != p.last.Stage || now.Table != p.last.Table
	if now.Table != p.last.Table {
		p.before += p.last.Rows
		p.tableBegun = at
	}
	p.last = now
	switch {
	case p.lines != nil && (changed || at.Sub(p.said) >= lineEvery):
		// Nobody reads lines that cannot be written: the report tells.
		data, _ := json.Marshal(p.event(at))
		fmt.Fprintf(p.lines, "%s\n", data)
	case p.terminal != nil && (changed && now.Table == "" || at.Sub(p.said) >= terminalEvery):
		p.write(p.text(at))
	default:
		return
	}
	p.said = at
}

func (p *importProgress) event(at time.Time) progressJSON {
	e := progressJSON{Event: "progress", Stage: string(p.last.Stage), Table: p.last.Table, Rows: p.last.Rows, Bytes: p.last.Bytes, AllRows: p.before + p.last.Rows,
		PerSecond: perSecond(p.last.Rows, at.Sub(p.tableBegun)), Seconds: seconds(at.Sub(p.begun))}
	if p.last.Table != "" && p.last.Estimate >= 0 {
		e.Estimate = &p.last.Estimate
	}
	if left, ok := remaining(p.last.Rows, p.last.Estimate, at.Sub(p.tableBegun)); ok {
		n := int64(left.Seconds())
		e.ETA = &n
	}
	return e
}

// text is the line of a terminal.
func (p *importProgress) text(at time.Time) string {
	if p.last.Table == "" {
		what := map[transfer.Stage]string{transfer.Indexing: "making keys, indexes and statistics", transfer.Checking: "checking, and comparing with the source",
			transfer.Syncing: "writing to the disk", transfer.Replacing: "giving it its name"}[p.last.Stage]
		return fmt.Sprintf("%s (%s rows)", what, humanize.Comma(p.before))
	}
	rows := humanize.Comma(p.last.Rows)
	if p.last.Estimate > 0 {
		rows += " of ~" + humanize.Comma(p.last.Estimate)
	}
	parts := []string{shorten(flat(p.last.Table), longestTable) + ": " + rows + " rows", bytesText(p.last.Bytes)}
	if rate := perSecond(p.last.Rows, at.Sub(p.tableBegun)); rate > 0 {
		parts = append(parts, humanize.Comma(int64(rate))+" rows/s")
	}
	if left, ok := remaining(p.last.Rows, p.last.Estimate, at.Sub(p.tableBegun)); ok {
		parts = append(parts, (left+time.Second).Truncate(time.Second).String()+" left")
	}
	if p.expected > 0 {
		parts = append(parts, fmt.Sprintf("all %d%%", min(100*(p.before+p.last.Rows)/p.expected, 100)))
	}
	return strings.Join(parts, ", ")
}

// longestTable is how much of a table's name has room beside its numbers.
const longestTable = 22

// write puts a line over the one before it.
func (p *importProgress) write(line string) {
	line = fit(line)
	fmt.Fprintf(p.terminal, "\r%-*s", p.width, line)
	p.width = len([]rune(line))
}

// end takes the line away.
func (p *importProgress) end() {
	if p.terminal != nil && p.width > 0 {
		fmt.Fprintf(p.terminal, "\r%-*s\r", p.width, "")
		p.width = 0
	}
}

// remaining is how long the rest of a table takes, where that can be told.
func remaining(rows, estimate int64, took time.Duration) (time.Duration, bool) {
	if rows < 1000 || estimate <= rows || took < time.Second {
		return 0, false
	}
	return time.Duration(float64(took) * float64(estimate-rows) / float64(rows)), true
}

func perSecond(rows int64, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return float64(int64(float64(rows) / took.Seconds()))
}

// seconds has three digits behind the point.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// roundTime is a duration as people say it.
func roundTime(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
