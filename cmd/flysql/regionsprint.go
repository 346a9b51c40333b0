package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/fleet"
)

// showRegions writes a plan: a dry run's is data.
func (c *cli) showRegions(f *regionsFlags, text func() string) error {
	if f.json {
		return nil
	}
	out := c.stderr
	if f.dryRun {
		out = c.stdout
	}
	if _, err := io.WriteString(out, text()); err != nil {
		return fmt.Errorf("show the plan: %w; %s", err, nothingChanged)
	}
	return nil
}

func addText(p *fleet.AddPlan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "machines of group %s of %s", p.Group, p.App)
	if p.Primary != nil {
		fmt.Fprintf(&b, "; the primary is %s in %s", p.Primary.ID, p.Primary.Region)
	}
	b.WriteString(":\n")
	if p.Volumes != nil && p.Pending() {
		for i := range p.Volumes.Volumes {
			if v := &p.Volumes.Volumes[i]; v.Changed() || p.Takes(v) {
				fmt.Fprintf(&b, "%s volume %s  %s  %d GB  %s\n", volumeSign(v), visible(v.Name), visible(v.Region), max(v.Now.SizeGB, v.Then.SizeGB), visible(volumeText(v)))
			}
		}
	}
	for _, m := range p.Machines {
		sign, what := "+", "new"
		if m.ID != "" {
			sign, what = "~", m.ID+": begun before, gone on with"
		}
		if m.Guarded {
			what += ", a candidate for the primary only once it has caught up"
		}
		fmt.Fprintf(&b, "%s machine %s  %s  %s\n", sign, visible(m.Name), m.Region, visible(what))
	}
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "note: %s\n", visible(note))
	}
	if len(p.Machines) == 0 {
		b.WriteString("nothing to do: the machines are there\n")
		return b.String()
	}
	fmt.Fprintf(&b, "each is a copy of machine %s, with a volume of its own; one after the other, each once the one before has caught up; all that is there stays\n", p.From.ID)
	if p.Volumes != nil {
		b.WriteString(costText(p.Volumes))
	}
	if g := p.From.Config.Guest; g != nil {
		fmt.Fprintf(&b, "cost: and %s, %s with %d MB each: https://fly.io/docs/about/pricing/#started-fly-machines has their price by region\n",
			counted(len(p.Machines), "machine"), visible(fmt.Sprintf("%s-cpu-%dx", g.CPUKind, g.CPUs)), g.MemoryMB)
	}
	return b.String()
}

func removeText(p *fleet.RemovePlan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "machines of group %s of %s", p.Group, p.App)
	if p.Primary != nil {
		fmt.Fprintf(&b, "; the primary is %s in %s, and stays", p.Primary.ID, p.Primary.Region)
	}
	b.WriteString(":\n")
	for _, m := range p.Machines {
		fmt.Fprintf(&b, "- machine %s  %s  %s\n", m.ID, m.Region, visible(m.Name))
	}
	for _, v := range p.Volumes {
		sign, what := "=", "stays, after a snapshot of it; flysql volumes delete takes it away"
		if p.Delete {
			sign, what = "-", "deleted, after a snapshot of it"
		}
		fmt.Fprintf(&b, "%s volume %s  %s  %s\n", sign, v.ID, visible(v.Region), what)
	}
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "note: %s\n", visible(note))
	}
	if !p.Pending() {
		b.WriteString("nothing to do: no machine is there\n")
	}
	return b.String()
}

// regionsProgress shows what is waited for: on a terminal in one line that is written
// over, in a pipe as a line when it is another one, and not more often than every so
// often.
type regionsProgress struct {
	fleet.Changing
	out   io.Writer
	live  bool
	shown string
	at    time.Time
}

const progressEvery = 10 * time.Second

func (c *cli) changing(f *regionsFlags, target *flyTarget) *regionsProgress {
	p := &regionsProgress{out: c.stderr, live: terminal(c.stderr) != nil && c.getenv("TERM") != "dumb"}
	p.Changing = fleet.Changing{Asker: f.asker(target), Patience: f.wait, Say: p.say, Progress: p.progress}
	return p
}

func (p *regionsProgress) say(line string) {
	p.over()
	fmt.Fprintln(p.out, visible(line))
}

func (p *regionsProgress) progress(text string) {
	switch text = visible(text); {
	case p.live:
		fmt.Fprintf(p.out, "\r\x1b[K%s", text)
	case text == p.shown || time.Since(p.at) < progressEvery:
		return
	default:
		fmt.Fprintln(p.out, text)
	}
	p.shown, p.at = text, time.Now()
}

// over ends the line that is written over.
func (p *regionsProgress) over() {
	if p.live && p.shown != "" {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.shown = ""
}

// sayAdded says in the end what was done, also of what was not all done.
func (c *cli) sayAdded(r *fleet.AddResult, err error) {
	switch {
	case err != nil:
		c.say("%d done, %d left%s: what was made stays and costs; the same command goes on from there, flysql regions remove takes it away",
			len(r.Machines), r.Left, begun(r.Begun))
	case len(r.Machines) > 0:
		c.say("%s caught up and in use", counted(len(r.Machines), "machine"))
	}
}

func (c *cli) sayRemoved(r *fleet.RemoveResult, err error) {
	if err != nil {
		c.say("%d gone, %d left%s: the same command goes on from there", len(r.Machines), r.Left, begun(r.Begun))
	} else if len(r.Machines)+len(r.Deleted) > 0 {
		c.say("%s gone, %s kept", counted(len(r.Machines), "machine"), counted(len(r.Kept), "volume"))
	}
	for _, s := range r.Snapshots {
		c.say("snapshot %s", s)
	}
}

func begun(machine string) string {
	if machine == "" {
		return ""
	}
	return ", machine " + machine + " begun"
}
