package flyconf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// validateServices checks what Fly's proxy is told.
func (c *Config) validateServices(p *problems) {
	if s := c.HTTPService; s != nil {
		const key = "http_service"
		p.internalPort(key, s.InternalPort)
		p.optional(key+".auto_stop_machines", s.AutoStop, autoStops)
		c.serviceGroups(p, key, s.Processes)
		s.Concurrency.validate(p, key+".concurrency")
		for i, check := range s.Checks {
			check.validate(p, fmt.Sprintf("%s.checks[%d]", key, i))
		}
		validateMachineChecks(p, key+".machine_checks", s.MachineChecks)
	}
	for i, s := range c.Services {
		key := fmt.Sprintf("services[%d]", i)
		c.serviceGroups(p, key, s.Processes)
		s.validate(p, key)
	}
}

// serviceGroups checks that a service names its process groups: without them,
// flyctl refuses it as soon as there are several.
func (c *Config) serviceGroups(p *problems, key string, processes []string) {
	if len(c.Processes) > 0 && len(processes) == 0 {
		p.add(key+".processes", "is missing: with [processes], a service needs the groups that serve, such as processes = [%q]", c.DefaultGroup())
	}
	c.groups(p, key, processes, "flyctl refuses the file for it")
}

func (s *Service) validate(p *problems, key string) {
	p.internalPort(key, s.InternalPort)
	p.optional(key+".protocol", s.Protocol, protocols)
	p.optional(key+".auto_stop_machines", s.AutoStop, autoStops)
	s.Concurrency.validate(p, key+".concurrency")
	if _, unread := s.Extra["ports"]; len(s.Ports) == 0 && !unread {
		p.warn(key, "has no [[services.ports]]: nothing reaches it from outside")
	}
	for i, port := range s.Ports {
		port.validate(p, fmt.Sprintf("%s.ports[%d]", key, i))
	}
	for i, check := range s.TCPChecks {
		p.intervals(fmt.Sprintf("%s.tcp_checks[%d]", key, i), check.Interval, check.Timeout)
	}
	for i, check := range s.HTTPChecks {
		inner := fmt.Sprintf("%s.http_checks[%d]", key, i)
		p.intervals(inner, check.Interval, check.Timeout)
		p.request(inner, check.Method, check.Path, check.Protocol, check.Headers)
	}
	validateMachineChecks(p, key+".machine_checks", s.MachineChecks)
}

func (port Port) validate(p *problems, key string) {
	first, last := port.StartPort, port.EndPort
	switch {
	case port.Port == nil && first == nil && last == nil:
		p.add(key+".port", "is missing: give the port to listen on, such as 443, or start_port and end_port")
	case port.Port != nil && (first != nil || last != nil):
		p.warn(key+".port", "stands beside start_port or end_port: use one port or a range")
	case port.Port == nil && (first == nil || last == nil):
		p.add(key, "start_port and end_port are needed together")
	case port.Port == nil && *first > *last:
		p.add(key+".start_port", "%d is above end_port, %d", *first, *last)
	}
	for _, n := range []struct {
		name string
		port *int
	}{{"port", port.Port}, {"start_port", first}, {"end_port", last}} {
		if n.port != nil && (*n.port < 1 || *n.port > 65535) {
			p.add(key+"."+n.name, "%d is not a port: use 1 to 65535", *n.port)
		}
	}
	for _, handler := range port.Handlers {
		if !slices.Contains(handlers, handler) {
			p.warn(key+".handlers", "%q is not one of %s", handler, strings.Join(handlers, ", "))
		}
	}
	if o := port.ProxyProtoOptions; o != nil {
		p.optional(key+".proxy_proto_options.version", o.Version, []string{"v1", "v2"})
	}
}

func (c *Concurrency) validate(p *problems, key string) {
	if c == nil {
		return
	}
	if c.Type == "" {
		p.as("FLY507").warn(key+".type", "is missing: Fly then counts connections; write \"requests\" or \"connections\"")
	} else {
		p.oneOf(key+".type", c.Type, loadTypes)
	}
	if c.HardLimit > 0 && c.SoftLimit > c.HardLimit {
		p.as("FLY507").warn(key+".soft_limit", "%d is above hard_limit, %d, and is never reached", c.SoftLimit, c.HardLimit)
	}
}

func (c HTTPCheck) validate(p *problems, key string) {
	p.intervals(key, c.Interval, c.Timeout)
	p.request(key, c.Method, c.Path, c.Protocol, c.Headers)
}

// intervals warns of durations that Fly changes.
func (p *problems) intervals(key string, interval, timeout time.Duration) {
	for _, d := range []struct {
		name string
		time time.Duration
	}{{"interval", interval}, {"timeout", timeout}} {
		switch {
		case d.time > 0 && d.time < time.Second:
			p.warn(key+"."+d.name, "%v is less than Fly's least: it becomes 1s", d.time)
		case d.time > time.Minute:
			p.warn(key+"."+d.name, "%v is more than Fly's most: it becomes 1m", d.time)
		}
	}
}

// request checks the request of a health check.
func (p *problems) request(key, method, path, protocol string, headers map[string]string) {
	switch {
	case method == "":
	case !methodName.MatchString(method):
		p.add(key+".method", "%q is not a method: write it as in \"GET\"", method)
	case method != strings.ToUpper(method):
		p.warn(key+".method", "%q is not in capitals: write %q", method, strings.ToUpper(method))
	}
	if path != "" && !strings.HasPrefix(path, "/") {
		p.add(key+".path", "%q does not begin with /", path)
	}
	p.text(key+".path", path)
	p.optional(key+".protocol", protocol, schemes)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if !headerName.MatchString(name) {
			p.add(key+".headers", "%q is not the name of a header", name)
		}
		p.text(key+".headers."+name, headers[name])
	}
}

func validateMachineChecks(p *problems, key string, checks []MachineCheck) {
	for i, check := range checks {
		inner := fmt.Sprintf("%s[%d]", key, i)
		p.signal(inner+".kill_signal", check.KillSignal)
		if check.KillTimeout > maxKillTimeout {
			p.add(inner+".kill_timeout", "%v is longer than %v", check.KillTimeout, maxKillTimeout)
		}
	}
}
