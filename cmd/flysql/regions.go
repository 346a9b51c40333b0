package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flysql/flysql/internal/scaffold"
)

// regions are Fly's, for completion and a warning only: init takes any three
// letters, since the list changes. As of October 2025, when Fly closed about half of
// its regions; fly platform regions has the present ones.
var regions = []cobra.Completion{
	"ams\tAmsterdam", "arn\tStockholm", "bom\tMumbai", "cdg\tParis", "dfw\tDallas", "ewr\tSecaucus, New Jersey",
	"fra\tFrankfurt", "gru\tSao Paulo", "iad\tAshburn, Virginia", "jnb\tJohannesburg", "lax\tLos Angeles",
	"lhr\tLondon", "nrt\tTokyo", "ord\tChicago", "sin\tSingapore", "sjc\tSan Jose", "syd\tSydney", "yyz\tToronto",
}

// regionNotes warn of regions that were not Fly's when this program was made.
func regionNotes(a scaffold.Answers) []string {
	var list []string
	for _, region := range append([]string{a.Region}, a.Regions...) {
		if !slices.ContainsFunc(regions, func(c cobra.Completion) bool { return strings.HasPrefix(c, region+"\t") }) {
			list = append(list, fmt.Sprintf("the region %s was not one of Fly's in October 2025: fly platform regions lists the present ones", region))
		}
	}
	return list
}
