package page

import (
	"fmt"
	"math"
	"strings"
	"sync"
)

// The map's extent, in degrees. Its units are degrees of longitude; map.js projects in
// the same way (Miller's projection, which leaves high latitudes their shape).
const (
	west, east   = -168.0, 190.0
	north, south = 74.0, -56.0
	landWidth    = int(east - west)
	dot          = 2.0 // from one dot to the next
)

func landHeight() int { return int(math.Ceil(miller(north) - miller(south))) }

func miller(lat float64) float64 {
	return 1.25 * math.Asinh(math.Tan(0.8*lat*math.Pi/180)) * 180 / math.Pi
}

func millerInverse(y float64) float64 {
	return math.Atan(math.Sinh(y*math.Pi/180/1.25)) / 0.8 * 180 / math.Pi
}

// land is the continents as the path of an SVG: a line for each run of dots, drawn
// dashed.
var land = sync.OnceValue(func() string {
	var b strings.Builder
	for y, row := dot/2, 0; y < float64(landHeight()); y, row = y+dot, row+1 {
		lat, run := millerInverse(miller(north)-y), 0
		for n := 0; ; n++ {
			x := dot/2 + float64(n)*dot
			if x < float64(landWidth) && onLand(west+x, lat) {
				run++
				continue
			}
			if run > 0 {
				// The line ends a little behind its last dot, or that would not be drawn.
				fmt.Fprintf(&b, "M%.1f %.1fh%.1f", x-dot*float64(run), y, dot*float64(run-1)+0.1)
			}
			if run = 0; x >= float64(landWidth) {
				break
			}
		}
	}
	return b.String()
})

func onLand(lon, lat float64) bool {
	in := false
	for _, shore := range shores {
		if inside(shore, lon, lat) {
			in = true
		}
	}
	for _, shore := range seas {
		if inside(shore, lon, lat) {
			in = false
		}
	}
	return in
}

// inside counts how often a ray to the west crosses the outline.
func inside(outline []float64, lon, lat float64) bool {
	in := false
	for i, j := 0, len(outline)-2; i < len(outline); i, j = i+2, i {
		x1, y1, x2, y2 := outline[i], outline[i+1], outline[j], outline[j+1]
		if (y1 > lat) != (y2 > lat) && lon < x1+(lat-y1)/(y2-y1)*(x2-x1) {
			in = !in
		}
	}
	return in
}
