package load

import (
	"math"
	"math/rand/v2"
)

// plan says of each request of a run what it is and whose. It follows from the seed.
type plan struct {
	kinds    []uint8  // by number: which of the requests
	first    uint64   // the {{n}} of the first, less one
	seed     uint64   // of visitors and random values
	visitors int      // more than 0
	regions  []string // visitors are in them in turn
	run      string
}

// newPlan deals the requests out: each kind as often as its share says, exactly, and in an
// order in which, unlike every tenth, two writes meet as they would by chance.
func newPlan(o *Options, total int, seed, first uint64) *plan {
	p := &plan{kinds: make([]uint8, total), first: first, seed: seed, visitors: o.Visitors, regions: o.Regions, run: o.Run}
	writes := int(math.Round(float64(total) * o.Writes))
	for i := range p.kinds {
		if i < writes {
			p.kinds[i] = uint8(len(o.Reads) + i%len(o.Write))
		} else {
			p.kinds[i] = uint8((i - writes) % len(o.Reads))
		}
	}
	dice := rand.New(rand.NewPCG(seed, 1))
	dice.Shuffle(total, func(i, j int) { p.kinds[i], p.kinds[j] = p.kinds[j], p.kinds[i] })
	return p
}

// values are those of a request, by its number from 0.
func (p *plan) values(seq uint64) values {
	dice := rand.NewPCG(p.seed, seq+2)
	v := values{n: p.first + seq + 1, visitor: int(dice.Uint64() % uint64(p.visitors)), run: p.run, random: dice.Uint64()}
	v.region = p.region(v.visitor)
	return v
}

// region is where a visitor is, "" where nobody said.
func (p *plan) region(visitor int) string {
	if len(p.regions) == 0 {
		return ""
	}
	return p.regions[visitor%len(p.regions)]
}
