package fleet

import (
	"cmp"
	"slices"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/globe"
)

// NearRegions are the regions nearest to one, at most so many, by the places that Fly
// gives them; none that is closed.
func NearRegions(regions []fly.Region, code string, most int) []string {
	i := slices.IndexFunc(regions, func(r fly.Region) bool { return r.Code == code })
	if i < 0 {
		return nil
	}
	from := regions[i]
	others := slices.DeleteFunc(slices.Clone(regions), func(r fly.Region) bool { return r.Deprecated || r.Code == code })
	slices.SortFunc(others, func(a, b fly.Region) int {
		return cmp.Or(cmp.Compare(apart(from, a), apart(from, b)), cmp.Compare(a.Code, b.Code))
	})
	var codes []string
	for _, r := range others[:min(most, len(others))] {
		codes = append(codes, r.Code)
	}
	return codes
}

// apart is how far two regions are from each other, in kilometres.
func apart(a, b fly.Region) float64 {
	at := func(r fly.Region) globe.Point {
		return globe.Point{Lat: float64(r.Latitude), Lon: float64(r.Longitude)}
	}
	return globe.Apart(at(a), at(b))
}
