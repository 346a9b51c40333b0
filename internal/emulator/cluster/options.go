package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/internal/emulator/latency"
)

// Options are what is run.
type Options struct {
	Dir        string                     // holds volumes, mounts, logs and the lease server's state
	Config     *flyconf.Config            // fly.toml
	LiteFS     string                     // the litefs.yml, which needs root; "" is machines with a volume each, and nothing between them
	Regions    []string                   // where machines are, at least one; primary_region belongs among them
	PerRegion  int                        // machines in each; 0 is one
	Command    []string                   // the app
	WorkDir    string                     // where it runs; "" is here
	Entrypoint string                     // the program flysql-entrypoint
	Litefs     string                     // the directory of the program litefs, where it is not in PATH
	Env        []string                   // NAME=value for every machine: above fly.toml's [env], as secrets are
	Log        func(machine, line string) // what machines print; called by several goroutines, nil is nobody
	Latency    latency.Matrix             // between regions: the edge and machines, and machines among themselves
	HTTPS      bool                       // as edge.Options
	// Made is called once, before the first machine boots: they are all there, and so is
	// the edge. nil is nobody.
	Made func(*Cluster)
	// Consul is the URL of one in place of the lease server here: http://host:port, or as
	// FLY_CONSUL_URL is. It must be there all the time; machines here and elsewhere must not
	// share a key of it.
	Consul string
	// Partial has Start return the cluster also where machines did not come up, and a
	// *BootError which ones, as long as another serves; with LiteFS it must be the first.
	Partial bool
	// BootWait bounds a machine's boot, until its app listens and its checks pass. 0 is
	// two minutes.
	BootWait time.Duration
	// MaxCheckWait as in edge.Options. 0 is a second: who waits is somebody.
	MaxCheckWait time.Duration
}

func (o *Options) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Config == nil {
		return errors.New("no fly.toml")
	}
	if len(o.Regions) == 0 {
		wrong("no region to run machines in")
	}
	if len(o.Command) == 0 || o.Command[0] == "" {
		wrong("no command to run")
	}
	if o.PerRegion < 0 {
		wrong("%d machines a region", o.PerRegion)
	}
	if o.LiteFS == "" && len(o.Regions)*max(o.PerRegion, 1) > 1 && len(o.Config.Mounts) > 0 {
		wrong("%d machines without LiteFS have a database each: run one, or add a litefs.yml (flysql init --mode litefs)", len(o.Regions)*max(o.PerRegion, 1))
	}
	if o.LiteFS != "" && os.Geteuid() != 0 {
		wrong("LiteFS is mounted by root alone: run this as root, or one machine without LiteFS")
	}
	if p := o.Config.PrimaryRegion; o.LiteFS != "" && p == "" {
		wrong("fly.toml has no primary_region, and LiteFS no candidate: set it")
	}
	if o.Consul != "" {
		if _, err := consulURL(o.Consul); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (o *Options) fill() (err error) {
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return err
	}
	// A process finds its own paths by it, whatever links lead here.
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return err
	}
	if o.Dir, err = filepath.EvalSymlinks(o.Dir); err != nil {
		return err
	}
	if o.Entrypoint, err = filepath.Abs(o.Entrypoint); err != nil {
		return err
	}
	if o.Litefs != "" {
		if o.Litefs, err = filepath.Abs(o.Litefs); err != nil {
			return err
		}
	}
	o.PerRegion = cmp.Or(o.PerRegion, 1)
	o.BootWait = cmp.Or(o.BootWait, 2*time.Minute)
	o.MaxCheckWait = cmp.Or(o.MaxCheckWait, time.Second)
	if o.Log == nil {
		o.Log = func(string, string) {}
	}
	return nil
}

// edge is what stands in front of the machines.
func (o *Options) edge(power edge.Power) (edge.Options, error) {
	s, err := edge.ServiceOf(o.Config)
	if err != nil {
		return edge.Options{}, err
	}
	return edge.Options{
		App: o.Config.App, Region: o.Config.PrimaryRegion, Service: s, Latency: o.Latency, HTTPS: o.HTTPS,
		Power: power, MaxCheckWait: o.MaxCheckWait, Patience: o.BootWait,
	}, nil
}

// lines hands what a process prints to a function, line by line, and keeps the last of
// them. It is an io.Writer for one process.
type lines struct {
	each io.Writer
	say  func(line string)
	rest []byte
	last []string
}

// kept is how many lines are kept, and maxLine how long one may be.
const (
	kept    = 20
	maxLine = 64 << 10
)

// Write takes all, whatever becomes of it: that a disk is full is no reason for a process
// to be held up in what it says.
func (l *lines) Write(p []byte) (int, error) {
	_, _ = l.each.Write(p)
	for _, b := range p {
		if b != '\n' && len(l.rest) < maxLine {
			l.rest = append(l.rest, b)
			continue
		}
		l.flush()
		if b != '\n' {
			l.rest = append(l.rest, b)
		}
	}
	return len(p), nil
}

func (l *lines) flush() {
	line := string(l.rest)
	l.rest = l.rest[:0]
	if l.last = append(l.last, line); len(l.last) > kept {
		l.last = l.last[1:]
	}
	l.say(line)
}
