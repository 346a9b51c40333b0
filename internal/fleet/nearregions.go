package fleet

import (
	"cmp"
	"math"
	"slices"

	fly "github.com/superfly/fly-go"
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

// apart is how far two regions are from each other, on a ball of radius 1.
func apart(a, b fly.Region) float64 {
	rad := func(degrees float32) float64 { return float64(degrees) * math.Pi / 180 }
	lat1, lat2, across := rad(a.Latitude), rad(b.Latitude), rad(b.Longitude-a.Longitude)
	// The haversine is right for near places too, where the cosine is not.
	h := math.Pow(math.Sin((lat2-lat1)/2), 2) + math.Cos(lat1)*math.Cos(lat2)*math.Pow(math.Sin(across/2), 2)
	return 2 * math.Asin(math.Sqrt(min(h, 1)))
}
