package main

import "github.com/spf13/cobra"

// regions are Fly's, for completion only: init takes any three letters, since the
// list changes. As of October 2025, when Fly closed about half of its regions; fly
// platform regions has the present ones.
var regions = []cobra.Completion{
	"ams\tAmsterdam", "arn\tStockholm", "bom\tMumbai", "cdg\tParis", "dfw\tDallas", "ewr\tSecaucus, New Jersey",
	"fra\tFrankfurt", "gru\tSao Paulo", "iad\tAshburn, Virginia", "jnb\tJohannesburg", "lax\tLos Angeles",
	"lhr\tLondon", "nrt\tTokyo", "ord\tChicago", "sin\tSingapore", "sjc\tSan Jose", "syd\tSydney", "yyz\tToronto",
}
