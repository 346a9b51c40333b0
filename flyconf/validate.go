package flyconf

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// What Fly takes, as its documentation and flyctl's own checks have it.
const (
	maxAppName       = 63 // the app's name is a DNS label
	maxVolumeName    = 30
	maxVolumeGB      = 500
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
	methodName = regexp.MustCompile(`^[A-Z]+$`)

	killSignals = []string{"SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGSTOP"}
	strategies  = []string{"rolling", "immediate", "canary", "bluegreen"}
	autoStops   = []string{"off", "stop", "suspend"}
	loadTypes   = []string{"requests", "connections"}
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

// Validate reports everything in c that Fly refuses, or takes and then ignores,
// joined; each is a *Problem, with its place where c came from Parse.
func (c *Config) Validate() error {
	p := &problems{src: c.source}
	check := func(key string, err error) {
		if err != nil {
			p.add(key, "%v", err)
		}
	}
	check("app", CheckAppName(c.App))
	if c.PrimaryRegion != "" || len(c.Mounts) > 0 {
		check("primary_region", CheckRegion(c.PrimaryRegion))
	}
	if c.KillSignal != "" {
		p.oneOf("kill_signal", c.KillSignal, killSignals)
	}
	if c.KillTimeout < 0 || c.KillTimeout > maxKillTimeout || c.KillTimeout%time.Second != 0 {
		p.add("kill_timeout", "%v is not a whole number of seconds up to %v", c.KillTimeout, maxKillTimeout)
	}
	if c.Deploy != nil {
		c.validateDeploy(p)
	}
	c.validateEnv(p)
	if len(c.Mounts) > 1 {
		p.add("mounts[1]", "a machine takes one volume: keep one [[mounts]]")
	}
	for i, m := range c.Mounts {
		m.validate(p, fmt.Sprintf("mounts[%d]", i))
	}
	if c.HTTPService != nil {
		c.HTTPService.validate(p)
	}
	for i, vm := range c.VMs {
		key := fmt.Sprintf("vm[%d]", i)
		p.text(key+".size", vm.Size)
		if vm.MemoryMB < 0 || vm.MemoryMB > maxMemoryMB || vm.MemoryMB%memoryStepMB != 0 {
			p.add(key+".memory", "%dmb is not an amount of memory: use a multiple of %dmb", vm.MemoryMB, memoryStepMB)
		}
	}
	return p.err()
}

func (c *Config) validateDeploy(p *problems) {
	d := c.Deploy
	if d.Strategy != "" {
		p.oneOf("deploy.strategy", d.Strategy, strategies)
	}
	if len(c.Mounts) > 0 && (d.Strategy == "canary" || d.Strategy == "bluegreen") {
		p.add("deploy.strategy", "%q starts a second machine beside the first, which volumes do not allow: use \"rolling\"", d.Strategy)
	}
	p.notNegative("deploy.wait_timeout", d.WaitTimeout)
}

func (c *Config) validateEnv(p *problems) {
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		key := "env." + name
		switch {
		case !envName.MatchString(name):
			p.add(key, "is not the name of an environment variable: use letters, digits and underscores")
		case strings.HasPrefix(name, "FLY_"):
			p.add(key, "names that begin with FLY_ are Fly's own: choose another")
		case name == "PRIMARY_REGION":
			p.add(key, "Fly sets it from primary_region: remove it here")
		}
		if !utf8.ValidString(c.Env[name]) || strings.ContainsRune(c.Env[name], 0) {
			p.add(key, "is not UTF-8 text")
		}
	}
}

func (m Mount) validate(p *problems, key string) {
	switch {
	case m.Source == "":
		p.add(key+".source", "is missing: name the volume")
	case len(m.Source) > maxVolumeName:
		p.add(key+".source", "%q is longer than %d characters", m.Source, maxVolumeName)
	case !volumeName.MatchString(m.Source):
		p.add(key+".source", "%q is not a volume name: use lowercase letters, digits and underscores", m.Source)
	}
	switch d := m.Destination; {
	case d == "":
		p.add(key+".destination", "is missing: say where the volume is mounted, such as \"/data\"")
	case !path.IsAbs(d) || path.Clean(d) == "/":
		p.add(key+".destination", "%q cannot be mounted on: use an absolute path that is not /", d)
	default:
		p.text(key+".destination", d)
	}
	p.sizeGB(key+".initial_size", m.InitialSizeGB)
	p.sizeGB(key+".auto_extend_size_increment", m.AutoExtendIncrementGB)
	p.sizeGB(key+".auto_extend_size_limit", m.AutoExtendLimitGB)
	threshold := m.AutoExtendThresholdPercent
	if threshold != 0 && (threshold < 50 || threshold > 99) {
		p.add(key+".auto_extend_size_threshold", "%d is not between 50 and 99 percent", threshold)
	}
	set := 0
	for _, v := range []int{threshold, m.AutoExtendIncrementGB, m.AutoExtendLimitGB} {
		if v != 0 {
			set++
		}
	}
	if set != 0 && set != 3 {
		p.add(key, "the volume will not grow: auto_extend_size_threshold, _increment and _limit are needed together")
	}
	if r := m.SnapshotRetentionDays; r < 0 || r > maxRetentionDays {
		p.add(key+".snapshot_retention", "%d is not between 1 and %d days", r, maxRetentionDays)
	}
}

func (s *HTTPService) validate(p *problems) {
	const key = "http_service"
	switch {
	case s.InternalPort == 0:
		p.add(key+".internal_port", "is missing: give the port that the app listens on")
	case s.InternalPort < 1 || s.InternalPort > 65535:
		p.add(key+".internal_port", "%d is not a port: use 1 to 65535", s.InternalPort)
	}
	if s.AutoStop != "" {
		p.oneOf(key+".auto_stop_machines", s.AutoStop, autoStops)
	}
	if s.MinMachinesRunning < 0 {
		p.add(key+".min_machines_running", "%d is negative", s.MinMachinesRunning)
	}
	if c := s.Concurrency; c != nil {
		p.oneOf(key+".concurrency.type", c.Type, loadTypes)
		if c.SoftLimit < 0 || c.HardLimit < 0 {
			p.add(key+".concurrency", "limits are not negative")
		}
	}
	for i, c := range s.Checks {
		c.validate(p, fmt.Sprintf("%s.checks[%d]", key, i))
	}
}

func (c HTTPCheck) validate(p *problems, key string) {
	if c.Method != "" && !methodName.MatchString(c.Method) {
		p.add(key+".method", "%q is not a method: write it as in \"GET\"", c.Method)
	}
	if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
		p.add(key+".path", "%q does not begin with /", c.Path)
	}
	p.text(key+".path", c.Path)
	p.notNegative(key+".interval", c.Interval)
	p.notNegative(key+".timeout", c.Timeout)
	p.notNegative(key+".grace_period", c.GracePeriod)
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if !headerName.MatchString(name) {
			p.add(key+".headers", "%q is not the name of a header", name)
		}
		p.text(key+".headers."+name, c.Headers[name])
	}
}

func (p *problems) oneOf(key, value string, allowed []string) {
	if slices.Contains(allowed, value) {
		return
	}
	p.add(key, "%q is not one of %s", value, strings.Join(allowed, ", "))
}

// text refuses what no value of the file may hold.
func (p *problems) text(key, s string) {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		p.add(key, "holds control characters, or is not UTF-8")
	}
}

func (p *problems) sizeGB(key string, n int) {
	if n < 0 || n > maxVolumeGB {
		p.add(key, "%d GB is not between 1 and %d GB", n, maxVolumeGB)
	}
}

func (p *problems) notNegative(key string, d time.Duration) {
	if d < 0 {
		p.add(key, "%v is negative", d)
	}
}
