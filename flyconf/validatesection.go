package flyconf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// validateSections checks the tables that stand for themselves.
func (c *Config) validateSections(p *problems) {
	for _, name := range slices.Sorted(maps.Keys(c.Checks)) {
		key := "checks." + name
		check := c.Checks[name]
		c.groups(p, key, check.Processes, "the check then runs nowhere")
		check.validate(p, key)
	}
	for i, f := range c.Files {
		key := fmt.Sprintf("files[%d]", i)
		c.groups(p, key, f.Processes, "the file is then written nowhere")
		f.validate(p, key)
	}
	validateMachineChecks(p, "machine_checks", c.MachineChecks)
	for i, r := range c.Restart {
		key := fmt.Sprintf("restart[%d]", i)
		c.groups(p, key, r.Processes, "flyctl refuses the file for it")
		if r.Policy == "" {
			p.add(key+".policy", "is missing: write \"always\", \"never\" or \"on-failure\"")
		} else {
			p.oneOf(key+".policy", r.Policy, policies)
		}
	}
	for i, vm := range c.VMs {
		key := fmt.Sprintf("vm[%d]", i)
		c.groups(p, key, vm.Processes, "no machine then has this size")
		vm.validate(p, key)
	}
	for i, s := range c.Statics {
		s.validate(p, fmt.Sprintf("statics[%d]", i))
	}
	for i, m := range c.Metrics {
		key := fmt.Sprintf("metrics[%d]", i)
		c.groups(p, key, m.Processes, "nothing is then collected")
		p.port(key+".port", m.Port, "give the port that serves metrics")
		if m.Path != "" && !strings.HasPrefix(m.Path, "/") {
			p.add(key+".path", "%q does not begin with /", m.Path)
		}
	}
	if e := c.Experimental; e != nil {
		p.optional("experimental.compression", e.Compression, []string{"gzip", "zstd"})
	}
}

func (c Check) validate(p *problems, key string) {
	switch {
	case c.Type == "":
		p.add(key+".type", "is missing: write \"http\" or \"tcp\"")
	default:
		p.oneOf(key+".type", c.Type, checkTypes)
	}
	port := 0
	if c.Port != nil {
		port = *c.Port
	}
	p.port(key+".port", port, "a check outside of a service needs the app's port")
	if c.Interval > 0 && c.Interval < 2*time.Second {
		p.add(key+".interval", "%v is less than Fly's least, 2s", c.Interval)
	}
	if c.Timeout > time.Minute {
		p.add(key+".timeout", "%v is more than Fly's most, 1m", c.Timeout)
	}
	p.request(key, c.Method, c.Path, c.Protocol, c.Headers)
}

func (f File) validate(p *problems, key string) {
	p.absolute(key+".guest_path", f.GuestPath, "say where the file goes, such as \"/etc/app.conf\"")
	var sources []string
	for _, s := range []struct{ name, value string }{
		{"local_path", f.LocalPath}, {"secret_name", f.SecretName}, {"raw_value", f.RawValue},
	} {
		_, zero := f.Extra[s.name] // an empty source removes the file
		if s.value != "" || zero {
			sources = append(sources, s.name)
		}
	}
	switch len(sources) {
	case 0:
		p.add(key, "has no content: give one of local_path, secret_name and raw_value")
	case 1:
	default:
		p.add(key, "has several contents, %s: keep one of them", strings.Join(sources, " and "))
	}
}

func (vm VM) validate(p *problems, key string) {
	p.text(key+".size", vm.Size)
	if vm.MemoryMB < 0 || vm.MemoryMB > maxMemoryMB || vm.MemoryMB%memoryStepMB != 0 {
		p.add(key+".memory", "%dmb is not an amount of memory: use a multiple of %dmb", vm.MemoryMB, memoryStepMB)
	}
	p.optional(key+".cpu_kind", vm.CPUKind, cpuKinds)
	p.optional(key+".persist_rootfs", vm.PersistRootfs, rootfs)
}

func (s Static) validate(p *problems, key string) {
	// With a bucket, guest_path is a path in it.
	if s.TigrisBucket == "" {
		p.absolute(key+".guest_path", s.GuestPath, "name the directory of the image to serve, such as \"/app/public\"")
	}
	switch {
	case s.URLPrefix == "":
		p.add(key+".url_prefix", "is missing: name the path to serve the files under, such as \"/public\"")
	case !strings.HasPrefix(s.URLPrefix, "/"):
		p.add(key+".url_prefix", "%q does not begin with /", s.URLPrefix)
	}
}
