package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
)

// wantedService is what is compared of [http_service] and of [[services]].
type wantedService struct {
	key      string
	port     int
	autoStop string
	checks   int
}

// servicesOf are those of a group. A service that names no group is the default one's.
func servicesOf(c *flyconf.Config, group string) []wantedService {
	serves := func(processes []string) bool {
		return slices.Contains(processes, group) || len(processes) == 0 && group == c.DefaultGroup()
	}
	var wanted []wantedService
	if s := c.HTTPService; s != nil && serves(s.Processes) {
		wanted = append(wanted, wantedService{"http_service", s.InternalPort, s.AutoStop, len(s.Checks)})
	}
	for i, s := range c.Services {
		if serves(s.Processes) {
			wanted = append(wanted, wantedService{fmt.Sprintf("services[%d]", i), s.InternalPort, s.AutoStop, len(s.TCPChecks) + len(s.HTTPChecks)})
		}
	}
	return wanted
}

func (d *differ) services(group string, have *fly.MachineConfig) {
	for _, want := range servicesOf(d.config, group) {
		i := slices.IndexFunc(have.Services, func(s fly.MachineService) bool { return s.InternalPort == want.port })
		if i < 0 {
			d.add(ServiceMissing, want.key+".internal_port", "no service is on port %d", want.port)
			continue
		}
		s := have.Services[i]
		got := "" // Fly's default, which is off
		if s.Autostop != nil {
			got = s.Autostop.String()
		}
		if want.autoStop != "" && got != want.autoStop && !(got == "" && want.autoStop == "off") {
			d.add(AutoStop, want.key+".auto_stop_machines", "auto_stop_machines is %q, not %q", cmp.Or(got, "off"), want.autoStop)
		}
		if len(s.Checks) != want.checks {
			d.add(ChecksMissing, want.key+".checks", "the service on port %d has %d checks, not %d", want.port, len(s.Checks), want.checks)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.config.Checks)) {
		check := d.config.Checks[name]
		if !slices.Contains(check.Processes, group) && !(len(check.Processes) == 0 && group == d.config.DefaultGroup()) {
			continue
		}
		if _, ok := have.Checks[name]; !ok {
			d.add(ChecksMissing, "checks."+name, "it has no check %s", name)
		}
	}
}
