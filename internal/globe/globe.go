// Package globe knows where Fly's regions are, how far apart, and in which of Fly's
// geographic groups ("eu", "us").
//
//	ams, _ := globe.Of("ams")
//	syd, _ := globe.Of("syd")
//	km := globe.Apart(ams, syd)
//
// A region's place is that of the airport it is named after. Where in a city Fly's
// machines stand, no document says.
package globe

import (
	"math"
	"slices"
)

// Point is a place on the globe, in degrees. South and west are negative.
type Point struct{ Lat, Lon float64 }

// radius is the Earth's, in kilometres, on average.
const radius = 6371

// Apart is the way along the globe from a to b, in kilometres.
func Apart(a, b Point) float64 {
	rad := func(degrees float64) float64 { return degrees * math.Pi / 180 }
	lat1, lat2, across := rad(a.Lat), rad(b.Lat), rad(b.Lon-a.Lon)
	// The haversine is right for near places too, where the cosine is not.
	h := math.Pow(math.Sin((lat2-lat1)/2), 2) + math.Cos(lat1)*math.Cos(lat2)*math.Pow(math.Sin(across/2), 2)
	return radius * 2 * math.Asin(math.Sqrt(min(h, 1)))
}

// Between is the way between two regions, in kilometres: none within one, and more than
// any other where one's place is not known.
func Between(a, b string) float64 {
	if a == b {
		return 0
	}
	from, known := Of(a)
	to, too := Of(b)
	if !known || !too {
		return math.MaxFloat64
	}
	return Apart(from, to)
}

// Of is where a region is; false for a code that is none of those known here, closed
// ones among them.
func Of(region string) (Point, bool) {
	p, ok := places[region]
	return p.Point, ok
}

// Known tells whether Fly has, or had, a region of that code.
func Known(region string) bool { _, ok := places[region]; return ok }

// In tells whether a region is in one of the groups that fly-replay and
// fly-prefer-region take in place of a region: apac, eu, na, sa, us (or usa), any.
// Fly names the areas; which regions lie in them is geography.
// https://fly.io/docs/networking/dynamic-request-routing/
func In(group, region string) bool {
	switch group {
	case "any":
		return true
	case "usa":
		group = "us"
	}
	return slices.Contains(places[region].groups, group)
}

// IsGroup tells whether a word is the name of such a group.
func IsGroup(word string) bool {
	return slices.Contains([]string{"apac", "eu", "na", "sa", "us", "usa", "any"}, word)
}

type place struct {
	Point
	groups []string
}

var (
	apac     = []string{"apac"}
	europe   = []string{"eu"}
	americaN = []string{"na"}
	states   = []string{"us", "na"}
	americaS = []string{"sa"}
)

// places are Fly's regions, those that are closed too.
// https://fly.io/docs/reference/regions/
var places = map[string]place{
	"ams": {Point{52.31, 4.76}, europe},
	"arn": {Point{59.65, 17.92}, europe},
	"atl": {Point{33.64, -84.43}, states},
	"bog": {Point{4.70, -74.15}, americaS},
	"bom": {Point{19.09, 72.87}, apac},
	"bos": {Point{42.36, -71.01}, states},
	"cdg": {Point{49.01, 2.55}, europe},
	"den": {Point{39.86, -104.67}, states},
	"dfw": {Point{32.90, -97.04}, states},
	"ewr": {Point{40.69, -74.17}, states},
	"eze": {Point{-34.82, -58.54}, americaS},
	"fra": {Point{50.03, 8.56}, europe},
	"gdl": {Point{20.52, -103.31}, americaN},
	"gig": {Point{-22.81, -43.25}, americaS},
	"gru": {Point{-23.43, -46.47}, americaS},
	"hkg": {Point{22.31, 113.91}, apac},
	"iad": {Point{38.94, -77.46}, states},
	"jnb": {Point{-26.14, 28.25}, nil},
	"lax": {Point{33.94, -118.41}, states},
	"lhr": {Point{51.47, -0.45}, europe},
	"mad": {Point{40.47, -3.56}, europe},
	"mia": {Point{25.79, -80.29}, states},
	"nrt": {Point{35.76, 140.39}, apac},
	"ord": {Point{41.98, -87.90}, states},
	"otp": {Point{44.57, 26.10}, europe},
	"phx": {Point{33.43, -112.01}, states},
	"qro": {Point{20.62, -100.19}, americaN},
	"scl": {Point{-33.39, -70.79}, americaS},
	"sea": {Point{47.45, -122.31}, states},
	"sin": {Point{1.36, 103.99}, apac},
	"sjc": {Point{37.36, -121.93}, states},
	"syd": {Point{-33.95, 151.18}, apac},
	"waw": {Point{52.17, 20.97}, europe},
	"yul": {Point{45.47, -73.74}, americaN},
	"yyz": {Point{43.68, -79.63}, americaN},
}
