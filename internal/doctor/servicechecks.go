package doctor

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/flysql/flysql/flyconf"
)

// stops tells whether Fly stops idle machines of the service.
func (s service) stops() bool { return s.autoStop == "stop" || s.autoStop == "suspend" }

// checkAutoStart: FLY504.
func checkAutoStart(c *checker) {
	for _, s := range c.services() {
		if !s.stops() || s.autoStart == nil || *s.autoStart || c.mustNotStop(s) {
			continue
		}
		key := s.key + ".auto_start_machines"
		c.report(c.inFly(key), "auto_start_machines is false, and auto_stop_machines is %q: a machine that was stopped for want of requests stays so", s.autoStop).
			hint("write auto_start_machines = true, or auto_stop_machines = \"off\"").
			also(c.inFly(s.key+".auto_stop_machines"), "idle machines are stopped here").
			mend(c.setFly(key, true))
	}
}

// setFly is the repair that sets a key of fly.toml; nil where the file cannot be
// edited.
func (c *checker) setFly(key string, value any) func(*Files) error {
	return c.editFly(func(d *flyconf.Document) error { return d.Set(key, value) })
}

func (c *checker) editFly(edit flyEdit) func(*Files) error {
	if c.document() == nil {
		return nil
	}
	return func(f *Files) error {
		d, err := f.Fly()
		if err != nil {
			return err
		}
		return edit(d)
	}
}

// suspendMB is the most memory of a machine that Fly suspends.
// https://fly.io/docs/reference/suspend-resume/
const suspendMB = 2048

// checkSuspend: FLY505.
func checkSuspend(c *checker) {
	for _, s := range c.services() {
		if s.autoStop != "suspend" || c.mustNotStop(s) {
			continue
		}
		at := c.inFly(s.key + ".auto_stop_machines")
		const hint = "write auto_stop_machines = \"stop\", which is what happens anyway"
		if n := c.Fly.SwapSizeMB; n != nil && *n > 0 {
			c.report(at, "auto_stop_machines is \"suspend\", and the machines have swap: they are stopped instead").
				hint(hint+", or remove swap_size_mb").
				also(c.inFly("swap_size_mb"), "the swap")
			continue
		}
		for _, name := range s.groups {
			if mb, key := c.machineMB(name); mb > suspendMB {
				c.report(at, "auto_stop_machines is \"suspend\", and the machines have %d MB of memory, more than the %d MB that Fly suspends: they are stopped instead", mb, suspendMB).
					hint(hint+", or give the machines less").
					also(c.inFly(key), "their memory")
				break
			}
		}
	}
}

// checkRedirect: FLY506.
func checkRedirect(c *checker) {
	r := c.redirecting()
	if r == nil {
		return
	}
	for _, check := range c.httpChecks() {
		if check.protocol == "https" || hasHeader(check.headers, "X-Forwarded-Proto") {
			continue
		}
		f := c.report(c.inFly(check.key), "the check has no X-Forwarded-Proto header, so the app answers it with a redirect to https").
			hint("add the header that Fly's proxy adds to requests: X-Forwarded-Proto = \"https\" in ["+withoutIndex(check.key)+".headers]").
			also(r.at, r.why)
		if r.header {
			f.mend(c.setFly(check.key+".headers.X-Forwarded-Proto", "https"))
		}
	}
}

func withoutIndex(key string) string { return indexes.ReplaceAllString(key, "") }

var indexes = regexp.MustCompile(`\[\d+\]`)

// httpChecks lists the checks of services, and those that stand for themselves.
func (a *App) httpChecks() []httpCheck {
	var out []httpCheck
	for _, s := range a.services() {
		out = append(out, s.checks...)
	}
	if a.Fly == nil {
		return out
	}
	for _, name := range sortedKeys(a.Fly.Checks) {
		if check := a.Fly.Checks[name]; check.Type == "http" {
			out = append(out, httpCheck{"checks." + name, check.Protocol, check.Path, check.Headers})
		}
	}
	return out
}

func hasHeader(headers map[string]string, name string) bool {
	for key := range headers {
		if strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// redirecting is what makes an app redirect http to https by itself.
type redirecting struct {
	at     Place
	why    string
	header bool // it goes by X-Forwarded-Proto
}

var (
	railsForceSSL  = regexp.MustCompile(`(?m)^\s*config\.force_ssl\s*=\s*true\b`)
	railsAssumeSSL = regexp.MustCompile(`(?m)^\s*config\.(assume_ssl\s*=\s*true\b|ssl_options\b)`)
	djangoRedirect = regexp.MustCompile(`(?m)^SECURE_SSL_REDIRECT\s*=\s*True\b`)
	djangoExempt   = regexp.MustCompile(`(?m)^\s*SECURE_(REDIRECT_EXEMPT|SSL_REDIRECT\s*=\s*False)\b`)
	djangoHeader   = regexp.MustCompile(`(?m)^SECURE_PROXY_SSL_HEADER\s*=`)
	djangoSettings = regexp.MustCompile(`["']DJANGO_SETTINGS_MODULE["']\s*,\s*["']([A-Za-z0-9_.]+)["']`)
)

// redirecting looks for a redirect in the code of the app that serves; nil where
// none is certain.
func (c *checker) redirecting() *redirecting {
	if len(c.httpChecks()) == 0 || c.Facts == nil {
		return nil
	}
	if c.Facts.Foreign == nil {
		for _, g := range c.groups() {
			if m := c.program(g); m != nil && m.ToHTTPS != "" {
				return &redirecting{c.inCode(m.ToHTTPS), "the code redirects here", true}
			}
		}
		return nil
	}
	switch c.Facts.Foreign.Framework {
	case "Rails":
		f := c.repoFile("config/environments/production.rb")
		if f == nil || railsAssumeSSL.Match(f.Data) {
			return nil
		}
		return c.foundIn(f, railsForceSSL, "Rails redirects", true)
	case "Django":
		manage := c.repoFile("manage.py")
		if manage == nil {
			return nil
		}
		m := djangoSettings.FindSubmatch(manage.Data)
		if m == nil {
			return nil
		}
		f := c.repoFile(strings.ReplaceAll(string(m[1]), ".", "/") + ".py")
		if f == nil || djangoExempt.Match(f.Data) {
			return nil
		}
		return c.foundIn(f, djangoRedirect, "Django redirects", djangoHeader.Match(f.Data))
	}
	return nil
}

func (c *checker) foundIn(f *TextFile, what *regexp.Regexp, why string, header bool) *redirecting {
	at := what.FindIndex(f.Data)
	if at == nil {
		return nil
	}
	begin := at[0]
	for begin < at[1] && strings.IndexByte(" \t\r\n", f.Data[begin]) >= 0 {
		begin++
	}
	line, col := lineAt(f.Data, begin)
	return &redirecting{c.at(f.Name, line, col, ""), why, header}
}

// lineAt is the line and the column, in bytes, of an offset.
func lineAt(data []byte, offset int) (line, col int) {
	before := string(data[:offset])
	return strings.Count(before, "\n") + 1, offset - strings.LastIndexByte(before, '\n')
}

// Fly's own kill_timeout, and what an app needs that has more to do than to end.
const (
	defaultKillTimeout = 5 * time.Second
	goodKillTimeout    = 10 * time.Second
)

// checkKillTimeout: FLY508.
func checkKillTimeout(c *checker) {
	if c.Fly == nil || c.Fly.KillTimeout == 0 && c.Fly.Has("kill_timeout") {
		return
	}
	have, said := c.Fly.KillTimeout, "is "+c.Fly.KillTimeout.String()
	if have == 0 {
		have, said = defaultKillTimeout, "is not set, so Fly gives 5s"
	}
	if c.checkWayDown(have, said) {
		return
	}
	if r, ok := c.replicator(); ok && have < goodKillTimeout {
		f := c.report(c.inFly("kill_timeout"), "kill_timeout %s: %s", said, r.why).
			hint("write kill_timeout = \"30s\"").mend(c.setFly("kill_timeout", "30s"))
		if r.at.File != "" {
			f.also(r.at, r.where)
		}
		return
	}
	c.checkGrace(have, said)
}

// replicating is what a machine still has to do once it is told to stop.
type replicating struct {
	why   string
	at    Place
	where string
}

func (c *checker) replicator() (replicating, bool) {
	if _, at, ok := c.litestreamCommand(); ok {
		return replicating{"it may be too short for Litestream to write the last changes to the backup", at, "Litestream is started here"}, true
	}
	if c.runsLiteFS() {
		r := replicating{why: "it may be too short for the app to end and LiteFS to give its lease back"}
		if c.LiteFS != nil {
			r.at, r.where = c.inFile(&c.LiteFS.TextFile), "LiteFS"
		}
		return r, true
	}
	return replicating{}, false
}

// checkGrace compares with the time that flysql-entrypoint gives the app.
func (c *checker) checkGrace(have time.Duration, said string) {
	if !c.boot().flysql {
		return
	}
	v, ok := c.variable("FLYSQL_GRACE")
	if !ok || !v.known {
		return
	}
	grace, err := time.ParseDuration(v.value)
	if err != nil || grace < have {
		return
	}
	supervise, ok := c.variable("FLYSQL_SUPERVISE")
	stays := ok && supervise.known && truth(supervise.value) || slices.Contains(c.boot().words, "--supervise") || c.runsLiteFS()
	if !stays {
		return // the app is alone, and Fly is its only clock
	}
	c.report(c.inFly("kill_timeout"), "kill_timeout %s, no longer than the %v that flysql-entrypoint gives the app: Fly stops the machine first", said, grace).
		hint("make it longer than FLYSQL_GRACE").
		also(c.inVariable(v), "the app's time")
}

func truth(s string) bool { return s != "" && s != "0" && s != "false" }

// checkRegion: FLY510.
func checkRegion(c *checker) {
	if c.Fly == nil || flyconf.CheckRegion(c.Fly.PrimaryRegion) != nil {
		return // flyconf says so
	}
	code := c.Fly.PrimaryRegion
	known := flyconf.KnownRegions()
	switch {
	case slices.ContainsFunc(known, func(r flyconf.Region) bool { return r.Code == code }):
	case flyconf.RegionClosed(code):
		c.report(c.inFly("primary_region"), "Fly has closed %q", code).
			hint("choose a region near it of those that fly platform regions lists; a volume that is still there moves by fly volumes fork --region")
	default:
		var codes []string
		for _, r := range known {
			codes = append(codes, r.Code)
		}
		c.report(c.inFly("primary_region"), "%q is none of the regions that flysql knows: %s", code, strings.Join(codes, ", ")).
			hint("see whether fly platform regions lists it")
	}
}
