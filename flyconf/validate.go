package flyconf

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// What Fly takes, as its documentation and flyctl's own checks have it.
const (
	maxAppName       = 63 // the app's name is a DNS label
	maxVolumeName    = 30
	maxVolumeGB      = 500
	maxIncrementGB   = 100
	maxKillTimeout   = 300 * time.Second
	maxRetentionDays = 60
	memoryStepMB     = 256
	maxMemoryMB      = 1 << 20 // far above any machine; keeps the arithmetic safe
)

var (
	appName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	regionCode = regexp.MustCompile(`^[a-z]{3}$`)
	volumeName = regexp.MustCompile(`^[a-z0-9_]+$`)
	envName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	methodName = regexp.MustCompile(`^[A-Za-z]+$`)

	killSignals = []string{"SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGSTOP"}
	strategies  = []string{"rolling", "immediate", "canary", "bluegreen"}
	autoStops   = []string{"off", "stop", "suspend"}
	loadTypes   = []string{"requests", "connections"}
	protocols   = []string{"tcp", "udp"}
	handlers    = []string{"http", "tls", "pg_tls", "proxy_proto", "edge_http"}
	checkTypes  = []string{"http", "tcp"}
	schemes     = []string{"http", "https"}
	policies    = []string{"always", "never", "on-failure"}
	cpuKinds    = []string{"shared", "performance"}
	rootfs      = []string{"never", "always", "restart"}
)

// CheckAppName says why name cannot be the name of an app on Fly.
func CheckAppName(name string) error {
	switch {
	case name == "":
		return errors.New("is missing: name the app")
	case len(name) > maxAppName:
		return fmt.Errorf("%q is longer than %d characters", name, maxAppName)
	case !appName.MatchString(name):
		return fmt.Errorf("%q is not an app name: use lowercase letters, digits and dashes, and no dash at either end", name)
	}
	return nil
}

// CheckRegion says why code cannot be a region of Fly. That the region exists
// only Fly knows.
func CheckRegion(code string) error {
	if code == "" {
		return errors.New("is missing: a volume needs a region to be made in, such as \"iad\"")
	}
	if !regionCode.MatchString(code) {
		return fmt.Errorf("%q is not a region: use its three lowercase letters, such as \"iad\" (fly platform regions lists them)", code)
	}
	return nil
}

// Problems returns everything that Parse found in the file and Validate finds in
// c, warnings too, in the order of the file.
func (c *Config) Problems() []*Problem {
	p := &problems{src: c.source}
	unread := map[string]bool{}
	for _, problem := range c.read {
		unread[problem.Key] = unread[problem.Key] || problem.Severity == SeverityError
	}
	c.validate(p)
	list := slices.Clone(c.read)
	for _, problem := range p.list {
		// What could not be read is not missing as well.
		if !unread[problem.Key] {
			list = append(list, problem)
		}
	}
	sortByPlace(list)
	return list
}

// Validate reports everything in c that Fly refuses, or takes and then ignores,
// joined; each is a *Problem, with its place where c came from Parse. What Parse
// reported is part of it: a Config of a file that could not be read whole is not
// made valid by changing its fields. Warnings do not count, see Problems.
func (c *Config) Validate() error { return joinErrors(c.Problems()) }

func (c *Config) validate(p *problems) {
	check := func(key string, err error) {
		if err != nil {
			p.add(key, "%v", err)
		}
	}
	check("app", CheckAppName(c.App))
	if c.PrimaryRegion != "" || len(c.Mounts) > 0 {
		if err := CheckRegion(c.PrimaryRegion); err != nil && c.PrimaryRegion == "" {
			p.as("FLY206").add("primary_region", "%v", err)
		} else {
			check("primary_region", err)
		}
	}
	p.signal("kill_signal", c.KillSignal)
	if c.KillTimeout < 0 || c.KillTimeout > maxKillTimeout || c.KillTimeout%time.Second != 0 {
		p.add("kill_timeout", "%v is not a whole number of seconds up to %v", c.KillTimeout, maxKillTimeout)
	}
	p.notNegativeNumber("swap_size_mb", c.SwapSizeMB)
	if c.Deploy != nil {
		c.validateDeploy(p)
	}
	c.validateEnv(p)
	c.validateMounts(p)
	c.validateServices(p)
	c.validateSections(p)
	p.tables(reflect.ValueOf(c).Elem(), "")
}

func (c *Config) validateDeploy(p *problems) {
	d := c.Deploy
	if d.Strategy != "" {
		p.oneOf("deploy.strategy", d.Strategy, strategies)
	}
	if len(c.Mounts) > 0 && (d.Strategy == "canary" || d.Strategy == "bluegreen") {
		p.as("FLY201").add("deploy.strategy", "%q starts a second machine beside the first, which volumes do not allow: use \"rolling\"", d.Strategy)
	}
	if n := d.MaxUnavailable; n != nil && !(*n > 0) {
		p.add("deploy.max_unavailable", "%v replaces no machine: give a share such as 0.33, or a number from 1 on", *n)
	}
	if d.ReleaseCommandVM != nil {
		d.ReleaseCommandVM.validate(p, "deploy.release_command_vm")
	}
}

func (c *Config) validateEnv(p *problems) {
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		key := "env." + name
		switch {
		case !envName.MatchString(name):
			p.add(key, "is not the name of an environment variable: use letters, digits and underscores")
		case strings.HasPrefix(name, "FLY_"):
			p.as("FLY509").add(key, "names that begin with FLY_ are Fly's own: choose another")
		case name == "PRIMARY_REGION":
			p.as("FLY509").add(key, "Fly sets it from primary_region: remove it here")
		}
		if strings.ContainsRune(c.Env[name], 0) {
			p.add(key, "holds a NUL, which no environment variable can")
		}
	}
}

func (c *Config) validateMounts(p *problems) {
	for i, m := range c.Mounts {
		key := fmt.Sprintf("mounts[%d]", i)
		m.validate(p, key)
		c.groups(p, key, m.Processes, "flyctl then leaves the volume out without a word")
	}
	if _, old := c.Extra["processes"]; old {
		return // a form of [processes] that is not read
	}
	standard := c.DefaultGroup()
	for _, group := range c.Groups() {
		first := -1
		for i, m := range c.Mounts {
			if !slices.Contains(m.Processes, group) && !(len(m.Processes) == 0 && group == standard) {
				continue
			}
			switch {
			case first < 0:
				first = i
			case len(c.Processes) == 0:
				p.as("FLY202").add(fmt.Sprintf("mounts[%d]", i), "a machine takes one volume: keep one [[mounts]]")
			default:
				p.as("FLY202").add(fmt.Sprintf("mounts[%d]", i), "a machine takes one volume, and mounts[%d] gives the process group %q one already: keep one of them for it", first, group)
			}
		}
	}
}

// groups reports process groups that the file does not have.
func (c *Config) groups(p *problems, key string, processes []string, effect string) {
	if _, old := c.Extra["processes"]; old {
		return // a form of [processes] that is not read
	}
	for _, name := range processes {
		if slices.Contains(c.Groups(), name) {
			continue
		}
		message := fmt.Sprintf("%q is not a process group, and %s: use %s", name, effect, quoted(c.Groups()))
		if len(c.Processes) == 0 {
			message += ", or add the group to [processes]"
		}
		rule := ruleValue
		if strings.HasPrefix(key, "mounts[") {
			rule = "FLY203"
		}
		p.as(rule).add(key+".processes", "%s", message)
	}
}

func (m Mount) validate(p *problems, key string) {
	switch {
	case m.Source == "":
		p.as("FLY205").add(key+".source", "is missing: name the volume")
	case len(m.Source) > maxVolumeName:
		p.as("FLY205").add(key+".source", "%q is longer than %d characters", m.Source, maxVolumeName)
	case !volumeName.MatchString(m.Source):
		p.as("FLY205").add(key+".source", "%q is not a volume name: use lowercase letters, digits and underscores", m.Source)
	}
	switch d := m.Destination; {
	case d == "":
		p.as("FLY204").add(key+".destination", "is missing: say where the volume is mounted, such as \"/data\"")
	case !path.IsAbs(d) || path.Clean(d) == "/":
		p.as("FLY204").add(key+".destination", "%q cannot be mounted on: use an absolute path that is not /", d)
	default:
		p.text(key+".destination", d)
	}
	p.sizeGB(key+".initial_size", m.InitialSizeGB)
	if n := m.AutoExtendLimitGB; n < 0 || n > maxVolumeGB {
		p.as("FLY212").add(key+".auto_extend_size_limit", "%d GB is not between 1 and %d GB", n, maxVolumeGB)
	}
	if n := m.AutoExtendIncrementGB; n < 0 || n > maxIncrementGB {
		p.as("FLY212").add(key+".auto_extend_size_increment", "%d GB is not between 1 and %d GB", n, maxIncrementGB)
	}
	threshold := m.AutoExtendThresholdPercent
	if threshold != 0 && (threshold < 50 || threshold > 99) {
		p.as("FLY212").add(key+".auto_extend_size_threshold", "%d is not between 50 and 99 percent", threshold)
	}
	set := 0
	for name, v := range map[string]int{"threshold": threshold, "increment": m.AutoExtendIncrementGB, "limit": m.AutoExtendLimitGB} {
		if _, odd := m.Extra["auto_extend_size_"+name]; v != 0 || odd { // one of a wrong type is reported already
			set++
		}
	}
	if set != 0 && set != 3 {
		p.as("FLY212").add(key, "the volume will not grow: auto_extend_size_threshold, _increment and _limit are needed together")
	}
	if r := m.SnapshotRetentionDays; r < 0 || r > maxRetentionDays {
		p.as("FLY214").add(key+".snapshot_retention", "%d is not between 1 and %d days", r, maxRetentionDays)
	}
}
