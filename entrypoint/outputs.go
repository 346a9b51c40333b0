package entrypoint

import (
	"os"
	"path/filepath"
)

// What a boot tells the app. None of them is a setting: the entrypoint does not read
// them, and leaves alone what the machine has.
const (
	outputAddr  = "FLYSQL_LITEFS_ADDR" // host:port of this machine's LiteFS
	outputDir   = "FLYSQL_LITEFS_DIR"  // where that shows the databases
	outputLocal = "FLYSQL_LOCAL_DIR"   // a directory of this machine's volume, for appdb.OpenLocal
)

// Outputs lists the environment variables that a boot sets for the app, sorted, unless
// they are set: where LiteFS is, for packages replay and litefs, and where on the
// volume files of this machine alone may be, for appdb.OpenLocal.
func Outputs() []string { return []string{outputAddr, outputDir, outputLocal} }

// outputs are their values.
func (b *boot) outputs() map[string]string {
	found := map[string]string{outputLocal: b.localDir()}
	if b.node != nil {
		found[outputAddr], found[outputDir] = b.node.api, b.node.mount
	}
	return found
}

// localDir is the directory for files that are this machine's alone. It is beside
// what boots keep, which is on the volume in either mode, and the app's user's.
func (b *boot) localDir() string {
	dir := b.state.dir
	if b.node != nil {
		dir = filepath.Dir(dir)
	}
	return filepath.Join(dir, "local")
}

// tellApp puts the outputs in the app's environment. A function's is this process's,
// until untell.
func (b *boot) tellApp() (untell func(), err error) {
	var told []string
	untell = func() {
		for _, name := range told {
			_ = os.Unsetenv(name) // it was not set before
		}
	}
	values := b.outputs()
	for _, name := range Outputs() {
		if values[name] == "" || b.getenv(name) != "" {
			continue
		}
		b.Env = dedupe(append(b.Env[:len(b.Env):len(b.Env)], name+"="+values[name]))
		if b.App == nil {
			continue
		}
		if err := os.Setenv(name, values[name]); err != nil {
			return untell, err
		}
		told = append(told, name)
	}
	return untell, nil
}
