package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/flysql/flysql/internal/fleet"
)

// The colours of a plan, by the sign before a line.
var signColors = map[string]string{"+": "32", "~": "33", "?": "36"}

// printVolumePlan writes a plan: a line for each volume, then notes and cost.
func (c *cli) printVolumePlan(w io.Writer, plan *fleet.VolumePlan) error {
	var table strings.Builder
	tabs := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	var signs []string
	for i := range plan.Volumes {
		v := &plan.Volumes[i]
		signs = append(signs, volumeSign(v))
		fmt.Fprintf(tabs, "%s %s\t%s\t%d GB\t%s\n", volumeSign(v), visible(v.Name), visible(v.Region), max(v.Now.SizeGB, v.Then.SizeGB), visible(volumeText(v)))
	}
	if err := tabs.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "volumes of %s, as fly.toml asks for them:\n", plan.App)
	colors := c.colors(w)
	i := 0
	for line := range strings.Lines(table.String()) {
		if code := signColors[signs[i]]; colors && code != "" {
			line = "\x1b[" + code + "m" + strings.TrimSuffix(line, "\n") + "\x1b[0m\n"
		}
		b.WriteString(line)
		for _, remark := range plan.Volumes[i].Remarks {
			writeIndented(&b, "  "+remark)
		}
		i++
	}
	for _, m := range plan.Machines {
		fmt.Fprintf(&b, "~ machine %s in %s: auto-extend %s -> %s, which restarts it\n", visible(m.ID), visible(m.Region), m.Now, m.Then)
	}
	for _, note := range plan.Notes {
		fmt.Fprintf(&b, "note: %s\n", visible(note))
	}
	b.WriteString(costText(plan))
	fmt.Fprintf(&b, "plan %s: %s\n", plan.ID(), planText(plan))
	_, err := io.WriteString(w, b.String())
	return err
}

func volumeSign(v *fleet.PlannedVolume) string {
	switch {
	case !v.Exists():
		return "+"
	case v.Changed():
		return "~"
	case v.Spare:
		return "?"
	}
	return "="
}

// volumeText is what a line says beside name, region and size.
func volumeText(v *fleet.PlannedVolume) string {
	var parts []string
	if !v.Exists() {
		parts = append(parts, "new, for group "+v.Group)
		if v.Then.Retention > 0 {
			parts = append(parts, fmt.Sprintf("snapshot_retention %d", v.Then.Retention))
		}
		if v.Then.Scheduled != nil && !*v.Then.Scheduled {
			parts = append(parts, "scheduled_snapshots false")
		}
		if v.UniqueZone {
			parts = append(parts, "in a zone of its own")
		}
		return strings.Join(parts, ", ")
	}
	where := v.ID
	switch {
	case v.Machine != "":
		where += " on machine " + v.Machine
	case v.Spare:
		where += " is free, and no machine needs it"
	default:
		where += " is free"
	}
	parts = append(parts, where)
	if v.Changed() {
		parts = append(parts, v.Then.Differs(v.Now))
	}
	return strings.Join(parts, ": ")
}

// costText is what the volumes cost, and by which prices.
func costText(plan *fleet.VolumePlan) string {
	now, then := plan.Cost()
	p := fleet.PricesNow()
	text := fmt.Sprintf("cost: %s a month", now)
	if then != now {
		text = fmt.Sprintf("cost: %s -> %s a month", now, then)
	}
	return text + fmt.Sprintf(", by Fly's prices since %s: %s a GB of volume; snapshots come to it, %s a GB stored after the organization's first %d GB\n",
		p.From, p.VolumeGB, p.SnapshotGB, p.SnapshotFreeGB)
}

func planText(plan *fleet.VolumePlan) string {
	made, changed := 0, 0
	for i := range plan.Volumes {
		switch v := &plan.Volumes[i]; {
		case !v.Exists():
			made++
		case v.Changed():
			changed++
		}
	}
	if !plan.Pending() {
		return "nothing to do"
	}
	text := fmt.Sprintf("%s to make, %d to change", counted(made, "volume"), changed)
	if n := len(plan.Machines); n > 0 {
		text += ", " + counted(n, "machine") + " to restart"
	}
	return text
}

// sayVolumeResult says in the end what was done, also of what was not all done. What is
// left of a plan that was named may have another name.
func (c *cli) sayVolumeResult(r *fleet.VolumeResult, named bool, err error) {
	did := fmt.Sprintf("%d made, %d changed", len(r.Made), len(r.Changed))
	if len(r.Restarted) > 0 {
		did += ", " + counted(len(r.Restarted), "machine") + " restarted"
	}
	switch {
	case err != nil && named:
		c.say("%s, %d left: what was made stays; what is left may be another plan: flysql volumes plan names it", did, r.Left)
	case err != nil:
		c.say("%s, %d left: what was made stays; the same command goes on from there", did, r.Left)
	case len(r.Made)+len(r.Changed)+len(r.Restarted) == 0:
		c.say("nothing to do: the volumes are as fly.toml says")
	default:
		c.say("%s: the volumes are as fly.toml says", did)
	}
	for _, machine := range r.Restart {
		c.say("machine %s sees its volume's new size after a restart: fly machine restart %s", machine, machine)
	}
}
