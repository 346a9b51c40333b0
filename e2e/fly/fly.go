// Package fly is what Fly.io adds to an image when it runs it on a machine: the
// environment from fly.toml and of its own, and when and how it ends the app.
package fly

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/flyconf"
)

// App is an app's fly.toml.
type App struct{ *flyconf.Config }

// Read reads and checks dir's fly.toml.
func Read(dir string) (App, error) {
	name := filepath.Join(dir, "fly.toml")
	data, err := os.ReadFile(name)
	if err != nil {
		return App{}, err
	}
	c, err := flyconf.Parse(name, data)
	if err != nil {
		return App{}, err
	}
	if err := c.Validate(); err != nil {
		return App{}, err
	}
	if len(c.Mounts) != 1 || c.HTTPService == nil {
		return App{}, fmt.Errorf("%s has %d mounts and http_service %v: want one volume and a web app", name, len(c.Mounts), c.HTTPService != nil)
	}
	return App{c}, nil
}

// Env is the environment of a machine of the app. Its PORT is port, so that
// several can run on one host. machineID is FLY_MACHINE_ID; empty is for places
// that are no Fly machine.
// https://fly.io/docs/machines/runtime-environment/
func (a App) Env(port int, machineID string) []string {
	env := map[string]string{
		"FLY_APP_NAME":   a.App,
		"FLY_REGION":     a.PrimaryRegion,
		"PRIMARY_REGION": a.PrimaryRegion,
	}
	maps.Copy(env, a.Config.Env)
	env["PORT"] = strconv.Itoa(port)
	if machineID != "" {
		env["FLY_MACHINE_ID"] = machineID
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(env)) {
		out = append(out, key+"="+env[key])
	}
	return out
}

// VolumeAt is where the machine finds its volume.
func (a App) VolumeAt() string { return a.Mounts[0].Destination }

// Database is the database's path on the volume.
func (a App) Database() (string, error) {
	p, err := appdb.Path(a.Config.Env["DATABASE_URL"])
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(a.VolumeAt(), p)
	if err != nil || strings.HasPrefix(rel, "..") {
		return "", fmt.Errorf("the database %s is not on the volume at %s", p, a.VolumeAt())
	}
	return rel, nil
}

// HealthPath is the path of the app's first HTTP check.
func (a App) HealthPath() string {
	for _, c := range a.HTTPService.Checks {
		return c.Path
	}
	return "/"
}

// Signal is what the app is asked to end with.
func (a App) Signal() syscall.Signal {
	if a.KillSignal == "SIGTERM" {
		return syscall.SIGTERM
	}
	return syscall.SIGINT
}

// Grace is how long the app may take to end. Fly's default is 5 seconds.
func (a App) Grace() time.Duration {
	if a.KillTimeout > 0 {
		return a.KillTimeout
	}
	return 5 * time.Second
}

// FreePort is a TCP port that nothing listens on. Another program can take it
// before it is used, which then says so.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
