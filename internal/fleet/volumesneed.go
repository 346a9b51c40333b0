package fleet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
	fly "github.com/superfly/fly-go"
)

// need is how many volumes a group must have in a region.
type need struct {
	group, region string
	mount         flyconf.Mount
	count         int
	planned       bool              // the group is one that the plan is for
	guest         *fly.MachineGuest // what its machines are, for Fly to find a host with room; nil: none is there
}

// GroupError says that a process group cannot be planned for.
type GroupError struct{ Group, Reason string }

func (e *GroupError) Error() string {
	if e.Group == "" {
		return e.Reason
	}
	return fmt.Sprintf("process group %q: %s", e.Group, e.Reason)
}

// needsOf says what volumes there must be: of all groups with a mount, since they may
// share a volume's name; those that the wish is for are marked.
func needsOf(config *flyconf.Config, f *Fleet, wish VolumeWish) ([]need, error) {
	groups, err := groupsFor(config, wish)
	if err != nil {
		return nil, err
	}
	if config.PrimaryRegion == "" {
		return nil, &GroupError{"", "fly.toml has no primary_region: a volume needs a region to be made in"}
	}
	var needs []need
	for _, group := range config.Groups() {
		mounts := config.GroupMounts(group)
		if len(mounts) == 0 {
			continue
		}
		planned := slices.Contains(groups, group)
		running, guest := map[string]int{}, (*fly.MachineGuest)(nil)
		for _, m := range f.OfGroup(group) {
			running[m.Region]++
			if g := Config(m).Guest; g != nil && guest == nil {
				guest = g
			}
		}
		for _, region := range regionsOf(config, running, wish, planned) {
			n := need{group: group, region: region, mount: mounts[0], count: running[region], planned: planned, guest: guest}
			if planned {
				n.count = max(n.count, 1)
				if len(wish.Regions) == 0 || slices.Contains(wish.Regions, region) {
					n.count = max(n.count, wish.Count)
				}
			}
			needs = append(needs, n)
		}
	}
	return needs, nil
}

// groupsFor are the groups that a wish is for.
func groupsFor(config *flyconf.Config, wish VolumeWish) ([]string, error) {
	var mounted []string
	for _, group := range config.Groups() {
		if len(config.GroupMounts(group)) > 0 {
			mounted = append(mounted, group)
		}
	}
	switch {
	case len(mounted) == 0:
		return nil, &GroupError{"", "fly.toml has no [[mounts]]: there are no volumes to plan; flysql init writes one"}
	case wish.Group == "" && wish.Count > 0 && len(mounted) > 1:
		return nil, &GroupError{"", fmt.Sprintf("--count could mean each of the groups %s: give --group", strings.Join(mounted, ", "))}
	case wish.Group == "":
		return mounted, nil
	case !slices.Contains(config.Groups(), wish.Group):
		return nil, &GroupError{wish.Group, "fly.toml has no such group: it has " + strings.Join(config.Groups(), ", ")}
	case !slices.Contains(mounted, wish.Group):
		return nil, &GroupError{wish.Group, "fly.toml has no mount for it: with a volume are " + strings.Join(mounted, ", ")}
	}
	return []string{wish.Group}, nil
}

// regionsOf are the regions in which a group is to have volumes: primary_region first,
// then the others by code.
func regionsOf(config *flyconf.Config, running map[string]int, wish VolumeWish, planned bool) []string {
	var list []string
	for region := range running {
		list = append(list, region)
	}
	if planned {
		list = append(list, wish.Regions...)
	}
	slices.Sort(list)
	list = slices.DeleteFunc(slices.Compact(list), func(r string) bool { return r == config.PrimaryRegion })
	if planned || running[config.PrimaryRegion] > 0 {
		list = slices.Insert(list, 0, config.PrimaryRegion)
	}
	return list
}

// machines are those that volumes may be attached to.
type machines struct {
	group map[string]string // a machine's, by its id
	mount map[string]string // the machine, by the volume's id
}

func machinesOf(f *Fleet) machines {
	m := machines{group: map[string]string{}, mount: f.Holders()}
	for _, one := range f.Machines {
		m.group[one.ID] = Group(one)
	}
	return m
}

// holder is the machine that a volume is attached to. Empty: none.
func (m machines) holder(v *fly.Volume) string {
	if v.AttachedMachine != nil && *v.AttachedMachine != "" {
		return *v.AttachedMachine
	}
	return m.mount[v.ID]
}
