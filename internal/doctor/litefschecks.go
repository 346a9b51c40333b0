package doctor

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

// checkLiteFSStop: FLY401.
func checkLiteFSStop(c *checker) {
	for _, s := range c.services() {
		if !s.stops() || !c.mustNotStop(s) {
			continue
		}
		key := s.key + ".auto_stop_machines"
		c.report(c.inFly(key), "auto_stop_machines is %q: a machine that was stopped and comes back can take the lease with an old database", s.autoStop).
			hint("write auto_stop_machines = \"off\"").
			also(c.inLiteFS("lease.type"), "the lease goes from machine to machine").
			mend(c.setFly(key, "off"))
	}
}

// checkPromote: FLY402.
func checkPromote(c *checker) {
	config := c.liteFS()
	if config == nil || !config.Lease.Promote || config.Lease.Type != "consul" ||
		!config.Lease.Candidate && config.Resolved("lease.candidate") {
		return
	}
	c.report(c.inLiteFS("lease.promote"), "promote is true: each machine that starts takes the lease, also while others have rows that it lacks").
		hint("write promote: false: a candidate that finds no primary becomes it all the same")
}

// checkDataDir: FLY403, as far as flyconf cannot see it.
func checkDataDir(c *checker) {
	config := c.liteFS()
	if config == nil || c.Fly == nil || !config.Resolved("data.dir") || !path.IsAbs(config.Data.Dir) {
		return
	}
	dir := path.Clean(config.Data.Dir)
	said := fmt.Sprintf("data.dir, %q,", dir)
	if !config.Has("data.dir") {
		said = fmt.Sprintf("data.dir, which is not set and so %q,", dir)
	}
	for _, g := range c.liteFSGroups() {
		if g.mount < 0 {
			if config.Lease.Candidate || !config.Resolved("lease.candidate") {
				c.report(c.inLiteFS("data.dir"), "%s is on no volume, since %s has no mounts: the databases are lost with the machine", said, c.Fly.Name).
					hint("add a volume: [[mounts]] with source = \"litefs\" and destination = \"/data\", and write data.dir: \"/data/litefs\"")
			}
			return
		}
		mount := c.Fly.Mounts[g.mount]
		if to := path.Clean(mount.Destination); path.IsAbs(to) && to != "/" && !below(dir, to) {
			c.report(c.inLiteFS("data.dir"), "%s is not on the volume at %q: the databases are lost with the machine", said, to).
				hint(fmt.Sprintf("write data.dir: %q", path.Join(to, "litefs"))).
				also(c.inFly("mounts["+itoa(g.mount)+"].destination"), "the volume")
			return
		}
	}
}

// flyVariables are those that each machine has.
// https://fly.io/docs/machines/runtime-environment/
var flyVariables = []string{
	"FLY_APP_NAME", "FLY_MACHINE_ID", "FLY_ALLOC_ID", "FLY_REGION", "FLY_PUBLIC_IP", "FLY_IMAGE_REF", "FLY_MACHINE_VERSION",
	"FLY_PRIVATE_IP", "FLY_PROCESS_GROUP", "FLY_VM_MEMORY_MB", "PRIMARY_REGION",
	"FLY_CONSUL_URL", // a secret that fly consul attach sets
	"HOSTNAME", "HOME", "PATH", "PWD", "USER", "TERM", "SHELL", "LANG",
}

// secretName tells that a variable is likely a secret, which is in no file.
var secretName = regexp.MustCompile(`(TOKEN|KEY|SECRET|URL|URI|PASS|PASSWORD|AUTH|DSN|CREDENTIALS?)(_|$)`)

// regionName is what a region looks like without quotes.
var regionName = regexp.MustCompile(`^[a-z]{3}$`)

// checkVariables: FLY406.
func checkVariables(c *checker) {
	if c.liteFS() == nil {
		return
	}
	seen := map[string]bool{}
	for _, v := range c.LiteFS.Config.Variables {
		if v.Name == "" || seen[v.Name+" "+v.Key] || slices.Contains(flyVariables, v.Name) && !(v.Name == "PRIMARY_REGION" && c.noPrimaryRegion()) {
			continue
		}
		if _, ok := c.variable(v.Name); ok {
			continue
		}
		seen[v.Name+" "+v.Key] = true
		at := c.at(c.LiteFS.Name, v.Line, v.Col, v.Key)
		switch {
		case v.Name == "PRIMARY_REGION":
			if !v.Compared { // else FLY409 says so
				c.report(at, "PRIMARY_REGION is empty, since %s has no primary_region", c.Fly.Name).hint("add primary_region")
			}
		case v.Compared && regionName.MatchString(v.Name):
			c.report(at, "the comparison is with a variable called %s, which is empty, and not with the region", v.Name).
				hint(fmt.Sprintf("put the region in quotes: '%s'", v.Name))
		case strings.HasPrefix(v.Name, "FLY_") && !secretName.MatchString(v.Name):
			f := c.report(at, "Fly sets no variable %s: it will be empty", v.Name)
			if near := nearName(v.Name); near != "" {
				f.hint("write " + near)
			} else {
				f.hint("see https://fly.io/docs/machines/runtime-environment/ for those that Fly sets")
			}
		case c.setElsewhere(v):
		default:
			f := c.report(at, "%s is set neither in [env] of %s nor in the %s: unless it is a secret, it will be empty", v.Name, c.Fly.Name, c.Docker.Name).
				hint("set it in [env], or write its value here")
			f.Severity = Warning
		}
	}
}

// noPrimaryRegion tells whether PRIMARY_REGION is set nowhere.
func (c *checker) noPrimaryRegion() bool {
	_, set := c.variable("PRIMARY_REGION")
	return c.Fly != nil && c.Fly.PrimaryRegion == "" && !c.Fly.Has("primary_region") && !set
}

// nearName is the variable of Fly's that a wrong name was meant for, by its words.
func nearName(name string) string {
	return map[string]string{
		"FLY_PRIMARY_REGION": "PRIMARY_REGION", "FLY_APP": "FLY_APP_NAME", "FLY_MACHINE": "FLY_MACHINE_ID", "FLY_HOSTNAME": "FLY_MACHINE_ID",
		"FLY_INSTANCE_ID": "FLY_MACHINE_ID", "FLY_VM_ID": "FLY_MACHINE_ID", "FLY_IP": "FLY_PRIVATE_IP",
	}[name]
}

// setElsewhere tells whether a variable may be set by what is not read: a secret, a
// base image, a script.
func (c *checker) setElsewhere(v flyconf.LiteFSVariable) bool {
	if secretName.MatchString(v.Name) || strings.HasPrefix(v.Key, "lease.consul.url") || v.Key == "" ||
		c.Fly == nil || c.Docker == nil || distribution(c.Docker.Image.Base) == "" {
		return true
	}
	b := c.boot()
	if b.script == nil {
		return !b.litefs // what starts LiteFS may set it
	}
	return strings.Contains(string(b.script.Data), v.Name)
}

// checkCandidate: FLY409.
func checkCandidate(c *checker) {
	config := c.liteFS()
	if config == nil || config.Lease.Type != "consul" || c.Fly == nil {
		return
	}
	if s, ok := c.settings(); ok && s.neverPrimary && c.bootsLiteFS() {
		at := c.inCommand(c.boot().command)
		if v, set := c.variable("FLYSQL_LITEFS_CANDIDATE"); set && !c.bootFlag("litefs-candidate") {
			at = c.inVariable(v)
		}
		c.report(at, "FLYSQL_LITEFS_CANDIDATE is off for every machine, so none may become the primary").
			hint("remove it: flysql regions add sets it for a new machine, until that has caught up")
		return
	}
	at := c.inLiteFS("lease.candidate")
	text, _ := c.written("lease.candidate")
	switch {
	case c.noPrimaryRegion() && strings.Contains(text, "FLY_REGION == PRIMARY_REGION"):
		c.report(at, "no machine is a candidate: %s has no primary_region, so PRIMARY_REGION is empty", c.Fly.Name).
			hint("add primary_region to " + c.Fly.Name)
	case !config.Resolved("lease.candidate") || config.Lease.Candidate:
	case !strings.Contains(text, "$"):
		c.report(at, "candidate is false, so no machine may become the primary").
			hint("write candidate: " + candidateByRegion).mend(setLiteFS("lease.candidate", candidateByRegion))
	case !c.comparesWithNothing("lease.candidate"): // else FLY406 says so
		f := c.report(at, "candidate is false in the primary region, %q", c.Fly.PrimaryRegion).
			hint("write candidate: "+candidateByRegion).
			also(c.inFly("primary_region"), "the primary region")
		if regionOnly.MatchString(text) {
			f.mend(setLiteFS("lease.candidate", candidateByRegion))
		}
	}
}

const candidateByRegion = "${FLY_REGION == PRIMARY_REGION}"

// regionOnly is a candidate by nothing but the region.
var regionOnly = regexp.MustCompile(`^\$\{\s*FLY_REGION\s*(==|!=)\s*('[a-z]{3}'|"[a-z]{3}"|PRIMARY_REGION)\s*\}$`)

// comparesWithNothing tells whether a value compares with a region without quotes.
func (c *checker) comparesWithNothing(key string) bool {
	return slices.ContainsFunc(c.LiteFS.Config.Variables, func(v flyconf.LiteFSVariable) bool {
		_, set := c.variable(v.Name)
		return v.Key == key && v.Compared && regionName.MatchString(v.Name) && !set
	})
}

var (
	machineName = regexp.MustCompile(`^\$(\{\s*(FLY_MACHINE_ID|FLY_ALLOC_ID|HOSTNAME)\s*\}|FLY_MACHINE_ID|FLY_ALLOC_ID|HOSTNAME)$`)
	anyVariable = regexp.MustCompile(`\$`)
)

// checkHostname: FLY410.
func checkHostname(c *checker) {
	config := c.liteFS()
	if config == nil || config.Lease.Type != "consul" {
		return
	}
	text, ok := c.written("lease.hostname")
	if !ok || text == "" || machineName.MatchString(text) {
		return
	}
	why := "hostname is the same on all machines, so the primary cannot be told from the others"
	if anyVariable.MatchString(text) {
		if config.Proxy.Target == "" {
			return // only the app uses it, in a way that is its own
		}
		why = "hostname is not the machine's ID, by which Fly's proxy finds the primary"
	}
	c.report(c.inLiteFS("lease.hostname"), "%s", why).
		hint("write hostname: \"${FLY_MACHINE_ID}\", or leave it out").
		mend(setLiteFS("lease.hostname", "${FLY_MACHINE_ID}"))
}

// checkSubdirectory: FLY411.
func checkSubdirectory(c *checker) {
	fuse := c.fuseDir()
	if c.liteFS() == nil || fuse == "" || fuse == "/" {
		return
	}
	for _, d := range c.databases() {
		if !below(d.path, fuse) || d.path == fuse || path.Dir(d.path) == fuse {
			continue
		}
		root := path.Join(fuse, path.Base(d.path))
		f := c.report(d.at, "%s is %s, in a sub-directory of %s, LiteFS's fuse.dir, where there can be none", d.from, d.path, fuse).
			hint("use "+d.name(root)).also(c.inLiteFS("fuse.dir"), "LiteFS's directory")
		if name, ok := strings.CutPrefix(d.key, "env."); ok && strings.Count(c.Fly.Env[name], d.path) == 1 {
			f.mend(c.setFly(d.key, strings.Replace(c.Fly.Env[name], d.path, root, 1)))
		}
	}
}

// checkCloud: FLY412, as far as flyconf cannot see it.
func checkCloud(c *checker) {
	const name = "LITEFS_CLOUD_TOKEN"
	v, ok := c.variable(name)
	if !ok {
		return
	}
	f := c.report(c.inVariable(v), "%s is for LiteFS Cloud, which ended in October 2024: nothing is backed up", name).
		hint("remove it, and back up in another way, such as snapshots or litefs export; where it is a secret too: fly secrets unset " + name)
	switch {
	case v.docker.Name == "":
		f.mend(c.editFly(func(d *flyconf.Document) error { return d.Remove("env." + name) }))
	case len(v.docker.Words()) == 1:
		f.mend(removeENV(name))
	}
}

// removeENV is the repair that removes an ENV of the Dockerfile that sets nothing
// but this variable.
func removeENV(name string) func(*Files) error {
	return func(files *Files) error {
		d, err := files.Docker()
		if err != nil {
			return err
		}
		for _, in := range slices.Backward(d.Instructions()) {
			if words := in.Words(); in.Name == "ENV" && len(words) == 1 && strings.HasPrefix(words[0], name+"=") {
				if err := d.Remove(in); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// checkMovingLease: FLY413.
func checkMovingLease(c *checker) {
	config := c.liteFS()
	if config == nil || config.Lease.Type != "consul" {
		return
	}
	cmd, at, ok := c.litestreamCommand()
	if !ok || c.copiesOthersOnly(cmd) {
		return
	}
	c.report(at, "Litestream runs on every machine, and the lease moves between them: it keeps one that is demoted from following, and two primaries in turn write one backup").
		hint("use a static lease, or back up with litefs export instead of Litestream").
		also(c.inLiteFS("lease.type"), "the lease that moves")
}

// copiesOthersOnly tells whether Litestream copies databases that are not LiteFS's.
func (c *checker) copiesOthersOnly(cmd command) bool {
	fuse := c.fuseDir()
	if fuse == "" {
		return false
	}
	var paths []string
	for _, d := range c.litestreamDatabases() {
		paths = append(paths, d.path)
	}
	for _, w := range cmd.words {
		if path.IsAbs(w) && databaseFile.MatchString(w) {
			paths = append(paths, path.Clean(w))
		}
	}
	return len(paths) > 0 && !slices.ContainsFunc(paths, func(p string) bool { return below(p, fuse) })
}
