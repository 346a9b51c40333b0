package cluster

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// elsewhere says where a machine listens that does not at its port.
func (c *Cluster) elsewhere(m *machine) string {
	at := m.at()
	all := listensOn(c.opt.Dir, m.ID)
	if slices.ContainsFunc(all, func(a netip.AddrPort) bool { return int(a.Port()) == at.app }) {
		return " (something does, on another address: an app must listen on 0.0.0.0 or [::], as on Fly)"
	}
	var ports []string
	for _, a := range all {
		if port := int(a.Port()); port != at.edge && port != at.api {
			ports = append(ports, fmt.Sprint(port))
		}
	}
	if len(ports) == 0 {
		return ""
	}
	return fmt.Sprintf(" (something does on %s: an app must heed PORT here, as each has another)", strings.Join(slices.Compact(ports), " "))
}

// warnOfLoopback tells of an app that nobody would reach on Fly, where the proxy is not
// on its machine.
func (c *Cluster) warnOfLoopback(m *machine) {
	at := m.at()
	if at.app != at.edge { // LiteFS's proxy is
		return
	}
	var own []netip.AddrPort
	for _, a := range listensOn(c.opt.Dir, m.ID) {
		if int(a.Port()) == at.app {
			own = append(own, a)
		}
	}
	if len(own) > 0 && !slices.ContainsFunc(own, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() }) {
		c.opt.Log(m.ID, fmt.Sprintf("flysql dev: the app listens on %v alone: on Fly nobody reaches it there. Let it listen on 0.0.0.0 or [::]", own[0].Addr()))
	}
}
