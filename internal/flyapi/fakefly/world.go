package fakefly

import (
	"fmt"
	"net/http"
	"time"
)

// region is one of Fly's, with its hosts. A host is its own zone.
type region struct {
	code, name string
	closed     bool
	capacity   int // how many volumes more; negative: as many as you like
	hosts      []*host
}

type host struct {
	zone string
	down bool
}

// hostsEach is how many hosts a region has.
const hostsEach = 3

func someRegions() []*region {
	var all []*region
	for i, r := range [][2]string{
		{"ams", "Amsterdam, Netherlands"}, {"arn", "Stockholm, Sweden"}, {"bom", "Mumbai, India"}, {"cdg", "Paris, France"},
		{"dfw", "Dallas, Texas (US)"}, {"ewr", "Secaucus, NJ (US)"}, {"fra", "Frankfurt, Germany"}, {"gru", "Sao Paulo, Brazil"},
		{"iad", "Ashburn, Virginia (US)"}, {"jnb", "Johannesburg, South Africa"}, {"lax", "Los Angeles, California (US)"},
		{"lhr", "London, United Kingdom"}, {"nrt", "Tokyo, Japan"}, {"ord", "Chicago, Illinois (US)"}, {"sin", "Singapore, Singapore"},
		{"sjc", "San Jose, California (US)"}, {"syd", "Sydney, Australia"}, {"yyz", "Toronto, Canada"},
		{"mad", "Madrid, Spain"}, {"waw", "Warsaw, Poland"},
	} {
		region := &region{code: r[0], name: r[1], capacity: -1, closed: r[0] == "mad" || r[0] == "waw"}
		for n := range hostsEach {
			region.hosts = append(region.hosts, &host{zone: fmt.Sprintf("%02x%02x", 0xa0+i, n+1)})
		}
		all = append(all, region)
	}
	return all
}

// SetCapacity says how many volumes more a region takes; with a negative number, as many
// as are asked for.
func (f *Fake) SetCapacity(code string, volumes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mustRegion(code).capacity = volumes
}

// SetHosts says how many hosts a region has: so many volumes of one name can have zones
// of their own there.
func (f *Fake) SetHosts(code string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.mustRegion(code)
	for len(r.hosts) < n {
		r.hosts = append(r.hosts, &host{zone: fmt.Sprintf("%s%02x", r.hosts[0].zone[:2], len(r.hosts)+1)})
	}
	r.hosts = r.hosts[:n]
}

// HostDown makes the host of a zone unreachable, with its volumes and machines, or
// reachable again.
func (f *Fake) HostDown(zone string, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.host(zone)
	if h == nil {
		panic(fmt.Sprintf("fakefly: no zone %q", zone))
	}
	h.down = down
}

func (f *Fake) mustRegion(code string) *region {
	r := f.region(code)
	if r == nil {
		panic(fmt.Sprintf("fakefly: no region %q", code))
	}
	return r
}

func (f *Fake) region(code string) *region {
	for _, r := range f.regions {
		if r.code == code {
			return r
		}
	}
	return nil
}

func (f *Fake) host(zone string) *host {
	for _, r := range f.regions {
		for _, h := range r.hosts {
			if h.zone == zone {
				return h
			}
		}
	}
	return nil
}

func (f *Fake) hostDown(zone string) bool {
	h := f.host(zone)
	return h != nil && h.down
}

// place finds a host for a volume of a name: one that is up and has fewest volumes of the
// app; where it must be unique, one that has none of that name.
func (f *Fake) place(r *region, a *app, name string, unique, appWide bool) (*host, answer) {
	if r.closed {
		return nil, refuse(http.StatusUnprocessableEntity, "region %s is deprecated and takes no new resources", r.code)
	}
	if r.capacity == 0 {
		return nil, refuseAs(http.StatusUnprocessableEntity, "insufficient_capacity", "insufficient resources: no capacity available in %s", r.code)
	}
	var best *host
	fewest := 0
	for _, h := range r.hosts {
		n, taken := 0, false
		for _, v := range a.volumes {
			if v.Zone == h.zone && !v.gone() {
				n++
				taken = taken || v.Name == name || appWide
			}
		}
		if h.down || unique && taken {
			continue
		}
		if best == nil || n < fewest {
			best, fewest = h, n
		}
	}
	if best == nil {
		return nil, refuseAs(http.StatusUnprocessableEntity, "insufficient_capacity", "insufficient resources: no capacity available in %s with a unique zone", r.code)
	}
	if r.capacity > 0 {
		r.capacity--
	}
	return best, answer{}
}

// Fly's rate limits, as its documentation states them; the client has its own copy, on
// purpose: a mistake in one is found by the other.
func (f *Fake) pass(op *operation, args []string) bool {
	rate, burst := 1.0, 3.0
	if op.call == "Machine" {
		rate, burst = 5, 10
	}
	key, now := fmt.Sprint(op.call, args), f.limits()
	b := f.buckets[key]
	if b == nil {
		b = &bucket{left: burst, at: now}
		f.buckets[key] = b
	}
	b.left = min(burst, b.left+now.Sub(b.at).Seconds()*rate)
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

type bucket struct {
	left float64
	at   time.Time
}
