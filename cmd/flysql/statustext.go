package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/fleet"
)

// statusWidth is what a terminal has at least.
const statusWidth = 80

// text is the screen.
func (s *statusOf) text(colors bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s", s.client.AppName(), counted(len(s.fleet.Machines), "machine"), counted(len(s.fleet.Volumes), "volume"))
	if s.config != nil && s.config.PrimaryRegion != "" {
		fmt.Fprintf(&b, ", primary_region %s", s.config.PrimaryRegion)
	}
	b.WriteString("\n")
	for _, line := range s.leaseLines() {
		b.WriteString(fit(line) + "\n")
	}
	s.machineTable().write(&b, colors)
	s.volumeTable().write(&b, colors)
	s.writeDifferences(&b)
	s.writeUnknown(&b)
	return b.String()
}

// leaseLines say who leads, as the nodes do.
func (s *statusOf) leaseLines() []string {
	l := s.lead
	switch primary, agreed := l.Agreed(); {
	case !l.LiteFS && l.Asked == 0:
		return nil
	case agreed && len(l.Holders) == 0:
		return []string{fmt.Sprintf("lease: %s, as %s", visible(primary), say(l.Asked))}
	case agreed && len(l.Holders) == 1 && l.Holders[0] == primary:
		return []string{fmt.Sprintf("lease: %s, as %s and the lease server", visible(primary), say(l.Asked))}
	case l.Asked == 0:
		return []string{"lease: not known: no LiteFS answers"}
	}
	lines := []string{"lease: nodes do not agree"}
	if len(l.Named) == 1 && l.Named[""] != nil {
		lines[0] = "lease: nobody has it, as " + say(l.Asked)
	}
	for _, name := range sortedNames(l.Named) {
		if len(l.Named) > 1 {
			lines = append(lines, fmt.Sprintf("  primary is %s: %s", cmp.Or(visible(name), "nobody"), visible(fleet.Some(l.Named[name]))))
		}
	}
	if len(l.Holders) > 0 {
		lines = append(lines, "  the lease server: "+visible(strings.Join(l.Holders, ", ")))
	}
	return lines
}

func say(n int) string {
	if n == 1 {
		return "1 node says"
	}
	return fmt.Sprintf("%d nodes say", n)
}

func (s *statusOf) machineTable() *table {
	t := &table{heads: []string{"REGION", "MACHINE", "ROLE", "LAG", "POSITION", "IMAGE", "STATE", "CHECKS"}, most: []int{6, 14, 8, 8, 11, 11, 9, 6}}
	mixed := map[string]bool{}
	for _, d := range s.differences {
		mixed[d.Machine] = mixed[d.Machine] || d.Kind == fleet.ImagesMixed
	}
	for _, m := range s.fleet.Machines {
		n := s.nodes[m.ID]
		image, imageColor := fleet.ShortImage(m), ""
		if mixed[m.ID] {
			image, imageColor = "!"+image, yellow
		}
		state, stateColor := m.State, ""
		if state != fly.MachineStateStarted {
			stateColor = yellow
		}
		if !fleet.Reachable(string(m.HostStatus)) {
			state, stateColor = "host down", red
		}
		checks := m.AllHealthChecks()
		checked, checkColor := "-", ""
		if checks.Total > 0 {
			checked = fmt.Sprintf("%d/%d", checks.Passing, checks.Total)
			if !checks.AllPassing() {
				checkColor = red
			}
		}
		role, roleColor := roleOf(n)
		t.add(cell{m.Region, ""}, cell{m.ID, ""}, cell{role, roleColor}, cell{s.lagOf(n), ""}, cell{positionOf(n), ""},
			cell{image, imageColor}, cell{state, stateColor}, cell{checked, checkColor})
	}
	return t
}

func roleOf(n fleet.Node) (role, color string) {
	switch {
	case n.Role() == "primary":
		return "primary", green
	case n.Role() != "":
		return n.Role(), ""
	case n.Via != "" && n.LiteFS == nil:
		return "-", "" // no LiteFS
	}
	return "?", yellow
}

// lagOf is in time where the node said so, else in transactions.
func (s *statusOf) lagOf(n fleet.Node) string {
	if n.Role() != "replica" {
		return "-"
	}
	if ms := n.LiteFS.LagMS; ms != nil {
		return shortTime(time.Duration(*ms) * time.Millisecond)
	}
	for _, db := range n.Databases {
		if lacks, known := fleet.Behind(n, fleet.Newest(s.nodes, db.Name), db.Name); known {
			return fmt.Sprintf("%d tx", lacks)
		}
	}
	return "?"
}

// positionOf is that of the first database: how many transactions, and the beginning of
// the checksum, by which two histories are told apart.
func positionOf(n fleet.Node) string {
	for i, db := range n.Databases {
		number, sum, found := strings.Cut(db.Position, "/")
		tx, err := strconv.ParseUint(number, 16, 64)
		if !found || err != nil || len(sum) < 5 {
			continue
		}
		text := fmt.Sprintf("%d/%s", tx, sum[len(sum)-4:])
		if more := len(n.Databases) - i - 1; more > 0 {
			text += fmt.Sprintf("+%d", more)
		}
		return text
	}
	return "-"
}

func (s *statusOf) volumeTable() *table {
	t := &table{heads: []string{"REGION", "VOLUME", "SIZE", "USED", "SNAPSHOT", "ZONE", "HOST", "MACHINE"}, most: []int{6, 20, 6, 5, 8, 6, 7, 14}}
	holders := s.fleet.Holders()
	for _, v := range s.fleet.Volumes {
		holder := holders[v.ID]
		used := "-"
		if holder != "" {
			used = "?"
		}
		if disk := s.nodes[holder].Volume; disk.Size > 0 {
			used = fmt.Sprintf("%d%%", 100*(disk.Size-disk.Free)/disk.Size)
		}
		host, hostColor := cmp.Or(v.HostStatus, "ok"), ""
		if !fleet.Reachable(v.HostStatus) {
			host, hostColor = "down", red
			if v.HostStatus != string(fly.HostStatusUnreachable) {
				host = v.HostStatus
			}
		}
		snapshot, snapshotColor := s.snapshotOf(v.ID)
		t.add(cell{v.Region, ""}, cell{v.ID, ""}, cell{fmt.Sprintf("%dGB", v.SizeGb), ""}, cell{used, ""}, cell{snapshot, snapshotColor},
			cell{cmp.Or(v.Zone, "-"), ""}, cell{host, hostColor}, cell{cmp.Or(holder, "-"), ""})
	}
	return t
}

func (s *statusOf) snapshotOf(volume string) (age, color string) {
	if s.fleet.Parts&fleet.Snapshots == 0 {
		return "?", ""
	}
	last, ok := s.fleet.LastSnapshot(volume)
	if !ok {
		return "none", yellow
	}
	return shortTime(s.at.Sub(last.CreatedAt)), ""
}

// shortTime is a duration in its greatest unit.
func shortTime(d time.Duration) string {
	switch d = max(d, 0); {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d >= 10*time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

// writeDifferences writes one line for each cause, whatever the number of machines.
func (s *statusOf) writeDifferences(b *strings.Builder) {
	if s.config == nil {
		b.WriteString("\nnot compared: there is no fly.toml here\n")
		return
	}
	if len(s.differences) == 0 {
		fmt.Fprintf(b, "\nas %s says\n", visible(s.file))
		return
	}
	fmt.Fprintf(b, "\nnot as %s says:\n", visible(s.file))
	for _, cause := range fleet.Causes(s.differences) {
		b.WriteString(wrap("  ", visible(fleet.Some(cause.Objects)+": "+cause.Message)))
	}
}

// writeUnknown says of which machines something is not known, and why.
func (s *statusOf) writeUnknown(b *strings.Builder) {
	byWhy := map[string][]string{}
	for _, m := range s.fleet.Machines {
		if n := s.nodes[m.ID]; n.Via == "" && m.State == fly.MachineStateStarted {
			byWhy[n.Unknown] = append(byWhy[n.Unknown], m.ID)
		}
	}
	for i, why := range sortedNames(byWhy) {
		if i == 0 {
			b.WriteString("\nnot known:\n")
		}
		b.WriteString(wrap("  ", fmt.Sprintf("%s: %s", visible(fleet.Some(byWhy[why])), visible(why))))
	}
}

// wrap breaks a text into lines of the screen's width; those after the first are
// indented further.
func wrap(indent, text string) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if used := utf8.RuneCountInString(line); used > len(indent) && used+1+utf8.RuneCountInString(word) > statusWidth {
			b.WriteString(line + "\n")
			line = indent + "  "
		}
		if strings.TrimSpace(line) != "" {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
