package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

const modulePath = "github.com/flysql/flysql"

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of flysql",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo()
			_, err := fmt.Fprintln(c.stdout, "flysql", versionText(info))
			return err
		},
	}
}

// publishedVersion is the version of flysql that a build fetched from a module
// proxy, such as "v0.1.0", so that another build can fetch it too. It is empty for
// a build from a checkout, even at a tag: the sum tells the two apart, since only
// what was fetched has one.
func publishedVersion(info *debug.BuildInfo) string {
	if info == nil {
		return ""
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == modulePath && m.Sum != "" && m.Replace == nil {
			return m.Version
		}
	}
	return ""
}

// versionText is the version for people: that of the module, or the commit of
// the checkout.
func versionText(info *debug.BuildInfo) string {
	if v := publishedVersion(info); v != "" {
		return v
	}
	if info == nil {
		return "(built from a checkout)"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	if revision == "" {
		return "(built from a checkout)"
	}
	if len(revision) > 12 {
		revision = revision[:12]
	}
	if settings["vcs.modified"] == "true" {
		revision += ", modified"
	}
	return "(built from a checkout at " + revision + ")"
}
