package flyconf

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// Validate returns every problem of c at once, joined, each a *Problem: what
// LiteFS would refuse at its start, what makes it panic, and what it starts with
// but does not do. Values that hold a variable which ParseLiteFS was not given
// are not judged.
func (c *LiteFS) Validate() error {
	v := litefsValidator{c: c, p: &problems{src: c.source}}
	v.directories()
	v.lease()
	v.proxy()
	v.exec()
	v.rest()
	return v.p.err()
}

type litefsValidator struct {
	c *LiteFS
	p *problems
}

// bad adds a problem of a key, unless what it is about depends on a variable.
func (v litefsValidator) bad(key, format string, a ...any) {
	if !v.c.unresolved[key] {
		v.p.as(litefsRule(key)).add(key, format, a...)
	}
}

// litefsRule is the rule that a key's value breaks.
func litefsRule(key string) string {
	switch section, _, _ := strings.Cut(key, "."); {
	case key == "fuse.dir", key == "data.dir":
		return "FLY403"
	case section == "proxy":
		return "FLY404"
	case section == "backup":
		return "FLY412"
	}
	return ruleValue
}

func (v litefsValidator) known(keys ...string) bool {
	for _, key := range keys {
		if v.c.unresolved[key] {
			return false
		}
	}
	return true
}

func (v litefsValidator) directories() {
	data, fuse := v.c.Data.Dir, v.c.FUSE.Dir
	for _, d := range []struct{ key, dir, example string }{{"fuse.dir", fuse, "/litefs"}, {"data.dir", data, "/data/litefs"}} {
		switch {
		case d.dir == "":
			v.bad(d.key, "is empty: give a directory, such as %q", d.example)
		case !path.IsAbs(d.dir):
			v.bad(d.key, "%q is relative: give an absolute path, such as %q", d.dir, d.example)
		}
	}
	if !v.known("fuse.dir", "data.dir") || data == "" || fuse == "" {
		return
	}
	data, fuse = path.Clean(data), path.Clean(fuse)
	switch {
	case data == fuse:
		v.bad("data.dir", "is the same directory as fuse.dir: keep LiteFS's own files elsewhere, on the volume")
	case litefsBelow(data, fuse):
		v.bad("data.dir", "%q is inside of fuse.dir %q, which is mounted over it: keep it elsewhere, on the volume", data, fuse)
	case litefsBelow(fuse, data):
		v.bad("fuse.dir", "%q is inside of data.dir %q: mount it elsewhere, such as \"/litefs\"", fuse, data)
	}
}

// litefsBelow reports whether a clean path is inside of a directory.
func litefsBelow(name, dir string) bool {
	return strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

func (v litefsValidator) lease() {
	l := &v.c.Lease
	switch l.Type {
	case "consul":
		v.consul()
	case "static":
		if l.AdvertiseURL == "" {
			v.bad("lease.advertise-url", `is missing: with a static lease, replicas find the primary by it ("http://<primary>:20202")`)
		}
		if l.Hostname == "" && v.c.Proxy.Target != "" {
			v.bad("lease.hostname", "is missing: with a static lease, the proxy sends writes to the machine that it names")
		}
	case "":
		v.bad("lease.type", `is missing: write "consul", or "static" for a primary that never changes`)
	default:
		v.bad("lease.type", `%q is not one of consul, static`, l.Type)
	}
	v.url("lease.advertise-url", l.AdvertiseURL)
	if l.Candidate && len(l.Databases) > 0 && v.known("lease.candidate") {
		v.bad("lease.databases", "is only for nodes that are no candidates, and LiteFS does not start: remove it, or set lease.candidate to false")
	}
}

func (v litefsValidator) consul() {
	l := &v.c.Lease.Consul
	if l.URL == "" {
		v.bad("lease.consul.url", `is missing: write "${FLY_CONSUL_URL}", which fly consul attach sets`)
	}
	v.url("lease.consul.url", l.URL)
	if l.Key == "" {
		v.bad("lease.consul.key", `is missing: give a name that all nodes of this cluster use, such as "litefs/${FLY_APP_NAME}"`)
	}
	if l.TTL > 0 && l.TTL < 10*time.Second {
		v.bad("lease.consul.ttl", "%v is too short: Consul takes 10s or more", l.TTL)
	}
}

// url judges the beginning of a URL, which may hold a token and is not shown.
func (v litefsValidator) url(key, u string) {
	if u == "" || !v.known(key) {
		return
	}
	rest, ok := strings.CutPrefix(u, "http://")
	if !ok {
		rest, ok = strings.CutPrefix(u, "https://")
	}
	if !ok || rest == "" || rest[0] == '/' || rest[0] == ':' {
		v.bad(key, "is not a URL: write it as in \"http://host:port\"")
	}
}

func (v litefsValidator) proxy() {
	p := &v.c.Proxy
	if p.Target == "" {
		if p.Addr != "" || p.DB != "" {
			v.p.as("FLY404").add("proxy", "there is no proxy without proxy.target: give the app's address, such as \"localhost:8081\", or remove the section")
		}
		return
	}
	v.address("proxy.target", p.Target, true)
	if p.Addr == "" {
		v.bad("proxy.addr", "is missing: give the address to listen on, such as \":8080\"")
	} else {
		v.address("proxy.addr", p.Addr, false)
	}
	switch {
	case p.DB == "":
		v.bad("proxy.db", "is missing: name the database that clients wait for, such as \"app.db\"")
	case strings.Contains(p.DB, "/"):
		v.bad("proxy.db", "%q is a path: give only the name of the file in fuse.dir", p.DB)
	}
	listen, app, api := litefsPort(p.Addr), litefsPort(p.Target), litefsPort(v.c.HTTP.Addr)
	if listen != "" && listen == app && v.known("proxy.addr", "proxy.target") && litefsLocal(p.Target) {
		v.bad("proxy.target", "has the port that the proxy itself listens on: let the app listen on another")
	}
	if listen != "" && listen == api && v.known("proxy.addr", "http.addr") {
		v.bad("proxy.addr", "has the port of http.addr, LiteFS's API: choose another")
	}
}

// address judges host:port.
func (v litefsValidator) address(key, addr string, host bool) {
	if !v.known(key) {
		return
	}
	i := strings.LastIndexByte(addr, ':')
	n, err := strconv.Atoi(addr[i+1:])
	if i < 0 || err != nil || n < 0 || n > 65535 || host && (i == 0 || n == 0) {
		example := ":8080"
		if host {
			example = "localhost:8081"
		}
		v.bad(key, "%q is not an address: write it as in %q", addr, example)
	}
}

func litefsPort(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func litefsLocal(addr string) bool {
	host := addr[:max(strings.LastIndexByte(addr, ':'), 0)]
	return host == "localhost" || host == "127.0.0.1" || host == "[::1]" || host == "0.0.0.0"
}

func (v litefsValidator) exec() {
	for i, e := range v.c.Exec {
		key := fmt.Sprintf("exec[%d]", i)
		if _, listed := v.c.source.keys[key]; !listed {
			key = "exec"
		}
		if _, ok := v.c.source.keys[key+".cmd"]; ok {
			key += ".cmd"
		}
		if err := checkLiteFSCommand(e.Cmd); err != nil {
			v.bad(key, "%v", err)
		}
	}
}

// checkLiteFSCommand says what LiteFS would make of a command other than to run
// it. It splits words itself, and reads no further than the first character that
// means something to a shell.
func checkLiteFSCommand(cmd string) error {
	if strings.TrimSpace(cmd) == "" {
		return errors.New("is empty, at which LiteFS panics: give the command, or remove it")
	}
	var quote rune
	escaped := false
	for _, r := range cmd {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case strings.ContainsRune(";&|<>", r):
			return fmt.Errorf("runs without a shell, and LiteFS drops everything from the %c on: make it a list of commands, or run a script", r)
		case strings.ContainsRune("()`", r):
			return fmt.Errorf("runs without a shell, and LiteFS cannot read the %c: put it in quotes, or run a script", r)
		}
	}
	if quote != 0 || escaped {
		return errors.New("has a quote that is not closed: LiteFS cannot run it")
	}
	return nil
}

func (v litefsValidator) rest() {
	c := v.c
	v.address("http.addr", c.HTTP.Addr, false)
	if c.Data.Retention <= 0 && c.HTTP.SnapshotTimeout <= 0 && v.known("http.snapshot-timeout") {
		v.bad("data.retention", "%v leaves no time for snapshots: give a time, or http.snapshot-timeout", c.Data.Retention)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"data.retention-monitor-interval", c.Data.RetentionMonitorInterval},
		{"http.snapshot-timeout", c.HTTP.SnapshotTimeout},
		{"proxy.max-lag", c.Proxy.MaxLag},
		{"proxy.primary-redirect-timeout", c.Proxy.PrimaryRedirectTimeout},
		{"proxy.read-timeout", c.Proxy.ReadTimeout},
		{"proxy.read-header-timeout", c.Proxy.ReadHeaderTimeout},
		{"proxy.write-timeout", c.Proxy.WriteTimeout},
		{"proxy.idle-timeout", c.Proxy.IdleTimeout},
		{"lease.reconnect-delay", c.Lease.ReconnectDelay},
		{"lease.demote-delay", c.Lease.DemoteDelay},
		{"lease.consul.ttl", c.Lease.Consul.TTL},
		{"lease.consul.lock-delay", c.Lease.Consul.LockDelay},
	} {
		if d.value < 0 {
			v.bad(d.key, "%v is negative", d.value)
		}
	}
	switch c.Backup.Type {
	case "":
	case "file":
		if c.Backup.Path == "" {
			v.bad("backup.path", "is missing: say where the backups go")
		}
	case "litefs-cloud":
		v.bad("backup.type", "LiteFS Cloud ended in October 2024: remove the section")
	default:
		v.bad("backup.type", `%q is not one of file`, c.Backup.Type)
	}
	if f := c.Log.Format; f != "text" && f != "json" {
		v.bad("log.format", "%q is not one of text, json", f)
	}
}
