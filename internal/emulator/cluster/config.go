package cluster

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flysql/flysql/appdb"
	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/private"
)

// Marker is the variable by which the processes of a directory's machines are known:
// the directory, a colon, the machine.
const Marker = "FLYSQL_DEV_MACHINE"

// DNSVariable is where a machine's app finds the names under .internal: host:port of a
// DNS server, for package private's Resolver.
const DNSVariable = "FLYSQL_DEV_DNS"

// places are a machine's directories and files.
type places struct {
	root   string // all of them
	volume string // for [[mounts]]
	mount  string // LiteFS's
	config string // its litefs.yml
	log    string
}

func placesOf(dir, id string) places {
	root := filepath.Join(dir, "machines", id)
	return places{root, filepath.Join(root, "volume"), filepath.Join(root, "mnt"), filepath.Join(root, "litefs.yml"), filepath.Join(root, "log")}
}

// moved is a value of [env] with its path under one of the directories that a machine on
// Fly has, at that of this machine's. Anything else stays as it is.
func moved(value string, from, to []string) string {
	scheme, path := "", value
	for _, prefix := range []string{"file://", "sqlite3://", "sqlite://", "file:", "sqlite3:", "sqlite:"} {
		if rest, ok := strings.CutPrefix(value, prefix); ok {
			scheme, path = prefix, rest
			break
		}
	}
	for i, dir := range from {
		if dir == "" || dir == "/" {
			continue
		}
		if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/")); ok && (rest == "" || rest[0] == '/' || rest[0] == '?') {
			return scheme + to[i] + rest
		}
	}
	return value
}

// environ is a machine's environment.
func (m *machine) environ(c *Cluster) []string {
	o := &c.opt
	from, to := []string{}, []string{}
	if c.litefs != nil {
		from, to = append(from, c.litefs.FUSE.Dir), append(to, m.places.mount)
	}
	for _, mount := range o.Config.Mounts {
		from, to = append(from, mount.Destination), append(to, m.places.volume)
	}
	config := *o.Config
	config.Env = map[string]string{}
	for name, value := range o.Config.Env {
		config.Env[name] = moved(value, from, to)
	}
	secrets := map[string]string{}
	for _, one := range o.Env {
		name, value, _ := strings.Cut(one, "=")
		secrets[name] = moved(value, from, to)
	}
	own := map[string]string{
		"PORT":       strconv.Itoa(m.at().app),
		"FLYSQL_LOG": "text",
		Marker:       o.Dir + ":" + m.ID,
		DNSVariable:  m.dns,
	}
	if c.litefs != nil {
		own["FLYSQL_LITEFS"] = m.places.config
		if m.leaseURL != "" {
			own["FLY_CONSUL_URL"] = m.leaseURL
		}
		own["FLYSQL_LITEFS_PEERS"] = c.peers(m, func(p *machine) string { return m.to[p].api.address() })
		own["FLYSQL_REPLAY_PEERS"] = c.peers(nil, func(p *machine) string {
			if p == m {
				return p.ID + "=http://" + m.address().String()
			}
			return p.ID + "=http://" + m.to[p].app.address()
		})
		own["PATH"] = strings.Trim(o.Litefs+string(os.PathListSeparator)+os.Getenv("PATH"), string(os.PathListSeparator))
	} else {
		own["FLYSQL_LITEFS"] = "off"
		own["PATH"] = os.Getenv("PATH")
	}
	for _, name := range []string{"HOME", "TMPDIR", "LANG", "TZ"} { // a program on this machine misses them
		if v, ok := os.LookupEnv(name); ok {
			own[name] = v
		}
	}
	if _, named := secrets["FLYSQL_DB"]; !named && secrets["DATABASE_URL"] == "" && config.Env["DATABASE_URL"] != "" {
		if path, err := appdb.Path(config.Env["DATABASE_URL"]); err == nil {
			secrets["FLYSQL_DB"] = path
		}
	}
	maps.Copy(secrets, own)
	return private.Environ(&config, private.Boot{Machine: m.onNetwork(config.App), Secrets: secrets})
}

// peers are the other machines in a list, all of them for nil.
func (c *Cluster) peers(but *machine, say func(*machine) string) string {
	var all []string
	for _, p := range c.machines {
		if p != but {
			all = append(all, say(p))
		}
	}
	return strings.Join(all, ",")
}

// writeLiteFS makes a machine's litefs.yml of the app's: its own directories and ports.
func (m *machine) writeLiteFS(c *Cluster) error {
	doc, err := flyconf.ParseLiteFSDocument(c.opt.LiteFS, c.litefsText)
	if err != nil {
		return err
	}
	type setting struct {
		key   string
		value any
	}
	values := []setting{
		{"fuse.dir", m.places.mount},
		{"data.dir", filepath.Join(m.places.volume, "litefs")},
		{"http.addr", m.apiAddress()},
	}
	if p := c.static; p != nil { // both are the primary's, on every machine
		at := p.apiAddress()
		if p != m {
			at = m.to[p].api.address()
		}
		values = append(values, setting{"lease.hostname", p.ID}, setting{"lease.advertise-url", "http://" + at})
	} else {
		values = append(values, setting{"lease.hostname", m.ID}, setting{"lease.advertise-url", "http://" + m.apiAddress()}, setting{"lease.consul.url", m.leaseURL})
	}
	if c.litefs.Proxy.Target != "" {
		values = append(values, setting{"proxy.addr", m.address().String()}, setting{"proxy.target", net.JoinHostPort("127.0.0.1", strconv.Itoa(m.at().app))})
	}
	for _, v := range values {
		if err := doc.Set(v.key, v.value); err != nil {
			return fmt.Errorf("machine %s: %w", m.ID, err)
		}
	}
	return os.WriteFile(m.places.config, doc.Bytes(), 0o600) // it may hold a token
}

// readLiteFS reads the app's litefs.yml as a machine does.
func (c *Cluster) readLiteFS() error {
	if c.opt.LiteFS == "" {
		return nil
	}
	text, err := os.ReadFile(c.opt.LiteFS)
	if err != nil {
		return err
	}
	c.litefsText = text
	if c.litefs, err = flyconf.ParseLiteFS(c.opt.LiteFS, text, nil); err != nil {
		return err
	}
	if kind := c.litefs.Lease.Type; kind != "consul" && kind != "static" {
		return fmt.Errorf("%s: lease.type %q: LiteFS has consul and static", c.opt.LiteFS, kind)
	}
	return nil
}
