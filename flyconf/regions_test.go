package flyconf

import (
	"cmp"
	"slices"
	"testing"
)

func TestKnownRegions(t *testing.T) {
	list := KnownRegions()
	if !slices.IsSortedFunc(list, func(a, b Region) int { return cmp.Compare(a.Code, b.Code) }) {
		t.Error("not sorted by code")
	}
	for _, r := range list {
		if err := CheckRegion(r.Code); err != nil {
			t.Error(err)
		}
		if r.City == "" || RegionClosed(r.Code) {
			t.Errorf("%s: city %q, closed %v", r.Code, r.City, RegionClosed(r.Code))
		}
	}
	for code, want := range map[string]bool{"mia": true, "iad": false, "xyz": false, "": false} {
		if got := RegionClosed(code); got != want {
			t.Errorf("RegionClosed(%q) = %v, want %v", code, got, want)
		}
	}
}
