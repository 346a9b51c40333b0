package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/fleet"
)

// onFly is where a finding about what runs stands: at fly.toml's key where that is there,
// else at the object itself. The message must name the object all the same.
func (c *checker) onFly(key, object string) Place {
	if key != "" && c.Fly != nil && c.Fly.Has(key) {
		return c.inFly(key)
	}
	return Place{Object: object}
}

// remoteDifferences are those between fly.toml and what runs, one for each cause.
func (c *checker) remoteDifferences(kinds ...fleet.Kind) []fleet.Cause {
	if c.Remote == nil || c.Fly == nil {
		return nil
	}
	if c.memo.differences == nil {
		c.memo.differences = fleet.Causes(fleet.Differences(c.Fly.Config, c.Remote.Fleet))
	}
	var found []fleet.Cause
	for _, cause := range c.memo.differences {
		if slices.Contains(kinds, cause.Kind) {
			found = append(found, cause)
		}
	}
	return found
}

// reportCause reports one difference.
func (c *checker) reportCause(cause fleet.Cause) *Finding {
	return c.reportOf(c.onFly(cause.Key, cause.Objects[0]), cause.Objects, "%s", cause.Message)
}

// reportOf reports what is wrong with objects on Fly. They are named where the place does
// not do that already.
func (c *checker) reportOf(at Place, objects []string, format string, a ...any) *Finding {
	f := c.report(at, format, a...)
	if len(objects) > 1 || at.Object != objects[0] {
		f.Message = fleet.Some(objects) + ": " + f.Message
	}
	return f
}

// reportObject is reportOf one that stands in no file.
func (c *checker) reportObject(name, format string, a ...any) *Finding {
	return c.reportOf(Place{Object: name}, []string{name}, format, a...)
}

// lasting are the machines of fly.toml's groups: not those of a release command or a
// console.
func (r *Remote) lasting() []*fly.Machine {
	return slices.DeleteFunc(slices.Clone(r.Fleet.Machines), fleet.Temporary)
}

// checkAttached: FLY207.
func checkAttached(c *checker) {
	for _, cause := range c.remoteDifferences(fleet.MountMissing) {
		c.reportCause(cause).hint("destroy the machine and let fly deploy make it anew, with a volume; flysql volumes plan shows what is missing")
	}
	for _, cause := range c.remoteDifferences(fleet.VolumeUnused) {
		f := c.reportCause(cause).hint("look at what is on it (fly volumes snapshots list ID) before it is deleted: flysql volumes delete ID takes a snapshot first")
		f.Severity = Warning
	}
}

// checkVolumeCounts: FLY208.
func checkVolumeCounts(c *checker) {
	if c.Remote == nil || c.Fly == nil {
		return
	}
	for i, mount := range c.Fly.Mounts {
		machines, volumes := map[string]int{}, map[string]int{}
		for _, m := range c.Remote.lasting() {
			if slices.ContainsFunc(c.groups(), func(g group) bool { return g.name == fleet.Group(m) && g.mount == i }) {
				machines[m.Region]++
			}
		}
		for _, v := range c.Remote.Fleet.Volumes {
			if v.Name == mount.Source {
				volumes[v.Region]++
			}
		}
		for _, region := range slices.Sorted(maps.Keys(machines)) {
			if have, need := volumes[region], machines[region]; have < need {
				c.report(c.onFly(mountKey(i, "source"), "region "+region), "%s has %d machines and %d volumes called %s", region, need, have, mount.Source).
					hint("flysql volumes apply makes what is missing")
			}
		}
	}
}

// checkOverridden: FLY303.
func checkOverridden(c *checker) {
	if c.Remote == nil || c.Fly == nil {
		return
	}
	for _, secret := range c.Remote.Fleet.Secrets {
		if _, ok := c.Fly.Env[secret.Name]; !ok {
			continue
		}
		c.report(c.onFly("env."+secret.Name, "secret "+secret.Name), "the secret %s wins over the value here", secret.Name).
			hint("fly secrets unset " + secret.Name + ", or remove it from [env]")
	}
}

// checkHosts: FLY601.
func checkHosts(c *checker) {
	if c.Remote == nil {
		return
	}
	down := map[string]bool{}
	for _, m := range c.Remote.Fleet.Machines {
		if !fleet.Reachable(string(m.HostStatus)) {
			down[m.ID] = true
			c.reportObject(fleet.NameOf(m), "its host is %s", m.HostStatus).
				hint("https://status.fly.io tells of outages. Wait for it; or restore the volume's last snapshot on another host: fly volumes create NAME --snapshot-id ID")
		}
	}
	holders := c.Remote.Fleet.Holders()
	for _, v := range c.Remote.Fleet.Volumes {
		if !fleet.Reachable(v.HostStatus) && !down[holders[v.ID]] {
			c.reportObject(fleet.NameOfVolume(v), "its host is %s", v.HostStatus).
				hint("https://status.fly.io tells of outages. Wait for it; or restore its last snapshot on another host: fly volumes create NAME --snapshot-id ID")
		}
	}
}

// What a day's snapshot may be late by.
const (
	snapshotLate  = 48 * time.Hour
	snapshotFirst = 26 * time.Hour // until a new volume has one
)

// checkRecentSnapshots: FLY602.
func checkRecentSnapshots(c *checker) {
	if c.Remote == nil || c.Remote.Fleet.Parts&fleet.Snapshots == 0 {
		return
	}
	now := c.Remote.Now
	for _, v := range c.Remote.Fleet.Volumes {
		name := fleet.NameOfVolume(v)
		all := c.Remote.Fleet.Snapshots[v.ID]
		last, ok := c.Remote.Fleet.LastSnapshot(v.ID)
		const hint = "fly volumes snapshots create ID takes one now"
		switch {
		case len(all) > 0 && strings.Contains(all[0].Status, "fail"):
			c.reportObject(name, "its last snapshot failed").hint(hint)
		case ok && now.Sub(last.CreatedAt) <= snapshotLate:
		case ok:
			c.reportObject(name, "its last snapshot is %d days old", int(now.Sub(last.CreatedAt)/(24*time.Hour))).hint(hint)
		case now.Sub(v.CreatedAt) > snapshotFirst:
			c.reportObject(name, "it has no snapshot").hint(hint)
		}
	}
}

// checkSnapshotSettings: FLY603.
func checkSnapshotSettings(c *checker) {
	for _, cause := range c.remoteDifferences(fleet.Retention, fleet.NoSnapshots) {
		c.reportCause(cause).hint("flysql volumes apply sets it on volumes that exist")
	}
}

// checkConsulSecret: FLY604.
func checkConsulSecret(c *checker) {
	const name = "FLY_CONSUL_URL"
	config := c.liteFS()
	if c.Remote == nil || config == nil || config.Lease.Type != "consul" || c.hasSecret(name) {
		return
	}
	if c.Fly != nil && c.Fly.Env[name] != "" {
		return
	}
	for _, v := range config.Variables {
		if v.Name == name {
			c.report(c.inLiteFS(v.Key), "the app has no secret %s", name).hint("fly consul attach sets it")
			return
		}
	}
}

func (c *checker) hasSecret(name string) bool {
	for _, s := range c.Remote.Fleet.Secrets {
		if s.Name == name {
			return true
		}
	}
	return false
}

// checkDrift: FLY605.
func checkDrift(c *checker) {
	for _, cause := range c.remoteDifferences(fleet.GroupUnknown, fleet.MountName, fleet.MountPath, fleet.AutoExtend, fleet.EnvDiffers,
		fleet.GuestDiffers, fleet.AutoStop, fleet.ChecksMissing, fleet.ServiceMissing, fleet.StopDiffers) {
		switch {
		case c.stopsNode(cause):
		case cause.Kind == fleet.GroupUnknown:
			c.reportCause(cause).hint("fly machine destroy ID, once nothing on its volume is needed; or add the group to [processes]")
		default:
			c.reportCause(cause).hint(asDeployed)
		}
	}
}

const asDeployed = "fly deploy makes them as fly.toml says; or write into it what is meant"

// stopsNode tells of LiteFS's machines that Fly stops though fly.toml says otherwise.
func (c *checker) stopsNode(cause fleet.Cause) bool {
	return cause.Kind == fleet.AutoStop && c.usesLiteFS() && !strings.HasPrefix(cause.Message, `auto_stop_machines is "off"`)
}

// checkRemoteStop: FLY401 of machines that run.
func checkRemoteStop(c *checker) {
	for _, cause := range c.remoteDifferences(fleet.AutoStop) {
		if c.stopsNode(cause) {
			f := c.reportCause(cause).hint(asDeployed)
			f.Message += ": a machine that was stopped and comes back can take the lease with an old database"
		}
	}
}

// checkImages: FLY606.
func checkImages(c *checker) {
	for _, cause := range c.remoteDifferences(fleet.ImagesMixed) {
		c.reportCause(cause).hint("deploy again (fly deploy), or go back on all: fly deploy --image IMAGE; fly logs says what the deploy stopped at")
	}
}

// stuckAfter is more than a machine needs to start or stop.
const stuckAfter = 10 * time.Minute

// checkStuck: FLY607.
func checkStuck(c *checker) {
	if c.Remote == nil {
		return
	}
	for _, m := range c.Remote.Fleet.Machines {
		switch m.State {
		case fly.MachineStateStarted, fly.MachineStateStopped, fly.MachineStateSuspended, "":
			continue
		}
		since, err := time.Parse(time.RFC3339, m.UpdatedAt)
		if err != nil || c.Remote.Now.Sub(since) < stuckAfter {
			continue
		}
		c.reportObject(fleet.NameOf(m), "it has been %s for %d minutes", m.State, int(c.Remote.Now.Sub(since)/time.Minute)).
			hint(fmt.Sprintf("fly machine status %s tells its events; fly machine destroy --force %s, once its volume's data is elsewhere", m.ID, m.ID))
	}
}
