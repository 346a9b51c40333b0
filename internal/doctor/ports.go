package doctor

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// listening is what a group's program listens on, as far as its code says.
type listening struct {
	port     int
	why      string // in words, for a message
	at       Place
	variable string // of [env] that decides it; empty where the code does
	loopback bool   // on localhost only
}

var (
	// portWords are in commands that say what to listen on, or put another server
	// before the app: the code is not the last word then.
	portWords = regexp.MustCompile(`(?i)\b(port|addr|address|listen|bind|host)\b|:\d{2,5}\b|(^|\s)-p\b|nginx|caddy|haproxy|traefik|envoy|thrust|supervisord|overmind|foreman|hivemind|tailscale|cloudflared`)
	// portNames are variables that may do so, beside PORT.
	portNames = regexp.MustCompile(`(^|_)(PORT|ADDR|ADDRESS|LISTEN|BIND|HOST|SERVER)(_|$)`)
)

// listening finds out what a group's program listens on; false where the code does
// not say, or something else may have the last word.
func (c *checker) listening(g group) (listening, bool) {
	m := c.program(g)
	if m == nil || c.Facts.Foreign != nil {
		return listening{}, false
	}
	b := c.boot()
	if b.unknown || b.script != nil && portWords.Match(b.script.Data) || b.opaque() {
		return listening{}, false
	}
	for _, cmd := range c.allCommands(g) {
		if portWords.MatchString(cmd.text) {
			return listening{}, false
		}
	}
	if m.PortPlace == "" && strings.Contains(m.PortReason, "PORT") {
		v, ok := c.variable("PORT")
		n, err := strconv.Atoi(v.value)
		if !ok || !v.known || err != nil || n < 1 || n > 65535 {
			return listening{}, false
		}
		l := listening{port: n, why: "PORT is " + v.value, at: c.inVariable(v)}
		if v.docker.Name == "" {
			l.variable = "env.PORT"
		}
		return l, true
	}
	for _, v := range c.env() {
		if v.name != "PORT" && portNames.MatchString(v.name) {
			return listening{}, false
		}
	}
	if m.PortPlace == "" {
		return listening{}, false
	}
	return listening{port: m.Port, why: fmt.Sprintf("the code listens on %d", m.Port), at: c.inCode(m.PortPlace), loopback: m.Loopback}, true
}

// opaque tells whether the image starts by a program that nothing is known of.
func (b boot) opaque() bool {
	if len(b.words) == 0 || b.flysql || b.litefs || b.script != nil {
		return false
	}
	return slices.Contains(shells, path.Base(b.words[0])) || strings.HasSuffix(b.words[0], ".sh") || strings.Contains(path.Base(b.words[0]), "entrypoint")
}

// proxied tells whether LiteFS's proxy, or something that cannot be read, stands
// before a group's program.
func (c *checker) proxied(g group) bool {
	if !c.runsLiteFS() || !slices.ContainsFunc(c.liteFSGroups(), func(l group) bool { return l.name == g.name }) {
		return false
	}
	config := c.liteFS()
	return config == nil || config.Proxy.Target != ""
}

// checkInternalPort: FLY503.
func checkInternalPort(c *checker) {
	services := c.services()
	for _, s := range services {
		if s.port == 0 || s.key != "http_service" && len(services) > 1 {
			continue
		}
		for _, g := range c.groups() {
			if !slices.Contains(s.groups, g.name) || c.proxied(g) {
				continue
			}
			l, ok := c.listening(g)
			key := s.key + ".internal_port"
			switch {
			case !ok:
				continue
			case l.port != s.port:
				c.report(c.inFly(key), "internal_port is %d, but %s: Fly's proxy reaches nobody", s.port, l.why).
					hint(fmt.Sprintf("write internal_port = %d", l.port)).
					also(l.at, "what the app listens on").
					mend(c.setFly(key, l.port))
			case l.loopback:
				c.report(l.at, "the app listens on localhost, where Fly's proxy cannot reach it").
					hint(fmt.Sprintf("listen on \":%d\", which is all addresses", l.port)).
					also(c.inFly(key), "where Fly's proxy looks for it")
			default:
				continue
			}
			break
		}
	}
}

// checkProxy: FLY404, as far as flyconf cannot see it.
func checkProxy(c *checker) {
	config := c.liteFS()
	if config == nil {
		return
	}
	if config.Proxy.Target == "" {
		c.checkNoProxy()
		return
	}
	listen, target := 0, 0
	if config.Resolved("proxy.addr") {
		listen = portOf(config.Proxy.Addr)
	}
	if config.Resolved("proxy.target") {
		target = portOf(config.Proxy.Target)
	}
	if listen == 0 || listen == target {
		return
	}
	c.checkBeforeProxy(listen, target)
	c.checkBehindProxy(listen, target)
}

// checkNoProxy: what only LiteFS's proxy answers must not be asked without it. An app
// that routes by itself needs none.
func (c *checker) checkNoProxy() {
	if !c.runsLiteFS() || c.liteFS().Proxy.Addr != "" {
		return
	}
	for _, check := range c.httpChecks() {
		if check.path == "/litefs/health" {
			c.report(c.inFly(check.key+".path"), "only LiteFS's proxy answers %s, and %s has none: the machine never passes its checks", check.path, c.LiteFS.Name).
				hint("write the path of the app's own answer, such as that of HealthHandler in flysql's package replay")
		}
	}
}

// checkBeforeProxy: Fly's proxy must talk to LiteFS's.
func (c *checker) checkBeforeProxy(listen, target int) {
	groups := c.liteFSGroups()
	services := slices.DeleteFunc(c.services(), func(s service) bool { return !s.http || s.port == 0 || !s.serves(groups) })
	if slices.ContainsFunc(services, func(s service) bool { return s.port == listen }) {
		return
	}
	for _, s := range services {
		if s.port == apiPort(c.liteFS()) {
			continue // see FLY408
		}
		what := "and LiteFS's proxy listens on %d: nothing is served"
		if s.port == target {
			what = "which is the app's own port, and LiteFS's proxy listens on %d: writes on a replica fail, for nothing sends them to the primary"
		}
		key := s.key + ".internal_port"
		c.report(c.inFly(key), "internal_port is %d, "+what, s.port, listen).
			hint(fmt.Sprintf("write internal_port = %d", listen)).
			also(c.inLiteFS("proxy.addr"), "where LiteFS's proxy listens").
			mend(c.setFly(key, listen))
	}
}

// checkBehindProxy: LiteFS's proxy must talk to the app.
func (c *checker) checkBehindProxy(listen, target int) {
	host, _, _ := cutLast(c.liteFS().Proxy.Target, ":")
	if target == 0 || !slices.Contains([]string{"localhost", "127.0.0.1", "[::1]", "0.0.0.0"}, host) {
		return
	}
	for _, g := range c.liteFSGroups() {
		l, ok := c.listening(g)
		if !ok || l.port == target {
			continue
		}
		f := c.report(c.inLiteFS("proxy.target"), "proxy.target has the port %d, but %s: LiteFS's proxy reaches nobody", target, l.why).
			also(l.at, "what the app listens on")
		switch {
		case l.variable != "":
			f.hint(fmt.Sprintf("write PORT = \"%d\" in [env]", target)).mend(c.setFly(l.variable, itoa(target)))
		case l.port == listen:
			f.hint(fmt.Sprintf("have the app listen on %d: LiteFS's own proxy has %d", target, listen))
		default:
			to := host + ":" + itoa(l.port)
			f.hint(fmt.Sprintf("write target: %q", to)).mend(setLiteFS("proxy.target", to))
		}
		return
	}
}

// checkPublicPort: FLY408.
func checkPublicPort(c *checker) {
	if !c.runsLiteFS() {
		return
	}
	api, config := 20202, c.liteFS()
	if config != nil {
		api = apiPort(config)
	}
	for _, s := range c.services() {
		if s.port != api || api == 0 || !s.open || !s.serves(c.liteFSGroups()) {
			continue
		}
		key := s.key + ".internal_port"
		f := c.report(c.inFly(key), "internal_port is %d, where LiteFS takes imports, exports and promotions from anybody", s.port)
		if config != nil {
			f.also(c.inLiteFS("http.addr"), "LiteFS's API")
		}
		listen := 0
		if config != nil && config.Resolved("proxy.addr") && config.Proxy.Target != "" {
			listen = portOf(config.Proxy.Addr)
		}
		switch {
		case s.key == "http_service" && listen != 0 && listen != api:
			f.hint(fmt.Sprintf("write internal_port = %d, which is LiteFS's proxy", listen)).mend(c.setFly(key, listen))
		case s.key == "http_service":
			f.hint("write the app's own port")
		default:
			f.hint("remove this service: machines of the app reach each other without it")
		}
	}
}
