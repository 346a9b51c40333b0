package scaffold

import (
	"path"
	"regexp"
	"strings"

	"golang.org/x/mod/module"
)

// notAppName is what an app's name cannot hold.
var notAppName = regexp.MustCompile(`[^a-z0-9]+`)

// appNameFrom makes a name that Fly takes from any text: lowercase letters,
// digits and single dashes. It is empty where the text has none of them.
func appNameFrom(s string) string {
	s = strings.Trim(notAppName.ReplaceAllString(strings.ToLower(s), "-"), "-")
	if len(s) > 63 { // a DNS label
		s = strings.TrimRight(s[:63], "-")
	}
	return s
}

// moduleBase is the module's own name: the last element of its path that is not
// a major version.
func moduleBase(modulePath string) string {
	prefix, _, ok := module.SplitPathVersion(modulePath)
	if !ok {
		prefix = modulePath
	}
	return path.Base(prefix)
}

// volumeName names the app's volume: Fly takes lowercase letters, digits and
// underscores, at most 30.
func volumeName(app string) string {
	const suffix = "_data"
	name := strings.ReplaceAll(app, "-", "_")
	if len(name) > 30-len(suffix) {
		name = strings.TrimRight(name[:30-len(suffix)], "_")
	}
	return name + suffix
}
