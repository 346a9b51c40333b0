package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	fly "github.com/superfly/fly-go"
)

// RemovePlan is what a removal does. Making one changes nothing.
type RemovePlan struct {
	App, Group string
	Primary    *fly.Machine   // who stays it; nil of a group without a volume
	Machines   []*fly.Machine // in the order in which they go
	Volumes    []fly.Volume   // theirs, and free ones of the group in the regions
	Delete     bool           // the volumes go too
	Notes      []string

	regions []string
	cluster *Cluster
}

// Pending tells whether the plan does anything.
func (p *RemovePlan) Pending() bool {
	return len(p.Machines) > 0 || p.Delete && len(p.Volumes) > 0
}

// ID names what the plan does: two plans that do the same have the same.
func (p *RemovePlan) ID() string {
	var b strings.Builder
	for _, m := range p.Machines {
		fmt.Fprint(&b, m.ID, " ")
	}
	for _, v := range p.Volumes {
		fmt.Fprint(&b, v.ID, " ", p.Delete)
	}
	return b.String()
}

// PlanRemove says which machines go from regions, and refuses what could lose a row or
// leave the app without a writer. c holds Volumes and Machines. With deleteVolumes their
// volumes go too.
func PlanRemove(c *Cluster, regions []string, deleteVolumes bool) (*RemovePlan, error) {
	p := &RemovePlan{App: c.App, Group: c.Group, Delete: deleteVolumes, regions: regions, cluster: c}
	for _, region := range regions {
		p.Machines = append(p.Machines, c.in(region)...)
	}
	if c.Mount != nil {
		p.volumes(c)
	}
	if !p.Pending() {
		if len(p.Volumes) == 0 {
			return nil, fmt.Errorf("group %s has nothing in %s: it has machines in %s", c.Group, strings.Join(regions, ", "), strings.Join(places(c.Members()), ", "))
		}
		return p, nil
	}
	if slices.Contains(regions, c.Config.PrimaryRegion) {
		return nil, fmt.Errorf("%s is primary_region in fly.toml: the only machines that may become the primary are there; first have others (flysql regions add), set primary_region to where they are, and fly deploy", c.Config.PrimaryRegion)
	}
	if len(p.staying()) == 0 {
		return nil, fmt.Errorf("no machine of group %s would be left: %s has its only ones; fly apps destroy takes an app down", c.Group, strings.Join(regions, ", "))
	}
	for _, m := range c.Fleet.Machines {
		if slices.Contains(regions, m.Region) && Group(m) != c.Group && !Temporary(m) {
			p.Notes = append(p.Notes, fmt.Sprintf("machine %s in %s is of group %s, and stays", m.ID, m.Region, Group(m)))
		}
	}
	if c.Mount == nil {
		return p, nil
	}
	return p, p.roles(c)
}

// places are the regions that machines are in.
func places(machines []*fly.Machine) []string {
	var list []string
	for _, m := range machines {
		list = append(list, m.Region)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// staying are the machines that are left.
func (p *RemovePlan) staying() []*fly.Machine {
	return slices.DeleteFunc(p.cluster.Members(), func(m *fly.Machine) bool { return slices.Contains(p.regions, m.Region) })
}

// volumes are those that go with the machines, and those that a run before has left.
func (p *RemovePlan) volumes(c *Cluster) {
	holders := c.Holders()
	for _, v := range c.Fleet.Volumes {
		holder := holders[v.ID]
		goes := slices.ContainsFunc(p.Machines, func(m *fly.Machine) bool { return m.ID == holder })
		if slices.Contains(p.regions, v.Region) && v.Name == c.Mount.Source && (goes || holder == "") {
			p.Volumes = append(p.Volumes, v)
		}
	}
}

// roles refuses to take the primary, the last that may become it, and what has rows that
// the primary has not.
func (p *RemovePlan) roles(c *Cluster) (err error) {
	p.Primary, err = c.Primary()
	if errors.Is(err, errVolumeMode) {
		return fmt.Errorf("%w: what the machine has, no other has; take it away yourself if it is not needed (fly machine destroy)", err)
	}
	if err != nil {
		return err
	}
	if slices.Contains(p.regions, p.Primary.Region) {
		return fmt.Errorf("machine %s in %s is the primary now: a machine in primary_region (%s) takes over when it is restarted there (fly machine restart %s); then run it again", p.Primary.ID, p.Primary.Region, c.Config.PrimaryRegion, p.Primary.ID)
	}
	if !slices.ContainsFunc(p.staying(), func(m *fly.Machine) bool { n := c.Nodes[m.ID]; return n.Known() && n.LiteFS.Candidate }) {
		return errors.New("no machine would be left that may become the primary (lease.candidate) and answers: the app could not write once the primary ends")
	}
	for _, m := range p.Machines {
		if why := p.unsafe(m); why != "" {
			return fmt.Errorf("machine %s in %s: %s", m.ID, m.Region, why)
		}
	}
	return nil
}

// unsafe says why a machine must not go, or "".
func (p *RemovePlan) unsafe(m *fly.Machine) string {
	n := p.cluster.Nodes[m.ID]
	switch {
	case Config(m).Metadata[removeMark] != "" && m.State != fly.MachineStateStarted:
		return "" // it was asked before it was stopped
	case fresh(m):
		return ""
	case !n.Known():
		return fmt.Sprintf("it is not known whether it has rows that no other has (%s): start it (fly machine start %s), or see to it yourself", cmp.Or(n.Unknown, n.Why, "its LiteFS does not answer"), m.ID)
	}
	if why := ahead(n, p.cluster.Nodes[p.Primary.ID], true); why != "" {
		return "it has rows that the primary has not: " + why + "; they would be lost"
	}
	return ""
}
