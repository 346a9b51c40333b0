package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/scaffold"
)

// regions are Fly's, for completion only: init takes any three letters, since the
// list changes.
func regions() []cobra.Completion {
	var out []cobra.Completion
	for _, r := range flyconf.KnownRegions() {
		out = append(out, r.Code+"\t"+r.City)
	}
	return out
}

// regionNotes warn of regions that were not Fly's when this program was made.
func regionNotes(a scaffold.Answers) []string {
	var list []string
	for _, region := range append([]string{a.Region}, a.Regions...) {
		if !slices.ContainsFunc(flyconf.KnownRegions(), func(r flyconf.Region) bool { return r.Code == region }) {
			list = append(list, fmt.Sprintf("the region %s was not one of Fly's in October 2025: fly platform regions lists the present ones", region))
		}
	}
	return list
}
