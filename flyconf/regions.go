package flyconf

import "slices"

// Region is one of Fly's regions.
type Region struct {
	Code string // "iad"
	City string // "Ashburn, Virginia"
}

// KnownRegions returns Fly's regions by their codes, as of October 2025, when Fly
// had closed about half of those that there were. Fly opens and closes regions: fly
// platform regions lists the present ones, and CheckRegion takes any code.
// https://fly.io/docs/reference/regions/
func KnownRegions() []Region {
	return []Region{
		{"ams", "Amsterdam"},
		{"arn", "Stockholm"},
		{"bom", "Mumbai"},
		{"cdg", "Paris"},
		{"dfw", "Dallas"},
		{"ewr", "Secaucus, New Jersey"},
		{"fra", "Frankfurt"},
		{"gru", "Sao Paulo"},
		{"iad", "Ashburn, Virginia"},
		{"jnb", "Johannesburg"},
		{"lax", "Los Angeles"},
		{"lhr", "London"},
		{"nrt", "Tokyo"},
		{"ord", "Chicago"},
		{"sin", "Singapore"},
		{"sjc", "San Jose"},
		{"syd", "Sydney"},
		{"yyz", "Toronto"},
	}
}

// RegionClosed tells whether Fly has closed the region of that code. Of a code that
// never was one it is false.
func RegionClosed(code string) bool {
	return slices.Contains([]string{
		"atl", "bog", "bos", "den", "eze", "gdl", "gig", "hkg", "mad", "mia", "otp", "phx", "qro", "scl", "sea", "waw", "yul",
	}, code)
}
