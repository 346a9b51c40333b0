package fleet

import (
	"context"
	"crypto/sha256"
	"fmt"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/flyapi"
)

// DefaultSizeGB is a volume's size where fly.toml has no initial_size: flyctl's, since the
// API's own is 3 GB.
const DefaultSizeGB = 1

// LargestGB is the most that Fly gives a volume.
const LargestGB = 500

// MostVolumes is the most that a wish's Count may be: a slip of the hand is not to be made
// one volume after the other.
const MostVolumes = 100

// VolumeWish is what a user asks for beside what fly.toml says. The zero value asks for
// nothing more.
type VolumeWish struct {
	// Regions have a volume at least, beside primary_region and those with machines.
	Regions []string

	// Count is how many volumes a group has in each of Regions; without Regions, in each
	// region that it has. 0 is as many as it has machines there, at least one. Fewer than
	// there are asks for nothing: a plan takes nothing away. It is at most MostVolumes.
	Count int

	// Group is the process group that is planned for. Empty is each that has a mount.
	Group string

	// SizeGB goes before initial_size, and has smaller volumes extended. A volume that is
	// larger is an error, since Fly makes none smaller.
	SizeGB int

	// Extend has volumes extended that are smaller than initial_size, which is the size of
	// new volumes only otherwise, as it is to flyctl.
	Extend bool

	// AutoExtend has auto-extend set as fly.toml says on machines that are there, one after
	// the other, which restarts them.
	AutoExtend bool

	// Replicated says that the database is copied between machines, by LiteFS. Where it is
	// not, a second volume of a group must be asked for by Count.
	Replicated bool
}

// Settings are what a plan sets of a volume.
type Settings struct {
	SizeGB    int
	Retention int   // days that a snapshot is kept; 0: Fly's default
	Scheduled *bool // whether Fly takes one every day; nil: Fly's default, which is yes
}

// PlannedVolume is a volume that is there, or is to be made.
type PlannedVolume struct {
	ID         string   // empty: to be made
	Name       string   //
	Region     string   //
	Zone       string   // the host, or hosts, that Fly counts as one risk; empty: to be made
	Group      string   // the process group that it is for; empty: of none, or not known
	Machine    string   // the one that it is attached to
	Now        Settings // zero for one to be made
	Then       Settings //
	UniqueZone bool     // to be made in a zone without another of its name
	Spare      bool     // of a mount of fly.toml, and no machine needs it
	Remarks    []string // what is to be known about it
}

// Exists tells whether the volume is there; else it is to be made.
func (v *PlannedVolume) Exists() bool { return v.ID != "" }

// Extended tells whether the plan makes it larger.
func (v *PlannedVolume) Extended() bool { return v.Exists() && v.Then.SizeGB > v.Now.SizeGB }

// Reset tells whether the plan changes its snapshot settings.
func (v *PlannedVolume) Reset() bool {
	return v.Exists() && (v.Then.Retention != v.Now.Retention || yes(v.Then.Scheduled) != yes(v.Now.Scheduled))
}

// Changed tells whether the plan does anything about it.
func (v *PlannedVolume) Changed() bool { return !v.Exists() || v.Extended() || v.Reset() }

// yes reads a setting whose default is yes.
func yes(b *bool) bool { return b == nil || *b }

// VolumePlan is what an app's volumes are, and what they are to be. Making one changes
// nothing.
type VolumePlan struct {
	App      string
	Volumes  []PlannedVolume  // by region, primary first; of the planned groups, then others
	Machines []PlannedMachine // to be updated and restarted, in this order; only where it was wished
	Notes    []string         // what is to be known, and is about no one volume

	needs    []need
	sources  []string // the volumes' names that fly.toml has
	wish     VolumeWish
	machines machines
	listed   []fly.Volume // what there is
}

// Pending tells whether the plan does anything.
func (p *VolumePlan) Pending() bool { return p.changes()+len(p.Machines) > 0 }

func (p *VolumePlan) changes() int {
	n := 0
	for i := range p.Volumes {
		if p.Volumes[i].Changed() {
			n++
		}
	}
	return n
}

// Cost is what all volumes cost a month, now and then, by PricesNow. Snapshots are not in
// it.
func (p *VolumePlan) Cost() (now, then Cents) {
	each := PricesNow().VolumeGB
	for _, v := range p.Volumes {
		now += each * Cents(v.Now.SizeGB)
		then += each * Cents(v.Then.SizeGB)
	}
	return now, then
}

// ID names what the plan does: two plans that do the same have the same. It is 12 hex
// digits.
func (p *VolumePlan) ID() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", p.App)
	for _, v := range p.Volumes {
		if v.Changed() {
			fmt.Fprintf(h, " %q %q %q %q %s %s %t", v.ID, v.Name, v.Region, v.Group, v.Now.text(), v.Then.text(), v.UniqueZone)
		}
	}
	for _, m := range p.Machines {
		fmt.Fprintf(h, " %q %v", m.ID, m.Then)
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:12]
}

func (s Settings) text() string { return fmt.Sprint(s.SizeGB, s.Retention, yes(s.Scheduled)) }

// PlanVolumes says what volumes must be there, by fly.toml and the machines that are
// there, and what has to change for it. f holds Volumes and Machines. Where it holds
// Regions too, volumes are planned only in those that take them.
//
// The errors are *GroupError, *RegionError, *SecondDatabaseError and *ShrinkError, joined.
func PlanVolumes(config *flyconf.Config, f *Fleet, wish VolumeWish) (*VolumePlan, error) {
	p := &VolumePlan{App: f.App, wish: wish, machines: machinesOf(f), listed: f.Volumes}
	for _, mount := range config.Mounts {
		p.sources = append(p.sources, mount.Source)
	}
	var err error
	if p.needs, err = needsOf(config, f, wish); err != nil {
		return nil, err
	}
	p.match()
	if err := p.refuse(f); err != nil {
		return nil, err
	}
	p.note(f, config.PrimaryRegion)
	return p, nil
}

// SurveyVolumes surveys an app and plans its volumes: two lists, and one of Fly's regions
// where a volume is to be made.
func SurveyVolumes(ctx context.Context, client *flyapi.Client, config *flyconf.Config, wish VolumeWish) (*VolumePlan, error) {
	f, err := Survey(ctx, client, Volumes|Machines)
	if err != nil {
		return nil, err
	}
	p, err := PlanVolumes(config, f, wish)
	if err != nil || len(p.makes()) == 0 {
		return p, err
	}
	if f.Regions, err = client.Regions(ctx); err != nil {
		return nil, err
	}
	f.Parts |= Regions
	return PlanVolumes(config, f, wish)
}

// makes are the volumes to be made.
func (p *VolumePlan) makes() []PlannedVolume {
	var list []PlannedVolume
	for _, v := range p.Volumes {
		if !v.Exists() {
			list = append(list, v)
		}
	}
	return list
}
