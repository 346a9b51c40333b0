package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/fleet"
)

// ofLiteFS tells whether what runs is to be a cluster, by the files or by the nodes.
func (c *checker) ofLiteFS() bool {
	return c.Remote != nil && (c.usesLiteFS() || fleet.Lead(c.Remote.Nodes).LiteFS)
}

// names are machines as messages name them, in the order of the fleet.
func (r *Remote) names(ids []string) []string {
	var names []string
	for _, m := range r.Fleet.Machines {
		if slices.Contains(ids, m.ID) {
			names = append(names, fleet.NameOf(m))
		}
	}
	return names
}

func (r *Remote) named(ids []string) string { return fleet.Some(r.names(ids)) }

// place is the first of machines.
func (r *Remote) place(ids ...string) Place {
	if names := r.names(ids); len(names) > 0 {
		return Place{Object: names[0]}
	}
	return Place{}
}

// checkRemoteMachines: FLY209 of machines that run.
func checkRemoteMachines(c *checker) {
	if c.Remote == nil || c.Fly == nil || c.ofLiteFS() {
		return
	}
	for _, g := range c.groups() {
		var ids []string
		for _, m := range c.Remote.lasting() {
			if fleet.Group(m) == g.name {
				ids = append(ids, m.ID)
			}
		}
		if len(ids) > 1 && c.keepsDatabase(g) {
			c.report(c.onFly(fmt.Sprintf("mounts[%d]", g.mount), "group "+g.name), "%d machines run: %s; each has a volume, and so a database, of its own", len(ids), c.Remote.named(ids)).
				hint("find the one whose database is meant (flysql status), copy the others' away, then fly scale count 1; or copy the database with LiteFS")
		}
	}
}

// checkRemoteCloud: FLY412 of the secret.
func checkRemoteCloud(c *checker) {
	const name = "LITEFS_CLOUD_TOKEN"
	if c.Remote != nil && c.hasSecret(name) {
		c.report(Place{Object: "secret " + name}, "the app has the secret %s: LiteFS Cloud ended in October 2024", name).hint("fly secrets unset " + name)
	}
}

// checkRemoteCandidates: FLY409 of machines that run.
func checkRemoteCandidates(c *checker) {
	if c.Fly == nil || !c.ofLiteFS() || c.Fly.PrimaryRegion == "" {
		return
	}
	at := c.onFly("primary_region", "region "+c.Fly.PrimaryRegion)
	for _, cause := range c.remoteDifferences(fleet.PrimaryMissing) {
		c.report(at, "%s: only candidates, which are there, can be the primary", cause.Message).
			hint("flysql regions add " + c.Fly.PrimaryRegion)
	}
	var ids []string
	for _, m := range c.Remote.lasting() {
		if m.Region != c.Fly.PrimaryRegion || m.State != fly.MachineStateStarted {
			continue
		}
		n := c.Remote.Nodes[m.ID]
		if !n.Known() || n.LiteFS.Candidate {
			return // one that may be, or is
		}
		ids = append(ids, m.ID)
	}
	if len(ids) > 0 {
		c.report(at, "no machine in %s is a candidate: %s", c.Fly.PrimaryRegion, c.Remote.named(ids)).
			hint("write candidate: " + candidateByRegion + " into litefs.yml, and deploy")
	}
}

// checkPrimaries: FLY608.
func checkPrimaries(c *checker) {
	if c.Remote == nil {
		return
	}
	if l := fleet.Lead(c.Remote.Nodes); len(l.Primaries) > 1 {
		c.report(c.Remote.place(l.Primaries...), "these say that they are the primary: %s", c.Remote.named(l.Primaries)).
			hint("stop the app's writes now; the one that the lease server names (flysql status) is right. Before the other is restarted, copy its database away: docs/litefs.md says how")
	}
}

// checkNoPrimary: FLY609. Those that run must all have said so.
func checkNoPrimary(c *checker) {
	if c.Remote == nil {
		return
	}
	l := fleet.Lead(c.Remote.Nodes)
	if len(l.Primaries) > 0 || l.Asked == 0 || len(l.Named[""]) != l.Asked {
		return // one that could not be asked may be it, and be named by who could
	}
	f := c.report(c.Remote.place(l.Named[""]...), "no node knows a primary: %s", c.Remote.named(l.Named[""])).
		hint("fly logs says why none becomes it: a candidate must run, and reach the lease server")
	if _, running := c.Remote.Reached(); l.Asked < running {
		f.Severity = Warning
		f.Message += fmt.Sprintf("; %d could not be asked", running-l.Asked)
	}
}

// checkBehind: FLY610, by two looks.
func checkBehind(c *checker) {
	if c.Remote == nil {
		return
	}
	for _, id := range c.Remote.behind(c.Remote.Later) {
		n := c.Remote.Later[id]
		for _, db := range n.Databases {
			if lacks, known := fleet.Behind(n, fleet.Newest(c.Remote.Nodes, db.Name), db.Name); known && lacks > 0 {
				c.report(c.Remote.place(id), "%s lacks %s that the primary had a second before", db.Name, plural(lacks, "transaction")).
					hint("a read transaction that stays open holds LiteFS up; a machine that is too small, or far away, is behind under load")
			}
		}
	}
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// checkHistories: FLY611.
func checkHistories(c *checker) {
	if c.Remote == nil {
		return
	}
	l := fleet.Lead(c.Remote.Nodes)
	if len(l.Clusters) > 1 {
		var parts []string
		first := ""
		for _, m := range c.Remote.Fleet.Machines { // in their order
			for cluster, ids := range l.Clusters {
				if ids[0] == m.ID {
					parts = append(parts, cluster+": "+c.Remote.named(ids))
					first = cmp.Or(first, m.ID)
				}
			}
		}
		slices.Sort(parts)
		c.report(c.Remote.place(first), "nodes are of %d clusters: %s", len(l.Clusters), strings.Join(parts, "; ")).
			hint("a node joins the cluster whose id the lease server has; docs/litefs.md says what to do about the data of another")
		return
	}
	c.checkForks()
}

// checkForks finds databases that have the same number of transactions and another
// content.
func (c *checker) checkForks() {
	type mark struct{ database, tx string }
	seen := map[mark]struct{ id, sum string }{}
	for _, m := range c.Remote.Fleet.Machines {
		for _, db := range c.Remote.Nodes[m.ID].Databases {
			tx, sum, found := strings.Cut(db.Position, "/")
			if !found {
				continue
			}
			other, known := seen[mark{db.Name, tx}]
			if !known {
				seen[mark{db.Name, tx}] = struct{ id, sum string }{m.ID, sum}
				continue
			}
			if other.sum != sum {
				c.report(c.Remote.place(m.ID), "%s has another content after the same transactions: %s", db.Name, c.Remote.named([]string{other.id, m.ID})).
					hint("copy both away (litefs export) before either is restarted: the replica's own rows are lost when it follows again")
			}
		}
	}
}
