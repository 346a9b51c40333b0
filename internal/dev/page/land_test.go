package page

import (
	"math"
	"strings"
	"testing"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/globe"
)

// Every region of Fly's is on the map, and on land or at a shore.
func TestRegionsAreOnLand(t *testing.T) {
	for _, r := range flyconf.KnownRegions() {
		at, ok := globe.Of(r.Code)
		if !ok || at.Lon < west || at.Lon > east || at.Lat < south || at.Lat > north {
			t.Errorf("%s is not on the map: %v", r.Code, at)
		}
		near := false
		for _, d := range []float64{0, 1, 2, 3} {
			for turn := 0.0; turn < 2*math.Pi; turn += math.Pi / 8 {
				near = near || onLand(at.Lon+d*math.Cos(turn), at.Lat+d*math.Sin(turn))
			}
		}
		if !near {
			t.Errorf("%s (%s) is in the sea", r.Code, r.City)
		}
	}
}

func TestLand(t *testing.T) {
	for _, p := range []struct {
		name     string
		lon, lat float64
		want     bool
	}{
		{"Kansas", -98, 38.5, true}, {"the Amazon", -60, -5, true}, {"Chad", 18, 15, true}, {"Mongolia", 104, 47, true}, {"Alice Springs", 134, -24, true},
		{"the Atlantic", -40, 30, false}, {"the Pacific", -140, 0, false}, {"the Indian Ocean", 80, -20, false}, {"the Mediterranean", 18, 35, false},
		{"Hudson Bay", -85, 59, false}, {"the Caspian Sea", 51, 41, false}, {"the Black Sea", 34, 43.3, false},
	} {
		if got := onLand(p.lon, p.lat); got != p.want {
			t.Errorf("%s is land: %t, want %t", p.name, got, p.want)
		}
	}
	if n := len(land()); n < 2000 || n > 20000 || strings.Trim(land(), "Mh.- 0123456789") != "" {
		t.Errorf("the path has %d bytes", n)
	}
	for _, shore := range append(shores, seas...) {
		if len(shore) < 6 || len(shore)%2 != 0 {
			t.Errorf("an outline of %d numbers", len(shore))
		}
	}
	for lat := south; lat <= north; lat++ {
		if back := millerInverse(miller(lat)); math.Abs(back-lat) > 1e-6 {
			t.Errorf("%g became %g", lat, back)
		}
	}
}
