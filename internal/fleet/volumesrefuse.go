package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
	fly "github.com/superfly/fly-go"
)

// RegionError says that a region takes no volumes.
type RegionError struct {
	Region string
	Near   string // the one that may be meant; empty: none
	Closed bool   // Fly has it, and puts nothing new there
}

func (e *RegionError) Error() string {
	text := fmt.Sprintf("Fly has no region %q", e.Region)
	if e.Closed {
		text = fmt.Sprintf("Fly has closed the region %q to what is new", e.Region)
	}
	if e.Near != "" {
		return text + "; did you mean " + e.Near + "?"
	}
	return text + ": fly platform regions lists them"
}

// SecondDatabaseError says that a group would have more volumes than one database needs.
type SecondDatabaseError struct {
	Group string
	Where []string // regions, one for each volume
}

func (e *SecondDatabaseError) Error() string {
	return fmt.Sprintf("group %s would have %d volumes (%s), and nothing copies its database between them, as far as the files here tell: a machine on a second volume begins with a second, empty database, and each keeps rows that the other has not: "+
		"have it copied (flysql init --mode litefs), or give --count to have volumes that are apart", e.Group, len(e.Where), strings.Join(e.Where, ", "))
}

// ShrinkError says that a volume is larger than was asked for.
type ShrinkError struct {
	Volume       string
	IsGB, WishGB int
}

func (e *ShrinkError) Error() string {
	return fmt.Sprintf("volume %s has %d GB, and Fly makes no volume smaller than it is: leave it, or move the data: "+
		"make a volume of %d GB and a machine on it, copy the database there (with LiteFS it is copied by itself; without it, with the app stopped), then destroy the old machine and flysql volumes delete %s",
		e.Volume, e.IsGB, e.WishGB, e.Volume)
}

// refuse says what stands against the plan.
func (p *VolumePlan) refuse(f *Fleet) error {
	var errs []error
	if f.Parts&Regions != 0 {
		for _, v := range p.makes() {
			if err := CheckRegion(f.Regions, v.Region); err != nil && !slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) {
				errs = append(errs, err)
			}
		}
	}
	if p.wish.Count == 0 {
		for _, second := range p.secondDatabases() {
			errs = append(errs, second)
		}
	}
	for _, v := range p.Volumes {
		if mount := p.mountOf(v.Name); p.wish.SizeGB > 0 && v.Now.SizeGB > p.wish.SizeGB && (p.isPlanned(v.Group) || v.Group == "" && mount != nil) {
			errs = append(errs, &ShrinkError{v.ID, v.Now.SizeGB, p.wish.SizeGB})
		}
	}
	return errors.Join(errs...)
}

// secondDatabases are the groups for which a volume would be made beside another that may
// have the data, and nothing copies it.
func (p *VolumePlan) secondDatabases() []*SecondDatabaseError {
	if p.wish.Replicated {
		return nil
	}
	var list []*SecondDatabaseError
	told := map[string]bool{}
	for _, n := range p.needs {
		if !n.planned || told[n.group] {
			continue
		}
		told[n.group] = true
		makes, where := false, []string(nil)
		for _, v := range p.Volumes {
			// Also one of another name that a machine of the group has: the mount was renamed.
			if v.Group == n.group || v.Group == "" && v.Name == n.mount.Source || v.Machine != "" && p.machines.group[v.Machine] == n.group {
				where = append(where, v.Region)
				makes = makes || !v.Exists()
			}
		}
		slices.Sort(where)
		if makes && len(where) > 1 {
			list = append(list, &SecondDatabaseError{n.group, where})
		}
	}
	return list
}

// CheckRegion says why a region of Fly's list takes nothing new: a *RegionError, or nil.
func CheckRegion(regions []fly.Region, code string) error {
	var codes []string
	for _, r := range regions {
		if r.Code == code && !r.Deprecated {
			return nil
		}
		if !r.Deprecated {
			codes = append(codes, r.Code)
		}
	}
	closed := slices.ContainsFunc(regions, func(r fly.Region) bool { return r.Code == code }) || flyconf.RegionClosed(code)
	if closed {
		return &RegionError{Region: code, Closed: true}
	}
	return &RegionError{Region: code, Near: flyconf.Nearest(code, codes)}
}

// note says what is to be known beside the volumes.
func (p *VolumePlan) note(f *Fleet, primary string) {
	add := func(format string, a ...any) { p.Notes = append(p.Notes, fmt.Sprintf(format, a...)) }
	for _, second := range p.secondDatabases() {
		add("nothing copies group %s's database between its volumes (%s): each machine has its own, and they differ", second.Group, strings.Join(second.Where, ", "))
	}
	p.noteZones(add)
	if drifting := p.driftingMachines(f, primary); p.wish.AutoExtend {
		p.Machines = drifting
	} else if len(drifting) > 0 {
		add("%s", autoExtendNote(drifting))
	}
	for i, n := range p.needs {
		first := slices.IndexFunc(p.needs, func(o need) bool { return o.group == n.group }) == i
		if first && n.planned && p.wish.SizeGB > 0 && p.wish.SizeGB != max(n.mount.InitialSizeGB, DefaultSizeGB) {
			add("fly deploy makes volumes of %d GB for group %s, as fly.toml says: set initial_size = %q there too", max(n.mount.InitialSizeGB, DefaultSizeGB), n.group, fmt.Sprintf("%dgb", p.wish.SizeGB))
		}
	}
}

// noteZones tells of volumes that one broken host would take together.
func (p *VolumePlan) noteZones(add func(string, ...any)) {
	type zone struct{ name, region, zone string }
	seen := map[zone]string{}
	for _, v := range p.Volumes {
		if !v.Exists() || v.Zone == "" || !p.named(v.Name) {
			continue
		}
		at := zone{v.Name, v.Region, v.Zone}
		if other := seen[at]; other != "" {
			add("%s and %s are in one zone of %s (%s): one broken host takes both; a volume cannot be moved, one made anew is put elsewhere", other, v.ID, v.Region, v.Zone)
		}
		seen[at] = v.ID
	}
}
