package doctor

import (
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

// service is [http_service] or one of [[services]], as the rules look at both.
type service struct {
	key       string // "http_service", "services[0]"
	port      int    // internal_port; 0 where it is missing or wrong, which flyconf reports
	http      bool   // Fly's proxy takes HTTP for it
	open      bool   // something reaches it from outside
	autoStop  string
	autoStart *bool
	groups    []string // the process groups that serve
	checks    []httpCheck
}

// httpCheck is a request by which Fly looks whether the app is well.
type httpCheck struct {
	key      string
	protocol string
	path     string
	headers  map[string]string
}

// services lists the ways to the app in the order of the model.
func (a *App) services() []service {
	if a.Fly == nil {
		return nil
	}
	var out []service
	if s := a.Fly.HTTPService; s != nil {
		v := service{
			key: "http_service", port: s.InternalPort, http: true, open: true,
			autoStop: s.AutoStop, autoStart: s.AutoStart, groups: a.serving(s.Processes),
		}
		for i, c := range s.Checks {
			v.checks = append(v.checks, httpCheck{v.key + ".checks[" + itoa(i) + "]", c.Protocol, c.Path, c.Headers})
		}
		out = append(out, v)
	}
	for i, s := range a.Fly.Services {
		v := service{
			key: "services[" + itoa(i) + "]", port: s.InternalPort, http: takesHTTP(s), open: len(s.Ports) > 0,
			autoStop: s.AutoStop, autoStart: s.AutoStart, groups: a.serving(s.Processes),
		}
		for j, c := range s.HTTPChecks {
			v.checks = append(v.checks, httpCheck{v.key + ".http_checks[" + itoa(j) + "]", c.Protocol, c.Path, c.Headers})
		}
		out = append(out, v)
	}
	return out
}

func takesHTTP(s flyconf.Service) bool {
	return slices.ContainsFunc(s.Ports, func(p flyconf.Port) bool { return slices.Contains(p.Handlers, "http") })
}

// serving are the groups of a service: those that it names, or the default one.
func (a *App) serving(processes []string) []string {
	if len(processes) == 0 {
		return []string{a.Fly.DefaultGroup()}
	}
	return processes
}

// serves tells whether one of these groups is behind the service.
func (s service) serves(groups []group) bool {
	return slices.ContainsFunc(groups, func(g group) bool { return slices.Contains(s.groups, g.name) })
}

// machineMB is the memory of a group's machines, and the key that says so; 0 where
// fly.toml does not.
func (a *App) machineMB(groupName string) (mb int, key string) {
	for i, vm := range a.Fly.VMs {
		if len(vm.Processes) > 0 && !slices.Contains(vm.Processes, groupName) {
			continue
		}
		inner := "vm[" + itoa(i) + "]"
		switch size := sizeMB[strings.ToLower(vm.Size)]; {
		case vm.MemoryMB > 0:
			mb, key = vm.MemoryMB, inner+".memory"
		case size > 0:
			mb, key = size, inner+".size"
		}
		if len(vm.Processes) > 0 && mb > 0 {
			break // it goes before one for all
		}
	}
	return mb, key
}

// sizeMB is the memory that a machine's size has where nothing else is said.
// https://fly.io/docs/about/pricing/#started-fly-machines
var sizeMB = map[string]int{
	"shared-cpu-1x": 256, "shared-cpu-2x": 512, "shared-cpu-4x": 1024, "shared-cpu-8x": 2048,
	"performance-1x": 2048, "performance-2x": 4096, "performance-4x": 8192, "performance-8x": 16384, "performance-16x": 32768,
}
