package globe_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/globe"
)

// Every region that init offers has a place.
func TestEveryRegionHasAPlace(t *testing.T) {
	for _, r := range flyconf.KnownRegions() {
		if !globe.Known(r.Code) {
			t.Errorf("%s (%s) has no place", r.Code, r.City)
		}
	}
	if _, ok := globe.Of("xyz"); ok || globe.Known("") {
		t.Error("a region that is none has a place")
	}
}

func TestApart(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		km       float64
	}{
		{"ams", "ams", 0},
		{"ams", "ord", 6615},
		{"ams", "syd", 16650},
		{"syd", "ams", 16650},
		{"iad", "ewr", 340},
		{"nrt", "sjc", 8310}, // over the date line
		{"gru", "jnb", 7450},
	} {
		a, _ := globe.Of(tt.from)
		b, _ := globe.Of(tt.to)
		if got := globe.Apart(a, b); math.Abs(got-tt.km) > 0.01*tt.km+1 {
			t.Errorf("%s to %s: %.0f km, want about %.0f", tt.from, tt.to, got, tt.km)
		}
	}
}

func TestBetween(t *testing.T) {
	if near, far := globe.Between("ams", "cdg"), globe.Between("ams", "syd"); near <= 0 || near >= far || globe.Between("ams", "ams") != 0 {
		t.Errorf("%v and %v km", near, far)
	}
	if globe.Between("xyz", "xyz") != 0 || globe.Between("ams", "xyz") <= globe.Between("ams", "syd") {
		t.Error("a region whose place is not known is not the farthest")
	}
}

func TestIn(t *testing.T) {
	for _, tt := range []struct {
		group, region string
		want          bool
	}{
		{"eu", "lhr", true},
		{"eu", "iad", false},
		{"us", "sjc", true},
		{"usa", "sjc", true},
		{"us", "yyz", false},
		{"na", "yyz", true},
		{"na", "ord", true},
		{"sa", "gru", true},
		{"apac", "syd", true},
		{"any", "jnb", true},
		{"any", "xyz", true},
		{"eu", "xyz", false},
		{"ams", "ams", false},
	} {
		if got := globe.In(tt.group, tt.region); got != tt.want {
			t.Errorf("%s in %s: %v, want %v", tt.region, tt.group, got, tt.want)
		}
	}
	for word, want := range map[string]bool{"us": true, "usa": true, "any": true, "ams": false, "": false} {
		if globe.IsGroup(word) != want {
			t.Errorf("%q is a group: %v, want %v", word, !want, want)
		}
	}
}

func ExampleApart() {
	ams, _ := globe.Of("ams")
	ord, _ := globe.Of("ord")
	fmt.Printf("%.0f km\n", globe.Apart(ams, ord))
	// Output: 6611 km
}
