package dev

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/globe"
)

// maxMachines is more than any laptop runs.
const maxMachines = 64

// chooseRegions are those that machines are in, the primary one first.
func chooseRegions(asked []string, primary string) ([]string, error) {
	if len(asked) == 0 {
		return farRegions(primary, 3), nil
	}
	if err := CheckRegions(asked); err != nil {
		return nil, err
	}
	i := slices.Index(asked, primary)
	if i < 0 {
		return nil, fmt.Errorf("fly.toml's primary_region %s is not among the regions %s: nobody could write; add it, or change primary_region", primary, strings.Join(asked, ","))
	}
	return slices.Concat([]string{primary}, asked[:i], asked[i+1:]), nil
}

// CheckRegions refuses regions that Fly does not have, and those given twice.
func CheckRegions(asked []string) error {
	var errs []error
	for i, r := range asked {
		switch {
		case !globe.Known(r):
			errs = append(errs, unknownRegion(r))
		case slices.Contains(asked[:i], r):
			errs = append(errs, fmt.Errorf("the region %s is given twice: several machines in each are --machines", r))
		}
	}
	return errors.Join(errs...)
}

// unknownRegion names those that may have been meant.
func unknownRegion(code string) error {
	var near []string
	for _, r := range flyconf.KnownRegions() {
		if alike(code, r.Code) {
			near = append(near, r.Code+" ("+r.City+")")
		}
	}
	if len(near) == 0 {
		for _, r := range flyconf.KnownRegions() {
			near = append(near, r.Code)
		}
		return fmt.Errorf("%q is no region of Fly's: there are %s", code, strings.Join(near, ", "))
	}
	return fmt.Errorf("%q is no region of Fly's: did you mean %s?", code, strings.Join(near, " or "))
}

// alike tells of codes that have two letters in the same places, or the same letters: of
// three, more is too much.
func alike(a, b string) bool {
	if len(a) != 3 || len(b) != 3 {
		return flyconf.Nearest(a, []string{b}) != ""
	}
	same := 0
	for i := range 3 {
		if a[i] == b[i] {
			same++
		}
	}
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return same >= 2 || string(x) == string(y)
}

// farRegions are n regions, the first of them given, and each other as far as can be
// from all before.
func farRegions(first string, n int) []string {
	chosen := []string{first}
	nearest := func(code string) float64 {
		d := math.MaxFloat64
		for _, c := range chosen {
			d = min(d, globe.Between(c, code))
		}
		return d
	}
	for len(chosen) < n {
		best := slices.MaxFunc(flyconf.KnownRegions(), func(a, b flyconf.Region) int {
			return cmp.Compare(nearest(a.Code), nearest(b.Code)) // of equals the first
		})
		chosen = append(chosen, best.Code)
	}
	return chosen
}

// regionOf is a region as State has it.
func regionOf(code string) Region {
	r := Region{Code: code, Name: code}
	for _, k := range flyconf.KnownRegions() {
		if k.Code == code {
			r.Name = k.City
		}
	}
	p, _ := globe.Of(code)
	r.Lat, r.Lon = p.Lat, p.Lon
	return r
}
