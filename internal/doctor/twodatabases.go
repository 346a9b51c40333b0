package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

type mount = flyconf.Mount

// startsLiteFS tells whether the image starts LiteFS, as far as can be seen.
func (c *checker) startsLiteFS() bool {
	b := c.boot()
	if b.litefs {
		return true
	}
	if b.flysql {
		if v, ok := c.variable("FLYSQL_LITEFS"); ok {
			return v.value != "off"
		}
		return c.copiesTo("/etc/litefs.yml")
	}
	if b.script != nil && strings.Contains(string(b.script.Data), "litefs mount") {
		return true
	}
	return slices.ContainsFunc(c.groups(), func(g group) bool { return strings.Contains(g.command.text, "litefs mount") })
}

// copiesTo tells whether the image gets a file of that name by COPY or ADD.
func (c *checker) copiesTo(name string) bool {
	if c.Docker == nil {
		return false
	}
	for _, copied := range c.Docker.Image.Copies {
		to := copied.Destination
		for _, s := range copied.Sources {
			if to.Known && (to.Value == name || path.Join(to.Value, path.Base(s.Value)) == name) {
				return true
			}
		}
	}
	return false
}

// checkSame reports files that name different databases.
func checkSame(c *checker) {
	list := c.databases()
	c.checkEntrypointDatabase(list)
	c.checkLitestreamDatabase(list)
	c.checkProxyDatabase(list)
}

// checkEntrypointDatabase compares what flysql-entrypoint looks after with what the
// app opens.
func (c *checker) checkEntrypointDatabase(list []database) {
	if !c.boot().flysql {
		return
	}
	boot := slices.IndexFunc(list, func(d database) bool { return d.boot })
	if boot < 0 {
		if _, ok := c.variable("FLYSQL_DB"); ok {
			return // it depends on what is not known
		}
		boot = slices.IndexFunc(list, func(d database) bool { return d.from == "DATABASE_URL" })
	}
	if boot < 0 {
		return
	}
	var app []database
	for i, d := range list {
		if i != boot && d.strong {
			app = append(app, d)
		}
	}
	read := slices.DeleteFunc(slices.Clone(app), func(d database) bool { return !c.readsVariable(d.from) && d.groups == nil })
	if len(read) > 0 {
		app = read // the code says which ones count
	} else if !list[boot].boot {
		return // what the app reads is DATABASE_URL, or not known
	}
	b := list[boot]
	if len(app) == 0 || slices.ContainsFunc(app, func(d database) bool { return d.path == b.path }) || c.readsVariable(b.from) {
		return
	}
	d := app[0]
	f := c.report(b.at, "flysql-entrypoint looks after %s (%s), and the app opens %s (%s)", b.path, b.from, d.path, d.from).
		also(d.at, "what the app opens")
	if !b.boot {
		f.hint(fmt.Sprintf("set FLYSQL_DB=%s, or let both variables name one file", d.path))
		return
	}
	f.hint(fmt.Sprintf("write FLYSQL_DB=%s", d.path))
	if v, ok := c.variable("FLYSQL_DB"); ok && c.Fly != nil && c.isKept(d) {
		f.mend(func(files *Files) error { return setVariable(files, v, d.path) })
	}
}

// setVariable gives a variable another value where it is set.
func setVariable(files *Files, v variable, value string) error {
	if v.docker.Name == "" {
		fly, err := files.Fly()
		if err != nil {
			return err
		}
		return fly.Set("env."+v.name, value)
	}
	old := v.name + "=" + v.value
	in := v.docker
	if strings.Count(in.Args+" ", old+" ") != 1 || in.Line != in.EndLine {
		return fmt.Errorf("the ENV is written in a way that this edit would break: make the change by hand")
	}
	args := strings.TrimSuffix(strings.Replace(in.Args+" ", old+" ", v.name+"="+value+" ", 1), " ")
	return replaceInstruction(files, in, "ENV "+args)
}

// checkLitestreamDatabase compares what Litestream copies with what the app opens.
func (c *checker) checkLitestreamDatabase(list []database) {
	copies := c.litestreamDatabases()
	list = slices.DeleteFunc(slices.Clone(list), func(d database) bool { return !d.strong })
	if len(copies) == 0 || len(list) == 0 {
		return
	}
	for _, d := range list {
		if slices.ContainsFunc(copies, func(o database) bool { return o.path == d.path }) {
			return
		}
	}
	c.report(copies[0].at, "Litestream copies %s, and the app opens %s (%s): it has no backup", copies[0].path, list[0].path, list[0].from).
		also(list[0].at, "what the app opens").
		hint(fmt.Sprintf("write path: %s", list[0].path))
}

// checkProxyDatabase compares the database that LiteFS's proxy waits for with what
// the app opens.
func (c *checker) checkProxyDatabase(list []database) {
	dir := c.fuseDir()
	if dir == "" || c.LiteFS.Config.Proxy.DB == "" || !c.LiteFS.Config.Resolved("proxy.db") || c.LiteFS.Config.Proxy.Target == "" {
		return
	}
	name := c.LiteFS.Config.Proxy.DB
	var there []database
	for _, d := range list {
		if path.Dir(d.path) == dir {
			there = append(there, d)
		}
	}
	if len(there) == 0 || slices.ContainsFunc(there, func(d database) bool { return path.Base(d.path) == name }) {
		return
	}
	right := path.Base(there[0].path)
	f := c.report(c.inLiteFS("proxy.db"), "LiteFS's proxy waits for %s, and the app opens %s (%s): readers may see old data", name, there[0].path, there[0].from).
		also(there[0].at, "what the app opens").
		hint(fmt.Sprintf("write db: %q", right))
	if !slices.ContainsFunc(there, func(d database) bool { return path.Base(d.path) != right }) {
		f.mend(func(files *Files) error {
			litefs, err := files.LiteFS()
			if err != nil {
				return err
			}
			return litefs.Set("proxy.db", right)
		})
	}
}
