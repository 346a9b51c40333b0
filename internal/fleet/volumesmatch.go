package fleet

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/flysql/flysql/flyconf"
	fly "github.com/superfly/fly-go"
)

// place is where volumes stand for each other: of one name, in one region.
type place struct{ name, region string }

// match holds the volumes that are listed against the needs, and sets what is planned of
// each. It is the same whoever does it, and in whatever order the volumes come.
//
// A volume counts for the group of the machine that it is attached to. Those that are free
// count for the groups that lack some, the oldest first, so that two who plan at once
// agree on which are too many.
func (p *VolumePlan) match() {
	p.Volumes = nil
	volumes := slices.Clone(p.listed)
	slices.SortFunc(volumes, older)
	free := map[place][]*fly.Volume{}
	held := map[string]map[place][]*fly.Volume{}
	var others []*fly.Volume
	for i := range volumes {
		v := &volumes[i]
		at := place{v.Name, v.Region}
		group, known := p.machines.group[p.machines.holder(v)]
		switch {
		case known && p.hasMount(group, v.Name):
			if held[group] == nil {
				held[group] = map[place][]*fly.Volume{}
			}
			held[group][at] = append(held[group][at], v)
		case !known && p.needed(at) && (p.machines.holder(v) != "" || Reachable(v.HostStatus)):
			// Attached to a machine that no list has, it is about to be free, or its
			// machine is new: it counts, or a volume would be made beside it.
			free[at] = append(free[at], v)
		default:
			others = append(others, v)
		}
	}
	for _, n := range p.needs {
		p.matchNeed(n, held, free)
	}
	p.matchRest(held, free, others)
}

func older(a, b fly.Volume) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

func (p *VolumePlan) hasMount(group, name string) bool {
	return slices.ContainsFunc(p.needs, func(n need) bool { return n.group == group && n.mount.Source == name })
}

func (p *VolumePlan) needed(at place) bool {
	return slices.ContainsFunc(p.needs, func(n need) bool { return n.region == at.region && n.mount.Source == at.name })
}

// matchNeed takes what there is for one need, and plans what is missing.
func (p *VolumePlan) matchNeed(n need, held map[string]map[place][]*fly.Volume, free map[place][]*fly.Volume) {
	at := place{n.mount.Source, n.region}
	have := held[n.group][at]
	delete(held[n.group], at)
	for len(have) < n.count && len(free[at]) > 0 {
		have, free[at] = append(have, free[at][0]), free[at][1:]
	}
	for _, v := range have {
		p.Volumes = append(p.Volumes, p.planned(v, n.group, &n.mount, n.planned))
	}
	if !n.planned {
		return
	}
	all := n.count
	for _, other := range p.needs {
		if other.mount.Source == at.name && other.region == at.region && other.group != n.group {
			all += other.count
		}
	}
	for range n.count - len(have) {
		p.Volumes = append(p.Volumes, PlannedVolume{Name: at.name, Region: at.region, Group: n.group, UniqueZone: all > 1,
			Then: Settings{SizeGB: p.size(&n.mount), Retention: n.mount.SnapshotRetentionDays, Scheduled: n.mount.ScheduledSnapshots}})
	}
}

// matchRest are the volumes that no need has taken.
func (p *VolumePlan) matchRest(held map[string]map[place][]*fly.Volume, free map[place][]*fly.Volume, others []*fly.Volume) {
	var rest []PlannedVolume
	for group, places := range held {
		for _, list := range places {
			for _, v := range list { // a region that the group has no need in
				rest = append(rest, p.planned(v, group, p.mountOf(v.Name), p.isPlanned(group)))
			}
		}
	}
	spare := func(v *fly.Volume) {
		mount := p.mountOf(v.Name)
		one := p.planned(v, "", mount, mount != nil)
		if one.Spare = one.Machine == "" && p.named(v.Name); !one.Spare && !p.named(v.Name) {
			remark := "not in fly.toml: left alone"
			if slices.Contains(p.sources, v.Name) {
				remark = "of a group that is not planned for: left alone"
			}
			one.Remarks = append(one.Remarks, remark)
		}
		rest = append(rest, one)
	}
	for _, list := range free {
		for _, v := range list {
			spare(v)
		}
	}
	for _, v := range others {
		spare(v)
	}
	slices.SortFunc(rest, func(a, b PlannedVolume) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	p.Volumes = append(p.Volumes, rest...)
}

func (p *VolumePlan) named(name string) bool {
	return slices.ContainsFunc(p.needs, func(n need) bool { return n.mount.Source == name })
}

func (p *VolumePlan) isPlanned(group string) bool {
	return slices.ContainsFunc(p.needs, func(n need) bool { return n.group == group && n.planned })
}

// mountOf is the mount whose settings a volume has that is of no group: nil where it is of
// no planned mount, or of several that differ.
func (p *VolumePlan) mountOf(name string) *flyconf.Mount {
	var found *need
	for i, n := range p.needs {
		switch {
		case n.mount.Source != name:
		case !n.planned || found != nil && !sameVolume(&found.mount, &n.mount):
			return nil
		default:
			found = &p.needs[i]
		}
	}
	if found == nil {
		return nil
	}
	return &found.mount
}

// sameVolume tells whether mounts ask for the same of a volume.
func sameVolume(a, b *flyconf.Mount) bool {
	return a.InitialSizeGB == b.InitialSizeGB && a.SnapshotRetentionDays == b.SnapshotRetentionDays &&
		(a.ScheduledSnapshots == nil) == (b.ScheduledSnapshots == nil) && yes(a.ScheduledSnapshots) == yes(b.ScheduledSnapshots)
}

func (p *VolumePlan) size(mount *flyconf.Mount) int {
	return cmp.Or(p.wish.SizeGB, mount.InitialSizeGB, DefaultSizeGB)
}

// planned is what becomes of a volume that is there.
func (p *VolumePlan) planned(v *fly.Volume, group string, mount *flyconf.Mount, planned bool) PlannedVolume {
	scheduled := v.AutoBackupEnabled
	now := Settings{SizeGB: v.SizeGb, Retention: v.SnapshotRetention, Scheduled: &scheduled}
	one := PlannedVolume{ID: v.ID, Name: v.Name, Region: v.Region, Zone: v.Zone, Group: group, Machine: p.machines.holder(v), Now: now, Then: now}
	if !Reachable(v.HostStatus) {
		one.remark("its host is %s: it counts while it is attached, and its data cannot be reached", v.HostStatus)
		if one.Machine == "" {
			one.Remarks[0] = fmt.Sprintf("its host is %s: not counted, since no machine can be put on it", v.HostStatus)
		}
	}
	if !planned || mount == nil {
		return one
	}
	if days := mount.SnapshotRetentionDays; days != 0 {
		one.Then.Retention = days
	}
	if mount.ScheduledSnapshots != nil {
		one.Then.Scheduled = mount.ScheduledSnapshots
	}
	if want := p.size(mount); v.SizeGb < want {
		if p.wish.Extend || p.wish.SizeGB > 0 {
			one.Then.SizeGB = want
		} else {
			one.remark("smaller than the %d GB of initial_size, which is for new volumes: --extend makes it larger", want)
		}
	}
	return one
}

func (v *PlannedVolume) remark(format string, a ...any) {
	v.Remarks = append(v.Remarks, fmt.Sprintf(format, a...))
}
