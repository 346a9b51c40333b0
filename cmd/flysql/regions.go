package main

import (
	"github.com/spf13/cobra"

	"github.com/flysql/flysql/flyconf"
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
