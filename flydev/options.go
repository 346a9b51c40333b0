package flydev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/flysql/flysql/internal/dev"
)

// Options are what is run. The zero value is the app above the test: three regions where it
// has a litefs.yml, and one machine where it has none.
type Options struct {
	// Dir is the app's directory, relative to that of the test's package. "" is the nearest
	// above it that has a fly.toml.
	Dir string
	// Config is its fly.toml, relative to Dir. "" is fly.toml.
	Config string
	// Regions are where machines are, "ord"; primary_region of fly.toml is to be among
	// them. nil is that region, and two far from it.
	Regions []string
	// PerRegion is how many machines there are in each; 0 is one.
	PerRegion int
	// Latency is the time between regions: "real", or a round trip such as "50ms". "" is
	// "none", since most tests only wait for it.
	Latency string
	// Env is NAME=value for each machine, as secrets are.
	Env []string
	// Command runs the app, which is built already. nil builds what the Dockerfile runs.
	Command []string
	// Single is one machine without LiteFS, also where that could be had.
	Single bool
	// SkipWithoutLiteFS skips the test where LiteFS cannot run, on a developer's Mac for
	// example. Otherwise that fails the test, and says what is missing: a test that is
	// skipped where it matters tests nothing, so set it from the environment rather than
	// always. It needs root and /dev/fuse; FLYSQL_LITEFS_BIN names the program litefs
	// where it is not in PATH.
	SkipWithoutLiteFS bool
	// Patience bounds each wait: that for a machine to boot, and that of WaitFor. 0 is a
	// minute, and two for a boot.
	Patience time.Duration
}

// session are the options of a session in a directory of its own.
func (o Options) session(dir string, n int) dev.Options {
	latency := o.Latency
	if latency == "" {
		latency = "none"
	}
	return dev.Options{
		Dir: dir, Config: o.Config, StateDir: filepath.Join(testDir(dir), strconv.Itoa(n)), Fresh: true,
		Regions: o.Regions, PerRegion: o.PerRegion, Latency: latency, Env: o.Env, Command: o.Command, Single: o.Single, BootWait: o.Patience,
	}
}

// testDir is where the clusters of an app's tests are, each in a directory that is a number.
func testDir(app string) string { return filepath.Join(app, ".flysql", "test") }

func (o Options) patience() time.Duration {
	if o.Patience <= 0 {
		return time.Minute
	}
	return o.Patience
}

// appDir is the app's directory, absolute.
func (o Options) appDir() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if o.Dir != "" {
		return filepath.Abs(o.Dir)
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		_, err := os.Stat(filepath.Join(dir, "fly.toml"))
		switch {
		case err == nil:
			return dir, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		case dir == filepath.Dir(dir):
			return "", fmt.Errorf("there is no fly.toml in %s or above it: Options.Dir names the app's directory", here)
		}
	}
}
