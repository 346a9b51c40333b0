package doctor

import (
	"slices"
	"strings"
	"time"
)

// What flysql-entrypoint needs beside LiteFS: docs/litefs.md.

// maxKillTimeout is the longest kill_timeout that Fly gives.
const maxKillTimeout = 300 * time.Second

// checkWayDown is FLY508 for flysql-entrypoint beside LiteFS: it ends the app, hands
// the primary over, then ends LiteFS, each within a time of its own. It tells whether
// it could judge.
func (c *checker) checkWayDown(have time.Duration, said string) bool {
	s, ok := c.settings()
	if !ok || !c.bootsLiteFS() {
		return false
	}
	need := 2*s.grace + s.handoff
	if have > need {
		return true
	}
	f := c.report(c.inFly("kill_timeout"), "kill_timeout %s: flysql-entrypoint may take %v to end the app, %v to have another machine become the primary, and %v to end LiteFS", said, s.grace, s.handoff, s.grace)
	for _, name := range []string{"grace", "handoff"} {
		if v, ok := c.variable("FLYSQL_" + strings.ToUpper(name)); ok && !c.bootFlag(name) {
			f.also(c.inVariable(v), "how long that may take")
		}
	}
	to := max(need+10*time.Second, 30*time.Second).Round(time.Second)
	if to > maxKillTimeout {
		f.hint("lower FLYSQL_GRACE: Fly gives 5m at most")
		return true
	}
	f.hint("write kill_timeout = \"" + to.String() + "\", which is more than all of it").mend(c.setFly("kill_timeout", to))
	return true
}

// checkRestart: FLY415.
func checkRestart(c *checker) {
	if c.Fly == nil || c.liteFS() == nil {
		return
	}
	for i, r := range c.Fly.Restart {
		serves := slices.ContainsFunc(c.liteFSGroups(), func(g group) bool {
			return slices.Contains(r.Processes, g.name) || len(r.Processes) == 0 && g.name == c.Fly.DefaultGroup()
		})
		if r.Policy != "never" || !serves {
			continue
		}
		key := "restart[" + itoa(i) + "].policy"
		c.report(c.inFly(key), "a machine whose LiteFS has ended is not started again: there is one node less, and where it was the only candidate, nothing can be written").
			hint("write policy = \"on-failure\"").
			also(c.inFile(&c.LiteFS.TextFile), "LiteFS").
			mend(c.setFly(key, "on-failure"))
	}
}

// checkFence: FLY416.
func checkFence(c *checker) {
	s, ok := c.settings()
	v, set := c.variable("FLYSQL_FENCE")
	if !ok || !set || s.fence || !c.bootsLiteFS() || c.liteFS().Lease.Type != "consul" {
		return
	}
	c.report(c.inVariable(v), "FLYSQL_FENCE is off: a primary that cannot reach Consul goes on writing while another one does, and one of them loses its rows").
		hint("remove it: then LiteFS is stopped for as long as the lease cannot be confirmed").
		also(c.inLiteFS("lease.type"), "the lease that can be lost")
}

// checkImport: FLY417.
func checkImport(c *checker) {
	s, ok := c.settings()
	v, set := c.variable("FLYSQL_LITEFS_IMPORT")
	if !ok || !set || s.importFrom == "" {
		return
	}
	said := "a cluster that has lost its database is given this file, however old it is by then"
	if s.importFrom == "off" {
		said = "an image whose mode changes by mistake starts on an empty database, beside the one with the rows"
	}
	c.report(c.inVariable(v), "FLYSQL_LITEFS_IMPORT is meant for one deploy, and set for all: %s", said).
		hint("remove it, and give it to the deploy that needs it: fly deploy --env FLYSQL_LITEFS_IMPORT=" + shownValue(s.importFrom))
}

// shownValue is a value that stands in a command without quotes, or a stand-in.
func shownValue(s string) string {
	if plainCommand.MatchString(s) && !strings.Contains(s, " ") {
		return s
	}
	return "FILE"
}

// checkMigrateFrom: FLY418.
func checkMigrateFrom(c *checker) {
	s, ok := c.settings()
	if !ok || !s.migrations || s.migrateFrom == "any" || !c.bootsLiteFS() || c.liteFS().Lease.Type != "consul" || c.Fly == nil {
		return
	}
	stands := "begins with a replica"
	if s.migrateFrom == "candidate" {
		if text, _ := c.written("lease.candidate"); !strings.Contains(text, "$") {
			return // all are candidates
		}
		stands = "begins with a machine that is no candidate"
	}
	at, flag := c.inFly("env.FLYSQL_MIGRATE_FROM"), c.bootFlag("migrate-from")
	if v, set := c.variable("FLYSQL_MIGRATE_FROM"); flag {
		at = c.inCommand(c.boot().command)
	} else if set {
		at = c.inVariable(v)
	}
	f := c.report(at, "FLYSQL_MIGRATE_FROM is %q: a deploy with new migrations that %s waits for them, and fails", s.migrateFrom, stands).
		hint("write FLYSQL_MIGRATE_FROM = \"any\" in [env], or deploy the primary's region first: fly deploy --only-regions " + c.Fly.PrimaryRegion)
	if !flag {
		f.mend(c.setFly("env.FLYSQL_MIGRATE_FROM", "any"))
	}
}
