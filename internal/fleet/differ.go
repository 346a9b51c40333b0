package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
)

// Kind is what differs. A kind is never given to another difference: JSON has it.
type Kind string

// The kinds.
const (
	GroupUnknown   Kind = "group-unknown"   // machines of a group that fly.toml has not
	PrimaryMissing Kind = "primary-missing" // no machine in primary_region
	MountMissing   Kind = "mount-missing"   // a machine without its group's volume
	MountName      Kind = "mount-name"      // another volume than the mount's source
	MountPath      Kind = "mount-path"      // at another path
	AutoExtend     Kind = "auto-extend"     // grows otherwise
	VolumeUnused   Kind = "volume-unused"   // in a region without a machine for it
	Retention      Kind = "retention"       // snapshots are kept for another time
	NoSnapshots    Kind = "no-snapshots"    // Fly takes none, and should; or does, and should not
	EnvDiffers     Kind = "env"             // a variable has another value, or none
	GuestDiffers   Kind = "guest"           // another size of machine
	AutoStop       Kind = "auto-stop"       // another auto_stop_machines
	ChecksMissing  Kind = "checks"          // other checks
	ServiceMissing Kind = "service"         // no service on the port
	ImagesMixed    Kind = "images"          // not all machines of a group run one image
	StopDiffers    Kind = "stop"            // kill_signal or kill_timeout
)

// Difference is one thing on Fly that is not as fly.toml says.
type Difference struct {
	Kind    Kind
	Key     string // of fly.toml; "" where no key says it
	Region  string
	Machine string // its id, or ""
	Volume  string // its id, or ""
	Message string // without the machine, the volume or the place; alike for all of one cause
}

// Object is what the difference is about, as messages name it.
func (d Difference) Object() string {
	switch {
	case d.Volume != "":
		return object("volume", d.Volume, d.Region)
	case d.Machine != "":
		return object("machine", d.Machine, d.Region)
	}
	return d.Region
}

func object(kind, id, region string) string { return kind + " " + id + " (" + region + ")" }

// NameOf is how messages name a machine: machine 148e21ea7d4389 (ams).
func NameOf(m *fly.Machine) string { return object("machine", m.ID, m.Region) }

// NameOfVolume is how messages name a volume.
func NameOfVolume(v fly.Volume) string { return object("volume", v.ID, v.Region) }

// Differences are what is on Fly and not as fly.toml says: first the machines in the
// order of f, then the volumes. What fly.toml leaves to Fly is no difference, nor is what
// cannot be known of a machine whose host is down. The values of variables are in no
// message: a machine's may be secret.
func Differences(c *flyconf.Config, f *Fleet) []Difference {
	d := &differ{config: c, fleet: f}
	groups := c.Groups()
	served := map[string]bool{}
	for _, m := range f.Machines {
		if Temporary(m) {
			continue
		}
		served[m.Region] = true
		d.at = Difference{Region: m.Region, Machine: m.ID}
		if !slices.Contains(groups, Group(m)) {
			d.add(GroupUnknown, "", "process group %s is not in fly.toml", Group(m))
			continue
		}
		if Reachable(string(m.HostStatus)) && m.Config != nil {
			d.machine(Group(m), m.Config)
		}
	}
	d.images()
	d.at = Difference{Region: c.PrimaryRegion}
	if c.PrimaryRegion != "" && len(served) > 0 && !served[c.PrimaryRegion] {
		d.add(PrimaryMissing, "primary_region", "no machine is in primary_region %s", c.PrimaryRegion)
	}
	d.volumes()
	return d.found
}

// Temporary tells of a machine that runs for a moment: a release command, a test, a
// console.
func Temporary(m *fly.Machine) bool {
	return m.IsReleaseCommandMachine() || strings.HasPrefix(Group(m), "fly_app_")
}

type differ struct {
	config *flyconf.Config
	fleet  *Fleet
	at     Difference
	found  []Difference
}

func (d *differ) add(kind Kind, key, format string, a ...any) {
	one := d.at
	one.Kind, one.Key, one.Message = kind, key, printable(fmt.Sprintf(format, a...))
	d.found = append(d.found, one)
}

func (d *differ) machine(group string, have *fly.MachineConfig) {
	d.mount(group, have.Mounts)
	d.env(have.Env)
	d.guest(group, have.Guest)
	d.services(group, have)
	if want := d.config.KillSignal; want != "" && (have.StopConfig == nil || have.StopConfig.Signal == nil || *have.StopConfig.Signal != want) {
		d.add(StopDiffers, "kill_signal", "kill_signal is not %s", want)
	}
	if want := d.config.KillTimeout; want != 0 && (have.StopConfig == nil || have.StopConfig.Timeout == nil || have.StopConfig.Timeout.Duration != want) {
		d.add(StopDiffers, "kill_timeout", "kill_timeout is not %v", want)
	}
}

// mountOf is a group's mount and its index in fly.toml; -1 for none.
func mountOf(c *flyconf.Config, group string) (int, flyconf.Mount) {
	for i, m := range c.Mounts {
		if slices.Contains(m.Processes, group) || len(m.Processes) == 0 && group == c.DefaultGroup() {
			return i, m
		}
	}
	return -1, flyconf.Mount{}
}

func (d *differ) mount(group string, have []fly.MachineMount) {
	i, want := mountOf(d.config, group)
	key := func(name string) string { return fmt.Sprintf("mounts[%d].%s", i, name) }
	if i < 0 {
		return
	}
	if len(have) == 0 {
		d.add(MountMissing, key("source"), "it has no volume %s", want.Source)
		return
	}
	m := have[0]
	if want.Source != "" && m.Name != "" && m.Name != want.Source {
		d.add(MountName, key("source"), "its volume is %s, not %s", m.Name, want.Source)
	}
	if want.Destination != "" && m.Path != want.Destination {
		d.add(MountPath, key("destination"), "the volume is mounted at %s, not at %s", m.Path, want.Destination)
	}
	for _, p := range []struct {
		name       string
		have, want int
		unit       string
	}{
		{"auto_extend_size_threshold", m.ExtendThresholdPercent, want.AutoExtendThresholdPercent, "%"},
		{"auto_extend_size_increment", m.AddSizeGb, want.AutoExtendIncrementGB, "GB"},
		{"auto_extend_size_limit", m.SizeGbLimit, want.AutoExtendLimitGB, "GB"},
	} {
		if p.have != p.want {
			d.add(AutoExtend, key(p.name), "%s is %d%s, not %d%s", p.name, p.have, p.unit, p.want, p.unit)
		}
	}
}

// env compares the names, and whether the values are the same. What flyctl and Fly add
// is no difference.
func (d *differ) env(have map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(d.config.Env)) {
		value, ok := have[name]
		switch {
		case !ok:
			d.add(EnvDiffers, "env."+name, "env has no %s", name)
		case value != d.config.Env[name]:
			d.add(EnvDiffers, "env."+name, "env has another %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, ok := d.config.Env[name]; !ok && name != "PRIMARY_REGION" && !strings.HasPrefix(name, "FLY_") {
			d.add(EnvDiffers, "env", "env has %s, which fly.toml has not", name)
		}
	}
	if got, ok := have["PRIMARY_REGION"]; ok && d.config.PrimaryRegion != "" && got != d.config.PrimaryRegion {
		d.add(EnvDiffers, "primary_region", "PRIMARY_REGION is %s, not %s", got, d.config.PrimaryRegion)
	}
}

func (d *differ) guest(group string, have *fly.MachineGuest) {
	if have == nil {
		return
	}
	i, vm := vmOf(d.config, group)
	if i < 0 {
		return
	}
	want := fly.MachineGuest{}
	if vm.Size != "" && want.SetSize(vm.Size) != nil {
		return // a size that this release does not know
	}
	want.MemoryMB = cmp.Or(vm.MemoryMB, want.MemoryMB)
	want.CPUs = cmp.Or(vm.CPUs, want.CPUs)
	want.CPUKind = cmp.Or(vm.CPUKind, want.CPUKind)
	key := func(name string, given bool) string {
		if !given && vm.Size != "" {
			name = "size"
		}
		return fmt.Sprintf("vm[%d].%s", i, name)
	}
	if want.MemoryMB != 0 && have.MemoryMB != want.MemoryMB {
		d.add(GuestDiffers, key("memory", vm.MemoryMB != 0), "memory is %dMB, not %dMB", have.MemoryMB, want.MemoryMB)
	}
	if want.CPUs != 0 && have.CPUs != want.CPUs {
		d.add(GuestDiffers, key("cpus", vm.CPUs != 0), "it has %d cpus, not %d", have.CPUs, want.CPUs)
	}
	if want.CPUKind != "" && have.CPUKind != want.CPUKind {
		d.add(GuestDiffers, key("cpu_kind", vm.CPUKind != ""), "its cpus are %s, not %s", have.CPUKind, want.CPUKind)
	}
}

// vmOf is the [[vm]] of a group: the one that names it, else one for all.
func vmOf(c *flyconf.Config, group string) (int, flyconf.VM) {
	for i, vm := range c.VMs {
		if slices.Contains(vm.Processes, group) {
			return i, vm
		}
	}
	for i, vm := range c.VMs {
		if len(vm.Processes) == 0 {
			return i, vm
		}
	}
	return -1, flyconf.VM{}
}

// images reports a group whose machines do not run one image. Nothing in fly.toml says
// which is right: the newest machine's release is the one that was deployed last.
func (d *differ) images() {
	for _, group := range d.config.Groups() {
		byImage := map[string][]*fly.Machine{}
		var all []*fly.Machine
		for _, m := range d.fleet.OfGroup(group) {
			if image := ImageOf(m); image != "" {
				byImage[image] = append(byImage[image], m)
				all = append(all, m)
			}
		}
		if len(byImage) < 2 {
			continue
		}
		newest := slices.MaxFunc(all, func(a, b *fly.Machine) int {
			return cmp.Or(cmp.Compare(a.UpdatedAt, b.UpdatedAt), cmp.Compare(a.ID, b.ID))
		})
		for _, m := range all {
			if image := ImageOf(m); image != ImageOf(newest) {
				d.at = Difference{Region: m.Region, Machine: m.ID}
				d.add(ImagesMixed, "", "it runs %s, and the last that was updated %s", ShortImage(m), ShortImage(newest))
			}
		}
	}
}

// ImageOf is what makes a machine's image another one: its digest, where that is known.
func ImageOf(m *fly.Machine) string {
	return cmp.Or(m.ImageRef.Digest, m.ImageRef.Tag, Config(m).Image)
}

// ShortImage is a machine's image for people: the tag, or the beginning of the digest.
func ShortImage(m *fly.Machine) string {
	tag := m.ImageRef.Tag
	digest := strings.TrimPrefix(m.ImageRef.Digest, "sha256:")
	if len(digest) > 12 {
		digest = digest[:12]
	}
	if image := Config(m).Image; tag == "" && digest == "" && image != "" {
		tag = image[strings.LastIndexAny(image, "/:@")+1:]
	}
	return printable(cmp.Or(strings.TrimPrefix(tag, "deployment-"), digest, "?"))
}

// volumes compares those that a mount is the source of.
func (d *differ) volumes() {
	holders := d.fleet.Holders()
	for _, v := range d.fleet.Volumes {
		i := d.mountOfVolume(&v, holders[v.ID])
		if i < 0 {
			continue // another app's way, or one from before
		}
		want := d.config.Mounts[i]
		d.at = Difference{Region: v.Region, Volume: v.ID}
		key := func(name string) string { return fmt.Sprintf("mounts[%d].%s", i, name) }
		if days := want.SnapshotRetentionDays; days != 0 && v.SnapshotRetention != days {
			d.add(Retention, key("snapshot_retention"), "snapshots are kept for %d days, not %d", v.SnapshotRetention, days)
		}
		if wanted := want.ScheduledSnapshots; wanted != nil && v.AutoBackupEnabled != *wanted {
			d.add(NoSnapshots, key("scheduled_snapshots"), "scheduled snapshots are %s, not %s", onOff(v.AutoBackupEnabled), onOff(*wanted))
		} else if wanted == nil && !v.AutoBackupEnabled {
			d.add(NoSnapshots, key("scheduled_snapshots"), "scheduled snapshots are off, and fly.toml leaves them on: state scheduled_snapshots there, and flysql volumes apply sets it")
		}
		if holders[v.ID] == "" {
			d.add(VolumeUnused, key("source"), "no machine has it")
		}
	}
}

// mountOfVolume is the index of a volume's mount in fly.toml: its machine's group's, since
// several groups may share its name; else the first of the name; -1 for none.
func (d *differ) mountOfVolume(v *fly.Volume, holder string) int {
	if m := d.fleet.Machine(holder); m != nil {
		if i, mount := mountOf(d.config, Group(m)); i >= 0 && mount.Source == v.Name {
			return i
		}
	}
	return slices.IndexFunc(d.config.Mounts, func(m flyconf.Mount) bool { return m.Source == v.Name })
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// Cause is one difference, and all that it is about.
type Cause struct {
	Difference
	Objects []string
}

// Causes joins differences that have one cause, in the order of the first of each.
func Causes(list []Difference) []Cause {
	var causes []Cause
	at := map[Difference]int{}
	for _, d := range list {
		key := Difference{Kind: d.Kind, Key: d.Key, Message: d.Message}
		i, known := at[key]
		if !known {
			i = len(causes)
			at[key], causes = i, append(causes, Cause{Difference: d})
		}
		causes[i].Objects = append(causes[i].Objects, d.Object())
	}
	return causes
}

// Some lists names in a line: the first few, and how many more there are.
func Some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
