package private

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/flysql/flysql/flyconf"
)

// Boot is what a machine's environment says beside what its fly.toml does.
type Boot struct {
	Machine  Machine
	Image    string            // FLY_IMAGE_REF; "" leaves it out
	Version  string            // FLY_MACHINE_VERSION; "" leaves it out
	MemoryMB int               // FLY_VM_MEMORY_MB; 0 leaves it out
	Secrets  map[string]string // they override [env]
}

// Environ is the environment that a machine gets: [env] of fly.toml, above it secrets,
// and above all what Fly sets itself: PRIMARY_REGION "overrides any value set in the
// [env] section", and FLY_* may not be there. FLY_PUBLIC_IP is left out: there is none.
func Environ(c *flyconf.Config, b Boot) []string {
	m := b.Machine
	env := map[string]string{}
	maps.Copy(env, c.Env)
	maps.Copy(env, b.Secrets)
	for name, value := range map[string]string{
		"FLY_APP_NAME":        m.App,
		"FLY_MACHINE_ID":      m.ID,
		"FLY_ALLOC_ID":        m.ID,
		"FLY_REGION":          m.Region,
		"FLY_PRIVATE_IP":      address(m),
		"FLY_PROCESS_GROUP":   cmp.Or(m.Group, "app"),
		"FLY_IMAGE_REF":       b.Image,
		"FLY_MACHINE_VERSION": b.Version,
		"FLY_VM_MEMORY_MB":    memory(b.MemoryMB),
		"PRIMARY_REGION":      c.PrimaryRegion,
	} {
		if value != "" {
			env[name] = value
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}

func address(m Machine) string {
	if !m.Address.IsValid() {
		return ""
	}
	return m.Address.String()
}

func memory(mb int) string {
	if mb <= 0 {
		return ""
	}
	return strconv.Itoa(mb)
}
