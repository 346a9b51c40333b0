package private

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/flysql/flysql/internal/globe"
)

// Machine is one on the private network.
type Machine struct {
	ID       string
	App      string
	Region   string
	Group    string            // its process group; "" is app
	Address  netip.Addr        // FLY_PRIVATE_IP
	Started  bool              // "all AAAA queries only return information for started Machines"
	Metadata map[string]string // for <value>.<key>.kv._metadata
}

// Zone is the names under .internal. Its zero value has none. Its methods may be called
// by several goroutines.
type Zone struct {
	mu       sync.RWMutex
	machines []Machine
}

// Set says which machines there are.
func (z *Zone) Set(machines []Machine) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.machines = slices.Clone(machines)
}

// answer is what a name has: addresses or a text, or neither where it is none.
type answer struct {
	exists bool
	addrs  []netip.Addr
	text   string
	isText bool
}

// lookup answers a name for a machine in a region. It is lower case and ends with
// .internal, without a dot after it.
func (z *Zone) lookup(name, from string) answer {
	z.mu.RLock()
	defer z.mu.RUnlock()
	name = strings.TrimSuffix(name, ".internal")
	started := slices.DeleteFunc(slices.Clone(z.machines), func(m Machine) bool { return !m.Started })
	switch name {
	case "_apps":
		return text(z.each(z.machines, func(m Machine) string { return m.App }, ","))
	case "_peer":
		return text("") // nobody comes in by WireGuard
	case "_instances":
		return text(z.each(started, instance, ";"))
	case "all._instances":
		return text(z.each(z.machines, instance, ";"))
	}
	labels := strings.Split(name, ".")
	app := labels[len(labels)-1]
	of := slices.DeleteFunc(slices.Clone(z.machines), func(m Machine) bool { return m.App != app })
	if len(of) == 0 {
		return answer{}
	}
	return z.ofApp(labels[:len(labels)-1], of, from)
}

// ofApp answers what stands before an app's name.
func (z *Zone) ofApp(labels []string, of []Machine, from string) answer {
	started := slices.DeleteFunc(slices.Clone(of), func(m Machine) bool { return !m.Started })
	machine := func(m Machine) string { return m.ID + " " + m.Region }
	region := func(m Machine) string { return m.Region }
	switch strings.Join(labels, ".") {
	case "", "global":
		return addresses(started, of, func(Machine) bool { return true })
	case "vms":
		return text(z.each(started, machine, ","))
	case "all.vms":
		return text(z.each(of, machine, ","))
	case "regions":
		return text(z.each(started, region, ","))
	case "all.regions":
		return text(z.each(of, region, ","))
	}
	switch {
	case len(labels) == 1:
		return addresses(started, of, func(m Machine) bool { return m.Region == labels[0] })
	case len(labels) == 2 && labels[1] == "vm":
		return addresses(started, of, func(m Machine) bool { return m.ID == labels[0] })
	case len(labels) == 2 && labels[1] == "process":
		return addresses(started, of, func(m Machine) bool { return cmp.Or(m.Group, "app") == labels[0] })
	case len(labels) == 4 && labels[2] == "kv" && labels[3] == "_metadata":
		return addresses(started, of, func(m Machine) bool { v, ok := m.Metadata[labels[1]]; return ok && v == labels[0] })
	case len(labels) == 3 && labels[1] == "nearest" && labels[2] == "of":
		if top, ok := strings.CutPrefix(labels[0], "top"); ok {
			if n, err := strconv.Atoi(top); err == nil && n > 0 {
				near := nearest(started, from)
				return addresses(near[:min(n, len(near))], of, func(Machine) bool { return true })
			}
		}
	}
	return answer{}
}

// each is what is said of machines, each once, in order.
func (z *Zone) each(machines []Machine, say func(Machine) string, separator string) string {
	said := map[string]bool{}
	for _, m := range machines {
		said[say(m)] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(said)), separator)
}

// instance is a machine in _instances.internal. The document names the four and their
// order; how they are written is as programs have found it that read them.
func instance(m Machine) string {
	return "instance=" + m.ID + ",app=" + m.App + ",ip=" + address(m) + ",region=" + m.Region
}

func text(s string) answer { return answer{exists: true, isText: true, text: s} }

// addresses are of the started machines that a name is for. Where it is for others
// alone, it is there without any.
func addresses(started, all []Machine, fits func(Machine) bool) answer {
	a := answer{exists: slices.ContainsFunc(all, fits)}
	for _, m := range started {
		if fits(m) && m.Address.IsValid() {
			a.addrs = append(a.addrs, m.Address)
		}
	}
	return a
}

// nearest orders machines by how far they are from a region.
func nearest(machines []Machine, from string) []Machine {
	near := slices.Clone(machines)
	slices.SortStableFunc(near, func(a, b Machine) int {
		return cmp.Compare(globe.Between(from, a.Region), globe.Between(from, b.Region))
	})
	return near
}

// Hosts is the zone's addresses as /etc/hosts has them, for a machine in a region, with
// loopback and the machine's own fly-local-6pn.
func (z *Zone) Hosts(self Machine) string {
	z.mu.RLock()
	defer z.mu.RUnlock()
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	if self.Address.IsValid() {
		fmt.Fprintf(&b, "%v fly-local-6pn\n", self.Address)
	}
	var apps []string
	for _, m := range z.machines {
		if m.Started && !slices.Contains(apps, m.App) {
			apps = append(apps, m.App)
		}
	}
	for _, app := range apps {
		of := slices.DeleteFunc(slices.Clone(z.machines), func(m Machine) bool { return m.App != app || !m.Started || !m.Address.IsValid() })
		rank := map[string]int{}
		for i, m := range nearest(of, self.Region) {
			rank[m.ID] = i + 1
		}
		for _, m := range of {
			fmt.Fprintf(&b, "%v", m.Address)
			names := []string{"", "global.", m.Region + ".", m.ID + ".vm.", cmp.Or(m.Group, "app") + ".process."}
			for n := rank[m.ID]; n <= len(of); n++ {
				names = append(names, fmt.Sprintf("top%d.nearest.of.", n))
			}
			for _, name := range names {
				fmt.Fprintf(&b, " %s%s.internal", name, app)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
