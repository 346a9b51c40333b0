package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/nodestatus"
)

// The metadata by which a machine that is being added or removed is known again: a run
// that was stopped, however it ended, is gone on with by the next one.
const (
	addMark    = "flysql_region_add"
	removeMark = "flysql_region_remove"
)

// NodeAsker asks machines what their LiteFS is: Asker does.
type NodeAsker interface {
	Nodes(ctx context.Context, machines []*fly.Machine) map[string]Node
}

// candidateMark is the value of addMark once a machine may be the primary.
const candidateMark = "candidate"

// fresh tells of a machine that an addition has begun, and that could never be the primary:
// it has nothing that no other has.
func fresh(m *fly.Machine) bool {
	mark := Config(m).Metadata[addMark]
	return mark != "" && mark != candidateMark
}

// Cluster is a process group on Fly with what its machines say of their database.
type Cluster struct {
	*Fleet
	Config *flyconf.Config
	Group  string
	Mount  *flyconf.Mount  // nil: the group has no volume
	Nodes  map[string]Node // by the machine's id; of a group without a volume, nil
}

// SurveyCluster surveys an app and asks the machines of a group for their role and
// position. An empty group is the one with a volume, or the only one.
func SurveyCluster(ctx context.Context, client *flyapi.Client, asker NodeAsker, config *flyconf.Config, group string, parts Parts) (*Cluster, error) {
	group, err := groupOf(config, group)
	if err != nil {
		return nil, err
	}
	f, err := Survey(ctx, client, parts|Machines|Volumes)
	if err != nil {
		return nil, err
	}
	if err := f.findHolders(ctx, client); err != nil {
		return nil, err
	}
	c := &Cluster{Fleet: f, Config: config, Group: group}
	if len(c.Members()) == 0 {
		return nil, fmt.Errorf("app %s has no machine of group %s: fly deploy makes the first one", f.App, group)
	}
	if mounts := config.GroupMounts(group); len(mounts) > 0 {
		c.Mount = &mounts[0]
		c.Nodes = asker.Nodes(ctx, c.Members())
	}
	return c, nil
}

// findHolders asks for the machines that volumes are attached to and the list has not: one
// that was just made may be missing from it, and would be made again.
func (f *Fleet) findHolders(ctx context.Context, client *flyapi.Client) error {
	for _, v := range f.Volumes {
		if v.AttachedMachine == nil || *v.AttachedMachine == "" || f.Machine(*v.AttachedMachine) != nil {
			continue
		}
		m, err := client.Machine(ctx, *v.AttachedMachine)
		if errors.Is(err, flyapi.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if m.IsActive() {
			f.Machines = append(f.Machines, m)
		}
	}
	return nil
}

// groupOf is the process group that is meant.
func groupOf(config *flyconf.Config, group string) (string, error) {
	groups := config.Groups()
	if group != "" {
		if !slices.Contains(groups, group) {
			return "", &GroupError{group, "fly.toml has no such group: it has " + strings.Join(groups, ", ")}
		}
		return group, nil
	}
	if len(groups) == 1 {
		return groups[0], nil
	}
	mounted := slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return len(config.GroupMounts(g)) == 0 })
	if len(mounted) == 1 {
		return mounted[0], nil
	}
	return "", &GroupError{"", "fly.toml has the groups " + strings.Join(groups, ", ") + ": give --group"}
}

// Members are the group's machines, without those that run for a moment.
func (c *Cluster) Members() []*fly.Machine {
	return slices.DeleteFunc(c.OfGroup(c.Group), Temporary)
}

// in are the members in a region.
func (c *Cluster) in(region string) []*fly.Machine {
	return slices.DeleteFunc(c.Members(), func(m *fly.Machine) bool { return m.Region != region })
}

// Primary is the machine that says it is the primary. The error says why it is not known:
// nobody's role is guessed.
func (c *Cluster) Primary() (*fly.Machine, error) {
	var found []*fly.Machine
	var why []string
	volume := false
	for _, m := range c.Members() {
		n := c.Nodes[m.ID]
		switch {
		case n.Role() == nodestatus.Primary:
			found = append(found, m)
		case n.Mode == nodestatus.Volume:
			volume = true
		case n.Role() == "":
			why = append(why, fmt.Sprintf("%s (%s): %s", m.ID, m.Region, cmp.Or(n.Unknown, n.Why, "its LiteFS does not answer")))
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("machines %s and %s both say that they are the primary: look at flysql status and fly logs before anything is changed", found[0].ID, found[1].ID)
	case volume:
		return nil, errVolumeMode
	case len(why) > 0:
		return nil, fmt.Errorf("no machine says that it is the primary, and these cannot be asked:\n  %s\nstart what is stopped (fly machine start), or run it where LiteFS answers: inside Fly, or over WireGuard (fly wireguard create)", strings.Join(why, "\n  "))
	}
	return nil, errors.New("no machine is the primary: the cluster has no writer now; flysql status and fly logs show why")
}

// errVolumeMode is for those whose database nothing copies.
var errVolumeMode = errors.New("the database is on the volume of one machine, and nothing copies it")

// ahead says which database of a node has another history than that of the primary, or
// has gone on further: it holds rows that the primary has not. Where the primary may have
// been asked first, further says nothing.
func ahead(n, primary Node, maybeFirst bool) string {
	for _, db := range n.Databases {
		at := primary.Position(db.Name)
		if db.Position == "" || at == "" {
			continue
		}
		if a, b := transactions(db.Position), transactions(at); a > b && !maybeFirst || a == b && db.Position != at {
			return fmt.Sprintf("%s stands at %s there, and at %s on the primary", db.Name, db.Position, at)
		}
	}
	return ""
}
