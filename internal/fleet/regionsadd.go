package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
)

// RegionWish is what is asked of an addition.
type RegionWish struct {
	// Regions are to have machines of the group.
	Regions []string

	// Count is how many each of them is to have; 0 is one. What is there counts.
	Count int

	// From is the machine that is copied; empty is the primary, or of a group without a
	// volume the oldest that runs.
	From string

	// LiteFS is litefs.yml, as the app's repository has it; nil where it was not found.
	LiteFS *flyconf.LiteFS

	// Candidate is lease.candidate as it is written there.
	Candidate string
}

// StandardCandidate is the lease.candidate of flysql init: outside of the primary region
// no machine is a candidate.
const StandardCandidate = "${FLY_REGION == PRIMARY_REGION}"

// NewMachine is one that is to be made, or that an earlier run has made and not seen
// through.
type NewMachine struct {
	Region string
	Name   string
	ID     string // empty: to be made

	// Guarded has it start as no candidate for the primary (FLYSQL_LITEFS_CANDIDATE=off),
	// and be restarted without that once it has caught up.
	Guarded bool
}

// AddPlan is what an addition does. Making one changes nothing.
type AddPlan struct {
	App, Group string
	Primary    *fly.Machine // whose position new machines come to; nil without a volume
	From       *fly.Machine // whose configuration they have
	Volumes    *VolumePlan  // nil without a volume
	Machines   []NewMachine // in the order in which they are made
	Notes      []string

	cluster *Cluster
}

// Pending tells whether the plan does anything. Where the machines are there, their volumes
// are: settings alone are for flysql volumes.
func (p *AddPlan) Pending() bool { return len(p.Machines) > 0 }

// Takes tells whether a new machine is put on a volume that is there, and free.
func (p *AddPlan) Takes(v *PlannedVolume) bool {
	return v.Exists() && v.Machine == "" && v.Group == p.Group && slices.ContainsFunc(p.Machines, func(m NewMachine) bool { return m.Region == v.Region && m.ID == "" })
}

// ID names what the plan does: two plans that do the same have the same.
func (p *AddPlan) ID() string {
	var b strings.Builder
	if p.Volumes != nil {
		b.WriteString(p.Volumes.ID())
	}
	fmt.Fprintf(&b, " %s %s %v", p.Group, p.From.ID, p.Machines)
	return b.String()
}

// PlanAdd says what machines and volumes are missing in regions, and refuses what is not
// safe. c holds Volumes, Machines and Regions.
func PlanAdd(c *Cluster, wish RegionWish) (*AddPlan, error) {
	p := &AddPlan{App: c.App, Group: c.Group, cluster: c}
	if err := checkRegions(c, wish.Regions); err != nil {
		return nil, err
	}
	if err := p.roles(c, wish); err != nil {
		return nil, err
	}
	if err := p.source(c, wish); err != nil {
		return nil, err
	}
	p.machines(c, wish)
	if c.Mount == nil {
		return p, nil
	}
	count := max(wish.Count, 1)
	volumes, err := PlanVolumes(c.Config, c.Fleet, VolumeWish{Regions: wish.Regions, Count: count, Group: c.Group, Replicated: true})
	if err != nil {
		return nil, err
	}
	p.Volumes = volumes.only(wish.Regions...)
	return p, nil
}

// checkRegions says which regions Fly does not have, or has closed.
func checkRegions(c *Cluster, regions []string) error {
	var errs []error
	for _, code := range regions {
		if len(c.in(code)) == 0 { // one that it runs in is fine, whatever Fly's list says
			errs = append(errs, CheckRegion(c.Fleet.Regions, code))
		}
	}
	return errors.Join(errs...)
}

// roles finds the primary, and refuses to add to what nothing copies.
func (p *AddPlan) roles(c *Cluster, wish RegionWish) (err error) {
	if c.Mount == nil {
		return nil
	}
	p.Primary, err = c.Primary()
	if errors.Is(err, errVolumeMode) {
		return fmt.Errorf("%w: a second machine of group %s would begin with a second, empty database, and each would keep rows that the other has not; have it copied first: flysql init --mode litefs, then fly deploy", err, c.Group)
	}
	if err != nil {
		return err
	}
	if wish.LiteFS != nil && wish.LiteFS.Lease.Promote {
		return errors.New("litefs.yml has lease.promote: true: each candidate that starts then takes the lease from the primary, and rows are lost where it does before it has them all: set it to false, fly deploy, then add")
	}
	if wish.LiteFS == nil {
		p.note("litefs.yml was not found beside fly.toml, so it is not known whether it has lease.promote: true, which must be false, or which machines may be the primary")
	} else if wish.Candidate != StandardCandidate {
		p.note("lease.candidate in litefs.yml is %q, not %s as flysql init writes it: new machines start as no candidates wherever they are, and what it says counts once they have caught up", wish.Candidate, StandardCandidate)
	}
	return nil
}

func (p *AddPlan) note(format string, a ...any) { p.Notes = append(p.Notes, fmt.Sprintf(format, a...)) }

// source finds the machine to copy, and refuses while a deploy is half done: it cannot be
// known which release is meant to stay.
func (p *AddPlan) source(c *Cluster, wish RegionWish) error {
	members := c.Members()
	if wish.From != "" {
		i := slices.IndexFunc(members, func(m *fly.Machine) bool { return m.ID == wish.From })
		if i < 0 {
			return fmt.Errorf("--from %s: group %s has no such machine: fly machine list shows those there are", wish.From, c.Group)
		}
		p.From = members[i]
	} else {
		images := map[string][]string{}
		for _, m := range members {
			images[ImageOf(m)] = append(images[ImageOf(m)], m.ID)
		}
		if len(images) > 1 {
			var b strings.Builder
			for _, image := range slices.Sorted(maps.Keys(images)) {
				fmt.Fprintf(&b, "\n  %s: %s", printable(image), strings.Join(images[image], ", "))
			}
			return fmt.Errorf("the machines of group %s run different images, so a deploy is under way, or was broken off:%s\nlet it end, or deploy again (fly releases, flysql status); or say with --from which machine is to be copied", c.Group, b.String())
		}
		p.From = p.Primary
		if p.From == nil {
			i := slices.IndexFunc(members, func(m *fly.Machine) bool { return m.State == fly.MachineStateStarted && m.Config != nil })
			if i < 0 {
				return fmt.Errorf("no machine of group %s runs, so there is none to copy: fly machine start", c.Group)
			}
			p.From = members[i]
		}
	}
	switch config := p.From.Config; {
	case config == nil:
		return fmt.Errorf("machine %s cannot be copied: its host is %s, and Fly does not tell its configuration: give --from another one", p.From.ID, printable(string(p.From.HostStatus)))
	case c.Mount != nil && len(config.Mounts) != 1:
		return fmt.Errorf("machine %s has %d volumes, not the one of fly.toml: fly deploy first, or give --from another one", p.From.ID, len(config.Mounts))
	case c.Mount == nil && len(config.Mounts) > 0:
		return fmt.Errorf("machine %s has a volume, and group %s has none in fly.toml: mend fly.toml, or fly deploy first", p.From.ID, c.Group)
	}
	return nil
}

// machines says which are missing, and goes on with those that a run before has left.
func (p *AddPlan) machines(c *Cluster, wish RegionWish) {
	deployed := p.From.Config.Env["PRIMARY_REGION"]
	if c.Mount != nil && deployed != "" && deployed != c.Config.PrimaryRegion {
		p.note("primary_region is %s in fly.toml, and %s on the machines: the new ones have the latter too, until the next fly deploy", c.Config.PrimaryRegion, deployed)
	}
	for _, region := range wish.Regions {
		there := c.in(region)
		guarded := c.Mount != nil && (region == c.Config.PrimaryRegion || region == deployed || wish.Candidate != StandardCandidate)
		for _, m := range there {
			config := Config(m)
			if config.Metadata[addMark] != "" {
				p.Machines = append(p.Machines, NewMachine{Region: region, Name: m.Name, ID: m.ID, Guarded: config.Env[candidateVariable] != ""})
			}
		}
		n := 0
		for range max(wish.Count, 1) - len(there) {
			name := ""
			for name == "" || slices.ContainsFunc(c.Fleet.Machines, func(m *fly.Machine) bool { return m.Name == name }) {
				n++
				name = fmt.Sprintf("%s-%s-%d", c.Group, region, n)
			}
			p.Machines = append(p.Machines, NewMachine{Region: region, Name: name, Guarded: guarded})
		}
	}
}

// candidateVariable tells the entrypoint that its node is no candidate.
const candidateVariable = "FLYSQL_LITEFS_CANDIDATE"

// only leaves of a plan what is of the regions: settings of other volumes are not an
// addition's to change.
func (p *VolumePlan) only(regions ...string) *VolumePlan {
	one := &VolumePlan{App: p.App, Notes: p.Notes, needs: slices.Clone(p.needs), wish: p.wish, machines: p.machines, listed: p.listed}
	for i := range one.needs {
		one.needs[i].planned = one.needs[i].planned && slices.Contains(regions, one.needs[i].region)
	}
	one.match()
	return one
}

// clone is the configuration of a new machine: all of the other's but what is its own.
func clone(from *fly.Machine, new NewMachine, volume string) (*fly.MachineConfig, error) {
	data, err := json.Marshal(from.Config)
	if err != nil {
		return nil, fmt.Errorf("copy machine %s: %w", from.ID, err)
	}
	var config fly.MachineConfig
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("copy machine %s: %w", from.ID, err)
	}
	if from.ImageRef.Digest != "" { // the tag may lead elsewhere by now
		config.Image = from.FullImageRef()
	}
	config.Standbys = nil
	for i := range config.Mounts {
		config.Mounts[i].Volume = volume
	}
	if config.Metadata == nil {
		config.Metadata = map[string]string{}
	}
	delete(config.Metadata, removeMark)
	config.Metadata[addMark] = new.Region
	delete(config.Env, candidateVariable)
	if new.Guarded {
		if config.Env == nil {
			config.Env = map[string]string{}
		}
		config.Env[candidateVariable] = "off"
	}
	return &config, nil
}
