package entrypoint

import (
	"path/filepath"
	"strings"
)

// emulatedVariable marks the machines of flysql's emulator, which runs them on a
// developer's: a directory, a colon, the machine.
const emulatedVariable = "FLYSQL_DEV_MACHINE"

// needsVolume tells whether what is at a path must be on a volume: on every machine of
// Fly's, but not where the emulator keeps the volume of its own, which is a directory of
// whatever disk the developer has. Everything else on that disk is none of a machine's.
func (c Config) needsVolume(path string) bool {
	if !c.onFly() {
		return false
	}
	marker := c.getenv(emulatedVariable)
	i := strings.LastIndexByte(marker, ':')
	return i < 0 || !filepath.IsAbs(marker[:i]) || !below(path, filepath.Join(marker[:i], "machines", marker[i+1:]))
}

// data is where this boot's machine keeps what must stay.
func (b *boot) data() string {
	if b.node != nil {
		return b.node.data
	}
	return b.path
}
