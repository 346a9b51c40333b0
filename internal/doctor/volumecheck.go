package doctor

import (
	"fmt"
	"regexp"
	"slices"
)

// mountKey is a mount's path as Problem.Key has it.
func mountKey(i int, key string) string { return fmt.Sprintf("mounts[%d].%s", i, key) }

// copied tells whether something copies the database off its volume.
func (c *checker) copied() bool { return c.usesLiteFS() || c.usesLitestream() }

// keepsDatabase tells whether a group's volume has the app's database.
func (c *checker) keepsDatabase(g group) bool {
	if g.mount < 0 {
		return false
	}
	known := false
	for _, d := range c.databases() {
		known = known || d.strong
		if below(d.path, c.Fly.Mounts[g.mount].Destination) && (d.groups == nil || slices.Contains(d.groups, g.name)) {
			return true
		}
	}
	return !known && c.usesSQLite()
}

// checkMachines reports what starts a second machine with a database of its own.
func checkMachines(c *checker) {
	if c.Fly == nil || c.usesLiteFS() {
		return
	}
	const alone = "each machine has a volume, and so a database, of its own"
	const hint = "keep one machine, with min_machines_running at most 1 and fly scale count 1; or copy the database with LiteFS"
	check := func(key string, n int, processes []string) {
		if n < 2 {
			return
		}
		for _, g := range c.groups() {
			serves := slices.Contains(processes, g.name) || len(processes) == 0 && g.name == c.Fly.DefaultGroup()
			if serves && c.keepsDatabase(g) {
				c.report(c.inFly(key+".min_machines_running"), "keeps %d machines running, and %s", n, alone).
					also(c.inFly(fmt.Sprintf("mounts[%d]", g.mount)), "the volume of each").hint(hint)
				return
			}
		}
	}
	if s := c.Fly.HTTPService; s != nil {
		check("http_service", s.MinMachinesRunning, s.Processes)
	}
	for i, s := range c.Fly.Services {
		if s.MinMachinesRunning != nil {
			check(fmt.Sprintf("services[%d]", i), *s.MinMachinesRunning, s.Processes)
		}
	}
	c.checkGroupsShare()
}

// checkGroupsShare reports groups that open one database, each on a volume of its
// own.
func (c *checker) checkGroupsShare() {
	for _, d := range c.databases() {
		if d.groups != nil || !d.strong {
			continue
		}
		var with []group
		for _, g := range c.groups() {
			if g.mount >= 0 && below(d.path, c.Fly.Mounts[g.mount].Destination) {
				with = append(with, g)
			}
		}
		if len(with) < 2 {
			continue
		}
		a, b := with[0], with[1]
		at := fmt.Sprintf("mounts[%d]", b.mount)
		if c.Fly.Has(at + ".processes") {
			at += ".processes"
		}
		f := c.report(c.inFly(at), "the groups %q and %q have a machine each, and a volume each: %s is one database for %q and another for %q", a.name, b.name, d.path, a.name, b.name)
		if b.mount != a.mount {
			f.also(c.inFly(fmt.Sprintf("mounts[%d]", a.mount)), fmt.Sprintf("the volume of %q", a.name))
		}
		f.also(d.at, "names the database")
		f.hint("run what shares a database on one machine: start both from one command, and keep one group; or copy the database with LiteFS")
		return
	}
}

// checkCopies reports a volume that nobody thought of losing.
func checkCopies(c *checker) {
	if c.Fly == nil || c.copied() {
		return
	}
	for i, m := range c.Fly.Mounts {
		if c.Fly.Has(mountKey(i, "snapshot_retention")) || m.ScheduledSnapshots != nil {
			continue // FLY215 is about those
		}
		c.report(c.inFly(fmt.Sprintf("mounts[%d]", i)), "the only copies of %s are Fly's daily snapshots, kept for 5 days", m.Destination).
			hint("say how long they are to be kept, snapshot_retention = 14, or copy the database with Litestream; what snapshots lack is up to a day old")
	}
}

// checkGroupVolumes reports groups that open the database without its volume.
func checkGroupVolumes(c *checker) {
	if c.Fly == nil {
		return
	}
	for _, g := range c.groups() {
		if g.mount >= 0 || g.command.key != "processes."+g.name {
			continue
		}
		for i, m := range c.Fly.Mounts {
			name, why := c.opensBelow(g, m.Destination)
			if why == "" {
				continue
			}
			c.report(c.inFly(g.command.key), "the group %q opens %s (%s), and its machine has no volume", g.name, name, why).
				also(c.inFly(fmt.Sprintf("mounts[%d]", i)), "the volume is another group's").
				hint("run it on the machine that has the volume: start it from the app's own command, and remove the group; a volume belongs to one machine")
			break
		}
	}
}

// frameworkCommands load the whole app, with its database. That Rails reads
// DATABASE_URL is its own doing; Django's settings mostly do.
var frameworkCommands = map[string]*regexp.Regexp{
	"Rails":  regexp.MustCompile(`\b(rails|rake|sidekiq|bin/jobs|good_job|delayed_job|puma|thrust)\b`),
	"Django": regexp.MustCompile(`\b(manage\.py|celery|qcluster|huey|gunicorn|uvicorn|daphne)\b`),
}

// opensBelow tells which database in a directory a group's program opens, and by
// what that is known; empty where it is not known.
func (c *checker) opensBelow(g group, dir string) (name, why string) {
	m := c.program(g)
	for _, d := range c.databases() {
		if !below(d.path, dir) {
			continue
		}
		switch {
		case containsPath(g.command.text, d.path), slices.Contains(d.groups, g.name):
			return d.path, "its command or code names it"
		case m != nil && m.Driver != "" && m.Database.Var != "" && m.Database.Var == d.from:
			return d.path, m.Package() + " reads " + d.from
		case m != nil && d.from == "DATABASE_URL" && frameworkCommands[m.Framework] != nil && frameworkCommands[m.Framework].MatchString(g.command.text):
			return d.path, m.Framework + " reads " + d.from
		}
	}
	return "", ""
}

// checkGrowth reports a volume whose limit is its size.
func checkGrowth(c *checker) {
	if c.Fly == nil {
		return
	}
	for i, m := range c.Fly.Mounts {
		if m.InitialSizeGB > 0 && m.AutoExtendLimitGB > 0 && m.AutoExtendLimitGB <= m.InitialSizeGB && m.AutoExtendThresholdPercent > 0 && m.AutoExtendIncrementGB > 0 {
			c.report(c.inFly(mountKey(i, "auto_extend_size_limit")), "%d GB is not above the volume's size, %d GB: it never grows", m.AutoExtendLimitGB, m.InitialSizeGB).
				also(c.inFly(mountKey(i, "initial_size")), "the size").
				hint(fmt.Sprintf("give a limit above it, such as auto_extend_size_limit = \"%dGB\", or remove the three auto_extend keys", min(10*m.InitialSizeGB, 500)))
		}
	}
}

// checkSnapshots reports snapshots that are switched off with nothing instead.
func checkSnapshots(c *checker) {
	if c.Fly == nil || c.copied() {
		return
	}
	for i, m := range c.Fly.Mounts {
		if m.ScheduledSnapshots != nil && !*m.ScheduledSnapshots {
			c.report(c.inFly(mountKey(i, "scheduled_snapshots")), "Fly takes no snapshots of %s, and nothing else copies it", m.Destination).
				hint("remove the key, or copy the database with Litestream")
		}
	}
}

// checkNewVolumes notes that what is said of snapshots is for volumes to come.
func checkNewVolumes(c *checker) {
	if c.Fly == nil {
		return
	}
	for i, m := range c.Fly.Mounts {
		switch {
		case m.SnapshotRetentionDays > 0 && m.SnapshotRetentionDays <= 60:
			c.report(c.inFly(mountKey(i, "snapshot_retention")), "%d days hold for a volume that fly deploy makes, and not for one that is there", m.SnapshotRetentionDays).
				hint(fmt.Sprintf("for that: fly volumes update ID --snapshot-retention %d", m.SnapshotRetentionDays))
		case m.ScheduledSnapshots != nil:
			c.report(c.inFly(mountKey(i, "scheduled_snapshots")), "holds for a volume that fly deploy makes, and not for one that is there").
				hint(fmt.Sprintf("for that: fly volumes update ID --scheduled-snapshots=%t", *m.ScheduledSnapshots))
		}
	}
}
