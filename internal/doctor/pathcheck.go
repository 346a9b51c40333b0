package doctor

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkPlaces reports databases that are not on a volume.
func checkPlaces(c *checker) {
	if c.Fly == nil {
		return
	}
	list := c.databases()
	onVolume := slices.ContainsFunc(list, func(d database) bool { return c.isKept(d) })
	done := map[string]bool{}
	for _, d := range list {
		if c.isKept(d) || done[d.path] || d.boot && c.namedElsewhere(list, d) || !d.strong && onVolume || c.isShipped(d) {
			continue // FLY304 is about the entrypoint's alone
		}
		done[d.path] = true
		c.reportPlace(list, d)
	}
}

// isKept tells whether a database is where it outlives a machine, or where that
// cannot be told.
func (c *checker) isKept(d database) bool {
	if c.startsLiteFS() {
		dir := c.fuseDir()
		return dir == "" || below(d.path, dir)
	}
	if dir := c.fuseDir(); dir != "" && below(d.path, dir) {
		return true // what starts LiteFS is not seen
	}
	for _, m := range c.Fly.Mounts {
		if path.IsAbs(m.Destination) && below(d.path, m.Destination) {
			return true
		}
		if !path.IsAbs(m.Destination) {
			return true // FLY204 is about it
		}
	}
	return false
}

// namedElsewhere tells whether the app names another database than the entrypoint.
func (c *checker) namedElsewhere(list []database, d database) bool {
	return slices.ContainsFunc(list, func(o database) bool { return !o.boot && o.strong && o.path != d.path })
}

// isShipped tells whether the image brings the file along: it is to be read only.
func (c *checker) isShipped(d database) bool {
	if c.Docker == nil {
		return false
	}
	for _, copied := range c.Docker.Image.Copies {
		for _, s := range copied.Sources {
			if s.Known && path.Base(s.Value) == path.Base(d.path) {
				return true
			}
		}
	}
	return false
}

func (c *checker) reportPlace(list []database, d database) {
	switch mounts := c.Fly.Mounts; {
	case c.startsLiteFS() && slices.ContainsFunc(mounts, func(m mount) bool { return below(d.path, m.Destination) }):
		c.report(d.at, "%s (%s) is on the volume, but not in LiteFS's directory, %s: it is not copied to the other machines", d.path, d.from, c.fuseDir()).
			also(c.inLiteFS("fuse.dir"), "LiteFS's directory").
			hint(fmt.Sprintf("name %s, and move what is in the old file there with litefs import", d.name(path.Join(c.fuseDir(), path.Base(d.path)))))
	case c.startsLiteFS():
		c.report(d.at, "%s (%s) is not in LiteFS's directory, %s: it is lost with the machine", d.path, d.from, c.fuseDir()).
			also(c.inLiteFS("fuse.dir"), "LiteFS's directory").
			hint(fmt.Sprintf("name %s", d.name(path.Join(c.fuseDir(), path.Base(d.path)))))
	case len(mounts) == 0:
		f := c.report(d.at, "%s (%s) is lost with the machine, at every deploy: there is no volume", d.path, d.from).
			hint(fmt.Sprintf("add a volume, [[mounts]] with source = \"data\" and destination = %q, and keep the database on it", volumeFor(d.path)))
		if c.usesLitestream() {
			f.Severity = Warning // some restore it at every start, and accept to lose the last seconds
		}
	default:
		m := mounts[0]
		to := path.Join(m.Destination, path.Base(d.path))
		f := c.report(d.at, "%s (%s) is not on the volume, which is at %s: it is lost with the machine, at every deploy", d.path, d.from, m.Destination).
			also(c.inFly("mounts[0].destination"), "the volume").
			hint(fmt.Sprintf("name %s", d.name(to)))
		c.mendPlace(f, list, d, to)
	}
}

// volumeFor is where a volume for a database may be mounted.
func volumeFor(name string) string {
	if dir := path.Dir(name); dir != "/" && path.Dir(dir) == "/" && !slices.Contains([]string{"/app", "/bin", "/etc", "/usr", "/lib", "/src", "/home", "/root", "/tmp", "/var", "/opt", "/go"}, dir) {
		return dir
	}
	return "/data"
}

// mendPlace moves the database that fly.toml names to the only volume. What was in
// the old place is gone with every deploy anyway.
func (c *checker) mendPlace(f *Finding, list []database, d database, to string) {
	value := c.Fly.Env[d.from]
	if len(c.Fly.Mounts) != 1 || d.key != "env."+d.from || strings.Count(value, d.path) != 1 || c.Litestream != nil {
		return
	}
	for _, o := range list {
		if o.boot || o.from != d.from && (o.path == d.path || o.path == to) {
			return // what names it too would have to move with it
		}
	}
	f.mend(func(files *Files) error {
		fly, err := files.Fly()
		if err != nil {
			return err
		}
		return fly.Set(d.key, strings.Replace(value, d.path, to, 1))
	})
}

var urlWithHost = regexp.MustCompile(`^(file|sqlite3?)://([^/?]+)(/[^?]*)?`)

// checkURLs reports database URLs whose first directory is a host.
func checkURLs(c *checker) {
	for _, v := range c.env() {
		if !v.known || !c.isDatabaseVariable(v.name) {
			continue
		}
		m := c.hostOf(v.value, v.name)
		if m == nil {
			continue
		}
		right := m[1] + ":///" + m[2] + m[3]
		f := c.report(c.inVariable(v), "in %s://%s%s, %q is a host, and the file is %q", m[1], m[2], m[3], m[2], m[3])
		f.hint(fmt.Sprintf("write three slashes: %s", right))
		if c.Fly == nil || v.docker.Name != "" {
			continue
		}
		for i, mount := range c.Fly.Mounts {
			if below(path.Clean("/"+m[2]+m[3]), mount.Destination) && path.IsAbs(mount.Destination) {
				f.also(c.inFly(mountKey(i, "destination")), "the volume that is meant")
				value := strings.Replace(v.value, m[1]+"://"+m[2], m[1]+":///"+m[2], 1)
				f.mend(func(files *Files) error {
					fly, err := files.Fly()
					if err != nil {
						return err
					}
					return fly.Set("env."+v.name, value)
				})
				break
			}
		}
	}
}

// hostOf takes a URL with a host apart; nil for others. Of sqlite: URLs it judges
// those that flysql reads: elsewhere, two slashes may begin a relative path.
func (c *checker) hostOf(value, name string) []string {
	m := urlWithHost.FindStringSubmatch(value)
	if m == nil || m[2] == "localhost" || strings.ContainsAny(m[2], "$@:") {
		return nil
	}
	if m[1] != "file" && !(c.boot().flysql && (name == "FLYSQL_DB" || name == "DATABASE_URL")) {
		return nil
	}
	return m
}

// checkVolumeLine reports a VOLUME of the Dockerfile beside the mounts.
func checkVolumeLine(c *checker) {
	if c.Fly == nil || c.Docker == nil || len(c.Fly.Mounts) == 0 {
		return
	}
	for _, v := range c.Docker.Image.Volumes {
		if !v.Known || !path.IsAbs(v.Value) {
			continue
		}
		fits := slices.ContainsFunc(c.Fly.Mounts, func(m mount) bool { return path.Clean(m.Destination) == path.Clean(v.Value) })
		if !fits {
			c.report(c.inDocker(v.Instruction), "VOLUME %s is not where fly.toml mounts the volume, %s: on Fly it is an ordinary directory, lost with the machine", v.Value, c.Fly.Mounts[0].Destination).
				also(c.inFly("mounts[0].destination"), "the volume").
				hint(fmt.Sprintf("write VOLUME %s, or remove the line: Fly does not need it", path.Clean(c.Fly.Mounts[0].Destination)))
		}
	}
}

var (
	dropsRoot = regexp.MustCompile(`(?:^|[\s;&|(])(gosu|su-exec|setpriv|runuser|chpst|su)\s+(.*)`)
	givesAway = regexp.MustCompile(`\bch(own|mod)\b|\binstall\s+-|\bsetfacl\b`)
)

// checkUser reports users that may not write to the volume: one that the entrypoint
// is started as, and one that a script becomes. The user that an image starts as
// gets its volume from Fly.
func checkUser(c *checker) {
	if c.Fly == nil || c.Docker == nil || len(c.Fly.Mounts) == 0 {
		return
	}
	b := c.boot()
	if u := c.Docker.Image.User; u != nil && !isRoot(u.Value) {
		if b.flysql {
			user, _, _ := strings.Cut(u.Value, ":")
			c.report(c.inDocker(u.Instruction), "USER %s: flysql-entrypoint must start as root to give the volume's files to the app's user; it then becomes that user itself", u.Value).
				hint(fmt.Sprintf("write USER root, and ENV FLYSQL_USER=%s", user))
		}
		return
	}
	if b.script == nil || givesAway.Match(b.script.Data) {
		return
	}
	number := 0
	for line := range strings.Lines(string(b.script.Data)) {
		number++
		text := strings.TrimSpace(line)
		m := dropsRoot.FindStringSubmatch(text)
		if m == nil || strings.HasPrefix(text, "#") || strings.HasPrefix(text, "echo ") || strings.HasPrefix(strings.TrimSpace(m[2]), "root") {
			continue
		}
		c.report(c.at(b.script.Name, number, 1, ""), "the script starts as root, and %s makes the app another user, who may not write to the volume: %s belongs to root", m[1], c.Fly.Mounts[0].Destination).
			also(c.inFly("mounts[0].destination"), "the volume").
			hint(fmt.Sprintf("give it to that user first: chown USER: %s", c.Fly.Mounts[0].Destination))
		return
	}
}

func isRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return name == "root" || name == "0" || strings.Contains(name, "$")
}
