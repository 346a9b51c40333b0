package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bootRegions boots the image on every machine.
func (d *demo) bootRegions(ctx context.Context) (err error) {
	argv := slices.Concat(d.img.Entrypoint, d.img.Cmd)
	d.say.line(fmt.Sprintf("  %s %s, on %d machines", d.say.paint(bold, fmt.Sprintf("%-12s", "boot")), strings.Join(argv, " "), len(placed)))
	d.say.line("")
	if d.cluster, err = newCluster(d.say, d.app, d.data, filepath.Join(d.dir, "logs")); err != nil {
		return err
	}
	return d.cluster.bootAll(ctx, d.img)
}

// serveRegions shows the app to a person until ctx ends.
func (d *demo) serveRegions(ctx context.Context) error {
	if err := d.bootRegions(ctx); err != nil {
		return err
	}
	c := d.cluster
	d.say.line("")
	d.showRoles(c.roles(ctx))
	d.say.line("")
	d.say.line("  Sign in one region and read in another. To try next, in another terminal:")
	d.say.line(fmt.Sprintf("    curl -H fly-prefer-region:syd -H accept:application/json -d name=Ada -d message=Hello localhost:%d/messages", c.port))
	d.say.line(fmt.Sprintf("    %skill -9 %d   # %s, the primary: in 20 s one of the two in ams is it again", sudo(), c.machines[0].pid(), c.machines[0].id))
	d.say.line(fmt.Sprintf("    tail -f %s", filepath.Join(d.dir, "logs", "*.log")))
	d.say.line("  The volumes are in " + d.data)
	d.say.line("  Ctrl-C stops it.")
	d.say.line("")
	d.watch(ctx)
	d.say.line("")
	d.say.line("  stopping")
	// What ended ctx asks for this: it must not cut it short.
	if err := c.stop(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	d.say.line("")
	d.say.line("  stopped: exit code 0 on every machine")
	return nil
}

// sudo is for commands that a person copies, who may be root here alone.
func sudo() string {
	if os.Getenv("SUDO_USER") != "" {
		return "sudo "
	}
	return ""
}

// watch shows when a machine changes its role, and starts one again that has ended,
// as Fly would, until ctx ends.
func (d *demo) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	was := d.cluster.roles(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, m := range d.cluster.machines {
			if code, ended := m.ended(); ended {
				d.say.line(fmt.Sprintf("  %s ended: exit code %d; it is started again, as Fly would", m.id, code))
				if err := errors.Join(m.kill(), m.boot(ctx, d.img)); err != nil && ctx.Err() == nil {
					d.say.line("  " + err.Error())
				}
			}
		}
		if is := d.cluster.roles(ctx); ctx.Err() == nil && !slices.Equal(is, was) {
			d.showRoles(is)
			d.say.line("")
			was = is
		}
	}
}

// roles are those of all machines, in their order.
func (c *cluster) roles(ctx context.Context) []string {
	roles := make([]string, len(c.machines))
	_ = each(c.machines, func(m *machine) error { // none fails
		roles[slices.Index(c.machines, m)] = m.role(ctx)
		return nil
	})
	return roles
}

// showRoles prints a line for each region.
func (d *demo) showRoles(roles []string) {
	var region string
	for i, m := range d.cluster.machines {
		url := ""
		if m.region != region {
			region = m.region
			url = fmt.Sprintf("http://%s.localhost:%d", region, d.cluster.port)
		}
		d.say.line(fmt.Sprintf("  %s  %s  %s", d.say.paint(bold, fmt.Sprintf("%-27s", url)), m.id, roles[i]))
	}
}

// pid is the machine's entrypoint.
func (m *machine) pid() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.booted == nil {
		return 0
	}
	return m.booted.Pid()
}

// ended tells whether the machine has ended by itself, and how.
func (m *machine) ended() (code int, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.booted == nil {
		return 0, false
	}
	select {
	case <-m.booted.Done():
		code, _ := m.booted.Wait(context.Background()) // it has ended
		return code, true
	default:
		return 0, false
	}
}
